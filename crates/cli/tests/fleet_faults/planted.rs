//! The checker sees what it is there for: histories with one planted violation each, and the same without.

use std::collections::BTreeMap;

use cronfleet_api::run::{Lapse, Run};
use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::json;
use uuid::Uuid;

use crate::checker::{History, Job, Life, Term, Violation, check, word};
use crate::stamps::{End, Start};

const BEAT: u128 = 1;
const SLOW: u128 = 2;
const AGENTS: u128 = 2;
/// Due instants of the first job on each agent.
const SECONDS: i64 = 20;

fn second(number: i64) -> Timestamp {
    Timestamp::from_second(1_000_000 + number).expect("it is in range")
}

fn job(id: u128, name: &'static str, period: i64, code: i32, is_exclusive: bool) -> Job {
    Job {
        id: Uuid::from_u128(id),
        name,
        period,
        code,
        is_exclusive,
        output: "1\n2\n",
    }
}

/// A run that was over half a second, or two, after it had started on time.
fn plant(history: &mut History, job: &Job, agent: Uuid, due: Timestamp) {
    let id = Uuid::from_u128(0x1000 + history.runs.len() as u128);
    let takes = if job.is_exclusive { 2_000 } else { 500 };
    history.runs.push(run(id, job, agent, due));
    history.starts.push(Start {
        run: id,
        due,
        at: due + 5.milliseconds(),
    });
    history.ends.push(End {
        run: id,
        code: job.code,
        at: due + takes.milliseconds(),
    });
    if job.is_exclusive {
        history.outputs.insert(id, job.output.to_owned());
    }
}

fn run(id: Uuid, job: &Job, agent: Uuid, due: Timestamp) -> Run {
    let run = json!({
        "id": id, "job_id": job.id, "job_name": job.name, "job_version": 1, "group_id": Uuid::nil(),
        "agent_id": agent, "agent_name": "a", "copy": 0, "copies": 1, "attempt": 1, "cause": "schedule",
        "state": "ended", "outcome": if job.code == 0 { "succeeded" } else { "failed" }, "exit_code": job.code,
        "due": due, "not_before": due, "not_after": due, "planned_at": due, "oom_kills": 0,
        "output_bytes": 0, "output_dropped_bytes": 0, "output_trimmed_bytes": 0, "is_caught_up": false, "is_kill_requested": false, "attempts": [],
    });
    serde_json::from_value(run).expect("it has every field")
}

/// A history in which every promise was kept, with a bit of everything.
fn kept() -> History {
    let jobs = vec![
        job(BEAT, "beat", 1, 3, false),
        job(SLOW, "slow", 5, 0, true),
    ];
    let agents: Vec<Uuid> = (0..AGENTS)
        .map(|number| Uuid::from_u128(0x100 + number))
        .collect();
    let mut history = History {
        from: second(0),
        until: second(SECONDS),
        start_deadline: SignedDuration::from_secs(60),
        jobs: jobs.clone(),
        agents: agents.clone(),
        slots: 1,
        runs: Vec::new(),
        lapses: Vec::new(),
        starts: Vec::new(),
        ends: Vec::new(),
        terms: [(1, "one"), (1, "one"), (2, "two")]
            .map(|(epoch, holder)| Term {
                epoch,
                holder: holder.to_owned(),
            })
            .into(),
        lives: Vec::new(),
        outputs: BTreeMap::new(),
        ledgers: BTreeMap::new(),
        reasons: vec!["overlap", "center_down"],
        kills_daemons: false,
    };
    for agent in agents {
        history.lives.push(Life {
            agent,
            slot: 0,
            from: second(-100),
            until: second(SECONDS),
        });
        for job in &jobs {
            for number in (0..SECONDS).filter(|number| number % job.period == 0) {
                plant(&mut history, job, agent, second(number));
            }
        }
    }
    // One late, and one skipped for it.
    history.starts[3].at = history.starts[3].due + 4.seconds();
    history.ends[3].at = history.starts[3].at;
    decide(&mut history, 4, "skipped", Some("overlap"));
    agree(&mut history);
    history
}

/// Lets the ledgers say what the record says.
fn agree(history: &mut History) {
    let told = history.runs.iter().filter_map(|run| {
        let outcome = run.outcome?;
        Some((run.id, (word(outcome), run.reason.clone())))
    });
    history.ledgers = told.collect();
}

/// Lets a run that has not started end otherwise.
fn decide(history: &mut History, index: usize, outcome: &str, reason: Option<&str>) {
    let id = history.runs[index].id;
    history.starts.retain(|start| start.run != id);
    history.ends.retain(|end| end.run != id);
    say(history, index, outcome, reason);
    history.runs[index].exit_code = None;
}

/// Lets the record say something else.
fn say(history: &mut History, index: usize, outcome: &str, reason: Option<&str>) {
    history.runs[index].outcome = serde_json::from_value(json!(outcome)).expect("it is an outcome");
    history.runs[index].reason = reason.map(str::to_owned);
}

/// Index of the first run of the job that takes long.
fn slow(history: &History) -> usize {
    let is_slow = |run: &Run| run.job_id == Uuid::from_u128(SLOW);
    history.runs.iter().position(is_slow).expect("there is one")
}

fn start_of(history: &mut History, index: usize) -> &mut Start {
    let id = history.runs[index].id;
    history
        .starts
        .iter_mut()
        .find(|start| start.run == id)
        .expect("it has started")
}

fn end_of(history: &mut History, index: usize) -> &mut End {
    let id = history.runs[index].id;
    history
        .ends
        .iter_mut()
        .find(|end| end.run == id)
        .expect("it has ended")
}

fn rules(violations: &[Violation]) -> Vec<&'static str> {
    let mut rules: Vec<&str> = violations.iter().map(|violation| violation.rule).collect();
    rules.dedup();
    rules
}

#[test]
fn a_history_in_which_every_promise_was_kept_passes() {
    let mut history = kept();
    assert_eq!(check(&history), []);
    // A lapse in place of a run on each agent.
    let due = history.runs[7].due;
    let beat = history.runs[7].job_id;
    history
        .runs
        .retain(|run| (run.job_id, run.due) != (beat, due));
    history
        .starts
        .retain(|start| start.due != due || history.runs.iter().any(|run| run.id == start.run));
    history.lapses.push(lapse(beat, due, "center_down"));
    assert_eq!(check(&history), []);
}

fn lapse(job_id: Uuid, due: Timestamp, reason: &str) -> Lapse {
    Lapse {
        job_id,
        job_name: String::new(),
        due_from: due,
        due_to: due,
        count: 1,
        reason: reason.to_owned(),
        recorded_at: due,
    }
}

/// Name, the rules that see it, and the planting.
type Planted = (&'static str, &'static [&'static str], fn(&mut History));

const PLANTED: [Planted; 31] = [
    ("a dropped row", &["I1", "I3"], |history| {
        history.runs.remove(7);
    }),
    ("a due instant that nobody decided", &["I1"], |history| {
        decide(history, 7, "missed", Some("overlap"));
        history.runs.remove(7);
    }),
    ("a run and a lapse", &["I1"], |history| {
        let (job, due) = (history.runs[7].job_id, history.runs[7].due);
        history.lapses.push(lapse(job, due, "center_down"));
    }),
    ("a second row", &["I1"], |history| {
        let mut run = history.runs[7].clone();
        run.id = Uuid::from_u128(1);
        history.runs.push(run);
        let last = history.runs.len() - 1;
        decide(history, last, "skipped", Some("overlap"));
    }),
    ("a row that is not due", &["I1"], |history| {
        let mut run = history.runs[4].clone();
        run.id = Uuid::from_u128(1);
        run.due += 500.milliseconds();
        history.runs.push(run);
    }),
    ("a double start", &["I2"], |history| {
        let mut again = history.starts[9];
        again.at += 1.second();
        history.starts.push(again);
    }),
    ("a second attempt without a failure", &["I2"], |history| {
        let index = slow(history);
        let mut again = history.runs[index].clone();
        again.attempt = 2;
        again.id = Uuid::from_u128(1);
        history.runs.push(again);
        let last = history.runs.len() - 1;
        decide(history, last, "skipped", Some("overlap"));
    }),
    ("a phantom", &["I3"], |history| {
        let mut phantom = history.starts[9];
        phantom.run = Uuid::from_u128(1);
        history.starts.push(phantom);
    }),
    ("an early start", &["I4"], |history| {
        history.starts[9].at = history.starts[9].due - 60.milliseconds();
    }),
    ("a start after the deadline", &["I4"], |history| {
        history.starts[9].at = history.starts[9].due + 61.seconds();
    }),
    ("a run that never ends", &["I5"], |history| {
        history.runs[9].outcome = None;
    }),
    ("missed, and it ran", &["I6"], |history| {
        say(history, 9, "missed", Some("overlap"));
    }),
    ("skipped, and it ran", &["I6"], |history| {
        say(history, 9, "skipped", Some("overlap"));
    }),
    ("skipped without a reason", &["I7"], |history| {
        decide(history, 9, "skipped", None);
    }),
    ("skipped for an overlap that was not", &["I7"], |history| {
        history.reasons = vec![];
        decide(history, 9, "skipped", Some("overlap"));
    }),
    ("missed for a reason that nobody gave", &["I7"], |history| {
        decide(history, 9, "missed", Some("agent_offline"));
    }),
    ("lost for a reason that nobody gave", &["I7"], |history| {
        say(history, 9, "lost", Some("agent_crashed"));
    }),
    (
        "a lapse for a reason that nobody gave",
        &["I7"],
        |history| {
            decide(history, 9, "missed", None);
            let due = history.runs[9].due;
            let job = history.runs[9].job_id;
            history
                .runs
                .retain(|run| (run.job_id, run.due) != (job, due));
            let runs = &history.runs;
            history
                .starts
                .retain(|start| runs.iter().any(|run| run.id == start.run));
            history.lapses.push(lapse(job, due, "database_down"));
        },
    ),
    ("a success that was a failure", &["I8"], |history| {
        let index = slow(history);
        end_of(history, index).code = 3;
    }),
    ("a failure that was a success", &["I8"], |history| {
        let index = slow(history);
        say(history, index, "failed", None);
        history.runs[index].exit_code = Some(1);
    }),
    ("a success that never ended", &["I8"], |history| {
        let id = history.runs[slow(history)].id;
        history.ends.retain(|end| end.run != id);
    }),
    ("a success that never started", &["I8"], |history| {
        let index = slow(history);
        decide(history, index, "succeeded", None);
        history.runs[index].exit_code = Some(0);
    }),
    ("an end without a start", &["I9"], |history| {
        let id = history.runs[9].id;
        history.starts.retain(|start| start.run != id);
    }),
    ("killed by nobody", &["I8"], |history| {
        say(history, 9, "killed", None);
    }),
    ("timed out without a limit", &["I8"], |history| {
        say(history, 9, "timed_out", None);
    }),
    ("an epoch that decreases", &["I10"], |history| {
        history.terms.push(Term {
            epoch: 1,
            holder: "one".to_owned(),
        });
    }),
    ("an epoch with two holders", &["I10"], |history| {
        history.terms.push(Term {
            epoch: 2,
            holder: "one".to_owned(),
        });
    }),
    ("an overlap that is forbidden", &["I12"], |history| {
        let index = slow(history);
        end_of(history, index).at += 4.seconds();
    }),
    ("starts out of order", &["I13"], |history| {
        let index = slow(history);
        start_of(history, index).at += 8.seconds();
        end_of(history, index).at += 8.seconds();
    }),
    ("two processes in a slot", &["I14"], |history| {
        let mut second_life = history.lives[0].clone();
        second_life.from = second(3);
        history.lives.push(second_life);
    }),
    ("a daemon that was restarted", &["I14"], |history| {
        let mut next = history.lives[0].clone();
        history.lives[0].until = second(5);
        next.from = second(6);
        history.lives.push(next);
    }),
];

#[test]
fn every_planted_violation_is_seen_as_what_it_is() {
    for (name, expected, planting) in PLANTED {
        let mut history = kept();
        planting(&mut history);
        agree(&mut history);
        let violations = check(&history);
        assert_eq!(rules(&violations), expected, "{name}: {violations:#?}");
    }
}

#[test]
fn more_than_one_thing_is_seen_of_daemons_and_output() {
    let mut history = kept();
    history.lives.pop();
    assert_eq!(rules(&check(&history)), ["I14"], "a slot without a process");
    let mut history = kept();
    history.lives[1].until = second(9);
    assert_eq!(rules(&check(&history)), ["I14"], "a process that is gone");
    history.kills_daemons = true;
    let mut next = history.lives[1].clone();
    (next.from, next.until) = (second(10), second(SECONDS));
    history.lives.push(next);
    assert_eq!(check(&history), [], "the fault is what killed it");
    let mut history = kept();
    let id = history.runs[slow(&history)].id;
    history.outputs.insert(id, "1\n".to_owned());
    assert_eq!(rules(&check(&history)), ["OUT"]);
}

#[test]
fn a_ledger_that_knows_it_otherwise_is_seen() {
    let mut history = kept();
    let id = history.runs[9].id;
    history.ledgers.insert(id, ("succeeded".to_owned(), None));
    assert_eq!(rules(&check(&history)), ["I15"], "it failed");
    history.ledgers.remove(&id);
    assert_eq!(rules(&check(&history)), ["I15"], "it started");
    let mut history = kept();
    let skipped = history.runs[4].id;
    history.ledgers.remove(&skipped);
    assert_eq!(check(&history), [], "no agent need have heard of it");
}
