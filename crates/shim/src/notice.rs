//! When to tell the agent that there is new output: at once, but not more often than it can make use of.

/// Least time between two notices.
const PAUSE_US: u64 = 50_000;

/// Remembers whether a notice is owed, and when the last one went out.
#[derive(Default)]
pub(crate) struct Notice {
    is_owed: bool,
    next_us: u64,
}

impl Notice {
    /// There is new output.
    pub(crate) fn output(&mut self) {
        self.is_owed = true;
    }

    /// Milliseconds until the owed notice may go out, if one is owed.
    pub(crate) fn due_in_ms(&self, now_us: u64) -> Option<u64> {
        self.is_owed
            .then(|| self.next_us.saturating_sub(now_us).div_ceil(1000))
    }

    /// Says whether a notice is to go out now.
    pub(crate) fn take(&mut self, now_us: u64) -> bool {
        if !self.is_owed || now_us < self.next_us {
            return false;
        }
        self.is_owed = false;
        self.next_us = now_us + PAUSE_US;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_goes_out_at_once_the_rest_are_gathered() {
        let mut notice = Notice::default();
        assert!(!notice.take(1_000_000));
        notice.output();
        assert_eq!(notice.due_in_ms(1_000_000), Some(0));
        assert!(notice.take(1_000_000));
        notice.output();
        notice.output();
        assert!(!notice.take(1_049_999));
        assert_eq!(notice.due_in_ms(1_020_000), Some(30));
        assert!(notice.take(1_050_000));
        assert_eq!(notice.due_in_ms(1_050_000), None);
    }
}
