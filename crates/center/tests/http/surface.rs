//! What surrounds every answer: headers, error bodies, limits, the console's files.

use std::io;

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::world::{PATIENCE, Who, World, answer, code, definition};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answer_carries_the_security_headers() {
    let world = World::start().await;
    for path in [
        "/",
        "/jobs/x",
        "/api/v1/setup",
        "/api/v1/nothing",
        "/api/v1/jobs",
        "/healthz",
    ] {
        let response = world.request(Method::GET, path).send().await.unwrap();
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; "),
            "{path}: {policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("x-frame-options", "DENY"),
        ] {
            assert_eq!(headers[name], value, "{path}");
        }
        assert!(!headers.contains_key("access-control-allow-origin"));
        assert!(
            !headers.contains_key("strict-transport-security"),
            "only with TLS"
        );
        if path.starts_with("/api/") {
            assert_eq!(headers["cache-control"], "no-store");
        }
        assert_eq!(headers["x-request-id"].len(), 32);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_error_has_the_one_body_and_names_its_request() {
    let world = World::start().await;
    let job = format!("/api/v1/jobs/{}", world.ours.job);
    let cases = [
        (Method::GET, "/api/v1/nothing", 404, "not_found"),
        (Method::GET, "/api", 404, "not_found"),
        (Method::GET, "/api/v2/jobs", 404, "not_found"),
        (Method::PATCH, job.as_str(), 405, "request.method"),
        (Method::GET, "/api/v1/jobs/not-an-id", 404, "not_found"),
        (
            Method::GET,
            "/api/v1/jobs?limit=0",
            400,
            "request.parameter",
        ),
        (
            Method::GET,
            "/api/v1/jobs?unknown=1",
            400,
            "request.parameter",
        ),
    ];
    for (method, path, status, error) in cases {
        let request = world.request_by(Who::Admin, method, path).await;
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        assert_eq!(
            response.headers()["content-type"],
            "application/json",
            "{path}"
        );
        let id = response.headers()["x-request-id"]
            .to_str()
            .unwrap()
            .to_owned();
        let body: serde_json::Value = response.json().await.unwrap();
        assert_eq!(
            (code(&body), &body["error"]["request_id"]),
            (error, &json!(id)),
            "{path}"
        );
        assert!(body["error"]["message"].as_str().unwrap().len() > 5);
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bodies_are_bounded_and_strict() {
    let world = World::start().await;
    let editor = Who::Member(Role::Editor);
    let post = async |body: String| {
        let request = world.request_by(editor, Method::POST, "/api/v1/jobs").await;
        answer(
            request
                .header("content-type", "application/json")
                .body(body),
        )
        .await
    };
    let group = world.ours.group;
    let (status, body) = post(format!(
        "{{\"group_id\":\"{group}\",\"spec\":{{\"name\":1}}}}"
    ))
    .await;
    assert_eq!(
        (status, code(&body), &body["error"]["field"]),
        (400, "request.malformed", &json!("spec.name"))
    );
    let (status, body) = post("{\n\"group_id\": nonsense".to_owned()).await;
    assert_eq!((status, code(&body)), (400, "request.malformed"));
    assert!(
        body["error"]["message"]
            .as_str()
            .unwrap()
            .contains("line 2"),
        "{body}"
    );
    let (status, body) = post("x".repeat(2 << 20)).await;
    assert_eq!((status, code(&body)), (413, "request.too_large"));
    let huge = "n".repeat(900_000);
    let (status, body) = post(format!("{{\"{huge}\":1}}")).await;
    assert_eq!(status, 400);
    assert!(
        body.to_string().len() < 2_000,
        "an error does not send the request back"
    );
    let mut spec = definition(&huge);
    spec["description"] = json!("");
    let (status, body) =
        post(json!({ "group_id": group.as_uuid(), "spec": spec }).to_string()).await;
    assert_eq!(
        (status, code(&body), &body["error"]["field"]),
        (422, "job.name_length", &json!("spec.name"))
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_of_requests_are_bounded_in_size_and_time() {
    let world = World::start().await;
    let mut big = TcpStream::connect(world.address).await.unwrap();
    let head = format!(
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "x".repeat(64 << 10)
    );
    // The server may answer and close before it has read everything.
    let _ = big.write_all(head.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, big.read_to_end(&mut answer))
        .await
        .unwrap();
    assert!(
        answer.is_empty() || answer.starts_with(b"HTTP/1.1 431"),
        "{}",
        String::from_utf8_lossy(&answer)
    );

    let mut slow = TcpStream::connect(world.address).await.unwrap();
    slow.write_all(b"GET /healthz HTTP/1.1\r\nHost: local")
        .await
        .unwrap();
    let closed = async {
        let mut byte = [0];
        loop {
            match slow.read(&mut byte).await {
                Ok(0) => return io::Result::Ok(()),
                Ok(_) => {}
                Err(error) => return Err(error),
            }
        }
    };
    let begun = tokio::time::Instant::now();
    let _ = tokio::time::timeout(PATIENCE, closed)
        .await
        .expect("a slow head is cut off");
    assert!(begun.elapsed().as_secs() <= 10);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_are_compressed_for_those_who_ask() {
    let world = World::start().await;
    let document = async |encoding: &str| {
        let request = world.request(Method::GET, "/api/v1/openapi.json");
        request
            .header("accept-encoding", encoding)
            .send()
            .await
            .unwrap()
    };
    let plain = document("identity").await;
    assert!(!plain.headers().contains_key("content-encoding"));
    let compressed = document("gzip").await;
    assert_eq!(compressed.headers()["content-encoding"], "gzip");
    let (plain, compressed) = (
        plain.bytes().await.unwrap().len(),
        compressed.bytes().await.unwrap().len(),
    );
    assert!(compressed * 4 < plain, "{compressed} of {plain} bytes");
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn health_and_console_need_no_session() {
    let world = World::start().await;
    for path in [
        "/healthz",
        "/readyz",
        "/",
        "/jobs",
        "/runs/018f4b1e-0000-7000-8000-0000000000ff",
    ] {
        assert_eq!(
            answer(world.request(Method::GET, path)).await.0,
            200,
            "{path}"
        );
    }
    let page = world.request(Method::GET, "/").send().await.unwrap();
    assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
    assert_eq!(answer(world.request(Method::POST, "/")).await.0, 405);
    assert_eq!(
        answer(world.request(Method::GET, "/assets/none.js"))
            .await
            .0,
        404
    );
    world.stop().await;
}
