//! Output on disk: segments of frames, within a cap.
//!
//! The first quarter of the cap keeps the beginning, the rest keeps the newest. What lies between is deleted segment
//! by segment and counted. A full disk is tried again a second later. Whether a frame that finds no room is dropped or waits
//! is for the caller to say.

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use cronfleet_shim::frame::{DATA_LEN_MAX, segment_name};

/// Most segment files at a time, also when a full disk cuts them short.
const SEGMENTS_MAX: usize = 64;

/// Pause after a write that failed.
const RETRY_US: u64 = 1_000_000;

/// Least data that is read at once.
const READ_LEN_MIN: usize = 4 * 1024;

/// Writes frames into segment files.
pub(crate) struct Spool {
    directory: PathBuf,
    cap: u64,
    current: Option<File>,
    /// Oldest first; the last one is `current` if that is open.
    segments: VecDeque<Segment>,
    end: u64,
    dropped: u64,
    retry_at_us: u64,
    /// The disk took nothing when it was tried last.
    is_refused: bool,
    /// Something was deleted for want of room, and nothing was taken away since.
    is_trimmed: bool,
}

#[derive(Clone, Copy)]
struct Segment {
    start: u64,
    len: u64,
    data_len: u64,
}

impl Spool {
    /// Checks that the directory is there.
    pub(crate) fn open(directory: PathBuf, cap: u64) -> io::Result<Self> {
        if !fs::symlink_metadata(&directory)?.is_dir() {
            return Err(io::Error::from_raw_os_error(libc::ENOTDIR));
        }
        Ok(Self {
            directory,
            cap,
            current: None,
            segments: VecDeque::new(),
            end: 0,
            dropped: 0,
            retry_at_us: 0,
            is_refused: false,
            is_trimmed: false,
        })
    }

    /// How much data a frame may hold so that small caps are not overrun by single frames.
    pub(crate) fn read_len(&self) -> usize {
        let sixteenth = usize::try_from(self.cap / 16).unwrap_or(usize::MAX);
        sixteenth.clamp(READ_LEN_MIN, DATA_LEN_MAX)
    }

    /// Logical offset after the last frame, kept or not.
    pub(crate) fn end(&self) -> u64 {
        self.end
    }

    /// Data bytes that were not kept.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Whether a frame fits without anything being deleted for it: the disk took the last one, and nothing is too much. Room that
    /// was made by deleting does not count.
    pub(crate) fn has_room(&mut self) -> bool {
        if self.is_trimmed || self.is_over() {
            self.forget_taken();
        }
        !self.is_refused && !self.is_trimmed && !self.is_over()
    }

    /// Adds a frame with so many data bytes in it, at a time on a clock that only goes forward, and deletes from the middle
    /// what is too much then. A frame that the disk does not take is dropped. Says whether it was kept.
    pub(crate) fn append(&mut self, frame: &[u8], data_len: usize, now_us: u64) -> bool {
        let kept = self.keep(frame, data_len, now_us);
        if kept {
            self.make_room();
        } else {
            self.end += frame.len() as u64;
            self.dropped += data_len as u64;
            self.current = None;
        }
        kept
    }

    /// Adds a frame if the disk takes it, and deletes nothing. Otherwise nothing has changed.
    pub(crate) fn keep(&mut self, frame: &[u8], data_len: usize, now_us: u64) -> bool {
        if now_us < self.retry_at_us {
            return false;
        }
        if self.write(frame, data_len).is_ok() {
            self.end += frame.len() as u64;
            self.is_refused = false;
            return true;
        }
        self.is_refused = true;
        self.current = None;
        self.retry_at_us = now_us + RETRY_US;
        false
    }

    fn write(&mut self, frame: &[u8], data_len: usize) -> io::Result<()> {
        self.rotate()?;
        let (Some(file), Some(segment)) = (&mut self.current, self.segments.back_mut()) else {
            return Err(io::ErrorKind::NotFound.into());
        };
        if let Err(error) = file.write_all(frame) {
            // Take back a part of a frame; readers stop before it in any case.
            let _ = file.set_len(segment.len);
            if segment.len == 0 {
                self.remove(self.segments.len() - 1);
            }
            return Err(error);
        }
        segment.len += frame.len() as u64;
        segment.data_len += data_len as u64;
        Ok(())
    }

    /// Begins a new segment if the current one is full or closed.
    fn rotate(&mut self) -> io::Result<()> {
        if let (Some(_), Some(segment)) = (&self.current, self.segments.back()) {
            let share = if segment.start == 0 { 4 } else { 8 };
            if segment.len < self.cap / share {
                return Ok(());
            }
        }
        self.current = None;
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .mode(0o600)
            .open(self.directory.join(segment_name(self.end)))?;
        self.current = Some(file);
        self.segments.push_back(Segment {
            start: self.end,
            len: 0,
            data_len: 0,
        });
        Ok(())
    }

    /// Keeps the beginning, the newest, and what fits between.
    fn make_room(&mut self) {
        if !self.is_over() {
            return;
        }
        self.forget_taken();
        // The last one is being written.
        while self.is_over() {
            let oldest = usize::from(self.segments[0].start == 0);
            if oldest + 1 >= self.segments.len() {
                return;
            }
            self.remove(oldest);
            self.is_trimmed = true;
        }
    }

    fn is_over(&self) -> bool {
        let total: u64 = self.segments.iter().map(|s| s.len).sum();
        total > self.cap || self.segments.len() > SEGMENTS_MAX
    }

    /// Stops counting segments that the agent has taken away because they are safe elsewhere.
    fn forget_taken(&mut self) {
        let (directory, before) = (&self.directory, self.segments.len());
        self.segments
            .retain(|segment| directory.join(segment_name(segment.start)).exists());
        if self.segments.len() < before {
            self.is_trimmed = false;
        }
    }

    /// Deletes a segment. One that the agent takes away at this very moment is not dropped.
    fn remove(&mut self, index: usize) {
        if let Some(segment) = self.segments.remove(index)
            && fs::remove_file(self.directory.join(segment_name(segment.start))).is_ok()
        {
            self.dropped += segment.data_len;
        }
    }
}
