//! Asking before something is done that cannot be undone.

use dialoguer::Confirm;

use crate::failure::Failure;
use crate::screen::Screen;

/// Asks a person; refused when nobody is there to answer. `action` names the thing, `effect` what becomes of it.
pub(crate) fn confirm(action: &str, effect: &str) -> Result<bool, Failure> {
    if !Screen::can_ask() {
        return Err(Failure::Unconfirmed {
            action: format!("\"{action}\""),
        });
    }
    Confirm::new()
        .with_prompt(format!("{action}: {effect}. Go on?"))
        .default(false)
        .interact()
        .map_err(|error| Failure::system("ask for a confirmation", error))
}
