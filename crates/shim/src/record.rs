//! The one text form of all files in a life folder.
//!
//! ```text
//! cronfleet.spec 1
//! arg 4
//! echo
//! arg 5
//! a
//! bc
//! end 0
//!
//! ```
//! A head line with kind and version, then fields: key, length in bytes, newline, that many bytes, newline. Values
//! are bytes, keys may repeat, `end` closes the record so that a cut file is told from a whole one.

use std::fmt;
use std::str::FromStr;

const END: &str = "end";

/// Why a file could not be understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FormatError {
    /// The head line is missing or names another kind of record.
    Kind,
    /// Written in a version that this program does not read.
    Version {
        /// The version found.
        found: u32,
    },
    /// The file ends before its `end` field.
    Cut,
    /// A field line is not `key length`.
    Line {
        /// Byte offset of the line.
        offset: usize,
    },
    /// A field that must be present once is not.
    Missing {
        /// Key of the field.
        key: &'static str,
    },
    /// A value is not what its key promises.
    Value {
        /// Key of the field.
        key: String,
    },
    /// A key that this program does not know, where ignoring it would be unsafe.
    Unknown {
        /// The key found.
        key: String,
    },
}

impl fmt::Display for FormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind => write!(f, "not the expected kind of record"),
            Self::Version { found } => write!(f, "record version {found} is not readable"),
            Self::Cut => write!(f, "record is cut off"),
            Self::Line { offset } => write!(f, "malformed field at byte {offset}"),
            Self::Missing { key } => write!(f, "field {key} is missing"),
            Self::Value { key } => write!(f, "field {key} has an impossible value"),
            Self::Unknown { key } => write!(f, "field {key} is unknown"),
        }
    }
}

impl std::error::Error for FormatError {}

/// Builds a record field by field.
#[derive(Debug)]
pub struct RecordWriter {
    bytes: Vec<u8>,
}

impl RecordWriter {
    /// Begins a record of `kind` (a word without spaces) in `version`.
    #[must_use]
    pub fn new(kind: &str, version: u32) -> Self {
        Self {
            bytes: format!("{kind} {version}\n").into_bytes(),
        }
    }

    /// Adds one field. `key` is a word without spaces or newlines.
    ///
    /// # Panics
    /// If `key` is `end`, which closes a record.
    pub fn bytes(&mut self, key: &str, value: &[u8]) {
        assert_ne!(key, END, "a field may not be named like the end mark");
        self.field(key, value);
    }

    fn field(&mut self, key: &str, value: &[u8]) {
        self.bytes
            .extend_from_slice(format!("{key} {}\n", value.len()).as_bytes());
        self.bytes.extend_from_slice(value);
        self.bytes.push(b'\n');
    }

    /// Adds one field that is a number or a word.
    pub fn text(&mut self, key: &str, value: impl fmt::Display) {
        self.bytes(key, value.to_string().as_bytes());
    }

    /// Adds one field that is true or false.
    pub fn flag(&mut self, key: &str, value: bool) {
        self.bytes(key, if value { b"1" } else { b"0" });
    }

    /// Closes the record and gives its bytes.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.field(END, b"");
        self.bytes
    }
}

/// A parsed record: its version and its fields in order.
#[derive(Debug)]
pub struct Record<'a> {
    /// Version named by the head line.
    pub version: u32,
    /// Keys and values in the order of the file, without `end`.
    pub fields: Vec<(&'a str, &'a [u8])>,
}

impl<'a> Record<'a> {
    /// Splits `bytes` into fields without interpreting them. Bytes after `end` are ignored.
    ///
    /// # Errors
    /// [`FormatError`] if the head line is not of `kind`, the version is above `newest`, or the fields do not add up.
    pub fn parse(bytes: &'a [u8], kind: &str, newest: u32) -> Result<Self, FormatError> {
        let (head, mut at) = line(bytes, 0).ok_or(FormatError::Kind)?;
        let (found_kind, version) = head.split_once(' ').ok_or(FormatError::Kind)?;
        if found_kind != kind {
            return Err(FormatError::Kind);
        }
        let version: u32 = version.parse().map_err(|_| FormatError::Kind)?;
        if version == 0 || version > newest {
            return Err(FormatError::Version { found: version });
        }
        let mut fields = Vec::new();
        loop {
            let (text, start) = line(bytes, at).ok_or(FormatError::Cut)?;
            let malformed = FormatError::Line { offset: at };
            let (key, len) = text.split_once(' ').ok_or(malformed.clone())?;
            let len: usize = len.parse().map_err(|_| malformed.clone())?;
            let end = start.checked_add(len).ok_or(malformed.clone())?;
            if end >= bytes.len() {
                return Err(FormatError::Cut);
            }
            if bytes[end] != b'\n' {
                return Err(malformed);
            }
            if key == END {
                return Ok(Self { version, fields });
            }
            fields.push((key, &bytes[start..end]));
            at = end + 1;
        }
    }

    /// Gives the first value of `key`.
    ///
    /// # Errors
    /// [`FormatError::Missing`] if there is none.
    pub fn get(&self, key: &'static str) -> Result<&'a [u8], FormatError> {
        self.find(key).ok_or(FormatError::Missing { key })
    }

    /// Gives the first value of `key`, if there is one.
    #[must_use]
    pub fn find(&self, key: &str) -> Option<&'a [u8]> {
        self.fields.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }

    /// Gives every value of `key`, in order.
    pub fn all(&self, key: &str) -> impl Iterator<Item = &'a [u8]> {
        let of_key = self.fields.iter().filter(move |(k, _)| *k == key);
        of_key.map(|(_, v)| *v)
    }

    /// Gives the first value of `key` as a number.
    ///
    /// # Errors
    /// [`FormatError::Missing`] or [`FormatError::Value`].
    pub fn number<T: FromStr>(&self, key: &'static str) -> Result<T, FormatError> {
        number(key, self.get(key)?)
    }
}

/// Reads a decimal number.
///
/// # Errors
/// [`FormatError::Value`] if `value` is not one or does not fit.
pub fn number<T: FromStr>(key: &str, value: &[u8]) -> Result<T, FormatError> {
    text(key, value)?.parse().map_err(|_| FormatError::Value {
        key: key.to_owned(),
    })
}

/// Reads UTF-8 text.
///
/// # Errors
/// [`FormatError::Value`] if `value` is not UTF-8.
pub fn text<'a>(key: &str, value: &'a [u8]) -> Result<&'a str, FormatError> {
    std::str::from_utf8(value).map_err(|_| FormatError::Value {
        key: key.to_owned(),
    })
}

/// Reads true or false.
///
/// # Errors
/// [`FormatError::Value`] if `value` is neither `1` nor `0`.
pub fn flag(key: &str, value: &[u8]) -> Result<bool, FormatError> {
    match value {
        b"1" => Ok(true),
        b"0" => Ok(false),
        _ => Err(FormatError::Value {
            key: key.to_owned(),
        }),
    }
}

/// Gives the line that begins at `at` and the offset after its newline.
fn line(bytes: &[u8], at: usize) -> Option<(&str, usize)> {
    let rest = bytes.get(at..)?;
    let len = rest.iter().position(|b| *b == b'\n')?;
    Some((std::str::from_utf8(&rest[..len]).ok()?, at + len + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Vec<u8> {
        let mut w = RecordWriter::new("cronfleet.test", 1);
        w.bytes("arg", b"a\nb \0\xff");
        w.bytes("arg", b"");
        w.text("count", 42);
        w.flag("on", true);
        w.finish()
    }

    #[test]
    fn bytes_come_back_as_they_were() {
        let bytes = sample();
        let record = Record::parse(&bytes, "cronfleet.test", 1).unwrap();
        assert_eq!(record.version, 1);
        assert_eq!(record.fields[0], ("arg", &b"a\nb \0\xff"[..]));
        assert_eq!(record.fields[1], ("arg", &b""[..]));
        assert_eq!(record.number::<u8>("count"), Ok(42));
        assert_eq!(flag("on", record.get("on").unwrap()), Ok(true));
    }

    #[test]
    fn every_cut_is_noticed() {
        let bytes = sample();
        for len in 0..bytes.len() {
            assert!(
                Record::parse(&bytes[..len], "cronfleet.test", 1).is_err(),
                "a record cut to {len} bytes was accepted"
            );
        }
    }

    #[test]
    fn wrong_heads_and_lengths_are_refused() {
        let cases: [(&[u8], FormatError); 5] = [
            (b"other 1\nend 0\n\n", FormatError::Kind),
            (b"k 2\nend 0\n\n", FormatError::Version { found: 2 }),
            (
                b"k 1\na 99999999999999999999\nx\nend 0\n\n",
                FormatError::Line { offset: 4 },
            ),
            (
                b"k 1\na 18446744073709551615\nx\nend 0\n\n",
                FormatError::Line { offset: 4 },
            ),
            (b"k 1\na 2\nx\nend 0\n\n", FormatError::Line { offset: 4 }),
        ];
        for (bytes, expected) in cases {
            assert_eq!(Record::parse(bytes, "k", 1).err(), Some(expected));
        }
    }
}
