//! Which output is where on its way.

use std::collections::{BTreeMap, HashMap, VecDeque};

use cronfleet_core::id::LifeId;
use cronfleet_wire::{OUTPUT_BATCH_MAX_BYTES, output, v1};
use futures_util::future::pending;
use tokio::task::JoinHandle;

use super::read::{Answer, Request, read};
use crate::chores::Chore;
use crate::host::Host;
use crate::ledger::Entry;
use crate::lives::OutputFlag;

/// Lives that one message is read from.
const LIVES_PER_BATCH: usize = 64;

/// Messages on their way.
const MESSAGES_MAX: usize = 64;

/// Room that is given back at a time to a running life that goes on writing.
const RELEASE_STEP: u64 = 1 << 20;

/// Room that is given back to one that has written nothing more: it may be waiting for just that.
const RELEASE_STEP_IDLE: u64 = 16 << 10;

/// Output of all lives whose spool is not shipped.
#[derive(Debug)]
pub(crate) struct Outputs {
    spools: HashMap<LifeId, Spool>,
    /// Lives that may have something to read, each once.
    ready: VecDeque<LifeId>,
    /// Messages sent and not acknowledged, by sequence.
    on_the_way: BTreeMap<u64, Vec<Sent>>,
    on_the_way_bytes: usize,
    on_the_way_max_bytes: usize,
    sequence: u64,
    reading: Option<Reading>,
    /// Lives whose spool could not be read, for another try.
    failed: Vec<LifeId>,
    outgoing: Option<v1::Output>,
    /// Grows with every session.
    session: u64,
    is_connected: bool,
    /// Whether the center takes compressed pieces.
    takes_compressed: bool,
    /// Lives that are over, oldest first, for the quota; some may be shipped by now.
    ended: VecDeque<LifeId>,
    ended_bytes: u64,
    ended_max_bytes: u64,
    /// Lives whose output was given up to keep within the quota.
    dropped_count: u64,
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SpoolLevel {
    /// Bytes of ended lives that wait for a center.
    pub(crate) bytes: u64,
    /// Lives whose output was given up since the agent started.
    pub(crate) dropped_count: u64,
}

/// A read under way.
#[derive(Debug)]
struct Reading {
    /// The session it is for.
    session: u64,
    lives: Vec<LifeId>,
    job: JoinHandle<Vec<Answer>>,
}

/// Whether a life waits for its turn to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Turn {
    /// Nothing new is known of it.
    #[default]
    None,
    /// It is in the queue.
    Queued,
    /// It is being read, and something new came meanwhile.
    Reading { again: bool },
}

#[derive(Debug, Default)]
struct Spool {
    flag: OutputFlag,
    /// Up to here a center has stored it.
    stored: u64,
    /// Up to here it was read for this session.
    read: u64,
    is_over: bool,
    end_offset: Option<u64>,
    is_end_read: bool,
    turn: Turn,
    /// Bytes it counts for in the quota.
    quota_bytes: u64,
    /// Up to here the running life was given room.
    released: u64,
    /// Whether the ledger knows less than `stored`.
    is_unrecorded: bool,
}

/// A piece that was sent.
#[derive(Debug)]
struct Sent {
    life: LifeId,
    end: u64,
    bytes: usize,
    is_end: bool,
}

impl Spool {
    fn release_step(&self) -> u64 {
        if self.stored >= self.read {
            RELEASE_STEP_IDLE
        } else {
            RELEASE_STEP
        }
    }
}

impl Outputs {
    pub(crate) fn new(on_the_way_max_bytes: usize, spool_max_bytes: u64) -> Self {
        Self {
            spools: HashMap::new(),
            ready: VecDeque::new(),
            on_the_way: BTreeMap::new(),
            on_the_way_bytes: 0,
            on_the_way_max_bytes,
            sequence: 0,
            reading: None,
            failed: Vec::new(),
            outgoing: None,
            session: 0,
            is_connected: false,
            takes_compressed: false,
            ended: VecDeque::new(),
            ended_bytes: 0,
            ended_max_bytes: spool_max_bytes,
            dropped_count: 0,
        }
    }

    /// A life has begun to write, or is found to have; a center has stored its output up to `stored`.
    pub(crate) fn open(&mut self, life: LifeId, flag: OutputFlag, stored: u64) {
        let spool = self.spools.entry(life).or_default();
        spool.flag = flag;
        spool.stored = spool.stored.max(stored);
        spool.read = spool.read.max(stored);
        self.make_ready(life);
    }

    /// How full the spool is.
    pub(crate) fn level(&self) -> SpoolLevel {
        SpoolLevel {
            bytes: self.ended_bytes,
            dropped_count: self.dropped_count,
        }
    }

    /// Whether a life's spool is still to be shipped.
    pub(crate) fn has(&self, life: LifeId) -> bool {
        self.spools.contains_key(&life)
    }

    /// There is something new to read.
    pub(crate) fn grown(&mut self, life: LifeId) {
        self.make_ready(life);
    }

    /// What could not be read a while ago is tried again.
    pub(crate) fn retry(&mut self) {
        for life in std::mem::take(&mut self.failed) {
            self.make_ready(life);
        }
    }

    /// The life is over: its output ends here, as far as that is known, and takes about so much room on disk.
    ///
    /// Gives the lives whose output had to be dropped to keep within the quota.
    pub(crate) fn over(
        &mut self,
        life: LifeId,
        end_offset: Option<u64>,
        spool_bytes: u64,
    ) -> Vec<LifeId> {
        let Some(spool) = self.spools.get_mut(&life).filter(|spool| !spool.is_over) else {
            return Vec::new();
        };
        spool.is_over = true;
        spool.end_offset = end_offset;
        spool.quota_bytes = spool_bytes;
        self.ended.push_back(life);
        self.ended_bytes += spool_bytes;
        self.make_ready(life);
        self.keep_quota()
    }

    /// Nothing of a life is to be shipped any more.
    pub(crate) fn close(&mut self, life: LifeId) {
        if let Some(spool) = self.spools.remove(&life) {
            self.ended_bytes -= spool.quota_bytes;
        }
        // Those that were shipped leave the queue when they come to its head.
        while self
            .ended
            .front()
            .is_some_and(|first| !self.spools.contains_key(first))
        {
            self.ended.pop_front();
        }
    }

    /// A session is up: everything goes on from where a center has stored it.
    pub(crate) fn connect(&mut self, takes_compressed: bool) {
        self.disconnect();
        self.is_connected = true;
        self.takes_compressed = takes_compressed;
        let lives: Vec<LifeId> = self.spools.keys().copied().collect();
        for life in lives {
            if let Some(spool) = self.spools.get_mut(&life) {
                spool.read = spool.stored;
                spool.is_end_read = false;
            }
            self.make_ready(life);
        }
    }

    /// The session is over.
    pub(crate) fn disconnect(&mut self) {
        self.is_connected = false;
        self.session += 1;
        self.on_the_way.clear();
        self.on_the_way_bytes = 0;
        self.outgoing = None;
    }

    /// Begins to read the next message, if there is room on the way and something to read.
    pub(crate) fn begin_read(&mut self, host: &Host, clock_offset_us: i64) {
        let budget = self
            .on_the_way_max_bytes
            .saturating_sub(self.on_the_way_bytes);
        let is_free = self.reading.is_none() && self.outgoing.is_none();
        if !self.is_connected || !is_free || budget == 0 || self.on_the_way.len() >= MESSAGES_MAX {
            return;
        }
        let mut requests = Vec::new();
        while requests.len() < LIVES_PER_BATCH
            && let Some(life) = self.ready.pop_front()
        {
            requests.extend(self.request(life));
        }
        if requests.is_empty() {
            return;
        }
        let lives = requests.iter().map(|request| request.life).collect();
        let job = read(
            host.clone(),
            requests,
            budget.min(OUTPUT_BATCH_MAX_BYTES),
            clock_offset_us,
            self.takes_compressed,
        );
        self.reading = Some(Reading {
            session: self.session,
            lives,
            job,
        });
    }

    fn request(&mut self, life: LifeId) -> Option<Request> {
        let spool = self.spools.get_mut(&life)?;
        if spool.is_end_read {
            spool.turn = Turn::None;
            return None;
        }
        spool.turn = Turn::Reading { again: false };
        // From here on new output is news again.
        spool.flag.clear();
        Some(Request {
            life,
            from: spool.read,
            is_over: spool.is_over,
            end_offset: spool.end_offset,
        })
    }

    /// Resolves when a read is done. Cancel-safe.
    pub(crate) async fn wait_read(&mut self) {
        let Some(reading) = &mut self.reading else {
            return pending().await;
        };
        let answers = (&mut reading.job).await;
        let Some(Reading { session, lives, .. }) = self.reading.take() else {
            return;
        };
        let mut answers = answers.unwrap_or_else(|error| {
            tracing::error!(%error, "output was not read");
            Vec::new()
        });
        if session != self.session {
            answers.clear();
        }
        let mut pieces = Vec::new();
        let mut answers = answers.into_iter().peekable();
        for life in lives {
            let answer = answers.next_if(|answer| answer.life == life);
            pieces.extend(self.take(life, answer));
        }
        if !pieces.is_empty() {
            self.sequence += 1;
            self.outgoing = Some(v1::Output {
                sequence: self.sequence,
                pieces,
            });
        }
    }

    /// Takes in what was read of a life, if it got its turn and the session still stands.
    fn take(&mut self, life: LifeId, answer: Option<Answer>) -> Vec<v1::OutputPiece> {
        let Some(spool) = self.spools.get_mut(&life) else {
            return Vec::new();
        };
        let is_more = match &answer {
            Some(answer) => !answer.is_exhausted || spool.turn == (Turn::Reading { again: true }),
            None => true,
        };
        spool.turn = Turn::None;
        let Some(answer) = answer else {
            self.make_ready(life);
            return Vec::new();
        };
        spool.read = answer.next;
        spool.is_end_read = answer.is_end;
        if let Some(error) = answer.error {
            tracing::warn!(life.id = %life, %error, "output cannot be read");
            self.failed.push(life);
        } else if is_more {
            self.make_ready(life);
        }
        answer.pieces
    }

    /// Whether a message waits to be sent.
    pub(crate) fn has_outgoing(&self) -> bool {
        self.outgoing.is_some()
    }

    /// The next message, to be sent now.
    pub(crate) fn take_outgoing(&mut self) -> Option<v1::Output> {
        let output = self.outgoing.take()?;
        let sent: Vec<Sent> = output.pieces.iter().filter_map(sent_piece).collect();
        self.on_the_way_bytes += sent.iter().map(|sent| sent.bytes).sum::<usize>();
        self.on_the_way.insert(output.sequence, sent);
        Some(output)
    }

    /// A center has stored a message. Gives what can be tidied up now.
    pub(crate) fn acked(&mut self, sequence: u64) -> Vec<Chore> {
        let mut chores = Vec::new();
        for sent in self.on_the_way.remove(&sequence).unwrap_or_default() {
            self.on_the_way_bytes -= sent.bytes;
            let Some(spool) = self.spools.get_mut(&sent.life) else {
                continue;
            };
            if sent.end > spool.stored {
                spool.stored = sent.end;
                spool.is_unrecorded = true;
            }
            if sent.is_end {
                self.close(sent.life);
                chores.push(Chore::RemoveSpool(sent.life));
            } else if spool.stored - spool.released >= spool.release_step() {
                spool.released = spool.stored;
                chores.push(Chore::ReleaseSpool(sent.life, spool.stored));
            }
        }
        chores
    }

    /// Whether everything that is in the spools of ended lives has been stored by a center.
    pub(crate) fn is_all_stored(&self) -> bool {
        self.spools.values().all(|spool| !spool.is_over)
    }

    /// How far output got since this was asked last, for the ledger.
    pub(crate) fn progress(&mut self) -> Vec<Entry> {
        let unrecorded = self
            .spools
            .iter_mut()
            .filter(|(_, spool)| spool.is_unrecorded);
        unrecorded
            .map(|(life, spool)| {
                spool.is_unrecorded = false;
                Entry::OutputStored {
                    life: *life,
                    offset: spool.stored,
                }
            })
            .collect()
    }

    /// How far all output got, for a rewritten ledger.
    pub(crate) fn snapshot(&self) -> impl Iterator<Item = Entry> {
        let begun = self.spools.iter().filter(|(_, spool)| spool.stored > 0);
        begun.map(|(life, spool)| Entry::OutputStored {
            life: *life,
            offset: spool.stored,
        })
    }

    fn make_ready(&mut self, life: LifeId) {
        let Some(spool) = self.spools.get_mut(&life) else {
            return;
        };
        spool.turn = match spool.turn {
            Turn::None => {
                self.ready.push_back(life);
                Turn::Queued
            }
            Turn::Queued => Turn::Queued,
            Turn::Reading { .. } => Turn::Reading { again: true },
        };
    }

    /// Gives up the output of those that ended first, as long as there is too much.
    fn keep_quota(&mut self) -> Vec<LifeId> {
        let mut dropped = Vec::new();
        while self.ended_bytes > self.ended_max_bytes {
            let Some(life) = self.ended.pop_front() else {
                break;
            };
            let Some(spool) = self
                .spools
                .get_mut(&life)
                .filter(|spool| spool.quota_bytes > 0)
            else {
                continue;
            };
            self.ended_bytes -= spool.quota_bytes;
            spool.quota_bytes = 0;
            self.dropped_count += 1;
            dropped.push(life);
        }
        dropped
    }
}

fn sent_piece(piece: &v1::OutputPiece) -> Option<Sent> {
    let life = cronfleet_wire::convert::life_id(&piece.life).ok()?;
    let bytes = output::plain_length(piece);
    Some(Sent {
        life,
        end: piece.offset + bytes as u64,
        bytes,
        is_end: piece.is_end,
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use bytes::Bytes;
    use cronfleet_shim::frame::{Header, Stream, segment_name};

    use super::*;
    use crate::host::{CgroupUse, HostConfig};

    const ON_THE_WAY_MAX: usize = 1 << 20;

    fn host(dir: &std::path::Path) -> Host {
        let shim = dir.join("shim");
        fs::write(&shim, "").unwrap();
        Host::open(HostConfig {
            runtime_dir: dir.join("run"),
            spool_dir: dir.join("spool"),
            shim,
            cgroups: CgroupUse::Off,
        })
        .unwrap()
    }

    fn life(number: u128) -> LifeId {
        LifeId::from_u128(number)
    }

    /// Writes frames of 1,000 bytes each; gives the offset after them.
    fn write(host: &Host, life: LifeId, frames: usize) -> u64 {
        let header = Header {
            at_us: 1,
            stream: Stream::Stdout,
            len: 987,
        };
        let frame = [&header.encode()[..], &[b'x'; 987]].concat();
        let dir = host.config().spool_dir.join(life.to_string());
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join(segment_name(0)), frame.repeat(frames)).unwrap();
        frames as u64 * 1_000
    }

    /// Reads and sends messages until nothing more goes; gives their pieces with life, offset, length and end.
    async fn ship(
        outputs: &mut Outputs,
        host: &Host,
    ) -> Vec<(u64, Vec<(Bytes, u64, usize, bool)>)> {
        let mut messages = Vec::new();
        loop {
            outputs.begin_read(host, 0);
            if outputs.reading.is_none() {
                return messages;
            }
            outputs.wait_read().await;
            if let Some(output) = outputs.take_outgoing() {
                let pieces = output.pieces.into_iter();
                let pieces = pieces
                    .map(|p| (p.life, p.offset, p.frames.len(), p.is_end))
                    .collect();
                messages.push((output.sequence, pieces));
            }
        }
    }

    #[tokio::test]
    async fn output_goes_on_from_where_a_center_has_stored_it() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        let mut outputs = Outputs::new(ON_THE_WAY_MAX, u64::MAX);
        let end = write(&host, life(1), 300);
        outputs.open(life(1), OutputFlag::default(), 0);
        assert!(
            ship(&mut outputs, &host).await.is_empty(),
            "nobody is there"
        );
        outputs.connect(false);
        let sent = ship(&mut outputs, &host).await;
        let bytes: usize = sent
            .iter()
            .flat_map(|(_, pieces)| pieces)
            .map(|piece| piece.2)
            .sum();
        assert_eq!(
            (bytes, sent[0].1[0].2),
            (300_000, 262_000),
            "lives take turns"
        );
        // The first is stored, the second is lost with the session; meanwhile the life ends.
        assert!(outputs.acked(sent[0].0).is_empty());
        outputs.disconnect();
        outputs.over(life(1), Some(end), end);
        assert_eq!(
            outputs.progress(),
            [Entry::OutputStored {
                life: life(1),
                offset: 262_000
            }]
        );
        assert!(outputs.progress().is_empty());
        outputs.connect(false);
        let sent = ship(&mut outputs, &host).await;
        assert_eq!(sent.len(), 1);
        assert_eq!(
            sent[0].1[0],
            (
                Bytes::copy_from_slice(life(1).as_uuid().as_bytes()),
                262_000,
                38_000,
                true
            )
        );
        assert!(!outputs.is_all_stored());
        assert_eq!(outputs.acked(sent[0].0), [Chore::RemoveSpool(life(1))]);
        assert!(outputs.is_all_stored() && !outputs.has(life(1)));
    }

    #[tokio::test]
    async fn only_so_much_is_on_the_way() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        let mut outputs = Outputs::new(ON_THE_WAY_MAX, u64::MAX);
        for number in 1..=10 {
            write(&host, life(number), 200);
            outputs.open(life(number), OutputFlag::default(), 0);
        }
        outputs.connect(false);
        let sent = ship(&mut outputs, &host).await;
        let bytes: usize = sent
            .iter()
            .flat_map(|(_, pieces)| pieces)
            .map(|piece| piece.2)
            .sum();
        assert!(
            (800_000..=ON_THE_WAY_MAX + 65_549).contains(&bytes),
            "{bytes}"
        );
        let mut all = bytes;
        let mut acks: Vec<u64> = sent.iter().map(|(sequence, _)| *sequence).collect();
        while let Some(sequence) = acks.pop() {
            outputs.acked(sequence);
            for (sequence, pieces) in ship(&mut outputs, &host).await {
                all += pieces.iter().map(|piece| piece.2).sum::<usize>();
                acks.push(sequence);
            }
        }
        assert_eq!(all, 2_000_000);
    }

    #[tokio::test]
    async fn output_without_end_is_read_to_its_last_frame() {
        let dir = tempfile::tempdir().unwrap();
        let host = host(dir.path());
        let mut outputs = Outputs::new(ON_THE_WAY_MAX, u64::MAX);
        outputs.connect(false);
        write(&host, life(1), 2);
        outputs.open(life(1), OutputFlag::default(), 1_000);
        outputs.over(life(1), None, 0);
        // One that never wrote, and one whose last bytes are gone.
        outputs.open(life(2), OutputFlag::default(), 0);
        outputs.over(life(2), Some(0), 0);
        write(&host, life(3), 1);
        outputs.open(life(3), OutputFlag::default(), 0);
        outputs.over(life(3), Some(9_000), 0);
        let sent = ship(&mut outputs, &host).await;
        let pieces: Vec<_> = sent[0]
            .1
            .iter()
            .map(|piece| (piece.1, piece.2, piece.3))
            .collect();
        let expected = [
            (1_000, 1_000, false),
            (2_000, 0, true),
            (0, 0, true),
            (0, 1_000, false),
            (9_000, 0, true),
        ];
        // Without a known end the last frame is followed by the end alone, or is the end.
        assert!(
            pieces == expected || pieces == [&[(1_000, 1_000, true)], &expected[2..]].concat(),
            "{pieces:?}"
        );
    }

    #[test]
    fn beyond_the_quota_the_oldest_output_goes_first() {
        let mut outputs = Outputs::new(ON_THE_WAY_MAX, 100);
        let mut end = |number, bytes| {
            outputs.open(life(number), OutputFlag::default(), 0);
            outputs.over(life(number), Some(bytes), bytes)
        };
        assert!(end(1, 60).is_empty());
        assert!(end(2, 40).is_empty());
        assert_eq!(end(3, 50), [life(1)]);
        assert_eq!(end(4, 200), [life(2), life(3), life(4)]);
        assert!(end(5, 100).is_empty());
        assert!(
            outputs.has(life(1)),
            "that it has ended is still to be told"
        );
    }
}
