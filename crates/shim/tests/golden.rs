//! Files as shims have written them, kept: today's code reads them.
//!
//! `golden/first` is what the first shim wrote, `golden/now` what the newest does. When a format grows, what is `now` becomes a
//! folder of its own.

use cronfleet_shim::control::{Message, VERSION};
use cronfleet_shim::frame::{HEADER_LEN, Header, Stream};
use cronfleet_shim::life::{End, ExitRecord, KillMeans, ProcessId, ShimRecord, StartedRecord};
use cronfleet_shim::record::FormatError;
use cronfleet_shim::spec::{Cgroups, Hidden, Limit, Output, Program, Resource, Spec, Stragglers};

const GROUP: &[u8] = b"/sys/fs/cgroup/cronfleet/x";

const SHIM: ProcessId = ProcessId {
    pid: 12_393,
    start_ticks: 3_995_901,
};

fn bytes(list: &[&str]) -> Vec<Vec<u8>> {
    list.iter().map(|one| one.as_bytes().to_vec()).collect()
}

fn first_spec() -> Spec {
    Spec {
        argv: bytes(&["/bin/sh", "-c", "echo out; exit 3"]),
        program: None,
        environment: bytes(&["PATH=/usr/bin:/bin"]),
        secret_environment: Vec::new(),
        mask: Vec::new(),
        uid: 1_000,
        gid: 1_000,
        groups: vec![1_000, 24],
        change_ids: true,
        directory: b"/srv".to_vec(),
        umask: 0o022,
        limits: vec![Limit {
            resource: Resource::OpenFiles,
            soft: Some(1_024),
            hard: None,
        }],
        nice: 5,
        oom_score_adj: Some(100),
        no_new_privs: true,
        stop_signal: 15,
        output: Output::Store {
            cap_bytes: 1 << 20,
            directory: b"/var/lib/cronfleet/agent/spool/x".to_vec(),
            block_max_ms: None,
        },
        stragglers: Stragglers::Kill,
        drain_ms: 500,
        cgroups: Cgroups::default(),
        io_priority: None,
    }
}

fn spec_of_now() -> Spec {
    let program = Program {
        path: b"/usr/bin/dash".to_vec(),
        device: 64_768,
        inode: 1_310,
    };
    Spec {
        program: Some(program),
        secret_environment: vec![Hidden(b"DB=hunter22".to_vec())],
        mask: vec![Hidden(b"hunter22".to_vec())],
        output: Output::Store {
            cap_bytes: 1 << 20,
            directory: b"/var/lib/cronfleet/agent/spool/x".to_vec(),
            block_max_ms: Some(60_000),
        },
        stragglers: Stragglers::Leave,
        cgroups: Cgroups {
            joined: vec![GROUP.to_vec()],
            memory: Some(GROUP.to_vec()),
        },
        io_priority: Some(16_391),
        ..first_spec()
    }
}

#[test]
fn an_order_to_start_of_any_age_is_read() {
    let first = include_bytes!("golden/first/spec");
    assert_eq!(Spec::decode(first), Ok(first_spec()));
    // What is not asked for is not written, so that the first shim could read it, too.
    assert_eq!(first_spec().encode(), first);
    let now = include_bytes!("golden/now/spec");
    assert_eq!(Spec::decode(now), Ok(spec_of_now()));
    assert_eq!(spec_of_now().encode(), now);
}

fn first_start() -> StartedRecord {
    StartedRecord {
        shim: SHIM,
        process: ProcessId {
            pid: 12_394,
            start_ticks: 3_995_902,
        },
        boot_id: "986054b5-d2a0-49c2-9f25-26ac5a44df39".to_owned(),
        at_us: 1_795_372_145_896_370,
        boot_us: 39_959_040_129,
        cgroups: Vec::new(),
    }
}

#[test]
fn a_start_of_any_age_is_read() {
    let first = include_bytes!("golden/first/started");
    assert_eq!(StartedRecord::decode(first), Ok(first_start()));
    let now = include_bytes!("golden/now/started");
    let start = StartedRecord {
        cgroups: vec![GROUP.to_vec()],
        ..first_start()
    };
    assert_eq!(StartedRecord::decode(now).as_ref(), Ok(&start));
    assert_eq!(start.encode(), now);
    let shim = ShimRecord { shim: SHIM };
    for lock in [
        include_bytes!("golden/first/lock"),
        include_bytes!("golden/now/lock"),
    ] {
        assert_eq!(ShimRecord::decode(lock), Ok(shim));
    }
}

fn first_end() -> ExitRecord {
    ExitRecord {
        end: End::Exited { code: 3 },
        at_us: 1_795_372_145_906_130,
        duration_us: 9_759,
        user_us: 0,
        system_us: 1_964,
        max_rss_kib: 1_444,
        output_bytes: 8,
        dropped_bytes: 0,
        spool_end: 34,
        stragglers_killed: 2,
        stragglers_left: 1,
        stop_requested: true,
        kill_requested: false,
        stop_signal: None,
        kill_means: None,
        stragglers_found: 3,
        oom_kills: 0,
    }
}

#[test]
fn an_end_of_any_age_is_read() {
    let first = include_bytes!("golden/first/exit");
    assert_eq!(ExitRecord::decode(first), Ok(first_end()));
    let now = include_bytes!("golden/now/exit");
    let end = ExitRecord {
        end: End::Signalled {
            signal: 9,
            core_dumped: false,
        },
        stop_signal: Some(15),
        kill_means: Some(KillMeans::ControlGroup),
        stragglers_found: 4,
        oom_kills: 1,
        ..first_end()
    };
    assert_eq!(ExitRecord::decode(now), Ok(end));
    assert_eq!(end.encode(), now);
}

#[test]
fn output_of_any_age_is_read() {
    for segment in [
        include_bytes!("golden/first/segment"),
        include_bytes!("golden/now/segment"),
    ] {
        let mut rest = segment.as_slice();
        let mut frames = Vec::new();
        while let Some((head, body)) = rest.split_first_chunk::<HEADER_LEN>() {
            let header = Header::decode(head).unwrap();
            let (data, after) = body.split_at(header.len);
            frames.push((header.stream, data));
            rest = after;
        }
        let expected: [(Stream, &[u8]); 2] =
            [(Stream::Stdout, b"out\n"), (Stream::Stderr, b"err\n")];
        assert_eq!(frames, expected);
    }
}

/// What a newer shim adds is passed over; what an agent adds for a newer shim is refused; a newer version of a file is told.
#[test]
fn files_of_the_future_are_read_or_refused() {
    let more = |file: &[u8]| {
        let mut text = String::from_utf8(file.to_vec()).unwrap();
        let end = text.len() - "end 0\n\n".len();
        text.insert_str(end, "colour 3\nred\n");
        text.into_bytes()
    };
    let newer = |file: &[u8]| {
        let text = String::from_utf8(file.to_vec()).unwrap();
        text.replacen(" 1\n", " 2\n", 1).into_bytes()
    };
    let started = include_bytes!("golden/first/started");
    assert_eq!(StartedRecord::decode(&more(started)), Ok(first_start()));
    let exit = include_bytes!("golden/first/exit");
    assert_eq!(ExitRecord::decode(&more(exit)), Ok(first_end()));
    let spec = include_bytes!("golden/first/spec");
    let key = "colour".to_owned();
    assert_eq!(Spec::decode(&more(spec)), Err(FormatError::Unknown { key }));
    let version = FormatError::Version { found: 2 };
    assert_eq!(
        StartedRecord::decode(&newer(started)).err(),
        Some(version.clone())
    );
    assert_eq!(
        ExitRecord::decode(&newer(exit)).err(),
        Some(version.clone())
    );
    assert_eq!(Spec::decode(&newer(spec)).err(), Some(version));
}

#[test]
fn the_start_protocol_is_the_one_of_the_first_shim() {
    assert_eq!(VERSION, 1);
    assert_eq!(
        Message::decode(b"R\x01\0\0\0\0"),
        Some(Message::Ready { version: 1 })
    );
    assert_eq!(Message::decode(b"S\0\0\0\0\0"), Some(Message::Started));
    assert_eq!(Message::decode(b"O\0\0\0\0\0"), Some(Message::Output));
    // A message of a newer shim.
    assert_eq!(Message::decode(b"X\0\0\0\0\0"), None);
}
