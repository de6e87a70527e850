use cronfleet_core::id::{AgentId, JobId, UserId};
use cronfleet_core::job::{JobSpec, Target};
use cronfleet_core::run::{Outcome, RunState};
use cronfleet_store::{Conflict, JobFilter, JobKindWord, NewJob, StoreError, Thing, Timing};

use crate::world::{ADMIN, ALL, World, at, daemon, exited, only, run_at, scheduled};

conformance! {
    a_job_reads_back_as_it_was_saved,
    names_are_unique_in_their_group_until_deleted,
    versions_never_change,
    jobs_are_filtered,
    jobs_are_listed_in_pages_by_name,
    lists_carry_the_last_runs,
    lists_carry_the_slots,
}

fn new_job(number: u128, group: cronfleet_core::id::GroupId, spec: JobSpec) -> NewJob {
    NewJob {
        id: JobId::from_u128(number),
        group,
        spec,
        is_paused: false,
        timing: Timing {
            next_due: Some(at(60)),
            is_reboot: false,
        },
        author: ADMIN,
    }
}

async fn a_job_reads_back_as_it_was_saved(w: World) {
    let group = w.group(1).await;
    let mut spec = scheduled("täglich 每天");
    spec.target = Target::Agents((0..500).map(AgentId::from_u128).collect());
    let job = NewJob {
        is_paused: true,
        ..new_job(1, group, spec.clone())
    };
    w.store.create_job(&job, at(3)).await.unwrap();
    let row = w.store.job(&ALL, job.id).await.unwrap().unwrap();
    assert_eq!((row.spec, row.version, row.is_paused), (spec, 1, true));
    assert_eq!(
        (row.group, row.group_name.as_str(), row.updated_by.as_str()),
        (group, "group 001", "admin")
    );
    assert_eq!(
        (row.created_at, row.updated_at, row.watermark, row.next_due),
        (at(3), at(3), at(3), None)
    );
    let nowhere = new_job(2, cronfleet_core::id::GroupId::from_u128(9), scheduled("x"));
    let missing = w.store.create_job(&nowhere, at(0)).await;
    assert!(
        matches!(missing, Err(StoreError::Missing { what: Thing::Group })),
        "{missing:?}"
    );
}

async fn names_are_unique_in_their_group_until_deleted(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let first = w.job(1, a, scheduled("x")).await;
    w.job(2, b, scheduled("x")).await;
    let other = w.job(3, a, scheduled("y")).await;
    let taken = w
        .store
        .create_job(&new_job(4, a, scheduled("x")), at(0))
        .await;
    assert!(
        matches!(taken, Err(StoreError::Conflict(Conflict::JobNameTaken))),
        "{taken:?}"
    );
    let timing = Timing {
        next_due: Some(at(60)),
        is_reboot: false,
    };
    let taken = w
        .store
        .replace_job(other, 1, &scheduled("x"), timing, ADMIN, at(1))
        .await;
    assert!(
        matches!(taken, Err(StoreError::Conflict(Conflict::JobNameTaken))),
        "{taken:?}"
    );
    assert_eq!(
        w.store.job(&ALL, other).await.unwrap().unwrap().version,
        1,
        "nothing is left of it"
    );
    w.store.delete_job(first, at(2)).await.unwrap();
    assert!(w.store.job(&ALL, first).await.unwrap().is_none());
    w.store
        .create_job(&new_job(4, a, scheduled("x")), at(3))
        .await
        .unwrap();
    w.store
        .delete_job(JobId::from_u128(4), at(4))
        .await
        .unwrap();
    let gone = w.store.delete_job(first, at(5)).await;
    assert!(
        matches!(gone, Err(StoreError::Missing { what: Thing::Job })),
        "{gone:?}"
    );
}

async fn versions_never_change(w: World) {
    let group = w.group(1).await;
    let job = w.job(1, group, scheduled("v1")).await;
    let ann = UserId::from_u128(1);
    w.user(ann, "ann", false).await;
    let timing = Timing {
        next_due: Some(at(60)),
        is_reboot: false,
    };
    for version in 1..4 {
        let spec = scheduled(&format!("v{}", version + 1));
        let edited = w
            .store
            .replace_job(job, version, &spec, timing, ann, at(1))
            .await
            .unwrap();
        assert_eq!(edited.version, version + 1);
    }
    let stale = w
        .store
        .replace_job(job, 3, &scheduled("late"), timing, ann, at(2))
        .await;
    assert!(
        matches!(
            stale,
            Err(StoreError::Conflict(Conflict::StaleVersion { current: 4 }))
        ),
        "{stale:?}"
    );
    let first = w.store.job_versions(&ALL, job, None, 3).await.unwrap();
    assert_eq!(
        first
            .items
            .iter()
            .map(|row| row.version)
            .collect::<Vec<_>>(),
        [4, 3, 2]
    );
    let second = w
        .store
        .job_versions(&ALL, job, first.next, 3)
        .await
        .unwrap();
    assert_eq!(
        (
            second.items[0].spec.name.as_str(),
            second.items[0].author.as_str()
        ),
        ("v1", "admin")
    );
    assert_eq!(second.next, None);
    w.store.delete_job(job, at(3)).await.unwrap();
    let kept = w.store.job_version(&ALL, job, 2).await.unwrap().unwrap();
    assert_eq!(
        (kept.spec.name.as_str(), kept.author.as_str()),
        ("v2", "ann")
    );
    assert!(w.store.job_version(&ALL, job, 9).await.unwrap().is_none());
}

async fn jobs_are_filtered(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let agent = w.agent(1, &[a]).await;
    let everywhere = w.job(1, a, scheduled("everywhere")).await;
    let chosen = JobSpec {
        target: Target::Agents(vec![agent]),
        ..daemon("Chosen_1", 1)
    };
    let chosen = w.job(2, a, chosen).await;
    let elsewhere = JobSpec {
        target: Target::Agents(vec![AgentId::from_u128(9)]),
        ..scheduled("elsewhere")
    };
    let elsewhere = w.job(3, a, elsewhere).await;
    let foreign = w.job(4, b, scheduled("foreign")).await;
    w.store.pause_job(elsewhere, at(1)).await.unwrap();
    let list = async |filter: JobFilter| {
        let page = w.store.jobs(&ALL, &filter, None, 10).await.unwrap();
        page.items.into_iter().map(|job| job.id).collect::<Vec<_>>()
    };
    let base = JobFilter::default;
    assert_eq!(list(base()).await, [chosen, elsewhere, everywhere, foreign]);
    assert_eq!(
        list(JobFilter {
            group: Some(b),
            ..base()
        })
        .await,
        [foreign]
    );
    assert_eq!(
        list(JobFilter {
            kind: Some(JobKindWord::Daemon),
            ..base()
        })
        .await,
        [chosen]
    );
    assert_eq!(
        list(JobFilter {
            is_paused: Some(true),
            ..base()
        })
        .await,
        [elsewhere]
    );
    assert_eq!(
        list(JobFilter {
            agent: Some(agent),
            ..base()
        })
        .await,
        [chosen, everywhere]
    );
    assert_eq!(
        list(JobFilter {
            part: "N_1".to_owned(),
            ..base()
        })
        .await,
        [chosen]
    );
    assert_eq!(
        list(JobFilter {
            part: "_".to_owned(),
            ..base()
        })
        .await,
        [chosen],
        "no pattern characters"
    );
    assert_eq!(w.store.agents_of_job(everywhere).await.unwrap(), [agent]);
    assert_eq!(w.store.agents_of_job(elsewhere).await.unwrap(), []);
}

async fn jobs_are_listed_in_pages_by_name(w: World) {
    let (a, b, c) = (w.group(1).await, w.group(2).await, w.group(3).await);
    let mut expected = Vec::new();
    for number in 0..20_u128 {
        for group in [a, b] {
            let id = 1_000 + 2 * number + u128::from(group == b);
            expected.push(
                w.job(id, group, scheduled(&format!("job {number:02}")))
                    .await,
            );
        }
        w.job(5_000 + number, c, scheduled(&format!("job {number:02}")))
            .await;
    }
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = w
            .store
            .jobs(&only(&[a, b]), &JobFilter::default(), after.as_ref(), 7)
            .await
            .unwrap();
        found.extend(page.items.into_iter().map(|job| job.id));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, expected, "by name, then id");
}

async fn lists_carry_the_last_runs(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let (many, few) = (
        w.job(1, group, scheduled("many")).await,
        w.job(2, group, scheduled("few")).await,
    );
    let runs: Vec<_> = (0..30)
        .map(|minute| run_at(many, 1, at(60 * minute), agent))
        .collect();
    let ids: Vec<_> = runs.iter().map(|run| run.id).collect();
    w.plan(many, runs).await;
    let only_one = w.plan_one(few, at(60), agent).await;
    let session = w.session(agent).await;
    w.dispatch(&session).await;
    // The last five are planned ahead and not shown yet.
    let newest = ids[24];
    for id in &ids[..25] {
        w.claim(&session, *id, exited(at(62), 0)).await;
    }
    w.claim(&session, only_one, exited(at(62), 1)).await;
    let page = w
        .store
        .jobs(&ALL, &JobFilter::default(), None, 10)
        .await
        .unwrap();
    let [few, many] = &page.items[..] else {
        panic!("two jobs")
    };
    assert_eq!(many.recent.len(), 20);
    assert_eq!(
        (
            many.recent[0].id,
            many.recent[0].due,
            many.recent[0].outcome
        ),
        (newest, at(60 * 24), Some(Outcome::Succeeded))
    );
    assert_eq!(few.recent.len(), 1);
    assert_eq!(few.recent[0].outcome, Some(Outcome::Failed));
    assert_eq!(
        few.recent[0].duration,
        Some(std::time::Duration::from_millis(1_500))
    );
    assert_eq!(w.state(only_one).await, RunState::Ended(Outcome::Failed));
}

async fn lists_carry_the_slots(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let agents = [
        w.agent(1, &[a]).await,
        w.agent(2, &[a]).await,
        w.agent(3, &[b]).await,
    ];
    let everywhere = w.job(1, a, daemon("everywhere", 3)).await;
    let chosen = JobSpec {
        target: Target::Agents(vec![agents[1], agents[2]]),
        ..daemon("chosen", 2)
    };
    let chosen = w.job(2, a, chosen).await;
    let wanted = async |job| w.store.job(&ALL, job).await.unwrap().unwrap().slots.wanted;
    assert_eq!(
        (wanted(everywhere).await, wanted(chosen).await),
        (6, 2),
        "an agent of another group does not count"
    );
    w.store.pause_job(everywhere, at(1)).await.unwrap();
    assert_eq!(wanted(everywhere).await, 0);
}
