//! Faults: ways that go bad and nodes that die, for a while each.

use std::sync::Arc;

use m2m_io::Clock as _;

use super::chance::Chance;
use super::links::Way;
use super::node;
use super::world::{NODES, World};

/// Whose ways go bad.
const PARTIES: [&str; 7] = ["steady", "keyed", "bound", "hasty", "offline", "asking", "orders"];

/// Makes weather for as long as it is polled and not calm.
pub(super) async fn weather(world: Arc<World>) {
    let chance = Chance::new(world.seed, "weather");
    loop {
        world.time.sleep(chance.millis(1000, 7000)).await;
        if world.is_calm() {
            return;
        }
        let node = *chance.pick(&NODES).unwrap_or(&"a");
        let lasts = chance.millis(2000, 35_000);
        match chance.below(10) {
            0 | 1 => {
                let (again, down) = (Arc::clone(&world), chance.millis(200, 12_000));
                node::crash(&world, node);
                world.turns.spawn("restart", async move {
                    again.time.sleep(down).await;
                    if again.node(node).is_none() {
                        node::start(&again, node).await;
                    }
                });
            }
            2..=6 => bad(&world, node, "database", way(&chance), lasts),
            _ => {
                let party = chance.pick(&PARTIES).unwrap_or(&"keyed");
                bad(&world, party, node, way(&chance), lasts);
            }
        }
    }
}

fn way(chance: &Chance) -> Way {
    *chance.pick(&[Way::Slow, Way::Lossy, Way::Cut]).unwrap_or(&Way::Cut)
}

/// A way is bad for a while.
fn bad(world: &Arc<World>, from: &str, to: &str, way: Way, lasts: std::time::Duration) {
    world.journal.write("weather", &format!("{from} to {to}: {way:?} for {lasts:?}"));
    world.links.set(from, to, way, world.now());
    let (later, ends) = (Arc::clone(world), (from.to_owned(), to.to_owned()));
    world.turns.spawn("weather", async move {
        later.time.sleep(lasts).await;
        later.links.set(&ends.0, &ends.1, Way::Good, later.now());
    });
}
