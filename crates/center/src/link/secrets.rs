//! Secrets for an agent that is about to start a process.

use cronfleet_core::id::AgentId;
use cronfleet_store::StoreError;
use cronfleet_wire::{convert, v1};

use super::Parts;
use crate::seal::place;

/// Answers a request: the values of what the job uses, if the agent runs the job.
pub(super) async fn answer(
    parts: &Parts,
    agent: AgentId,
    request: &v1::SecretsWanted,
) -> Result<v1::Secrets, StoreError> {
    let mut answer = v1::Secrets {
        sequence: request.sequence,
        ..v1::Secrets::default()
    };
    let Ok(job) = convert::job_id(&request.job) else {
        answer.is_refused = true;
        return Ok(answer);
    };
    let found = parts
        .store
        .secrets_for(agent, job, request.job_version)
        .await?;
    let Some(secrets) = found else {
        tracing::warn!(agent.id = %agent, job.id = %job, "an agent asked for secrets of a job that it does not run");
        answer.is_refused = true;
        return Ok(answer);
    };
    for used in &secrets.uses {
        if answer.values.iter().any(|value| value.name == used.name) {
            continue;
        }
        let place = place(secrets.group, &used.name);
        let row = secrets.found.iter().find(|row| row.name == used.name);
        let opened = row.map(|row| (row.version, parts.sealer.open_sealed(&place, &row.sealed)));
        match opened {
            Some((version, Ok(value))) => answer.values.push(v1::SecretValue {
                name: used.name.clone(),
                value: value.expose().to_vec().into(),
                version,
            }),
            Some((_, Err(error))) => {
                tracing::error!(job.id = %job, secret.name = used.name, %error, "a secret cannot be opened");
                answer.missing.push(used.name.clone());
            }
            None => answer.missing.push(used.name.clone()),
        }
    }
    Ok(answer)
}
