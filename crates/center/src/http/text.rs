//! Rules for names that people give.

use super::error::ApiError;

/// Checks a name: 1 to `length_max` characters, nothing invisible, no spaces around it.
///
/// # Errors
/// [`ApiError::Invalid`] on `field` with `code`.
pub(super) fn check_name(
    field: &str,
    code: &str,
    name: &str,
    length_max: usize,
) -> Result<(), ApiError> {
    let length = name.chars().count();
    let is_good = (1..=length_max).contains(&length)
        && name.trim() == name
        && !name.chars().any(|c| c.is_control() || is_invisible(c));
    if is_good {
        return Ok(());
    }
    let message = format!("{:?} cannot be a name", cut(name));
    let hint = format!("use 1 to {length_max} printable characters without spaces at the ends");
    Err(ApiError::invalid(field, code, message, hint))
}

/// Checks free text.
///
/// # Errors
/// [`ApiError::Invalid`] on `field` with `code`.
pub(super) fn check_length(
    field: &str,
    code: &str,
    text: &str,
    length_max: usize,
) -> Result<(), ApiError> {
    let length = text.chars().count();
    if length <= length_max {
        return Ok(());
    }
    let message = format!("{field} has {length} characters");
    Err(ApiError::invalid(
        field,
        code,
        message,
        format!("use at most {length_max}"),
    ))
}

/// Zero-width and direction-changing characters: they make one name look like another.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

/// At most 64 characters of a text, for messages.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(64).collect()
}
