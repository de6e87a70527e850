//! Shared transactions of sessions: what agents claim, and the runs that are taken for them.
//!
//! A transaction costs nearly the same whether it is about one agent or about a hundred. So sessions hand over what is to be
//! committed, and while one transaction is under way the next one fills. A session waits for its answer as if it had committed
//! by itself.

use std::collections::HashMap;
use std::sync::Arc;

use cronfleet_core::id::AgentId;
use cronfleet_core::order::Order;
use cronfleet_core::plan::{PLAN_AHEAD, later};
use cronfleet_store::{
    AgentClaim, ClaimsApplied, Conflict, PlannedTaken, Said, Session, Store, StoreError,
};
use tokio::sync::{mpsc, oneshot};

use super::desk::publish_moves;
use crate::bus::EventBus;
use crate::fleet_clock::FleetClock;
use crate::nudge::Nudges;

/// Most sessions that share a transaction.
const SESSIONS_MAX: usize = 200;
/// Claims that make a transaction full.
pub(super) const CLAIMS_PER_COMMIT: usize = 2_000;
/// Runs taken in one transaction.
const RUNS_PER_COMMIT: u32 = 2_000;

/// Answer to a session. The same error may concern many.
type Answer<T> = Result<T, Arc<StoreError>>;

/// Claims of one session.
struct Claims {
    session: Session,
    claims: Vec<AgentClaim>,
    answer: oneshot::Sender<Answer<()>>,
}

/// A session that has room for orders.
struct Wish {
    session: Session,
    answer: oneshot::Sender<Answer<Taken>>,
}

/// Orders for one session.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Earliest first.
    pub(super) orders: Vec<Order>,
    /// Whether there may be more.
    pub(super) has_more: bool,
}

/// Takes from sessions what is to be committed.
#[derive(Debug)]
pub(crate) struct Clerk {
    claims: mpsc::Sender<Claims>,
    wishes: mpsc::Sender<Wish>,
}

impl Clerk {
    /// Starts to work; ends when the clerk is dropped.
    pub(crate) fn start(store: Store, bus: EventBus, nudges: Nudges, clock: FleetClock) -> Self {
        let (claims, said) = mpsc::channel(SESSIONS_MAX);
        let (wishes, wished) = mpsc::channel(SESSIONS_MAX);
        let desk = BackDesk {
            store,
            bus,
            nudges,
            clock,
        };
        tokio::spawn(desk.clone().take_claims(said));
        tokio::spawn(desk.hand_out(wished));
        Self { claims, wishes }
    }

    /// Commits claims and tells everybody concerned.
    ///
    /// # Errors
    /// Those of [`Store::apply_claims`]; [`Conflict::StaleSession`], [`Conflict::AgentState`].
    pub(super) async fn apply(&self, session: &Session, claims: Vec<AgentClaim>) -> Answer<()> {
        let (answer, answered) = oneshot::channel();
        let session = session.clone();
        let claims = Claims {
            session,
            claims,
            answer,
        };
        let is_sent = self.claims.send(claims).await.is_ok();
        given(is_sent, answered).await
    }

    /// Commits planned runs of the session's agent as dispatched.
    ///
    /// # Errors
    /// Those of [`Store::take_planned`]; [`Conflict::StaleSession`], [`Conflict::AgentState`].
    pub(super) async fn take_planned(&self, session: &Session) -> Answer<Taken> {
        let (answer, answered) = oneshot::channel();
        let session = session.clone();
        let is_sent = self.wishes.send(Wish { session, answer }).await.is_ok();
        given(is_sent, answered).await
    }
}

/// The answer, which only a center that comes to its end does not give.
async fn given<T>(is_sent: bool, answered: oneshot::Receiver<Answer<T>>) -> Answer<T> {
    match answered.await {
        Ok(answer) if is_sent => answer,
        Ok(_) | Err(_) => Err(Arc::new(Conflict::StaleSession.into())),
    }
}

/// Does the work.
#[derive(Clone)]
struct BackDesk {
    store: Store,
    bus: EventBus,
    nudges: Nudges,
    clock: FleetClock,
}

impl BackDesk {
    async fn take_claims(self, mut said: mpsc::Receiver<Claims>) {
        while let Some(first) = said.recv().await {
            let mut count = first.claims.len();
            let mut batch = vec![first];
            while count < CLAIMS_PER_COMMIT && batch.len() < SESSIONS_MAX {
                let Ok(next) = said.try_recv() else { break };
                count += next.claims.len();
                batch.push(next);
            }
            match self.apply(&batch).await {
                Err(error) if batch.len() > 1 && is_of_one(&error) => {
                    for one in batch {
                        let done = self.apply(std::slice::from_ref(&one)).await;
                        answer_claims(vec![one], done);
                    }
                }
                done => answer_claims(batch, done),
            }
        }
    }

    async fn apply(&self, batch: &[Claims]) -> Result<Vec<(usize, Conflict)>, StoreError> {
        let said: Vec<Said<'_>> = batch
            .iter()
            .map(|one| Said {
                session: &one.session,
                claims: &one.claims,
            })
            .collect();
        let applied = self.store.apply_claims(&said, self.clock.now()).await?;
        self.tell(&applied);
        Ok(applied.refused)
    }

    fn tell(&self, applied: &ClaimsApplied) {
        for (agent, run) in &applied.foreign {
            tracing::error!(agent.id = %agent, run.id = %run, "an agent claimed a run of another agent");
        }
        for (agent, run) in &applied.unknown {
            tracing::warn!(agent.id = %agent, run.id = %run, "an agent claimed a run that is not recorded");
        }
        publish_moves(&self.bus, &applied.moved);
        self.nudges.runs_planned(applied.agents.iter().copied());
        if applied.has_offers {
            self.nudges.offers_changed();
        }
    }

    async fn hand_out(self, mut wished: mpsc::Receiver<Wish>) {
        let mut batch = Vec::new();
        while wished.recv_many(&mut batch, SESSIONS_MAX).await > 0 {
            let batch = std::mem::take(&mut batch);
            match self.take(&batch).await {
                Err(error) if batch.len() > 1 && is_of_one(&error) => {
                    for one in batch {
                        let taken = self.take(std::slice::from_ref(&one)).await;
                        answer_wishes(vec![one], taken);
                    }
                }
                taken => answer_wishes(batch, taken),
            }
        }
    }

    async fn take(&self, batch: &[Wish]) -> Result<PlannedTaken, StoreError> {
        let sessions: Vec<&Session> = batch.iter().map(|wish| &wish.session).collect();
        let now = self.clock.now();
        self.store
            .take_planned(&sessions, now, later(now, PLAN_AHEAD), RUNS_PER_COMMIT)
            .await
    }
}

/// Whether an error may come from what one session brought, so that the others can do without it.
fn is_of_one(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Corrupt { .. } | StoreError::Missing { .. } | StoreError::Statement(_)
    )
}

fn answer_claims(batch: Vec<Claims>, done: Result<Vec<(usize, Conflict)>, StoreError>) {
    let done = done.map_err(Arc::new);
    for (place, one) in batch.into_iter().enumerate() {
        let answer = match &done {
            Ok(refused) => conflict(refused, place).map_or(Ok(()), Err),
            Err(error) => Err(Arc::clone(error)),
        };
        // A session that is over needs no answer.
        let _ = one.answer.send(answer);
    }
}

fn answer_wishes(batch: Vec<Wish>, taken: Result<PlannedTaken, StoreError>) {
    let mut taken = taken.map_err(Arc::new);
    let mut orders: HashMap<AgentId, Vec<Order>> = HashMap::new();
    if let Ok(taken) = &mut taken {
        for (agent, order) in taken.orders.drain(..) {
            orders.entry(agent).or_default().push(order);
        }
    }
    for (place, one) in batch.into_iter().enumerate() {
        let answer = match &taken {
            Ok(taken) => match conflict(&taken.refused, place) {
                Some(conflict) => Err(conflict),
                None => Ok(Taken {
                    orders: orders.remove(&one.session.agent).unwrap_or_default(),
                    has_more: taken.has_more,
                }),
            },
            Err(error) => Err(Arc::clone(error)),
        };
        // Orders of a session that is over are dispatched, and sent again when their agent is back.
        let _ = one.answer.send(answer);
    }
}

fn conflict(refused: &[(usize, Conflict)], place: usize) -> Option<Arc<StoreError>> {
    let (_, conflict) = refused.iter().find(|(other, _)| *other == place)?;
    Some(Arc::new((*conflict).into()))
}
