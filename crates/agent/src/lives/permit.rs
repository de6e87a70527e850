//! Asking the machine's policy before anything is prepared.

use std::ffi::{OsStr, OsString};
use std::sync::Arc;

use cronfleet_core::job::{Command, Launch};
use cronfleet_core::policy::{Decision, Directory, Program, decide};
use cronfleet_core::run::Reason;
use cronfleet_core::secret::Given;
use tokio::task::spawn_blocking;

use super::evidence::NotStarted;
use crate::host::{LifeSpec, OutputPolicy};
use crate::policy::{Asked, KnownUser, PolicyKeeper, gather};

/// Asks whether a launch may be, and takes into its spec what the policy bounds: the program, the directory, the output.
///
/// # Errors
/// [`Reason::PolicyDenied`]; the detail names the rule. [`Reason::CommandMissing`] where a bounded program does not exist.
pub(super) async fn permit(
    keeper: &PolicyKeeper,
    launch: &Launch,
    known: &KnownUser,
    spec: &mut LifeSpec,
) -> Result<(), NotStarted> {
    let in_force = keeper.in_force();
    let policy = &in_force.policy;
    let asked = asked(launch, known, spec);
    let program = asked.program.clone();
    let (request, checked) = if policy.looks_at_programs() || policy.directory_roots.is_some() {
        let in_force = Arc::clone(&in_force);
        let looked = spawn_blocking(move || gather(&in_force, asked)).await;
        looked.map_err(|error| NotStarted {
            reason: Reason::SpawnFailed,
            detail: error.to_string(),
        })?
    } else {
        gather(&in_force, asked)
    };
    if let Decision::Denied(denial) = decide(policy, &request) {
        tracing::warn!(
            policy.rule = denial.rule.key(),
            detail = denial.detail,
            "the policy of this machine forbids a start"
        );
        keeper.refused(&denial.detail);
        return Err(NotStarted {
            reason: Reason::PolicyDenied,
            detail: denial.detail,
        });
    }
    if request.program == Program::Missing && policy.bounds_programs() {
        return Err(NotStarted {
            reason: Reason::CommandMissing,
            detail: format!("there is no program {}", program.display()),
        });
    }
    spec.program = checked;
    if let Directory::Real(real) = request.directory {
        spec.directory = real;
    }
    if let (OutputPolicy::Store { cap_bytes, .. }, Some(most)) =
        (&mut spec.output, policy.caps.output_bytes)
    {
        *cap_bytes = most.min(*cap_bytes);
    }
    let memory = &mut spec.group_limits.memory_max_bytes;
    *memory = memory.iter().copied().chain(policy.caps.memory_bytes).min();
    Ok(())
}

fn asked(launch: &Launch, known: &KnownUser, spec: &LifeSpec) -> Asked {
    let (words, is_script) = match &launch.command {
        Command::Argv(argv) => (argv, false),
        Command::Script { interpreter, .. } => (interpreter, true),
    };
    let path = spec
        .environment
        .iter()
        .find(|(name, _)| name == OsStr::new("PATH"));
    Asked {
        user: known.as_policy_user(),
        program: words.first().map(OsString::from).unwrap_or_default(),
        is_script,
        directory: spec.directory.clone(),
        environment: variables(launch),
        path: path.map(|(_, value)| value.clone()).unwrap_or_default(),
        gains_privileges: !spec.no_new_privs,
    }
}

/// Names of the variables that the job sets, those of secrets among them.
fn variables(launch: &Launch) -> Vec<String> {
    let secrets = launch.secrets.iter();
    let of_secrets = secrets.filter_map(|secret| match &secret.given {
        Given::Environment(name) => Some(name),
        Given::File(_) => None,
    });
    launch
        .environment
        .keys()
        .chain(of_secrets)
        .cloned()
        .collect()
}
