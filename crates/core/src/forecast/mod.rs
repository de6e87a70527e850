//! Forecast: the load that schedules and past durations promise for the next hours.
//!
//! A [`Fleet`] is told its jobs, each with its schedule, the agents it runs on and how long its runs took. [`forecast`] answers how many runs
//! start when (as planning would make them), how many processes are alive at the same time if runs take as long as they used to, which
//! runs will come while the one before is still alive, and which jobs of one fixed time would be better spread. [`change()`] answers what one
//! more job, or another definition of one, makes of it.
//!
//! How it stays quick: equal schedules are worked out once; jobs of one group on the same agents are one *block*, whose starts are counted
//! for one agent; the load of an agent, a group or everything is a sum of blocks. Starts are counted to the second, processes alive at
//! whole seconds, which is exact for everything but intervals shorter than a second.
//!
//! How it stays bounded: due instants are listed one by one only as far as [`LISTED_MAX`] of a schedule and a total of work allow. What is
//! due more often is counted per bucket and taken as evenly spread, and the answer says so.
//!
//! Not here: retries, runs that people ask for, restarts of hosts, daemons.

mod agents;
mod answer;
mod block;
mod change;
mod durations;
mod fleet;
mod instants;
mod load;
mod overlap;
mod suggestion;
mod tally;
mod turns;
mod window;

pub use self::answer::{AgentLoad, Forecast, GroupLoad, TOLD_MAX, forecast};
pub use self::change::{AgentChange, Change, change};
pub use self::durations::{DURATIONS_MAX, Durations};
pub use self::fleet::{AgentSet, Fleet, JobLoad, JobPlace};
pub use self::instants::LISTED_MAX;
pub use self::load::{Load, Peak, PeakJob, PeakJobs};
pub use self::overlap::{ExpectedOverlap, OverlapEffect};
pub use self::suggestion::Suggestion;
pub use self::window::Window;
