//! Forecasts: of everything that the caller may see and of nothing else, and of a change before it is saved.

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, code, definition};

const VIEWER: Who = Who::Member(Role::Viewer);
const EDITOR: Who = Who::Member(Role::Editor);
const CHANGE: &str = "/api/v1/forecast/change";
/// A Monday, far ahead.
const FROM: &str = "2090-01-02T10:07:00Z";

async fn forecast(world: &World, who: Who, query: &str) -> Value {
    let path = format!("/api/v1/forecast?from={FROM}{query}");
    let (status, answer) = world.get(who, &path).await;
    assert_eq!(status, 200, "{answer}");
    answer
}

async fn change(world: &World, who: Who, body: &Value) -> (u16, Value) {
    let mut body = body.clone();
    body["from"] = json!(FROM);
    world.send(who, Method::POST, CHANGE, &body).await
}

fn at(expression: &str) -> Value {
    json!({ "scheduled": { "expression": expression, "time_zone": "UTC" } })
}

fn names<'a>(list: &'a Value, key: &str) -> Vec<&'a str> {
    let list = list.as_array().unwrap().iter();
    list.map(|one| one[key].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forecast_is_about_what_the_caller_may_see() {
    let world = World::start().await;
    let (ours, theirs) = (world.ours, world.theirs);
    // Both sides have a job of midnight already.
    world.add_job(ours.group, at("0 2 * * *")).await;
    world.add_job(theirs.group, at("0 2 * * *")).await;
    let mine = forecast(&world, VIEWER, "").await;
    assert_eq!(
        (&mine["is_everything"], &mine["total"]["starts"]),
        (&json!(false), &json!(2))
    );
    assert_eq!(names(&mine["groups"], "group_name"), ["ours"]);
    assert_eq!(
        (&mine["agent_count"], &mine["job_count"]),
        (&json!(1), &json!(2))
    );
    assert_eq!(mine["agents"][0]["agent_id"], json!(ours.agent.as_uuid()));
    let all = forecast(&world, Who::Admin, "").await;
    assert_eq!(
        (&all["is_everything"], &all["total"]["starts"]),
        (&json!(true), &json!(4))
    );
    let peak = &all["total"]["peak"];
    assert_eq!(
        (&peak["count"], &peak["at"]),
        (&json!(2), &json!("2090-01-03T00:00:00Z")),
        "the first of two"
    );
    assert_eq!(all["total"]["peak_job_count"], json!(2));
    assert_eq!(all["agents"][0]["load"]["peak"]["count"], json!(1));
    let outsider = forecast(&world, Who::Outsider, "").await;
    assert_eq!(
        (&outsider["total"]["starts"], &outsider["agent_count"]),
        (&json!(0), &json!(0))
    );
    assert!(outsider["total"].get("peak").is_none());

    // Of one group, of one agent; what is not mine is not there.
    let group = |id: uuid::Uuid| format!("&group={id}");
    let agent = |id: uuid::Uuid| format!("&agent={id}");
    let theirs_only = forecast(&world, Who::Admin, &group(theirs.group.as_uuid())).await;
    assert_eq!(names(&theirs_only["groups"], "group_name"), ["theirs"]);
    let on_mine = forecast(&world, VIEWER, &agent(ours.agent.as_uuid())).await;
    assert_eq!(on_mine["total"]["starts"], json!(2));
    for query in [group(theirs.group.as_uuid()), agent(theirs.agent.as_uuid())] {
        let path = format!("/api/v1/forecast?hours=24{query}");
        let (status, answer) = world.get(VIEWER, &path).await;
        assert_eq!((status, code(&answer)), (404, "not_found"));
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forecast_has_buckets_of_a_day_or_a_week() {
    let world = World::start().await;
    world.add_job(world.ours.group, at("*/30 * * * *")).await;
    let day = forecast(&world, VIEWER, "&hours=24").await;
    assert_eq!(
        [&day["from"], &day["until"], &day["first_bucket"]],
        [
            &json!(FROM),
            &json!("2090-01-03T10:07:00Z"),
            &json!("2090-01-02T10:00:00Z")
        ]
    );
    let buckets = |answer: &Value| -> Vec<u64> {
        let buckets = answer["total"]["starts_per_bucket"].as_array().unwrap();
        buckets.iter().map(|one| one.as_u64().unwrap()).collect()
    };
    assert_eq!(day["bucket_seconds"], json!(900));
    assert_eq!(buckets(&day).len(), 97);
    assert_eq!(buckets(&day)[..5], [0, 0, 1, 0, 1]);
    let week = forecast(&world, VIEWER, "&hours=168").await;
    assert_eq!(week["bucket_seconds"], json!(3_600));
    assert_eq!(buckets(&week).len(), 169);
    assert_eq!(buckets(&week)[..2], [1, 2]);
    assert_eq!(
        buckets(&week).iter().sum::<u64>(),
        week["total"]["starts"].as_u64().unwrap()
    );
    let (status, refused) = world.get(VIEWER, "/api/v1/forecast?hours=25").await;
    assert_eq!((status, code(&refused)), (400, "request.parameter"));
    assert_eq!(
        [&refused["error"]["field"], &refused["error"]["hint"]],
        [&json!("hours"), &json!("use 24 or 168")]
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_of_one_time_are_named_with_what_would_spread_them() {
    let world = World::start().await;
    for _ in 0..7 {
        world.add_job(world.ours.group, at("0 2 * * *")).await;
    }
    let paused = world.add_job(world.ours.group, at("0 2 * * *")).await;
    let path = format!("/api/v1/jobs/{paused}/pause");
    let (status, _) = world.send(EDITOR, Method::POST, &path, &json!({})).await;
    assert_eq!(status, 200);
    let answer = forecast(&world, VIEWER, "").await;
    let told = &answer["suggestions"][0];
    assert_eq!(
        [&told["expression"], &told["suggested"], &told["job_count"]],
        [&json!("0 2 * * *"), &json!("H 2 * * *"), &json!(7)]
    );
    assert_eq!(told["peak_before"], json!(7));
    assert!(told["peak_after"].as_u64().unwrap() < 7);
    assert!(names(&told["jobs"], "job_name")[0].starts_with("job "));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_is_told_before_it_is_saved() {
    let world = World::start().await;
    let ours = world.ours;
    for _ in 0..3 {
        world.add_job(ours.group, at("0 2 * * *")).await;
    }
    let mut spec = definition("one more");
    spec["scheduled"] = json!({ "expression": "0 2 * * *", "time_zone": "UTC" });
    spec["processes"] = json!(2);
    let new = json!({ "group_id": ours.group.as_uuid(), "spec": spec });
    let (status, told) = change(&world, EDITOR, &new).await;
    assert_eq!(status, 200, "{told}");
    let agent = &told["agents"][0];
    assert_eq!(agent["agent_id"], json!(ours.agent.as_uuid()));
    assert_eq!(
        [&agent["before"]["count"], &agent["after"]["count"]],
        [&json!(3), &json!(5)]
    );
    assert_eq!(agent["after"]["at"], json!("2090-01-03T02:00:00Z"));
    let added: i64 = told["added_per_bucket"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_i64().unwrap())
        .sum();
    assert_eq!((added, &told["starts_after"]), (2, &json!(2)));
    assert!(told.get("durations").is_none() && told.get("overlap").is_none());
    let (_, jobs) = world.get(EDITOR, "/api/v1/jobs?q=one+more").await;
    assert_eq!(jobs["items"], json!([]), "nothing was saved");

    // Another definition of a job that is there takes its place.
    let job = world.add_job(ours.group, at("0 2 * * *")).await;
    spec["scheduled"]["expression"] = json!("30 4 * * *");
    let edit = json!({ "job_id": job.as_uuid(), "spec": spec });
    let (_, moved) = change(&world, EDITOR, &edit).await;
    let agent = &moved["agents"][0];
    assert_eq!(
        [&agent["before"]["count"], &agent["after"]["count"]],
        [&json!(4), &json!(3)]
    );
    assert_eq!(
        [&moved["starts_before"], &moved["starts_after"]],
        [&json!(1), &json!(2)]
    );

    // Others' jobs on the same agent count for whoever may see them.
    world
        .store
        .update_agent(
            ours.agent,
            &cronfleet_store::AgentUpdate {
                groups: Some(vec![ours.group, world.theirs.group]),
                ..cronfleet_store::AgentUpdate::default()
            },
            crate::world::now(),
        )
        .await
        .unwrap();
    world.add_job(world.theirs.group, at("30 4 * * *")).await;
    for (who, is_everything, after) in [(EDITOR, false, 3), (Who::Admin, true, 3)] {
        let (_, told) = change(&world, who, &edit).await;
        assert_eq!(told["is_everything"], json!(is_everything));
        assert_eq!(told["agents"][0]["after"]["count"], json!(after));
    }
    let (_, mine) = change(&world, EDITOR, &new).await;
    world.add_job(world.theirs.group, at("0 2 * * *")).await;
    let (_, still) = change(&world, EDITOR, &new).await;
    let (_, all) = change(&world, Who::Admin, &new).await;
    let after = |told: &Value| told["agents"][0]["after"]["count"].as_u64().unwrap();
    assert_eq!((after(&mine), after(&still), after(&all)), (6, 6, 7));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_that_could_not_be_saved_is_refused_with_the_place() {
    let world = World::start().await;
    let group = world.ours.group.as_uuid();
    let with = |change: &dyn Fn(&mut Value)| {
        let mut body = json!({ "group_id": group, "spec": definition("x") });
        change(&mut body);
        body
    };
    let cases = [
        (
            with(&|body| body["spec"]["scheduled"]["expression"] = json!("60 * * * *")),
            "spec.scheduled.expression",
            "schedule.out_of_range",
        ),
        (
            with(&|body| body["spec"]["run_as"] = json!("nobody")),
            "spec.run_as",
            "job.run_as_refused",
        ),
        (
            with(&|body| body["hours"] = json!(48)),
            "hours",
            "forecast.hours",
        ),
        (
            with(&|body| drop(body.as_object_mut().unwrap().remove("group_id"))),
            "group_id",
            "forecast.no_group",
        ),
        (
            with(&|body| {
                body["job_id"] = json!(world.ours.job.as_uuid());
                body["group_id"] = json!(world.theirs.group.as_uuid());
            }),
            "group_id",
            "forecast.other_group",
        ),
    ];
    for (body, field, expected) in cases {
        let (status, refused) = change(&world, EDITOR, &body).await;
        assert_eq!((status, code(&refused)), (422, expected), "{refused}");
        assert_eq!(refused["error"]["field"], json!(field));
        assert!(refused["error"]["hint"].is_string());
    }
    let theirs = json!({ "job_id": world.theirs.job.as_uuid(), "spec": definition("x") });
    assert_eq!(change(&world, EDITOR, &theirs).await.0, 404);
    let mut daemon = definition("d");
    daemon.as_object_mut().unwrap().remove("scheduled");
    daemon["daemon"] = json!({});
    let daemon = json!({ "group_id": group, "spec": daemon });
    let (status, nothing) = change(&world, EDITOR, &daemon).await;
    assert_eq!((status, &nothing["starts_after"]), (200, &json!(0)));
    assert_eq!(nothing["agents"], json!([]));
    world.stop().await;
}
