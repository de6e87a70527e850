//! One center plans at a time: epochs only grow, each has one holder, and no two centers believe that it is theirs.

use std::collections::BTreeMap;

use crate::report::Violation;
use crate::world::World;

pub(super) fn check(world: &World, found: &mut Vec<Violation>) {
    let mut broken = |promise, detail| {
        found.push(Violation {
            promise,
            run: None,
            detail,
        });
    };
    let mut holders = BTreeMap::new();
    let mut newest = 0;
    for (epoch, holder) in &world.db.fenced {
        if *epoch < newest {
            broken(
                "P1 epochs only grow",
                format!("epoch {epoch} of {holder:?} wrote after {newest}"),
            );
        }
        newest = newest.max(*epoch);
        let first = holders.entry(*epoch).or_insert(*holder);
        if first != holder {
            broken(
                "P1 an epoch has one holder",
                format!("epoch {epoch}: {first:?} and {holder:?}"),
            );
        }
    }
    if let Some(at) = world.rivalries.first() {
        broken(
            "P1 one center believes that it plans",
            format!("two did at {at} µs"),
        );
    }
}
