use std::time::Duration;

use cronfleet_store::{Hint, NewCenter, SharedFact};
use uuid::Uuid;

use crate::world::{World, at, scheduled};

conformance! {
    centers_are_known_and_take_leave,
    a_gone_center_leaves_no_session_behind,
    a_session_that_was_left_over_is_found_by_its_center,
    hints_reach_the_others_for_a_while,
    a_shared_fact_is_the_first_ones,
}

fn center(id: &str) -> NewCenter {
    NewCenter {
        id: id.to_owned(),
        name: format!("host of {id}"),
        version: "1.2.3".to_owned(),
        address: "https://fleet.example.org:8780".to_owned(),
        agent_address: (id == "a").then(|| "a.example.org:8781".to_owned()),
    }
}

async fn ids(w: &World) -> Vec<String> {
    let centers = w.store.centers().await.unwrap();
    centers.into_iter().map(|row| row.center.id).collect()
}

async fn centers_are_known_and_take_leave(w: World) {
    w.store.put_center(&center("a")).await.unwrap();
    w.store.put_center(&center("a")).await.unwrap();
    let rows = w.store.centers().await.unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].center, center("a"));
    assert!(rows[0].is_live && rows[0].agents == 0);
    assert!(rows[0].last_seen_at >= rows[0].started_at);
    w.store.put_center(&center("b")).await.unwrap();
    if w.db.engine().is_shared() {
        assert_eq!(ids(&w).await, ["a", "b"]);
        w.db.execute("UPDATE centers SET last_seen_at = last_seen_at - 60000000 WHERE id = 'a'")
            .await;
        assert!(!w.store.centers().await.unwrap()[0].is_live);
        w.db.execute("UPDATE centers SET last_seen_at = 1 WHERE id = 'a'")
            .await;
        w.store.put_center(&center("c")).await.unwrap();
        assert_eq!(ids(&w).await, ["b", "c"], "forgotten after a day");
        w.store.delete_center("c").await.unwrap();
    }
    assert_eq!(ids(&w).await, ["b"]);
    w.store.delete_center("b").await.unwrap();
    assert_eq!(ids(&w).await, Vec::<String>::new());
}

async fn a_gone_center_leaves_no_session_behind(w: World) {
    let group = w.group(1).await;
    let (lost, kept) = (w.agent(1, &[group]).await, w.agent(2, &[group]).await);
    let job = w.job(1, group, scheduled("a")).await;
    let run = w.plan_one(job, at(60), lost).await;
    // The sessions of these tests are with "center".
    let session = w.session(lost).await;
    w.dispatch(&session).await;
    w.store.put_center(&center("center")).await.unwrap();
    let gone = w.store.close_sessions_of_gone_centers(at(5)).await.unwrap();
    assert_eq!(gone, []);
    assert_eq!(w.store.centers().await.unwrap()[0].agents, 1);
    w.store.delete_center("center").await.unwrap();
    let gone = w.store.close_sessions_of_gone_centers(at(7)).await.unwrap();
    assert_eq!(gone, [lost]);
    assert_eq!(w.run(run).await.unreachable_since, Some(at(7)));
    let gone = w.store.close_sessions_of_gone_centers(at(9)).await.unwrap();
    assert_eq!(gone, []);
    if w.db.engine().is_shared() {
        w.store.put_center(&center("center")).await.unwrap();
        w.session(kept).await;
        w.db.execute("UPDATE centers SET last_seen_at = last_seen_at - 16000000")
            .await;
        let gone = w.store.close_sessions_of_gone_centers(at(9)).await.unwrap();
        assert_eq!(gone, [kept], "not heard of for 16 seconds");
    }
}

async fn a_session_that_was_left_over_is_found_by_its_center(w: World) {
    let agent = w.agent(1, &[]).await;
    let session = w.session(agent).await;
    let found = w.store.sessions_of_center("center").await.unwrap();
    assert_eq!(found, [(agent, session.epoch)]);
    assert_eq!(w.store.sessions_of_center("other").await.unwrap(), []);
    w.store.close_session(&session, at(1)).await.unwrap();
    assert_eq!(w.store.sessions_of_center("center").await.unwrap(), []);
}

async fn hints_reach_the_others_for_a_while(w: World) {
    let hint = |number, body: &str| Hint {
        id: Uuid::from_u128(number),
        body: body.to_owned(),
    };
    let window = Duration::from_secs(5);
    let hints = [hint(2, "[1]"), hint(1, "[2]")];
    w.store.put_hints("a", &hints).await.unwrap();
    w.store.put_hints("b", &[hint(3, "[3]")]).await.unwrap();
    assert_eq!(w.store.hints("a", window).await.unwrap(), [hint(3, "[3]")]);
    let mut heard = w.store.hints("b", window).await.unwrap();
    heard.sort_by_key(|hint| hint.id);
    assert_eq!(heard, [hint(1, "[2]"), hint(2, "[1]")]);
    assert_eq!(w.store.hints("c", window).await.unwrap().len(), 3);
    assert_eq!(w.store.purge_hints().await.unwrap(), 0);
    w.db.execute("UPDATE hints SET written_at = written_at - 10000000")
        .await;
    assert_eq!(w.store.hints("c", window).await.unwrap(), []);
    w.db.execute("UPDATE hints SET written_at = written_at - 60000000")
        .await;
    assert_eq!(w.store.purge_hints().await.unwrap(), 3);
}

async fn a_shared_fact_is_the_first_ones(w: World) {
    let fact = SharedFact::MasterKey;
    assert_eq!(w.store.shared_fact(fact).await.unwrap(), None);
    for (ours, expected) in [("first", "first"), ("second", "first")] {
        let found = w.store.settle_shared_fact(fact, ours).await.unwrap();
        assert_eq!(found, expected);
    }
    let other = SharedFact::CertificateAuthority;
    assert_eq!(w.store.shared_fact(other).await.unwrap(), None);
    w.store.replace_shared_fact(fact, "third").await.unwrap();
    let found = w.store.settle_shared_fact(fact, "fourth").await.unwrap();
    assert_eq!(found, "third");
}
