//! `cronfleet openapi`: the description of the REST interface, as the center serves it.

use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the OpenAPI description.
pub(crate) fn run(screen: &mut Screen) -> Result<(), Failure> {
    screen.json(&cronfleet_center::http::openapi())
}
