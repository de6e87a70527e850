//! Definitions of many jobs: planned, applied as a whole or not at all, refused with every place that is wrong.

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Who, World, answer, code, definition};

const EDITOR: Who = Who::Member(Role::Editor);
const OPERATOR: Who = Who::Member(Role::Operator);
const OWNER: Who = Who::Member(Role::Owner);
const PLAN: &str = "/api/v1/definitions/plan";
const APPLY: &str = "/api/v1/definitions/apply";

fn job(name: &str) -> Value {
    json!({ "group": "ours", "spec": definition(name) })
}

fn set(jobs: &[Value]) -> Value {
    json!({ "cronfleet": 1, "jobs": jobs })
}

async fn plan(world: &World, who: Who, set: &Value) -> (u16, Value) {
    world.send(who, Method::POST, PLAN, set).await
}

async fn apply(world: &World, who: Who, set: &Value, digest: &Value) -> (u16, Value) {
    let request = json!({ "set": set, "digest": digest });
    world.send(who, Method::POST, APPLY, &request).await
}

/// Plans and applies what must be fine.
async fn applied(world: &World, who: Who, set: &Value) -> Value {
    let (status, planned) = plan(world, who, set).await;
    assert_eq!(status, 200, "{planned}");
    let (status, applied) = apply(world, who, set, &planned["digest"]).await;
    assert_eq!(status, 200, "{applied}");
    applied
}

/// `action name` of every change.
fn actions(plan: &Value) -> Vec<String> {
    let changes = plan["changes"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    changes
        .map(|change| format!("{} {}", text(&change["action"]), text(&change["name"])))
        .collect()
}

/// `field code` of every problem.
fn problems(body: &Value) -> Vec<String> {
    let problems = body["error"]["problems"].as_array();
    let problems = problems.unwrap_or_else(|| panic!("{body}")).iter();
    problems
        .map(|problem| {
            assert!(
                problem["hint"].is_string(),
                "{problem} says what would be right"
            );
            let text = |key: &str| problem[key].as_str().unwrap().to_owned();
            format!("{} {}", text("field"), text("code"))
        })
        .collect()
}

/// The definitions of all jobs that somebody sees.
async fn listed(world: &World, who: Who, query: &str) -> Vec<Value> {
    let (status, page) = world.get(who, &format!("/api/v1/definitions{query}")).await;
    assert_eq!(status, 200, "{page}");
    page["items"].as_array().unwrap().clone()
}

async fn names(world: &World) -> Vec<String> {
    let jobs = listed(world, Who::Admin, "").await.into_iter();
    let mut names: Vec<String> = jobs
        .map(|job| job["spec"]["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_planned_is_what_is_applied() {
    let world = World::start().await;
    let id = Uuid::from_u128(0x5eed);
    let mut with_id = job("with id");
    with_id["id"] = json!(id);
    with_id["paused"] = json!(true);
    let first = set(&[job("a"), with_id.clone(), job("b")]);
    let (status, planned) = plan(&world, EDITOR, &first).await;
    assert_eq!(status, 200, "{planned}");
    assert_eq!(
        actions(&planned),
        ["create a", "create with id", "create b"]
    );
    assert_eq!(
        (
            &planned["changes"][0].get("id"),
            &planned["changes"][1]["id"]
        ),
        (&None, &json!(id)),
        "an id is known before only if the set asks for it"
    );
    assert_eq!(names(&world).await.len(), 4, "a plan changes nothing");
    assert_eq!(
        plan(&world, EDITOR, &first).await.1,
        planned,
        "again the same"
    );
    let (status, done) = apply(&world, EDITOR, &first, &planned["digest"]).await;
    assert_eq!(status, 200, "{done}");
    assert!(done["changes"][0]["id"].is_string());
    let (_, shown) = world.get(EDITOR, &format!("/api/v1/jobs/{id}")).await;
    assert_eq!(
        (&shown["is_paused"], &shown["version"], &shown["updated_by"]),
        (&json!(true), &json!(1), &json!("editor"))
    );
    let (status, again) = apply(&world, EDITOR, &first, &planned["digest"]).await;
    assert_eq!((status, code(&again)), (412, "definitions.plan_stale"));
    let unchanged = applied(&world, EDITOR, &first).await;
    assert_eq!(
        (actions(&unchanged).len(), &unchanged["unchanged"]),
        (0, &json!(3))
    );

    // Renamed by id, changed by name, resumed, left alone.
    with_id["spec"]["name"] = json!("renamed");
    with_id["paused"] = json!(false);
    let mut changed = job("a");
    changed["spec"]["scheduled"]["retry"] = json!({ "attempts_max": 3 });
    changed["spec"]["environment"] = json!({ "A": "1" });
    let mut paused = job("b");
    paused["paused"] = json!(true);
    let second = applied(
        &world,
        EDITOR,
        &set(&[with_id.clone(), changed, paused.clone()]),
    )
    .await;
    assert_eq!(actions(&second), ["update renamed", "update a", "pause b"]);
    let fields = |index: usize| second["changes"][index]["fields"].clone();
    assert_eq!(
        fields(0),
        json!([
            { "field": "name", "old": "with id", "new": "renamed" },
            { "field": "paused", "old": true, "new": false },
        ])
    );
    assert_eq!(
        fields(1),
        json!([
            { "field": "environment.A", "new": "1" },
            { "field": "scheduled.retry.attempts_max", "old": 1, "new": 3 },
        ])
    );
    let (_, shown) = world.get(EDITOR, &format!("/api/v1/jobs/{id}")).await;
    assert_eq!(
        (
            &shown["spec"]["name"],
            &shown["is_paused"],
            &shown["version"]
        ),
        (&json!("renamed"), &json!(false), &json!(2))
    );
    paused["paused"] = json!(false);
    let third = applied(&world, EDITOR, &set(&[paused])).await;
    assert_eq!(actions(&third), ["resume b"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_listed_changes_nothing_when_it_is_applied() {
    let world = World::start().await;
    let all = listed(&world, Who::Admin, "").await;
    assert_eq!(all.len(), 4);
    let mut request = set(&all);
    request["prune"] = json!(true);
    let (status, planned) = plan(&world, Who::Admin, &request).await;
    assert_eq!(
        (status, &planned["unchanged"]),
        (200, &json!(4)),
        "{planned}"
    );
    assert_eq!(planned["changes"], json!([]));

    let ours = listed(&world, OPERATOR, "").await;
    assert_eq!(ours.len(), 2, "only what is mine");
    let theirs = world.theirs.group;
    assert_eq!(
        listed(&world, OPERATOR, &format!("?group={theirs}"))
            .await
            .len(),
        0
    );
    assert_eq!(
        listed(&world, Who::Admin, &format!("?group={theirs}"))
            .await
            .len(),
        2
    );
    let (_, page) = world.get(OPERATOR, "/api/v1/definitions?limit=1").await;
    let next = page["next_cursor"].as_str().unwrap();
    let rest = listed(&world, OPERATOR, &format!("?limit=1&cursor={next}")).await;
    assert_eq!([page["items"][0].clone(), rest[0].clone()], ours[..]);

    // An empty center becomes the same fleet.
    for side in [world.ours, world.theirs] {
        for id in [side.job, side.daemon] {
            let path = format!("/api/v1/jobs/{id}");
            assert_eq!(
                world
                    .send(Who::Admin, Method::DELETE, &path, &Value::Null)
                    .await
                    .0,
                204
            );
        }
    }
    let (status, refused) = plan(&world, Who::Admin, &set(&all)).await;
    assert_eq!(status, 422);
    assert_eq!(
        problems(&refused)[0],
        "jobs[0].id job.deleted",
        "an id is never given twice"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_bad_definition_stops_all_and_every_one_is_named() {
    let world = World::start().await;
    let before = names(&world).await;
    let with = |pointer: &str, value: Value| {
        let mut job = job(&format!("bad {pointer}"));
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let parent = job.pointer_mut(parent).unwrap();
        parent[key] = value;
        job
    };
    let foreign = Uuid::from_u128(9);
    let other = json!(world.theirs.job.as_uuid());
    let mut daemon = listed(&world, EDITOR, "").await.remove(1);
    daemon["group"] = json!("theirs");
    let cases = [
        (job("good"), None),
        (
            with("/spec/scheduled/expression", json!("0 25 * * *")),
            Some("spec.scheduled.expression schedule.out_of_range"),
        ),
        (
            with("/spec/scheduled/time_zone", json!("Mars/Base")),
            Some("spec.scheduled.time_zone schedule.unknown_time_zone"),
        ),
        (
            with("/spec/run_as", json!("root")),
            Some("spec.run_as job.run_as_refused"),
        ),
        (
            with("/spec/processes", json!(0)),
            Some("spec.processes job.out_of_range"),
        ),
        (
            with("/spec/target", json!({ "agent_ids": [foreign] })),
            Some("spec.target.agent_ids job.agent_not_in_group"),
        ),
        (
            with(
                "/spec/secrets",
                json!([{ "name": "none", "as": { "env": "A" } }]),
            ),
            Some("spec.secrets[0].name job.secret_unknown"),
        ),
        (
            with("/spec/command", json!({})),
            Some("spec.command job.command_empty"),
        ),
        (with("/group", json!("nowhere")), Some("group not_found")),
        (with("/group", json!("theirs")), Some("group not_found")),
        (with("/id", other), Some("id job.id_taken")),
        (job("good"), Some("spec.name definitions.twice")),
        (daemon, Some("group not_found")),
    ];
    let jobs: Vec<Value> = cases.iter().map(|(job, _)| job.clone()).collect();
    let expected: Vec<String> = cases
        .iter()
        .enumerate()
        .filter_map(|(index, (_, problem))| Some(format!("jobs[{index}].{}", (*problem)?)))
        .collect();
    let (status, refused) = plan(&world, EDITOR, &set(&jobs)).await;
    assert_eq!(
        (status, code(&refused)),
        (422, "definitions.refused"),
        "{refused}"
    );
    assert_eq!(problems(&refused), expected);
    let error = &refused["error"];
    assert_eq!(
        error["message"],
        "12 problems in the definitions; nothing was changed"
    );
    let first = &error["problems"][0];
    assert_eq!(
        (&first["column"], &error["field"]),
        (&json!(3), &first["field"])
    );
    assert_eq!(error["problems"][10]["also"], "jobs[0].spec.name");
    let (status, refused) = apply(&world, EDITOR, &set(&jobs), &json!("x")).await;
    assert_eq!((status, problems(&refused)), (422, expected));

    // Many good ones do not outweigh a bad one, and of very many bad ones the first are told.
    let mut many: Vec<Value> = (0..300)
        .map(|number| job(&format!("many {number}")))
        .collect();
    many[170] = with("/spec/run_as", json!("root"));
    let (status, refused) = plan(&world, EDITOR, &set(&many)).await;
    assert_eq!(
        (status, problems(&refused)),
        (
            422,
            vec!["jobs[170].spec.run_as job.run_as_refused".to_owned()]
        )
    );
    for job in &mut many {
        job["spec"]["umask"] = json!("9");
    }
    let (_, refused) = plan(&world, EDITOR, &set(&many)).await;
    assert_eq!(problems(&refused).len(), 100);
    assert!(
        refused["error"]["message"]
            .as_str()
            .unwrap()
            .starts_with("300 problems")
    );
    assert_eq!(names(&world).await, before);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_and_ids_must_be_clear() {
    let world = World::start().await;
    let ours = listed(&world, EDITOR, "").await;
    let (mut a, mut b) = (ours[0].clone(), ours[1].clone());
    let name = |job: &Value| job["spec"]["name"].clone();

    // Two jobs can change names with each other, but none can take that of a third.
    let (name_a, name_b) = (name(&a), name(&b));
    a["spec"]["name"] = name_b.clone();
    let (_, refused) = plan(&world, EDITOR, &set(&[a.clone()])).await;
    assert_eq!(problems(&refused), ["jobs[0].spec.name job.name_taken"]);
    b["spec"]["name"] = name_a;
    let swapped = applied(&world, EDITOR, &set(&[a.clone(), b.clone()])).await;
    assert_eq!(actions(&swapped).len(), 2);
    assert_eq!(
        listed(&world, EDITOR, "")
            .await
            .iter()
            .map(name)
            .collect::<Vec<_>>(),
        [name(&a), name(&b)]
    );

    // The same job by id and by name.
    let mut by_name = a.clone();
    by_name.as_object_mut().unwrap().remove("id");
    a["spec"]["name"] = json!("another");
    let (_, refused) = plan(&world, EDITOR, &set(&[by_name, a.clone()])).await;
    assert_eq!(problems(&refused), ["jobs[1].id definitions.twice"]);
    assert_eq!(refused["error"]["problems"][0]["also"], "jobs[0].spec.name");
    let mut twin = a.clone();
    twin["spec"]["name"] = json!("twin");
    let (_, refused) = plan(&world, EDITOR, &set(&[a.clone(), twin])).await;
    assert_eq!(problems(&refused), ["jobs[1].id definitions.twice"]);

    // Jobs stay in their groups.
    a["group"] = json!("theirs");
    let (_, refused) = plan(&world, Who::Admin, &set(&[a])).await;
    assert_eq!(problems(&refused), ["jobs[0].group job.other_group"]);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_change_needs_its_role() {
    let world = World::start().await;
    let ours = listed(&world, EDITOR, "").await;
    let unchanged = set(&ours);
    let mut paused = ours.clone();
    paused[0]["paused"] = json!(true);
    let mut saved = ours.clone();
    saved[0]["spec"]["description"] = json!("x");
    let mut pruned = set(&ours[..1]);
    pruned["prune"] = json!(true);
    let cases = [
        (unchanged, Role::Operator, "jobs[0].group"),
        (set(&paused), Role::Operator, "jobs[0].group"),
        (set(&saved), Role::Editor, "jobs[0].group"),
        (set(&[job("new")]), Role::Editor, "jobs[0].group"),
        (pruned, Role::Owner, "prune"),
    ];
    for (set, least, field) in &cases {
        for role in Role::ALL {
            let (status, body) = plan(&world, Who::Member(role), set).await;
            if role >= *least {
                assert_eq!(status, 200, "{role:?} {body}");
                continue;
            }
            assert_eq!(
                (status, code(&body)),
                (403, "auth.forbidden"),
                "{role:?} {body}"
            );
            let first = if role == Role::Viewer {
                "jobs[0].group"
            } else {
                field
            };
            assert_eq!(
                problems(&body)[0],
                format!("{first} auth.forbidden"),
                "{role:?}"
            );
            let (status, _) = apply(&world, Who::Member(role), set, &json!("")).await;
            assert_eq!(status, 403);
        }
        assert_eq!(plan(&world, Who::Anonymous, set).await.0, 401);
        let (status, body) = plan(&world, Who::Outsider, set).await;
        assert_eq!((status, code(&body)), (404, "not_found"));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_prune_deletes_and_only_in_groups_that_are_named() {
    let world = World::start().await;
    let ours = listed(&world, OWNER, "").await;
    let names_before = names(&world).await;
    let mut request = set(&ours[..1]);
    let nothing = applied(&world, OWNER, &request).await;
    assert_eq!(actions(&nothing).len(), 0);
    request["prune"] = json!(true);
    let pruned = applied(&world, OWNER, &request).await;
    let gone = ours[1]["spec"]["name"].as_str().unwrap();
    assert_eq!(actions(&pruned), [format!("delete {gone}")]);
    assert_eq!(pruned["changes"][0]["id"], ours[1]["id"]);
    let mut left = names_before;
    left.retain(|name| name != gone);
    assert_eq!(names(&world).await, left, "the other group was not named");

    // The name of a job that goes is free in the same set.
    let mut heir = job(ours[0]["spec"]["name"].as_str().unwrap());
    heir["id"] = json!(Uuid::from_u128(77));
    let mut request = set(&[heir]);
    let (_, refused) = plan(&world, OWNER, &request).await;
    assert_eq!(problems(&refused), ["jobs[0].spec.name job.name_taken"]);
    request["prune"] = json!(true);
    assert_eq!(
        applied(&world, OWNER, &request).await["changes"]
            .as_array()
            .unwrap()
            .len(),
        2
    );

    let request = json!({ "cronfleet": 1, "jobs": [], "groups": ["theirs"], "prune": true });
    assert_eq!(plan(&world, OWNER, &request).await.0, 404);
    assert_eq!(
        actions(&applied(&world, Who::Admin, &request).await).len(),
        2
    );
    assert_eq!(names(&world).await.len(), 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_that_others_overtook_is_not_applied() {
    let world = World::start().await;
    let ours = listed(&world, OWNER, "").await;
    let mut wanted = ours.clone();
    wanted[0]["spec"]["description"] = json!("new");
    wanted[1].as_object_mut().unwrap().remove("paused");
    let request = set(&wanted);
    let path = |job: &Value| format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let other = path(&ours[1]);
    // Saved, paused, deleted: always the job that the plan leaves alone.
    for step in ["save", "pause", "delete"] {
        let (_, planned) = plan(&world, OWNER, &request).await;
        assert_eq!(
            (actions(&planned).len(), &planned["unchanged"]),
            (1, &json!(1)),
            "{step}: {planned}"
        );
        let (status, body) = match step {
            "save" => {
                let put = world.request_by(OWNER, Method::PUT, &other).await;
                let spec = json!({ "spec": ours[1]["spec"] });
                answer(put.header("if-match", "\"1\"").json(&spec)).await
            }
            "pause" => {
                let pause = format!("{other}/pause");
                world.send(OWNER, Method::POST, &pause, &json!({})).await
            }
            _ => {
                world
                    .send(OWNER, Method::DELETE, &other, &Value::Null)
                    .await
            }
        };
        assert!(status < 300, "{step}: {body}");
        let (status, stale) = apply(&world, OWNER, &request, &planned["digest"]).await;
        let expected = match step {
            "delete" => (422, "definitions.refused"),
            _ => (412, "definitions.plan_stale"),
        };
        assert_eq!((status, code(&stale)), expected, "{step}: {stale}");
    }
    let (_, job) = world.get(OWNER, &path(&ours[0])).await;
    assert_eq!(job["version"], 1);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_form_of_a_set_is_checked_and_thousands_fit_into_one() {
    let world = World::start().await;
    let (status, body) = plan(&world, EDITOR, &json!({ "cronfleet": 2, "jobs": [] })).await;
    assert_eq!((status, code(&body)), (422, "definitions.version"));
    let (status, body) = plan(
        &world,
        EDITOR,
        &json!({ "cronfleet": 1, "jobs": [{ "group": "ours", "spec": {}, "x": 1 }] }),
    )
    .await;
    assert_eq!((status, code(&body)), (400, "request.malformed"));
    assert!(
        body["error"]["field"]
            .as_str()
            .unwrap()
            .starts_with("jobs[0]")
    );

    let mut jobs: Vec<Value> = (0..2_000)
        .map(|number| job(&format!("many {number:04}")))
        .collect();
    for job in &mut jobs {
        job["spec"]["description"] = json!("x".repeat(1_000));
    }
    let request = set(&jobs);
    assert!(
        request.to_string().len() > 2 << 20,
        "more than other requests may have"
    );
    let done = applied(&world, EDITOR, &request).await;
    assert_eq!(done["changes"].as_array().unwrap().len(), 2_000);
    assert_eq!(names(&world).await.len(), 100, "one page");
    let (_, planned) = plan(&world, EDITOR, &request).await;
    assert_eq!(
        (actions(&planned).len(), &planned["unchanged"]),
        (0, &json!(2_000))
    );
    let single =
        json!({ "group_id": world.ours.group.as_uuid(), "spec": { "name": "x".repeat(2 << 20) } });
    let (status, body) = world
        .send(EDITOR, Method::POST, "/api/v1/jobs", &single)
        .await;
    assert_eq!((status, code(&body)), (413, "request.too_large"));
    world.stop().await;
}
