//! Many jobs changed as one: shown before, done as shown or not at all, refused with every job that is in the way.

use cronfleet_core::access::Role;
use cronfleet_core::id::{GroupId, JobId};
use cronfleet_store::{NewWindow, WindowScope, WindowSpec, WindowWhen};
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, answer, code, definition, now, user_id};

const OPERATOR: Who = Who::Member(Role::Operator);
const EDITOR: Who = Who::Member(Role::Editor);
const OWNER: Who = Who::Member(Role::Owner);
const PLAN: &str = "/api/v1/jobs/bulk/plan";
const APPLY: &str = "/api/v1/jobs/bulk/apply";

/// A whole second, as people choose it.
fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(crate::world::later(seconds).as_second()).unwrap()
}

/// The scheduled jobs of our group.
fn ours(world: &World) -> Value {
    json!({ "group": world.ours.group.as_uuid(), "kind": "scheduled" })
}

async fn add(world: &World, names: &[&str]) {
    for name in names {
        let request = json!({ "group_id": world.ours.group.as_uuid(), "spec": definition(name) });
        let (status, body) = world
            .send(EDITOR, Method::POST, "/api/v1/jobs", &request)
            .await;
        assert_eq!(status, 201, "{body}");
    }
}

async fn plan(world: &World, who: Who, filter: &Value, change: &Value) -> (u16, Value) {
    let request = json!({ "filter": filter, "change": change });
    world.send(who, Method::POST, PLAN, &request).await
}

async fn apply(
    world: &World,
    who: Who,
    filter: &Value,
    change: &Value,
    digest: &Value,
) -> (u16, Value) {
    let request = json!({ "filter": filter, "change": change, "digest": digest });
    world.send(who, Method::POST, APPLY, &request).await
}

/// Plans and applies what must be fine.
async fn applied(world: &World, who: Who, filter: &Value, change: &Value) -> Value {
    let (status, planned) = plan(world, who, filter, change).await;
    assert_eq!(status, 200, "{planned}");
    let (status, applied) = apply(world, who, filter, change, &planned["digest"]).await;
    assert_eq!(status, 200, "{applied}");
    assert_eq!(names(&applied), names(&planned));
    applied
}

/// Names of the jobs of a plan.
fn names(plan: &Value) -> Vec<String> {
    let jobs = plan["jobs"]
        .as_array()
        .unwrap_or_else(|| panic!("{plan}"))
        .iter();
    jobs.map(|job| job["name"].as_str().unwrap().to_owned())
        .collect()
}

/// `job field code` of every problem.
fn problems(body: &Value) -> Vec<String> {
    let problems = body["error"]["problems"].as_array();
    let problems = problems.unwrap_or_else(|| panic!("{body}")).iter();
    let told = problems.map(|problem| {
        assert!(
            problem["hint"].is_string(),
            "{problem} says what would be right"
        );
        let text = |key: &str| problem[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {}", text("job"), text("field"), text("code"))
    });
    told.collect()
}

/// Our jobs by name, as a page of the list shows them.
async fn jobs(world: &World) -> Vec<Value> {
    let path = format!("/api/v1/jobs?group={}&limit=500", world.ours.group);
    let (_, page) = world.get(OWNER, &path).await;
    page["items"].as_array().unwrap().clone()
}

/// What is to become of nothing when a change is refused.
async fn state(world: &World) -> Vec<Value> {
    let told = jobs(world).await.into_iter();
    told.map(|job| json!([job["spec"], job["version"], job["is_paused"], job["snooze"]]))
        .collect()
}

async fn name_of(world: &World, job: JobId) -> String {
    let (_, job) = world.get(Who::Admin, &format!("/api/v1/jobs/{job}")).await;
    job["spec"]["name"].as_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_does_what_it_showed_to_all_that_are_found() {
    let world = World::start().await;
    add(&world, &["report a", "report b", "backup"]).await;
    let reports = json!({ "q": "report" });
    let before = state(&world).await;
    let pause = json!({ "action": "pause" });
    let (status, planned) = plan(&world, OPERATOR, &reports, &pause).await;
    assert_eq!(
        (status, names(&planned)),
        (200, vec!["report a".to_owned(), "report b".to_owned()])
    );
    assert_eq!(planned["jobs"][0]["group"], "ours");
    let field = json!({ "field": "paused", "old": false, "new": true });
    assert_eq!(planned["jobs"][0]["fields"], json!([field]));
    assert_eq!(state(&world).await, before, "a plan changes nothing");
    assert_eq!(plan(&world, OPERATOR, &reports, &pause).await.1, planned);
    applied(&world, OPERATOR, &reports, &pause).await;
    let is_paused = async || {
        let jobs = jobs(&world).await.into_iter();
        let paused = jobs.filter(|job| job["is_paused"] == true);
        paused
            .map(|job| job["spec"]["name"].clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(is_paused().await, ["report a", "report b"]);
    let (_, again) = plan(&world, OPERATOR, &reports, &pause).await;
    assert_eq!((names(&again).len(), &again["unchanged"]), (0, &json!(2)));
    let done = apply(&world, OPERATOR, &reports, &pause, &again["digest"]).await;
    assert_eq!(
        (done.0, names(&done.1).len()),
        (200, 0),
        "nothing is left to do"
    );
    let (_, stale) = apply(&world, OPERATOR, &reports, &pause, &planned["digest"]).await;
    assert_eq!(code(&stale), "definitions.plan_stale");

    let paused = json!({ "paused": true, "group": world.ours.group.as_uuid() });
    assert_eq!(
        names(&applied(&world, OPERATOR, &paused, &json!({ "action": "resume" })).await).len(),
        2
    );
    assert!(is_paused().await.is_empty());

    let until = later(3_600);
    let snooze = json!({ "action": "snooze", "until": until });
    let snoozed = applied(&world, OPERATOR, &ours(&world), &snooze).await;
    assert_eq!(names(&snoozed).len(), 4);
    let snoozes = async || {
        jobs(&world)
            .await
            .iter()
            .filter(|job| job["snooze"]["until"] == json!(until))
            .count()
    };
    assert_eq!(snoozes().await, 4);
    let ended = applied(&world, OPERATOR, &reports, &json!({ "action": "unsnooze" })).await;
    assert_eq!((names(&ended).len(), snoozes().await), (2, 2));

    let fields = json!({ "scheduled.time_zone": "Asia/Shanghai", "scheduled.timeout_ms": 5_000 });
    let set = applied(
        &world,
        EDITOR,
        &reports,
        &json!({ "action": "set", "fields": fields }),
    )
    .await;
    assert_eq!(
        set["jobs"][0]["fields"],
        json!([
            { "field": "scheduled.time_zone", "old": "UTC", "new": "Asia/Shanghai" },
            { "field": "scheduled.timeout_ms", "new": 5_000 },
        ])
    );
    for job in jobs(&world).await {
        let is_report = job["spec"]["name"].as_str().unwrap().starts_with("report");
        assert_eq!(
            job["spec"]["scheduled"]["time_zone"] == "Asia/Shanghai",
            is_report,
            "{job}"
        );
        assert_eq!(job["version"], if is_report { 2 } else { 1 });
        if is_report {
            assert_eq!(job["updated_by"], "editor");
        }
    }
    applied(&world, OWNER, &reports, &json!({ "action": "delete" })).await;
    let left: Vec<Value> = jobs(&world)
        .await
        .into_iter()
        .map(|job| job["spec"]["name"].clone())
        .collect();
    assert!(
        left.contains(&json!("backup")) && left.len() == 3,
        "{left:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_job_that_refuses_stops_all_and_every_one_is_named() {
    let world = World::start().await;
    add(&world, &["a", "b"]).await;
    let before = state(&world).await;
    let all = json!({ "group": world.ours.group.as_uuid() });
    let (daemon, job) = (
        name_of(&world, world.ours.daemon).await,
        name_of(&world, world.ours.job).await,
    );
    let refused = async |who: Who, filter: &Value, change: Value| {
        let (status, body) = plan(&world, who, filter, &change).await;
        let (same, _) = apply(&world, who, filter, &change, &json!("x")).await;
        assert_eq!(same, status, "{body}");
        (status, code(&body).to_owned(), problems(&body))
    };
    let of = |name: &str, rest: &str| format!("ours/{name} {rest}");
    assert_eq!(
        refused(OPERATOR, &all, json!({ "action": "run" })).await,
        (
            422,
            "bulk.refused".to_owned(),
            vec![of(&daemon, "filter job.is_daemon")]
        )
    );
    assert_eq!(
        refused(
            EDITOR,
            &all,
            json!({ "action": "set", "fields": { "scheduled.time_zone": "UTC" } })
        )
        .await
        .2,
        [of(
            &daemon,
            "change.fields.scheduled.time_zone bulk.other_kind"
        )]
    );
    let wrong = json!({ "action": "set", "fields": { "run_as": "root" } });
    let wrong_user = |name: &str| of(name, "change.fields.run_as job.run_as_refused");
    assert_eq!(
        refused(EDITOR, &all, wrong.clone()).await.2,
        [
            wrong_user("a"),
            wrong_user("b"),
            wrong_user(&job),
            wrong_user(&daemon)
        ]
    );
    let (_, body) = plan(&world, EDITOR, &all, &wrong).await;
    let first = &body["error"]["problems"][0];
    assert!(
        first["message"].as_str().unwrap().contains("\"root\""),
        "{first} tells the value"
    );
    assert_eq!(first["hint"], "use one of app");
    let zone = json!({ "action": "set", "fields": { "scheduled.time_zone": "Mars/Base" } });
    let (_, _, told) = refused(EDITOR, &ours(&world), zone).await;
    assert_eq!(
        told[0],
        "ours/a change.fields.scheduled.time_zone schedule.unknown_time_zone"
    );
    assert_eq!(told.len(), 3);
    // A role that is too low for the change, and one that is too low for all.
    let delete = json!({ "action": "delete" });
    let forbidden = vec![
        of("a", "filter auth.forbidden"),
        of("b", "filter auth.forbidden"),
    ];
    let named = json!({ "ids": [jobs(&world).await[0]["id"], jobs(&world).await[1]["id"]] });
    assert_eq!(
        refused(EDITOR, &named, delete.clone()).await,
        (403, "auth.forbidden".to_owned(), forbidden)
    );
    let viewer = plan(&world, Who::Member(Role::Viewer), &named, &delete).await;
    assert_eq!(viewer.0, 403);
    assert_eq!(state(&world).await, before, "nothing of it was done");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_beyond_reach_is_not_found_and_a_role_counts_in_its_group() {
    let world = World::start().await;
    add(&world, &["shared"]).await;
    let theirs = world.theirs;
    let everything = json!({});
    let (_, planned) = plan(&world, OPERATOR, &everything, &json!({ "action": "pause" })).await;
    let their_name = name_of(&world, theirs.job).await;
    assert!(
        names(&planned).len() == 3 && !names(&planned).contains(&their_name),
        "{planned}"
    );
    for filter in [
        json!({ "group": theirs.group.as_uuid() }),
        json!({ "ids": [theirs.job.as_uuid()] }),
    ] {
        let (status, body) = plan(&world, OPERATOR, &filter, &json!({ "action": "pause" })).await;
        assert_eq!((status, code(&body)), (404, "not_found"), "{body}");
    }
    // An operator here and a viewer there may not pause both.
    world
        .store
        .put_member(theirs.group, user_id("operator"), Role::Viewer)
        .await
        .unwrap();
    let (status, body) = plan(&world, OPERATOR, &everything, &json!({ "action": "pause" })).await;
    assert_eq!((status, code(&body)), (403, "auth.forbidden"));
    let told = problems(&body);
    assert!(
        told.len() == 2 && told.iter().all(|one| one.starts_with("theirs/")),
        "{told:?}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_once_other_jobs_are_found_or_one_was_changed() {
    let world = World::start().await;
    add(&world, &["report a", "report b"]).await;
    let filter = json!({ "q": "report" });
    let delete = json!({ "action": "delete" });
    let found = jobs(&world)
        .await
        .into_iter()
        .find(|job| job["spec"]["name"] == "report b")
        .unwrap();
    let path = format!("/api/v1/jobs/{}", found["id"].as_str().unwrap());
    for step in ["save", "pause", "snooze", "create", "delete"] {
        let (_, planned) = plan(&world, OWNER, &filter, &delete).await;
        let (status, body) = match step {
            "save" => {
                let put = world.request_by(OWNER, Method::PUT, &path).await;
                let spec = json!({ "spec": found["spec"] });
                answer(put.header("if-match", "\"1\"").json(&spec)).await
            }
            "pause" => {
                world
                    .send(OWNER, Method::POST, &format!("{path}/pause"), &json!({}))
                    .await
            }
            "snooze" => {
                let until = json!({ "until": later(3_600) });
                world
                    .send(OWNER, Method::PUT, &format!("{path}/snooze"), &until)
                    .await
            }
            "create" => {
                add(&world, &["report c"]).await;
                (200, Value::Null)
            }
            _ => world.send(OWNER, Method::DELETE, &path, &Value::Null).await,
        };
        assert!(status < 300, "{step}: {body}");
        let before = state(&world).await;
        let (status, stale) = apply(&world, OWNER, &filter, &delete, &planned["digest"]).await;
        assert_eq!(
            (status, code(&stale)),
            (412, "definitions.plan_stale"),
            "{step}"
        );
        assert_eq!(state(&world).await, before, "{step}");
    }
    assert_eq!(
        names(&applied(&world, OWNER, &filter, &delete).await),
        ["report a", "report c"]
    );
    world.stop().await;
}

async fn runs_of(world: &World, group: GroupId) -> usize {
    let (_, page) = world
        .get(
            OWNER,
            &format!("/api/v1/runs?group={group}&cause=manual&limit=500"),
        )
        .await;
    page["items"].as_array().unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeated_request_runs_nothing_twice() {
    let world = World::start().await;
    add(&world, &["a", "b"]).await;
    let (filter, run) = (ours(&world), json!({ "action": "run" }));
    let known = runs_of(&world, world.ours.group).await;
    let (_, planned) = plan(&world, OPERATOR, &filter, &run).await;
    assert_eq!(planned["runs"], 3);
    let request = json!({ "filter": filter, "change": run, "digest": planned["digest"] });
    let send = async |key: &str| {
        let request = world
            .request_by(OPERATOR, Method::POST, APPLY)
            .await
            .json(&request);
        answer(request.header("idempotency-key", key)).await
    };
    let (status, first) = send("k1").await;
    assert_eq!(status, 200, "{first}");
    let ids = first["run_ids"].as_array().unwrap();
    assert_eq!(
        (ids.len(), runs_of(&world, world.ours.group).await),
        (3, known + 3)
    );
    let (status, again) = send("k1").await;
    assert_eq!((status, &again["run_ids"]), (200, &first["run_ids"]));
    assert_eq!(runs_of(&world, world.ours.group).await, known + 3);
    // One more job under the same key: only that one runs.
    add(&world, &["c"]).await;
    assert_eq!(send("k1").await.0, 412);
    let (_, planned) = plan(&world, OPERATOR, &filter, &run).await;
    let request = json!({ "filter": filter, "change": run, "digest": planned["digest"] });
    let again = world
        .request_by(OPERATOR, Method::POST, APPLY)
        .await
        .json(&request);
    let (_, more) = answer(again.header("idempotency-key", "k1")).await;
    assert_eq!(more["run_ids"].as_array().unwrap().len(), 4);
    assert_eq!(runs_of(&world, world.ours.group).await, known + 4);
    let (_, row) = world
        .get(OWNER, &format!("/api/v1/runs/{}", ids[0].as_str().unwrap()))
        .await;
    assert_eq!(
        (&row["requested_by"], &row["cause"]),
        (&json!("operator"), &json!("manual"))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_refuses_the_jobs_that_it_holds() {
    let world = World::start().await;
    add(&world, &["a"]).await;
    let window = NewWindow {
        id: cronfleet_core::id::WindowId::from_u128(1),
        scope: WindowScope::Job(world.ours.job),
        spec: WindowSpec {
            reason: "disk is full".to_owned(),
            when: WindowWhen::Once {
                from: later(-1),
                until: later(3_600),
            },
        },
        author: user_id("admin"),
    };
    world.store.create_window(&window, now()).await.unwrap();
    // A window holds what is after the moment at which it was made.
    let (status, body) = plan(&world, OPERATOR, &ours(&world), &json!({ "action": "run" })).await;
    let held = name_of(&world, world.ours.job).await;
    assert_eq!(
        (status, problems(&body)),
        (
            422,
            vec![format!("ours/{held} change.ignore_windows job.frozen")]
        )
    );
    assert!(
        body["error"]["problems"][0]["message"]
            .as_str()
            .unwrap()
            .contains("disk is full")
    );
    let all_the_same = json!({ "action": "run", "ignore_windows": true });
    assert_eq!(
        applied(&world, OPERATOR, &ours(&world), &all_the_same).await["runs"],
        2
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_of_a_request_is_checked() {
    let world = World::start().await;
    let id = world.ours.job.as_uuid();
    let pause = json!({ "action": "pause" });
    let set = |fields: Value| json!({ "action": "set", "fields": fields });
    for (filter, change, status, error, field) in [
        (
            json!({ "ids": [] }),
            pause.clone(),
            422,
            "bulk.no_ids",
            "filter.ids",
        ),
        (
            json!({ "ids": [id], "q": "x" }),
            pause.clone(),
            422,
            "bulk.filter_mixed",
            "filter.ids",
        ),
        (
            json!({ "name": "x" }),
            pause.clone(),
            400,
            "request.malformed",
            "filter.name",
        ),
        (
            json!({}),
            json!({ "action": "move" }),
            400,
            "request.malformed",
            "change",
        ),
        (
            json!({}),
            set(json!({})),
            422,
            "bulk.nothing_set",
            "change.fields",
        ),
        (
            json!({}),
            set(json!({ "name": "x" })),
            422,
            "bulk.field",
            "change.fields.name",
        ),
        (
            ours(&world),
            set(json!({ "run_us": "x" })),
            422,
            "bulk.refused",
            "change.fields.run_us",
        ),
        (
            json!({}),
            json!({ "action": "snooze", "until": later(-1) }),
            422,
            "job.snooze_until",
            "change.until",
        ),
    ] {
        let (found, body) = plan(&world, EDITOR, &filter, &change).await;
        assert_eq!((found, code(&body)), (status, error), "{change}: {body}");
        let place = body["error"]["field"].as_str().unwrap_or_default();
        assert!(place.starts_with(field), "{change}: {body}");
    }
    let request = json!({ "filter": {}, "change": pause });
    let (status, body) = world.send(EDITOR, Method::POST, APPLY, &request).await;
    assert_eq!(
        (status, code(&body)),
        (400, "request.malformed"),
        "not without a plan"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_thousand_jobs_are_changed_at_once() {
    let world = World::start().await;
    let jobs: Vec<Value> = (0..2_000)
        .map(|number| json!({ "group": "ours", "spec": definition(&format!("many {number:04}")) }))
        .collect();
    let set = json!({ "cronfleet": 1, "jobs": jobs });
    let (_, planned) = world
        .send(EDITOR, Method::POST, "/api/v1/definitions/plan", &set)
        .await;
    let request = json!({ "set": set, "digest": planned["digest"] });
    let (status, _) = world
        .send(EDITOR, Method::POST, "/api/v1/definitions/apply", &request)
        .await;
    assert_eq!(status, 200);
    let many = json!({ "q": "many" });
    for change in [
        json!({ "action": "pause" }),
        json!({ "action": "resume" }),
        json!({ "action": "snooze", "until": later(3_600) }),
        json!({ "action": "unsnooze" }),
        json!({ "action": "set", "fields": { "description": "new" } }),
        json!({ "action": "run" }),
        json!({ "action": "delete" }),
    ] {
        let began = std::time::Instant::now();
        let done = applied(&world, OWNER, &many, &change).await;
        println!("{}: {:?}", change["action"], began.elapsed());
        assert_eq!(names(&done).len(), 2_000, "{change}");
    }
    let (_, left) = plan(&world, OWNER, &many, &json!({ "action": "pause" })).await;
    assert_eq!((names(&left).len(), &left["unchanged"]), (0, &json!(0)));
    world.stop().await;
}
