//! Durable state of the center in SQL: one concrete [`Store`], plain statements, several engines.
//!
//! One file per aggregate. Every function is one transaction that is complete when it answers; unique keys decide races. Every
//! read that answers a user takes a [`Reach`](cronfleet_core::access::Reach) and puts it into its `WHERE`: what is out of
//! reach does not exist. Functions that change something leave the question who may do so to the caller.
//!
//! What runs become is decided by [`cronfleet_core::run::step`] alone; this crate loads, asks it, and writes.

mod again;
mod agent;
mod agent_policy;
mod agent_row;
mod agent_session;
mod bulk;
mod calendar;
mod center;
mod change_set;
mod claim;
mod cleanup_row;
mod connect;
mod copy;
mod definition;
mod deployment;
mod dispatch;
mod engine;
mod error;
mod expire;
mod fault;
mod forecast;
mod group;
mod group_row;
mod hint;
mod job;
mod job_edit;
mod job_list;
mod join_token;
mod kill;
mod lapse;
mod lease;
mod manual;
mod many_jobs;
mod migrate;
mod offer;
mod older_run;
mod output;
mod output_row;
mod page;
mod pick;
mod plan;
mod plan_guard;
mod process;
mod retention;
mod retry;
mod run;
mod run_list;
mod run_state;
mod secret;
mod session;
mod slot;
mod slot_restart;
mod snooze;
mod spec;
mod spec_limits;
mod sql;
mod store;
mod target;
mod user;
mod vault;
mod why;
mod window;
mod window_sweep;
mod withdraw;

pub use agent::{
    AgentFacts, AgentFilter, AgentRow, AgentStanding, AgentState, AgentUpdate, SpoolLevel,
    WaitingRuns,
};
pub use agent_policy::AgentPolicy;
pub use agent_session::{Heartbeat, Session, SessionOpened};
pub use calendar::{
    CALENDARS_MAX, CalendarDeletion, CalendarHead, CalendarRow, JobBehind, NewCalendar,
};
pub use center::{CENTER_GONE_AFTER, CenterRow, NewCenter};
pub use change_set::{ChangeSet, JobBasis, JobChange};
pub use claim::{AgentClaim, ClaimsApplied, Said};
pub use connect::{DatabaseUrl, DatabaseUrlError};
pub use copy::{CopyError, TableCopied, copy};
pub use definition::{DefinedJob, JobHeading};
pub use deployment::SharedFact;
pub use dispatch::{OutstandingRun, PlannedTaken};
pub use engine::Engine;
pub use error::{Conflict, StoreError, Thing};
pub use forecast::{ActiveFilter, ActiveJob, ActivePlan};
pub use group::{GroupRow, GroupUpdate, MemberRow, NewGroup};
pub use hint::{HINT_BODY_MAX, Hint};
pub use job::{JobVersionRow, NewJob, Timing};
pub use job_edit::JobEdited;
pub use job_list::{JobFilter, JobKindWord, JobRow, RecentRun, SlotCounts};
pub use join_token::{NewAgent, NewJoinToken};
pub use kill::{KillAnswer, ReleaseAnswer};
pub use lapse::{Decision, LapseRow};
pub use lease::{Lease, LeaseRow};
pub use manual::{ManualAnswer, ManualRuns};
pub use many_jobs::{ManyRuns, Stake};
pub use offer::OffersDecided;
pub use output::{ChunkRow, LifeChunks, LifeKind, LifeRow, NewChunk};
pub use page::{NameKey, Page, TimeKey};
pub use plan::{JobPlan, JobToPlan, PlansCommitted};
pub use process::ProcessRow;
pub use retention::Purged;
pub use run::{RunDetail, RunMoved, RunRow};
pub use run_list::{RunFilter, RunPhase};
pub use secret::SecretHash;
pub use session::{Membership, NewSession, SignedIn};
pub use slot::{SlotChanged, SlotFilter, SlotRow};
pub use snooze::SnoozeRow;
pub use store::Store;
pub use target::agents_among;
pub use user::{Credentials, NewUser, UserRow, UserUpdate};
pub use vault::{JobSecrets, Sealed, SealedSecret, SecretRow};
pub use why::{TermHolder, WhyPage, WhyVersion};
pub use window::{
    NewWindow, WINDOWS_PER_SCOPE_MAX, WindowFilter, WindowRow, WindowScope, WindowSpec, WindowWhen,
};
pub use window_sweep::RunAhead;
pub use withdraw::{Revocation, Withdrawn};
