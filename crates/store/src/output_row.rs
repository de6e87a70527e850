//! Appending output: which chunks are new, and keeping a life within its cap.

use cronfleet_core::id::{AgentId, LifeId};
use jiff::Timestamp;

use crate::error::StoreError;
use crate::output::{LifeChunks, NewChunk};
use crate::run_state::BATCH;
use crate::sql::{Row, Sql};
use crate::store::Tx;

/// Chunks looked at in one step of trimming.
const TRIM_STEP: u32 = 64;

/// What is known of a life's stored output.
struct OutputHead {
    seen_to: u64,
    end_offset: Option<u64>,
    stored_bytes: u64,
    trimmed_from: u64,
    trimmed_to: u64,
    trimmed_bytes: u64,
}

/// Appends output of one life; answers false if it is another agent's.
pub(crate) async fn append(
    tx: &Tx,
    agent: AgentId,
    output: &LifeChunks,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let Some(mut head) = open(tx, agent, output.life, now).await? else {
        return Ok(false);
    };
    for chunk in &output.chunks {
        if is_new(tx, output.life, &head, chunk).await? {
            insert(tx, output.life, chunk).await?;
            head.seen_to = head.seen_to.max(chunk.end());
            head.stored_bytes += u64::from(chunk.length);
        }
    }
    head.end_offset = output.end_offset.or(head.end_offset);
    if head.stored_bytes > output.cap_bytes {
        trim(tx, output, &mut head).await?;
    }
    Sql::new("UPDATE outputs SET seen_to = ?, end_offset = ?, stored_bytes = ?")
        .bind(head.seen_to)
        .bind(head.end_offset)
        .bind(head.stored_bytes)
        .with(", trimmed_from = ?", head.trimmed_from)
        .with(", trimmed_to = ?", head.trimmed_to)
        .with(", trimmed_bytes = ?", head.trimmed_bytes)
        .with(" WHERE life_id = ?", output.life)
        .execute(&**tx)
        .await?;
    Ok(true)
}

impl NewChunk {
    fn end(&self) -> u64 {
        self.offset.saturating_add(u64::from(self.length))
    }
}

/// The life's output, made if need be; `None` if the life is another agent's.
async fn open(
    tx: &Tx,
    agent: AgentId,
    life: LifeId,
    now: Timestamp,
) -> Result<Option<OutputHead>, StoreError> {
    if let Some(found) = find(tx, life).await? {
        return Ok(found.of(agent));
    }
    // Output may arrive before the slot's report that makes a process known.
    for table in ["runs", "processes"] {
        let owner = Sql::new(format!("SELECT agent_id FROM {table} WHERE id = ?")).bind(life);
        if owner
            .one(&**tx, Row::next)
            .await?
            .is_some_and(|owner: AgentId| owner != agent)
        {
            return Ok(None);
        }
    }
    Sql::new(
        "INSERT INTO outputs (life_id, agent_id, created_at, seen_to, stored_bytes, trimmed_from, trimmed_to, \
         trimmed_bytes) VALUES (?, ?, ?, 0, 0, 0, 0, 0)",
    )
    .bind(life)
    .bind(agent)
    .bind(now)
    .text(&tx.engine.or_ignore("life_id"))
    .execute(&**tx)
    .await?;
    // Somebody else may have made it at the same time.
    Ok(find(tx, life).await?.and_then(|found| found.of(agent)))
}

/// A head and the agent that it belongs to.
struct FoundHead {
    owner: AgentId,
    head: OutputHead,
}

impl FoundHead {
    fn of(self, agent: AgentId) -> Option<OutputHead> {
        (self.owner == agent).then_some(self.head)
    }
}

/// The head of a life's output, which stays so until the end of the transaction.
async fn find(tx: &Tx, life: LifeId) -> Result<Option<FoundHead>, StoreError> {
    Sql::new(
        "SELECT agent_id, seen_to, end_offset, stored_bytes, trimmed_from, trimmed_to, trimmed_bytes FROM outputs \
         WHERE life_id = ?",
    )
    .bind(life)
    .text(tx.engine.for_update())
    .one(&**tx, |row| {
        Ok(FoundHead {
            owner: row.next()?,
            head: OutputHead {
                seen_to: row.next()?,
                end_offset: row.maybe()?,
                stored_bytes: row.next()?,
                trimmed_from: row.next()?,
                trimmed_to: row.next()?,
                trimmed_bytes: row.next()?,
            },
        })
    })
    .await
}

/// Whether nothing of a chunk is stored and nothing of it was deleted already.
async fn is_new(
    tx: &Tx,
    life: LifeId,
    head: &OutputHead,
    chunk: &NewChunk,
) -> Result<bool, StoreError> {
    if chunk.length == 0 || chunk.length > NewChunk::LENGTH_MAX {
        return Ok(false);
    }
    if chunk.offset >= head.seen_to {
        return Ok(true);
    }
    if chunk.offset < head.trimmed_to && chunk.end() > head.trimmed_from {
        return Ok(false);
    }
    let overlapping = Sql::new("SELECT 1 FROM output_chunks WHERE life_id = ?")
        .bind(life)
        .with(
            " AND start_offset > ?",
            i64::try_from(chunk.offset).unwrap_or(i64::MAX) - i64::from(NewChunk::LENGTH_MAX),
        )
        .with(" AND start_offset < ?", chunk.end())
        .with(" AND start_offset + length > ?", chunk.offset);
    Ok(!overlapping.exists(&**tx).await?)
}

async fn insert(tx: &Tx, life: LifeId, chunk: &NewChunk) -> Result<(), StoreError> {
    Sql::new("INSERT INTO output_chunks (life_id, start_offset, length, is_compressed, data) VALUES (?, ?, ?, ?, ?)")
        .bind(life)
        .bind(chunk.offset)
        .bind(chunk.length)
        .bind(chunk.is_compressed)
        .bind(chunk.data.clone())
        .execute(&**tx)
        .await?;
    Ok(())
}

/// Deletes chunks, oldest first, until the cap is kept: those that lie within the head stay, and the newest one stays.
async fn trim(tx: &Tx, output: &LifeChunks, head: &mut OutputHead) -> Result<(), StoreError> {
    let LifeChunks {
        life, cap_bytes, ..
    } = *output;
    while head.stored_bytes > cap_bytes {
        let middle = Sql::new("SELECT start_offset, length FROM output_chunks WHERE life_id = ?")
            .bind(life)
            .with(" AND start_offset + length > ?", output.head_bytes)
            .with(" AND start_offset + length < ?", head.seen_to)
            .with(" ORDER BY start_offset LIMIT ?", TRIM_STEP)
            .all(&**tx, |row| Ok((row.next::<u64>()?, row.next::<u64>()?)))
            .await?;
        if middle.is_empty() {
            return Ok(());
        }
        let mut delete = Vec::new();
        for (offset, length) in middle {
            if head.stored_bytes <= cap_bytes {
                break;
            }
            head.stored_bytes = head.stored_bytes.saturating_sub(length);
            head.trimmed_bytes += length;
            if head.trimmed_to == 0 {
                head.trimmed_from = offset;
            }
            head.trimmed_to = head.trimmed_to.max(offset + length);
            delete.push(offset);
        }
        Sql::new("DELETE FROM output_chunks WHERE life_id = ?")
            .bind(life)
            .and_in("start_offset", delete)
            .execute(&**tx)
            .await?;
    }
    Ok(())
}

/// Deletes the output of lives altogether; answers how many had some.
pub(crate) async fn delete_outputs(tx: &Tx, lives: &[LifeId]) -> Result<u64, StoreError> {
    let mut deleted = 0;
    for batch in lives.chunks(BATCH) {
        // The head first: it waits for what is being appended, which is then there to be deleted.
        deleted += Sql::new("DELETE FROM outputs WHERE ")
            .one_of("life_id", batch.iter().copied())
            .execute(&**tx)
            .await?;
        Sql::new("DELETE FROM output_chunks WHERE ")
            .one_of("life_id", batch.iter().copied())
            .execute(&**tx)
            .await?;
    }
    Ok(deleted)
}
