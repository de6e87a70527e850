//! Cursor paging: every list answers one page and, if there is more, the cursor of the next.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most rows in one page; a larger `limit` is refused.
pub const PAGE_LIMIT_MAX: u32 = 500;
/// Rows in a page when the request names no `limit`.
pub const PAGE_LIMIT_DEFAULT: u32 = 100;

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Page<T> {
    /// The rows, in the order the list documents.
    pub items: Vec<T>,
    /// Pass as `cursor` to get the next page; absent on the last page. Opaque.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
}
