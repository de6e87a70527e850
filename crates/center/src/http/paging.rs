//! Pages: limits, and cursors that clients pass back without looking into them.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use cronfleet_api::page::{PAGE_LIMIT_DEFAULT, PAGE_LIMIT_MAX, Page};
use cronfleet_core::id::{JobId, RunId};
use cronfleet_store::{NameKey, TimeKey};
use jiff::Timestamp;
use uuid::Uuid;

use super::error::ApiError;

/// A key that a cursor holds.
pub(super) trait Key: Sized {
    /// The key as bytes.
    fn to_bytes(&self) -> Vec<u8>;
    /// Reads [`Key::to_bytes`].
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

impl Key for NameKey {
    fn to_bytes(&self) -> Vec<u8> {
        [self.id.as_bytes(), self.name.as_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (id, name) = bytes.split_first_chunk::<16>()?;
        Some(Self {
            name: std::str::from_utf8(name).ok()?.to_owned(),
            id: Uuid::from_bytes(*id),
        })
    }
}

impl Key for TimeKey {
    fn to_bytes(&self) -> Vec<u8> {
        [
            self.at.as_microsecond().to_be_bytes().as_slice(),
            self.id.as_bytes(),
        ]
        .concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (at, id) = bytes.split_first_chunk::<8>()?;
        let at = Timestamp::from_microsecond(i64::from_be_bytes(*at)).ok()?;
        Some(Self {
            at,
            id: Uuid::from_slice(id).ok()?,
        })
    }
}

impl Key for RunId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_uuid().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

impl Key for JobId {
    fn to_bytes(&self) -> Vec<u8> {
        self.as_uuid().as_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Uuid::from_slice(bytes).ok().map(Self::from_uuid)
    }
}

impl Key for u32 {
    fn to_bytes(&self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

/// Reads the parameter `cursor`.
pub(super) fn cursor<K: Key>(text: Option<&str>) -> Result<Option<K>, ApiError> {
    let Some(text) = text else { return Ok(None) };
    let key = BASE64_URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .and_then(|bytes| K::from_bytes(&bytes));
    key.map(Some).ok_or_else(|| ApiError::Parameter {
        name: "cursor".to_owned(),
        message: "this is not a cursor of this list".to_owned(),
        hint: Some("pass next_cursor of the page before, unchanged".to_owned()),
    })
}

/// Reads the parameter `limit`.
pub(super) fn limit(limit: Option<u32>) -> Result<u32, ApiError> {
    match limit {
        None => Ok(PAGE_LIMIT_DEFAULT),
        Some(limit @ 1..=PAGE_LIMIT_MAX) => Ok(limit),
        Some(limit) => Err(ApiError::Parameter {
            name: "limit".to_owned(),
            message: format!("limit is {limit}"),
            hint: Some(format!("use 1 to {PAGE_LIMIT_MAX}")),
        }),
    }
}

/// The page to answer.
pub(super) fn page<T, K: Key, U>(
    page: cronfleet_store::Page<T, K>,
    shown: impl FnMut(T) -> U,
) -> Page<U> {
    Page {
        items: page.items.into_iter().map(shown).collect(),
        next_cursor: page.next.map(|key| text(&key)),
    }
}

/// The cursor of a key.
pub(super) fn text(key: &impl Key) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(key.to_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back() {
        let name = NameKey {
            name: "備份 %_'".into(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor(Some(&text(&name))).unwrap(), Some(name));
        let time = TimeKey {
            at: Timestamp::from_microsecond(-5).unwrap(),
            id: Uuid::from_u128(7),
        };
        assert_eq!(cursor(Some(&text(&time))).unwrap(), Some(time));
        assert_eq!(cursor::<TimeKey>(None).unwrap(), None);
    }

    #[test]
    fn anything_else_is_no_cursor() {
        for bad in [
            "",
            "x",
            "!!!!",
            "' OR 1=1 --",
            "AAAA",
            "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        ] {
            assert!(
                matches!(
                    cursor::<TimeKey>(Some(bad)),
                    Err(ApiError::Parameter { .. })
                ),
                "{bad}"
            );
        }
    }

    #[test]
    fn limits_are_bounded() {
        assert_eq!(limit(None).unwrap(), PAGE_LIMIT_DEFAULT);
        assert_eq!(limit(Some(1)).unwrap(), 1);
        assert!(limit(Some(0)).is_err() && limit(Some(501)).is_err());
    }
}
