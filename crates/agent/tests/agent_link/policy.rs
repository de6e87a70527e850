//! A center that has been taken over: it can order whatever it wants, and gets no more than the machine's policy allows.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use cronfleet_agent::Status;
use cronfleet_core::job::{Command, Launch};
use cronfleet_core::order::{Claim, ExitStatus, SlotState};
use cronfleet_core::run::Reason;
use cronfleet_wire::v1::from_center::Body;
use cronfleet_wire::{convert, v1};
use jiff::Timestamp;
use nix::unistd::Uid;

use crate::center::PATIENCE;
use crate::rig::{Rig, daemon, launch, order, write_policy};

/// Whom jobs may run as here: somebody harmless where the tests are root.
fn harmless() -> String {
    if Uid::effective().is_root() {
        "nobody".to_owned()
    } else {
        launch("true").run_as
    }
}

/// A machine with one directory of programs, and a policy that allows nothing else.
struct Machine {
    rig: Rig,
    bin: PathBuf,
}

impl Machine {
    async fn new() -> Self {
        let rig = Rig::new().await;
        let place = rig.dir.path().canonicalize().unwrap();
        fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
        let bin = place.join("bin");
        fs::create_dir(&bin).unwrap();
        fs::copy("/bin/echo", bin.join("tool")).unwrap();
        fs::write(bin.join("script"), "#!/bin/sh\necho \"script $0 $1\"\n").unwrap();
        for program in ["tool", "script"] {
            fs::set_permissions(bin.join(program), Permissions::from_mode(0o755)).unwrap();
        }
        symlink("/usr/bin/id", bin.join("way-out")).unwrap();
        let machine = Self { rig, bin };
        machine.allow("dirs");
        machine
    }

    fn allow(&self, mode: &str) {
        let owner = launch("true").run_as;
        let text = format!(
            "version = 1\n[run_as]\nallow = [\"*\"]\nmin_uid = 0\ndeny_groups = []\n\
             [exec]\nmode = {mode:?}\ndirs = [{:?}]\nowners = [\"root\", {owner:?}]\nshells = false\nscripts = false\n\
             [directory]\nroots = [\"/opt\", {:?}]\n[environment]\nallow = [\"APP_*\", \"LD_*\"]\n\
             [caps]\nprocesses = 3\n",
            self.bin, self.bin
        );
        write_policy(&self.rig.path("policy.toml"), &text);
    }

    /// A launch that the policy allows.
    fn good(&self) -> Launch {
        Launch {
            command: argv(&[&self.bin.join("tool"), Path::new("good")]),
            run_as: harmless(),
            directory: Some(self.bin.to_str().unwrap().to_owned()),
            ..launch("")
        }
    }

    async fn run(&self, launch: Launch) -> (Claim, cronfleet_core::id::RunId) {
        let order = order(launch, Timestamp::now());
        self.rig.center.order(std::slice::from_ref(&order)).await;
        (self.rig.center.over(order.run).await, order.run)
    }
}

fn argv(words: &[&Path]) -> Command {
    Command::Argv(
        words
            .iter()
            .map(|word| word.to_str().unwrap().to_owned())
            .collect(),
    )
}

/// What a run was refused with.
fn refusal(claim: &Claim) -> (Reason, &str) {
    match claim {
        Claim::Ended { start: None, end } => match &end.status {
            ExitStatus::NotStarted { reason, detail } => (*reason, detail),
            status => panic!("it ran: {status:?}"),
        },
        claim => panic!("not refused: {claim:?}"),
    }
}

fn is_success(claim: &Claim) -> bool {
    matches!(claim, Claim::Ended { end, .. } if end.status == ExitStatus::Exited(0))
}

#[tokio::test]
async fn what_the_policy_forbids_is_refused_for_good_with_the_rule() {
    let machine = Machine::new().await;
    let agent = machine.rig.agent();
    let good = machine.good();
    let with = |change: &dyn Fn(&mut Launch)| {
        let mut launch = good.clone();
        change(&mut launch);
        launch
    };
    let cases = [
        (
            "run_as.deny_root",
            with(&|launch| launch.run_as = "root".into()),
        ),
        (
            "exec.mode",
            with(&|launch| launch.command = argv(&[Path::new("/usr/bin/id")])),
        ),
        (
            "exec.mode",
            with(&|launch| launch.command = argv(&[&machine.bin.join("way-out")])),
        ),
        (
            "exec.mode",
            with(&|launch| launch.command = argv(&[&machine.bin.join("../bin/way-out")])),
        ),
        (
            "exec.mode",
            with(&|launch| launch.command = argv(&[Path::new("id")])),
        ),
        (
            "exec.scripts",
            with(&|launch| {
                launch.command = Command::Script {
                    interpreter: vec![machine.bin.join("tool").to_str().unwrap().into()],
                    text: "x".into(),
                };
            }),
        ),
        (
            "directory.roots",
            with(&|launch| launch.directory = Some("/etc".into())),
        ),
        (
            "environment.allow",
            with(&|launch| {
                launch
                    .environment
                    .insert("BASH_ENV".into(), "/tmp/x".into());
            }),
        ),
        (
            "environment.steering",
            with(&|launch| {
                launch
                    .environment
                    .insert("LD_PRELOAD".into(), "/tmp/x.so".into());
            }),
        ),
    ];
    let refused = cases.len() as u64;
    for (rule, launch) in cases {
        let (claim, run) = machine.run(launch).await;
        let (reason, detail) = refusal(&claim);
        assert_eq!(reason, Reason::PolicyDenied, "{rule}: {detail}");
        assert!(detail.starts_with(&format!("{rule}: ")), "{rule}: {detail}");
        assert!(!machine.rig.life(run).exists(), "nothing is left of it");
    }
    let (claim, run) = machine.run(good.clone()).await;
    assert!(is_success(&claim), "{claim:?}");
    assert_eq!(machine.rig.center.output(run).await, "good\n");
    let told = |state: &crate::center::State| {
        let policy = state.policy.clone()?;
        (policy.refused_count == refused).then_some(policy)
    };
    let policy = machine.rig.center.wait("the count of refusals", told).await;
    assert!(
        policy.is_root_denied && policy.exec_mode == "dirs",
        "{policy:?}"
    );
    assert!(
        policy
            .last_refusal
            .unwrap()
            .starts_with("environment.steering")
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_file_with_an_interpreter_line_runs_by_its_own_path() {
    let machine = Machine::new().await;
    let agent = machine.rig.agent();
    let script = machine.bin.join("script");
    let launch = Launch {
        command: argv(&[&script, Path::new("word")]),
        ..machine.good()
    };
    let (claim, run) = machine.run(launch).await;
    assert!(is_success(&claim), "{claim:?}");
    let output = machine.rig.center.output(run).await;
    assert_eq!(output, format!("script {} word\n", script.display()));
    agent.stop().await;
}

#[tokio::test]
async fn a_program_that_others_may_change_is_refused() {
    let machine = Machine::new().await;
    let agent = machine.rig.agent();
    for (path, mode, back) in [
        (machine.bin.join("tool"), 0o775, 0o755),
        (machine.bin.clone(), 0o777, 0o755),
    ] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let (claim, _) = machine.run(machine.good()).await;
        let (reason, detail) = refusal(&claim);
        assert_eq!(reason, Reason::PolicyDenied);
        assert_eq!(
            detail,
            format!(
                "exec.owners: {} can be changed by group or others",
                path.display()
            )
        );
        fs::set_permissions(&path, Permissions::from_mode(back)).unwrap();
    }
    let missing = Launch {
        command: argv(&[&machine.bin.join("missing")]),
        ..machine.good()
    };
    assert_eq!(
        refusal(&machine.run(missing).await.0).0,
        Reason::CommandMissing
    );
    agent.stop().await;
}

#[tokio::test]
async fn a_daemon_that_is_denied_rests_until_the_policy_is_another() {
    let machine = Machine::new().await;
    let agent = machine.rig.agent();
    let order = daemon("sleep 600", 2);
    let job = order.job;
    machine.rig.center.want(std::slice::from_ref(&order)).await;
    let denied = |state: &crate::center::State| {
        let slot = state.slots.get(&(job, 0))?;
        let is_denied = matches!(
            slot.last_end,
            Some(ExitStatus::NotStarted {
                reason: Reason::PolicyDenied,
                ..
            })
        );
        (is_denied && slot.state == SlotState::CrashLoop).then(|| slot.clone())
    };
    let slot = machine.rig.center.wait("a denied slot", denied).await;
    assert_eq!(slot.retry_at, None, "it does not spin");

    // A broken policy changes nothing, and everybody can see it.
    write_policy(&machine.rig.path("policy.toml"), "version = 1\n[run_ass]\n");
    agent.handle.reload_policy();
    let broken = |state: &crate::center::State| state.policy.as_ref()?.reload_error.clone();
    let error = machine.rig.center.wait("the broken policy", broken).await;
    assert!(error.contains("run_ass"), "{error}");
    assert!(
        !machine
            .rig
            .center
            .state()
            .policy
            .as_ref()
            .unwrap()
            .digest
            .is_empty()
    );

    let open = "version = 1\n[run_as]\nmin_uid = 0\ndeny_root = false\ndeny_groups = []\n";
    write_policy(&machine.rig.path("policy.toml"), open);
    agent.handle.reload_policy();
    let up = |state: &crate::center::State| {
        let slots = [state.slots.get(&(job, 0))?, state.slots.get(&(job, 1))?];
        slots
            .iter()
            .all(|slot| slot.state == SlotState::Running)
            .then_some(())
    };
    machine.rig.center.wait("both slots to run", up).await;
    agent.stop().await;
}

#[tokio::test]
async fn caps_bound_processes_time_and_output() {
    let machine = Machine::new().await;
    let text = "version = 1\n[run_as]\nmin_uid = 0\ndeny_root = false\ndeny_groups = []\n\
                [caps]\nprocesses = 1\nruntime = \"1s\"\noutput = \"64KiB\"\n";
    write_policy(&machine.rig.path("policy.toml"), text);
    let agent = machine.rig.agent();
    let long = order(
        launch("head -c 300000 /dev/zero; exec sleep 600"),
        Timestamp::now(),
    );
    machine.rig.center.order(std::slice::from_ref(&long)).await;
    machine
        .rig
        .center
        .claim(long.run, |claim| {
            matches!(claim, Claim::Running(_)).then_some(())
        })
        .await;
    let (claim, _) = machine.run(launch("true")).await;
    let (reason, detail) = refusal(&claim);
    assert_eq!(reason, Reason::AgentFull);
    assert!(detail.starts_with("caps.processes: 1 "), "{detail}");
    let Claim::Ended { end, .. } = machine.rig.center.over(long.run).await else {
        panic!("not ended")
    };
    assert_eq!(
        end.stopped_for,
        Some(cronfleet_core::order::StopCause::Timeout)
    );
    assert!(end.duration < Duration::from_secs(10), "{:?}", end.duration);
    assert!(end.output.dropped_bytes > 100_000, "{:?}", end.output);
    agent.stop().await;
}

#[test]
fn a_policy_that_others_could_change_stops_the_agent_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let place = dir.path().canonicalize().unwrap();
    let policy = place.join("policy.toml");
    let read = || cronfleet_agent::policy::PolicySource::Required(policy.clone()).read();
    assert!(
        read()
            .unwrap_err()
            .to_string()
            .contains("there is no policy file")
    );
    write_policy(&policy, "version = 1\n");
    read().unwrap();
    fs::set_permissions(&policy, Permissions::from_mode(0o664)).unwrap();
    assert!(read().unwrap_err().to_string().contains("is not safe"));
    fs::set_permissions(&policy, Permissions::from_mode(0o644)).unwrap();
    fs::set_permissions(&place, Permissions::from_mode(0o777)).unwrap();
    assert!(read().unwrap_err().to_string().contains("is not safe"));
    fs::set_permissions(&place, Permissions::from_mode(0o755)).unwrap();
    read().unwrap();
    let link = place.join("link.toml");
    symlink(&policy, &link).unwrap();
    assert!(
        cronfleet_agent::policy::PolicySource::Required(link)
            .read()
            .is_err()
    );
    if Uid::effective().is_root() {
        nix::unistd::chown(&policy, Some(Uid::from_raw(65_534)), None).unwrap();
        assert!(
            read()
                .unwrap_err()
                .to_string()
                .contains("must belong to root")
        );
    }
}

#[tokio::test]
async fn replays_old_epochs_and_unknown_messages_change_nothing() {
    let machine = Machine::new().await;
    machine.rig.center.state().epoch = 9;
    let agent = machine.rig.agent();
    let center = &machine.rig.center;
    center
        .wait("a session", |state| {
            (state.heartbeats.len() > 1).then_some(())
        })
        .await;
    let run_order = |launch: Launch| order(launch, Timestamp::now());
    let good = run_order(machine.good());
    let stale = run_order(machine.good());
    let mut late = run_order(machine.good());
    late.not_after = Timestamp::now() - Duration::from_secs(5);
    late.not_before = late.not_after - Duration::from_secs(5);

    let orders = vec![convert::order(&stale, 8)];
    center.send(Body::Orders(v1::Orders { orders })).await;
    center.order(&[good.clone(), late.clone()]).await;
    assert!(is_success(&center.over(good.run).await));
    assert!(matches!(
        center.over(late.run).await,
        Claim::Refused {
            reason: Reason::StartDeadlineExceeded,
            ..
        }
    ));

    let told = center.state().claims[&good.run].len();
    let orders = vec![convert::order(&good, 9)];
    center.send(Body::Orders(v1::Orders { orders })).await;
    center
        .wait("the same answer", |state| {
            (state.claims[&good.run].len() > told).then_some(())
        })
        .await;
    let starts = |claim: &&Claim| matches!(claim, Claim::Running(_));
    assert!(
        center.state().claims[&good.run]
            .iter()
            .filter(starts)
            .count()
            <= 1
    );
    assert!(
        !center.state().claims.contains_key(&stale.run),
        "an older planner is not obeyed"
    );

    // What an upload, a new policy or anything else of a kind that this agent does not have is read as.
    center.send_unknown().await;
    // A session of an older center is not held.
    center.state().epoch = 3;
    center.disconnect();
    center
        .wait("attempts", |state| (state.sessions >= 3).then_some(()))
        .await;
    center.state().epoch = 10;
    center
        .wait("a session that holds", |state| {
            (state.sessions >= 4).then_some(())
        })
        .await;
    let deadline = Instant::now() + PATIENCE;
    loop {
        let runtime_dir = machine.rig.runtime_dir();
        let asked = tokio::task::spawn_blocking(move || Status::ask(&runtime_dir));
        let status = asked.await.unwrap().unwrap();
        let refused = status.link.refused;
        let is_counted = refused.stale_orders == 1
            && refused.repeated_orders >= 1
            && refused.unknown_messages == 1
            && refused.stale_sessions >= 1;
        if is_counted {
            assert_eq!(status.policy.refused_count, 0);
            break;
        }
        assert!(Instant::now() < deadline, "{refused:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    agent.stop().await;
}
