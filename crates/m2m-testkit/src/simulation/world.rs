//! Everything that the parties of one run share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use m2m_authorization_server::AuditMode;
use m2m_authorization_server::store::{Store as _, TokenStatus};
use m2m_io::Clock as _;

use super::api::Api;
use super::database::Database;
use super::defect::Defect;
use super::journal::Journal;
use super::ledger::{Ledger, Shown};
use super::links::Links;
use super::network::Network;
use super::node::{self, Node};
use super::turns::Turns;
use crate::ManualClock;

/// The nodes, by name.
pub(super) const NODES: [&str; 3] = ["a", "b", "c"];

#[derive(Debug)]
pub(super) struct World {
    pub(super) seed: u64,
    pub(super) defect: Option<Defect>,
    pub(super) time: ManualClock,
    pub(super) journal: Arc<Journal>,
    pub(super) links: Arc<Links>,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    pub(super) database: Arc<Database>,
    pub(super) network: Arc<Network>,
    pub(super) audit: AuditMode,
    pub(super) turns: Arc<Turns>,
    pub(super) apis: Mutex<Vec<Arc<Api>>>,
    nodes: Mutex<BTreeMap<String, Node>>,
    starts: Mutex<BTreeMap<String, u32>>,
    /// How many are making signing keys, on a thread that time does not wait for by itself.
    making: AtomicUsize,
    calm: AtomicBool,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(super) fn new(seed: u64, defect: Option<Defect>) -> Arc<Self> {
        let time = ManualClock::new();
        let (links, ledger) = (Arc::<Links>::default(), Arc::<Mutex<Ledger>>::default());
        let journal = Arc::new(Journal::new(&time));
        Arc::new(Self {
            seed,
            defect,
            database: Arc::new(Database::new(seed, &links, &time)),
            network: Arc::new(Network::new(&links, &journal, &time, &ledger)),
            audit: node::audit(seed),
            turns: Arc::default(),
            apis: Mutex::default(),
            nodes: Mutex::default(),
            starts: Mutex::default(),
            making: AtomicUsize::new(0),
            calm: AtomicBool::new(false),
            time,
            journal,
            links,
            ledger,
        })
    }

    pub(super) fn ledger(&self) -> MutexGuard<'_, Ledger> {
        lock(&self.ledger)
    }

    pub(super) fn now(&self) -> Duration {
        self.time.monotonic()
    }

    pub(super) fn apis(&self) -> Vec<Arc<Api>> {
        lock(&self.apis).clone()
    }

    pub(super) fn next_start(&self, name: &str) -> u32 {
        let mut starts = lock(&self.starts);
        let start = starts.entry(name.to_owned()).or_default();
        *start += 1;
        *start
    }

    /// Puts a node in the place of the one of that name.
    pub(super) fn put(&self, name: &str, node: Option<Node>) -> Option<Node> {
        let mut nodes = lock(&self.nodes);
        let before = nodes.remove(name);
        if let Some(node) = node {
            nodes.insert(name.to_owned(), node);
        }
        before
    }

    pub(super) fn node(&self, name: &str) -> Option<Node> {
        lock(&self.nodes).get(name).cloned()
    }

    pub(super) fn nodes(&self) -> Vec<(String, Node)> {
        lock(&self.nodes).iter().map(|(name, node)| (name.clone(), node.clone())).collect()
    }

    /// While it is held, time waits for the thread that makes keys.
    pub(super) fn making(self: &Arc<Self>) -> Making {
        self.making.fetch_add(1, Ordering::Relaxed);
        Making(Arc::clone(self))
    }

    pub(super) fn is_making(&self) -> bool {
        self.making.load(Ordering::Relaxed) > 0
    }

    /// No more faults.
    pub(super) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
        self.links.mend(self.now());
        self.ledger().calm(self.now());
        self.journal.write("weather", "calm");
    }

    pub(super) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Holds every node that says that it may say what stands to what was acknowledged.
    pub(super) fn check(&self) {
        for (name, node) in self.nodes() {
            let (Ok(registry), Ok(())) = (node.store.registry(), node.store.vouch()) else { continue };
            let is_revoked = |jti: &str| node.store.status(jti) == Ok(TokenStatus::Revoked);
            let shown = Shown {
                node: &name,
                registry: &registry,
                is_revoked: &is_revoked,
                good_since: self.links.good_since(&name, "database"),
                now: self.now(),
                wall: self.time.wall(),
            };
            self.ledger().check(&shown);
        }
    }
}

/// See [`World::making`].
pub(super) struct Making(Arc<World>);

impl Drop for Making {
    fn drop(&mut self) {
        self.0.making.fetch_sub(1, Ordering::Relaxed);
    }
}
