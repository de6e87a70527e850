use cronfleet_core::id::{JobId, LifeId, ProcessId};
use cronfleet_core::order::{
    ExitStatus, Next, NextStep, ProbeKind, ProbeReport, ProcessReport, RestartCounts, SlotReport,
    SlotState, Start, StopCause,
};
use cronfleet_core::run::Reason;
use cronfleet_store::{Conflict, LifeChunks, LifeKind, NewChunk, SlotFilter, StoreError};

use crate::world::{ALL, World, at, daemon, end, only};

conformance! {
    slots_that_are_wanted_are_shown_before_they_are_reported,
    a_report_reads_back,
    only_changes_are_told,
    a_complete_report_forgets_the_rest,
    slots_within_reach_and_filter,
    lives_are_kept_up_to_a_number,
    a_life_is_told_while_it_lives_and_when_it_ends,
    an_agent_speaks_for_its_own_processes,
    restarts_are_counted_per_agent_and_slot,
}

fn report(job: JobId, index: u32, state: SlotState) -> SlotReport {
    SlotReport {
        job,
        index,
        state,
        since: at(5),
        job_version: 1,
        process: Some(ProcessId::from_u128(u128::from(index) + 100)),
        start: Some(Start { at: at(4), pid: 50 }),
        last_end: None,
        restarts: 2,
        retry_at: None,
        probe: None,
        next: None,
    }
}

async fn slots_that_are_wanted_are_shown_before_they_are_reported(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    w.agent(2, &[group]).await;
    let job = w.job(1, group, daemon("d", 2)).await;
    let session = w.session(agent).await;
    w.store
        .put_slot_reports(
            &session,
            &[
                report(job, 1, SlotState::Running),
                report(job, 5, SlotState::Stopping),
            ],
            true,
            at(6),
        )
        .await
        .unwrap();
    let slots = w
        .store
        .slots(&ALL, SlotFilter::default(), 100)
        .await
        .unwrap();
    let found: Vec<_> = slots
        .iter()
        .map(|slot| {
            (
                slot.agent_name.as_str(),
                slot.index,
                slot.report.as_ref().map(|report| report.state),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("agent 001", 0, None),
            ("agent 001", 1, Some(SlotState::Running)),
            ("agent 001", 5, Some(SlotState::Stopping)),
            ("agent 002", 0, None),
            ("agent 002", 1, None),
        ]
    );
    assert_eq!(
        w.store
            .slots(&ALL, SlotFilter::default(), 2)
            .await
            .unwrap()
            .len(),
        2
    );
    let counts = w.store.job(&ALL, job).await.unwrap().unwrap().slots;
    assert_eq!(
        (counts.wanted, counts.running, counts.crash_loop),
        (4, 1, 0)
    );
    assert_eq!(
        w.store
            .agent(&ALL, agent)
            .await
            .unwrap()
            .unwrap()
            .slots_running,
        1
    );
    w.store.pause_job(job, at(7)).await.unwrap();
    let slots = w
        .store
        .slots(&ALL, SlotFilter::default(), 100)
        .await
        .unwrap();
    assert_eq!(slots.len(), 2, "only what is reported");
}

async fn a_report_reads_back(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, daemon("d", 4)).await;
    let session = w.session(agent).await;
    let ends = [
        None,
        Some(ExitStatus::Exited(3)),
        Some(ExitStatus::Signalled {
            signal: 11,
            has_core: true,
        }),
        Some(ExitStatus::NotStarted {
            reason: Reason::CommandMissing,
            detail: "/x".to_owned(),
        }),
    ];
    let reports: Vec<_> = ends
        .into_iter()
        .enumerate()
        .map(|(index, last_end)| SlotReport {
            last_end,
            retry_at: (index == 2).then(|| at(9)),
            probe: (index < 2).then(|| ProbeReport {
                kind: ProbeKind::ALL[index],
                is_ok: index == 0,
                failures: index as u32,
                detail: "x".repeat(index),
            }),
            next: NextStep::ALL.get(index).map(|step| Next {
                step: *step,
                at: (index != 2).then(|| at(12)),
            }),
            start: (index != 3).then_some(Start { at: at(4), pid: 5 }),
            process: (index != 3).then(|| ProcessId::from_u128(index as u128)),
            ..report(job, index as u32, SlotState::ALL[index])
        })
        .collect();
    w.store
        .put_slot_reports(&session, &reports, true, at(6))
        .await
        .unwrap();
    let slots = w
        .store
        .slots(&ALL, SlotFilter::default(), 100)
        .await
        .unwrap();
    let found: Vec<_> = slots.into_iter().filter_map(|slot| slot.report).collect();
    assert_eq!(found, reports);
}

async fn only_changes_are_told(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, daemon("d", 2)).await;
    let old = w.session(agent).await;
    let session = w.session(agent).await;
    let refused = w.store.put_slot_reports(&old, &[], true, at(6)).await;
    assert!(
        matches!(refused, Err(StoreError::Conflict(Conflict::StaleSession))),
        "{refused:?}"
    );
    let put = async |reports: &[SlotReport]| {
        w.store
            .put_slot_reports(&session, reports, false, at(6))
            .await
            .unwrap()
    };
    let (first, second) = (
        report(job, 0, SlotState::Starting),
        report(job, 1, SlotState::Running),
    );
    assert_eq!(put(&[first.clone(), second.clone()]).await.len(), 2);
    assert_eq!(put(&[first.clone(), second.clone()]).await, []);
    let moved = SlotReport {
        state: SlotState::Running,
        ..first
    };
    let changed = put(&[moved, second]).await;
    assert_eq!(changed.len(), 1);
    assert_eq!(
        (changed[0].job, changed[0].group, changed[0].index),
        (job, group, 0)
    );
    assert_eq!(changed[0].state, Some(SlotState::Running));
    assert_eq!(
        put(&[report(JobId::from_u128(99), 0, SlotState::Running)]).await,
        [],
        "an unknown job"
    );
}

async fn a_complete_report_forgets_the_rest(w: World) {
    let group = w.group(1).await;
    let (agent, other) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, daemon("d", 2)).await;
    let (session, others) = (w.session(agent).await, w.session(other).await);
    let both = [
        report(job, 0, SlotState::Running),
        report(job, 1, SlotState::Running),
    ];
    w.store
        .put_slot_reports(&session, &both, true, at(6))
        .await
        .unwrap();
    w.store
        .put_slot_reports(&others, &both, true, at(6))
        .await
        .unwrap();
    w.store
        .put_slot_reports(&session, &both[..1], false, at(7))
        .await
        .unwrap();
    assert_eq!(
        w.store.job(&ALL, job).await.unwrap().unwrap().slots.running,
        4
    );
    let changed = w
        .store
        .put_slot_reports(&session, &both[..1], true, at(8))
        .await
        .unwrap();
    assert_eq!(
        changed
            .iter()
            .map(|one| (one.index, one.state))
            .collect::<Vec<_>>(),
        [(1, None)]
    );
    assert_eq!(
        w.store.job(&ALL, job).await.unwrap().unwrap().slots.running,
        3
    );
    w.store.revoke_agent(other, at(9)).await.unwrap();
    assert_eq!(
        w.store.job(&ALL, job).await.unwrap().unwrap().slots.running,
        1
    );
}

async fn slots_within_reach_and_filter(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let (first, second) = (w.agent(1, &[a]).await, w.agent(2, &[a, b]).await);
    let (one, two) = (
        w.job(1, a, daemon("one", 1)).await,
        w.job(2, b, daemon("two", 1)).await,
    );
    for agent in [first, second] {
        let session = w.session(agent).await;
        w.store
            .put_slot_reports(&session, &[report(one, 0, SlotState::Running)], true, at(6))
            .await
            .unwrap();
    }
    let list = async |reach, filter| {
        let slots = w.store.slots(&reach, filter, 100).await.unwrap();
        slots
            .iter()
            .map(|slot| (slot.job, slot.agent))
            .collect::<Vec<_>>()
    };
    let base = SlotFilter::default;
    assert_eq!(list(only(&[b]), base()).await, [(two, second)]);
    assert_eq!(list(only(&[]), base()).await, []);
    assert_eq!(
        list(
            ALL,
            SlotFilter {
                agent: Some(second),
                ..base()
            }
        )
        .await,
        [(one, second), (two, second)]
    );
    assert_eq!(
        list(
            ALL,
            SlotFilter {
                job: Some(two),
                ..base()
            }
        )
        .await,
        [(two, second)]
    );
    assert_eq!(
        list(
            ALL,
            SlotFilter {
                group: Some(a),
                ..base()
            }
        )
        .await,
        [(one, first), (one, second)]
    );
}

fn life(number: u128, job: JobId, index: u32) -> ProcessReport {
    ProcessReport {
        process: ProcessId::from_u128(number),
        job,
        job_version: 1,
        index,
        start: Some(Start {
            at: at(number as i64),
            pid: 7,
        }),
        end: Some(end(at(number as i64 + 1), ExitStatus::Exited(1), None)),
        lost: None,
    }
}

fn output(life: ProcessId) -> LifeChunks {
    let chunk = NewChunk {
        offset: 0,
        length: 3,
        is_compressed: false,
        data: b"abc".to_vec(),
    };
    LifeChunks {
        life: LifeId::from(life),
        cap_bytes: 1_000,
        head_bytes: 0,
        chunks: vec![chunk],
        end_offset: None,
    }
}

async fn lives_are_kept_up_to_a_number(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, daemon("d", 2)).await;
    let session = w.session(agent).await;
    for number in 1..=60 {
        w.store
            .append_output(agent, &[output(ProcessId::from_u128(number))], at(0))
            .await
            .unwrap();
        w.store
            .put_process_reports(&session, &[life(number, job, 0)], at(number as i64))
            .await
            .unwrap();
    }
    w.store
        .put_process_reports(&session, &[life(900, job, 1)], at(900))
        .await
        .unwrap();
    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = w
            .store
            .processes(&ALL, job, Some(agent), Some(0), before, 20)
            .await
            .unwrap();
        found.extend(
            page.items
                .into_iter()
                .map(|process| process.id.as_uuid().as_u128()),
        );
        before = page.next;
        if before.is_none() {
            break;
        }
    }
    assert_eq!(found, (11..=60).rev().collect::<Vec<_>>());
    assert_eq!(
        w.store
            .processes(&ALL, job, None, None, None, 100)
            .await
            .unwrap()
            .items
            .len(),
        51
    );
    let forgotten = w
        .store
        .read_output(LifeId::from(ProcessId::from_u128(10)), 0, 100)
        .await
        .unwrap();
    assert_eq!(forgotten, []);
    assert_eq!(
        w.store
            .read_output(LifeId::from(ProcessId::from_u128(11)), 0, 100)
            .await
            .unwrap()
            .len(),
        1
    );
}

async fn a_life_is_told_while_it_lives_and_when_it_ends(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = w.job(1, group, daemon("d", 1)).await;
    let session = w.session(agent).await;
    let process = ProcessId::from_u128(100);
    let starting = SlotReport {
        start: None,
        ..report(job, 0, SlotState::Starting)
    };
    w.store
        .put_slot_reports(&session, &[starting], true, at(6))
        .await
        .unwrap();
    w.store
        .put_slot_reports(&session, &[report(job, 0, SlotState::Running)], true, at(7))
        .await
        .unwrap();
    let read = async || {
        w.store
            .processes(&ALL, job, None, None, None, 9)
            .await
            .unwrap()
            .items
            .remove(0)
    };
    let living = read().await;
    assert_eq!(
        (
            living.id,
            living.first_seen_at,
            living.started_at,
            living.ended_at
        ),
        (process, at(6), Some(at(4)), None)
    );
    let row = w
        .store
        .life(&ALL, LifeId::from(process))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.kind, row.job, row.group, row.is_ended),
        (LifeKind::Process, job, group, false)
    );
    let status = ExitStatus::Signalled {
        signal: 15,
        has_core: false,
    };
    let ended = ProcessReport {
        process,
        end: Some(end(at(9), status, Some(StopCause::ScaledDown))),
        ..life(100, job, 0)
    };
    for _ in 0..2 {
        w.store
            .put_process_reports(&session, std::slice::from_ref(&ended), at(10))
            .await
            .unwrap();
    }
    let dead = read().await;
    assert_eq!(
        (dead.ended_at, dead.signal, dead.stopped_for),
        (Some(at(9)), Some(15), Some(StopCause::ScaledDown))
    );
    assert!(
        w.store
            .life(&ALL, LifeId::from(process))
            .await
            .unwrap()
            .unwrap()
            .is_ended
    );
    let lost = ProcessReport {
        end: None,
        lost: Some(Reason::HostRebooted),
        ..life(200, job, 0)
    };
    w.store
        .put_process_reports(&session, &[lost], at(20))
        .await
        .unwrap();
    let lost = read().await;
    assert_eq!(
        (lost.reason, lost.ended_at),
        (Some(Reason::HostRebooted), Some(at(20)))
    );
}

async fn an_agent_speaks_for_its_own_processes(w: World) {
    let group = w.group(1).await;
    let (agent, thief) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, daemon("d", 1)).await;
    let living = ProcessReport {
        end: None,
        ..life(1, job, 0)
    };
    w.store
        .put_process_reports(&w.session(agent).await, &[living], at(1))
        .await
        .unwrap();
    w.store
        .put_process_reports(&w.session(thief).await, &[life(1, job, 0)], at(2))
        .await
        .unwrap();
    let row = w
        .store
        .processes(&ALL, job, None, None, None, 9)
        .await
        .unwrap()
        .items
        .remove(0);
    assert_eq!((row.agent, row.ended_at), (agent, None));
}

async fn restarts_are_counted_per_agent_and_slot(w: World) {
    let group = w.group(1).await;
    let (first, second) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, daemon("d", 2)).await;
    let restarts = async |agent| {
        let orders = w.store.daemon_orders(agent).await.unwrap();
        orders[0].restarts.clone().unwrap()
    };
    assert_eq!(restarts(first).await, RestartCounts::default());
    let both = [first, second];
    w.store.count_restart(job, &both, None).await.unwrap();
    w.store.count_restart(job, &[first], Some(1)).await.unwrap();
    w.store.count_restart(job, &[first], Some(1)).await.unwrap();
    let counts = restarts(first).await;
    assert_eq!((counts.all, counts.slots), (1, [(1, 2)].into()));
    let counts = restarts(second).await;
    assert_eq!((counts.all, counts.slots), (1, [].into()));
}
