//! Stored form of a job's definition: JSON with its own types, so that renaming a field of the domain cannot change what is
//! stored. Fields may be added with a default; none may change its meaning. A reader ignores fields that it does not know.

mod calendar;
mod catch_up;
mod daemon;
mod dst;
mod overlap;

use std::collections::BTreeMap;
use std::time::Duration;

use cronfleet_core::backoff::Backoff;
use cronfleet_core::calendar::CalendarChoice;
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::AgentId;
use cronfleet_core::job::{
    Command, JobKind, JobSpec, Launch, OutputPolicy, Overlap, ScheduledSpec, StopPolicy,
    StopSignal, Target, WhenFull,
};
use cronfleet_core::limits::Stragglers;
use cronfleet_core::retry::{Failure, RetryPolicy};
use cronfleet_core::schedule::ActiveSpan;
use cronfleet_core::secret::{Given, SecretUse};
use cronfleet_core::spread::{Pick, Spread};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use self::calendar::StoredCalendar;
use self::catch_up::StoredCatchUp;
use self::daemon::StoredDaemon;
use self::dst::StoredDst;
use self::overlap::StoredOverlap;
use crate::error::StoreError;
use crate::spec_limits::{StoredLimits, is_default};

#[derive(Serialize, Deserialize)]
struct StoredSpec {
    name: String,
    description: String,
    kind: StoredKind,
    command: StoredCommand,
    run_as: String,
    directory: Option<String>,
    environment: BTreeMap<String, String>,
    umask: u32,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<StoredSecret>,
    is_output_stored: bool,
    output_cap_bytes: u64,
    /// Absent: output is dropped when there is no room for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    output_block_max_us: Option<u64>,
    stop_signal: String,
    stop_grace_us: u64,
    #[serde(default, skip_serializing_if = "is_default")]
    is_leaving_stragglers: bool,
    #[serde(default, skip_serializing_if = "is_default")]
    limits: StoredLimits,
    /// Absent: every agent of the group.
    target_agents: Option<Vec<Uuid>>,
    processes: u32,
}

#[derive(Serialize, Deserialize)]
struct StoredSecret {
    name: String,
    given: StoredGiven,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredGiven {
    Environment(String),
    File(String),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredKind {
    Scheduled(Box<StoredScheduled>),
    Daemon(Box<StoredDaemon>),
}

#[derive(Serialize, Deserialize)]
struct StoredScheduled {
    expression: String,
    time_zone: String,
    #[serde(default, skip_serializing_if = "is_default")]
    dst: StoredDst,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_from_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    active_until_us: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    calendar: Option<StoredCalendar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    some_agents: Option<StoredSome>,
    is_overlap_allowed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    overlap: Option<StoredOverlap>,
    #[serde(default, skip_serializing_if = "is_default")]
    jitter_us: u64,
    start_deadline_us: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    catch_up: Option<StoredCatchUp>,
    timeout_us: Option<u64>,
    attempts_max: u32,
    backoff: StoredBackoff,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    retry_failures: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredSome {
    count: u32,
    pick: String,
}

impl StoredSome {
    fn of(spread: Spread) -> Option<Self> {
        match spread {
            Spread::Each => None,
            Spread::Some { count, pick } => Some(Self {
                count,
                pick: pick.word().to_owned(),
            }),
        }
    }

    fn read(stored: Option<Self>) -> Result<Spread, StoreError> {
        let Some(Self { count, pick }) = stored else {
            return Ok(Spread::Each);
        };
        let pick = Pick::from_word(&pick).ok_or_else(|| StoreError::corrupt("pick", &pick))?;
        Ok(Spread::Some { count, pick })
    }
}

#[derive(Serialize, Deserialize)]
struct StoredBackoff {
    initial_us: u64,
    max_us: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum StoredCommand {
    Argv(Vec<String>),
    Script {
        interpreter: Vec<String>,
        text: String,
    },
}

/// The text to store.
pub(crate) fn to_json(spec: &JobSpec) -> Result<String, StoreError> {
    serde_json::to_string(&StoredSpec::from(spec))
        .map_err(|error| StoreError::corrupt("definition", error))
}

/// Reads [`to_json`].
pub(crate) fn from_json(text: &str) -> Result<JobSpec, StoreError> {
    let stored: StoredSpec =
        serde_json::from_str(text).map_err(|error| StoreError::corrupt("definition", error))?;
    JobSpec::try_from(stored)
}

impl From<&JobSpec> for StoredSpec {
    fn from(spec: &JobSpec) -> Self {
        let launch = &spec.launch;
        Self {
            name: spec.name.clone(),
            description: spec.description.clone(),
            kind: (&spec.kind).into(),
            command: match &launch.command {
                Command::Argv(argv) => StoredCommand::Argv(argv.clone()),
                Command::Script { interpreter, text } => StoredCommand::Script {
                    interpreter: interpreter.clone(),
                    text: text.clone(),
                },
            },
            run_as: launch.run_as.clone(),
            directory: launch.directory.clone(),
            environment: launch.environment.clone(),
            umask: launch.umask,
            secrets: launch.secrets.iter().map(StoredSecret::from).collect(),
            is_output_stored: launch.output.is_stored,
            output_cap_bytes: launch.output.cap_bytes,
            output_block_max_us: match launch.output.when_full {
                WhenFull::Drop => None,
                WhenFull::Block { wait_max } => Some(micros(wait_max)),
            },
            stop_signal: launch.stop.signal.word().to_owned(),
            stop_grace_us: micros(launch.stop.grace),
            is_leaving_stragglers: launch.stragglers == Stragglers::Leave,
            limits: (&launch.limits).into(),
            target_agents: match &spec.target {
                Target::All => None,
                Target::Agents(agents) => {
                    Some(agents.iter().map(|agent| agent.as_uuid()).collect())
                }
            },
            processes: spec.processes,
        }
    }
}

impl From<&SecretUse> for StoredSecret {
    fn from(secret: &SecretUse) -> Self {
        Self {
            name: secret.name.clone(),
            given: match &secret.given {
                Given::Environment(name) => StoredGiven::Environment(name.clone()),
                Given::File(name) => StoredGiven::File(name.clone()),
            },
        }
    }
}

impl From<StoredSecret> for SecretUse {
    fn from(stored: StoredSecret) -> Self {
        Self {
            name: stored.name,
            given: match stored.given {
                StoredGiven::Environment(name) => Given::Environment(name),
                StoredGiven::File(name) => Given::File(name),
            },
        }
    }
}

impl From<&JobKind> for StoredKind {
    fn from(kind: &JobKind) -> Self {
        match kind {
            JobKind::Scheduled(scheduled) => Self::Scheduled(Box::new(StoredScheduled {
                expression: scheduled.expression.clone(),
                time_zone: scheduled.time_zone.clone(),
                dst: scheduled.dst.into(),
                active_from_us: scheduled.active.from.map(Timestamp::as_microsecond),
                active_until_us: scheduled.active.until.map(Timestamp::as_microsecond),
                calendar: scheduled.calendar.as_ref().map(StoredCalendar::from),
                some_agents: StoredSome::of(scheduled.spread),
                is_overlap_allowed: scheduled.overlap == Overlap::Allow,
                overlap: StoredOverlap::of(scheduled.overlap),
                jitter_us: micros(scheduled.jitter),
                start_deadline_us: micros(scheduled.start_deadline),
                catch_up: StoredCatchUp::of(scheduled.catch_up),
                timeout_us: scheduled.timeout.map(micros),
                attempts_max: scheduled.retry.attempts_max,
                backoff: scheduled.retry.backoff.into(),
                retry_failures: scheduled
                    .retry
                    .failures
                    .iter()
                    .map(Failure::to_string)
                    .collect(),
            })),
            JobKind::Daemon(daemon) => Self::Daemon(Box::new((&**daemon).into())),
        }
    }
}

impl TryFrom<StoredSpec> for JobSpec {
    type Error = StoreError;

    fn try_from(stored: StoredSpec) -> Result<Self, StoreError> {
        let signal = StopSignal::from_word(&stored.stop_signal)
            .ok_or_else(|| StoreError::corrupt("stop signal", &stored.stop_signal))?;
        Ok(Self {
            name: stored.name,
            description: stored.description,
            kind: stored.kind.try_into()?,
            launch: Launch {
                command: match stored.command {
                    StoredCommand::Argv(argv) => Command::Argv(argv),
                    StoredCommand::Script { interpreter, text } => {
                        Command::Script { interpreter, text }
                    }
                },
                run_as: stored.run_as,
                directory: stored.directory,
                environment: stored.environment,
                umask: stored.umask,
                secrets: stored.secrets.into_iter().map(SecretUse::from).collect(),
                output: OutputPolicy {
                    is_stored: stored.is_output_stored,
                    cap_bytes: stored.output_cap_bytes,
                    when_full: match stored.output_block_max_us {
                        None => WhenFull::Drop,
                        Some(us) => WhenFull::Block {
                            wait_max: Duration::from_micros(us),
                        },
                    },
                },
                stop: StopPolicy {
                    signal,
                    grace: Duration::from_micros(stored.stop_grace_us),
                },
                stragglers: if stored.is_leaving_stragglers {
                    Stragglers::Leave
                } else {
                    Stragglers::Kill
                },
                limits: stored.limits.try_into()?,
            },
            target: match stored.target_agents {
                None => Target::All,
                Some(agents) => {
                    Target::Agents(agents.into_iter().map(AgentId::from_uuid).collect())
                }
            },
            processes: stored.processes,
        })
    }
}

impl TryFrom<StoredKind> for JobKind {
    type Error = StoreError;

    fn try_from(stored: StoredKind) -> Result<Self, StoreError> {
        Ok(match stored {
            StoredKind::Scheduled(stored) => {
                let StoredScheduled {
                    expression,
                    time_zone,
                    dst,
                    active_from_us,
                    active_until_us,
                    calendar,
                    some_agents,
                    is_overlap_allowed,
                    overlap,
                    jitter_us,
                    start_deadline_us,
                    catch_up,
                    timeout_us,
                    attempts_max,
                    backoff,
                    retry_failures,
                } = *stored;
                Self::Scheduled(Box::new(ScheduledSpec {
                    expression,
                    time_zone,
                    dst: dst.into(),
                    active: ActiveSpan {
                        from: instant(active_from_us)?,
                        until: instant(active_until_us)?,
                    },
                    calendar: calendar.map(CalendarChoice::try_from).transpose()?,
                    spread: StoredSome::read(some_agents)?,
                    overlap: StoredOverlap::read(overlap, is_overlap_allowed),
                    jitter: Duration::from_micros(jitter_us),
                    start_deadline: Duration::from_micros(start_deadline_us),
                    catch_up: catch_up.map_or(CatchUp::None, CatchUp::from),
                    timeout: timeout_us.map(Duration::from_micros),
                    retry: RetryPolicy {
                        attempts_max,
                        backoff: backoff.into(),
                        failures: failures(&retry_failures)?,
                    },
                }))
            }
            StoredKind::Daemon(daemon) => Self::Daemon(Box::new((*daemon).into())),
        })
    }
}

fn failures(words: &[String]) -> Result<Vec<Failure>, StoreError> {
    let read = |word: &String| {
        word.parse()
            .map_err(|_| StoreError::corrupt("failure to retry on", word))
    };
    words.iter().map(read).collect()
}

impl From<Backoff> for StoredBackoff {
    fn from(backoff: Backoff) -> Self {
        Self {
            initial_us: micros(backoff.initial),
            max_us: micros(backoff.max),
        }
    }
}

impl From<StoredBackoff> for Backoff {
    fn from(stored: StoredBackoff) -> Self {
        Self {
            initial: Duration::from_micros(stored.initial_us),
            max: Duration::from_micros(stored.max_us),
        }
    }
}

fn instant(us: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    us.map(|us| {
        Timestamp::from_microsecond(us).map_err(|error| StoreError::corrupt("instant", error))
    })
    .transpose()
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use cronfleet_core::calendar::{CalendarMode, OwnCalendar, presets};
    use cronfleet_core::id::CalendarId;
    use cronfleet_core::limits::{IoClass, IoPriority, ProcessLimits};
    use cronfleet_core::schedule::{DstPolicy, GapPolicy, OverlapPolicy};

    use super::*;

    fn scheduled() -> JobSpec {
        JobSpec {
            name: "backup".into(),
            description: "every night".into(),
            kind: JobKind::Scheduled(Box::new(ScheduledSpec {
                expression: "0 2 * * *".into(),
                time_zone: "Asia/Shanghai".into(),
                dst: DstPolicy::default(),
                active: ActiveSpan::default(),
                calendar: None,
                overlap: Overlap::Allow,
                spread: Spread::Each,
                jitter: Duration::ZERO,
                start_deadline: Duration::from_secs(60),
                catch_up: CatchUp::None,
                timeout: Some(Duration::from_millis(1_500)),
                retry: RetryPolicy {
                    attempts_max: 3,
                    backoff: Backoff {
                        initial: Duration::from_secs(1),
                        max: Duration::from_secs(9),
                    },
                    failures: Vec::new(),
                },
            })),
            launch: Launch {
                command: Command::Argv(vec!["/bin/true".into(), "a b".into()]),
                run_as: "app".into(),
                directory: Some("/srv".into()),
                environment: BTreeMap::from([("A".into(), "1".into())]),
                umask: 0o027,
                secrets: Vec::new(),
                output: OutputPolicy {
                    is_stored: true,
                    cap_bytes: 1 << 20,
                    when_full: WhenFull::Drop,
                },
                stop: StopPolicy {
                    signal: StopSignal::Int,
                    grace: Duration::from_secs(10),
                },
                stragglers: Stragglers::Kill,
                limits: ProcessLimits::NONE,
            },
            target: Target::Agents(vec![AgentId::from_u128(7)]),
            processes: 2,
        }
    }

    #[test]
    fn definitions_read_back_what_was_stored() {
        let mut daemon = scheduled();
        daemon.kind = JobKind::Daemon(Box::new(daemon::tests::everything()));
        daemon.launch.command = Command::Script {
            interpreter: vec!["/bin/sh".into()],
            text: "echo ü\n".into(),
        };
        daemon.launch.directory = None;
        daemon.launch.secrets = vec![
            SecretUse {
                name: "db".into(),
                given: Given::Environment("DB".into()),
            },
            SecretUse {
                name: "db".into(),
                given: Given::File("db.key".into()),
            },
        ];
        daemon.launch.output.when_full = WhenFull::Block {
            wait_max: Duration::from_secs(5),
        };
        daemon.target = Target::All;
        let mut limited = scheduled();
        limited.launch.stragglers = Stragglers::Leave;
        limited.launch.limits = ProcessLimits {
            memory_max_bytes: Some(64 << 20),
            cpu_max_millicores: Some(500),
            pids_max: Some(10),
            open_files_max: Some(100),
            core_size_max_bytes: Some(0),
            nice: Some(-5),
            io_priority: Some(IoPriority {
                class: IoClass::Idle,
                level: 0,
            }),
            oom_score_adj: Some(500),
            may_gain_privileges: true,
        };
        let caught_up = |catch_up| {
            let mut spec = scheduled();
            if let JobKind::Scheduled(scheduled) = &mut spec.kind {
                scheduled.catch_up = catch_up;
            }
            spec
        };
        let latest = caught_up(CatchUp::Latest);
        let all = caught_up(CatchUp::All {
            max: 7,
            window: Duration::from_secs(3_600),
        });
        let mut others = vec![];
        for gap in [GapPolicy::Run, GapPolicy::Skip] {
            for overlap in [OverlapPolicy::First, OverlapPolicy::Both] {
                let mut spec = scheduled();
                if let JobKind::Scheduled(scheduled) = &mut spec.kind {
                    scheduled.dst = DstPolicy {
                        gap: Some(gap),
                        overlap: Some(overlap),
                    };
                    scheduled.active = ActiveSpan {
                        from: Some(Timestamp::UNIX_EPOCH),
                        until: Some(Timestamp::UNIX_EPOCH + Duration::from_micros(1)),
                    };
                }
                others.push(spec);
            }
        }
        for mode in [
            CalendarMode::Include,
            CalendarMode::Exclude,
            CalendarMode::ShiftNext,
            CalendarMode::ShiftPrevious,
        ] {
            for calendar in presets() {
                let mut spec = scheduled();
                if let JobKind::Scheduled(scheduled) = &mut spec.kind {
                    scheduled.calendar = Some(CalendarChoice::named(&calendar.name, mode));
                }
                others.push(spec);
            }
        }
        let own = OwnCalendar {
            id: CalendarId::from_u128(7),
            version: 3,
        };
        let mut kept = scheduled();
        if let JobKind::Scheduled(scheduled) = &mut kept.kind {
            let choice = CalendarChoice::named("ours", CalendarMode::Include);
            scheduled.calendar = Some(CalendarChoice {
                own: Some(own),
                ..choice
            });
        }
        let read = from_json(&to_json(&kept).unwrap()).unwrap();
        let JobKind::Scheduled(read) = read.kind else {
            panic!("a daemon");
        };
        assert_eq!(read.calendar.unwrap().own, Some(own));
        let mut choosy = scheduled();
        if let JobKind::Scheduled(scheduled) = &mut choosy.kind {
            let words = ["75", "64-78", "signal", "timeout", "not_started"];
            scheduled.retry.failures = words.map(|word| word.parse().unwrap()).to_vec();
        }
        others.extend([scheduled(), daemon, limited, latest, all, choosy]);
        for spec in others {
            let stored = to_json(&spec).unwrap();
            assert_eq!(from_json(&stored).unwrap(), spec, "{stored}");
        }
    }

    #[test]
    fn what_is_stored_today_must_be_readable_for_ever() {
        let stored = r#"{"name":"backup","description":"every night","kind":{"scheduled":{"expression":"0 2 * * *",
            "time_zone":"Asia/Shanghai","is_overlap_allowed":true,"start_deadline_us":60000000,"timeout_us":1500000,
            "attempts_max":3,"backoff":{"initial_us":1000000,"max_us":9000000}}},"command":{"argv":["/bin/true","a b"]},
            "run_as":"app","directory":"/srv","environment":{"A":"1"},"umask":23,"is_output_stored":true,
            "output_cap_bytes":1048576,"stop_signal":"INT","stop_grace_us":10000000,
            "target_agents":["00000000-0000-0000-0000-000000000007"],"processes":2}"#;
        assert_eq!(from_json(stored).unwrap(), scheduled());
    }
}
