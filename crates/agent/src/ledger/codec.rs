//! Entries ↔ bytes.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cronfleet_core::id::LifeId;
use cronfleet_core::job::{StopPolicy, StopSignal};
use cronfleet_core::order::{DaemonOrder, Order, ProcessReport, StopCause};
use cronfleet_core::record::{LaunchDigest, LifeStarted, Record};
use cronfleet_wire::convert::{self, MessageError};
use cronfleet_wire::v1 as link;
use prost::Message;
use uuid::Uuid;

use super::entry::Entry;

/// Messages generated from `ledger.proto`.
#[expect(unreachable_pub, reason = "generated")]
#[expect(
    clippy::large_enum_variant,
    reason = "generated; read and written one at a time"
)]
mod v1 {
    tonic::include_proto!("cronfleet.ledger.v1");
}

use v1::entry::What;

/// Bytes that are not an entry.
#[derive(Debug, thiserror::Error)]
pub(super) enum CodecError {
    #[error(transparent)]
    Wire(#[from] prost::DecodeError),
    #[error(transparent)]
    Message(#[from] MessageError),
}

/// Appends the bytes of an entry.
pub(super) fn encode(entry: &Entry, bytes: &mut Vec<u8>) {
    let what = match entry {
        Entry::Book(record) => record_message(record),
        Entry::Boot { boot_id } => What::BootId(boot_id.clone()),
        Entry::OutputStored { life, offset } => What::OutputStored(v1::OutputStored {
            life: id(life.as_uuid()),
            offset: *offset,
        }),
        Entry::ClockOffset(us) => What::ClockOffsetUs(*us),
    };
    let message = v1::Entry { what: Some(what) };
    bytes.reserve(message.encoded_len());
    message.encode_raw(bytes);
}

/// Reads an entry; `None` for a kind that this version does not know.
pub(super) fn decode(bytes: &[u8]) -> Result<Option<Entry>, CodecError> {
    let Some(what) = v1::Entry::decode(bytes)?.what else {
        return Ok(None);
    };
    Ok(Some(match what {
        What::BootId(boot_id) => Entry::Boot { boot_id },
        What::OutputStored(stored) => Entry::OutputStored {
            life: convert::life_id(&stored.life)?,
            offset: stored.offset,
        },
        What::ClockOffsetUs(us) => Entry::ClockOffset(us),
        what => Entry::Book(read_record(what)?),
    }))
}

fn record_message(record: &Record) -> What {
    match record {
        Record::Accepted { order, at } => What::Accepted(v1::Accepted {
            order: Some(convert::order(order, 0)),
            at_us: convert::time_us(*at),
        }),
        Record::StopAsked { run, cause } => What::StopAsked(stop_asked((*run).into(), *cause)),
        Record::Settled {
            run,
            not_after,
            claim,
        } => What::Settled(v1::Settled {
            claim: Some(convert::claim(*run, claim)),
            not_after_us: convert::time_us(*not_after),
        }),
        Record::Acked { run } => What::Acked(id(run.as_uuid())),
        Record::SessionEpoch(epoch) => What::SessionEpoch(*epoch),
        Record::RunLimits(limits) => What::RunLimits((*limits).into()),
        Record::DaemonsWanted { generation, orders } => What::DaemonsWanted(v1::DaemonsWanted {
            generation: *generation,
            orders: orders
                .iter()
                .map(|order| link::DaemonOrder::from(&**order))
                .collect(),
        }),
        Record::LifeStarted(started) => What::LifeStarted(life_started(started)),
        Record::LifeStopAsked { process, cause } => {
            What::LifeStopAsked(stop_asked((*process).into(), *cause))
        }
        Record::LifeReady { process } => What::LifeReady(id(process.as_uuid())),
        Record::LifeReplaceAsked { process, cause } => {
            What::LifeReplaceAsked(stop_asked((*process).into(), *cause))
        }
        Record::LifeEnded(report) => What::LifeEnded(link::ProcessReport::from(&**report)),
        Record::LifeForgotten { process } => What::LifeForgotten(id(process.as_uuid())),
        Record::SlotFinished { job, index, launch } => What::SlotFinished(v1::SlotFinished {
            job: id(job.as_uuid()),
            index: *index,
            launch: Bytes::copy_from_slice(&launch.0),
        }),
    }
}

fn read_record(what: What) -> Result<Record, MessageError> {
    Ok(match what {
        What::Accepted(accepted) => Record::Accepted {
            order: Arc::new(Order::try_from(
                accepted.order.ok_or(wrong("accepted.order"))?,
            )?),
            at: convert::time("accepted.at_us", accepted.at_us)?,
        },
        What::StopAsked(asked) => Record::StopAsked {
            run: convert::run_id(&asked.life)?,
            cause: cause(asked.cause)?,
        },
        What::Settled(settled) => {
            let (run, claim) = convert::read_claim(settled.claim.ok_or(wrong("settled.claim"))?)?;
            let not_after = convert::time("settled.not_after_us", settled.not_after_us)?;
            Record::Settled {
                run,
                not_after,
                claim,
            }
        }
        What::Acked(run) => Record::Acked {
            run: convert::run_id(&run)?,
        },
        What::SessionEpoch(epoch) => Record::SessionEpoch(epoch),
        What::RunLimits(limits) => Record::RunLimits(limits.into()),
        What::DaemonsWanted(wanted) => Record::DaemonsWanted {
            generation: wanted.generation,
            orders: wanted
                .orders
                .into_iter()
                .map(|order| DaemonOrder::try_from(order).map(Arc::new))
                .collect::<Result<_, _>>()?,
        },
        What::LifeStarted(started) => Record::LifeStarted(read_life_started(&started)?),
        What::LifeStopAsked(asked) => Record::LifeStopAsked {
            process: convert::process_id(&asked.life)?,
            cause: cause(asked.cause)?,
        },
        What::LifeReady(process) => Record::LifeReady {
            process: convert::process_id(&process)?,
        },
        What::LifeReplaceAsked(asked) => Record::LifeReplaceAsked {
            process: convert::process_id(&asked.life)?,
            cause: cause(asked.cause)?,
        },
        What::LifeEnded(report) => Record::LifeEnded(Box::new(ProcessReport::try_from(report)?)),
        What::LifeForgotten(process) => Record::LifeForgotten {
            process: convert::process_id(&process)?,
        },
        What::SlotFinished(finished) => Record::SlotFinished {
            job: convert::job_id(&finished.job)?,
            index: finished.index,
            launch: digest(&finished.launch)?,
        },
        What::BootId(_) | What::OutputStored(_) | What::ClockOffsetUs(_) => {
            return Err(wrong("entry.what"));
        }
    })
}

fn life_started(started: &LifeStarted) -> v1::LifeStarted {
    v1::LifeStarted {
        process: id(started.process.as_uuid()),
        job: id(started.job.as_uuid()),
        job_version: started.job_version,
        index: started.index,
        launch: Bytes::copy_from_slice(&started.launch.0),
        stop_signal: started.stop.signal.number(),
        stop_grace_us: u64::try_from(started.stop.grace.as_micros()).unwrap_or(u64::MAX),
        restarts: started.restarts,
    }
}

fn read_life_started(started: &v1::LifeStarted) -> Result<LifeStarted, MessageError> {
    let signal = StopSignal::ALL
        .into_iter()
        .find(|signal| signal.number() == started.stop_signal)
        .ok_or(wrong("life_started.stop_signal"))?;
    Ok(LifeStarted {
        process: convert::process_id(&started.process)?,
        job: convert::job_id(&started.job)?,
        job_version: started.job_version,
        index: started.index,
        launch: digest(&started.launch)?,
        stop: StopPolicy {
            signal,
            grace: Duration::from_micros(started.stop_grace_us),
        },
        restarts: started.restarts,
    })
}

fn digest(bytes: &[u8]) -> Result<LaunchDigest, MessageError> {
    bytes
        .try_into()
        .map(LaunchDigest)
        .map_err(|_| wrong("launch"))
}

fn stop_asked(life: LifeId, cause: StopCause) -> v1::StopAsked {
    v1::StopAsked {
        life: id(life.as_uuid()),
        cause: convert::stop_cause(cause).into(),
    }
}

fn cause(number: i32) -> Result<StopCause, MessageError> {
    convert::read_stop_cause(number)?.ok_or(wrong("stop_asked.cause"))
}

fn id(uuid: Uuid) -> Bytes {
    convert::id_bytes(uuid)
}

const fn wrong(field: &'static str) -> MessageError {
    MessageError { field }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use cronfleet_core::id::{JobId, ProcessId, RunId};
    use cronfleet_core::job::{
        Command, DaemonSpec, Launch, OutputPolicy, Overlap, Restart, WhenFull,
    };
    use cronfleet_core::limits::{IoClass, IoPriority, ProcessLimits, Stragglers};
    use cronfleet_core::order::{
        Claim, Cleanup, End, ExitStatus, KillMeans, OutputTotals, RestartCounts, Start, Usage,
    };
    use cronfleet_core::run::Reason;
    use cronfleet_core::secret::{Given, SecretUse};
    use jiff::Timestamp;

    use super::*;
    use crate::ledger::Ledger;

    fn launch() -> Launch {
        Launch {
            command: Command::Argv(vec!["/bin/true".into()]),
            run_as: "root".into(),
            directory: Some("/".into()),
            environment: BTreeMap::from([("A".into(), "b".into())]),
            umask: 0o022,
            stragglers: Stragglers::Leave,
            limits: limits(),
            secrets: vec![SecretUse {
                name: "db".into(),
                given: Given::File("db.key".into()),
            }],
            output: OutputPolicy {
                is_stored: true,
                cap_bytes: 5_000,
                when_full: WhenFull::Block {
                    wait_max: Duration::from_secs(90),
                },
            },
            stop: StopPolicy {
                signal: StopSignal::Usr1,
                grace: Duration::from_millis(7),
            },
        }
    }

    fn limits() -> ProcessLimits {
        ProcessLimits {
            memory_max_bytes: Some(64 << 20),
            cpu_max_millicores: Some(500),
            pids_max: Some(10),
            open_files_max: Some(100),
            core_size_max_bytes: Some(0),
            nice: Some(-5),
            io_priority: Some(IoPriority {
                class: IoClass::BestEffort,
                level: 7,
            }),
            oom_score_adj: Some(500),
            may_gain_privileges: true,
        }
    }

    fn end() -> End {
        End {
            at: Timestamp::UNIX_EPOCH,
            status: ExitStatus::Signalled {
                signal: 9,
                has_core: true,
            },
            stopped_for: Some(StopCause::ScaledDown),
            duration: Duration::from_micros(3),
            usage: Usage {
                oom_kills: 2,
                ..Usage::default()
            },
            output: OutputTotals {
                written_bytes: 1,
                dropped_bytes: 0,
                end_offset: 14,
            },
            cleanup: Cleanup {
                stop_signal: Some(15),
                kill_means: Some(KillMeans::ControlGroup),
                found: 3,
                left: 1,
            },
        }
    }

    fn order() -> Order {
        Order {
            run: RunId::from_u128(1),
            job: JobId::from_u128(2),
            job_name: "nightly".into(),
            job_version: 3,
            copy: 0,
            copies: 1,
            attempt: 1,
            due: Timestamp::UNIX_EPOCH,
            jitter: Duration::ZERO,
            not_before: Timestamp::UNIX_EPOCH,
            not_after: Timestamp::UNIX_EPOCH + Duration::from_secs(60),
            is_offer: false,
            overlap: Overlap::Allow,
            timeout: Some(Duration::from_secs(1)),
            launch: launch(),
        }
    }

    fn daemon() -> DaemonOrder {
        DaemonOrder {
            job: JobId::from_u128(2),
            job_name: "worker".into(),
            job_version: 3,
            processes: 4,
            restarts: Some(RestartCounts {
                all: 2,
                slots: BTreeMap::from([(3, 1)]),
            }),
            policy: DaemonSpec {
                restart: Restart::OnFailure,
                ..DaemonSpec::default()
            },
            launch: launch(),
        }
    }

    /// One entry of every kind.
    fn entries() -> Vec<Entry> {
        let (run, process) = (RunId::from_u128(1), ProcessId::from_u128(4));
        let start = Start {
            at: Timestamp::UNIX_EPOCH,
            pid: 7,
        };
        let started = LifeStarted {
            process,
            job: JobId::from_u128(2),
            job_version: 3,
            index: 1,
            launch: LaunchDigest([9; 16]),
            stop: launch().stop,
            restarts: 12,
        };
        let report = ProcessReport {
            process,
            job: JobId::from_u128(2),
            job_version: 3,
            index: 1,
            start: Some(start),
            end: Some(end()),
            lost: Some(Reason::ExitUnknown),
        };
        let not_after = Timestamp::UNIX_EPOCH + Duration::from_secs(60);
        let refused = Claim::Refused {
            reason: Reason::Overlap,
            detail: Some("why".into()),
        };
        let records = [
            Record::Accepted {
                order: Arc::new(order()),
                at: not_after,
            },
            Record::StopAsked {
                run,
                cause: StopCause::Timeout,
            },
            Record::Settled {
                run,
                not_after,
                claim: refused,
            },
            Record::Settled {
                run,
                not_after,
                claim: Claim::Ended {
                    start: Some(start),
                    end: end(),
                },
            },
            Record::Acked { run },
            Record::SessionEpoch(u64::MAX),
            Record::DaemonsWanted {
                generation: 8,
                orders: vec![Arc::new(daemon())],
            },
            Record::LifeStarted(started),
            Record::LifeStopAsked {
                process,
                cause: StopCause::Replaced,
            },
            Record::LifeReady { process },
            Record::LifeReplaceAsked {
                process,
                cause: StopCause::Recycled,
            },
            Record::LifeEnded(Box::new(report)),
            Record::LifeForgotten { process },
            Record::SlotFinished {
                job: JobId::from_u128(2),
                index: 1,
                launch: LaunchDigest([9; 16]),
            },
        ];
        let own = [
            Entry::Boot {
                boot_id: "b".into(),
            },
            Entry::OutputStored {
                life: run.into(),
                offset: 77,
            },
            Entry::ClockOffset(-5),
        ];
        records.into_iter().map(Entry::Book).chain(own).collect()
    }

    #[test]
    fn every_entry_reads_back() {
        for entry in entries() {
            let mut bytes = Vec::new();
            encode(&entry, &mut bytes);
            assert_eq!(decode(&bytes).unwrap(), Some(entry));
        }
    }

    /// A ledger as it was written once, kept in `golden`. When entries get new fields this one stays, and their values in it are
    /// what an older agent meant.
    #[test]
    fn a_ledger_of_an_earlier_agent_is_read() {
        let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/ledger/golden/1");
        let dir = tempfile::tempdir().unwrap();
        let ledger = dir.path().join("ledger");
        if std::env::var_os("CRONFLEET_WRITE_GOLDEN").is_some() {
            let (mut written, _) = Ledger::open(dir.path(), false, u64::MAX).unwrap();
            written.append(&entries()).unwrap();
            std::fs::copy(&ledger, &kept).unwrap();
        }
        std::fs::copy(&kept, &ledger).unwrap();
        let (_, replayed) = Ledger::open(dir.path(), true, u64::MAX).unwrap();
        assert!(!replayed.is_lost);
        assert_eq!(replayed.entries, entries());
    }

    #[test]
    fn unknown_kinds_are_passed_over_and_nonsense_is_refused() {
        assert_eq!(decode(&[]).unwrap(), None);
        // Field 200, a number.
        assert_eq!(decode(&[0xc0, 0x0c, 0x01]).unwrap(), None);
        assert!(decode(&[0xff]).is_err());
        let cut = v1::Entry {
            what: Some(What::Acked(Bytes::from_static(b"short"))),
        };
        assert!(decode(&cut.encode_to_vec()).is_err());
    }
}
