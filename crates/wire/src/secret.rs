//! Values that must not be seen: not in logs, not in memory after use.

use zeroize::Zeroizing;

/// Bytes that nobody shall read by accident: not in `Debug`, and wiped when dropped.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the value.
    pub fn new(value: Vec<u8>) -> Self {
        Self(Zeroizing::new(value))
    }

    /// The value. What is done with it must not show it to anybody.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl std::fmt::Debug for crate::v1::SecretValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SecretValue({:?}: ***)", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::v1;

    #[test]
    fn values_show_in_no_message() {
        let value = v1::SecretValue {
            name: "db".into(),
            value: b"hunter22".to_vec().into(),
            version: 1,
        };
        let message = v1::FromCenter {
            body: Some(v1::from_center::Body::Secrets(v1::Secrets {
                sequence: 1,
                values: vec![value],
                missing: vec![],
                is_refused: false,
            })),
        };
        let shown = format!("{message:?} {:?}", Secret::new(b"hunter22".to_vec()));
        assert!(shown.contains("db") && shown.contains("***"), "{shown}");
        assert!(
            !shown.contains("hunter22") && !shown.contains("104, 117"),
            "{shown}"
        );
    }
}
