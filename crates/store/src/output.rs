//! Stored output: pieces of the framed stream of each life (a run or a daemon process), as the agent sent them.
//!
//! Offsets count framed bytes. A chunk that overlaps a stored one is a repetition and is left out, so sending again is safe.
//! Within the cap of a life its newest bytes are kept and, of a run, its first quarter; the rest is deleted and counted. Whatever
//! is missing between two chunks is a gap, which a reader sees by the jump of offsets.

use cronfleet_core::access::Reach;
use cronfleet_core::id::{AgentId, GroupId, JobId, LifeId};
use cronfleet_core::order::OutputTotals;
use jiff::Timestamp;

use crate::again::transaction;
use crate::error::StoreError;
use crate::output_row::append;
use crate::run::read_output;
use crate::sql::{Row, Sql};
use crate::store::Store;

/// Output of one life to append.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LifeChunks {
    /// Life.
    pub life: LifeId,
    /// Framed bytes to keep of this life.
    pub cap_bytes: u64,
    /// Of them, bytes at the beginning that are never deleted for newer ones.
    pub head_bytes: u64,
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
        transaction!({
            let mut refused = Vec::new();
            if output.is_empty() {
                return Ok(refused);
            }
            let tx = self.begin().await?;
            for one in output {
                if !append(&tx, agent, one, now).await? {
                    refused.push(one.life);
                }
            }
            tx.commit().await?;
            Ok(refused)
        })
    }

    /// A life within reach.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn life(&self, reach: &Reach, life: LifeId) -> Result<Option<LifeRow>, StoreError> {
        for kind in [LifeKind::Run, LifeKind::Process] {
            let sql = Sql::new(select_life(kind))
                .bind(life)
                .and_reach("j.group_id", reach);
            if let Some(row) = sql
                .one(self.reader(), |row| read_life(row, life, kind))
                .await?
            {
                return Ok(Some(row));
            }
        }
        Ok(None)
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
        // A chunk that contains `from` begins less than the longest chunk before it.
        let begin = from.saturating_sub(u64::from(NewChunk::LENGTH_MAX));
        let mut chunks = Vec::new();
        let mut bytes = 0;
        let mut next = begin;
        while bytes < bytes_max {
            let page = Sql::new(SELECT_CHUNKS)
                .bind(life)
                .with(" AND start_offset >= ?", next)
                .with(" AND start_offset + length > ?", from)
                .with(" ORDER BY start_offset LIMIT ?", CHUNKS_PER_READ)
                .all(self.reader(), read_chunk)
                .await?;
            let Some(last) = page.last() else {
                break;
            };
            next = last.offset + 1;
            take_until(&mut chunks, page, &mut bytes, bytes_max);
        }
        Ok(chunks)
    }

    /// The last chunks of a life, by offset, that together hold at least `bytes` framed bytes or all there is.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn tail_output(&self, life: LifeId, bytes: u64) -> Result<Vec<ChunkRow>, StoreError> {
        let mut chunks = Vec::new();
        let mut found = 0;
        let mut before: Option<u64> = None;
        while found < bytes {
            let page = Sql::new(SELECT_CHUNKS)
                .bind(life)
                .with_some(" AND start_offset < ?", before)
                .with(" ORDER BY start_offset DESC LIMIT ?", CHUNKS_PER_READ)
                .all(self.reader(), read_chunk)
                .await?;
            let Some(first) = page.last() else {
                break;
            };
            before = Some(first.offset);
            take_until(&mut chunks, page, &mut found, bytes);
        }
        chunks.reverse();
        Ok(chunks)
    }
}

/// Chunks read with one statement.
const CHUNKS_PER_READ: u32 = 16;

const SELECT_CHUNKS: &str =
    "SELECT start_offset, length, is_compressed, data FROM output_chunks WHERE life_id = ?";

fn read_chunk(row: &mut Row) -> Result<ChunkRow, StoreError> {
    Ok(ChunkRow {
        offset: row.next()?,
        length: row.next()?,
        is_compressed: row.next()?,
        data: row.next()?,
    })
}

/// Moves chunks over until together they have `bytes_max` bytes.
fn take_until(chunks: &mut Vec<ChunkRow>, page: Vec<ChunkRow>, bytes: &mut u64, bytes_max: u64) {
    for chunk in page {
        if *bytes >= bytes_max {
            break;
        }
        *bytes += u64::from(chunk.length);
        chunks.push(chunk);
    }
}

fn select_life(kind: LifeKind) -> String {
    let table = match kind {
        LifeKind::Run => "runs",
        LifeKind::Process => "processes",
    };
    format!(
        "SELECT l.job_id, l.job_version, j.group_id, l.agent_id, l.ended_at, l.output_written_bytes, \
         l.output_dropped_bytes, l.output_end_offset, o.seen_to, o.end_offset, o.stored_bytes, o.trimmed_bytes \
         FROM {table} l JOIN jobs j ON j.id = l.job_id \
         LEFT JOIN outputs o ON o.life_id = l.id AND o.agent_id = l.agent_id WHERE l.id = ?"
    )
}

fn read_life(row: &mut Row, life: LifeId, kind: LifeKind) -> Result<LifeRow, StoreError> {
    let (job, job_version, group, agent) = (row.next()?, row.next()?, row.next()?, row.next()?);
    let is_ended = row.maybe::<Timestamp>()?.is_some();
    let totals = read_output(row)?;
    let seen_to = row.maybe()?.unwrap_or_default();
    let end_offset: Option<u64> = row.maybe()?;
    Ok(LifeRow {
        life,
        kind,
        job,
        job_version,
        group,
        agent,
        is_ended,
        totals,
        seen_to,
        end_offset: end_offset.or(totals.map(|totals| totals.end_offset)),
        stored_bytes: row.maybe()?.unwrap_or_default(),
        trimmed_bytes: row.maybe()?.unwrap_or_default(),
    })
}
