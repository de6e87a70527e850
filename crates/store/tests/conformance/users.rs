use cronfleet_core::access::Role;
use cronfleet_core::id::UserId;
use cronfleet_store::{Conflict, NewSession, StoreError, Thing, UserUpdate};

use crate::world::{ADMIN, World, at, new_user, secret};

conformance! {
    logins_are_unique_whatever_their_case,
    the_first_administrator_is_made_once,
    a_setup_code_expires_and_a_new_one_replaces_it,
    the_last_enabled_administrator_stays,
    a_new_password_ends_sessions,
    users_are_listed_in_pages,
    candidates_are_users_without_a_role,
}

async fn logins_are_unique_whatever_their_case(w: World) {
    w.user(UserId::from_u128(1), "Ann", false).await;
    let again = w
        .store
        .create_user(&new_user(UserId::from_u128(2), "aNN", false), at(0))
        .await;
    assert!(
        matches!(again, Err(StoreError::Conflict(Conflict::LoginTaken))),
        "{again:?}"
    );
    let found = w.store.credentials("ANN").await.unwrap().unwrap();
    assert_eq!(
        (found.user.login.as_str(), found.password_hash.as_str()),
        ("Ann", "hash of Ann")
    );
    assert!(w.store.credentials("bob").await.unwrap().is_none());
    let found = w
        .store
        .credentials_of(UserId::from_u128(1))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user.display_name, "ANN");
}

async fn the_first_administrator_is_made_once(w: World) {
    let done = w.store.put_setup_code(secret(1), at(100)).await;
    assert!(
        matches!(done, Err(StoreError::Conflict(Conflict::SetupDone))),
        "{done:?}"
    );
    w.db.execute("DELETE FROM users").await;
    assert!(w.store.is_setup_needed().await.unwrap());
    w.store.put_setup_code(secret(1), at(100)).await.unwrap();
    let first = new_user(UserId::from_u128(1), "first", false);
    let wrong = w.store.create_first_admin(secret(2), &first, at(1)).await;
    assert!(
        matches!(wrong, Err(StoreError::Conflict(Conflict::SetupCodeRefused))),
        "{wrong:?}"
    );
    let made = w
        .store
        .create_first_admin(secret(1), &first, at(1))
        .await
        .unwrap();
    assert!(made.is_admin);
    assert!(!w.store.is_setup_needed().await.unwrap());
    let second = new_user(UserId::from_u128(2), "second", true);
    let again = w.store.create_first_admin(secret(1), &second, at(1)).await;
    assert!(
        matches!(again, Err(StoreError::Conflict(Conflict::SetupDone))),
        "{again:?}"
    );
}

async fn a_setup_code_expires_and_a_new_one_replaces_it(w: World) {
    w.db.execute("DELETE FROM users").await;
    let first = new_user(UserId::from_u128(1), "first", true);
    w.store.put_setup_code(secret(1), at(10)).await.unwrap();
    w.store.put_setup_code(secret(2), at(20)).await.unwrap();
    for (code, now) in [(secret(1), at(5)), (secret(2), at(20))] {
        let refused = w.store.create_first_admin(code, &first, now).await;
        assert!(
            matches!(
                refused,
                Err(StoreError::Conflict(Conflict::SetupCodeRefused))
            ),
            "{refused:?}"
        );
    }
    w.store
        .create_first_admin(secret(2), &first, at(19))
        .await
        .unwrap();
}

async fn the_last_enabled_administrator_stays(w: World) {
    let second = UserId::from_u128(2);
    w.user(second, "second", true).await;
    let disable = UserUpdate {
        is_disabled: Some(true),
        ..UserUpdate::default()
    };
    let demote = UserUpdate {
        is_admin: Some(false),
        ..UserUpdate::default()
    };
    assert!(
        w.store
            .update_user(second, &disable)
            .await
            .unwrap()
            .is_disabled
    );
    for update in [&disable, &demote] {
        let refused = w.store.update_user(ADMIN, update).await;
        assert!(
            matches!(refused, Err(StoreError::Conflict(Conflict::LastAdmin))),
            "{refused:?}"
        );
    }
    let admin = w.store.user(ADMIN).await.unwrap().unwrap();
    assert!(
        admin.is_admin && !admin.is_disabled,
        "a refused change leaves nothing"
    );
    let missing = w.store.update_user(UserId::from_u128(9), &demote).await;
    assert!(
        matches!(missing, Err(StoreError::Missing { what: Thing::User })),
        "{missing:?}"
    );
    let renamed = UserUpdate {
        display_name: Some("A".to_owned()),
        ..UserUpdate::default()
    };
    assert_eq!(
        w.store
            .update_user(ADMIN, &renamed)
            .await
            .unwrap()
            .display_name,
        "A"
    );
}

async fn a_new_password_ends_sessions(w: World) {
    let session = |number| NewSession {
        token: secret(number),
        user: ADMIN,
        idle_expires_at: at(50),
        expires_at: at(90),
    };
    for number in 1..=2 {
        w.store
            .create_session(&session(number), at(0))
            .await
            .unwrap();
    }
    w.store
        .change_password(ADMIN, "other hash", secret(1))
        .await
        .unwrap();
    assert!(
        w.store
            .principal_of_session(secret(1), at(1))
            .await
            .unwrap()
            .is_some()
    );
    assert!(
        w.store
            .principal_of_session(secret(2), at(1))
            .await
            .unwrap()
            .is_none()
    );
    assert_eq!(
        w.store
            .credentials("admin")
            .await
            .unwrap()
            .unwrap()
            .password_hash,
        "other hash"
    );
    let reset = UserUpdate {
        password_hash: Some("third hash".to_owned()),
        ..UserUpdate::default()
    };
    w.store.update_user(ADMIN, &reset).await.unwrap();
    assert!(
        w.store
            .principal_of_session(secret(1), at(1))
            .await
            .unwrap()
            .is_none()
    );
}

async fn users_are_listed_in_pages(w: World) {
    for number in 0..5 {
        w.user(UserId::from_u128(number), &format!("User{number}"), false)
            .await;
    }
    let mut logins = Vec::new();
    let mut after = None;
    loop {
        let page = w.store.users("", after.as_ref(), 2).await.unwrap();
        logins.extend(page.items.into_iter().map(|user| user.login));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(
        logins,
        ["admin", "User0", "User1", "User2", "User3", "User4"]
    );
    let found = w.store.users("uSER3", None, 10).await.unwrap();
    assert_eq!(found.items.len(), 1);
    assert_eq!(
        w.store.users("%", None, 10).await.unwrap().items,
        [],
        "no pattern characters"
    );
}

async fn candidates_are_users_without_a_role(w: World) {
    let group = w.group(1).await;
    let users: Vec<UserId> = (1..=3).map(UserId::from_u128).collect();
    for (user, login) in users.iter().zip(["ann", "anton", "bob"]) {
        w.user(*user, login, false).await;
    }
    w.member(users[0], group, Role::Viewer).await;
    let found = w.store.member_candidates(group, "an", 20).await.unwrap();
    assert_eq!(
        found
            .iter()
            .map(|user| user.login.as_str())
            .collect::<Vec<_>>(),
        ["anton"]
    );
    let disable = UserUpdate {
        is_disabled: Some(true),
        ..UserUpdate::default()
    };
    w.store.update_user(users[1], &disable).await.unwrap();
    assert_eq!(
        w.store.member_candidates(group, "an", 20).await.unwrap(),
        []
    );
}
