//! Every route by every kind of caller on own and foreign objects. The routes come from the description of the interface, so a
//! route without a row here fails.

use cronfleet_core::access::Role;
use cronfleet_core::calendar::{CalendarSpec, Weekdays};
use cronfleet_core::id::{AgentId, CalendarId, GroupId, JobId, RunId, WindowId};
use cronfleet_store::{NewCalendar, NewWindow, WindowScope, WindowSpec, WindowWhen};
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Side, Who, World, definition, later, now, user_id};

/// Digest of the plan of a set without definitions.
const EMPTY_DIGEST: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// One route as the contract has it, with a request that succeeds for whoever may make it.
struct Row {
    permission: &'static str,
    success: u16,
    /// Values for `{id}` and for `{user_id}` or `{name}`.
    ids: Vec<String>,
    query: String,
    body: Option<Value>,
    header: Option<(&'static str, String)>,
}

impl Row {
    fn new(permission: &'static str, success: u16) -> Self {
        Self {
            permission,
            success,
            ids: vec![],
            query: String::new(),
            body: None,
            header: None,
        }
    }

    fn id(mut self, id: impl ToString) -> Self {
        self.ids.push(id.to_string());
        self
    }

    fn query(mut self, query: impl Into<String>) -> Self {
        self.query = query.into();
        self
    }

    fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.header = Some((name, value.into()));
        self
    }
}

/// The row of an operation. What the request destroys is made for it.
async fn row(world: &World, operation: &str, side: &Side) -> Row {
    let fresh = world.next();
    match operation {
        "setup_state" | "openapi_document" => Row::new("public", 200),
        "set_up" => Row::new("public", 400).body(json!({ "code": 1 })),
        "sign_in" => Row::new("public", 400).body(json!({ "login": 1 })),
        "me" | "about" | "list_groups" | "list_agents" | "list_jobs" | "list_runs"
        | "list_lapses" | "list_slots" | "list_definitions" | "list_windows" | "list_calendars"
        | "stream_events" | "get_forecast" => Row::new("signed_in", 200),
        "sign_out" => Row::new("signed_in", 204),
        "change_password" => Row::new("signed_in", 400).body(json!({ "current": 1 })),
        "preview_schedule" => {
            Row::new("signed_in", 200).body(json!({ "expression": "@daily", "time_zone": "UTC" }))
        }
        "list_processes" => Row::new("signed_in", 200).query(format!("?job={}", side.daemon)),
        "list_users" | "list_centers" => Row::new("administrator", 200),
        "create_user" => Row::new("administrator", 422)
            .body(json!({ "login": format!("user{fresh}"), "password": "short" })),
        "update_user" => Row::new("administrator", 200)
            .id(user_id("guest"))
            .body(json!({ "display_name": "Guest" })),
        "create_group" => {
            Row::new("administrator", 201).body(json!({ "name": format!("group {fresh}") }))
        }
        "get_group" => Row::new("viewer", 200).id(side.group),
        "update_group" => Row::new("administrator", 200)
            .id(side.group)
            .body(json!({ "description": "x" })),
        "delete_group" => {
            Row::new("administrator", 204).id(world.add_group(&format!("empty {fresh}")).await)
        }
        "list_candidates" => Row::new("owner", 200).id(side.group).query("?q=gue"),
        "put_member" => Row::new("owner", 204)
            .id(side.group)
            .id(user_id("guest"))
            .body(json!({ "role": "viewer" })),
        "delete_member" => {
            let guest = user_id("guest");
            // A group that does not exist has no members.
            let _ = world
                .store
                .put_member(side.group, guest, Role::Viewer)
                .await;
            Row::new("owner", 204).id(side.group).id(guest)
        }
        "list_secrets" => Row::new("viewer", 200).id(side.group),
        "put_secret" => Row::new("editor", 200)
            .id(side.group)
            .id("password")
            .body(json!({ "value": "hunter22" })),
        "delete_secret" => {
            let name = format!("secret-{fresh}");
            // A group that does not exist has no secrets.
            let _ = world.add_secret(side.group, &name).await;
            Row::new("editor", 204).id(side.group).id(name)
        }
        "create_join_token" => {
            Row::new("administrator", 201).body(json!({ "group_ids": [side.group.as_uuid()] }))
        }
        "get_agent" => Row::new("viewer", 200).id(side.agent),
        "update_agent" => Row::new("administrator", 200)
            .id(side.agent)
            .body(json!({ "name": "renamed" })),
        "approve_agent" => Row::new("administrator", 200)
            .id(side.agent)
            .body(json!({})),
        "revoke_agent" => {
            Row::new("administrator", 204).id(world.add_agent(world.ours.group).await)
        }
        "create_job" => Row::new("editor", 201).body(json!({
            "group_id": side.group.as_uuid(), "spec": definition(&format!("new {fresh}")),
        })),
        "forecast_change" => Row::new("editor", 200).body(json!({
            "group_id": side.group.as_uuid(), "spec": definition(&format!("new {fresh}")),
        })),
        "plan_definitions" => Row::new("operator", 200).body(empty_set(world, side)),
        "apply_definitions" => Row::new("operator", 200).body(json!({
            "set": empty_set(world, side), "digest": EMPTY_DIGEST,
        })),
        "plan_bulk" => Row::new("operator", 200).body(no_jobs(side)),
        "apply_bulk" => {
            let request = world
                .send(
                    Who::Admin,
                    Method::POST,
                    "/api/v1/jobs/bulk/plan",
                    &no_jobs(side),
                )
                .await;
            let mut body = no_jobs(side);
            body["digest"] = json!(request.1["digest"].as_str().unwrap_or_default());
            Row::new("operator", 200).body(body)
        }
        "get_job" => Row::new("viewer", 200).id(side.job),
        "list_job_versions" | "list_job_lapses" | "why_job" => Row::new("viewer", 200).id(side.job),
        "replace_job" => Row::new("editor", 200)
            .id(fresh_job(world, side).await)
            .body(json!({ "spec": definition(&format!("saved {fresh}")) }))
            .header("If-Match", "\"1\""),
        "delete_job" => Row::new("owner", 204).id(fresh_job(world, side).await),
        "pause_job" | "resume_job" => Row::new("operator", 200).id(side.job),
        "snooze_job" => Row::new("operator", 200)
            .id(side.job)
            .body(json!({ "until": later(3_600) })),
        "end_snooze" => Row::new("operator", 200).id(side.job),
        "create_window" => Row::new("editor", 201).body(window_of(side)),
        "get_window" => Row::new("viewer", 200).id(fresh_window(world, side).await),
        "replace_window" => Row::new("editor", 200)
            .id(fresh_window(world, side).await)
            .body(json!({ "reason": "changed", "once": tomorrow() }))
            .header("If-Match", "\"1\""),
        "end_window" => Row::new("editor", 204).id(fresh_window(world, side).await),
        "preview_calendar" => {
            Row::new("signed_in", 200).body(json!({ "spec": { "name": "x" }, "year": 2026 }))
        }
        "read_calendar" => {
            Row::new("signed_in", 200).body(json!({ "text": "BEGIN:VCALENDAR\nEND:VCALENDAR" }))
        }
        "create_calendar" => Row::new("editor", 201).body(json!({
            "group_id": side.group.as_uuid(), "spec": { "name": format!("new-{fresh}") },
        })),
        "get_calendar" => Row::new("viewer", 200).id(fresh_calendar(world, side).await.0),
        "replace_calendar" => {
            let (id, name) = fresh_calendar(world, side).await;
            Row::new("editor", 200)
                .id(id)
                .body(json!({ "spec": { "name": name, "days_in": ["2026-10-10"] } }))
                .header("If-Match", "\"1\"")
        }
        "delete_calendar" => Row::new("editor", 204).id(fresh_calendar(world, side).await.0),
        "run_job" => Row::new("operator", 202).id(side.job),
        "get_run" => Row::new("viewer", 200).id(side.run),
        "kill_run" => Row::new("operator", 202).id(side.run),
        // It is there, and in nobody's way.
        "release_run" => Row::new("operator", 409).id(side.run),
        "restart_slots" => {
            Row::new("operator", 202).body(json!({ "job_id": side.daemon.as_uuid() }))
        }
        "get_output" | "download_output" | "stream_output" => Row::new("viewer", 200).id(side.run),
        other => panic!("operation {other} has no row in the table of permissions"),
    }
}

/// A set of no definitions for the group of a side: applying it changes nothing.
fn empty_set(world: &World, side: &Side) -> Value {
    let group = match side.group {
        group if group == world.ours.group => "ours",
        group if group == world.theirs.group => "theirs",
        _ => "nowhere",
    };
    json!({ "cronfleet": 1, "jobs": [], "groups": [group] })
}

/// A change of jobs of the group of a side that finds none.
fn no_jobs(side: &Side) -> Value {
    json!({
        "filter": { "group": side.group.as_uuid(), "q": "no job is called so" }, "change": { "action": "pause" },
    })
}

/// When nothing of the table runs.
fn tomorrow() -> Value {
    json!({ "from": later(86_400), "until": later(90_000) })
}

fn window_of(side: &Side) -> Value {
    json!({ "group_id": side.group.as_uuid(), "reason": "x", "once": tomorrow() })
}

async fn fresh_window(world: &World, side: &Side) -> WindowId {
    let id = WindowId::from_u128(u128::from(world.next()) + 1_000);
    if side.group != nowhere().group {
        let window = NewWindow {
            id,
            scope: WindowScope::Group(side.group),
            spec: WindowSpec {
                reason: "x".to_owned(),
                when: WindowWhen::Once {
                    from: later(86_400),
                    until: later(90_000),
                },
            },
            author: user_id("admin"),
        };
        world.store.create_window(&window, now()).await.unwrap();
    }
    id
}

async fn fresh_calendar(world: &World, side: &Side) -> (CalendarId, String) {
    let number = world.next();
    let id = CalendarId::from_u128(u128::from(number) + 1_000);
    let name = format!("calendar-{number}");
    if side.group != nowhere().group {
        let calendar = NewCalendar {
            id,
            group: Some(side.group),
            spec: CalendarSpec {
                name: name.clone(),
                description: String::new(),
                extends: None,
                weekdays: Weekdays::default(),
                days_in: vec![],
                days_out: vec![],
                known_until: None,
            },
            author: user_id("admin"),
        };
        world.store.create_calendar(&calendar, now()).await.unwrap();
    }
    (id, name)
}

async fn fresh_job(world: &World, side: &Side) -> JobId {
    if side.group == nowhere().group {
        return side.job;
    }
    world
        .add_job(
            side.group,
            json!({ "scheduled": { "expression": "@daily" } }),
        )
        .await
}

/// Objects that do not exist.
fn nowhere() -> Side {
    Side {
        group: GroupId::from_u128(404),
        agent: AgentId::from_u128(404),
        job: JobId::from_u128(404),
        daemon: JobId::from_u128(405),
        run: RunId::from_u128(404),
    }
}

/// What the contract says.
fn expected(row: &Row, who: Who, is_own: bool) -> u16 {
    let least = match row.permission {
        "public" => return row.success,
        _ if who == Who::Anonymous => return 401,
        _ if who == Who::Admin => return row.success,
        "signed_in" => return row.success,
        "administrator" => return 403,
        role => Role::from_word(role).unwrap(),
    };
    match who {
        Who::Member(role) if is_own && role >= least => row.success,
        Who::Member(_) if is_own => 403,
        _ => 404,
    }
}

/// Every operation of the interface: its id, method, path and declared permission.
fn operations() -> Vec<(String, Method, String, String)> {
    let document = serde_json::to_value(cronfleet_center::http::openapi()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations.push((
                operation["operationId"].as_str().unwrap().to_owned(),
                method.to_uppercase().parse().unwrap(),
                path.clone(),
                operation["x-permission"].as_str().unwrap().to_owned(),
            ));
        }
    }
    operations
}

async fn call(world: &World, who: Who, method: &Method, path: &str, row: &Row) -> (u16, String) {
    let mut path = path.to_owned();
    let names: [&[&str]; 2] = [&["{id}"], &["{user_id}", "{name}"]];
    for (names, id) in names.iter().zip(&row.ids) {
        for name in *names {
            path = path.replace(name, id);
        }
    }
    let mut request = world
        .request_by(who, method.clone(), &format!("{path}{}", row.query))
        .await;
    if let Some(body) = &row.body {
        request = request.json(body);
    }
    if let Some((name, value)) = &row.header {
        request = request.header(*name, value);
    }
    let response = request.send().await.unwrap();
    let status = response.status().as_u16();
    // A stream that was opened does not end by itself.
    if path.ends_with("/events") || path.ends_with("/stream") {
        return (status, String::new());
    }
    (status, response.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_route_answers_every_caller_as_the_contract_says() {
    let world = World::start().await;
    let mut wrong = Vec::new();
    for (operation, method, path, declared) in operations() {
        for (side, is_own) in [(world.ours, true), (world.theirs, false)] {
            for who in Who::ALL {
                let row = row(&world, &operation, &side).await;
                assert_eq!(
                    row.permission, declared,
                    "{operation} declares another permission"
                );
                let (status, body) = call(&world, who, &method, &path, &row).await;
                let expected = expected(&row, who, is_own);
                if status != expected {
                    let side = if is_own { "own" } else { "foreign" };
                    wrong.push(format!(
                        "{operation} {who:?} {side}: {status}, not {expected}: {body}"
                    ));
                }
                if who != Who::Admin && who != Who::Anonymous && operation.starts_with("list_") {
                    let foreign = &world.theirs;
                    let ids = [foreign.group.to_string(), foreign.agent.to_string()]
                        .into_iter()
                        .chain([
                            foreign.job.to_string(),
                            foreign.daemon.to_string(),
                            foreign.run.to_string(),
                        ]);
                    for id in ids {
                        assert!(
                            !body.contains(&id),
                            "{operation} shows {who:?} what is not theirs"
                        );
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_not_mine_looks_exactly_like_what_is_missing() {
    let world = World::start().await;
    let owner = Who::Member(Role::Owner);
    let without_request = |body: String| {
        let mut body: Value = serde_json::from_str(&body).unwrap();
        body["error"]["request_id"].take();
        body
    };
    let mut count = 0;
    for (operation, method, path, declared) in operations() {
        if Role::from_word(&declared).is_none() {
            continue;
        }
        let (foreign, missing) = (
            row(&world, &operation, &world.theirs).await,
            row(&world, &operation, &nowhere()).await,
        );
        let (status, foreign) = call(&world, owner, &method, &path, &foreign).await;
        // An empty answer would not be JSON: streams have errors, too, but `call` does not read them.
        if foreign.is_empty() {
            assert_eq!(status, 404, "{operation}");
            continue;
        }
        let (missing_status, missing) = call(&world, owner, &method, &path, &missing).await;
        assert_eq!((status, missing_status), (404, 404), "{operation}");
        assert_eq!(
            without_request(foreign),
            without_request(missing),
            "{operation}"
        );
        count += 1;
    }
    assert!(count >= 18, "{count}");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_role_that_is_taken_away_is_gone_at_once() {
    let world = World::start().await;
    let viewer = Who::Member(Role::Viewer);
    let path = format!("/api/v1/jobs/{}", world.ours.job);
    assert_eq!(world.get(viewer, &path).await.0, 200);
    let member = format!(
        "/api/v1/groups/{}/members/{}",
        world.ours.group,
        user_id("viewer")
    );
    let owner = Who::Member(Role::Owner);
    assert_eq!(
        world
            .send(owner, Method::DELETE, &member, &Value::Null)
            .await
            .0,
        204
    );
    assert_eq!(world.get(viewer, &path).await.0, 404);
    world.stop().await;
}
