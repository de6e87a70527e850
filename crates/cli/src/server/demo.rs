//! The sample jobs of `cronfleet up --demo`: each shows one thing that Cronfleet does, with output worth reading.

use std::path::{Path, PathBuf};
use std::time::Duration;

use cronfleet_center::Center;
use cronfleet_core::backoff::Backoff;
use cronfleet_core::catch_up::CatchUp;
use cronfleet_core::id::GroupId;
use cronfleet_core::job::{
    Command, JobKind, JobSpec, Launch, Overlap, START_DEADLINE_DEFAULT, ScheduledSpec, StopPolicy,
    Target,
};
use cronfleet_core::retry::RetryPolicy;
use cronfleet_core::schedule::{ActiveSpan, DstPolicy};

use crate::failure::Failure;

/// Says that the sample jobs were made: whoever deletes one does not get it back.
const MARKER: &str = "demo-jobs-were-made";

/// Makes the sample jobs the first time it is asked to.
pub(super) async fn create_once(
    center: &Center,
    group: GroupId,
    data_dir: &Path,
    user: &str,
) -> Result<(), Failure> {
    let marker = data_dir.join(MARKER);
    if marker.exists() {
        return Ok(());
    }
    let directory = data_dir.join("demo");
    let written = |path: PathBuf| {
        move |source| Failure::File {
            doing: "write",
            path,
            source,
        }
    };
    std::fs::create_dir_all(directory.join("logs")).map_err(written(directory.clone()))?;
    for job in jobs(&directory, user) {
        center.create_sample(group, job).await?;
    }
    std::fs::write(&marker, "").map_err(written(marker.clone()))
}

/// What differs between the samples.
struct Sample {
    name: &'static str,
    description: &'static str,
    kind: JobKind,
    script: &'static str,
    processes: u32,
}

fn jobs(directory: &Path, user: &str) -> Vec<JobSpec> {
    let samples = [
        Sample {
            name: "heartbeat",
            description: "Runs every second and says how loaded the machine is.",
            kind: scheduled("* * * * * *", "UTC", 1),
            script: HEARTBEAT,
            processes: 1,
        },
        Sample {
            name: "tick",
            description: "Four runs a second, in step with the clock.",
            kind: scheduled("@every 250ms", "UTC", 1),
            script: "echo \"due $CRONFLEET_DUE, started $(date -u +%H:%M:%S.%N)\"\n",
            processes: 1,
        },
        Sample {
            name: "clean-logs",
            description: "Removes what the queue workers wrote more than a minute ago.",
            kind: scheduled("*/30 * * * * *", "UTC", 1),
            script: CLEAN_LOGS,
            processes: 1,
        },
        Sample {
            name: "flaky-import",
            description: "Fails twice and succeeds at the third attempt, with a growing wait between.",
            kind: scheduled("0 * * * * *", "UTC", 3),
            script: FLAKY_IMPORT,
            processes: 1,
        },
        Sample {
            name: "slow-report",
            description: "Takes half a minute and shows its progress: watch its output live.",
            kind: scheduled("20 * * * * *", "UTC", 1),
            script: SLOW_REPORT,
            processes: 1,
        },
        Sample {
            name: "queue-worker",
            description: "Three processes that are kept alive; one of them crashes now and then.",
            kind: daemon(),
            script: QUEUE_WORKER,
            processes: 3,
        },
        Sample {
            name: "每分钟库存盘点",
            description: "用中文输出的示例任务，按上海时间运行。",
            kind: scheduled("40 * * * * *", "Asia/Shanghai", 1),
            script: STOCKTAKING,
            processes: 1,
        },
    ];
    samples
        .into_iter()
        .map(|sample| sample.spec(directory, user))
        .collect()
}

impl Sample {
    fn spec(self, directory: &Path, user: &str) -> JobSpec {
        let command = Command::Script {
            interpreter: vec!["/bin/sh".to_owned()],
            text: self.script.to_owned(),
        };
        JobSpec {
            name: self.name.to_owned(),
            description: self.description.to_owned(),
            kind: self.kind,
            launch: Launch {
                directory: Some(directory.to_string_lossy().into_owned()),
                stop: StopPolicy {
                    grace: Duration::from_secs(5),
                    ..StopPolicy::default()
                },
                ..Launch::new(command, user)
            },
            target: Target::All,
            processes: self.processes,
        }
    }
}

fn scheduled(expression: &str, time_zone: &str, attempts_max: u32) -> JobKind {
    JobKind::Scheduled(Box::new(ScheduledSpec {
        expression: expression.to_owned(),
        time_zone: time_zone.to_owned(),
        dst: DstPolicy::default(),
        active: ActiveSpan::default(),
        calendar: None,
        overlap: Overlap::Forbid,
        spread: cronfleet_core::spread::Spread::Each,
        jitter: Duration::ZERO,
        start_deadline: START_DEADLINE_DEFAULT,
        catch_up: CatchUp::None,
        timeout: Some(Duration::from_secs(300)),
        retry: RetryPolicy {
            attempts_max,
            backoff: Backoff {
                initial: Duration::from_secs(2),
                max: Duration::from_secs(10),
            },
            failures: Vec::new(),
        },
    }))
}

fn daemon() -> JobKind {
    JobKind::Daemon(Box::default())
}

const HEARTBEAT: &str = r#"read -r one five fifteen rest </proc/loadavg
echo "alive, load $one $five $fifteen"
"#;

const CLEAN_LOGS: &str = r#"set -eu
cd logs
count=$(find . -type f -name '*.log' -mmin +1 | wc -l)
find . -type f -name '*.log' -mmin +1 -print -delete
echo "removed $count files, $(find . -type f | wc -l) left"
"#;

const FLAKY_IMPORT: &str = r#"echo "attempt $CRONFLEET_ATTEMPT: asking the supplier for prices"
if [ "$CRONFLEET_ATTEMPT" -lt 3 ]; then
    echo "error: connection reset by peer" >&2
    exit 75
fi
echo "imported 1284 prices"
"#;

const SLOW_REPORT: &str = r#"for part in 1 2 3 4 5 6 7 8 9 10; do
    printf '\033[36m%3d %%\033[0m  reading part %d of 10\n' $((part * 10)) "$part"
    sleep 3
done
printf '\033[32mdone:\033[0m the report has 10 parts\n'
"#;

const QUEUE_WORKER: &str = r#"trap 'echo "asked to stop: done"; exit 0' TERM
number=0
while :; do
    number=$((number + 1))
    echo "message $number"
    echo "message $number" >"logs/$$-$number.log"
    if [ "$number" -ge 60 ] && [ $(($$ % 3)) -eq 0 ]; then
        echo "error: lost the connection to the queue" >&2
        exit 1
    fi
    sleep 2 &
    wait $!
done
"#;

const STOCKTAKING: &str = r#"echo "开始盘点，计划时间 $CRONFLEET_DUE"
for item in 螺丝 轴承 电机; do
    echo "  $item：库存 $(($$ % 500 + 20)) 件"
done
echo "盘点完成"
"#;

#[cfg(test)]
mod tests {
    use cronfleet_core::job::validate;

    use super::*;

    #[test]
    fn samples_are_valid_and_have_names_of_their_own() {
        let jobs = jobs(Path::new("/srv/demo"), "app");
        let mut names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), 7);
        for job in &jobs {
            assert_eq!(validate(job), Ok(()), "{}", job.name);
            if let JobKind::Scheduled(scheduled) = &job.kind {
                assert!(
                    crate::schedule::check(&scheduled.expression, Some(&scheduled.time_zone))
                        .is_ok()
                );
            }
        }
    }
}
