//! What one entry of the ledger says.

use cronfleet_core::id::LifeId;
use cronfleet_core::record::Record;

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    /// A record of one of the books.
    Book(Record),
    /// The ledger is written in this boot from here on.
    Boot {
        /// Identity of the boot.
        boot_id: String,
    },
    /// A center has stored the output of a life up to here.
    OutputStored {
        /// The life.
        life: LifeId,
        /// Logical offset.
        offset: u64,
    },
    /// What the agent last measured: its own clock minus the center's, in microseconds.
    ClockOffset(i64),
}
