//! Events and output: filtered, resumable, and over when the right to see them is.

use cronfleet_center::bus::Change;
use cronfleet_core::access::Role;
use reqwest::{Method, Response};
use serde_json::{Value, json};

use crate::world::{PATIENCE, Who, World, later, user_id};

const VIEWER: Who = Who::Member(Role::Viewer);

/// One server-sent event.
#[derive(Debug, PartialEq)]
struct Event {
    name: String,
    id: Option<String>,
    data: Value,
}

/// Reads server-sent events.
struct Events {
    response: Response,
    text: String,
}

impl Events {
    async fn open(world: &World, token: &str, path: &str) -> Self {
        let request = world.request(Method::GET, path).bearer_auth(token);
        let response = request
            .header("accept-encoding", "gzip, br")
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        assert!(
            !response.headers().contains_key("content-encoding"),
            "compressing would hold events back"
        );
        Self {
            response,
            text: String::new(),
        }
    }

    /// The next event; `None` when the stream has ended.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let field = |name: &str| {
                    let lines = block
                        .lines()
                        .filter_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
                    lines.map(str::to_owned).next()
                };
                let event = field("data").map(|data| Event {
                    name: field("event").unwrap(),
                    id: field("id"),
                    data: serde_json::from_str(&data).unwrap(),
                });
                self.text = rest.to_owned();
                match event {
                    Some(event) => return Some(event),
                    None => continue,
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk())
                .await
                .unwrap();
            match chunk {
                Ok(Some(bytes)) => self.text.push_str(std::str::from_utf8(&bytes).unwrap()),
                Ok(None) | Err(_) => return None,
            }
        }
    }
}

fn text_of(event: &Event) -> &str {
    event.data["text"].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_tell_only_of_what_the_caller_may_see() {
    let world = World::start().await;
    let token = world.session(VIEWER).await.unwrap();
    let mut events = Events::open(&world, &token, "/api/v1/events").await;
    let (ours, theirs) = (world.ours, world.theirs);
    for side in [theirs, ours] {
        world.bus.publish(Change::Job {
            job: side.job,
            group: side.group,
        });
        world.bus.publish(Change::Agent {
            agent: side.agent,
            groups: vec![side.group],
            is_online: true,
        });
    }
    let event = events.next().await.unwrap();
    assert_eq!(event.name, "job");
    assert_eq!(
        event.data,
        json!({ "kind": "job", "id": ours.job.as_uuid(), "group_id": ours.group.as_uuid() })
    );
    let event = events.next().await.unwrap();
    assert_eq!(
        event.data,
        json!({ "kind": "agent", "id": ours.agent.as_uuid(), "is_online": true })
    );

    // What is seen follows the roles, with a hint to read everything again.
    world
        .store
        .put_member(theirs.group, user_id("viewer"), Role::Viewer)
        .await
        .unwrap();
    assert_eq!(events.next().await.unwrap().name, "resync");
    world.bus.publish(Change::Job {
        job: theirs.job,
        group: theirs.group,
    });
    assert_eq!(
        events.next().await.unwrap().data["id"],
        json!(theirs.job.as_uuid())
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_end_with_their_session() {
    let world = World::start().await;
    let token = world
        .session_of(user_id("viewer"), later(60), later(60))
        .await;
    let mut events = Events::open(&world, &token, "/api/v1/events").await;
    let output = format!("/api/v1/outputs/{}/stream", world.ours.run);
    let mut output = Events::open(&world, &token, &output).await;
    assert_eq!(text_of(&output.next().await.unwrap()), "hello ");
    assert_eq!(text_of(&output.next().await.unwrap()), "world\n");
    let begun = tokio::time::Instant::now();
    let out = world
        .request(Method::DELETE, "/api/v1/session")
        .bearer_auth(&token);
    assert_eq!(out.send().await.unwrap().status(), 204);
    assert_eq!(events.next().await, None);
    assert_eq!(output.next().await, None);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_holds_so_many_streams_and_not_one_more() {
    let world = World::start().await;
    let token = world.session(VIEWER).await.unwrap();
    let mut open = Vec::new();
    let refused = loop {
        let request = world
            .request(Method::GET, "/api/v1/events")
            .bearer_auth(&token);
        let response = request.send().await.unwrap();
        if response.status() != 200 {
            break response;
        }
        open.push(response);
        assert!(open.len() <= 50);
    };
    assert_eq!((refused.status().as_u16(), open.len()), (429, 20));
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_is_followed_live_and_resumed_where_it_stopped() {
    let world = World::start().await;
    let (agent, run) = (world.ours.agent, world.ours.run);
    let token = world.session(VIEWER).await.unwrap();
    let path = format!("/api/v1/outputs/{run}/stream");
    let mut events = Events::open(&world, &token, &path).await;
    let first = events.next().await.unwrap();
    let second = events.next().await.unwrap();
    assert_eq!(
        (first.name.as_str(), text_of(&first), text_of(&second)),
        ("chunk", "hello ", "world\n")
    );

    let end: u64 = second.id.clone().unwrap().parse().unwrap();
    let word = "備".as_bytes();
    let half = world
        .add_output(agent, run.into(), end, &[(2, word[..2].to_vec())], false)
        .await;
    world.bus.publish_output(run.into());
    let end = world
        .add_output(agent, run.into(), half, &[(2, word[2..].to_vec())], false)
        .await;
    world.bus.publish_output(run.into());
    let third = events.next().await.unwrap();
    assert_eq!(
        (text_of(&third), &third.data["stream"]),
        ("備", &json!("stderr")),
        "the character comes whole"
    );
    assert_eq!(third.id, Some(end.to_string()));

    // A new connection goes on behind the last event seen.
    let request = world.request(Method::GET, &path).bearer_auth(&token);
    let response = request
        .header("last-event-id", first.id.unwrap())
        .send()
        .await
        .unwrap();
    let mut resumed = Events {
        response,
        text: String::new(),
    };
    assert_eq!(resumed.next().await.unwrap(), second);

    // The end: the run is over and all it wrote is there.
    world.add_output(agent, run.into(), end, &[], true).await;
    let kill = format!("/api/v1/runs/{run}/kill");
    assert_eq!(
        world
            .send(Who::Admin, Method::POST, &kill, &Value::Null)
            .await
            .0,
        202
    );
    world.bus.publish_output(run.into());
    for stream in [&mut events, &mut resumed] {
        loop {
            let event = stream.next().await.unwrap();
            if event.name == "end" {
                break;
            }
        }
        assert_eq!(stream.next().await, None);
    }
    let (_, piece) = world
        .get(VIEWER, &format!("/api/v1/outputs/{run}?from={end}"))
        .await;
    assert_eq!(
        piece,
        json!({ "chunks": [], "next_from": end, "is_complete": true })
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn output_comes_in_pieces_with_gaps_and_as_a_download() {
    let world = World::start().await;
    let (agent, run) = (world.ours.agent, world.ours.run);
    let hostile = b"<script>alert(1)</script>\x1b]52;c;aGk=\x07\xff\n";
    let end = world
        .add_output(agent, run.into(), 1_000, &[(2, hostile.to_vec())], false)
        .await;
    let path = format!("/api/v1/outputs/{run}");
    let (status, piece) = world.get(VIEWER, &path).await;
    assert_eq!(
        (status, &piece["next_from"], &piece["is_complete"]),
        (200, &json!(end), &json!(false))
    );
    let chunks = piece["chunks"].as_array().unwrap();
    let streams: Vec<&str> = chunks
        .iter()
        .map(|chunk| chunk["stream"].as_str().unwrap())
        .collect();
    assert_eq!(streams, ["stdout", "stdout", "gap", "stderr"]);
    assert_eq!(chunks[2]["dropped_bytes"], 1_000 - 2 * 13 - 12);
    assert_eq!(
        chunks[3]["text"],
        "<script>alert(1)</script>\u{1b}]52;c;aGk=\u{7}\u{fffd}\n"
    );

    let (_, first) = world.get(VIEWER, &format!("{path}?limit=1")).await;
    assert_eq!(first["chunks"][0]["text"], "hello ", "at least one frame");
    let from = first["next_from"].as_u64().unwrap();
    let (_, second) = world
        .get(VIEWER, &format!("{path}?from={from}&limit=1"))
        .await;
    assert_eq!(second["chunks"][0]["text"], "world\n");
    let (_, tail) = world.get(VIEWER, &format!("{path}?tail=60")).await;
    assert_eq!(
        tail["chunks"].as_array().unwrap().len(),
        1,
        "no gap before a tail: {tail}"
    );
    for bad in ["?limit=0", "?limit=2000000", "?from=-1", "?tail=10&from=3"] {
        assert_eq!(
            world.get(VIEWER, &format!("{path}{bad}")).await.0,
            400,
            "{bad}"
        );
    }

    let raw = async |query: &str| {
        let request = world
            .request_by(VIEWER, Method::GET, &format!("{path}/raw{query}"))
            .await;
        request.send().await.unwrap()
    };
    let response = raw("").await;
    let headers = response.headers().clone();
    assert_eq!(headers["content-type"], "text/plain; charset=utf-8");
    assert_eq!(
        headers["content-disposition"],
        format!("attachment; filename=\"{run}.log\"")
    );
    assert_eq!(
        headers["content-security-policy"],
        "sandbox; default-src 'none'"
    );
    assert_eq!(headers["x-content-type-options"], "nosniff");
    let bytes = response.bytes().await.unwrap();
    assert!(bytes.starts_with(b"hello world\n\n[cronfleet: 962 bytes are missing here]\n<script>"));
    assert!(bytes.ends_with(hostile), "the very bytes");
    let stderr = raw("?stream=stderr").await.bytes().await.unwrap();
    assert!(stderr.ends_with(hostile) && !stderr.starts_with(b"hello"));
    assert_eq!(raw("?stream=other").await.status(), 400);
    world.stop().await;
}
