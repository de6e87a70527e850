use cronfleet_core::id::{AgentId, GroupId, JobId};
use cronfleet_core::job::{Command, JobSpec, Target};
use cronfleet_core::run::{Reason, RunState};
use cronfleet_store::{
    ChangeSet, Conflict, JobBasis, JobChange, JobFilter, NewJob, StoreError, Timing, Withdrawn,
};

use crate::world::{ADMIN, ALL, World, at, daemon, only, run_at, scheduled};

conformance! {
    a_set_creates_saves_pauses_resumes_and_deletes_as_one,
    nothing_of_a_set_is_done_when_one_job_changed_meanwhile,
    nothing_of_a_set_is_done_when_one_name_is_taken,
    a_set_waits_for_the_planner,
    two_jobs_change_names_with_each_other,
    of_two_sets_that_cross_one_is_done,
    a_set_of_thousands_is_one_transaction,
    definitions_are_found_by_id_by_name_and_page_by_page,
}

const TIMING: Timing = Timing {
    next_due: None,
    is_reboot: false,
};

fn empty() -> ChangeSet {
    ChangeSet {
        based_on: vec![],
        create: vec![],
        change: vec![],
        delete: vec![],
        author: ADMIN,
    }
}

fn new(number: u128, group: GroupId, spec: JobSpec) -> NewJob {
    NewJob {
        id: JobId::from_u128(number),
        group,
        spec,
        is_paused: false,
        timing: due_at(90),
        author: ADMIN,
    }
}

fn due_at(seconds: i64) -> Timing {
    Timing {
        next_due: Some(at(seconds)),
        is_reboot: false,
    }
}

fn save(job: JobId, spec: JobSpec) -> JobChange {
    JobChange {
        job,
        spec: Some(spec),
        timing: due_at(90),
        is_paused: false,
    }
}

async fn basis(w: &World, job: JobId) -> JobBasis {
    let row = w.store.job(&ALL, job).await.unwrap().unwrap();
    JobBasis {
        job,
        group: row.group,
        version: row.version,
        is_paused: row.is_paused,
    }
}

/// Name, version, pause and next due instant of every job, by name.
async fn jobs(w: &World) -> Vec<(String, u32, bool, Option<i64>)> {
    let page = w.store.jobs(&ALL, &JobFilter::default(), None, 500).await;
    let rows = page.unwrap().items.into_iter();
    rows.map(|row| {
        let due = row.next_due.map(|due| due.as_second() - at(0).as_second());
        (row.spec.name, row.version, row.is_paused, due)
    })
    .collect()
}

async fn refused(w: &World, set: &ChangeSet, seconds: i64) -> Conflict {
    let before = jobs(w).await;
    let refused = w.store.change_jobs(set, at(seconds)).await;
    assert_eq!(jobs(w).await, before, "nothing of it was done");
    match refused {
        Err(StoreError::Conflict(conflict)) => conflict,
        other => panic!("{other:?}"),
    }
}

async fn a_set_creates_saves_pauses_resumes_and_deletes_as_one(w: World) {
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let job = async |number: u128, name: &str| w.job(number, group, scheduled(name)).await;
    let (saved, paused, resumed) = (job(1, "a").await, job(2, "b").await, job(3, "c").await);
    let (deleted, kept, both) = (job(4, "d").await, job(5, "e").await, job(6, "f").await);
    let session = w.session(agent).await;
    let mut sent = vec![];
    for job in [saved, paused, deleted, kept, both] {
        sent.push(w.plan_one(job, at(60), agent).await);
    }
    w.dispatch(&session).await;
    let unsent = w.plan_one(saved, at(120), agent).await;
    w.store.pause_job(resumed, at(5)).await.unwrap();

    let mut chosen = scheduled("a2");
    chosen.target = Target::Agents(vec![agent]);
    let change = |job: JobId, spec: Option<JobSpec>, is_paused: bool| JobChange {
        job,
        spec,
        timing: due_at(90),
        is_paused,
    };
    let mut set = empty();
    for job in [saved, paused, resumed, deleted, kept, both] {
        set.based_on.push(basis(&w, job).await);
    }
    set.create = vec![new(7, group, scheduled("g")), new(8, group, daemon("h", 2))];
    set.create[1].is_paused = true;
    set.change = vec![
        change(saved, Some(chosen.clone()), false),
        change(paused, None, true),
        change(resumed, None, false),
        change(both, Some(scheduled("f2")), true),
    ];
    set.delete = vec![deleted];
    let Withdrawn { mut revoke, moved } = w.store.change_jobs(&set, at(10)).await.unwrap();

    assert_eq!(
        jobs(&w).await,
        [
            ("a2".to_owned(), 2, false, Some(90)),
            ("b".to_owned(), 1, true, None),
            ("c".to_owned(), 1, false, Some(90)),
            ("e".to_owned(), 1, false, Some(120)),
            ("f2".to_owned(), 2, true, None),
            ("g".to_owned(), 1, false, Some(90)),
            ("h".to_owned(), 1, true, None),
        ]
    );
    revoke.sort_by_key(|one| sent.iter().position(|run| *run == one.run));
    let revoked: Vec<_> = revoke.iter().map(|one| (one.run, one.reason)).collect();
    assert_eq!(
        revoked,
        [
            (sent[0], Reason::Superseded),
            (sent[1], Reason::Paused),
            (sent[2], Reason::Deleted),
            (sent[4], Reason::Paused),
        ]
    );
    assert_eq!(moved, []);
    assert!(!w.exists(unsent).await, "never sent: planned anew");
    let row = w.store.job(&ALL, saved).await.unwrap().unwrap();
    assert_eq!((row.watermark, row.spec), (at(10), chosen));
    assert_eq!(row.updated_by, "admin");
    assert_eq!(w.store.agents_of_job(saved).await.unwrap(), [agent]);
    let pauses = async |job: JobId| {
        let page = w.store.why(&ALL, job, (at(0), at(100)), None, 10).await;
        let pauses = page.unwrap().unwrap().pauses.into_iter();
        pauses
            .map(|pause| (pause.from, pause.until))
            .collect::<Vec<_>>()
    };
    assert_eq!(pauses(paused).await, [(at(10), None)]);
    assert_eq!(pauses(resumed).await, [(at(5), Some(at(10)))]);
    assert_eq!(pauses(JobId::from_u128(8)).await, [(at(10), None)]);
    assert_eq!(
        w.store.job(&ALL, deleted).await.unwrap(),
        None,
        "it is gone, and its name is free"
    );
    w.job(9, group, scheduled("d")).await;

    // The new version is planned like any other.
    let again = run_at(saved, 2, at(60), agent);
    let id = again.id;
    w.plan(saved, vec![again]).await;
    assert_eq!(w.dispatch(&session).await, [], "it waits for the old one");
    assert_eq!(w.state(id).await, RunState::Planned);
}

async fn nothing_of_a_set_is_done_when_one_job_changed_meanwhile(w: World) {
    let group = w.group(1).await;
    let a = w.job(1, group, scheduled("a")).await;
    let b = w.job(2, group, scheduled("b")).await;
    let mut set = empty();
    set.create = vec![new(3, group, scheduled("c"))];
    set.change = vec![save(a, scheduled("a2"))];
    set.based_on = vec![basis(&w, a).await, basis(&w, b).await];

    w.store.pause_job(b, at(1)).await.unwrap();
    assert_eq!(refused(&w, &set, 2).await, Conflict::StaleSet);
    w.store.resume_job(b, 1, TIMING, at(2)).await.unwrap();
    w.store
        .replace_job(b, 1, &scheduled("b"), TIMING, ADMIN, at(3))
        .await
        .unwrap();
    assert_eq!(refused(&w, &set, 4).await, Conflict::StaleSet);
    set.based_on[1] = basis(&w, b).await;
    w.store.delete_job(b, at(5)).await.unwrap();
    assert_eq!(refused(&w, &set, 6).await, Conflict::StaleSet);
    set.based_on.pop();
    // What is to be changed must be known as it was.
    set.delete = vec![JobId::from_u128(77)];
    assert_eq!(refused(&w, &set, 6).await, Conflict::StaleSet);
    set.delete.clear();
    w.store.change_jobs(&set, at(6)).await.unwrap();
    assert_eq!(
        refused(&w, &set, 7).await,
        Conflict::StaleSet,
        "once is enough"
    );
}

async fn nothing_of_a_set_is_done_when_one_name_is_taken(w: World) {
    let group = w.group(1).await;
    let other = w.group(2).await;
    let a = w.job(1, group, scheduled("a")).await;
    let run = run_at(a, 1, at(60), w.agent(1, &[group]).await);
    let id = run.id;
    w.plan(a, vec![run]).await;
    w.job(2, group, scheduled("b")).await;
    let mut set = empty();
    set.based_on = vec![basis(&w, a).await];
    set.change = vec![save(a, scheduled("a2"))];
    set.create = (10..400)
        .map(|number| new(number, other, scheduled(&format!("n{number}"))))
        .collect();
    set.create.push(new(400, group, scheduled("b")));
    assert_eq!(refused(&w, &set, 10).await, Conflict::Reference);
    assert!(w.exists(id).await, "its runs stay planned");
    // The id of a job that exists.
    set.create.pop();
    set.create.push(new(2, group, scheduled("z")));
    assert_eq!(refused(&w, &set, 10).await, Conflict::Reference);
    set.create.pop();
    set.create
        .push(new(400, GroupId::from_u128(99), scheduled("b")));
    let missing = w.store.change_jobs(&set, at(10)).await;
    assert!(matches!(missing, Err(StoreError::Missing { .. })));
    set.create.pop();
    w.store.change_jobs(&set, at(10)).await.unwrap();
    assert!(!w.exists(id).await);
}

async fn a_set_waits_for_the_planner(w: World) {
    let group = w.group(1).await;
    let a = w.job(1, group, scheduled("a")).await;
    let mut set = empty();
    set.based_on = vec![basis(&w, a).await];
    set.create = vec![new(3, group, scheduled("c"))];
    set.delete = vec![a];
    // Due at 60 s and not decided yet.
    assert_eq!(refused(&w, &set, 61).await, Conflict::PlanningBehind);
    w.store.change_jobs(&set, at(59)).await.unwrap();
    assert_eq!(jobs(&w).await.len(), 1);
}

async fn two_jobs_change_names_with_each_other(w: World) {
    let group = w.group(1).await;
    let a = w.job(1, group, scheduled("a")).await;
    let b = w.job(2, group, scheduled("b")).await;
    let c = w.job(3, group, scheduled("c")).await;
    let mut set = empty();
    for job in [a, b, c] {
        set.based_on.push(basis(&w, job).await);
    }
    set.change = vec![save(a, scheduled("b")), save(b, scheduled("a"))];
    set.delete = vec![c];
    set.create = vec![new(4, group, scheduled("c"))];
    w.store.change_jobs(&set, at(10)).await.unwrap();
    let name = async |job| w.store.job(&ALL, job).await.unwrap().unwrap().spec.name;
    assert_eq!(
        (name(a).await, name(b).await),
        ("b".to_owned(), "a".to_owned())
    );
    assert_eq!(name(JobId::from_u128(4)).await, "c");
}

async fn of_two_sets_that_cross_one_is_done(w: World) {
    const COUNT: u128 = 30;
    let group = w.group(1).await;
    for round in 1..=5 {
        let set = |name: &str| {
            let mut set = empty();
            for number in 1..=COUNT {
                let job = JobId::from_u128(1_000 * round + number);
                set.based_on.push(JobBasis {
                    job,
                    group,
                    version: 1,
                    is_paused: false,
                });
                set.change
                    .push(save(job, scheduled(&format!("{name} {round} {number}"))));
            }
            set
        };
        let (first, mut second) = (set("first"), set("second"));
        second.based_on.reverse();
        second.change.reverse();
        for number in 1..=COUNT {
            let name = format!("old {round} {number}");
            w.job(1_000 * round + number, group, scheduled(&name)).await;
        }
        let store = w.store.clone();
        let other = tokio::spawn(async move { store.change_jobs(&second, at(10)).await });
        let done = [
            w.store.change_jobs(&first, at(10)).await,
            other.await.unwrap(),
        ];
        let names = ["first", "second"].into_iter().zip(&done);
        let winners: Vec<&str> = names
            .filter(|(_, done)| done.is_ok())
            .map(|(name, _)| name)
            .collect();
        let stale = |done: &Result<Withdrawn, StoreError>| {
            matches!(done, Err(StoreError::Conflict(Conflict::StaleSet)))
        };
        assert_eq!(winners.len(), 1, "{done:?}");
        assert!(done.iter().any(stale), "{done:?}");
        let ids: Vec<JobId> = first.change.iter().map(|change| change.job).collect();
        let jobs = w.store.definitions_with_ids(&ids).await.unwrap();
        let is_winners = |name: &str| name.starts_with(winners[0]);
        assert!(
            jobs.iter()
                .all(|job| job.version == 2 && is_winners(&job.spec.name))
        );
        assert_eq!(jobs.len(), ids.len());
    }
}

async fn a_set_of_thousands_is_one_transaction(w: World) {
    const COUNT: u128 = 2_000;
    let group = w.group(1).await;
    let agent = w.agent(1, &[group]).await;
    let spec = |number: u128, text: &str| {
        let mut spec = scheduled(&format!("job {number}"));
        spec.launch.command = Command::Argv(vec!["/bin/echo".to_owned(), text.to_owned()]);
        spec.target = Target::Agents(vec![agent, AgentId::from_u128(number)]);
        spec
    };
    let mut set = empty();
    // More text than one statement may have on some servers.
    let long = "x".repeat(20_000);
    set.create = (1..=COUNT)
        .map(|number| new(number, group, spec(number, &long)))
        .collect();
    w.store.change_jobs(&set, at(1)).await.unwrap();
    let ids: Vec<JobId> = set.create.iter().map(|job| job.id).collect();
    let found = w.store.definitions_with_ids(&ids).await.unwrap();
    assert_eq!(found.len(), ids.len());
    set.based_on = found
        .iter()
        .map(|job| JobBasis {
            job: job.id,
            group: job.group,
            version: job.version,
            is_paused: job.is_paused,
        })
        .collect();
    set.create.clear();
    set.change = (1..=COUNT)
        .map(|number| save(JobId::from_u128(number), spec(number, "short")))
        .collect();
    w.store.change_jobs(&set, at(2)).await.unwrap();
    let found = w.store.definitions_with_ids(&ids).await.unwrap();
    assert!(found.iter().all(|job| job.version == 2));
    assert_eq!(found.len(), ids.len());
    let specs: Vec<JobSpec> = found.into_iter().map(|job| job.spec).collect();
    assert!((1..=COUNT).all(|number| specs.contains(&spec(number, "short"))));
    for basis in &mut set.based_on {
        basis.version = 2;
    }
    set.change.clear();
    set.delete = ids;
    w.store.change_jobs(&set, at(3)).await.unwrap();
    assert_eq!(jobs(&w).await, []);
}

async fn definitions_are_found_by_id_by_name_and_page_by_page(w: World) {
    let (mine, other) = (w.group(1).await, w.group(2).await);
    let a = w.job(1, mine, scheduled("a")).await;
    let b = w.job(2, other, scheduled("a")).await;
    let c = w.job(3, mine, daemon("c", 1)).await;
    let gone = w.job(4, mine, scheduled("d")).await;
    w.store.delete_job(gone, at(1)).await.unwrap();

    let page = async |reach, group, after, limit| {
        let page = w
            .store
            .definitions(reach, group, after, limit)
            .await
            .unwrap();
        let ids: Vec<JobId> = page.items.iter().map(|job| job.id).collect();
        (ids, page.next)
    };
    let own = only(&[mine]);
    assert_eq!(page(&ALL, None, None, 10).await, (vec![a, b, c], None));
    assert_eq!(page(&ALL, None, None, 2).await, (vec![a, b], Some(b)));
    assert_eq!(page(&ALL, None, Some(b), 2).await, (vec![c], None));
    assert_eq!(page(&own, None, None, 10).await, (vec![a, c], None));
    assert_eq!(page(&own, Some(other), None, 10).await, (vec![], None));
    assert_eq!(page(&ALL, Some(other), None, 10).await, (vec![b], None));

    let mut all = w.store.definitions_with_ids(&[gone, b]).await.unwrap();
    all.sort_by_key(|job| job.id);
    let told: Vec<_> = all.iter().map(|job| (job.id, job.is_deleted)).collect();
    assert_eq!(told, [(b, false), (gone, true)]);
    assert_eq!(all[0].group_name, "group 002");
    let named = w.store.definitions_with_names(mine, &["a", "d", "x"]);
    let named: Vec<JobId> = named.await.unwrap().iter().map(|job| job.id).collect();
    assert_eq!(named, [a], "a deleted job has no name");
    let headings = w.store.job_headings(&[mine]).await.unwrap();
    let names: Vec<&str> = headings.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["a", "c"]);
    let groups = w.store.groups_with_names(&own, &["group 001", "group 002"]);
    let groups: Vec<GroupId> = groups.await.unwrap().iter().map(|group| group.id).collect();
    assert_eq!(groups, [mine]);
}
