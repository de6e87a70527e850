//! Output of runs and daemon processes: in pieces, as a download, live.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cronfleet_api::output::{OutputChunk, OutputPiece};
use cronfleet_core::access::Reach;
use cronfleet_core::id::LifeId;
use cronfleet_store::{LifeRow, SecretHash, Store};
use futures_util::stream;
use http::{HeaderMap, HeaderValue, header};
use serde::Deserialize;
use tokio::sync::broadcast::{Receiver, error::RecvError};
use utoipa::IntoParams;

use super::body::{Answer, Id, Json, Query};
use super::error::ApiError;
use super::frames::{Decoder, Frame, frames_of};
use super::guard::{Scope, Viewer};
use super::plain_text::{PlainText, RawStream};
use super::session;
use super::state::HttpState;
use super::streams::OpenStream;
use crate::clock;

/// Most framed bytes in one piece.
const PIECE_BYTES_MAX: u64 = 1 << 20;
/// Framed bytes read at once for a live stream.
const FOLLOW_BYTES: u64 = 256 << 10;
/// A live stream looks again for output and for its right to see it at least this often: output of agents of other centers is
/// seen by looking alone.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Which piece of the output.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PieceQuery {
    /// Offset to begin at: 0, or `next_from` of the piece before. 0 when absent.
    from: Option<u64>,
    /// Most bytes to answer, 1 to 1,048,576, the bytes of time stamps included; 1,048,576 when absent.
    limit: Option<u64>,
    /// The last so many bytes, 1 to 1,048,576, instead of `from`.
    tail: Option<u64>,
}

/// Shows a piece of the output of a run or a daemon process.
#[utoipa::path(
    get, path = "/api/v1/outputs/{id}", tag = "outputs",
    params(("id" = uuid::Uuid, Path, description = "Run or process"), PieceQuery),
    responses((status = 200, description = "A piece", body = OutputPiece))
)]
pub(super) async fn get_output(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<LifeId>,
    Query(query): Query<PieceQuery>,
) -> Answer<OutputPiece> {
    if query.tail.is_some() && (query.from.is_some() || query.limit.is_some()) {
        return Err(ApiError::Parameter {
            name: "tail".to_owned(),
            message: "tail is given together with from or limit".to_owned(),
            hint: Some("give tail alone".to_owned()),
        });
    }
    // The life first: what it says to be complete is then there to be read.
    let life = find(&state, &scope.reach(), id).await?;
    let (from, frames) = match query.tail {
        Some(tail) => (
            None,
            tail_frames(&state.store, id, size("tail", Some(tail))?).await?,
        ),
        None => {
            let (from, limit) = (query.from.unwrap_or(0), size("limit", query.limit)?);
            (
                Some(from),
                some_frames(&state.store, id, from, limit).await?,
            )
        }
    };
    let (mut decoder, mut chunks) = (Decoder::from(from), Vec::new());
    for frame in &frames {
        decoder.push(frame, &mut chunks);
    }
    decoder.finish(&mut chunks);
    let next_from = decoder.position();
    let is_complete = is_complete(&life, next_from, frames.is_empty());
    Ok(Json(OutputPiece {
        chunks,
        next_from,
        is_complete,
    }))
}

/// What to download.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct RawQuery {
    /// Which stream; both when absent.
    #[serde(default)]
    #[param(inline, value_type = Option<RawStream>)]
    stream: RawStream,
    /// Put the time at which it was begun before each line: UTC, RFC 3339, milliseconds. A line that the other stream
    /// interrupts goes on as a line of its own.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    timestamps: bool,
}

/// Downloads the output as it was written. Where bytes are missing, a line in brackets says how many.
#[utoipa::path(
    get, path = "/api/v1/outputs/{id}/raw", tag = "outputs",
    params(("id" = uuid::Uuid, Path, description = "Run or process"), RawQuery),
    responses((status = 200, description = "The bytes", body = String, content_type = "text/plain"))
)]
pub(super) async fn download_output(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<LifeId>,
    Query(query): Query<RawQuery>,
) -> Result<Response, ApiError> {
    find(&state, &scope.reach(), id).await?;
    let store = state.store.clone();
    let text = PlainText::new(query.stream, query.timestamps);
    let bytes = stream::try_unfold(text, move |mut text| {
        let store = store.clone();
        async move {
            let frames = some_frames(&store, id, text.position(), PIECE_BYTES_MAX).await?;
            let bytes = (!frames.is_empty()).then(|| text.write(&frames));
            Ok::<_, ApiError>(bytes.map(|bytes| (bytes, text)))
        }
    });
    let mut response = Body::from_stream(bytes).into_response();
    let headers = response.headers_mut();
    let plain = HeaderValue::from_static("text/plain; charset=utf-8");
    headers.insert(header::CONTENT_TYPE, plain);
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{id}.log\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    let sandbox = HeaderValue::from_static("sandbox; default-src 'none'");
    headers.insert(header::CONTENT_SECURITY_POLICY, sandbox);
    Ok(response)
}

/// Where to begin to follow.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct FollowQuery {
    /// Offset to begin at; 0 when absent. `Last-Event-ID` goes before it.
    from: Option<u64>,
}

/// Follows the output as it is written: server-sent events `chunk`, each with the next offset as its id, and `end` when there
/// will be no more.
#[utoipa::path(
    get, path = "/api/v1/outputs/{id}/stream", tag = "outputs",
    params(("id" = uuid::Uuid, Path, description = "Run or process"), FollowQuery),
    responses((status = 200, description = "Events", body = OutputChunk, content_type = "text/event-stream"))
)]
pub(super) async fn stream_output(
    scope: Scope<Viewer>,
    State(state): State<HttpState>,
    Id(id): Id<LifeId>,
    Query(query): Query<FollowQuery>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let resumed = headers
        .get("last-event-id")
        .and_then(|id| id.to_str().ok())
        .and_then(|id| id.parse().ok());
    find(&state, &scope.reach(), id).await?;
    let session = scope.caller().session;
    let follow = Follow {
        written: state.bus.watch_output(),
        place: state.streams.open(session)?,
        session,
        id,
        decoder: Decoder::from(Some(resumed.or(query.from).unwrap_or(0))),
        events: VecDeque::new(),
        is_over: false,
        state,
    };
    let events = stream::unfold(follow, async |mut follow: Follow| {
        follow
            .next()
            .await
            .map(|event| (Ok::<_, Infallible>(event), follow))
    });
    Ok(Sse::new(events)
        .keep_alive(KeepAlive::default())
        .into_response())
}

/// A client that follows the output of a life.
struct Follow {
    state: HttpState,
    session: SecretHash,
    id: LifeId,
    decoder: Decoder,
    events: VecDeque<Event>,
    written: Receiver<LifeId>,
    is_over: bool,
    #[expect(dead_code, reason = "held for the time of the stream")]
    place: OpenStream,
}

impl Follow {
    /// The next event; `None` when the output is complete, the session over, the output out of reach, or the center stops.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.events.pop_front() {
                return Some(event);
            }
            if self.is_over || self.state.stop.is_cancelled() {
                return None;
            }
            match self.read().await {
                Ok(Some(true)) => {}
                Ok(Some(false)) => self.wait().await,
                Ok(None) => return None,
                Err(error) => {
                    tracing::warn!(%error, life.id = %self.id, "a live stream ended early");
                    return None;
                }
            }
        }
    }

    /// Reads what is new; answers whether there was any, `None` once it is not the caller's to see.
    async fn read(&mut self) -> Result<Option<bool>, ApiError> {
        let Some(reach) = session::reach_of(&self.state, self.session).await? else {
            return Ok(None);
        };
        let Some(life) = self.state.store.life(&reach, self.id).await? else {
            return Ok(None);
        };
        let before = self.decoder.position();
        let frames = some_frames(&self.state.store, self.id, before, FOLLOW_BYTES).await?;
        for frame in &frames {
            let mut chunks = Vec::new();
            self.decoder.push(frame, &mut chunks);
            let next = self.decoder.position();
            self.events
                .extend(chunks.iter().filter_map(|chunk| chunk_event(chunk, next)));
        }
        if is_complete(&life, self.decoder.position(), frames.is_empty()) {
            let mut chunks = Vec::new();
            self.decoder.finish(&mut chunks);
            let next = self.decoder.position();
            self.events
                .extend(chunks.iter().filter_map(|chunk| chunk_event(chunk, next)));
            self.events
                .push_back(Event::default().event("end").data("{}"));
            self.is_over = true;
        }
        Ok(Some(self.is_over || !frames.is_empty()))
    }

    /// Waits until there may be more, for a while.
    async fn wait(&mut self) {
        let id = self.id;
        let written = async {
            loop {
                match self.written.recv().await {
                    Ok(life) if life == id => return,
                    Ok(_) => {}
                    Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending().await,
                }
            }
        };
        tokio::select! {
            () = written => {}
            () = clock::sleep(LOOK_AGAIN) => {}
            () = self.state.stop.cancelled() => {}
        }
    }
}

fn chunk_event(chunk: &OutputChunk, next: u64) -> Option<Event> {
    Event::default()
        .event("chunk")
        .id(next.to_string())
        .json_data(chunk)
        .ok()
}

async fn find(state: &HttpState, reach: &Reach, id: LifeId) -> Result<LifeRow, ApiError> {
    state.store.life(reach, id).await?.ok_or(ApiError::NotFound)
}

/// Whether there is nothing after `position` and never will be. `is_end` says that nothing was found there.
fn is_complete(life: &LifeRow, position: u64, is_end: bool) -> bool {
    life.is_complete() && (is_end || position >= life.end_offset.unwrap_or(life.seen_to))
}

/// Whole frames from an offset on, at most `bytes_max` framed bytes but at least one frame if there is one.
async fn some_frames(
    store: &Store,
    id: LifeId,
    from: u64,
    bytes_max: u64,
) -> Result<Vec<Frame>, ApiError> {
    let chunks = store.read_output(id, from, bytes_max).await?;
    let mut frames = frames_of(&chunks);
    frames.retain(|frame| frame.offset >= from);
    let start = frames.first().map_or(from, |frame| frame.offset);
    let fitting = frames
        .iter()
        .take_while(|frame| frame.end - start <= bytes_max)
        .count();
    frames.truncate(fitting.max(1));
    Ok(frames)
}

/// The last whole frames, at most `bytes` framed bytes but at least one frame if there is one.
async fn tail_frames(store: &Store, id: LifeId, bytes: u64) -> Result<Vec<Frame>, ApiError> {
    let mut frames = frames_of(&store.tail_output(id, bytes).await?);
    let end = frames.last().map_or(0, |frame| frame.end);
    let excess = frames
        .iter()
        .take_while(|frame| end - frame.offset > bytes)
        .count();
    frames.drain(..excess.min(frames.len().saturating_sub(1)));
    Ok(frames)
}

/// Reads a number of bytes.
fn size(name: &str, value: Option<u64>) -> Result<u64, ApiError> {
    let value = value.unwrap_or(PIECE_BYTES_MAX);
    if (1..=PIECE_BYTES_MAX).contains(&value) {
        return Ok(value);
    }
    Err(ApiError::Parameter {
        name: name.to_owned(),
        message: format!("{name} is {value}"),
        hint: Some(format!("use 1 to {PIECE_BYTES_MAX}")),
    })
}
