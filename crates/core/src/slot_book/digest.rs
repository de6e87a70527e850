//! Tells one launch from another.

use sha2::{Digest, Sha256};

use crate::job::{Command, Launch};
use crate::limits::ProcessLimits;
use crate::record::LaunchDigest;
use crate::secret::Given;

/// The digest of a launch: equal for equal ones, on every agent and in every version of it. How a process is stopped and what
/// becomes of its output is no part of it, for a running process need not be replaced for that.
pub fn digest(launch: &Launch) -> LaunchDigest {
    let mut hash = Sha256::new();
    let mut put = |text: &str| {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    };
    match &launch.command {
        Command::Argv(argv) => {
            put("argv");
            put(&argv.len().to_string());
            argv.iter().for_each(|argument| put(argument));
        }
        Command::Script { interpreter, text } => {
            put("script");
            put(&interpreter.len().to_string());
            interpreter.iter().for_each(|argument| put(argument));
            put(text);
        }
    }
    put(&launch.run_as);
    put(launch.directory.as_deref().unwrap_or_default());
    put(&launch.umask.to_string());
    for (name, value) in &launch.environment {
        put(name);
        put(value);
    }
    // Without limits the digest is what it was before there were any, so that no running process is replaced for them.
    if launch.limits != ProcessLimits::NONE {
        put_limits(&launch.limits, &mut put);
    }
    for secret in &launch.secrets {
        put("secret");
        put(&secret.name);
        match &secret.given {
            Given::Environment(name) => put(name),
            Given::File(name) => put(&format!("file {name}")),
        }
    }
    let mut short = [0_u8; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    LaunchDigest(short)
}

fn put_limits(limits: &ProcessLimits, put: &mut impl FnMut(&str)) {
    let ProcessLimits {
        memory_max_bytes,
        cpu_max_millicores,
        pids_max,
        open_files_max,
        core_size_max_bytes,
        nice,
        io_priority,
        oom_score_adj,
        may_gain_privileges,
    } = limits;
    let signed = |value: &Option<i32>| value.map(i64::from);
    let unsigned =
        |value: &Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
    let small = |value: &Option<u32>| value.map(i64::from);
    let numbers = [
        unsigned(memory_max_bytes),
        small(cpu_max_millicores),
        small(pids_max),
        unsigned(open_files_max),
        unsigned(core_size_max_bytes),
        signed(nice),
        io_priority.map(|priority| i64::from(priority.level)),
        signed(oom_score_adj),
        Some(i64::from(*may_gain_privileges)),
    ];
    put("limits");
    for number in numbers {
        put(&number.map_or_else(String::new, |number| number.to_string()));
    }
    put(io_priority.map_or("", |priority| priority.class.word()));
}
