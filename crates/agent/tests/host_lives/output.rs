//! Output: every byte, in order, within bounds.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use cronfleet_agent::host::{Change, End, Ended, OutputPolicy, OutputReader, decode_frames};
use tokio::time::timeout;

use crate::rig::{PATIENCE, Rig, collect, finish, nobody, python, said, sh, until};

#[tokio::test]
async fn all_bytes_arrive_intact_and_streams_stay_apart() {
    let rig = Rig::new();
    let run = rig
        .run(&python(
            "import sys\n\
             all = bytes(range(256))\n\
             sys.stdout.buffer.write(all * 1000)\n\
             sys.stderr.buffer.write(bytes(reversed(all)) * 1000)\n",
        ))
        .await;
    let all: Vec<u8> = (0..=255).collect();
    let reversed: Vec<u8> = (0..=255).rev().collect();
    assert_eq!(run.stdout, all.repeat(1000));
    assert_eq!(run.stderr, reversed.repeat(1000));
    assert_eq!(
        (run.exit.output_bytes, run.exit.dropped_bytes),
        (512_000, 0)
    );
    assert!(run.gaps.is_empty());
}

#[tokio::test]
async fn the_last_words_are_never_lost() {
    let rig = Rig::new();
    for i in 0..40 {
        let run = rig
            .sh(&format!("echo first {i}; echo last {i} >&2; kill -9 $$"))
            .await;
        assert_eq!(run.stdout, format!("first {i}\n").as_bytes());
        assert_eq!(run.stderr, format!("last {i}\n").as_bytes());
    }
}

#[tokio::test]
async fn late_output_of_a_child_is_waited_for() {
    let rig = Rig::new();
    let run = rig.sh("(sleep 0.1; echo late) & exit 3").await;
    assert_eq!(
        (run.text(), run.exit.end),
        ("late\n", End::Exited { code: 3 })
    );
    assert_eq!(run.exit.stragglers_killed, 0);
}

#[tokio::test]
async fn closed_streams_are_no_problem() {
    let rig = Rig::new();
    let run = rig.sh("exec >&- 2>&-; true; exit 4").await;
    assert_eq!(run.exit.end, End::Exited { code: 4 });
}

#[tokio::test]
async fn streams_can_be_opened_by_name_as_another_user() {
    let rig = Rig::new();
    let mut spec = sh("echo out > /dev/stdout; echo err > /dev/stderr");
    spec.user = nobody();
    let run = rig.run(&spec).await;
    assert_eq!((run.text(), &run.stderr[..]), ("out\n", &b"err\n"[..]));
}

#[tokio::test]
async fn news_of_output_come_while_the_command_runs() {
    let rig = Rig::new();
    let go_on = rig.path("go-on");
    let script = format!(
        "echo one; while ! [ -e {} ]; do sleep 0.01; done; echo two",
        go_on.display()
    );
    let mut life = rig.start(&sh(&script)).await.unwrap();
    let change = timeout(PATIENCE, life.changed()).await.unwrap().unwrap();
    assert!(matches!(change, Change::Output));
    said(&mut life, "one").await;
    fs::write(go_on, "").unwrap();
    said(&mut life, "two").await;
    assert_eq!(finish(&mut life).await.text(), "one\ntwo\n");
}

#[tokio::test]
async fn beginning_and_end_are_kept_and_the_middle_is_a_gap() {
    const CAP: u64 = 256 * 1024;
    let rig = Rig::new();
    let mut spec = sh("seq -f 'line %09.0f' 1 200000");
    spec.output = OutputPolicy::Store {
        cap_bytes: CAP,
        block_max: None,
    };
    let mut life = rig.start(&spec).await.unwrap();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.output_bytes, 200_000 * 15);
    assert_eq!(run.gaps.len(), 1, "one gap: {:?}", run.gaps);
    assert_eq!(
        run.exit.dropped_bytes,
        run.exit.output_bytes - run.stdout.len() as u64
    );
    assert!(run.stdout.starts_with(b"line 000000001\n"));
    assert!(run.stdout.ends_with(b"line 000200000\n"));
    let head = run.gaps[0].0;
    assert!(
        (CAP / 4..CAP / 4 + 70_000).contains(&head),
        "a quarter at the head: {head}"
    );
    let on_disk = fs::read_dir(rig.path("spool").join(life.id().to_string())).unwrap();
    let on_disk: u64 = on_disk.map(|e| e.unwrap().metadata().unwrap().len()).sum();
    assert!(on_disk <= CAP + 70_000, "within the cap: {on_disk}");
    assert!(on_disk > CAP / 2, "but not wastefully below it: {on_disk}");
    assert_eq!(life.output().end().unwrap(), run.exit.spool_end);
}

#[tokio::test]
async fn output_that_was_taken_away_makes_room() {
    let rig = Rig::new();
    let go_on = rig.path("go-on");
    let wait = format!("while ! [ -e {} ]; do sleep 0.01; done", go_on.display());
    let mut spec = sh(&format!("seq 1 10000; echo half; {wait}; seq 10001 18000"));
    spec.output = OutputPolicy::Store {
        cap_bytes: 64 * 1024,
        block_max: None,
    };
    let mut life = rig.start(&spec).await.unwrap();
    said(&mut life, "half").await;
    let reader = life.output();
    let (mut taken, mut from) = (0, 0);
    loop {
        let page = reader.read(from, 1 << 20).unwrap();
        if page.next_offset == from {
            break;
        }
        taken += page.bytes.len();
        from = page.next_offset;
    }
    assert!(taken > 48_000);
    reader.release(from).unwrap();
    fs::write(go_on, "").unwrap();
    let run = finish(&mut life).await;
    assert_eq!(
        run.exit.dropped_bytes, 0,
        "nothing that was read counts as dropped"
    );
    let rest = reader.read(from, 1 << 20).unwrap();
    assert!(rest.gap.is_none() && rest.bytes.ends_with(b"18000\n"));
}

#[tokio::test]
async fn discarded_output_is_only_counted() {
    let rig = Rig::new();
    let mut spec = sh("head -c 1000000 /dev/zero; echo x >&2");
    spec.output = OutputPolicy::Discard;
    let mut life = rig.start(&spec).await.unwrap();
    let run = finish(&mut life).await;
    assert_eq!(
        (run.exit.output_bytes, run.exit.dropped_bytes),
        (1_000_002, 0)
    );
    assert!(run.stdout.is_empty());
    assert!(!rig.path("spool").join(life.id().to_string()).exists());
}

#[tokio::test]
async fn a_flood_leaves_the_shim_small() {
    let rig = Rig::new();
    let go_on = rig.path("go-on");
    let wait = format!("while ! [ -e {} ]; do sleep 0.01; done", go_on.display());
    let mut spec = sh(&format!(
        "head -c 300000000 /dev/zero; echo over >&2; {wait}"
    ));
    spec.output = OutputPolicy::Store {
        cap_bytes: 4 << 20,
        block_max: None,
    };
    let mut life = rig.start(&spec).await.unwrap();
    let reader = life.output();
    let flooded = async {
        while reader.end().unwrap() < 300_000_000 {
            assert!(matches!(life.changed().await.unwrap(), Change::Output));
        }
    };
    timeout(PATIENCE, flooded).await.unwrap();
    let status = fs::read_to_string(format!("/proc/{}/status", life.started().shim.pid)).unwrap();
    let peak = status
        .lines()
        .find_map(|l| l.strip_prefix("VmHWM:"))
        .unwrap();
    let peak_kib: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(peak_kib < 4096, "peak of the shim: {peak_kib} KiB");
    fs::write(go_on, "").unwrap();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.output_bytes, 300_000_005);
    assert_eq!(run.stderr, b"over\n");
}

/// A file system of a few pages, for as long as a test runs.
struct TinyDisk<'a>(&'a std::path::Path);

impl<'a> TinyDisk<'a> {
    fn mount(at: &'a std::path::Path) -> Self {
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=128k,mode=700", "tmpfs"])
            .arg(at)
            .status();
        assert!(
            mounted.unwrap().success(),
            "this test needs to mount a tmpfs"
        );
        Self(at)
    }
}

impl Drop for TinyDisk<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_drops_output_and_stops_nobody() {
    let rig = Rig::new();
    let spool = rig.path("spool");
    let _disk = TinyDisk::mount(&spool);
    let filler = spool.join("filler");
    let go_on = rig.path("go-on");
    let wait = format!("while ! [ -e {} ]; do sleep 0.01; done", go_on.display());
    let script =
        format!("echo begin; head -c 500000 /dev/zero; echo full >&2; {wait}; sleep 1.2; echo end");
    let mut life = rig.start(&sh(&script)).await.unwrap();
    let dropped = async {
        // The shim goes on reading, so the command comes to its end though nothing more fits.
        while fs::read_to_string(format!("/proc/{}/wchan", life.pid())).is_ok() {
            let io = fs::read_to_string(format!("/proc/{}/io", life.started().shim.pid)).unwrap();
            let read = io.lines().find_map(|l| l.strip_prefix("rchar: ")).unwrap();
            if read.parse::<u64>().unwrap() > 500_000 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, dropped).await.unwrap();
    assert!(!filler.exists());
    // Room again: what was taken is safe elsewhere.
    let mounted_over = life.output().end().unwrap();
    assert!(mounted_over > 0);
    let remounted = Command::new("mount")
        .args(["-o", "remount,size=4m"])
        .arg(&spool)
        .status();
    assert!(remounted.unwrap().success());
    fs::write(go_on, "").unwrap();
    let run = finish(&mut life).await;
    assert_eq!(run.exit.end, End::Exited { code: 0 });
    assert_eq!(run.exit.output_bytes, 500_015);
    assert!(run.exit.dropped_bytes > 300_000, "{:?}", run.exit);
    assert!(run.stdout.starts_with(b"begin\n") && run.stdout.ends_with(b"end\n"));
    assert_eq!(run.gaps.len(), 1);
    let kept = (run.stdout.len() + run.stderr.len()) as u64;
    assert_eq!(kept + run.exit.dropped_bytes, run.exit.output_bytes);
    let again = collect(run.exit, &life.output());
    assert_eq!(again.stdout, run.stdout);
}

/// Bytes that a process has written so far, by its own count.
fn written(pid: i32) -> u64 {
    let io = fs::read_to_string(format!("/proc/{pid}/io")).unwrap_or_default();
    let wrote = io.lines().find_map(|l| l.strip_prefix("wchar: "));
    wrote.map_or(0, |bytes| bytes.parse().unwrap())
}

fn is_in_write(pid: i32) -> bool {
    fs::read_to_string(format!("/proc/{pid}/syscall")).is_ok_and(|call| call.starts_with("1 "))
}

/// Reads everything that is there, as an agent does whose center stores it at once.
fn take(reader: &OutputReader, from: &mut u64, taken: &mut Vec<u8>) {
    loop {
        let page = reader.read(*from, 1 << 20).unwrap();
        assert!(page.gap.is_none(), "{:?}", page.gap);
        for frame in decode_frames(&page.bytes).unwrap() {
            taken.extend_from_slice(frame.bytes);
        }
        if page.next_offset == *from {
            break;
        }
        *from = page.next_offset;
    }
    reader.release(*from).unwrap();
}

#[tokio::test]
async fn who_is_made_to_wait_for_room_loses_nothing() {
    let rig = Rig::new();
    let mut spec = sh("exec seq 1 2000000");
    spec.output = OutputPolicy::Store {
        cap_bytes: 256 << 10,
        block_max: Some(PATIENCE),
    };
    let mut life = rig.start(&spec).await.unwrap();
    let pid = life.pid();
    until("it waits in its write", || is_in_write(pid)).await;
    let stuck_at = written(pid);
    assert!(stuck_at < 1 << 20, "beyond the cap: {stuck_at}");
    let reader = life.output();
    let (mut from, mut taken) = (0, Vec::new());
    let all = async {
        loop {
            take(&reader, &mut from, &mut taken);
            if let Ok(Change::Ended(ended)) = timeout(Duration::from_millis(1), life.changed())
                .await
                .unwrap_or(Ok(Change::Output))
            {
                return ended;
            }
        }
    };
    let Ended::Exit(exit) = timeout(PATIENCE, all).await.unwrap() else {
        panic!("the shim vanished");
    };
    take(&reader, &mut from, &mut taken);
    assert_eq!(exit.dropped_bytes, 0);
    assert_eq!(exit.output_bytes, taken.len() as u64);
    let numbers = str::from_utf8(&taken).unwrap().lines();
    assert!(numbers.eq((1..=2_000_000).map(|n: u32| n.to_string())));
}

#[tokio::test]
async fn nobody_waits_longer_than_asked_for() {
    let rig = Rig::new();
    let mut spec = sh("head -c 2000000 /dev/zero; echo over >&2");
    spec.output = OutputPolicy::Store {
        cap_bytes: 256 << 10,
        block_max: Some(Duration::from_millis(1_200)),
    };
    let begun = Instant::now();
    let run = rig.run(&spec).await;
    let took = begun.elapsed();
    assert!(took >= Duration::from_millis(1_200), "{took:?}");
    assert_eq!(run.exit.end, End::Exited { code: 0 });
    assert_eq!(run.exit.output_bytes, 2_000_005);
    let kept = (run.stdout.len() + run.stderr.len()) as u64;
    assert_eq!(kept + run.exit.dropped_bytes, 2_000_005);
    assert_eq!((run.gaps.len(), run.stderr.as_slice()), (1, &b"over\n"[..]));
}

#[tokio::test]
async fn who_waits_for_room_can_be_stopped_and_a_full_disk_loses_nothing_of_it() {
    let rig = Rig::new();
    let spool = rig.path("spool");
    let disk = TinyDisk::mount(&spool);
    let mut spec = sh("exec seq 1 200000");
    spec.output = OutputPolicy::Store {
        cap_bytes: 16 << 20,
        block_max: Some(PATIENCE),
    };
    let mut life = rig.start(&spec).await.unwrap();
    let pid = life.pid();
    until("it waits for the disk", || is_in_write(pid)).await;
    let grown = Command::new("mount")
        .args(["-o", "remount,size=16m"])
        .arg(disk.0)
        .status();
    assert!(grown.unwrap().success());
    let run = finish(&mut life).await;
    assert_eq!((run.exit.dropped_bytes, run.gaps.len()), (0, 0));
    let numbers = run.text().lines();
    assert!(numbers.eq((1..=200_000).map(|n: u32| n.to_string())));
    let mut waiting = sh("exec cat /dev/zero");
    waiting.output = OutputPolicy::Store {
        cap_bytes: 64 << 10,
        block_max: Some(PATIENCE),
    };
    let mut life = rig.start(&waiting).await.unwrap();
    let pid = life.pid();
    until("it waits in its write", || is_in_write(pid)).await;
    life.control().stop().unwrap();
    let run = finish(&mut life).await;
    assert!(matches!(run.exit.end, End::Signalled { signal: 15, .. }));
}

#[tokio::test]
async fn a_line_of_100_mb_grows_nobody_and_stays_within_the_cap() {
    const LINE: u64 = 100_000_000;
    let rig = Rig::new();
    let mut spec = python(&format!(
        "import sys\n\
         sys.stdout.write('begin ' + 'x' * ({LINE} - 11) + ' end\\n')\n"
    ));
    spec.output = OutputPolicy::Store {
        cap_bytes: 1 << 20,
        block_max: None,
    };
    let mut life = rig.start(&spec).await.unwrap();
    let shim = life.started().shim.pid;
    let mut peak_kib = 0;
    let ended = async {
        loop {
            peak_kib = peak_kib.max(resident_kib(shim));
            match life.changed().await.unwrap() {
                Change::Output => {}
                Change::Ended(Ended::Exit(exit)) => return exit,
                Change::Ended(Ended::Vanished) => panic!("the shim vanished"),
            }
        }
    };
    let exit = timeout(PATIENCE, ended).await.unwrap();
    assert!(peak_kib < 4096, "peak of the shim: {peak_kib} KiB");
    let run = collect(exit, &life.output());
    assert_eq!(run.exit.output_bytes, LINE);
    assert_eq!(run.stdout.len() as u64 + run.exit.dropped_bytes, LINE);
    assert!(run.stdout.len() <= 1 << 20);
    assert!(run.stdout.starts_with(b"begin x") && run.stdout.ends_with(b"x end\n"));
}

/// Largest resident size of a process so far; 0 once it is gone.
fn resident_kib(pid: i32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:"));
    peak.map_or(0, |kib| kib.trim().trim_end_matches(" kB").parse().unwrap())
}
