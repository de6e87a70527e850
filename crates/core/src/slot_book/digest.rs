//! Tells one launch from another.

use sha2::{Digest, Sha256};

use crate::job::{Command, Launch};
use crate::record::LaunchDigest;

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
    let mut short = [0_u8; 16];
    short.copy_from_slice(&hash.finalize()[..16]);
    LaunchDigest(short)
}
