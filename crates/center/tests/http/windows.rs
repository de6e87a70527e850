//! Windows and snooze over HTTP: what is made reads back, what is wrong is named, and what they mean for a job shows.

use cronfleet_core::access::Role;
use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, answer, code};

const EDITOR: Who = Who::Member(Role::Editor);
const OPERATOR: Who = Who::Member(Role::Operator);

/// A whole second so many seconds from now.
fn later(seconds: i64) -> Timestamp {
    Timestamp::from_second(crate::world::later(seconds).as_second()).unwrap()
}

async fn create(world: &World, who: Who, request: &Value) -> (u16, Value) {
    world
        .send(who, Method::POST, "/api/v1/windows", request)
        .await
}

fn path(window: &Value) -> String {
    format!("/api/v1/windows/{}", window["id"].as_str().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_reads_back_is_changed_and_ended() {
    let world = World::start().await;
    let group = world.ours.group.as_uuid();
    let recurring =
        json!({ "expression": "0 22 * * 6", "time_zone": "Europe/Berlin", "lasts_ms": 28_800_000 });
    let request = json!({ "group_id": group, "reason": " backups ", "recurring": recurring });
    let (status, made) = create(&world, EDITOR, &request).await;
    assert_eq!(status, 201, "{made}");
    assert_eq!(
        (&made["reason"], &made["version"], &made["recurring"]),
        (&json!("backups"), &json!(1), &recurring)
    );
    assert_eq!(made["group_id"], json!(group));
    assert!(made["sentence_en"].as_str().unwrap().contains("22:00"));
    assert_eq!(made["my_role"], "editor");

    let change = json!({ "reason": "now", "once": { "until": later(3_600) } });
    let replace = |version: &'static str| {
        let (world, change, path) = (&world, &change, path(&made));
        async move {
            let request = world.request_by(EDITOR, Method::PUT, &path).await;
            answer(request.header("if-match", version).json(change)).await
        }
    };
    let (status, stale) = replace("\"7\"").await;
    assert_eq!((status, code(&stale)), (409, "window.changed"));
    let (status, changed) = replace("\"1\"").await;
    assert_eq!(status, 200, "{changed}");
    assert_eq!(
        (&changed["state"], &changed["version"]),
        (&json!("holding"), &json!(2))
    );
    assert_eq!(changed["holds_until"], changed["once"]["until"]);
    let (_, listed) = world.get(EDITOR, "/api/v1/windows").await;
    assert_eq!(listed["items"], json!([changed]));

    let ended = world.request_by(EDITOR, Method::DELETE, &path(&made)).await;
    assert_eq!(ended.send().await.unwrap().status(), 204);
    let (_, listed) = world.get(EDITOR, "/api/v1/windows").await;
    assert_eq!(listed["items"], json!([]));
    let (_, listed) = world.get(EDITOR, "/api/v1/windows?over=true").await;
    assert_eq!(listed["items"][0]["state"], "over");
    assert_eq!(replace("\"2\"").await.0, 409, "it was ended");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn windows_of_the_fleet_are_for_administrators_and_seen_by_all() {
    let world = World::start().await;
    let of_fleet = json!({ "reason": "year end", "once": { "until": later(3_600) } });
    let owner = Who::Member(Role::Owner);
    let (status, refused) = create(&world, owner, &of_fleet).await;
    assert_eq!((status, code(&refused)), (403, "auth.forbidden"));
    let (status, made) = create(&world, Who::Admin, &of_fleet).await;
    assert_eq!(status, 201, "{made}");
    assert!(made.get("group_id").is_none() && made.get("my_role").is_none());
    let (_, seen) = world.get(Who::Member(Role::Viewer), &path(&made)).await;
    assert_eq!(seen["reason"], "year end");
    let refused = world.request_by(owner, Method::DELETE, &path(&made)).await;
    assert_eq!(refused.send().await.unwrap().status(), 403);

    let theirs = json!({
        "group_id": world.theirs.group.as_uuid(), "reason": "x", "once": { "until": later(60) },
    });
    let (_, made) = create(&world, Who::Admin, &theirs).await;
    assert_eq!(world.get(owner, &path(&made)).await.0, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_window_is_named() {
    let world = World::start().await;
    let (group, job) = (world.ours.group.as_uuid(), world.ours.job.as_uuid());
    let until = json!({ "until": later(60) });
    let recurring =
        |expression: &str, lasts_ms: u64| json!({ "expression": expression, "lasts_ms": lasts_ms });
    let cases = [
        (
            json!({ "job_id": job, "reason": "x", "once": until }),
            "job_id",
        ),
        (json!({ "reason": " \t ", "once": until }), "reason"),
        (
            json!({ "reason": "x".repeat(201), "once": until }),
            "reason",
        ),
        (json!({ "reason": "x" }), "once"),
        (
            json!({ "reason": "x", "once": until, "recurring": recurring("@daily", 60_000) }),
            "once",
        ),
        (
            json!({ "reason": "x", "once": { "until": later(-60) } }),
            "once.until",
        ),
        (
            json!({ "reason": "x", "once": { "from": later(60), "until": later(60) } }),
            "once.until",
        ),
        (
            json!({ "reason": "x", "recurring": recurring("60 * * * *", 60_000) }),
            "recurring.expression",
        ),
        (
            json!({ "reason": "x", "recurring": recurring("@reboot", 60_000) }),
            "recurring.expression",
        ),
        (
            json!({ "reason": "x", "recurring": { "expression": "@daily", "time_zone": "Mars", "lasts_ms": 60_000 } }),
            "recurring.time_zone",
        ),
        (
            json!({ "reason": "x", "recurring": recurring("@daily", 59_999) }),
            "recurring.lasts_ms",
        ),
    ];
    for (mut request, field) in cases {
        request["group_id"] = json!(group);
        let (status, refused) = create(&world, EDITOR, &request).await;
        assert_eq!(status, 422, "{request}: {refused}");
        assert_eq!(refused["error"]["field"], field, "{request}");
        assert!(!refused["error"]["hint"].as_str().unwrap().is_empty());
    }
    let daemon = world.ours.daemon.as_uuid();
    let request = json!({ "job_id": daemon, "reason": "x", "once": until });
    let (status, refused) = create(&world, EDITOR, &request).await;
    assert_eq!((status, code(&refused)), (409, "job.is_daemon"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_window_shows_at_its_jobs_and_refuses_to_run_them() {
    let world = World::start().await;
    let job = world
        .add_job(
            world.ours.group,
            json!({ "scheduled": { "expression": "* * * * *", "time_zone": "UTC" } }),
        )
        .await;
    let until = later(3_600);
    let request = json!({
        "job_id": job.as_uuid(), "reason": "database upgrade", "once": { "until": until },
    });
    let (status, window) = create(&world, EDITOR, &request).await;
    assert_eq!(status, 201, "{window}");

    let (_, shown) = world.get(OPERATOR, &format!("/api/v1/jobs/{job}")).await;
    assert_eq!(
        shown["frozen"],
        json!({ "window_id": window["id"], "reason": "database upgrade", "until": until })
    );
    let next: Timestamp = shown["next_due"].as_str().unwrap().parse().unwrap();
    assert!(next >= until, "{shown}");

    let preview = json!({ "expression": "* * * * *", "time_zone": "UTC", "job_id": job.as_uuid(), "count": 100 });
    let preview_path = "/api/v1/schedules/preview";
    let (_, seen) = world
        .send(OPERATOR, Method::POST, preview_path, &preview)
        .await;
    for next in seen["next"].as_array().unwrap() {
        let due: Timestamp = next["due"].as_str().unwrap().parse().unwrap();
        let expected = json!({ "reason": "frozen", "window": "database upgrade" });
        let skipped = next.get("skipped");
        assert_eq!(skipped, (due < until).then_some(&expected), "{next}");
    }

    let run = format!("/api/v1/jobs/{job}/run");
    let (status, refused) = world.send(OPERATOR, Method::POST, &run, &json!({})).await;
    assert_eq!((status, code(&refused)), (409, "job.frozen"));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("database upgrade"), "{message}");
    let all_the_same = json!({ "ignore_windows": true });
    let (status, ran) = world
        .send(OPERATOR, Method::POST, &run, &all_the_same)
        .await;
    assert_eq!(status, 202, "{ran}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snooze_shows_who_asked_and_until_when_and_is_ended() {
    let world = World::start().await;
    let job = world.ours.job;
    let snooze = format!("/api/v1/jobs/{job}/snooze");
    let until = later(7_200);
    let put = |until: Value| {
        let (world, snooze) = (&world, &snooze);
        async move {
            let request = json!({ "until": until });
            world.send(OPERATOR, Method::PUT, snooze, &request).await
        }
    };
    for wrong in [later(-1), later(400 * 86_400)] {
        let (status, refused) = put(json!(wrong)).await;
        assert_eq!((status, code(&refused)), (422, "job.snooze_until"));
        assert_eq!(refused["error"]["field"], "until");
    }
    let (status, snoozed) = put(json!(until)).await;
    assert_eq!(status, 200, "{snoozed}");
    assert_eq!(snoozed["snooze"]["until"], json!(until));
    assert!(
        snoozed["snooze"]["by"]
            .as_str()
            .unwrap()
            .contains("operator")
    );
    assert!(snoozed.get("frozen").is_none());
    let run = format!("/api/v1/jobs/{job}/run");
    let (status, _) = world.send(OPERATOR, Method::POST, &run, &json!({})).await;
    assert_eq!(status, 202, "a snooze is the job's own rest");
    let awake = world.request_by(OPERATOR, Method::DELETE, &snooze).await;
    let (status, awake) = answer(awake).await;
    assert_eq!(status, 200, "{awake}");
    assert!(awake.get("snooze").is_none());

    let daemon = format!("/api/v1/jobs/{}/snooze", world.ours.daemon);
    let request = json!({ "until": until });
    let (status, refused) = world.send(OPERATOR, Method::PUT, &daemon, &request).await;
    assert_eq!((status, code(&refused)), (409, "job.is_daemon"));
    world.stop().await;
}
