use cronfleet_core::access::Role;
use cronfleet_core::id::UserId;
use cronfleet_store::{NewSession, UserUpdate};

use crate::world::{World, at, secret};

conformance! {
    a_session_stands_for_its_user_and_roles,
    a_session_ends_when_idle_or_old_or_its_user_is_disabled,
    expired_sessions_are_removed,
}

fn session(number: u8, user: UserId) -> NewSession {
    NewSession {
        token: secret(number),
        user,
        idle_expires_at: at(10),
        expires_at: at(100),
    }
}

async fn a_session_stands_for_its_user_and_roles(w: World) {
    let (a, b) = (w.group(1).await, w.group(2).await);
    let user = UserId::from_u128(1);
    w.user(user, "ann", false).await;
    w.member(user, b, Role::Viewer).await;
    w.member(user, a, Role::Viewer).await;
    w.member(user, a, Role::Editor).await;
    w.store
        .create_session(&session(1, user), at(1))
        .await
        .unwrap();
    let found = w
        .store
        .principal_of_session(secret(1), at(2))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.user.login, "ann");
    assert_eq!(found.user.last_sign_in_at, Some(at(1)));
    assert_eq!(
        found.principal.roles,
        [(a, Role::Editor), (b, Role::Viewer)]
    );
    assert!(!found.principal.is_admin);
    assert_eq!(found.memberships[1].group_name, "group 002");
    assert!(
        w.store
            .principal_of_session(secret(2), at(2))
            .await
            .unwrap()
            .is_none()
    );
    w.store.delete_session(secret(1)).await.unwrap();
    assert!(
        w.store
            .principal_of_session(secret(1), at(2))
            .await
            .unwrap()
            .is_none()
    );
}

async fn a_session_ends_when_idle_or_old_or_its_user_is_disabled(w: World) {
    let user = UserId::from_u128(1);
    w.user(user, "ann", false).await;
    w.store
        .create_session(&session(1, user), at(0))
        .await
        .unwrap();
    let is_alive = async |now| {
        w.store
            .principal_of_session(secret(1), now)
            .await
            .unwrap()
            .is_some()
    };
    assert!(is_alive(at(9)).await);
    assert!(!is_alive(at(10)).await, "idle");
    w.store
        .touch_session(secret(1), at(9), at(500))
        .await
        .unwrap();
    assert!(is_alive(at(99)).await);
    assert!(!is_alive(at(100)).await, "old, however often it is used");
    let disable = UserUpdate {
        is_disabled: Some(true),
        ..UserUpdate::default()
    };
    w.store.update_user(user, &disable).await.unwrap();
    assert!(!is_alive(at(1)).await);
    w.store
        .create_session(&session(2, user), at(0))
        .await
        .unwrap();
    assert!(
        w.store
            .principal_of_session(secret(2), at(1))
            .await
            .unwrap()
            .is_none(),
        "disabled"
    );
}

async fn expired_sessions_are_removed(w: World) {
    let user = UserId::from_u128(1);
    w.user(user, "ann", false).await;
    for number in 1..=3 {
        w.store
            .create_session(&session(number, user), at(0))
            .await
            .unwrap();
    }
    w.store
        .touch_session(secret(3), at(5), at(50))
        .await
        .unwrap();
    assert_eq!(w.store.delete_expired_sessions(at(10)).await.unwrap(), 2);
    w.store
        .create_session(&session(1, user), at(5))
        .await
        .unwrap();
    w.store
        .delete_other_sessions(user, secret(1))
        .await
        .unwrap();
    assert!(
        w.store
            .principal_of_session(secret(3), at(6))
            .await
            .unwrap()
            .is_none()
    );
    assert!(
        w.store
            .principal_of_session(secret(1), at(6))
            .await
            .unwrap()
            .is_some()
    );
}
