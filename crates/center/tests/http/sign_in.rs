//! First start, signing in, sessions and their end.

use std::net::IpAddr;

use cronfleet_center::setup;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::world::{Bare, Who, World, answer, code, json_of, later, now, user_id};

const PASSWORD: &str = "correct horse battery";

/// The cookie that an answer sets: name and value, and its attributes.
fn cookie(response: &Response) -> (String, String) {
    let value = response.headers()["set-cookie"].to_str().unwrap();
    let (pair, attributes) = value.split_once("; ").unwrap();
    (pair.to_owned(), attributes.to_owned())
}

fn sign_in(bare: &Bare, login: &str, password: &str) -> RequestBuilder {
    bare.request(Method::POST, "/api/v1/session")
        .json(&json!({ "login": login, "password": password }))
}

/// Sets up a center; answers the cookie of the first administrator.
async fn set_up(bare: &Bare) -> String {
    let setup_code = setup::renew_code(&bare.store, &bare.mint, now())
        .await
        .unwrap()
        .unwrap();
    let response = bare
        .request(Method::POST, "/api/v1/setup")
        .json(&json!({ "code": setup_code, "login": "ada", "password": PASSWORD }))
        .send()
        .await
        .unwrap();
    assert_eq!(response.status(), 200);
    cookie(&response).0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_setup_code_makes_the_first_administrator_and_no_second() {
    let bare = Bare::start().await;
    assert_eq!(
        answer(bare.request(Method::GET, "/api/v1/setup")).await.1,
        json!({ "is_needed": true })
    );
    let (status, body) = answer(sign_in(&bare, "admin", "admin")).await;
    assert_eq!(
        (status, code(&body)),
        (401, "auth.failed"),
        "there is no account to begin with"
    );

    let old = setup::renew_code(&bare.store, &bare.mint, now())
        .await
        .unwrap()
        .unwrap();
    let good = setup::renew_code(&bare.store, &bare.mint, now())
        .await
        .unwrap()
        .unwrap();
    assert_ne!(old, good);
    let ask = |setup_code: &str, password: &str| {
        let request = json!({ "code": setup_code, "login": "ada", "password": password });
        bare.request(Method::POST, "/api/v1/setup").json(&request)
    };
    for (wrong, password, status, error) in [
        (
            "0000-0000-0000-0000-0000",
            PASSWORD,
            403,
            "setup.code_wrong",
        ),
        (&old, PASSWORD, 403, "setup.code_wrong"),
        (&good, "short", 422, "password.length"),
    ] {
        let (found, body) = answer(ask(wrong, password)).await;
        assert_eq!((found, code(&body)), (status, error));
    }
    let response = ask(&good.to_lowercase(), PASSWORD).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let (pair, attributes) = cookie(&response);
    assert!(pair.starts_with("cronfleet=cfs_"), "{pair}");
    for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
        assert!(attributes.contains(attribute), "{attributes}");
    }
    assert_eq!(json_of(response).await["user"]["is_admin"], true);
    assert_eq!(answer(ask(&good, PASSWORD)).await.0, 409);
    assert_eq!(
        answer(bare.request(Method::GET, "/api/v1/setup")).await.1,
        json!({ "is_needed": false })
    );
    assert_eq!(
        setup::renew_code(&bare.store, &bare.mint, now())
            .await
            .unwrap(),
        None
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_setup_code_is_too_old_after_half_an_hour() {
    let bare = Bare::start().await;
    let made_at = later(-31 * 60);
    let old = setup::renew_code(&bare.store, &bare.mint, made_at)
        .await
        .unwrap()
        .unwrap();
    let request = json!({ "code": old, "login": "ada", "password": PASSWORD });
    let (status, body) = answer(bare.request(Method::POST, "/api/v1/setup").json(&request)).await;
    assert_eq!((status, code(&body)), (403, "setup.code_wrong"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_begin_by_password_and_end_by_signing_out_or_a_new_password() {
    let bare = Bare::start().await;
    let first = set_up(&bare).await;
    let second = sign_in(&bare, "ADA", PASSWORD).send().await.unwrap();
    assert_eq!(second.status(), 200);
    let second = cookie(&second).0;
    assert_ne!(first, second, "signing in makes a new session");
    let me = |cookie: &str| {
        bare.request(Method::GET, "/api/v1/session")
            .header("cookie", cookie)
    };
    let (status, body) = answer(me(&second)).await;
    assert_eq!((status, &body["user"]["login"]), (200, &json!("ada")));
    assert!(body["user"]["last_sign_in_at"].is_string());

    // By token: for the command line.
    let request = json!({ "login": "ada", "password": PASSWORD, "wants_token": true });
    let response = bare
        .request(Method::POST, "/api/v1/session")
        .json(&request)
        .send()
        .await
        .unwrap();
    assert!(response.headers().get("set-cookie").is_none());
    let token = json_of(response).await["token"]
        .as_str()
        .unwrap()
        .to_owned();
    let by_token = || {
        bare.request(Method::GET, "/api/v1/session")
            .bearer_auth(&token)
    };
    assert_eq!(answer(by_token()).await.0, 200);

    let same_origin = |request: RequestBuilder, cookie: &str| {
        request
            .header("cookie", cookie)
            .header("origin", format!("http://{}", bare.address))
    };
    let out = same_origin(bare.request(Method::DELETE, "/api/v1/session"), &first);
    let response = out.send().await.unwrap();
    assert_eq!(response.status(), 204);
    assert!(cookie(&response).1.contains("Max-Age=0"));
    let (status, body) = answer(me(&first)).await;
    assert_eq!((status, code(&body)), (401, "auth.required"));

    let change = |current: &str, new: &str| {
        let request = bare
            .request(Method::POST, "/api/v1/session/password")
            .json(&json!({ "current": current, "new": new }));
        same_origin(request, &second)
    };
    let (status, body) = answer(change("not my password", "another good phrase")).await;
    assert_eq!((status, code(&body)), (422, "auth.password_wrong"));
    assert_eq!(answer(change(PASSWORD, "another good phrase")).await.0, 204);
    assert_eq!(
        answer(me(&second)).await.0,
        200,
        "the session that changed it stays"
    );
    assert_eq!(answer(by_token()).await.0, 401, "all others end");
    assert_eq!(
        answer(sign_in(&bare, "ada", "another good phrase")).await.0,
        200
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_known_login_with_a_wrong_password_looks_like_an_unknown_login() {
    let bare = Bare::start().await;
    set_up(&bare).await;
    let mut bodies = Vec::new();
    for login in ["ada", "nobody"] {
        let (status, mut body) = answer(sign_in(&bare, login, "wrong password here")).await;
        assert_eq!(status, 401);
        body["error"]["request_id"].take();
        bodies.push(body);
    }
    assert_eq!(bodies[0], bodies[1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn guessing_is_slowed_down_for_that_login_and_address_only() {
    let bare = Bare::start().await;
    set_up(&bare).await;
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(
            sign_in(&bare, "ada", "wrong password here")
                .send()
                .await
                .unwrap(),
        );
    }
    let last = statuses.pop().unwrap();
    assert!(statuses.iter().all(|response| response.status() == 401));
    assert_eq!(last.status(), 429);
    let wait: u64 = last.headers()["retry-after"]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(
        answer(sign_in(&bare, "grace", "wrong password here"))
            .await
            .0,
        401
    );
    let elsewhere =
        reqwest::Client::builder().local_address("127.0.0.2".parse::<IpAddr>().unwrap());
    let request = elsewhere
        .build()
        .unwrap()
        .post(format!("http://{}/api/v1/session", bare.address))
        .json(&json!({ "login": "ada", "password": PASSWORD }));
    assert_eq!(
        answer(request).await.0,
        200,
        "whoever guesses cannot lock the user out"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_expire_unused_and_at_their_end_and_with_their_user() {
    let world = World::start().await;
    let viewer = user_id("viewer");
    let status = async |token: &str| {
        answer(
            world
                .request(Method::GET, "/api/v1/session")
                .bearer_auth(token),
        )
        .await
        .0
    };
    let live = world.session_of(viewer, later(60), later(60)).await;
    let unused = world.session_of(viewer, later(-1), later(60)).await;
    let over = world.session_of(viewer, later(60), later(-1)).await;
    assert_eq!(
        [
            status(&live).await,
            status(&unused).await,
            status(&over).await
        ],
        [200, 401, 401]
    );
    for nonsense in ["", "cft_", "cft_' OR 1=1 --", "cfs_0000", "Bearer"] {
        assert_eq!(status(nonsense).await, 401, "{nonsense}");
    }
    let path = format!("/api/v1/users/{viewer}");
    let (code_of_disabling, _) = world
        .send(
            Who::Admin,
            Method::PATCH,
            &path,
            &json!({ "is_disabled": true }),
        )
        .await;
    assert_eq!(code_of_disabling, 200);
    assert_eq!(status(&live).await, 401);
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_last_administrator_stays_one() {
    let world = World::start().await;
    let path = format!("/api/v1/users/{}", user_id("admin"));
    for change in [json!({ "is_admin": false }), json!({ "is_disabled": true })] {
        let (status, body) = world.send(Who::Admin, Method::PATCH, &path, &change).await;
        assert_eq!((status, code(&body)), (409, "user.last_admin"));
    }
    let create = json!({ "login": "Viewer", "password": PASSWORD });
    let (status, body) = world
        .send(Who::Admin, Method::POST, "/api/v1/users", &create)
        .await;
    assert_eq!(
        (status, code(&body)),
        (409, "user.login_taken"),
        "letter case does not make another login"
    );
    let create = json!({ "login": "new.user", "password": PASSWORD, "is_admin": true });
    let (status, body) = world
        .send(Who::Admin, Method::POST, "/api/v1/users", &create)
        .await;
    assert_eq!((status, &body["display_name"]), (201, &json!("new.user")));
    assert_eq!(body.get("password"), None::<&Value>);
    let (status, _) = world
        .send(
            Who::Admin,
            Method::PATCH,
            &path,
            &json!({ "is_admin": false }),
        )
        .await;
    assert_eq!(status, 200, "now there is another one");
    world.stop().await;
}
