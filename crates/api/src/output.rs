//! Output of runs and daemon processes. Offsets count framed bytes in the stored stream: they grow, and are only good for
//! asking for more.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// `GET /outputs/{id}?from=&limit=`: one piece of the stored output of a run or process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputPiece {
    /// The chunks, in order.
    pub chunks: Vec<OutputChunk>,
    /// Pass as `from` to go on.
    pub next_from: u64,
    /// True when the process has ended and everything it wrote has been returned or is gone.
    pub is_complete: bool,
}

/// Bytes that were written at one moment to one stream, or a gap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct OutputChunk {
    /// Offset in the stored stream.
    pub offset: u64,
    /// When the bytes were read from the process.
    pub at: Timestamp,
    /// Where they were written.
    pub stream: OutputStream,
    /// The bytes as UTF-8, invalid sequences replaced; a chunk ends between characters wherever the bytes allow it.
    pub text: String,
    /// For `gap`: bytes that were not kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropped_bytes: Option<u64>,
}

/// Where bytes were written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum OutputStream {
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
    /// Not a stream: bytes are missing here.
    Gap,
}
