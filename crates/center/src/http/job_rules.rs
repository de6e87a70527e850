//! The rules for definitions of jobs that need more than the definition: the group's users and agents, the clock.

use cronfleet_api::calendar::unknown;
use cronfleet_api::convert;
use cronfleet_api::job as shape;
use cronfleet_core::id::JobId;
use cronfleet_core::job::{JobKind, JobSpec, ScheduledSpec, Target, too_dense_to_shift};
use cronfleet_core::schedule::{ActiveSpan, Kind, Schedule};
use cronfleet_core::spread::check_reboot;
use cronfleet_store::{GroupRow, Timing};
use jiff::Timestamp;

use super::error::ApiError;

/// Path of the definition in requests.
const SPEC: &str = "spec.";

/// Reads a definition that a request asks for. Which calendar it means is to be looked up before it is checked.
///
/// # Errors
/// The first rule that is broken, with its field.
pub(super) fn read(spec: shape::JobSpec, default_time_zone: &str) -> Result<JobSpec, ApiError> {
    convert::job_spec(spec, default_time_zone).map_err(|error| ApiError::spec(SPEC, error))
}

/// Checks what a definition needs of its group and of the clock, and answers what its schedule says. `before` is the definition in
/// force of a job that is saved again: a schedule that it had already may have run out.
///
/// # Errors
/// The first rule that is broken, with its field.
pub(super) fn check(
    spec: &JobSpec,
    job: JobId,
    group: &GroupRow,
    before: Option<&JobSpec>,
    now: Timestamp,
) -> Result<Timing, ApiError> {
    let timing = match &spec.kind {
        JobKind::Daemon(_) => Timing::default(),
        JobKind::Scheduled(scheduled) => {
            if let Some(choice) = &scheduled.calendar
                && choice.days.is_none()
            {
                return Err(ApiError::spec(SPEC, unknown(&choice.name)));
            }
            let schedule = parse(job, scheduled)?;
            let choice = scheduled.calendar.as_ref();
            let is_shifting = choice.is_some_and(|choice| choice.mode.is_shifting());
            if is_shifting && schedule.is_too_dense_to_shift() {
                return Err(ApiError::spec(
                    SPEC,
                    too_dense_to_shift("scheduled.calendar.mode"),
                ));
            }
            if scheduled.calendar.is_some() && schedule.kind() == Kind::Reboot {
                return Err(ApiError::invalid(
                    "spec.scheduled.calendar",
                    "job.calendar_reboot",
                    "a boot of a host happens when it happens, on any day",
                    "leave the calendar out",
                ));
            }
            if schedule.kind() == Kind::Reboot {
                check_reboot(scheduled.spread).map_err(|error| ApiError::spec(SPEC, error))?;
            }
            if !scheduled.jitter.is_zero() && schedule.kind() == Kind::Reboot {
                return Err(ApiError::invalid(
                    "spec.scheduled.jitter_ms",
                    "job.jitter_reboot",
                    "a boot of a host is no due instant from which a run could wait",
                    "leave the jitter out",
                ));
            }
            let timing = timing(&schedule, now);
            let is_old = before.is_some_and(|before| has_same_schedule(before, scheduled));
            let is_over = scheduled.active.until.is_some_and(|until| until <= now);
            let is_never = is_over || timing.next_due.is_none() && !timing.is_reboot;
            if is_never && !is_old {
                return Err(never(schedule, now));
            }
            timing
        }
    };
    check_user(&spec.launch.run_as, group)?;
    check_target(&spec.target, group)?;
    Ok(timing)
}

/// What the schedule of a definition in force says from `now` on.
///
/// # Errors
/// [`ApiError::Invalid`] if this version no longer reads what an earlier one accepted.
pub(super) fn timing_of(job: JobId, spec: &JobSpec, now: Timestamp) -> Result<Timing, ApiError> {
    match &spec.kind {
        JobKind::Daemon(_) => Ok(Timing::default()),
        JobKind::Scheduled(scheduled) => Ok(timing(&parse(job, scheduled)?, now)),
    }
}

/// Reads the schedule of a job.
pub(super) fn parse(job: JobId, scheduled: &ScheduledSpec) -> Result<Schedule, ApiError> {
    scheduled.schedule(job).map_err(|error| {
        ApiError::schedule(
            "spec.scheduled.expression",
            "spec.scheduled.time_zone",
            error,
        )
    })
}

fn timing(schedule: &Schedule, now: Timestamp) -> Timing {
    Timing {
        next_due: schedule.next_after(now),
        is_reboot: schedule.kind() == Kind::Reboot,
    }
}

fn has_same_schedule(before: &JobSpec, scheduled: &ScheduledSpec) -> bool {
    matches!(&before.kind, JobKind::Scheduled(old) if old.is_due_like(scheduled))
}

/// Why a schedule is not due any more.
fn never(schedule: Schedule, now: Timestamp) -> ApiError {
    let kind = schedule.kind();
    let everyday = schedule.clone().with_calendar(None);
    if everyday.next_after(now).is_some() {
        return ApiError::invalid(
            "spec.scheduled.calendar",
            "schedule.never",
            "the calendar leaves out all that would be due",
            "choose another mode, or other days",
        );
    }
    let unbounded = everyday.within(ActiveSpan::default());
    if kind == Kind::Reboot || unbounded.next_after(now).is_some() {
        return ApiError::invalid(
            "spec.scheduled.active_until",
            "schedule.never",
            "nothing is due any more before the job ends",
            "choose a later end, or leave it out",
        );
    }
    let (code, message, hint) = match kind {
        Kind::At => (
            "schedule.past",
            "the instant is in the past",
            "choose an instant in the future, or use run now",
        ),
        Kind::Cron | Kind::Every | Kind::Reboot => (
            "schedule.never",
            "no due instant is left",
            "choose a year that is still to come",
        ),
    };
    ApiError::invalid("spec.scheduled.expression", code, message, hint)
}

fn check_user(run_as: &str, group: &GroupRow) -> Result<(), ApiError> {
    if group.run_as.iter().any(|user| user == run_as) {
        return Ok(());
    }
    let hint = if group.run_as.is_empty() {
        "no user is listed in the group yet; an administrator can list some".to_owned()
    } else {
        let users: Vec<&str> = group.run_as.iter().take(10).map(String::as_str).collect();
        format!("use one of {}", users.join(", "))
    };
    let message = format!("jobs of group {:?} may not run as {run_as:?}", group.name);
    Err(ApiError::invalid(
        "spec.run_as",
        "job.run_as_refused",
        message,
        hint,
    ))
}

fn check_target(target: &Target, group: &GroupRow) -> Result<(), ApiError> {
    let Target::Agents(agents) = target else {
        return Ok(());
    };
    let Some(stranger) = agents.iter().find(|agent| !group.agents.contains(agent)) else {
        return Ok(());
    };
    let message = format!("agent {stranger} does not serve group {:?}", group.name);
    let hint = "choose among the agents of the group";
    Err(ApiError::invalid(
        "spec.target.agent_ids",
        "job.agent_not_in_group",
        message,
        hint,
    ))
}

#[cfg(test)]
mod tests {
    use cronfleet_core::id::{AgentId, GroupId};
    use serde_json::{Value, json};

    use super::*;

    fn now() -> Timestamp {
        "2026-11-22T12:00:00Z".parse().unwrap()
    }

    fn group() -> GroupRow {
        GroupRow {
            id: GroupId::from_u128(1),
            name: "web".into(),
            description: String::new(),
            created_at: now(),
            run_as: vec!["app".into(), "www-data".into()],
            agents: vec![AgentId::from_u128(7)],
            members: vec![],
            job_count: 0,
        }
    }

    fn spec(expression: &str, run_as: &str, agents: &[u128]) -> shape::JobSpec {
        let agents: Vec<Value> = agents
            .iter()
            .map(|id| json!(uuid::Uuid::from_u128(*id)))
            .collect();
        serde_json::from_value(json!({
            "name": "backup",
            "scheduled": { "expression": expression },
            "command": { "argv": ["/bin/true"] },
            "run_as": run_as,
            "target": { "all": agents.is_empty(), "agent_ids": agents },
        }))
        .unwrap()
    }

    fn refusal(spec: shape::JobSpec, before: Option<&JobSpec>) -> Option<(String, String)> {
        let checked = read(spec, "UTC")
            .and_then(|spec| check(&spec, JobId::from_u128(3), &group(), before, now()));
        match checked {
            Ok(_) => None,
            Err(ApiError::Invalid {
                field, code, hint, ..
            }) => {
                assert!(!hint.is_empty());
                Some((field, code))
            }
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn definitions_are_checked_against_the_group_and_the_clock() {
        assert_eq!(refusal(spec("@daily", "app", &[7]), None), None);
        assert_eq!(refusal(spec("@reboot", "app", &[]), None), None);
        let cases = [
            (
                spec("@daily", "root", &[]),
                "spec.run_as",
                "job.run_as_refused",
            ),
            (
                spec("@daily", "app", &[7, 8]),
                "spec.target.agent_ids",
                "job.agent_not_in_group",
            ),
            (
                spec("@at 2026-11-22T11:59:59Z", "app", &[]),
                "spec.scheduled.expression",
                "schedule.past",
            ),
            (
                spec("0 0 0 1 1 * 2020", "app", &[]),
                "spec.scheduled.expression",
                "schedule.never",
            ),
            (
                spec("60 * * * *", "app", &[]),
                "spec.scheduled.expression",
                "schedule.out_of_range",
            ),
        ];
        for (spec, field, code) in cases {
            assert_eq!(refusal(spec, None), Some((field.into(), code.into())));
        }
    }

    #[test]
    fn a_span_in_which_nothing_is_due_any_more_is_refused() {
        let until = |expression: &str, until: &str| {
            let mut spec = spec(expression, "app", &[]);
            if let Some(scheduled) = &mut spec.scheduled {
                scheduled.active_until = Some(until.parse().unwrap());
            }
            refusal(spec, None)
        };
        let refused = |field: &str, code: &str| Some((field.to_owned(), code.to_owned()));
        let never = || refused("spec.scheduled.active_until", "schedule.never");
        assert_eq!(until("@daily", "2026-11-23T00:00:00Z"), never());
        assert_eq!(until("@daily", "2026-11-23T00:00:01Z"), None);
        assert_eq!(until("@reboot", "2026-11-22T12:00:00Z"), never());
        assert_eq!(until("@reboot", "2026-11-22T12:00:01Z"), None);
        assert_eq!(
            until("@at 2026-11-22T11:00:00Z", "2026-11-23T00:00:00Z"),
            refused("spec.scheduled.expression", "schedule.past")
        );
    }

    #[test]
    fn a_schedule_that_has_run_out_may_stay_but_not_come_new() {
        let past = "@at 2026-11-22T11:59:59Z";
        let before = convert::job_spec(spec(past, "app", &[]), "UTC").unwrap();
        assert_eq!(refusal(spec(past, "www-data", &[]), Some(&before)), None);
        assert!(refusal(spec("@at 2026-11-22T11:59:58Z", "app", &[]), Some(&before)).is_some());
    }
}
