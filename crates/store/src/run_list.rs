//! Lists of runs, quick however many there are.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, RunId};
use cronfleet_core::run::{Cause, Outcome};
use jiff::Timestamp;

use crate::engine::Engine;
use crate::error::StoreError;
use crate::page::Page;
use crate::run::{RunRow, rows_of};
use crate::run_state::{BATCH, id_ceiling, id_floor};
use crate::sql::{Row, Sql, stored_word};
use crate::store::Store;

/// Where a run is on its way, without its outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RunPhase {
    /// Recorded, never sent.
    Planned,
    /// Committed to be sent.
    Dispatched,
    /// In the agent's ledger.
    Accepted,
    /// The process lives.
    Running,
    /// Over.
    Ended,
}

impl RunPhase {
    /// All phases.
    pub const ALL: [Self; 5] = [
        Self::Planned,
        Self::Dispatched,
        Self::Accepted,
        Self::Running,
        Self::Ended,
    ];

    /// The word in SQL and JSON, the same as [`RunState::word`](cronfleet_core::run::RunState::word).
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Dispatched => "dispatched",
            Self::Accepted => "accepted",
            Self::Running => "running",
            Self::Ended => "ended",
        }
    }

    /// Reads [`RunPhase::word`].
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|phase| phase.word() == word)
    }
}

/// Which runs to list. Empty lists and `None` do not filter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Only of this job.
    pub job: Option<JobId>,
    /// Only on this agent.
    pub agent: Option<AgentId>,
    /// Only of jobs of this group.
    pub group: Option<GroupId>,
    /// Only in these phases.
    pub phases: Vec<RunPhase>,
    /// Only with these outcomes.
    pub outcomes: Vec<Outcome>,
    /// Only with these causes.
    pub causes: Vec<Cause>,
    /// Only due at or after this.
    pub from: Option<Timestamp>,
    /// Only due before this.
    pub to: Option<Timestamp>,
}

impl Store {
    /// Runs within reach, newest due instant first; `before` is the last run seen.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn runs(
        &self,
        reach: &Reach,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Page<RunRow, RunId>, StoreError> {
        let ids = select_ids(self.engine(), reach, filter, before, limit + 1)
            .all(self.reader(), Row::next)
            .await?;
        let ids = Page::cut(ids, limit, |id| *id);
        let mut items = Vec::new();
        for batch in ids.items.chunks(BATCH) {
            items.extend(rows_of(self.reader(), reach, batch).await?);
        }
        Ok(Page {
            items,
            next: ids.next,
        })
    }
}

stored_word!(RunPhase "run state");

/// Most index walks that one list is put together from; beyond, rows are filtered on a walk along the primary key.
const BRANCHES_MAX: usize = 50;

/// One walk along an index, newest run first. A list is put together from one or several: an index serves an order by id
/// only behind a single value of its first column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Branch {
    /// Along `runs_job`.
    Job(JobId),
    /// Along `runs_active`: the few that have not ended, to be sorted.
    Active,
    /// Along `runs_outcome`, which has no successes.
    Outcome(Outcome),
    /// Along `runs_agent`.
    Agent(AgentId),
    /// Along `runs_group`.
    Group(GroupId),
    /// Along the primary key.
    All,
}

impl Branch {
    /// The engines' own choice depends on statistics and was measured to go wrong by a factor of a hundred.
    fn hint(self, engine: Engine) -> String {
        match self {
            Self::Job(_) => engine.index("runs_job"),
            Self::Active => engine.index("runs_active"),
            Self::Outcome(_) => engine.index("runs_outcome"),
            Self::Agent(_) => engine.index("runs_agent"),
            Self::Group(_) => engine.index("runs_group"),
            Self::All => String::new(),
        }
    }

    fn condition(self, sql: Sql) -> Sql {
        match self {
            Self::Job(job) => sql.with(" AND job_id = ?", job),
            Self::Active => sql.text(" AND active_agent IS NOT NULL"),
            // The words of the index, so that the engine sees that it covers the query.
            Self::Outcome(outcome) => {
                sql.with(" AND outcome <> 'succeeded' AND outcome = ?", outcome)
            }
            Self::Agent(agent) => sql.with(" AND agent_id = ?", agent),
            Self::Group(group) => sql.with(" AND group_id = ?", group),
            Self::All => sql,
        }
    }
}

/// Chooses the walks: along what selects most.
fn branches(reach: &Reach, filter: &RunFilter) -> Vec<Branch> {
    if let Some(job) = filter.job {
        return vec![Branch::Job(job)];
    }
    if !filter.phases.is_empty() && !filter.phases.contains(&RunPhase::Ended) {
        return vec![Branch::Active];
    }
    if !filter.outcomes.is_empty() && !filter.outcomes.contains(&Outcome::Succeeded) {
        return Outcome::ALL
            .into_iter()
            .filter(|one| filter.outcomes.contains(one))
            .map(Branch::Outcome)
            .collect();
    }
    if let Some(agent) = filter.agent {
        return vec![Branch::Agent(agent)];
    }
    match (filter.group, reach) {
        (Some(group), _) => vec![Branch::Group(group)],
        (None, Reach::Groups(groups)) if (1..=BRANCHES_MAX).contains(&groups.len()) => {
            groups.iter().copied().map(Branch::Group).collect()
        }
        (None, Reach::Groups(_) | Reach::Everything) => vec![Branch::All],
    }
}

/// The ids of a page, newest first, put together from its walks.
fn select_ids(
    engine: Engine,
    reach: &Reach,
    filter: &RunFilter,
    before: Option<RunId>,
    limit: u32,
) -> Sql {
    let mut sql = Sql::new("SELECT id FROM (");
    for (index, branch) in branches(reach, filter).into_iter().enumerate() {
        let union = if index == 0 { "" } else { " UNION ALL " };
        let walk = Sql::new(format!(
            "{union}SELECT * FROM (SELECT id FROM runs{} WHERE 1 = 1",
            branch.hint(engine)
        ));
        let walk = filtered(branch.condition(walk), reach, filter).with_some(" AND id < ?", before);
        sql = sql
            .append(walk)
            .with(" ORDER BY id DESC LIMIT ?", limit)
            .text(&format!(") AS b{index}"));
    }
    sql.with(") AS found ORDER BY id DESC LIMIT ?", limit)
}

/// Goes on with every condition of the filter; those of the walk are repeated, which costs nothing.
fn filtered(mut sql: Sql, reach: &Reach, filter: &RunFilter) -> Sql {
    sql = sql.and_reach("group_id", reach);
    sql = sql.with_some(" AND job_id = ?", filter.job);
    sql = sql.with_some(" AND agent_id = ?", filter.agent);
    sql = sql.with_some(" AND group_id = ?", filter.group);
    if !filter.phases.is_empty() {
        sql = sql.and_in("state", filter.phases.iter().copied());
    }
    if !filter.outcomes.is_empty() {
        sql = sql.and_in("outcome", filter.outcomes.iter().copied());
    }
    if !filter.causes.is_empty() {
        sql = sql.and_in("cause", filter.causes.iter().copied());
    }
    if let Some(from) = filter.from {
        sql = sql
            .with(" AND id >= ?", id_floor(from))
            .with(" AND due >= ?", from);
    }
    if let Some(to) = filter.to {
        sql = sql
            .with(" AND id < ?", id_ceiling(to))
            .with(" AND due < ?", to);
    }
    sql
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn plan(store: &Store, reach: &Reach, filter: &RunFilter) -> Vec<String> {
        let before = Some(RunId::from_u128(1 << 100));
        let sql = Sql::new("EXPLAIN QUERY PLAN ").append(select_ids(
            store.engine(),
            reach,
            filter,
            before,
            100,
        ));
        let lines = sql
            .all(store.reader(), |row| {
                for _ in 0..3 {
                    row.next::<i64>()?;
                }
                row.next::<String>()
            })
            .await
            .unwrap();
        lines
            .into_iter()
            .filter(|line| line.contains(" runs "))
            .collect()
    }

    #[tokio::test]
    async fn every_list_walks_along_an_index() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = Store::open_sqlite(&folder.path().join("center.db"))
            .await
            .unwrap();
        let two = Reach::Groups(vec![GroupId::from_u128(1), GroupId::from_u128(2)]);
        let base = RunFilter::default;
        let (job, agent) = (Some(JobId::from_u128(1)), Some(AgentId::from_u128(1)));
        let bad = vec![Outcome::Failed, Outcome::Lost];
        let cases: [(Reach, RunFilter, &str, usize); 8] = [
            (Reach::Everything, base(), "(id<?)", 1),
            (two.clone(), base(), "runs_group (group_id=? AND id<?)", 2),
            (
                two.clone(),
                RunFilter { job, ..base() },
                "runs_job (job_id=? AND id<?)",
                1,
            ),
            (
                two.clone(),
                RunFilter { agent, ..base() },
                "runs_agent (agent_id=? AND id<?)",
                1,
            ),
            (
                two.clone(),
                RunFilter {
                    agent,
                    job,
                    outcomes: bad.clone(),
                    ..base()
                },
                "runs_job (job_id=? AND id<?)",
                1,
            ),
            (
                Reach::Everything,
                RunFilter {
                    outcomes: bad,
                    ..base()
                },
                "runs_outcome (outcome=? AND id<?)",
                2,
            ),
            (
                Reach::Everything,
                RunFilter {
                    outcomes: vec![Outcome::Succeeded],
                    ..base()
                },
                "(id<?)",
                1,
            ),
            (
                two,
                RunFilter {
                    phases: vec![RunPhase::Running],
                    ..base()
                },
                "runs_active",
                1,
            ),
        ];
        for (reach, filter, index, walks) in cases {
            let lines = plan(&store, &reach, &filter).await;
            assert_eq!(lines.len(), walks, "{filter:?}: {lines:?}");
            assert!(
                lines.iter().all(|line| line.contains(index)),
                "{filter:?}: {lines:?}"
            );
        }
    }
}
