//! Which secrets a process gets, and how. The values are nowhere in here: a definition and an order carry names only.

use crate::job::{SpecError, check, check_variable};

/// Most secrets of one job.
pub const USES_MAX: usize = 32;

/// Longest value of a secret in bytes.
pub const VALUE_BYTES_MAX: usize = 64 << 10;

/// Values shorter than this are not masked in output: too much else would look like them.
pub const MASKED_FROM_BYTES: usize = 6;

/// A secret that a job uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretUse {
    /// Its name in the job's group.
    pub name: String,
    /// How the process gets it.
    pub given: Given,
}

/// How a process gets a secret; never as an argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Given {
    /// In this environment variable.
    Environment(String),
    /// In a file of this name in the directory that `CRONFLEET_SECRETS_DIR` names.
    File(String),
}

/// Whether a text can be the name of a secret or of its file: 1 to 64 letters, digits, `.`, `_` and `-`, not beginning with `.`.
pub fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
}

/// Checks the secrets of a job; `has_variable` says which variables the job sets itself.
///
/// # Errors
/// The first rule that is broken.
pub(crate) fn validate(
    uses: &[SecretUse],
    has_variable: impl Fn(&str) -> bool,
) -> Result<(), SpecError> {
    check(
        uses.len() <= USES_MAX,
        "secrets",
        "job.too_many_secrets",
        || {
            (
                format!("{} secrets are used", uses.len()),
                format!("use at most {USES_MAX}"),
            )
        },
    )?;
    for (place, secret) in uses.iter().enumerate() {
        let field = format!("secrets[{place}]");
        check_form(&format!("{field}.name"), &secret.name)?;
        match &secret.given {
            Given::Environment(name) => {
                let field = format!("{field}.as.env");
                check_variable(&field, name)?;
                check(!has_variable(name), &field, "job.secret_twice", || {
                    (
                        format!("variable {name} is set in the environment, too"),
                        "choose another variable, or remove it from the environment".into(),
                    )
                })?;
            }
            Given::File(name) => check_form(&format!("{field}.as.file"), name)?,
        }
        let is_taken = uses[..place]
            .iter()
            .any(|other| other.given == secret.given);
        check(
            !is_taken,
            &format!("{field}.as"),
            "job.secret_twice",
            || {
                (
                    "two secrets are given in the same place".into(),
                    "choose another variable or file".into(),
                )
            },
        )?;
    }
    Ok(())
}

fn check_form(field: &str, name: &str) -> Result<(), SpecError> {
    check(is_name(name), field, "job.secret_name", || {
        (
            format!("{name:?} is not a name"),
            "use 1 to 64 letters, digits, dots, _ and -, not a dot first".into(),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn used(name: &str, given: Given) -> SecretUse {
        SecretUse {
            name: name.into(),
            given,
        }
    }

    #[test]
    fn uses_that_cannot_be_are_refused_by_field() {
        let env = |name: &str| Given::Environment(name.into());
        let file = |name: &str| Given::File(name.into());
        let good = [used("db", env("DB")), used("db", file("db.key"))];
        assert_eq!(validate(&good, |_| false), Ok(()));
        let cases = [
            (used("a/b", env("A")), "secrets[0].name"),
            (used("", env("A")), "secrets[0].name"),
            (used("a", env("1A")), "secrets[0].as.env"),
            (used("a", env("LD_PRELOAD")), "secrets[0].as.env"),
            (used("a", env("CRONFLEET_X")), "secrets[0].as.env"),
            (used("a", env("TAKEN")), "secrets[0].as.env"),
            (used("a", file("../x")), "secrets[0].as.file"),
            (used("a", file(".x")), "secrets[0].as.file"),
        ];
        for (secret, field) in cases {
            let error = validate(&[secret], |name| name == "TAKEN").expect_err(field);
            assert_eq!(error.field, field, "{error}");
        }
        let twice = [used("a", env("A")), used("b", env("A"))];
        let error = validate(&twice, |_| false).expect_err("twice");
        assert_eq!(error.field, "secrets[1].as");
        let many: Vec<SecretUse> = (0..33).map(|n| used("a", file(&format!("f{n}")))).collect();
        assert_eq!(
            validate(&many, |_| false).expect_err("many").field,
            "secrets"
        );
    }
}
