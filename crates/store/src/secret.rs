//! Hashes of secrets: what is stored in place of tokens and codes.

use std::fmt;

use crate::error::StoreError;
use crate::sql::stored;

/// SHA-256 of a random secret (session token, join token, setup code). The secret itself is never stored.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl SecretHash {
    /// Reads 64 hexadecimal digits.
    fn from_hex(text: &str) -> Option<Self> {
        let mut bytes = [0_u8; 32];
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

stored!(
    SecretHash as String,
    String,
    |hash| hash.to_string(),
    |raw| SecretHash::from_hex(&raw).ok_or_else(|| StoreError::corrupt("hash", raw.len()))
);
