//! `cronfleet openapi`: the description of the REST interface, as the center serves it.

use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the OpenAPI description.
pub(crate) fn run(screen: &mut Screen) -> Result<(), Failure> {
    let description = serde_json::to_value(cronfleet_center::http::openapi())
        .map_err(|error| Failure::system("encode the description", error))?;
    screen.json(&description)
}
