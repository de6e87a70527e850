//! Whether the command waits for room in the spool, and for how long.

/// What may be done with the next frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// Nothing yet: it stays with the command, who waits in its write.
    Wait,
    /// Keep it, and delete nothing for it.
    Keep,
    /// Keep it, and delete from the middle what is too much then.
    MakeRoom,
}

/// Decides it.
pub(crate) struct Room {
    /// Longest wait in microseconds; `None`: nobody waits.
    wait_max_us: Option<u64>,
    /// Since when there is no room.
    since_us: Option<u64>,
    is_waiting: bool,
    /// The command has ended, and little is left.
    is_last: bool,
}

impl Room {
    /// With a longest wait, or without any.
    pub(crate) fn new(wait_max_ms: Option<u64>) -> Self {
        Self {
            wait_max_us: wait_max_ms.map(|ms| ms.saturating_mul(1000)),
            since_us: None,
            is_waiting: false,
            is_last: false,
        }
    }

    /// Whether the command may be made to wait at all.
    pub(crate) fn may_wait(&self) -> bool {
        self.wait_max_us.is_some()
    }

    /// Whether the command is being made to wait.
    pub(crate) fn is_waiting(&self) -> bool {
        self.is_waiting
    }

    /// Decides about the next frame at a time on a clock that only goes forward. A wait that was too long ends all waiting
    /// until there is room again.
    pub(crate) fn turn(&mut self, has_room: bool, now_us: u64) -> Turn {
        self.is_waiting = false;
        let Some(wait_max_us) = self.wait_max_us else {
            return Turn::MakeRoom;
        };
        if has_room || self.is_last {
            self.since_us = None;
            return Turn::Keep;
        }
        let since_us = *self.since_us.get_or_insert(now_us);
        if now_us.saturating_sub(since_us) >= wait_max_us {
            return Turn::MakeRoom;
        }
        self.is_waiting = true;
        Turn::Wait
    }

    /// The command has ended: what is left is kept without waiting.
    pub(crate) fn end(&mut self) {
        self.is_last = true;
        self.is_waiting = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_longest_wait_nobody_waits() {
        let mut room = Room::new(None);
        assert_eq!(room.turn(false, 0), Turn::MakeRoom);
        assert!(!room.is_waiting());
    }

    #[test]
    fn a_wait_ends_with_room_or_with_its_time() {
        let mut room = Room::new(Some(10));
        assert_eq!(room.turn(true, 0), Turn::Keep);
        assert_eq!(room.turn(false, 5_000), Turn::Wait);
        assert!(room.is_waiting());
        assert_eq!(room.turn(false, 14_999), Turn::Wait);
        assert_eq!(room.turn(true, 15_000), Turn::Keep, "room came in time");
        assert_eq!(room.turn(false, 20_000), Turn::Wait, "a wait of its own");
        assert_eq!(room.turn(false, 30_000), Turn::MakeRoom);
        assert_eq!(room.turn(false, 99_000), Turn::MakeRoom, "no second wait");
        assert!(!room.is_waiting());
        assert_eq!(room.turn(true, 100_000), Turn::Keep);
        assert_eq!(room.turn(false, 100_001), Turn::Wait);
        room.end();
        assert_eq!(room.turn(false, 100_002), Turn::Keep);
        assert!(!room.is_waiting());
    }
}
