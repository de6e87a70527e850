//! Faults of ours, built in on purpose: each must turn the checker red, or the checker proves nothing.

/// A mistake that a center or an agent might have been written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mutant {
    /// The watermark is committed before the run rows.
    WatermarkFirst,
    /// After a restart the center plans from now on, not from the watermark.
    PlansFromNow,
    /// Orders are sent before `dispatched` is committed.
    SendsBeforeCommit,
    /// The center ends runs as missed that it had sent.
    MissesWhatWasSent,
    /// A new version's runs do not wait for the answer about the old one's.
    EditsWithoutWaiting,
    /// Lost runs are tried again.
    RetriesLost,
    /// The job's overlap policy is not part of the order.
    AllowsOverlap,
    /// However many runs wait for their turn, one more may.
    QueuesWithoutEnd,
    /// What takes the place of another run waits until that one has ended by itself.
    WaitsToReplace,
    /// Agents are not told the limits on their runs.
    TellsNoLimits,
    /// A restarting agent does not know the limits on its runs before a center tells them.
    ForgetsLimits,
    /// The end of the window is not part of the order.
    IgnoresWindow,
    /// The agent's idea of the center's clock is two seconds fast.
    StartsEarly,
    /// A restarting agent does not ask its host what it holds.
    ForgetsLives,
    /// The agent forgets a run as soon as its end is acknowledged.
    ForgetsTombstones,
    /// Runs are prepared before their orders are on the disk.
    ArmsUnsynced,
    /// A process that was killed counts as exited with status 0.
    KillsSucceed,
    /// What vanished counts as exited with status 0.
    LostSucceeds,
    /// The ledger is not written at all.
    NoLedger,
    /// Planning transactions do not ask whether their center's term goes on.
    NoFence,
    /// A plan is committed whatever has become of its job since.
    CommitsStalePlans,
    /// A center that takes planning over runs every job at once.
    ForceRunAtFailover,
    /// A center that stops gives the lease back as if nobody had ever had it.
    ResignResetsEpoch,
    /// Whether the lease is free is judged by the clock of whoever wants it.
    LeaseByOwnClock,
    /// A planner trusts itself until it is told otherwise.
    TrustsItself,
    /// A planner plans by its own clock.
    PlansByOwnClock,
    /// Whatever a job catches up, it catches up without a bound.
    CatchesUpEverything,
    /// What failed is tried again, also after ends that the job does not name.
    RetriesEveryFailure,
    /// What failed is not tried again.
    ForgetsRetries,
    /// Jobs are planned also outside of the time in which they are active.
    IgnoresActiveSpan,
    /// Jobs are planned as if they had no jitter.
    IgnoresJitter,
    /// How long a target waits by its job's jitter is drawn anew each time.
    DrawsJitterAnew,
    /// Windows are made, and the planner does not look at them.
    IgnoresWindows,
    /// Jobs are snoozed, and the planner does not look at it.
    IgnoresSnooze,
    /// What was due in a window counts as missed.
    HeldIsMissed,
    /// A plan is committed whatever windows have been made since.
    CommitsWithoutWindow,
    /// A calendar is saved, and jobs that follow it stay as they are.
    ForgetsCalendars,
    /// A job that follows a calendar is due by its new days without a new version: what is planned stays, and what was decided is.
    FollowsInPlace,
    /// Offers are sent as if they were orders.
    OffersAsOrders,
    /// An offer gets the word before that is committed.
    WordBeforeCommit,
    /// An offer that got the word goes on to another agent when its own is out of reach.
    MovesAfterWord,
    /// The word is given whatever is alive on other agents.
    IgnoresOccupants,
    /// Offers stay with the agent that was asked first.
    KeepsOffers,
}

impl Mutant {
    /// All of them.
    pub const ALL: [Self; 43] = [
        Self::WatermarkFirst,
        Self::PlansFromNow,
        Self::SendsBeforeCommit,
        Self::MissesWhatWasSent,
        Self::EditsWithoutWaiting,
        Self::RetriesLost,
        Self::AllowsOverlap,
        Self::QueuesWithoutEnd,
        Self::WaitsToReplace,
        Self::TellsNoLimits,
        Self::ForgetsLimits,
        Self::IgnoresWindow,
        Self::StartsEarly,
        Self::ForgetsLives,
        Self::ForgetsTombstones,
        Self::ArmsUnsynced,
        Self::KillsSucceed,
        Self::LostSucceeds,
        Self::NoLedger,
        Self::NoFence,
        Self::CommitsStalePlans,
        Self::ForceRunAtFailover,
        Self::ResignResetsEpoch,
        Self::LeaseByOwnClock,
        Self::TrustsItself,
        Self::PlansByOwnClock,
        Self::CatchesUpEverything,
        Self::RetriesEveryFailure,
        Self::ForgetsRetries,
        Self::IgnoresActiveSpan,
        Self::IgnoresJitter,
        Self::DrawsJitterAnew,
        Self::IgnoresWindows,
        Self::IgnoresSnooze,
        Self::HeldIsMissed,
        Self::CommitsWithoutWindow,
        Self::ForgetsCalendars,
        Self::FollowsInPlace,
        Self::OffersAsOrders,
        Self::WordBeforeCommit,
        Self::MovesAfterWord,
        Self::IgnoresOccupants,
        Self::KeepsOffers,
    ];
}
