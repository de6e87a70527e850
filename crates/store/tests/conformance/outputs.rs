use cronfleet_core::id::{AgentId, LifeId, RunId};
use cronfleet_store::{LifeChunks, LifeKind, NewChunk};

use crate::world::{ALL, World, at, exited, only, scheduled};

conformance! {
    output_reads_back,
    sending_again_changes_nothing,
    what_was_missing_may_come_later,
    beginning_and_end_are_kept_within_the_cap,
    what_was_trimmed_does_not_come_back,
    reading_begins_anywhere,
    a_tail_is_the_end,
    an_agent_appends_to_its_own_lives,
    a_life_is_complete_when_everything_has_come,
    any_repetition_gives_the_same_output,
}

/// A chunk whose bytes tell its offset.
fn chunk(offset: u64, length: u32) -> NewChunk {
    NewChunk {
        offset,
        length,
        is_compressed: offset % 2 == 1,
        data: format!("{offset}+{length}").into_bytes(),
    }
}

fn chunks(life: LifeId, chunks: Vec<NewChunk>) -> LifeChunks {
    LifeChunks {
        life,
        cap_bytes: 1 << 40,
        head_bytes: 1 << 38,
        chunks,
        end_offset: None,
    }
}

struct Fleet {
    w: World,
    agent: AgentId,
    run: RunId,
    life: LifeId,
}

impl Fleet {
    async fn new(w: World) -> Self {
        let group = w.group(1).await;
        let agent = w.agent(1, &[group]).await;
        let job = w.job(1, group, scheduled("a")).await;
        let run = w.plan_one(job, at(60), agent).await;
        Self {
            w,
            agent,
            run,
            life: LifeId::from(run),
        }
    }

    async fn append(&self, new: Vec<NewChunk>) {
        self.append_within(1 << 40, new).await;
    }

    async fn append_within(&self, cap_bytes: u64, new: Vec<NewChunk>) {
        let output = LifeChunks {
            cap_bytes,
            head_bytes: cap_bytes / 4,
            ..chunks(self.life, new)
        };
        assert_eq!(
            self.w
                .store
                .append_output(self.agent, &[output], at(1))
                .await
                .unwrap(),
            []
        );
    }

    /// Offsets and lengths of all that is stored.
    async fn stored(&self) -> Vec<(u64, u32)> {
        let rows = self
            .w
            .store
            .read_output(self.life, 0, u64::MAX)
            .await
            .unwrap();
        for row in &rows {
            assert_eq!(
                row.data,
                format!("{}+{}", row.offset, row.length).into_bytes()
            );
            assert_eq!(row.is_compressed, row.offset % 2 == 1);
        }
        rows.into_iter()
            .map(|row| (row.offset, row.length))
            .collect()
    }
}

async fn output_reads_back(w: World) {
    let f = Fleet::new(w).await;
    f.append(vec![chunk(0, 10), chunk(10, 5)]).await;
    f.append(vec![chunk(15, 1)]).await;
    assert_eq!(f.stored().await, [(0, 10), (10, 5), (15, 1)]);
    let life = f.w.store.life(&ALL, f.life).await.unwrap().unwrap();
    assert_eq!(
        (
            life.seen_to,
            life.stored_bytes,
            life.trimmed_bytes,
            life.kind
        ),
        (16, 16, 0, LifeKind::Run)
    );
    assert!(f.w.store.life(&only(&[]), f.life).await.unwrap().is_none());
    assert!(
        f.w.store
            .life(&ALL, LifeId::from_u128(1))
            .await
            .unwrap()
            .is_none()
    );
}

async fn sending_again_changes_nothing(w: World) {
    let f = Fleet::new(w).await;
    f.append(vec![chunk(0, 10), chunk(10, 10)]).await;
    f.append(vec![chunk(0, 10), chunk(10, 10), chunk(20, 10)])
        .await;
    f.append(vec![
        chunk(5, 10),
        chunk(15, 30),
        chunk(0, 30),
        chunk(29, 1),
        chunk(7, 0),
    ])
    .await;
    assert_eq!(f.stored().await, [(0, 10), (10, 10), (20, 10)]);
    assert_eq!(
        f.w.store
            .life(&ALL, f.life)
            .await
            .unwrap()
            .unwrap()
            .stored_bytes,
        30
    );
}

async fn what_was_missing_may_come_later(w: World) {
    let f = Fleet::new(w).await;
    f.append(vec![chunk(0, 10), chunk(50, 10)]).await;
    f.append(vec![chunk(10, 20), chunk(45, 10)]).await;
    assert_eq!(f.stored().await, [(0, 10), (10, 20), (50, 10)]);
}

async fn beginning_and_end_are_kept_within_the_cap(w: World) {
    let f = Fleet::new(w).await;
    for number in 0..100 {
        f.append_within(100, vec![chunk(number * 10, 10)]).await;
    }
    let stored = f.stored().await;
    assert_eq!(
        &stored[..2],
        [(0, 10), (10, 10)],
        "within the first quarter"
    );
    assert_eq!(
        stored[2..]
            .iter()
            .map(|(offset, _)| *offset)
            .collect::<Vec<_>>(),
        (920..1_000).step_by(10).collect::<Vec<_>>()
    );
    let life = f.w.store.life(&ALL, f.life).await.unwrap().unwrap();
    assert_eq!(
        (life.stored_bytes, life.trimmed_bytes, life.seen_to),
        (100, 900, 1_000)
    );
    assert_eq!(f.w.run(f.run).await.trimmed_bytes, 900);
    f.append_within(100, vec![chunk(1_000, 500)]).await;
    let stored = f.stored().await;
    assert_eq!(
        stored,
        [(0, 10), (10, 10), (1_000, 500)],
        "the newest stays, however large"
    );
}

async fn what_was_trimmed_does_not_come_back(w: World) {
    let f = Fleet::new(w).await;
    let all: Vec<_> = (0..100).map(|number| chunk(number * 10, 10)).collect();
    f.append_within(100, all.clone()).await;
    let before = f.stored().await;
    f.append_within(100, all).await;
    assert_eq!(f.stored().await, before);
    assert_eq!(
        f.w.store
            .life(&ALL, f.life)
            .await
            .unwrap()
            .unwrap()
            .trimmed_bytes,
        900
    );
}

async fn reading_begins_anywhere(w: World) {
    let f = Fleet::new(w).await;
    f.append((0..50).map(|number| chunk(number * 10, 10)).collect())
        .await;
    let read = async |from, bytes| {
        let rows = f.w.store.read_output(f.life, from, bytes).await.unwrap();
        rows.iter().map(|row| row.offset).collect::<Vec<_>>()
    };
    assert_eq!(read(0, 1).await, [0]);
    assert_eq!(
        read(25, 20).await,
        [20, 30],
        "begins with the chunk around the offset"
    );
    assert_eq!(read(30, 25).await, [30, 40, 50]);
    assert_eq!(read(0, u64::MAX).await.len(), 50);
    assert_eq!(read(495, 100).await, [490]);
    assert!(read(500, 100).await.is_empty());
    f.append(vec![chunk(10_000_000, 10)]).await;
    assert_eq!(read(500, 100).await, [10_000_000], "behind a gap");
}

async fn a_tail_is_the_end(w: World) {
    let f = Fleet::new(w).await;
    assert_eq!(f.w.store.tail_output(f.life, 10).await.unwrap(), []);
    f.append((0..50).map(|number| chunk(number * 10, 10)).collect())
        .await;
    let tail = async |bytes| {
        let rows = f.w.store.tail_output(f.life, bytes).await.unwrap();
        rows.iter().map(|row| row.offset).collect::<Vec<_>>()
    };
    assert_eq!(tail(1).await, [490]);
    assert_eq!(tail(21).await, [470, 480, 490]);
    assert_eq!(
        tail(u64::MAX).await,
        (0..500).step_by(10).collect::<Vec<_>>()
    );
}

async fn an_agent_appends_to_its_own_lives(w: World) {
    let f = Fleet::new(w).await;
    let thief = f.w.agent(2, &[]).await;
    let stolen = chunks(f.life, vec![chunk(0, 10)]);
    assert_eq!(
        f.w.store
            .append_output(thief, std::slice::from_ref(&stolen), at(1))
            .await
            .unwrap(),
        [f.life]
    );
    f.append(vec![chunk(0, 4)]).await;
    assert_eq!(
        f.w.store
            .append_output(thief, &[stolen], at(1))
            .await
            .unwrap(),
        [f.life]
    );
    assert_eq!(f.stored().await, [(0, 4)]);
}

async fn a_life_is_complete_when_everything_has_come(w: World) {
    let f = Fleet::new(w).await;
    let session = f.w.session(f.agent).await;
    f.w.dispatch(&session).await;
    let is_complete = async || {
        f.w.store
            .life(&ALL, f.life)
            .await
            .unwrap()
            .unwrap()
            .is_complete()
    };
    assert!(!is_complete().await);
    f.append(vec![chunk(0, 10)]).await;
    f.w.claim(&session, f.run, exited(at(61), 0)).await;
    assert!(!is_complete().await, "20 bytes were announced");
    let rest = LifeChunks {
        end_offset: Some(20),
        ..chunks(f.life, vec![chunk(10, 10)])
    };
    f.w.store
        .append_output(f.agent, &[rest], at(2))
        .await
        .unwrap();
    assert!(is_complete().await);
}

/// Agents send whole prefixes again after every loss of the connection.
async fn any_repetition_gives_the_same_output(w: World) {
    let f = Fleet::new(w).await;
    let all: Vec<_> = (0..60).map(|number| chunk(number * 7, 7)).collect();
    let mut seed = 3_u64;
    let mut draw = |below: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % below
    };
    let mut sent = 0;
    while sent < all.len() {
        let from = draw(sent + 1);
        let to = (sent + 1 + draw(6)).min(all.len());
        f.append(all[from..to].to_vec()).await;
        sent = to;
    }
    assert_eq!(
        f.stored().await,
        all.iter()
            .map(|chunk| (chunk.offset, chunk.length))
            .collect::<Vec<_>>()
    );
}
