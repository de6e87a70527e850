//! Stored output: pieces of the framed stream of each life (a run or a daemon process), as the agent sent them.
//!
//! Offsets count framed bytes. A chunk that overlaps a stored one is a repetition and is left out, so sending again is safe.
//! Within the cap of a life its first quarter and its newest bytes are kept; the middle is deleted and counted. Whatever is
//! missing between two chunks is a gap, which a reader sees by the jump of offsets.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId};
use cronfleet_core::order::OutputTotals;
use jiff::Timestamp;

use crate::error::StoreError;
use crate::store::Store;

/// Output of one life to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeChunks {
    /// Life.
    pub life: LifeId,
    /// Framed bytes to keep of this life.
    pub cap_bytes: u64,
    /// The chunks, by offset.
    pub chunks: Vec<NewChunk>,
    /// Where the stream ends, once the life is over.
    pub end_offset: Option<u64>,
}

/// A piece of the framed stream to append: whole frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewChunk {
    /// Where it begins in the framed stream.
    pub offset: u64,
    /// Its length in the framed stream, 1 to [`NewChunk::LENGTH_MAX`].
    pub length: u32,
    /// Whether `data` is compressed (one zstd frame); the store does not look inside.
    pub is_compressed: bool,
    /// The frames.
    pub data: Vec<u8>,
}

impl NewChunk {
    /// Longest chunk in framed bytes.
    pub const LENGTH_MAX: u32 = 1 << 20;
}

/// A stored piece of the framed stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChunkRow {
    /// Where it begins in the framed stream.
    pub offset: u64,
    /// Its length in the framed stream.
    pub length: u32,
    /// Whether `data` is compressed.
    pub is_compressed: bool,
    /// The frames.
    pub data: Vec<u8>,
}

/// Whose output it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LifeKind {
    /// A run.
    Run,
    /// A process in a daemon slot.
    Process,
}

/// A life and the state of its output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LifeRow {
    /// Life.
    pub life: LifeId,
    /// Whose output it is.
    pub kind: LifeKind,
    /// Job.
    pub job: JobId,
    /// Version of the job it followed.
    pub job_version: u32,
    /// Owning group.
    pub group: GroupId,
    /// Agent.
    pub agent: AgentId,
    /// Whether the life is over.
    pub is_ended: bool,
    /// Totals as the agent reported them at the end.
    pub totals: Option<OutputTotals>,
    /// Largest end of a chunk received.
    pub seen_to: u64,
    /// Where the stream ends, once known.
    pub end_offset: Option<u64>,
    /// Framed bytes stored.
    pub stored_bytes: u64,
    /// Framed bytes deleted from the middle to keep within the cap.
    pub trimmed_bytes: u64,
}

impl LifeRow {
    /// Whether everything the life wrote has arrived (or is gone for good).
    pub fn is_complete(&self) -> bool {
        self.is_ended && self.end_offset.is_none_or(|end| self.seen_to >= end)
    }
}

impl Store {
    /// Appends output that an agent sent, in one transaction. Lives of other agents are left out and answered.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn append_output(
        &self,
        agent: AgentId,
        output: &[LifeChunks],
        now: Timestamp,
    ) -> Result<Vec<LifeId>, StoreError> {
        later(agent, output, now)
    }

    /// A life within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn life(&self, reach: &Reach, life: LifeId) -> Result<Option<LifeRow>, StoreError> {
        later(reach, life, ())
    }

    /// Chunks of a life from the one that contains `from` (or follows it) on, by offset, until `bytes_max` framed bytes are
    /// exceeded; at least one if there is one. The caller has asked [`Store::life`] first.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn read_output(
        &self,
        life: LifeId,
        from: u64,
        bytes_max: u64,
    ) -> Result<Vec<ChunkRow>, StoreError> {
        later(life, from, bytes_max)
    }

    /// The last chunks of a life, by offset, that together hold at least `bytes` framed bytes or all there is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tail_output(&self, life: LifeId, bytes: u64) -> Result<Vec<ChunkRow>, StoreError> {
        later(life, bytes, ())
    }
}

fn later<A, B, C, T>(_: A, _: B, _: C) -> Result<T, StoreError> {
    Err(StoreError::corrupt("function", "not written yet"))
}
