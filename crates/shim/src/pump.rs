//! Moving output from the command's FIFOs into the spool.
//!
//! Commands write into FIFOs that they hold open for reading, too: they survive the shim, and nobody is ever killed
//! by a broken pipe because of us.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::{OpenOptionsExt, fchown};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use cronfleet_shim::frame::{DATA_LEN_MAX, HEADER_LEN, Header, Stream};

use crate::mask::Mask;
use crate::room::{Room, Turn};
use crate::spool::Spool;
use crate::sys;

/// A frame: head, then data. Not on the heap because untouched pages of a static cost nothing.
static BUFFER: Mutex<[u8; HEADER_LEN + DATA_LEN_MAX]> = Mutex::new([0; HEADER_LEN + DATA_LEN_MAX]);

/// Most frames per stream before the shim looks at everything else again.
const ROUNDS: usize = 16;

/// Most frames per stream that are fetched at the very end, when a stranger might still be writing.
const LAST_ROUNDS: usize = 1024;

/// One stream's FIFO, read end.
pub(crate) struct Fifo {
    stream: Stream,
    file: File,
}

impl Fifo {
    /// Creates a FIFO that belongs to the command's user, so that opening `/dev/stdout` works there, and gives its
    /// read end and the command's end.
    pub(crate) fn create(
        path: &Path,
        stream: Stream,
        owner: Option<(u32, u32)>,
    ) -> io::Result<(Self, OwnedFd)> {
        sys::make_fifo(path)?;
        // Both ends are opened for reading and writing, but apart: only ours must not wait.
        let file = open(path, libc::O_NONBLOCK)?;
        if let Some((uid, gid)) = owner {
            fchown(&file, Some(uid), Some(gid))?;
        }
        let theirs = open(path, 0)?;
        Ok((Self { stream, file }, theirs.into()))
    }
}

fn open(path: &Path, flags: i32) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    options.custom_flags(flags | libc::O_NOFOLLOW).open(path)
}

/// Moves output and counts it.
pub(crate) struct Pump {
    fifos: [Fifo; 2],
    spool: Option<Spool>,
    room: Room,
    mask: Option<Mask>,
    buffer: MutexGuard<'static, [u8; HEADER_LEN + DATA_LEN_MAX]>,
    /// Data bytes of a frame in the buffer that waits for room; nothing is read meanwhile.
    held_len: Option<usize>,
    /// Most data bytes in one frame.
    read_len: usize,
    output_bytes: u64,
}

impl Pump {
    /// Makes the pump, of which there is one; without a spool it only counts. With `block_max_ms` the command waits up to so
    /// long for room in the spool before output is dropped.
    pub(crate) fn new(
        fifos: [Fifo; 2],
        spool: Option<Spool>,
        block_max_ms: Option<u64>,
        mask: Option<Mask>,
    ) -> Self {
        let read_len = spool.as_ref().map_or(DATA_LEN_MAX, Spool::read_len);
        Self {
            fifos,
            spool,
            room: Room::new(block_max_ms),
            mask,
            buffer: BUFFER.lock().unwrap_or_else(PoisonError::into_inner),
            held_len: None,
            read_len,
            output_bytes: 0,
        }
    }

    /// Descriptors to wait for: none while there is no room for what they would bring.
    pub(crate) fn descriptors(&self) -> [Option<RawFd>; 2] {
        self.fifos
            .each_ref()
            .map(|fifo| (!self.room.is_waiting()).then(|| fifo.file.as_raw_fd()))
    }

    /// When to look for room again, if that is waited for.
    pub(crate) fn look_in_ms(&self) -> Option<u64> {
        self.room.is_waiting().then_some(LOOK_MS)
    }

    /// Bytes the command has written, less what is blotted out of them.
    pub(crate) fn output_bytes(&self) -> u64 {
        self.output_bytes
    }

    /// Bytes that were not kept though they should have been.
    pub(crate) fn dropped_bytes(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::dropped)
    }

    /// Logical offset after the last frame.
    pub(crate) fn spool_end(&self) -> u64 {
        self.spool.as_ref().map_or(0, Spool::end)
    }

    /// Moves some of what is there. Says whether the spool has grown.
    pub(crate) fn turn(&mut self) -> bool {
        self.move_frames(ROUNDS)
    }

    /// Moves what is left. It is little where the command was made to wait, so it does not wait any more.
    pub(crate) fn finish(&mut self) {
        self.room.end();
        self.move_frames(if self.room.may_wait() {
            FIFO_LEN_MAX / self.read_len + 1
        } else {
            LAST_ROUNDS
        });
        // What the disk did not take last is tried once more, or dropped.
        self.take_turn();
        self.flush_mask();
        self.take_turn();
    }

    fn move_frames(&mut self, rounds: usize) -> bool {
        let mut has_grown = false;
        for _ in 0..rounds {
            let mut is_empty = true;
            for index in 0..self.fifos.len() {
                let turn = self.take_turn();
                has_grown |= turn.1;
                if turn.0 == Turn::Wait {
                    return has_grown;
                }
                if let Some(kept) = self.move_frame(index, turn.0) {
                    is_empty = false;
                    has_grown |= kept;
                }
            }
            if is_empty {
                break;
            }
        }
        has_grown
    }

    /// Decides what may be done with the next frame; a frame that is held goes first. Says also whether that was kept.
    fn take_turn(&mut self) -> (Turn, bool) {
        let Some(spool) = self.spool.as_mut().filter(|_| self.room.may_wait()) else {
            return (Turn::MakeRoom, false);
        };
        let now_us = sys::since_boot_us();
        let mut is_kept = false;
        if let Some(len) = self.held_len
            && spool.keep(&self.buffer[..HEADER_LEN + len], len, now_us)
        {
            self.held_len = None;
            is_kept = true;
        }
        let has_room = self.held_len.is_none() && spool.has_room();
        let turn = self.room.turn(has_room, now_us);
        if turn != Turn::Wait
            && let Some(len) = self.held_len.take()
        {
            spool.append(&self.buffer[..HEADER_LEN + len], len, now_us);
        }
        (turn, is_kept)
    }

    /// Moves one frame; `None` if the FIFO is empty.
    fn move_frame(&mut self, index: usize, turn: Turn) -> Option<bool> {
        let data = &mut self.buffer[HEADER_LEN..HEADER_LEN + self.read_len];
        let begun = self.mask.as_ref().map_or(0, |mask| mask.load(index, data));
        let len = self.fifos[index].file.read(&mut data[begun..]).ok()?;
        if len == 0 {
            return None;
        }
        let len = begun + len;
        let len = match &mut self.mask {
            Some(mask) => mask.apply(index, &mut data[..len], false),
            None => len,
        };
        Some(self.put_frame(index, len, turn))
    }

    /// Gives out what the mask has kept back: no more is coming.
    fn flush_mask(&mut self) {
        for index in 0..self.fifos.len() {
            let Some(mask) = &mut self.mask else {
                return;
            };
            let data = &mut self.buffer[HEADER_LEN..];
            let begun = mask.load(index, data);
            let len = mask.apply(index, &mut data[..begun], true);
            let (turn, _) = self.take_turn();
            self.put_frame(index, len, turn);
        }
    }

    /// Puts the data in the buffer into the spool, or holds it there. Says whether it was put.
    fn put_frame(&mut self, index: usize, len: usize, turn: Turn) -> bool {
        self.output_bytes += len as u64;
        let Some(spool) = self.spool.as_mut().filter(|_| len > 0) else {
            return false;
        };
        let header = Header {
            at_us: wall_us(),
            stream: self.fifos[index].stream,
            len,
        };
        self.buffer[..HEADER_LEN].copy_from_slice(&header.encode());
        let frame = &self.buffer[..header.frame_len()];
        let now_us = sys::since_boot_us();
        if turn == Turn::MakeRoom {
            return spool.append(frame, len, now_us);
        }
        let is_kept = spool.keep(frame, len, now_us);
        self.held_len = (!is_kept).then_some(len);
        is_kept
    }
}

/// Time between two looks for room.
const LOOK_MS: u64 = 20;

/// More than a FIFO ever holds, unless an administrator raised `/proc/sys/fs/pipe-max-size`.
const FIFO_LEN_MAX: usize = 1 << 20;

/// Wall time in microseconds since the Unix epoch.
pub(crate) fn wall_us() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |d| u64::try_from(d.as_micros()).unwrap_or(u64::MAX))
}

/// Throws away what processes that were left alone still write, until the last of them has closed the streams.
///
/// They would otherwise stand still as soon as a FIFO is full.
pub(crate) fn discard(mut readers: Vec<File>) {
    let mut buffer = [0; READ_LEN];
    while !readers.is_empty() {
        let first = readers.first().map(AsRawFd::as_raw_fd);
        let second = readers.get(1).map(AsRawFd::as_raw_fd);
        sys::poll([sys::Watched(first), sys::Watched(second)], None);
        readers.retain_mut(|reader| match reader.read(&mut buffer) {
            Ok(0) => false,
            Ok(_) => true,
            Err(e) => e.kind() == io::ErrorKind::WouldBlock,
        });
    }
}

/// Size of the buffer of [`discard`].
const READ_LEN: usize = 4096;

/// Opens the read end of a FIFO that others still write to.
pub(crate) fn reader(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    options
        .custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW)
        .open(path)
}
