//! Names in certificates and tokens: who is who on the link.

use cronfleet_core::id::AgentId;

/// Server name in every center's certificate. Agents check it instead of the address they dialled.
pub const CENTER_NAME: &str = "center.cronfleet.internal";

/// URI in an agent's certificate; identity comes from it and from nothing else.
pub fn agent_uri(agent: AgentId) -> String {
    format!("cronfleet://agent/{agent}")
}

/// Reads [`agent_uri`].
pub fn agent_of_uri(uri: &str) -> Option<AgentId> {
    uri.strip_prefix("cronfleet://agent/")?.parse().ok()
}

/// The text of a join token: its id, its secret, and the pin of the center's CA.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// Public part, 16 hex digits.
    pub id: String,
    /// Secret part, 32 bytes.
    pub secret: [u8; 32],
    /// SHA-256 of the center's CA certificate (DER).
    pub ca_sha256: [u8; 32],
}

/// Text that is not a join token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a join token: expected cfj_<16 hex digits>_<64 hex digits>_<64 hex digits>")]
pub struct ParseJoinTokenError;

impl std::fmt::Debug for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JoinToken")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Display for JoinToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "cfj_{}_{}_{}",
            self.id,
            hex(&self.secret),
            hex(&self.ca_sha256)
        )
    }
}

impl std::str::FromStr for JoinToken {
    type Err = ParseJoinTokenError;

    fn from_str(text: &str) -> Result<Self, ParseJoinTokenError> {
        let mut parts = text
            .trim()
            .strip_prefix("cfj_")
            .ok_or(ParseJoinTokenError)?
            .split('_');
        let (Some(id), Some(secret), Some(pin), None) =
            (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(ParseJoinTokenError);
        };
        let has_form = id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit());
        if !has_form {
            return Err(ParseJoinTokenError);
        }
        Ok(Self {
            id: id.to_ascii_lowercase(),
            secret: unhex(secret).ok_or(ParseJoinTokenError)?,
            ca_sha256: unhex(pin).ok_or(ParseJoinTokenError)?,
        })
    }
}

/// Lower-case hex digits of bytes.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Reads exactly 64 hex digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_join_token_reads_back() {
        let token = JoinToken {
            id: "0123456789abcdef".into(),
            secret: [7; 32],
            ca_sha256: [255; 32],
        };
        assert_eq!(token.to_string().parse(), Ok(token.clone()));
        assert!(
            !format!("{token:?}").contains("0707"),
            "secrets stay out of logs"
        );
        for bad in [
            "",
            "cfj_",
            "cfj_0123456789abcdef_00_00",
            "cfj_é123456789abcdef_00_00",
        ] {
            assert_eq!(bad.parse::<JoinToken>(), Err(ParseJoinTokenError), "{bad}");
        }
    }

    #[test]
    fn an_agents_uri_reads_back() {
        let agent = AgentId::from_u128(42);
        assert_eq!(agent_of_uri(&agent_uri(agent)), Some(agent));
        assert_eq!(agent_of_uri("cronfleet://center/x"), None);
    }
}
