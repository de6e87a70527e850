//! Calendars over HTTP: what is made reads back, what is wrong is named, and jobs, previews, definitions and forecasts follow them.

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, answer, code, definition};

const EDITOR: Who = Who::Member(Role::Editor);
const OWNER: Who = Who::Member(Role::Owner);
const CALENDARS: &str = "/api/v1/calendars";

async fn create(world: &World, who: Who, group: bool, spec: Value) -> (u16, Value) {
    let group = group.then(|| world.ours.group.as_uuid());
    let request = json!({ "group_id": group, "spec": spec });
    world.send(who, Method::POST, CALENDARS, &request).await
}

async fn made(world: &World, spec: Value) -> Value {
    let (status, made) = create(world, EDITOR, true, spec).await;
    assert_eq!(status, 201, "{made}");
    made
}

fn path(calendar: &Value) -> String {
    format!("{CALENDARS}/{}", calendar["id"].as_str().unwrap())
}

async fn replace(world: &World, path: &str, version: &str, spec: &Value) -> (u16, Value) {
    let request = world.request_by(EDITOR, Method::PUT, path).await;
    let request = request.header("if-match", version);
    answer(request.json(&json!({ "spec": spec }))).await
}

/// A daily job in UTC that follows a calendar.
fn follower(name: &str, calendar: &str) -> Value {
    let mut spec = definition(name);
    spec["scheduled"] = json!({
        "expression": "0 9 * * *", "time_zone": "UTC",
        "calendar": { "name": calendar, "mode": "include" },
    });
    spec
}

async fn save_job(world: &World, calendar: &str) -> (u16, Value) {
    let spec = follower("follower", calendar);
    let request = json!({ "group_id": world.ours.group.as_uuid(), "spec": spec });
    world
        .send(EDITOR, Method::POST, "/api/v1/jobs", &request)
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_calendar_reads_back_is_changed_and_deleted() {
    let world = World::start().await;
    let mut spec = json!({
        "name": "shop", "description": "open", "weekdays": ["MON", "SAT"],
        "days_in": ["2090-01-04"], "days_out": ["2090-01-07/2090-01-09"], "known_until": "2090-12-31",
    });
    let made = made(&world, spec.clone()).await;
    assert_eq!(made["spec"], spec);
    assert_eq!(
        (&made["version"], &made["group_name"], &made["can_edit"]),
        (&json!(1), &json!("ours"), &json!(true))
    );
    let path = path(&made);
    let viewer = Who::Member(Role::Viewer);
    let (_, seen) = world.get(viewer, &path).await;
    assert_eq!((&seen["spec"], &seen["can_edit"]), (&spec, &json!(false)));
    assert!(seen.get("job_count").is_none());

    spec["days_out"] = json!([]);
    let (status, changed) = replace(&world, &path, "\"1\"", &spec).await;
    assert_eq!((status, &changed["version"]), (200, &json!(2)), "{changed}");
    let (status, stale) = replace(&world, &path, "\"1\"", &spec).await;
    assert_eq!((status, code(&stale)), (412, "calendar.version_stale"));
    spec["name"] = json!("other");
    let (status, renamed) = replace(&world, &path, "\"2\"", &spec).await;
    assert_eq!((status, code(&renamed)), (422, "calendar.renamed"));

    let (_, listed) = world.get(viewer, CALENDARS).await;
    let names: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|head| head["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["weekdays", "cn-workdays", "shop"]);
    let (status, _) = world
        .send(EDITOR, Method::DELETE, &path, &Value::Null)
        .await;
    assert_eq!(status, 204);
    assert_eq!(world.get(EDITOR, &path).await.0, 404);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calendars_of_the_fleet_are_for_administrators_and_seen_by_all() {
    let world = World::start().await;
    let spec = json!({ "name": "company", "extends": "cn-workdays" });
    let (status, refused) = create(&world, OWNER, false, spec.clone()).await;
    assert_eq!((status, code(&refused)), (403, "auth.forbidden"));
    let (status, made) = create(&world, Who::Admin, false, spec.clone()).await;
    assert_eq!(status, 201, "{made}");
    assert!(made.get("group_id").is_none());
    let (_, seen) = world.get(Who::Member(Role::Viewer), &path(&made)).await;
    assert_eq!(
        (&seen["spec"]["name"], &seen["can_edit"]),
        (&json!("company"), &json!(false))
    );
    let (status, _) = replace(&world, &path(&made), "\"1\"", &spec).await;
    assert_eq!(status, 403);
    let (status, taken) = create(&world, EDITOR, true, spec).await;
    assert_eq!(
        (status, code(&taken)),
        (409, "calendar.name_taken"),
        "{taken}"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_wrong_with_a_calendar_is_named() {
    let world = World::start().await;
    let cases = [
        (json!({ "name": "weekdays" }), "spec.name"),
        (json!({ "name": "a b" }), "spec.name"),
        (json!({ "name": "x", "weekdays": ["MOO"] }), "spec.weekdays"),
        (json!({ "name": "x", "extends": "mars" }), "spec.extends"),
        (
            json!({ "name": "x", "extends": "weekdays", "weekdays": ["MON"] }),
            "spec.weekdays",
        ),
        (
            json!({ "name": "x", "days_in": ["2026-10-01", "2026-02-30"] }),
            "spec.days_in[1]",
        ),
        (
            json!({ "name": "x", "days_out": ["2026-10-02/2026-10-01"] }),
            "spec.days_out[0]",
        ),
        (
            json!({ "name": "x", "days_in": ["2026-10-01"], "days_out": ["2026-10-01"] }),
            "spec.days_out",
        ),
    ];
    for (spec, field) in cases {
        let (status, refused) = create(&world, EDITOR, true, spec.clone()).await;
        assert_eq!(status, 422, "{spec}: {refused}");
        assert_eq!(refused["error"]["field"], field, "{spec}");
        assert!(!refused["error"]["hint"].as_str().unwrap().is_empty());
    }
    let year = json!({ "spec": { "name": "x" }, "year": 1969 });
    let preview = format!("{CALENDARS}/preview");
    let (status, refused) = world.send(EDITOR, Method::POST, &preview, &year).await;
    assert_eq!((status, code(&refused)), (422, "calendar.year"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_draft_and_a_file_tell_their_days() {
    let world = World::start().await;
    let draft = json!({
        "year": 2026,
        "spec": { "name": "x", "weekdays": ["SUN"], "days_in": ["2026-01-05/2026-01-06"], "days_out": ["2026-01-11"] },
    });
    let preview = format!("{CALENDARS}/preview");
    let (status, year) = world.send(EDITOR, Method::POST, &preview, &draft).await;
    assert_eq!(status, 200, "{year}");
    assert_eq!(year["day_count"], 52 + 2 - 1);
    assert_eq!(
        year["days"].as_array().unwrap()[..2],
        [json!("2026-01-04/2026-01-06"), json!("2026-01-18")]
    );
    assert_eq!(
        year["exceptions"],
        json!(["2026-01-05/2026-01-06", "2026-01-11"])
    );

    let read = format!("{CALENDARS}/read");
    let text = "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nSUMMARY:Holi\r\n day\r\nDTSTART;VALUE=DATE:20261224\r\n\
        DTEND;VALUE=DATE:20261227\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nSUMMARY:other\r\nDTSTART;VALUE=DATE:20260101\r\n\
        END:VEVENT\r\nEND:VCALENDAR\r\n";
    let file = json!({ "text": text, "containing": "HOLIDAY" });
    let (status, days) = world.send(EDITOR, Method::POST, &read, &file).await;
    assert_eq!(status, 200, "{days}");
    let expected =
        json!({ "days": ["2026-12-24/2026-12-26"], "day_count": 3, "events": 1, "others": 1 });
    assert_eq!(days, expected);
    let file = json!({ "text": text.replace("20261224", "2026122") });
    let (status, refused) = world.send(EDITOR, Method::POST, &read, &file).await;
    assert_eq!((status, code(&refused)), (422, "calendar.file"));
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.starts_with("Line 5, DTSTART: "), "{message}");
    let long = json!({ "text": "x".repeat((1 << 20) + 1) });
    let (status, refused) = world.send(EDITOR, Method::POST, &read, &long).await;
    assert_eq!((status, code(&refused)), (422, "calendar.file"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn jobs_previews_and_forecasts_follow_the_calendar_of_their_group() {
    let world = World::start().await;
    let (status, refused) = save_job(&world, "shop").await;
    assert_eq!((status, code(&refused)), (422, "job.calendar_unknown"));
    let days = json!({ "name": "shop", "days_in": ["2090-01-04", "2090-02-01"] });
    let made = made(&world, days.clone()).await;
    let (status, job) = save_job(&world, "shop").await;
    assert_eq!(status, 201, "{job}");
    assert_eq!(job["next_due"], "2090-01-04T09:00:00Z");
    assert_eq!(job["spec"]["scheduled"]["calendar"]["name"], "shop");
    let versions = format!("/api/v1/jobs/{}/versions", job["id"].as_str().unwrap());
    let (_, listed) = world.get(EDITOR, &versions).await;
    assert_eq!(listed["items"][0]["calendar_version"], 1);

    let asked = json!({
        "expression": "0 9 * * *", "time_zone": "UTC", "count": 2, "from": "2089-12-01T00:00:00Z",
        "calendar": { "name": "shop", "mode": "include" }, "group_id": world.ours.group.as_uuid(),
    });
    let preview = "/api/v1/schedules/preview";
    let (_, next) = world.send(EDITOR, Method::POST, preview, &asked).await;
    assert_eq!(next["next"][0]["due"], "2090-01-04T09:00:00Z");
    assert_eq!(next["next"][1]["due"], "2090-02-01T09:00:00Z");
    let mut elsewhere = asked.clone();
    elsewhere["group_id"] = Value::Null;
    let (status, refused) = world.send(EDITOR, Method::POST, preview, &elsewhere).await;
    assert_eq!((status, code(&refused)), (422, "job.calendar_unknown"));
    elsewhere["group_id"] = json!(world.theirs.group.as_uuid());
    let (status, _) = world.send(EDITOR, Method::POST, preview, &elsewhere).await;
    assert_eq!(status, 404);

    let mut of_days = Vec::new();
    for (from, starts) in [("2090-01-04", 1), ("2090-01-05", 0)] {
        let window = format!("from={from}T00:00:00Z&group={}", world.ours.group);
        let (_, told) = world
            .get(EDITOR, &format!("/api/v1/forecast?{window}"))
            .await;
        assert_eq!(told["unreadable_job_count"], 0, "{told}");
        of_days.push(told["total"]["starts"].as_u64().unwrap());
        let request = json!({
            "group_id": world.ours.group.as_uuid(), "spec": follower("one more", "shop"),
            "from": format!("{from}T00:00:00Z"),
        });
        let change = "/api/v1/forecast/change";
        let (status, told) = world.send(EDITOR, Method::POST, change, &request).await;
        assert_eq!(
            (status, &told["starts_after"]),
            (200, &json!(starts)),
            "{told}"
        );
    }
    assert_eq!(of_days[0], of_days[1] + 1, "the follower");

    let (status, used) = world
        .send(EDITOR, Method::DELETE, &path(&made), &Value::Null)
        .await;
    assert_eq!((status, code(&used)), (409, "calendar.in_use"));
    let message = used["error"]["message"].as_str().unwrap();
    assert!(message.contains("follower (ours)"), "{message}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_name_calendars_and_apply_anywhere() {
    let world = World::start().await;
    made(&world, json!({ "name": "shop", "days_in": ["2090-01-04"] })).await;
    let set = |calendar: &str| {
        let job = json!({ "group": "ours", "spec": follower("follower", calendar) });
        json!({ "cronfleet": 1, "jobs": [job] })
    };
    let plan = "/api/v1/definitions/plan";
    let (status, refused) = world.send(EDITOR, Method::POST, plan, &set("mars")).await;
    assert_eq!(status, 422, "{refused}");
    assert!(refused.to_string().contains("job.calendar_unknown"));
    let (_, planned) = world.send(EDITOR, Method::POST, plan, &set("shop")).await;
    let request = json!({ "set": set("shop"), "digest": planned["digest"] });
    let apply = "/api/v1/definitions/apply";
    let (status, done) = world.send(EDITOR, Method::POST, apply, &request).await;
    assert_eq!(status, 200, "{done}");
    let (_, jobs) = world.get(EDITOR, "/api/v1/jobs?q=follower").await;
    assert_eq!(jobs["items"][0]["next_due"], "2090-01-04T09:00:00Z");
    let (_, again) = world.send(EDITOR, Method::POST, plan, &set("shop")).await;
    assert_eq!(again["unchanged"], 1, "{again}");
    let (_, listed) = world.get(EDITOR, "/api/v1/definitions").await;
    let is_ours = |job: &&Value| job["spec"]["name"] == "follower";
    let found = listed["items"].as_array().unwrap().iter().find(is_ours);
    assert_eq!(
        found.unwrap()["spec"]["scheduled"]["calendar"],
        json!({ "name": "shop", "mode": "include" })
    );
    world.stop().await;
}
