//! What an agent lets its center do: rules that the administrator of its machine wrote, and the one function that applies them.
//!
//! The center has no part in this: it cannot read, change or get round a policy. The shell looks up what a start is about (the
//! user with its groups, the real file behind the program, the real directory) and asks [`decide`]; [`judge()`] gives the same
//! answer rule by rule, for people.
//!
//! ```text
//! rule                 | denies
//! run_as.deny_root     | the user has uid 0
//! run_as.deny          | the name matches one of these
//! run_as.allow         | the name matches none of these
//! run_as.min_uid       | the uid is smaller
//! run_as.deny_groups   | the user is in one of these groups
//! exec.scripts         | it is a script text that the center sent, and those are not allowed
//! exec.mode            | the real file is not one of those allowed
//! exec.owners          | somebody else owns, or may change, the real file or a directory above it
//! exec.shells          | the real file is a shell, and those are not allowed
//! exec.privileges      | the job asks to gain privileges by set-user-id programs, and may not
//! directory.roots      | the real working directory is below none of these
//! environment.allow    | the job sets a variable that is not one of these
//! environment.steering | the job sets a variable that makes programs run other code, while exec.mode bounds programs
//! ```
//! Where `exec.mode` is `any`, or a shell or another interpreter is allowed, the bound is the user: that program can do whatever
//! its user can.

mod judge;
mod pattern;
mod request;
mod rules;

pub use judge::{Decision, Denial, Finding, Rule, decide, judge};
pub use pattern::Pattern;
pub use request::{Directory, Distrust, Group, Program, Request, User};
pub use rules::{Caps, DENIED_GROUPS, ExecMode, ExecRules, MIN_UID, Policy, RunAsRules};
