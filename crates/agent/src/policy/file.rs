//! The policy file, TOML. Every key may be left out and has the built-in value then; unknown ones are refused.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cronfleet_core::policy::{
    Caps, DENIED_GROUPS, ExecMode, ExecRules, MIN_UID, Pattern, Policy, RunAsRules,
};
use nix::unistd::User;
use serde::{Deserialize, Serialize};

use super::size::{parse_bytes, show_bytes};
use super::source::{InForce, PolicyError};

/// Version of the format that this agent reads.
const VERSION: u32 = 1;

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct PolicyFile {
    version: u32,
    #[serde(default)]
    run_as: RunAsSection,
    #[serde(default)]
    exec: ExecSection,
    #[serde(default)]
    directory: DirectorySection,
    #[serde(default)]
    environment: EnvironmentSection,
    #[serde(default)]
    caps: CapsSection,
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct RunAsSection {
    allow: Vec<String>,
    deny: Vec<String>,
    min_uid: u32,
    deny_root: bool,
    deny_groups: Vec<String>,
}

impl Default for RunAsSection {
    fn default() -> Self {
        Self {
            allow: vec!["*".to_owned()],
            deny: Vec::new(),
            min_uid: MIN_UID,
            deny_root: true,
            deny_groups: DENIED_GROUPS.map(str::to_owned).to_vec(),
        }
    }
}

#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct ExecSection {
    mode: String,
    dirs: Vec<PathBuf>,
    exact: Vec<PathBuf>,
    shells: bool,
    scripts: bool,
    privileges: bool,
    owners: Vec<String>,
}

impl Default for ExecSection {
    fn default() -> Self {
        Self {
            mode: ExecMode::Any.word().to_owned(),
            dirs: Vec::new(),
            exact: Vec::new(),
            shells: true,
            scripts: true,
            privileges: false,
            owners: vec!["root".to_owned()],
        }
    }
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct DirectorySection {
    #[serde(skip_serializing_if = "Option::is_none")]
    roots: Option<Vec<PathBuf>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct EnvironmentSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    allow: Option<Vec<String>>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct CapsSection {
    #[serde(skip_serializing_if = "Option::is_none")]
    processes: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    runtime: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    memory: Option<String>,
}

/// Reads a policy file's text.
///
/// # Errors
/// [`PolicyError::Refused`].
pub(super) fn parse(text: &str, path: &Path) -> Result<InForce, PolicyError> {
    let refused = |problem: String| PolicyError::Refused {
        path: path.to_owned(),
        problem,
    };
    let file: PolicyFile =
        toml::from_str(text).map_err(|error| refused(error.to_string().trim_end().to_owned()))?;
    if file.version != VERSION {
        return Err(refused(format!(
            "version is {}, this agent reads {VERSION}",
            file.version
        )));
    }
    let mode = ExecMode::from_word(&file.exec.mode).ok_or_else(|| {
        refused(format!(
            "exec.mode is {:?}: use any, dirs or exact",
            file.exec.mode
        ))
    })?;
    let owners = owner_ids(&file.exec.owners).map_err(refused)?;
    let roots = match &file.directory.roots {
        Some(roots) => Some(real_paths("directory.roots", roots).map_err(refused)?),
        None => None,
    };
    let policy = Policy {
        run_as: RunAsRules {
            allow: patterns("run_as.allow", &file.run_as.allow).map_err(refused)?,
            deny: patterns("run_as.deny", &file.run_as.deny).map_err(refused)?,
            min_uid: file.run_as.min_uid,
            is_root_denied: file.run_as.deny_root,
            deny_groups: file.run_as.deny_groups,
        },
        exec: ExecRules {
            mode,
            dirs: real_paths("exec.dirs", &file.exec.dirs).map_err(refused)?,
            exact: real_paths("exec.exact", &file.exec.exact).map_err(refused)?,
            are_shells_allowed: file.exec.shells,
            are_scripts_allowed: file.exec.scripts,
            may_gain_privileges: file.exec.privileges,
        },
        directory_roots: roots,
        environment_allow: match &file.environment.allow {
            Some(allow) => Some(patterns("environment.allow", allow).map_err(refused)?),
            None => None,
        },
        caps: caps(&file.caps).map_err(refused)?,
    };
    Ok(InForce::new(policy, owners, Some(path.to_owned()), text))
}

/// Writes a policy as a file.
pub(super) fn render(policy: &Policy, owners: &[String]) -> String {
    let words = |patterns: &[Pattern]| patterns.iter().map(ToString::to_string).collect();
    let file = PolicyFile {
        version: VERSION,
        run_as: RunAsSection {
            allow: words(&policy.run_as.allow),
            deny: words(&policy.run_as.deny),
            min_uid: policy.run_as.min_uid,
            deny_root: policy.run_as.is_root_denied,
            deny_groups: policy.run_as.deny_groups.clone(),
        },
        exec: ExecSection {
            mode: policy.exec.mode.word().to_owned(),
            dirs: policy.exec.dirs.clone(),
            exact: policy.exec.exact.clone(),
            shells: policy.exec.are_shells_allowed,
            scripts: policy.exec.are_scripts_allowed,
            privileges: policy.exec.may_gain_privileges,
            owners: owners.to_vec(),
        },
        directory: DirectorySection {
            roots: policy.directory_roots.clone(),
        },
        environment: EnvironmentSection {
            allow: policy.environment_allow.as_deref().map(words),
        },
        caps: CapsSection {
            processes: policy.caps.processes,
            runtime: policy
                .caps
                .runtime
                .map(|runtime| format!("{}s", runtime.as_secs())),
            output: policy.caps.output_bytes.map(show_bytes),
            memory: policy.caps.memory_bytes.map(show_bytes),
        },
    };
    // Only paths that are not UTF-8 cannot be written, and those came from no file.
    toml::to_string(&file).unwrap_or_default()
}

fn patterns(key: &str, words: &[String]) -> Result<Vec<Pattern>, String> {
    if words.iter().any(String::is_empty) {
        return Err(format!("{key} has an empty name"));
    }
    Ok(words.iter().map(Pattern::new).collect())
}

/// Paths without symbolic links, as they are now. One that does not exist stays as it is written and matches nothing yet.
fn real_paths(key: &str, paths: &[PathBuf]) -> Result<Vec<PathBuf>, String> {
    let real = |path: &PathBuf| {
        if !path.is_absolute() {
            return Err(format!("{key}: {} does not begin with /", path.display()));
        }
        Ok(path.canonicalize().unwrap_or_else(|_| path.clone()))
    };
    paths.iter().map(real).collect()
}

fn owner_ids(names: &[String]) -> Result<Vec<(String, u32)>, String> {
    let id = |name: &String| match User::from_name(name) {
        Ok(Some(user)) => Ok((name.clone(), user.uid.as_raw())),
        Ok(None) => Err(format!("exec.owners: there is no user {name:?}")),
        Err(error) => Err(format!("exec.owners: cannot look up {name:?}: {error}")),
    };
    names.iter().map(id).collect()
}

fn caps(section: &CapsSection) -> Result<Caps, String> {
    let runtime = |text: &String| {
        let span: Option<jiff::SignedDuration> = text.parse().ok();
        span.and_then(|span| Duration::try_from(span).ok())
            .filter(|span| !span.is_zero())
            .ok_or_else(|| format!("caps.runtime is {text:?}: write 90s, 15m, 24h"))
    };
    let bytes = |key: &str, text: &Option<String>| match text {
        None => Ok(None),
        Some(text) => parse_bytes(text)
            .map(Some)
            .ok_or_else(|| format!("{key} is {text:?}: write 512KiB, 64MiB, 1GiB")),
    };
    Ok(Caps {
        processes: section.processes,
        runtime: section.runtime.as_ref().map(runtime).transpose()?,
        output_bytes: bytes("caps.output", &section.output)?,
        memory_bytes: bytes("caps.memory", &section.memory)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<InForce, PolicyError> {
        parse(text, Path::new("/p"))
    }

    #[test]
    fn an_almost_empty_file_is_the_built_in_policy() {
        assert_eq!(read("version = 1").unwrap().policy, Policy::built_in());
    }

    #[test]
    fn the_sample_is_the_built_in_policy_written_out() {
        let sample = include_str!("../../../../packaging/agent-policy.toml");
        assert_eq!(read(sample).unwrap().policy, Policy::built_in());
        let with_comments_taken_in = sample
            .replace("# roots", "roots")
            .replace("# allow", "allow");
        let with_comments_taken_in = with_comments_taken_in
            .replace("# processes", "processes")
            .replace("# runtime", "runtime")
            .replace("# output", "output")
            .replace("# memory", "memory");
        let policy = read(&with_comments_taken_in).unwrap().policy;
        assert_eq!(policy.caps.processes, Some(200));
        assert!(policy.directory_roots.is_some() && policy.environment_allow.is_some());
    }

    #[test]
    fn a_full_file_says_all_of_it_and_survives_being_written() {
        let text = r#"
            version = 1
            [run_as]
            allow = ["app", "svc-*"]
            deny = ["svc-old"]
            min_uid = 500
            deny_root = false
            deny_groups = ["sudo"]
            [exec]
            mode = "dirs"
            dirs = ["/no/such/bin"]
            exact = ["/no/such/tool"]
            shells = false
            scripts = false
            privileges = true
            owners = ["root"]
            [directory]
            roots = ["/no/such/place"]
            [environment]
            allow = ["APP_*"]
            [caps]
            processes = 32
            runtime = "24h"
            output = "64MiB"
            memory = "4GiB"
        "#;
        let read_once = read(text).unwrap();
        let policy = &read_once.policy;
        assert_eq!(policy.exec.mode, ExecMode::Dirs);
        assert_eq!(policy.caps.runtime, Some(Duration::from_secs(86_400)));
        assert_eq!(policy.caps.output_bytes, Some(64 << 20));
        assert_eq!(policy.caps.memory_bytes, Some(4 << 30));
        assert!(!policy.run_as.is_root_denied && !policy.exec.are_shells_allowed);
        assert_eq!(&read(&read_once.render()).unwrap().policy, policy);
    }

    #[test]
    fn what_is_not_understood_is_refused_as_a_whole() {
        for text in [
            "",
            "version = 2",
            "version = 1\nrun_ass = {}",
            "version = 1\n[run_as]\nallow = [\"\"]",
            "version = 1\n[run_as]\nalow = [\"app\"]",
            "version = 1\n[exec]\nmode = \"some\"",
            "version = 1\n[exec]\ndirs = [\"bin\"]",
            "version = 1\n[exec]\nowners = [\"no-such-user-here\"]",
            "version = 1\n[caps]\nruntime = \"soon\"",
            "version = 1\n[caps]\nruntime = \"0s\"",
            "version = 1\n[caps]\noutput = \"64MB\"",
            "version = 1\n[caps]\nprocesses = -1",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                matches!(error, PolicyError::Refused { .. }),
                "{text}: {error}"
            );
        }
    }

    #[test]
    fn paths_lose_their_links_when_the_file_is_read() {
        let dir = tempfile::tempdir().unwrap();
        let place = dir.path().canonicalize().unwrap();
        std::fs::create_dir(place.join("real")).unwrap();
        std::os::unix::fs::symlink(place.join("real"), place.join("link")).unwrap();
        let text = format!("version = 1\n[exec]\ndirs = [{:?}]", place.join("link"));
        assert_eq!(read(&text).unwrap().policy.exec.dirs, [place.join("real")]);
    }
}
