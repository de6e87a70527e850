//! A piece of the schedule text that knows where it stands.

use super::error::{ErrorCode, Field, ScheduleError};

/// Part of a schedule text (ASCII only) and the 1-based column of its first character.
#[derive(Clone, Copy, Debug)]
pub(super) struct Piece<'a> {
    pub(super) text: &'a str,
    pub(super) column: usize,
}

impl<'a> Piece<'a> {
    /// The piece without spaces, tabs and line ends around it.
    pub(super) fn trim(self) -> Piece<'a> {
        let text = self.text.trim_ascii_start();
        Piece {
            text: text.trim_ascii_end(),
            column: self.column + self.text.len() - text.len(),
        }
    }

    /// The piece behind its first `count` characters.
    pub(super) fn skip(self, count: usize) -> Piece<'a> {
        Piece {
            text: self.text.get(count..).unwrap_or(""),
            column: self.column + count,
        }
    }

    /// What stands before and behind the first `separator`.
    pub(super) fn split_once(self, separator: char) -> Option<(Piece<'a>, Piece<'a>)> {
        let (left, right) = self.text.split_once(separator)?;
        let column = self.column + left.len() + 1;
        Some((
            Piece {
                text: left,
                column: self.column,
            },
            Piece {
                text: right,
                column,
            },
        ))
    }

    /// The pieces between separators, empty ones included.
    pub(super) fn split(self, separator: char) -> impl Iterator<Item = Piece<'a>> {
        let mut column = self.column;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, column };
            column += text.len() + 1;
            piece
        })
    }

    /// The first word and what follows it; words are apart by spaces or tabs.
    pub(super) fn split_word(self) -> (Piece<'a>, Piece<'a>) {
        let len = self.text.find([' ', '\t']).unwrap_or(self.text.len());
        (
            Piece {
                text: &self.text[..len],
                column: self.column,
            },
            self.skip(len).trim(),
        )
    }

    /// Whether the piece is nothing but digits, at least one.
    pub(super) fn is_number(self) -> bool {
        !self.text.is_empty() && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// The number that the digits of the piece write; `u32::MAX` when it is larger.
    pub(super) fn number(self) -> u32 {
        u32::try_from(self.large_number()).unwrap_or(u32::MAX)
    }

    /// The number that the digits of the piece write; `u64::MAX` when it is larger.
    pub(super) fn large_number(self) -> u64 {
        self.text.bytes().fold(0, |number: u64, digit| {
            number
                .saturating_mul(10)
                .saturating_add(u64::from(digit.wrapping_sub(b'0')))
        })
    }

    /// Refuses the piece.
    pub(super) fn refuse(
        self,
        code: ErrorCode,
        field: Field,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> ScheduleError {
        ScheduleError::new(code, field, self.column, self.text, message, hint)
    }

    /// Refuses the first character of the piece for which `is_known` is false, or else its first one.
    pub(super) fn refuse_character(
        self,
        field: Field,
        is_known: impl Fn(char) -> bool,
        hint: impl Into<String>,
    ) -> ScheduleError {
        let at = self
            .text
            .find(|character| !is_known(character))
            .unwrap_or(0);
        let found: String = self.skip(at).text.chars().take(1).collect();
        let message = format!("unexpected {found:?} in the {} field", field.words());
        ScheduleError::new(
            ErrorCode::UnexpectedCharacter,
            field,
            self.column + at,
            &found,
            message,
            hint,
        )
    }
}
