//! `cronfleet version`.

use cronfleet_core::schedule::time_zone_database_version;
use serde_json::json;

use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the version of this binary and of the time zone data in it.
pub(crate) fn run(screen: &mut Screen) -> Result<(), Failure> {
    let version = env!("CARGO_PKG_VERSION");
    let tzdb = time_zone_database_version();
    if screen.is_json() {
        return screen.json(&json!({ "version": version, "tzdb_version": tzdb }));
    }
    screen.line(format_args!(
        "cronfleet {version} (time zone database {tzdb})"
    ))
}
