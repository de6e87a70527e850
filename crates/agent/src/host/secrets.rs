//! Secrets of one life: how they get to the process, and what of them is blotted out in its output.

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use cronfleet_core::secret::MASKED_FROM_BYTES;
use cronfleet_wire::secret::Secret;

use super::open::is_root;
use super::user::RunUser;

/// Longest pattern; a longer text is looked for piece by piece.
const PATTERN_LEN_MAX: usize = 1_024;

/// Most lines of a value that are looked for on their own.
const LINES_MAX: usize = 256;

/// Secrets that a process gets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LifeSecrets {
    /// Variables with their values.
    pub environment: Vec<(String, Secret)>,
    /// Names of files with their contents.
    pub files: Vec<(String, Secret)>,
}

impl LifeSecrets {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.environment.is_empty() && self.files.is_empty()
    }

    /// Writes the files into a directory that only the user can enter.
    pub(super) fn write(&self, directory: &Path, user: &RunUser) -> io::Result<()> {
        if self.files.is_empty() {
            return Ok(());
        }
        DirBuilder::new().mode(0o700).create(directory)?;
        for (name, value) in &self.files {
            let path = directory.join(name);
            let mut file = OpenOptions::new()
                .create_new(true)
                .write(true)
                .mode(0o400)
                .open(&path)?;
            file.write_all(value.expose())?;
            give(&path, user)?;
        }
        fs::set_permissions(directory, Permissions::from_mode(0o700))?;
        give(directory, user)
    }

    /// Everything to look for in output: each value, its lines, and both in base64 and percent encoding. Best effort: what is
    /// encrypted, compressed, cut up or otherwise changed by the process is not found.
    pub(super) fn patterns(&self) -> Vec<Vec<u8>> {
        let mut patterns = Vec::new();
        for (_, value) in self.environment.iter().chain(&self.files) {
            let whole = value.expose().trim_ascii();
            add_forms(whole, &mut patterns);
            let lines = whole.split(|byte| *byte == b'\n');
            if lines.clone().nth(1).is_some() {
                for line in lines.take(LINES_MAX) {
                    add_forms(line.trim_ascii(), &mut patterns);
                }
            }
        }
        patterns.sort_unstable();
        patterns.dedup();
        patterns
    }
}

fn give(path: &Path, user: &RunUser) -> io::Result<()> {
    if is_root() {
        chown(path, Some(user.uid), Some(user.gid))?;
    }
    Ok(())
}

fn add_forms(text: &[u8], patterns: &mut Vec<Vec<u8>>) {
    if text.len() < MASKED_FROM_BYTES {
        return;
    }
    add(text, patterns);
    for skipped in 0..3 {
        let (standard, url_safe) = base64_inside(text, skipped);
        add(&standard, patterns);
        add(&url_safe, patterns);
    }
    add(&percent_encoded(text), patterns);
}

/// What is certain to stand in the base64 of any text that contains this one `skipped` bytes after a multiple of three: the
/// first and the last character may depend on what is around it.
fn base64_inside(text: &[u8], skipped: usize) -> (Vec<u8>, Vec<u8>) {
    let mut padded = vec![0; skipped];
    padded.extend_from_slice(text);
    let first = (skipped * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    let inside = |encoded: String| encoded.as_bytes()[first..end].to_vec();
    (
        inside(STANDARD_NO_PAD.encode(&padded)),
        inside(URL_SAFE_NO_PAD.encode(&padded)),
    )
}

/// The text in a URL: everything but letters, digits and `-._~` as `%XX`.
fn percent_encoded(text: &[u8]) -> Vec<u8> {
    let mut encoded = Vec::new();
    for byte in text {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(byte) {
            encoded.push(*byte);
        } else {
            encoded.extend_from_slice(format!("%{byte:02X}").as_bytes());
        }
    }
    encoded
}

/// Adds a text, in pieces if it is long. A rest that would be too short on its own stays with the piece before.
fn add(text: &[u8], patterns: &mut Vec<Vec<u8>>) {
    let mut rest = text;
    while rest.len() >= PATTERN_LEN_MAX + MASKED_FROM_BYTES {
        let (piece, after) = rest.split_at(PATTERN_LEN_MAX);
        patterns.push(piece.to_vec());
        rest = after;
    }
    if rest.len() >= MASKED_FROM_BYTES {
        patterns.push(rest.to_vec());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patterns(value: &str) -> Vec<Vec<u8>> {
        let secrets = LifeSecrets {
            environment: vec![("A".into(), Secret::new(value.into()))],
            files: Vec::new(),
        };
        secrets.patterns()
    }

    fn is_found(patterns: &[Vec<u8>], text: &str) -> bool {
        patterns
            .iter()
            .any(|p| text.as_bytes().windows(p.len()).any(|w| w == p))
    }

    #[test]
    fn a_value_is_found_in_its_usual_disguises() {
        let value = "p&ss/wörd+1";
        let patterns = patterns(value);
        assert!(is_found(&patterns, &format!("password={value};")));
        assert!(is_found(&patterns, "u=p%26ss%2Fw%C3%B6rd%2B1&x=1"));
        for before in ["", "a", "ab", "abc", "user:", "longer user:"] {
            for after in ["", "x", "xy", "xyz"] {
                let text = format!("{before}{value}{after}");
                for encoded in [STANDARD_NO_PAD.encode(&text), URL_SAFE_NO_PAD.encode(&text)] {
                    assert!(is_found(&patterns, &encoded), "{text}: {encoded}");
                }
            }
        }
        assert!(!is_found(&patterns, "p&ss/w"));
    }

    #[test]
    fn short_values_are_left_alone_and_long_ones_are_found_in_pieces() {
        assert!(patterns("abcde").is_empty());
        let long: String = (0..500).map(|n| format!("{n:05},")).collect();
        let patterns = patterns(&long);
        assert!(
            patterns
                .iter()
                .all(|p| p.len() < PATTERN_LEN_MAX + MASKED_FROM_BYTES)
        );
        let text = format!("<{long}>");
        let mut rest = text.into_bytes();
        for pattern in &patterns {
            if let Some(at) = rest.windows(pattern.len()).position(|w| w == pattern) {
                rest.drain(at..at + pattern.len());
            }
        }
        assert!(rest.len() <= 3, "{}", String::from_utf8_lossy(&rest));
    }

    #[test]
    fn lines_of_a_key_are_found_one_by_one() {
        let key = "-----BEGIN KEY-----\nMIIEvQIBADANBg\nkqhkiG9w0BAQEF\n-----END KEY-----\n";
        let patterns = patterns(key);
        assert!(is_found(&patterns, "> kqhkiG9w0BAQEF <"));
        assert!(is_found(&patterns, key.trim()));
    }
}
