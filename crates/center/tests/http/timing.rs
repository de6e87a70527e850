//! When jobs are due: what is saved reads back, what is wrong is named, and what a change of it makes of the next due instant.

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, answer, code, definition};

const EDITOR: Who = Who::Member(Role::Editor);

fn scheduled(timing: Value) -> Value {
    let mut spec = definition("timed");
    spec["scheduled"] = timing;
    spec
}

async fn create(world: &World, timing: Value) -> (u16, Value) {
    let request = json!({ "group_id": world.ours.group.as_uuid(), "spec": scheduled(timing) });
    world
        .send(EDITOR, Method::POST, "/api/v1/jobs", &request)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_says_when_a_job_is_due_reads_back_and_is_followed() {
    let world = World::start().await;
    let timing = json!({
        "expression": "30 2 * * *",
        "time_zone": "America/New_York",
        "dst": { "gap": "skip", "overlap": "both" },
        "active_from": "2090-03-11T00:00:00Z",
        "active_until": "2090-06-01T00:00:00Z",
        "calendar": { "name": "weekdays", "mode": "shift_next" },
        "jitter_ms": 30_000,
    });
    let (status, job) = create(&world, timing.clone()).await;
    assert_eq!(status, 201, "{job}");
    for (field, value) in timing.as_object().unwrap() {
        assert_eq!(&job["spec"]["scheduled"][field], value, "{field}");
    }
    // 2090-03-11 is a Saturday, and clocks go forward on the Sunday after it.
    assert_eq!(job["next_due"], "2090-03-13T06:30:00Z");

    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let mut later = timing;
    later["active_from"] = json!("2090-03-14T00:00:00Z");
    let request = world
        .request_by(EDITOR, Method::PUT, &path)
        .await
        .header("if-match", "\"1\"")
        .json(&json!({ "spec": scheduled(later) }));
    let (status, job) = answer(request).await;
    assert_eq!((status, &job["version"]), (200, &json!(2)), "{job}");
    assert_eq!(job["next_due"], "2090-03-14T06:30:00Z");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_it_is_named() {
    let world = World::start().await;
    let daily = |field: &str, value: Value| {
        let mut timing = json!({ "expression": "@daily" });
        timing[field] = value;
        timing
    };
    let overlap = |overlap: &str, queue_max: Value| json!({ "expression": "@daily", "overlap": overlap, "queue_max": queue_max });
    let calendar = |expression: &str, name: &str, mode: &str| json!({ "expression": expression, "calendar": { "name": name, "mode": mode } });
    let cases = [
        (
            json!({
                "expression": "@daily",
                "active_from": "2090-01-02T00:00:00Z",
                "active_until": "2090-01-02T00:00:00Z",
            }),
            "spec.scheduled.active_until",
            "job.active_span",
        ),
        (
            daily("active_until", json!("2020-01-01T00:00:00Z")),
            "spec.scheduled.active_until",
            "schedule.never",
        ),
        (
            overlap("queue", json!(101)),
            "spec.scheduled.queue_max",
            "job.out_of_range",
        ),
        (
            overlap("replace", json!(1)),
            "spec.scheduled.queue_max",
            "job.queue_max_needless",
        ),
        (
            json!({ "expression": "@daily", "overlap": "replace", "catch_up": { "policy": "all" } }),
            "spec.scheduled.catch_up.policy",
            "job.catch_up_replace",
        ),
        (
            calendar("@daily", "cn", "include"),
            "spec.scheduled.calendar.name",
            "job.calendar_unknown",
        ),
        (
            calendar("*/10 * * * *", "cn-workdays", "shift_next"),
            "spec.scheduled.calendar.mode",
            "job.calendar_shift",
        ),
        (
            calendar("@reboot", "weekdays", "include"),
            "spec.scheduled.calendar",
            "job.calendar_reboot",
        ),
        (
            daily("jitter_ms", json!(3_600_001)),
            "spec.scheduled.jitter_ms",
            "job.out_of_range",
        ),
        (
            json!({ "expression": "@reboot", "jitter_ms": 1 }),
            "spec.scheduled.jitter_ms",
            "job.jitter_reboot",
        ),
        (
            calendar("0 9 * * SAT,SUN", "weekdays", "include"),
            "spec.scheduled.calendar",
            "schedule.never",
        ),
    ];
    for (timing, field, expected) in cases {
        let (status, body) = create(&world, timing.clone()).await;
        assert_eq!((status, code(&body)), (422, expected), "{timing}: {body}");
        assert_eq!(body["error"]["field"], field, "{timing}");
        assert!(body["error"]["hint"].is_string(), "{body}");
    }
    for unknown in [
        daily("dst", json!({ "gap": "later" })),
        daily("calendar", json!({ "name": "weekdays", "mode": "swap" })),
        daily("active_from", json!("tomorrow")),
    ] {
        let (status, body) = create(&world, unknown.clone()).await;
        assert!((400..500).contains(&status), "{unknown}: {body}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_tells_of_days_that_the_calendar_leaves_out() {
    let world = World::start().await;
    let timing = json!({
        "expression": "0 9 * * *",
        "time_zone": "UTC",
        "calendar": { "name": "weekdays", "mode": "include" },
    });
    let (_, job) = create(&world, timing).await;
    // The 7th and 8th of January 2090 are a weekend.
    let path = format!(
        "/api/v1/jobs/{}/why?from=2090-01-07T00:00:00Z&to=2090-01-10T00:00:00Z",
        job["id"].as_str().unwrap()
    );
    let (status, why) = world.get(EDITOR, &path).await;
    assert_eq!(status, 200, "{why}");
    let answers: Vec<(&str, &str, u64)> = why["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|item| {
            (
                item["answer"].as_str().unwrap(),
                item["due_from"].as_str().unwrap(),
                item["count"].as_u64().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        answers,
        [
            ("calendar", "2090-01-07T09:00:00Z", 2),
            ("not_planned", "2090-01-09T09:00:00Z", 1),
        ]
    );
    world.stop().await;
}
