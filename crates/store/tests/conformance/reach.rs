use cronfleet_core::id::{GroupId, LifeId, ProcessId};
use cronfleet_core::order::{ProcessReport, SlotReport, SlotState};
use cronfleet_core::plan::{Lapse, Plan};
use cronfleet_core::run::Reason;
use cronfleet_store::{
    ActiveFilter, AgentFilter, JobFilter, JobPlan, LifeChunks, NewChunk, RunFilter, SlotFilter,
};

use crate::world::{World, at, daemon, only, run_at, scheduled};

conformance! {
    what_is_not_mine_does_not_exist,
}

/// Every function that reads for a user, asked by an owner, by a stranger, and by somebody without any group.
async fn what_is_not_mine_does_not_exist(w: World) {
    let (mine, other) = (w.group(1).await, w.group(2).await);
    let agent = w.agent(1, &[mine]).await;
    w.agent(2, &[other]).await;
    let (job, worker) = (
        w.job(1, mine, scheduled("a")).await,
        w.job(2, mine, daemon("d", 1)).await,
    );
    let run = run_at(job, 1, at(60), agent);
    let id = run.id;
    let lapse = Lapse {
        due_from: at(1),
        due_to: at(2),
        count: 2,
        reason: Reason::CenterDown,
    };
    let plan = Plan {
        runs: vec![run],
        lapses: vec![lapse],
        watermark: at(60),
        next_due: None,
        has_more: false,
        held_until: None,
    };
    let plan = JobPlan {
        job,
        expected_version: 1,
        expected_watermark: at(0),
        expected_snooze: None,
        plan,
    };
    w.store
        .commit_plans(&w.lease, 0, &[plan], at(1))
        .await
        .unwrap();
    let session = w.session(agent).await;
    let process = ProcessId::from_u128(100);
    let report = SlotReport {
        job: worker,
        index: 0,
        state: SlotState::Running,
        since: at(5),
        job_version: 1,
        process: Some(process),
        start: None,
        last_end: None,
        restarts: 0,
        retry_at: None,
        probe: None,
        next: None,
    };
    w.store
        .put_slot_reports(&session, &[report], true, at(6))
        .await
        .unwrap();
    let life = ProcessReport {
        process,
        job: worker,
        job_version: 1,
        index: 0,
        start: None,
        end: None,
        lost: None,
    };
    w.store
        .put_process_reports(&session, &[life], at(6))
        .await
        .unwrap();
    for life in [LifeId::from(id), LifeId::from(process)] {
        let chunk = NewChunk {
            offset: 0,
            length: 3,
            is_compressed: false,
            data: b"abc".to_vec(),
        };
        let output = LifeChunks {
            life,
            cap_bytes: 1_000,
            head_bytes: 0,
            chunks: vec![chunk],
            end_offset: None,
        };
        w.store
            .append_output(agent, &[output], at(7))
            .await
            .unwrap();
    }

    let reach_of = |groups: &[GroupId]| only(groups);
    for (reach, expected) in [
        (reach_of(&[mine]), 1),
        (reach_of(&[other]), 0),
        (reach_of(&[]), 0),
    ] {
        let s = &w.store;
        let count = |is_some: bool| usize::from(is_some);
        let found = [
            s.groups(&reach, None, 9)
                .await
                .unwrap()
                .items
                .iter()
                .filter(|group| group.id == mine)
                .count(),
            count(s.group(&reach, mine).await.unwrap().is_some()),
            s.agents(&reach, &AgentFilter::default(), None, 9)
                .await
                .unwrap()
                .items
                .iter()
                .filter(|one| one.id == agent)
                .count(),
            count(s.agent(&reach, agent).await.unwrap().is_some()),
            s.jobs(&reach, &JobFilter::default(), None, 9)
                .await
                .unwrap()
                .items
                .len()
                .min(1),
            count(s.job(&reach, job).await.unwrap().is_some()),
            s.active_jobs(&reach, &ActiveFilter::default(), None, 9)
                .await
                .unwrap()
                .items
                .len(),
            count(s.serving_agents(&reach).await.unwrap().contains_key(&mine)),
            s.job_versions(&reach, job, None, 9)
                .await
                .unwrap()
                .items
                .len(),
            count(s.job_version(&reach, job, 1).await.unwrap().is_some()),
            s.runs(&reach, &RunFilter::default(), None, 9)
                .await
                .unwrap()
                .items
                .len(),
            s.runs(
                &reach,
                &RunFilter {
                    job: Some(job),
                    ..RunFilter::default()
                },
                None,
                9,
            )
            .await
            .unwrap()
            .items
            .len(),
            s.runs(
                &reach,
                &RunFilter {
                    group: Some(mine),
                    ..RunFilter::default()
                },
                None,
                9,
            )
            .await
            .unwrap()
            .items
            .len(),
            s.runs(
                &reach,
                &RunFilter {
                    agent: Some(agent),
                    ..RunFilter::default()
                },
                None,
                9,
            )
            .await
            .unwrap()
            .items
            .len(),
            count(s.run(&reach, id).await.unwrap().is_some()),
            s.lapses(&reach, None, None, None, 9)
                .await
                .unwrap()
                .items
                .len(),
            s.lapses(&reach, Some(job), Some(mine), None, 9)
                .await
                .unwrap()
                .items
                .len(),
            s.slots(&reach, SlotFilter::default(), 9)
                .await
                .unwrap()
                .len(),
            s.slots(
                &reach,
                SlotFilter {
                    job: Some(worker),
                    ..SlotFilter::default()
                },
                9,
            )
            .await
            .unwrap()
            .len(),
            s.processes(&reach, worker, None, None, None, 9)
                .await
                .unwrap()
                .items
                .len(),
            count(s.life(&reach, LifeId::from(id)).await.unwrap().is_some()),
            count(
                s.life(&reach, LifeId::from(process))
                    .await
                    .unwrap()
                    .is_some(),
            ),
        ];
        assert_eq!(found, [expected; 22], "{reach:?}");
    }
}
