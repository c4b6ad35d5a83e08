//! The life of a node: it starts, serves, dies without a word, and starts again with nothing but the database.

use std::sync::Arc;
use std::time::Duration;

use m2m_authorization_server::{AuditMode, RotationPlan, Server};
use m2m_io::Clock as _;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::Issuer;

use super::chance::{Chance, stream};
use super::clock::PartyClock;
use super::defect::Defect;
use super::network::Serving;
use super::store::{Around, NodeStore};
use super::work::Work;
use super::world::World;
use super::{ISSUER, chance};
use crate::{FixedKeys, SeededRandom};

/// How often verifiers fetch status lists and feed.
pub(super) const STATUS_TTL: Duration = Duration::from_secs(10);
/// How long a new key is announced.
const ANNOUNCE: Duration = Duration::from_secs(60);

/// A node that runs.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) server: Server,
    pub(super) store: Arc<NodeStore>,
    pub(super) work: Work,
}

/// Starts a node; it serves once it could read everything.
pub(super) async fn start(world: &Arc<World>, name: &str) {
    let start = world.next_start(name);
    let process = format!("{name}.{start}");
    // Nodes of one store agree about the time to half a second; see `docs/proof.md`.
    let off = i64::try_from(chance::stream(world.seed, name) % 801).unwrap_or_default() - 400;
    let clock = Arc::new(PartyClock::new(&world.time, off));
    let store = Arc::new(NodeStore::new(Around {
        database: Arc::clone(&world.database),
        links: Arc::clone(&world.links),
        journal: Arc::clone(&world.journal),
        clock: Arc::clone(&clock) as _,
        chance: Chance::new(world.seed, &format!("store of {process}")),
        defect: world.defect,
        node: name.to_owned(),
        start,
    }));
    let own_random = match world.defect {
        Some(Defect::SameRandomness) => format!("random of {name}"),
        _ => format!("random of {process}"),
    };
    let mut rotation = RotationPlan::default();
    rotation.announce = ANNOUNCE;
    let server = Server::builder(Issuer::parse(ISSUER).expect("an issuer"))
        .clock(clock)
        .random(Arc::new(SeededRandom::new(stream(world.seed, &own_random))))
        .sealing_key(FixedKeys::secret())
        .signing_key(FixedKeys::signing(Algorithm::Rs256))
        .rotation(rotation)
        .jwks_max_age(ANNOUNCE / 2)
        .status_ttl(STATUS_TTL)
        .audit(world.audit)
        .store(Arc::clone(&store) as _)
        .build()
        .expect("a server");
    while store.open().await.is_err() || server.prepare().await.is_err() {
        world.time.sleep(Duration::from_secs(1)).await;
    }
    let work = Work::default();
    work.spawn("background", server.background());
    world.journal.write(&format!("node {process}"), "serves");
    let serving = Serving { router: server.router(), work: work.clone(), process };
    world.network.place(name, Some(serving));
    world.put(name, Some(Node { server, store, work }));
}

/// Ends a node between two of its steps.
pub(super) fn crash(world: &Arc<World>, name: &str) {
    world.network.place(name, None);
    if let Some(node) = world.put(name, None) {
        world.journal.write(&format!("node {name}"), "dies");
        node.store.die();
        node.work.end();
    }
}

/// Whether an answer waits for its audit record: of every third seed.
pub(super) fn audit(seed: u64) -> AuditMode {
    if seed.is_multiple_of(3) { AuditMode::Durable } else { AuditMode::Batched }
}
