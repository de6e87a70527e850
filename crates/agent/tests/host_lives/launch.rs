//! From spec to running command: identity, surroundings, and every way in which a start fails.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::process::Command;
use std::slice;

use cronfleet_agent::host::{
    End, LifeCommand, LifeSpec, Limit, Resource, StartError, build_environment, resolve_user,
};

use crate::rig::{Rig, argv, nobody, python, sh};

#[tokio::test]
async fn every_exit_code_comes_back() {
    let rig = Rig::new();
    for code in [0, 1, 7, 126, 127, 128, 255] {
        let run = rig.sh(&format!("exit {code}")).await;
        assert_eq!(run.exit.end, End::Exited { code });
        assert!(!run.exit.stop_requested && !run.exit.kill_requested);
    }
}

#[tokio::test]
async fn signals_come_back() {
    let rig = Rig::new();
    for signal in [1, 9, 11, 15] {
        let mut spec = sh(&format!("kill -{signal} $$"));
        spec.limits = vec![limit(Resource::Core, 0)];
        let expected = End::Signalled {
            signal,
            core_dumped: false,
        };
        assert_eq!(rig.run(&spec).await.exit.end, expected);
    }
}

#[tokio::test]
async fn each_way_a_command_cannot_be_executed_has_its_own_code() {
    let rig = Rig::new();
    let file = |name: &str, text: &str, mode: u32| {
        let path = rig.path(name);
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path.into_os_string()
    };
    symlink("loop", rig.path("loop")).unwrap();
    fs::create_dir(rig.path("closed")).unwrap();
    fs::set_permissions(rig.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    let cases: [(OsString, &str); 11] = [
        ("/no/such/command".into(), "command_missing"),
        ("/etc/passwd/x".into(), "command_missing"),
        ("no-such-command-anywhere".into(), "command_missing"),
        (file("plain", "#!/bin/sh\n", 0o644), "command_denied"),
        (rig.dir.path().into(), "command_denied"),
        (rig.path("loop").into(), "command_denied"),
        (file("noformat", "echo hi\n", 0o755), "command_format"),
        (file("empty", "", 0o755), "command_format"),
        (
            file("badinterp", "#!/no/such/sh\n", 0o755),
            "command_missing",
        ),
        (format!("/{}", "x".repeat(300)).into(), "spawn_failed"),
        (file("closed/x", "", 0o755), "command_denied"),
    ];
    for (command, code) in cases {
        let mut spec = argv(slice::from_ref(&command));
        spec.user = nobody();
        let error = rig.start(&spec).await.unwrap_err();
        assert_eq!(error.code(), code, "{command:?}: {error:?}");
    }
    let mut spec = argv(&["/bin/true"]);
    spec.environment = vec![("BIG".into(), "x".repeat(4 << 20).into())];
    let error = rig.start(&spec).await.unwrap_err();
    assert_eq!(error.code(), "spawn_failed", "E2BIG: {error:?}");
}

#[tokio::test]
async fn a_dump_of_memory_is_told() {
    let rig = Rig::new();
    // Where dumps go is the machine's choice: a plain shell shows what to expect here.
    let plain = Command::new("/bin/sh")
        .args(["-c", "ulimit -c unlimited; kill -6 $$"])
        .current_dir(rig.path(""))
        .status()
        .unwrap();
    let mut spec = sh("kill -6 $$");
    spec.directory = rig.path("");
    spec.limits = vec![Limit {
        resource: Resource::Core,
        soft: None,
        hard: None,
    }];
    let expected = End::Signalled {
        signal: 6,
        core_dumped: plain.core_dumped(),
    };
    assert_eq!(rig.run(&spec).await.exit.end, expected);
}

#[tokio::test]
async fn a_command_that_is_being_written_may_be_tried_again() {
    let rig = Rig::new();
    let path = rig.path("tool");
    fs::copy("/bin/true", &path).unwrap();
    let writer = fs::OpenOptions::new().append(true).open(&path).unwrap();
    let error = rig.start(&argv(slice::from_ref(&path))).await.unwrap_err();
    assert!(error.is_passing(), "{error:?}");
    drop(writer);
    let run = rig.run(&argv(slice::from_ref(&path))).await;
    assert_eq!(run.exit.end, End::Exited { code: 0 });
}

#[tokio::test]
async fn a_missing_interpreter_is_not_called_a_missing_command() {
    let rig = Rig::new();
    let path = rig.path("script");
    fs::write(&path, "#!/no/such/sh\n").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    let error = rig.start(&argv(slice::from_ref(&path))).await.unwrap_err();
    assert!(matches!(error, StartError::Interpreter { path: named } if named == path));
}

#[tokio::test]
async fn names_are_looked_up_in_the_commands_own_path() {
    let rig = Rig::new();
    for (dir, mode) in [("denied", 0o644), ("good", 0o755)] {
        fs::create_dir(rig.path(dir)).unwrap();
        let path = rig.path(dir).join("tool");
        fs::write(&path, format!("#!/bin/sh\necho {dir} \"$0\"\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let (denied, good) = (rig.path("denied"), rig.path("good"));
    let with_path = |path: String| {
        let mut spec = argv(&["tool"]);
        spec.environment = vec![("PATH".into(), path.into())];
        spec
    };
    let both = format!("/nowhere::{}:{}", denied.display(), good.display());
    let run = rig.run(&with_path(both)).await;
    assert!(run.text().starts_with("good "), "{}", run.text());
    let only_denied = format!("{}:/nowhere", denied.display());
    let error = rig.start(&with_path(only_denied)).await.unwrap_err();
    assert_eq!(error.code(), "command_denied");
}

#[tokio::test]
async fn a_directory_must_be_there_and_open_to_the_user() {
    let rig = Rig::new();
    fs::create_dir(rig.path("closed")).unwrap();
    fs::set_permissions(rig.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    for (directory, code) in [
        (rig.path("missing"), "directory_missing"),
        ("/etc/passwd".into(), "directory_missing"),
        (rig.path("closed"), "directory_denied"),
    ] {
        let mut spec = sh("pwd");
        spec.user = nobody();
        spec.directory = directory.clone();
        let error = rig.start(&spec).await.unwrap_err();
        assert_eq!(error.code(), code, "{directory:?}");
        assert!(error.to_string().contains(directory.to_str().unwrap()));
    }
    let mut spec = sh("pwd");
    spec.directory = rig.path("closed");
    assert_eq!(
        rig.run(&spec).await.text().trim(),
        spec.directory.to_str().unwrap()
    );
}

/// A user that exists for one test. It may not log in, which is no reason not to run as it.
struct TestUser {
    name: String,
    groups: Vec<String>,
}

impl TestUser {
    fn with_groups(count: usize) -> Self {
        let name = format!("cft{}", std::process::id());
        let groups: Vec<String> = (0..count).map(|i| format!("{name}g{i}")).collect();
        let user = Self { name, groups };
        for group in &user.groups {
            command("groupadd", &[group]);
        }
        let list = user.groups.join(",");
        command(
            "useradd",
            &[
                "-M",
                "-d",
                "/",
                "-s",
                "/usr/sbin/nologin",
                "-G",
                &list,
                &user.name,
            ],
        );
        user
    }
}

impl Drop for TestUser {
    fn drop(&mut self) {
        let _ = Command::new("userdel").arg(&self.name).output();
        for group in &self.groups {
            let _ = Command::new("groupdel").arg(group).output();
        }
    }
}

fn command(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn a_user_has_exactly_its_own_groups() {
    let rig = Rig::new();
    let test_user = TestUser::with_groups(12);
    let mut spec = sh("id -u; id -g; id -G; id -un; cat /proc/self/status");
    spec.user = resolve_user(&test_user.name).unwrap();
    let run = rig.run(&spec).await;
    let lines: Vec<&str> = run.text().lines().collect();
    let sorted = |list: &str| {
        let mut ids: Vec<u32> = list
            .split_whitespace()
            .map(|g| g.parse().unwrap())
            .collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(lines[0], spec.user.uid.to_string());
    assert_eq!(lines[1], spec.user.gid.to_string());
    assert_eq!(
        sorted(lines[2]),
        sorted(&command("id", &["-G", &test_user.name]))
    );
    assert_eq!(sorted(lines[2]).len(), 13, "twelve and its own");
    assert!(!sorted(lines[2]).contains(&0), "none of root's groups");
    assert_eq!(lines[3], test_user.name);
    let status = |key: &str| {
        let line = lines.iter().find_map(|l| l.strip_prefix(key)).unwrap();
        line.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let uid = spec.user.uid;
    assert_eq!(status("Uid:"), format!("{uid} {uid} {uid} {uid}"));
    for set in ["CapInh:", "CapPrm:", "CapEff:", "CapAmb:"] {
        assert_eq!(status(set), "0000000000000000", "{set}");
    }
    assert_eq!(status("NoNewPrivs:"), "1");
}

#[tokio::test]
async fn root_has_its_groups_from_the_database_too() {
    let rig = Rig::new();
    let run = rig.sh("id -G").await;
    assert_eq!(run.text(), command("id", &["-G", "root"]));
}

fn limit(resource: Resource, bound: u64) -> Limit {
    Limit {
        resource,
        soft: Some(bound),
        hard: Some(bound),
    }
}

#[tokio::test]
async fn umask_limits_nice_and_scores_are_set() {
    let rig = Rig::new();
    let mut spec = sh("umask; ulimit -n; ulimit -t; nice; cat /proc/self/oom_score_adj");
    spec.user = nobody();
    spec.umask = 0o027;
    spec.limits = vec![limit(Resource::OpenFiles, 77), limit(Resource::Cpu, 99)];
    spec.nice = 5;
    spec.oom_score_adj = Some(300);
    assert_eq!(rig.run(&spec).await.text(), "0027\n77\n99\n5\n300\n");
    let plain = rig
        .sh("cat /proc/self/oom_score_adj; grep NoNewPrivs /proc/self/status")
        .await;
    assert_eq!(
        plain.text(),
        "0\nNoNewPrivs:\t1\n",
        "the shim's own protection is not inherited"
    );
    let mut free = sh("grep NoNewPrivs /proc/self/status");
    free.no_new_privs = false;
    assert_eq!(rig.run(&free).await.text(), "NoNewPrivs:\t0\n");
}

#[tokio::test]
async fn the_raised_open_file_limit_of_the_agent_is_not_inherited() {
    let rig = Rig::new();
    let own = fs::read_to_string("/proc/self/limits").unwrap();
    let line = own
        .lines()
        .find(|l| l.starts_with("Max open files"))
        .unwrap();
    let words: Vec<&str> = line.split_whitespace().collect();
    assert_eq!(
        words[3], words[4],
        "the agent's soft limit is its hard limit"
    );
    let outside = command("sh", &["-c", "ulimit -Sn; ulimit -Hn"]);
    let run = rig.sh("ulimit -Sn; ulimit -Hn").await;
    assert_eq!(run.text().lines().nth(1), outside.lines().nth(1));
    let soft: u64 = run.text().lines().next().unwrap().parse().unwrap();
    assert!(soft <= words[3].parse().unwrap());
}

#[tokio::test]
async fn a_limit_beyond_reach_is_an_error_of_that_step() {
    let rig = Rig::new();
    let mut spec = sh("true");
    spec.limits = vec![Limit {
        resource: Resource::OpenFiles,
        soft: Some(10),
        hard: Some(5),
    }];
    let error = rig.start(&spec).await.unwrap_err();
    assert_eq!(error.code(), "limit_unsupported");
    assert!(error.to_string().contains("resource limits"), "{error}");
}

#[tokio::test]
async fn the_environment_is_built_and_nothing_else() {
    let rig = Rig::new();
    let mut spec = argv(&["/usr/bin/env", "-0"]);
    let job = [("GREETING", "hällo\nworld"), ("EMPTY", "")];
    spec.environment = build_environment(&spec.user, job, [("CRONFLEET_RUN", "r1")]).unwrap();
    let run = rig.run(&spec).await;
    let mut variables: Vec<&str> = run.text().trim_end_matches('\0').split('\0').collect();
    variables.sort_unstable();
    let expected = [
        "CRONFLEET_RUN=r1",
        "EMPTY=",
        "GREETING=hällo\nworld",
        "HOME=/root",
        "LANG=C.UTF-8",
        "LOGNAME=root",
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ];
    assert_eq!(variables[..7], expected);
    assert!(variables[7].starts_with("SHELL="));
    assert_eq!(variables[8..], ["USER=root"]);
}

#[tokio::test]
async fn signals_descriptors_and_session_are_clean() {
    // The agent ignores a signal and leaks a descriptor; its command must not notice.
    let leaked = fs::File::open("/etc/passwd").unwrap();
    nix::fcntl::fcntl(&leaked, nix::fcntl::F_SETFD(nix::fcntl::FdFlag::empty())).unwrap();
    let rig = Rig::new();
    let run = rig
        .run(&python(
            "import os\n\
             s = open('/proc/self/status').read()\n\
             print([l.split()[1] for l in s.splitlines() if l[:6] in ('SigBlk', 'SigIgn')])\n\
             print([f for f in range(3, 4096) if os.path.exists('/proc/self/fd/%d' % f)])\n\
             print(os.getsid(0) == os.getpid() == os.getpgrp())\n\
             print(os.readlink('/proc/self/fd/0'), repr(os.read(0, 1)))\n\
             print([os.get_blocking(f) for f in (1, 2)])\n\
             try: open('/dev/tty')\n\
             except OSError as e: print(e.errno)\n",
        ))
        .await;
    // Python itself ignores SIGPIPE (bit 12) and SIGXFSZ (bit 24).
    let expected =
        "['0000000000000000', '0000000001001000']\n[]\nTrue\n/dev/null b''\n[True, True]\n6\n";
    assert_eq!(run.text(), expected);
    let shell = rig
        .sh("grep -E 'Sig(Blk|Ign)' /proc/self/status | cut -f2")
        .await;
    assert_eq!(shell.text(), "0000000000000000\n".repeat(2));
}

#[tokio::test]
async fn arguments_arrive_as_they_are() {
    let rig = Rig::new();
    let words: Vec<OsString> = vec![
        "/usr/bin/printf".into(),
        "%s\\0".into(),
        "two words".into(),
        "".into(),
        "line\nbreak".into(),
        "'\"$HOME`id`\\".into(),
        "grüße 世界".into(),
        OsString::from_vec(vec![0xff, 0xfe]),
    ];
    let run = rig.run(&argv(&words)).await;
    let mut expected = Vec::new();
    for word in words[2..].iter().cloned() {
        expected.extend(word.into_vec());
        expected.push(0);
    }
    assert_eq!(run.stdout, expected);
}

#[tokio::test]
async fn a_script_runs_by_its_interpreter_and_is_its_users_alone() {
    let rig = Rig::new();
    let mut spec = LifeSpec::new(
        nobody(),
        LifeCommand::Script {
            interpreter: vec!["/bin/sh".into(), "-e".into()],
            text: b"echo \"$1\"\nstat -c '%U %a' \"$0\"\nfalse\necho not reached\n".to_vec(),
            arguments: vec!["an argument".into()],
        },
    );
    spec.directory = "/".into();
    spec.environment = vec![("PATH".into(), "/usr/bin:/bin".into())];
    let run = rig.run(&spec).await;
    assert_eq!(run.text(), "an argument\nnobody 500\n");
    assert_eq!(run.exit.end, End::Exited { code: 1 });
}

#[tokio::test]
async fn what_no_system_could_launch_is_refused_and_leaves_the_id_free() {
    let rig = Rig::new();
    let id = crate::rig::new_id();
    let good = sh("true");
    let mut bad = Vec::new();
    for words in [&[][..], &[""], &["a\0b"]] {
        bad.push(argv(words));
    }
    bad.push(LifeSpec {
        directory: "relative".into(),
        ..good.clone()
    });
    bad.push(LifeSpec {
        stop_signal: 0,
        ..good.clone()
    });
    bad.push(LifeSpec {
        environment: vec![("A=B".into(), "".into())],
        ..good.clone()
    });
    for spec in bad {
        let error = rig.host.arm(id, &spec).await.unwrap_err();
        assert!(matches!(error, StartError::Invalid { .. }), "{error:?}");
    }
    assert!(!rig.folder(id).exists());
    rig.host.arm(id, &good).await.unwrap().go().await.unwrap();
}

#[tokio::test]
async fn resource_use_is_measured() {
    let rig = Rig::new();
    let run = rig
        .run(&python(
            "b = bytearray(60_000_000)\nfor i in range(3_000_000): pass",
        ))
        .await;
    assert!(run.exit.max_rss_kib > 60_000, "{:?}", run.exit);
    assert!(run.exit.user_us > 10_000 && run.exit.duration_us >= run.exit.user_us / 4);
}

#[tokio::test]
async fn a_life_is_known_before_its_command_ends() {
    let rig = Rig::new();
    for _ in 0..30 {
        let mut life = rig.start(&argv(&["/bin/true"])).await.unwrap();
        assert!(life.pid() > 1);
        assert_eq!(
            crate::rig::finish(&mut life).await.exit.end,
            End::Exited { code: 0 }
        );
    }
}
