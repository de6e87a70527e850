use cronfleet_core::id::{AgentId, GroupId};
use cronfleet_core::secret::{Given, SecretUse};
use cronfleet_store::{Sealed, StoreError};

use crate::world::{ADMIN, ALL, World, at, scheduled};

conformance! {
    a_secret_has_versions_and_no_value_in_lists,
    only_who_runs_a_job_gets_its_secrets,
    secrets_go_with_their_group,
    a_key_is_remembered,
}

fn sealed(text: &str) -> Sealed {
    Sealed {
        key_id: "00112233445566aa".into(),
        bytes: text.into(),
    }
}

async fn a_secret_has_versions_and_no_value_in_lists(w: World) {
    let group = w.group(1).await;
    let put = async |name: &str, text: &str, seconds| {
        w.store
            .put_secret(group, name, &sealed(text), ADMIN, at(seconds))
            .await
            .unwrap()
    };
    assert_eq!(put("b", "first", 1).await.version, 1);
    assert_eq!(put("a", "other", 2).await.version, 1);
    let second = put("b", "second", 3).await;
    assert_eq!((second.version, second.updated_by.as_str()), (2, "admin"));
    assert_eq!((second.created_at, second.updated_at), (at(1), at(3)));
    let listed = w.store.secrets(&ALL, group).await.unwrap();
    let names: Vec<&str> = listed.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["a", "b"]);
    assert!(w.store.delete_secret(group, "a").await.unwrap());
    assert!(!w.store.delete_secret(group, "a").await.unwrap());
    let missing = GroupId::from_u128(99);
    let refused = w
        .store
        .put_secret(missing, "a", &sealed("x"), ADMIN, at(4))
        .await;
    assert!(matches!(refused, Err(StoreError::Missing { .. })));
}

async fn only_who_runs_a_job_gets_its_secrets(w: World) {
    let group = w.group(1).await;
    let (ours, other) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let mut spec = scheduled("report");
    spec.launch.secrets = ["there", "gone"]
        .map(|name| SecretUse {
            name: name.into(),
            given: Given::Environment(name.to_uppercase()),
        })
        .into();
    let job = w.job(1, group, spec).await;
    for name in ["there", "unused"] {
        w.store
            .put_secret(group, name, &sealed(name), ADMIN, at(1))
            .await
            .unwrap();
    }
    let get =
        async |agent: AgentId, version| w.store.secrets_for(agent, job, version).await.unwrap();
    assert_eq!(get(ours, 1).await, None, "it has no order");
    let session = w.session(ours).await;
    w.plan_one(job, at(60), ours).await;
    assert_eq!(get(ours, 1).await, None, "it was not sent yet");
    w.dispatch(&session).await;
    let found = get(ours, 1).await.unwrap();
    assert_eq!((found.group, found.uses.len()), (group, 2));
    assert_eq!(found.found.len(), 1);
    assert_eq!(found.found[0].sealed, sealed("there"));
    assert_eq!(get(other, 1).await, None, "another agent has it");
    assert_eq!(get(ours, 2).await, None, "another version");
}

async fn secrets_go_with_their_group(w: World) {
    let group = w.group(1).await;
    w.store
        .put_secret(group, "a", &sealed("x"), ADMIN, at(1))
        .await
        .unwrap();
    w.store.delete_group(group).await.unwrap();
    assert_eq!(w.store.secrets(&ALL, group).await.unwrap(), []);
}

async fn a_key_is_remembered(w: World) {
    let key = sealed("check");
    assert_eq!(w.store.key_check(&key.key_id).await.unwrap(), None);
    w.store.put_key_check(&key, at(1)).await.unwrap();
    let again = Sealed {
        bytes: b"later".to_vec(),
        ..key.clone()
    };
    w.store.put_key_check(&again, at(2)).await.unwrap();
    let kept = w.store.key_check(&key.key_id).await.unwrap();
    assert_eq!(kept.as_deref(), Some(&b"check"[..]));
    let group = w.group(1).await;
    let put = w.store.put_secret(group, "a", &key, ADMIN, at(1));
    put.await.unwrap();
    let has_others = async |id: &str| w.store.has_secrets_of_other_keys(id).await.unwrap();
    assert!(!has_others(&key.key_id).await);
    assert!(has_others("ffffffffffffffff").await);
}
