//! Pages of other sites, and names that other people point at this center.

use cronfleet_core::access::Role;
use reqwest::{Method, RequestBuilder};

use crate::world::{Who, World, answer, code};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cookie_alone_does_not_let_another_site_change_anything() {
    let world = World::start().await;
    let token = world.session(Who::Member(Role::Owner)).await.unwrap();
    let path = format!("/api/v1/jobs/{}/pause", world.ours.job);
    let by_cookie = || {
        world
            .request(Method::POST, &path)
            .header("cookie", format!("theme=dark; cronfleet={token}"))
    };
    let own = format!("http://{}", world.address);
    type Change = Box<dyn Fn(RequestBuilder) -> RequestBuilder>;
    let with = |name: &'static str, value: &str| -> Change {
        let value = value.to_owned();
        Box::new(move |request| request.header(name, &value))
    };
    let refused: Vec<(u16, Change)> = vec![
        (403, Box::new(|request| request)),
        (403, with("origin", "https://evil.example")),
        (403, with("origin", "null")),
        (403, with("origin", &format!("{own}.evil.example"))),
        (403, with("sec-fetch-site", "cross-site")),
        (403, with("sec-fetch-site", "same-site")),
        (415, {
            let own = own.clone();
            Box::new(move |request| {
                request
                    .header("origin", &own)
                    .header("content-type", "text/plain")
                    .body("{}")
            })
        }),
        (415, {
            let own = own.clone();
            Box::new(move |request| {
                request
                    .header("origin", &own)
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body("a=b")
            })
        }),
    ];
    for (place, (expected, change)) in refused.iter().enumerate() {
        let (status, body) = answer(change(by_cookie())).await;
        assert_eq!(status, *expected, "case {place}: {body}");
    }
    let job = format!("/api/v1/jobs/{}", world.ours.job);
    assert_eq!(world.get(Who::Admin, &job).await.1["is_paused"], false);
    assert_eq!(answer(by_cookie().header("origin", &own)).await.0, 200);
    assert_eq!(
        answer(by_cookie().header("sec-fetch-site", "same-origin"))
            .await
            .0,
        200
    );
    let bearer = world.request(Method::POST, &path).bearer_auth(&token);
    assert_eq!(
        answer(bearer.header("origin", "https://elsewhere.example"))
            .await
            .0,
        200
    );
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_site_can_neither_sign_somebody_in_nor_listen() {
    let world = World::start().await;
    let evil = "https://evil.example";
    for (method, path) in [
        (Method::POST, "/api/v1/session"),
        (Method::GET, "/api/v1/events"),
        (Method::GET, "/api/v1/jobs"),
    ] {
        let (status, body) = answer(world.request(method, path).header("origin", evil)).await;
        assert_eq!((status, code(&body)), (403, "auth.cross_origin"), "{path}");
    }
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_known_hosts_are_answered() {
    let world = World::start().await;
    for (host, expected) in [
        ("localhost:8780", 200),
        ("127.0.0.1", 200),
        ("[::1]:8780", 200),
        ("fleet.example.org", 200),
        ("evil.example:8780", 421),
        ("localhost.evil.example", 421),
    ] {
        for path in ["/api/v1/setup", "/healthz"] {
            let (status, body) =
                answer(world.request(Method::GET, path).header("host", host)).await;
            assert_eq!(status, expected, "{host}{path}: {body}");
        }
    }
    world.stop().await;
}
