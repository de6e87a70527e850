//! `cronfleet job why`.

use clap::Args;
use cronfleet_api::job::Job;
use cronfleet_api::run::Run;
use cronfleet_api::why::{Answer, Decider, Why as Answers, WhyItem};
use jiff::{SignedDuration, Timestamp};

use crate::client::{Client, Query, id_of};
use crate::failure::Failure;
use crate::screen::Screen;
use crate::shown::{self, NONE};

/// Tell what became of each due instant of a job, why, and who decided it.
#[derive(Args)]
pub(crate) struct Why {
    /// Name, group/name or id
    job: String,
    /// This due instant (RFC 3339)
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["from", "to"])]
    at: Option<Timestamp>,
    /// Due instants at or after this one (RFC 3339); a day before --to when absent
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
    /// Due instants before this one (RFC 3339); now when absent
    #[arg(long, value_name = "INSTANT")]
    to: Option<Timestamp>,
    /// How many runs at most, 1 to 500
    #[arg(long, short = 'n', default_value_t = 100)]
    limit: u32,
}

impl Why {
    pub(super) async fn run(self, client: &Client, screen: &mut Screen) -> Result<(), Failure> {
        let id = id_of::<Job>(client, &self.job).await?;
        let answer = client
            .get::<Answers>(&format!("/jobs/{id}/why"), &self.query())
            .await?;
        if screen.is_json() {
            return screen.json(&answer.raw);
        }
        let why = answer.value;
        for item in &why.items {
            for line in lines(item) {
                screen.line(format_args!("{line}"))?;
            }
        }
        for run in &why.requested {
            screen.line(format_args!("{}", requested(run)))?;
        }
        if why.items.is_empty() {
            screen.line(format_args!("{}", nothing_due(&why)))?;
        }
        if why.next_cursor.is_some() {
            screen.note(format_args!(
                "there are more than {} runs: see --limit, --from and --to",
                self.limit
            ));
        }
        Ok(())
    }

    fn query(&self) -> Query {
        let (from, to) = match self.at {
            Some(at) => {
                let next = at.checked_add(SignedDuration::from_micros(1));
                (Some(at), Some(next.unwrap_or(Timestamp::MAX)))
            }
            None => (self.from, self.to),
        };
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(from.map(|from| ("from", from.to_string())));
        query.extend(to.map(|to| ("to", to.to_string())));
        query
    }
}

/// The answer in a sentence, and who decided it.
fn lines(item: &WhyItem) -> Vec<String> {
    let mut lines = vec![format!("{}  {}", when(item), sentence(item))];
    lines.extend(
        item.decider
            .as_ref()
            .map(|decider| format!("  {}", decided(decider))),
    );
    lines
}

fn when(item: &WhyItem) -> String {
    let from = shown::instant(item.due_from);
    if item.count == 1 {
        return from;
    }
    format!("{from} to {}", shown::instant(item.due_to))
}

fn sentence(item: &WhyItem) -> String {
    let many = match item.count {
        1 => "it".to_owned(),
        count => format!("these {count} due instants"),
    };
    match (item.answer, &item.run) {
        (Answer::Run, Some(run)) => format!("{}{}", ran(run), by_window(item)),
        (Answer::Run | Answer::Lapse, _) => {
            let reason = shown::maybe_plain(item.reason.as_deref());
            format!("no run came of {many}: {reason}{}", by_window(item))
        }
        (Answer::Paused, _) => format!("the job was paused, so nothing came of {many}"),
        (Answer::Calendar, _) => format!(
            "the calendar of version {} leaves {many} out",
            item.job_version
        ),
        (Answer::NotPlanned, _) => format!(
            "not planned yet; version {} makes {many} due",
            item.job_version
        ),
        (Answer::NotRecorded, _) => format!("what became of {many} is no longer on record"),
    }
}

fn by_window(item: &WhyItem) -> String {
    let window = item.window.as_ref();
    let said = window.map(|reason| format!(" by the window {:?}", shown::plain(reason)));
    said.unwrap_or_default()
}

fn ran(run: &Run) -> String {
    let agent = shown::plain(&run.agent_name);
    let mut said = match (&run.outcome, run.started_at) {
        (Some(outcome), _) => format!("{} on {agent}", shown::word(outcome)),
        (None, Some(_)) => format!("running on {agent}"),
        (None, None) => format!("{} for {agent}", shown::word(&run.state)),
    };
    if let Some(reason) = &run.reason {
        said.push_str(&format!(": {}", shown::plain(reason)));
    }
    if run.copies > 1 {
        said.push_str(&format!(", copy {} of {}", run.copy + 1, run.copies));
    }
    if run.attempt > 1 {
        said.push_str(&format!(", attempt {}", run.attempt));
    }
    if run.is_caught_up {
        said.push_str(", caught up");
    }
    let late = shown::maybe_duration_us(run.lag_us);
    if late != NONE {
        said.push_str(&format!(", started {late} after it was due"));
    }
    let took = shown::maybe_duration_us(run.duration_us);
    if took != NONE {
        said.push_str(&format!(", took {took}"));
    }
    format!("{said} ({})", run.id)
}

fn decided(decider: &Decider) -> String {
    let mut said = format!("decided {}", shown::instant(decider.decided_at));
    match (
        decider.center_name.as_ref().or(decider.center.as_ref()),
        decider.epoch,
    ) {
        (Some(center), Some(epoch)) => {
            said.push_str(&format!(" by {} in term {epoch}", shown::plain(center)));
        }
        (None, Some(epoch)) => said.push_str(&format!(" in term {epoch}")),
        (_, None) => {}
    }
    if let Some(version) = decider.job_version {
        said.push_str(&format!(", by version {version}"));
    }
    said
}

fn requested(run: &Run) -> String {
    let by = match &run.requested_by {
        Some(login) => format!(" by {}", shown::plain(login)),
        None => String::new(),
    };
    format!(
        "{}  asked for ({}{by}), not by the schedule: {}",
        shown::instant(run.due),
        shown::word(&run.cause),
        ran(run)
    )
}

fn nothing_due(why: &Answers) -> String {
    let near: Vec<String> = [
        why.due_before
            .map(|due| format!("the last time before at {}", shown::instant(due))),
        why.due_after
            .map(|due| format!("the next time after at {}", shown::instant(due))),
    ]
    .into_iter()
    .flatten()
    .collect();
    if near.is_empty() {
        return "the job is not due then".to_owned();
    }
    format!("the job is not due then; {}", near.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(answer: Answer, count: u64) -> WhyItem {
        WhyItem {
            answer,
            due_from: Timestamp::UNIX_EPOCH,
            due_to: Timestamp::UNIX_EPOCH,
            count,
            job_version: 3,
            reason: None,
            window: None,
            run: None,
            decider: None,
        }
    }

    #[test]
    fn each_answer_is_a_sentence() {
        let lapse = WhyItem {
            reason: Some("center_down".to_owned()),
            ..item(Answer::Lapse, 12)
        };
        let frozen = WhyItem {
            reason: Some("frozen".to_owned()),
            window: Some("database upgrade".to_owned()),
            ..item(Answer::Lapse, 1)
        };
        let cases = [
            (
                frozen,
                "no run came of it: frozen by the window \"database upgrade\"",
            ),
            (lapse, "no run came of these 12 due instants: center_down"),
            (
                item(Answer::Paused, 2),
                "the job was paused, so nothing came of these 2 due instants",
            ),
            (
                item(Answer::Calendar, 2),
                "the calendar of version 3 leaves these 2 due instants out",
            ),
            (
                item(Answer::NotPlanned, 1),
                "not planned yet; version 3 makes it due",
            ),
            (
                item(Answer::NotRecorded, 1),
                "what became of it is no longer on record",
            ),
        ];
        for (item, expected) in cases {
            assert_eq!(sentence(&item), expected);
        }
    }

    #[test]
    fn a_decider_is_told_as_far_as_it_is_on_record() {
        let mut decider = Decider {
            center: Some("7f".to_owned()),
            center_name: Some("east".to_owned()),
            epoch: Some(7),
            job_version: Some(3),
            decided_at: Timestamp::UNIX_EPOCH,
        };
        let told = decided(&decider);
        assert!(told.ends_with(" by east in term 7, by version 3"), "{told}");
        decider.epoch = None;
        assert!(!decided(&decider).contains("term"));
    }
}
