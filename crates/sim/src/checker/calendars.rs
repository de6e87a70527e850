//! Calendars: in the end every job is due by the calendar that it follows, as it was saved last.

use crate::report::Violation;
use crate::world::World;

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    for job in world.db.jobs.keys() {
        if world.is_behind_calendar(*job) {
            let own = world.db.jobs[job].current().0.today;
            let detail = format!("job {job} follows {own:?}, not {:?}", world.db.today);
            found.push(Violation {
                promise: "P1 jobs follow their calendars",
                run: None,
                detail,
            });
        }
    }
}
