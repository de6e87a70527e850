//! `cronfleet up` and the client commands, as somebody uses them who has just installed Cronfleet: the real program, a real
//! agent, real processes.

mod bulk;
mod calendars;
mod client;
mod definitions;
mod demo;
mod forecast;
mod machine;
mod people;
mod rig;
mod signals;
