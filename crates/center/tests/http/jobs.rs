//! Jobs and runs: validation, versions, names, paging, idempotency, and hostile input.

use std::collections::BTreeMap;

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, answer, code, definition};

const EDITOR: Who = Who::Member(Role::Editor);
const OPERATOR: Who = Who::Member(Role::Operator);

async fn create(world: &World, spec: Value) -> (u16, Value) {
    let request = json!({ "group_id": world.ours.group.as_uuid(), "spec": spec });
    world
        .send(EDITOR, Method::POST, "/api/v1/jobs", &request)
        .await
}

async fn count_jobs(world: &World) -> u64 {
    let path = format!("/api/v1/groups/{}", world.ours.group);
    world.get(Who::Admin, &path).await.1["job_count"]
        .as_u64()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_created_shown_saved_and_deleted() {
    let world = World::start().await;
    let mut spec = definition("nightly");
    spec["scheduled"] = json!({ "expression": "30 2 * * *" });
    let (status, job) = create(&world, spec.clone()).await;
    assert_eq!(status, 201, "{job}");
    assert_eq!(
        job["spec"]["scheduled"]["time_zone"], "Europe/Berlin",
        "the center's default"
    );
    assert_eq!(job["sentence_en"], "Every day at 02:30 (Europe/Berlin)");
    assert!(job["sentence_zh"].is_string() && job["next_due"].is_string());
    assert_eq!(
        (&job["version"], &job["my_role"], &job["updated_by"]),
        (&json!(1), &json!("editor"), &json!("editor"))
    );
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());

    let response = world
        .request_by(EDITOR, Method::GET, &path)
        .await
        .send()
        .await
        .unwrap();
    assert_eq!(response.headers()["etag"], "\"1\"");
    spec["name"] = json!("every night");
    let save = async |version: Option<&str>| {
        let mut request = world
            .request_by(EDITOR, Method::PUT, &path)
            .await
            .json(&json!({ "spec": spec }));
        if let Some(version) = version {
            request = request.header("if-match", version);
        }
        answer(request).await
    };
    for (version, status, error) in [
        (None, 428, "job.version_required"),
        (Some("1"), 400, "request.parameter"),
        (Some("\"2\""), 412, "job.version_stale"),
    ] {
        let (found, body) = save(version).await;
        assert_eq!((found, code(&body)), (status, error), "{version:?}");
    }
    let (status, saved) = save(Some("\"1\"")).await;
    assert_eq!(
        (status, &saved["version"], &saved["spec"]["name"]),
        (200, &json!(2), &json!("every night"))
    );
    assert_eq!(save(Some("\"1\"")).await.0, 412, "somebody was faster");

    let (_, versions) = world.get(EDITOR, &format!("{path}/versions?limit=1")).await;
    assert_eq!(versions["items"][0]["version"], 2);
    let next = versions["next_cursor"].as_str().unwrap();
    let (_, older) = world
        .get(EDITOR, &format!("{path}/versions?limit=1&cursor={next}"))
        .await;
    assert_eq!(older["items"][0]["spec"]["name"], "nightly");
    assert_eq!(older.get("next_cursor"), None);

    assert_eq!(
        world
            .send(
                Who::Member(Role::Owner),
                Method::DELETE,
                &path,
                &Value::Null
            )
            .await
            .0,
        204
    );
    assert_eq!(world.get(EDITOR, &path).await.0, 404);
    assert_eq!(
        world.get(EDITOR, &format!("{path}/versions")).await.0,
        200,
        "its history stays"
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_refused_says_where_and_why_and_stores_nothing() {
    let world = World::start().await;
    let before = count_jobs(&world).await;
    let with = |pointer: &str, value: Value| {
        let mut spec = definition("bad");
        spec.as_object_mut()
            .unwrap()
            .entry("environment")
            .or_insert(json!({}));
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        spec.pointer_mut(parent).unwrap()[key] = value;
        spec
    };
    let schedule = |text: &str| with("/scheduled/expression", json!(text));
    let foreign = world.theirs.agent.as_uuid();
    let invalid = [
        (
            schedule("60 * * * *"),
            "spec.scheduled.expression",
            "schedule.out_of_range",
        ),
        (
            schedule("* * * * * * * *"),
            "spec.scheduled.expression",
            "schedule.field_count",
        ),
        (
            schedule("*/0 * * * *"),
            "spec.scheduled.expression",
            "schedule.step_zero",
        ),
        (
            schedule("0 0 30 2 *"),
            "spec.scheduled.expression",
            "schedule.never",
        ),
        (schedule("${7*7}"), "spec.scheduled.expression", ""),
        (
            schedule("٣ * * * *"),
            "spec.scheduled.expression",
            "schedule.non_ascii",
        ),
        (
            schedule(&"1,".repeat(5_000)),
            "spec.scheduled.expression",
            "schedule.too_long",
        ),
        (
            schedule("@at 2020-01-01T00:00:00Z"),
            "spec.scheduled.expression",
            "schedule.past",
        ),
        (
            with("/scheduled/time_zone", json!("Mars/Base")),
            "spec.scheduled.time_zone",
            "",
        ),
        (
            with("/scheduled/timeout_ms", json!(1)),
            "spec.scheduled.timeout_ms",
            "job.out_of_range",
        ),
        (
            with("/scheduled/retry", json!({ "failures": ["256"] })),
            "spec.scheduled.retry.failures[0]",
            "job.retry_failure",
        ),
        (
            with("/run_as", json!("root")),
            "spec.run_as",
            "job.run_as_refused",
        ),
        (with("/run_as", json!("0")), "spec.run_as", "job.user_name"),
        (with("/run_as", json!("#0")), "spec.run_as", "job.user_name"),
        (
            with("/run_as", json!(" app")),
            "spec.run_as",
            "job.user_name",
        ),
        (
            with("/run_as", json!("app\n")),
            "spec.run_as",
            "job.user_name",
        ),
        (
            with("/target", json!({ "agent_ids": [foreign] })),
            "spec.target.agent_ids",
            "job.agent_not_in_group",
        ),
        (
            with("/environment/LD_PRELOAD", json!("x")),
            "spec.environment.LD_PRELOAD",
            "job.environment_refused",
        ),
        (
            with("/environment/BASH_ENV", json!("x")),
            "spec.environment.BASH_ENV",
            "job.environment_refused",
        ),
        (
            with("/environment/a=b", json!("x")),
            "spec.environment.a=b",
            "job.environment_name",
        ),
        (
            with("/environment/", json!("x")),
            "spec.environment.",
            "job.environment_name",
        ),
        (
            with("/environment/A\nB", json!("x")),
            "",
            "job.environment_name",
        ),
        (
            with("/environment/A", json!("a\u{0}b")),
            "spec.environment.A",
            "job.nul_byte",
        ),
        (
            with("/environment/A", json!("x".repeat(100_000))),
            "spec.environment",
            "job.environment_length",
        ),
        (with("/umask", json!("8")), "spec.umask", "job.umask"),
        (
            with("/stop", json!({ "signal": "STOP" })),
            "spec.stop.signal",
            "job.stop_signal",
        ),
        (
            with("/processes", json!(1_001)),
            "spec.processes",
            "job.out_of_range",
        ),
        (
            with("/name", json!("a\u{202e}b")),
            "spec.name",
            "job.name_characters",
        ),
        (
            with("/name", json!("x".repeat(300))),
            "spec.name",
            "job.name_length",
        ),
        (
            with("/command", json!({ "argv": [] })),
            "spec.command.argv",
            "job.command_empty",
        ),
        (with("/daemon", json!({})), "spec.daemon", "job.two_kinds"),
    ];
    for (spec, field, error) in invalid {
        let (status, body) = create(&world, spec.clone()).await;
        assert_eq!(status, 422, "{spec}: {body}");
        let found = &body["error"];
        assert!(
            found["hint"].as_str().is_some_and(|hint| !hint.is_empty()),
            "{body}"
        );
        if !field.is_empty() {
            assert_eq!(found["field"], field, "{body}");
        }
        if !error.is_empty() {
            assert_eq!(found["code"], error, "{body}");
        }
        assert_eq!(
            found["column"].is_number(),
            error.starts_with("schedule.") && error != "schedule.past"
                || field.ends_with("expression") && error.is_empty()
                || field.ends_with("time_zone"),
            "{body}"
        );
    }
    for (pointer, value) in [
        ("/uid", json!(0)),
        ("/is_admin", json!(true)),
        ("/group_id", json!(world.theirs.group.as_uuid())),
        ("/command/shell", json!("x")),
    ] {
        let (status, body) = create(&world, with(pointer, value)).await;
        assert_eq!((status, code(&body)), (400, "request.malformed"), "{body}");
        assert!(
            body["error"]["message"]
                .as_str()
                .unwrap()
                .to_lowercase()
                .contains("unknown field"),
            "{body}"
        );
    }
    assert_eq!(count_jobs(&world).await, before, "nothing of it is stored");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_are_unique_in_their_group_and_shown_as_they_are() {
    let world = World::start().await;
    for name in [
        "<img src=x onerror=alert(1)>",
        "__proto__",
        "備份 😀",
        "' OR 1=1 --",
    ] {
        let (status, job) = create(&world, definition(name)).await;
        assert_eq!((status, &job["spec"]["name"]), (201, &json!(name)));
        let (status, body) = create(&world, definition(name)).await;
        assert_eq!(
            (status, code(&body), &body["error"]["field"]),
            (409, "job.name_taken", &json!("spec.name"))
        );
    }
    let theirs =
        json!({ "group_id": world.theirs.group.as_uuid(), "spec": definition("__proto__") });
    assert_eq!(
        world
            .send(Who::Admin, Method::POST, "/api/v1/jobs", &theirs)
            .await
            .0,
        201
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_walked_by_cursor_and_filters_are_taken_literally() {
    let world = World::start().await;
    for index in 0..25 {
        assert_eq!(
            create(&world, definition(&format!("walk {index:02}")))
                .await
                .0,
            201
        );
    }
    let (mut names, mut cursor) = (Vec::new(), String::new());
    loop {
        let (status, page) = world
            .get(EDITOR, &format!("/api/v1/jobs?q=WALK&limit=10{cursor}"))
            .await;
        assert_eq!(status, 200, "{page}");
        let items = page["items"].as_array().unwrap();
        names.extend(
            items
                .iter()
                .map(|job| job["spec"]["name"].as_str().unwrap().to_owned()),
        );
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    let expected: Vec<String> = (0..25).map(|index| format!("walk {index:02}")).collect();
    assert_eq!(names, expected);
    for injection in [
        "'%20OR%201=1%20--",
        "%25",
        "_",
        "%27)%20UNION%20SELECT%20*%20FROM%20users--",
    ] {
        let (status, page) = world
            .get(EDITOR, &format!("/api/v1/jobs?q={injection}"))
            .await;
        assert_eq!(
            (status, page["items"].as_array().unwrap().len()),
            (200, 0),
            "{injection}"
        );
    }
    for bad in [
        "/api/v1/jobs?kind=other",
        "/api/v1/jobs?group='--",
        "/api/v1/jobs?cursor=abc",
        "/api/v1/jobs?limit=501",
        "/api/v1/jobs?sort=name;drop",
        "/api/v1/runs?state=ended'--",
        "/api/v1/runs?outcome=lost,nothing",
        "/api/v1/runs?from=yesterday",
        "/api/v1/agents?online=perhaps",
        "/api/v1/processes",
        "/api/v1/slots?cursor=%00",
    ] {
        let (status, body) = world.get(Who::Admin, bad).await;
        assert_eq!(
            (status, code(&body)),
            (400, "request.parameter"),
            "{bad}: {body}"
        );
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn running_now_is_idempotent_by_key() {
    let world = World::start().await;
    let path = format!("/api/v1/jobs/{}/run", world.ours.job);
    let run = async |key: Option<&str>, body: Value| {
        let mut request = world
            .request_by(OPERATOR, Method::POST, &path)
            .await
            .json(&body);
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        answer(request).await
    };
    let (status, first) = run(Some("key-1"), json!({})).await;
    assert_eq!(
        (status, first["run_ids"].as_array().unwrap().len()),
        (202, 1),
        "{first}"
    );
    assert_eq!(run(Some("key-1"), json!({})).await.1, first);
    assert_ne!(run(Some("key-2"), json!({})).await.1, first);
    assert_ne!(
        run(None, Value::Null).await.1,
        run(None, json!({ "agent_ids": null })).await.1
    );

    let id = first["run_ids"][0].as_str().unwrap();
    let (_, shown) = world.get(OPERATOR, &format!("/api/v1/runs/{id}")).await;
    assert_eq!(
        (&shown["cause"], &shown["requested_by"], &shown["state"]),
        (&json!("manual"), &json!("operator"), &json!("planned"))
    );
    let foreign = json!({ "agent_ids": [world.theirs.agent.as_uuid()] });
    let (status, body) = run(None, foreign).await;
    assert_eq!(
        (status, code(&body), &body["error"]["field"]),
        (422, "job.agent_not_in_target", &json!("agent_ids"))
    );
    for key in ["", "with space", &"k".repeat(129)] {
        assert_eq!(run(Some(key), json!({})).await.0, 400, "{key:?}");
    }
    let daemon = format!("/api/v1/jobs/{}/run", world.ours.daemon);
    let (status, body) = world
        .send(OPERATOR, Method::POST, &daemon, &json!({}))
        .await;
    assert_eq!((status, code(&body)), (409, "job.is_daemon"));
    let (_, page) = world
        .get(
            OPERATOR,
            "/api/v1/runs?cause=manual&state=planned,running&limit=2",
        )
        .await;
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    assert!(page["next_cursor"].is_string());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_was_never_sent_is_killed_for_good() {
    let world = World::start().await;
    let path = format!("/api/v1/runs/{}", world.ours.run);
    let mut changes = world.bus.watch();
    for _ in 0..2 {
        let (status, run) = world
            .send(
                OPERATOR,
                Method::POST,
                &format!("{path}/kill"),
                &Value::Null,
            )
            .await;
        assert_eq!(status, 202, "{run}");
        assert_eq!(
            (&run["state"], &run["outcome"]),
            (&json!("ended"), &json!("skipped"))
        );
        assert_eq!(
            (&run["reason"], &run["is_kill_requested"]),
            (&json!("killed_before_start"), &json!(true))
        );
    }
    assert!(changes.try_recv().is_ok(), "watchers are told");
    assert!(changes.try_recv().is_err(), "once");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pausing_and_resuming_can_be_repeated() {
    let world = World::start().await;
    let path = format!("/api/v1/jobs/{}", world.ours.job);
    for (action, is_paused) in [
        ("pause", true),
        ("pause", true),
        ("resume", false),
        ("resume", false),
    ] {
        let (status, job) = world
            .send(
                OPERATOR,
                Method::POST,
                &format!("{path}/{action}"),
                &Value::Null,
            )
            .await;
        assert_eq!(
            (status, &job["is_paused"], job["next_due"].is_null()),
            (200, &json!(is_paused), is_paused),
            "{job}"
        );
        assert_eq!(job["version"], 1);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_preview_explains_or_refuses() {
    let world = World::start().await;
    let preview = async |body: Value| {
        world
            .send(
                Who::Outsider,
                Method::POST,
                "/api/v1/schedules/preview",
                &body,
            )
            .await
    };
    let ask = json!({
        "expression": "30 2 * * *", "time_zone": "Europe/Berlin", "from": "2026-03-28T12:00:00Z", "count": 2,
    });
    let (status, body) = preview(ask).await;
    assert_eq!(status, 200, "{body}");
    assert_eq!(
        body["next"][0],
        json!({ "due": "2026-03-29T01:00:00Z", "local": "2026-03-29T03:00:00+02:00", "dst": "gap", "dst_effect": "moved_out_of_gap" })
    );
    let (status, body) = preview(json!({ "expression": "* * 31 2 *", "time_zone": "UTC" })).await;
    assert_eq!((status, code(&body)), (422, "schedule.never"));
    assert!(body["error"]["column"].is_number() && body["error"]["hint"].is_string());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn groups_and_agents_name_what_is_wrong_with_them() {
    let world = World::start().await;
    let unknown = "00000000-0000-0000-0000-00000000dead";
    let group = format!("/api/v1/groups/{}", world.ours.group);
    let agent = format!("/api/v1/agents/{}", world.ours.agent);
    let cases: BTreeMap<&str, (Method, String, Value, u16)> = BTreeMap::from([
        (
            "group.name_taken",
            (
                Method::POST,
                "/api/v1/groups".into(),
                json!({ "name": "theirs" }),
                409,
            ),
        ),
        (
            "group.name",
            (
                Method::POST,
                "/api/v1/groups".into(),
                json!({ "name": "" }),
                422,
            ),
        ),
        (
            "job.user_name",
            (
                Method::PATCH,
                group.clone(),
                json!({ "run_as": ["0"] }),
                422,
            ),
        ),
        (
            "group.agent_unknown",
            (
                Method::PATCH,
                group.clone(),
                json!({ "agent_ids": [unknown] }),
                422,
            ),
        ),
        (
            "group.owns_jobs",
            (Method::DELETE, group.clone(), Value::Null, 409),
        ),
        (
            "agent.name",
            (Method::PATCH, agent.clone(), json!({ "name": " x" }), 422),
        ),
        (
            "agent.group_unknown",
            (Method::PATCH, agent, json!({ "group_ids": [unknown] }), 422),
        ),
        (
            "agent.out_of_range",
            (
                Method::POST,
                "/api/v1/agents/join-tokens".into(),
                json!({ "ttl_seconds": 1 }),
                422,
            ),
        ),
    ]);
    for (error, (method, path, body, status)) in cases {
        let (found, answer) = world.send(Who::Admin, method, &path, &body).await;
        assert_eq!((found, code(&answer)), (status, error), "{answer}");
    }
    let (status, token) = world
        .send(
            Who::Admin,
            Method::POST,
            "/api/v1/agents/join-tokens",
            &json!({ "uses_max": 2 }),
        )
        .await;
    assert_eq!(status, 201);
    let text = token["token"].as_str().unwrap();
    assert!(
        text.parse::<cronfleet_wire::identity::JoinToken>().is_ok(),
        "{text}"
    );
    let command = token["command"].as_str().unwrap();
    assert_eq!(
        command,
        format!("cronfleet agent join --center 127.0.0.1:8781 --token {text}")
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_due_instant_has_an_answer() {
    let world = World::start().await;
    let mut spec = definition("minutely");
    spec["scheduled"] = json!({ "expression": "@every 60s" });
    let (_, job) = create(&world, spec).await;
    let path = format!("/api/v1/jobs/{}", job["id"].as_str().unwrap());
    let why = async |from: &str, to: &str| {
        let query = format!("{path}/why?from=2090-01-01T{from}Z&to=2090-01-01T{to}Z");
        world.get(EDITOR, &query).await
    };
    let (status, hour) = why("00:00:00", "01:00:00").await;
    assert_eq!(
        (status, &hour["items"]),
        (
            200,
            &json!([{
                "answer": "not_planned",
                "due_from": "2090-01-01T00:00:00Z",
                "due_to": "2090-01-01T00:59:00Z",
                "count": 60,
                "job_version": 1,
            }])
        )
    );
    world
        .send(
            OPERATOR,
            Method::POST,
            &format!("{path}/pause"),
            &Value::Null,
        )
        .await;
    let (_, hour) = why("00:00:00", "01:00:00").await;
    assert_eq!(hour["items"][0]["answer"], "paused");
    let (_, between) = why("00:00:30", "00:00:31").await;
    assert_eq!(
        between,
        json!({
            "items": [],
            "requested": [],
            "due_before": "2090-01-01T00:00:00Z",
            "due_after": "2090-01-01T00:01:00Z",
        })
    );
    let (status, refused) = why("01:00:00", "01:00:00").await;
    assert_eq!((status, code(&refused)), (400, "request.parameter"));
    world.stop().await;
}
