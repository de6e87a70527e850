//! Withdrawing runs that are no longer wanted: what is deleted, what ends, what is asked back from its agent.

use std::collections::HashSet;

use cronfleet_core::id::{AgentId, GroupId, RunId};
use cronfleet_core::run::{Cause, Reason, RunEvent, RunState};
use jiff::Timestamp;

use crate::agent::lock_agent;
use crate::error::StoreError;
use crate::offer::asked_before;
use crate::run::RunMoved;
use crate::run_state::{BATCH, RunHead, active_of_agent, end_runs};
use crate::sql::Sql;
use crate::store::Tx;

/// What withdrawing runs did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Withdrawn {
    /// Runs to ask back from their agents.
    pub revoke: Vec<Revocation>,
    /// Runs that ended.
    pub moved: Vec<RunMoved>,
}

impl Withdrawn {
    /// Puts the two together.
    pub(crate) fn add(&mut self, other: Self) {
        self.revoke.extend(other.revoke);
        self.moved.extend(other.moved);
    }
}

/// A run that is to be asked back from its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Revocation {
    /// Agent.
    pub agent: AgentId,
    /// Run.
    pub run: RunId,
    /// Why, for the agent to answer with.
    pub reason: Reason,
}

/// Why runs are withdrawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Withdrawal {
    /// A new version of the job takes over.
    Superseded,
    /// The job is paused.
    Paused,
    /// The job is deleted.
    Deleted,
    /// The agent no longer serves the group.
    AgentRemoved,
    /// The job is snoozed.
    Snoozed,
    /// The runs are due in a window that was made after they were planned.
    Frozen,
}

/// What becomes of one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Goes on.
    Keep,
    /// Its row is deleted: planning begins anew before its due instant, or nothing is due any more.
    Delete,
    /// It ends as skipped.
    End,
    /// Its agent may have it and is asked to give it back.
    Revoke,
}

impl Withdrawal {
    const fn reason(self) -> Reason {
        match self {
            Self::Superseded => Reason::Superseded,
            Self::Paused => Reason::Paused,
            Self::Deleted => Reason::Deleted,
            Self::AgentRemoved => Reason::AgentRemoved,
            Self::Snoozed => Reason::Snoozed,
            Self::Frozen => Reason::Frozen,
        }
    }

    /// Whether what was withdrawn is planned anew, or was never due: then nothing need be kept of what was never sent.
    const fn is_planned_anew(self) -> bool {
        match self {
            Self::Superseded | Self::Paused | Self::Deleted => true,
            Self::AgentRemoved | Self::Snoozed | Self::Frozen => false,
        }
    }

    /// Whether a run of this cause is withdrawn before it starts.
    const fn concerns(self, cause: Cause) -> bool {
        match (self, cause) {
            (Self::Deleted | Self::AgentRemoved, _)
            | (Self::Superseded | Self::Paused | Self::Snoozed | Self::Frozen, Cause::Schedule)
            | (Self::Paused | Self::Snoozed, Cause::Retry) => true,
            (Self::Superseded | Self::Frozen, Cause::Retry)
            | (
                Self::Superseded | Self::Paused | Self::Snoozed | Self::Frozen,
                Cause::Manual | Cause::Reboot,
            ) => false,
        }
    }

    /// Decides about a run at moment `t`.
    fn verdict(
        self,
        cause: Cause,
        state: RunState,
        due: Timestamp,
        not_before: Timestamp,
        t: Timestamp,
    ) -> Verdict {
        let is_scheduled = cause == Cause::Schedule;
        // What was due before the edit stays with its version, also while it waits by the job's jitter.
        let is_left_over = self == Self::Superseded && is_scheduled && due <= t;
        match state {
            RunState::Planned if is_scheduled && due > t && self.is_planned_anew() => {
                Verdict::Delete
            }
            RunState::Planned => match self {
                Self::Deleted | Self::AgentRemoved => Verdict::End,
                Self::Frozen if is_scheduled => Verdict::End,
                Self::Paused | Self::Snoozed if is_scheduled && not_before > t => Verdict::End,
                Self::Paused | Self::Snoozed if cause == Cause::Retry => Verdict::End,
                Self::Superseded | Self::Paused | Self::Snoozed | Self::Frozen => Verdict::Keep,
            },
            RunState::Offered | RunState::Dispatched | RunState::Accepted
                if self.concerns(cause) && !is_left_over && not_before > t =>
            {
                Verdict::Revoke
            }
            RunState::Offered
            | RunState::Dispatched
            | RunState::Accepted
            | RunState::Running
            | RunState::Ended(_) => Verdict::Keep,
        }
    }
}

/// Withdraws from among `heads` what is to be withdrawn at moment `t`.
pub(crate) async fn withdraw(
    tx: &Tx,
    heads: &[RunHead],
    withdrawal: Withdrawal,
    t: Timestamp,
) -> Result<Withdrawn, StoreError> {
    let verdict = |head: &RunHead| {
        let verdict = withdrawal.verdict(head.cause, head.state, head.key.due, head.not_before, t);
        // Another agent may do it.
        let is_for_others = withdrawal == Withdrawal::AgentRemoved && head.offer.is_some();
        match verdict {
            Verdict::End if is_for_others => Verdict::Revoke,
            verdict => verdict,
        }
    };
    let with = |wanted: Verdict| heads.iter().filter(move |head| verdict(head) == wanted);
    let reason = withdrawal.reason();

    let mut delete: Vec<RunId> = with(Verdict::Delete).map(|head| head.id).collect();
    delete.extend(asked_before(tx, with(Verdict::Delete)).await?);
    for batch in delete.chunks(BATCH) {
        Sql::new("DELETE FROM runs WHERE ")
            .one_of("id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    let end: Vec<RunHead> = with(Verdict::End).cloned().collect();
    let moved = end_runs(tx, &end, &RunEvent::Withdraw(reason), t).await?;
    let revoke: Vec<Revocation> = with(Verdict::Revoke)
        .map(|head| Revocation {
            agent: head.key.agent,
            run: head.id,
            reason,
        })
        .collect();
    for batch in revoke.chunks(BATCH) {
        Sql::new("UPDATE runs SET revoke_reason = ? WHERE ")
            .bind(reason)
            .one_of("id", batch.iter().map(|revocation| revocation.run))
            .execute(&**tx)
            .await?;
    }
    Ok(Withdrawn { revoke, moved })
}

/// Withdraws the runs of an agent that belong to groups it no longer serves.
pub(crate) async fn withdraw_from_agent(
    tx: &Tx,
    agent: AgentId,
    groups: &HashSet<GroupId>,
    t: Timestamp,
) -> Result<Withdrawn, StoreError> {
    if groups.is_empty() {
        return Ok(Withdrawn::default());
    }
    // The agent's claims may be about to make new runs of these groups: they wait, or are waited for.
    lock_agent(tx, agent).await?;
    let mut heads = active_of_agent(tx, agent).await?;
    heads.retain(|head| groups.contains(&head.group));
    withdraw(tx, &heads, Withdrawal::AgentRemoved, t).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_edit_withdraws_what_it_should() {
        use Cause::{Manual, Reboot, Retry, Schedule};
        use RunState::{Accepted, Dispatched, Planned, Running};
        use Verdict::{Delete, End, Keep, Revoke};
        let t = Timestamp::from_second(1_000).unwrap();
        let (past, future) = (
            Timestamp::from_second(990).unwrap(),
            Timestamp::from_second(1_010).unwrap(),
        );
        let edits = [
            Withdrawal::Superseded,
            Withdrawal::Paused,
            Withdrawal::Deleted,
            Withdrawal::AgentRemoved,
            Withdrawal::Snoozed,
            Withdrawal::Frozen,
        ];
        // One row per kind of run, one column per edit above.
        let table = [
            (
                (Schedule, Planned, future, future),
                [Delete, Delete, Delete, End, End, End],
            ),
            (
                (Schedule, Planned, past, past),
                [Keep, Keep, End, End, Keep, End],
            ),
            // Due, and waiting by its job's jitter.
            (
                (Schedule, Planned, past, future),
                [Keep, End, End, End, End, End],
            ),
            (
                (Retry, Planned, past, future),
                [Keep, End, End, End, End, Keep],
            ),
            (
                (Manual, Planned, past, past),
                [Keep, Keep, End, End, Keep, Keep],
            ),
            (
                (Reboot, Planned, past, past),
                [Keep, Keep, End, End, Keep, Keep],
            ),
            ((Schedule, Dispatched, future, future), [Revoke; 6]),
            ((Schedule, Accepted, future, future), [Revoke; 6]),
            ((Schedule, Accepted, past, past), [Keep; 6]),
            (
                (Schedule, Accepted, past, future),
                [Keep, Revoke, Revoke, Revoke, Revoke, Revoke],
            ),
            (
                (Retry, Accepted, past, future),
                [Keep, Revoke, Revoke, Revoke, Revoke, Keep],
            ),
            (
                (Manual, Accepted, future, future),
                [Keep, Keep, Revoke, Revoke, Keep, Keep],
            ),
            ((Schedule, Running, future, future), [Keep; 6]),
        ];
        for ((cause, state, due, not_before), expected) in table {
            for (edit, expected) in edits.iter().zip(expected) {
                let found = edit.verdict(cause, state, due, not_before, t);
                assert_eq!(
                    found, expected,
                    "{edit:?} {cause:?} {state:?} {due} {not_before}"
                );
            }
        }
    }
}
