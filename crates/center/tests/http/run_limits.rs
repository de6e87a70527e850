//! Limits of an agent on all of its runs together: what is set is shown, and what makes no sense is named.

use cronfleet_core::access::Role;
use reqwest::Method;
use serde_json::{Value, json};

use crate::world::{Who, World, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_administrator_limits_the_runs_of_an_agent() {
    let world = World::start().await;
    let path = format!("/api/v1/agents/{}", world.ours.agent.as_uuid());
    let set = async |who: Who, limits: Value| {
        let change = json!({ "run_limits": limits });
        world.send(who, Method::PATCH, &path, &change).await
    };
    let (_, before) = world.get(Who::Admin, &path).await;
    assert_eq!(before["run_limits"], json!({}));
    assert_eq!(before["waiting"]["count"], 0, "{before}");

    let both = json!({ "running_max": 16, "starts_per_second": 1_000 });
    let (status, after) = set(Who::Admin, both.clone()).await;
    assert_eq!((status, &after["run_limits"]), (200, &both), "{after}");
    let rename = json!({ "name": "renamed" });
    let (_, renamed) = world.send(Who::Admin, Method::PATCH, &path, &rename).await;
    assert_eq!(renamed["run_limits"], both, "what is absent stays");
    let one = json!({ "running_max": 100_000 });
    let (_, fewer) = set(Who::Admin, one.clone()).await;
    assert_eq!(fewer["run_limits"], one);

    for (limits, field) in [
        (json!({ "running_max": 0 }), "run_limits.running_max"),
        (json!({ "running_max": 100_001 }), "run_limits.running_max"),
        (
            json!({ "starts_per_second": 0 }),
            "run_limits.starts_per_second",
        ),
        (
            json!({ "starts_per_second": 1_001 }),
            "run_limits.starts_per_second",
        ),
    ] {
        let (status, body) = set(Who::Admin, limits.clone()).await;
        let said = (status, code(&body), body["error"]["field"].as_str());
        assert_eq!(said, (422, "agent.out_of_range", Some(field)), "{limits}");
    }
    let (status, body) = set(Who::Admin, json!({ "running": 5 })).await;
    assert!((400..500).contains(&status), "{body}");
    let (status, _) = set(Who::Member(Role::Owner), json!({})).await;
    assert_eq!(status, 403);
    let (_, last) = world.get(Who::Member(Role::Viewer), &path).await;
    assert_eq!(last["run_limits"], one, "nothing of the refused is stored");
    world.stop().await;
}
