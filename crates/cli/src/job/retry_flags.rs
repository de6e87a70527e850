//! Flags for the retries of a scheduled job.

use clap::Args;
use cronfleet_api::job::RetryPolicy;
use cronfleet_core::retry::Failure;

use super::spec_flags::{set, set_ms};
use crate::quantity::{Millis, parse_millis};
use crate::shown;

/// Flags for the retries of a scheduled job.
#[derive(Args, Default, PartialEq)]
pub(crate) struct RetryFlags {
    /// Attempts in all; 1 means no retry
    #[arg(long, value_name = "ATTEMPTS")]
    retry: Option<u32>,
    /// Wait before the second attempt; doubles each time
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    retry_backoff: Option<Millis>,
    /// Longest wait before an attempt
    #[arg(long, value_name = "TIME", value_parser = parse_millis)]
    retry_backoff_max: Option<Millis>,
    /// Only after these failures: exit statuses such as 75 or 64-78, signal, timeout, not_started; separated by commas
    #[arg(long, value_name = "FAILURES", value_delimiter = ',')]
    retry_on: Vec<Failure>,
}

impl RetryFlags {
    /// Each flag, and whether it was given.
    pub(super) fn given(&self) -> [(&'static str, bool); 4] {
        [
            ("--retry", self.retry.is_some()),
            ("--retry-backoff", self.retry_backoff.is_some()),
            ("--retry-backoff-max", self.retry_backoff_max.is_some()),
            ("--retry-on", !self.retry_on.is_empty()),
        ]
    }

    /// Changes a policy as the flags say.
    pub(super) fn apply(&self, retry: &mut RetryPolicy) {
        set(&mut retry.attempts_max, self.retry);
        set_ms(&mut retry.backoff_initial_ms, self.retry_backoff);
        set_ms(&mut retry.backoff_max_ms, self.retry_backoff_max);
        if !self.retry_on.is_empty() {
            retry.failures = self.retry_on.iter().map(Failure::to_string).collect();
        }
    }
}

/// How often, when and after what it is tried again; `None` if it is not.
pub(super) fn in_words(retry: &RetryPolicy) -> Option<String> {
    (retry.attempts_max > 1).then(|| {
        let mut said = format!(
            "at most {}, after {} to {}",
            retry.attempts_max,
            shown::duration_ms(retry.backoff_initial_ms),
            shown::duration_ms(retry.backoff_max_ms)
        );
        if !retry.failures.is_empty() {
            said.push_str(", on ");
            said.push_str(&retry.failures.join(", "));
        }
        said
    })
}
