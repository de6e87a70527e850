//! The one-time code that makes whoever has it the first administrator. There is no default account.

use cronfleet_store::{SecretHash, Store, StoreError};
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest, Sha256};

use crate::mint::Mint;

/// How long a code is good for.
pub const CODE_LIFETIME: SignedDuration = SignedDuration::from_mins(30);

/// Letters and digits that nobody mistakes for each other (Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Characters of a code: 100 bits.
const CODE_LEN: usize = 20;

/// Makes a new setup code if there is no user yet, and forgets the one before. To be called at every start; the caller shows
/// the code to whoever started the center. Only its hash is stored.
///
/// # Errors
/// [`StoreError::Unavailable`].
pub async fn renew_code(
    store: &Store,
    mint: &Mint,
    now: Timestamp,
) -> Result<Option<String>, StoreError> {
    if !store.is_setup_needed().await? {
        return Ok(None);
    }
    let code = code(&mint.secret());
    store
        .put_setup_code(
            hash(&code),
            now.checked_add(CODE_LIFETIME).unwrap_or(Timestamp::MAX),
        )
        .await?;
    Ok(Some(code))
}

/// A code in groups of four, e.g. `7K2M-…`.
fn code(secret: &[u8; 32]) -> String {
    let mut code = String::new();
    for (place, byte) in secret.iter().take(CODE_LEN).enumerate() {
        if place > 0 && place % 4 == 0 {
            code.push('-');
        }
        code.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    code
}

/// The hash of a code as typed: case, spaces and dashes do not matter, `O` counts as `0`, `I` and `L` as `1`.
pub fn hash(typed: &str) -> SecretHash {
    let plain: String = typed
        .chars()
        .filter(|c| c.is_ascii_alphanumeric())
        .map(|c| match c.to_ascii_uppercase() {
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        })
        .collect();
    SecretHash(Sha256::digest(plain.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_readable_and_forgives_how_it_is_typed() {
        let code = code(&Mint::from_seed(1).secret());
        assert_eq!(code.len(), 24);
        assert!(code.split('-').all(|group| group.len() == 4), "{code}");
        assert_eq!(hash(&code.to_lowercase().replace('-', " ")), hash(&code));
        assert_eq!(hash("10-00"), hash("lo oO"));
        assert_ne!(hash(&code), hash(&code[1..]));
    }
}
