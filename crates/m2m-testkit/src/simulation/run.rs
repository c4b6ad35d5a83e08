//! One run: a runtime of one thread without timers and sockets, whose time is moved here and nowhere else.

use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

use m2m_authorization_server::AuditMode;
use m2m_io::Clock as _;
use m2m_io::task::{blocking, spawn_detached};
use tokio::sync::oneshot;

use super::api::Api;
use super::caller::{Proof, client, thief};
use super::defect::Defect;
use super::world::{NODES, World};
use super::{node, operator, weather};

/// How long faults last.
const STORM: Duration = Duration::from_secs(110);
/// How long it is calm after that: until everything that was withdrawn must be refused everywhere, and longer while a
/// caller still waits.
const CALM: (Duration, Duration) = (Duration::from_secs(75), Duration::from_secs(180));
const STEP: Duration = Duration::from_millis(500);

/// What became of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Outcome {
    /// The seed that decided everything.
    pub seed: u64,
    /// The first sentence that was broken; `None` if all of them held.
    pub broken: Option<String>,
    /// A hash over all events: the same for the same seed.
    pub hash: u64,
    /// How many events there were.
    pub events: u64,
    /// How many tokens were minted, and calls served, so that nothing passes for want of trying.
    pub counted: (usize, u64),
    /// The last events.
    pub tail: Vec<String>,
}

/// Runs the system under `seed`, with a bug in its surroundings if there shall be one.
///
/// # Panics
/// When the system cannot be set up.
#[must_use]
pub fn run(seed: u64, defect: Option<Defect>) -> Outcome {
    let runtime = tokio::runtime::Builder::new_current_thread().max_blocking_threads(1).build();
    runtime.expect("a runtime").block_on(simulate(seed, defect))
}

async fn simulate(seed: u64, defect: Option<Defect>) -> Outcome {
    let world = World::new(seed, defect);
    let mut pacer = Pacer { gate: Gate::close().await, world: Arc::clone(&world) };
    pacer.set_up().await;
    world.turns.spawn("weather", weather::weather(Arc::clone(&world)));
    pacer.pass(STORM / 2).await;
    if defect == Some(Defect::ClockStandsStill) {
        world.apis().iter().for_each(|api| api.stop_clock());
    }
    pacer.pass(STORM / 2).await;
    world.calm();
    let calm = world.now();
    for name in NODES {
        if world.node(name).is_none() {
            let again = Arc::clone(&world);
            world.turns.spawn("restart", async move { node::start(&again, name).await });
        }
    }
    pacer.pass(CALM.0).await;
    while !world.ledger().all_served() && world.now() < calm + CALM.1 && world.ledger().broken().is_none() {
        pacer.pass(STEP).await;
    }
    let (hash, events, tail) = world.journal.close();
    let broken = world.ledger().broken().map(str::to_owned);
    let broken = broken.or_else(|| last_words(&world));
    let counted = world.ledger().counted();
    Outcome { seed, broken, hash, events, counted, tail }
}

/// What is only true in the end.
fn last_words(world: &World) -> Option<String> {
    if world.nodes().len() < NODES.len() {
        return Some("a node does not come back".to_owned());
    }
    if world.audit == AuditMode::Durable {
        let jtis = world.ledger().jtis();
        let untold = jtis.into_iter().find(|jti| !world.database.tells_of(jti));
        return untold.map(|jti| format!("the token {jti} was handed out and the audit does not tell of it"));
    }
    None
}

/// Moves time from one deadline to the next, and holds the world to its word in between.
struct Pacer {
    gate: Gate,
    world: Arc<World>,
}

impl Pacer {
    async fn set_up(&mut self) {
        let world = Arc::clone(&self.world);
        let (ready, mut is_ready) = oneshot::channel();
        self.world.turns.spawn("set up", async move {
            let making = world.making();
            for name in NODES {
                node::start(&world, name).await;
            }
            drop(making);
            let admin = world.node("a").expect("a node").server.admin();
            let operator = operator::begin(&world, &admin).await;
            let asking = Arc::clone(&operator.asking);
            let asks = client(&world, "orders", 8, &Proof::Secret(Arc::clone(&asking)), None);
            let apis = vec![
                Api::new(&world, "offline", 1, 9_000, None),
                Api::new(&world, "asking", 2, -9_000, Some(asks)),
            ];
            *world.apis.lock().expect("no panic") = apis;
            world.turns.spawn("operator", operator.run());
            world.turns.spawn("thief", thief(Arc::clone(&world), asking));
            let _gone = ready.send(());
        });
        while is_ready.try_recv().is_err() {
            self.step(STEP).await;
        }
    }

    /// Lets so much time pass, unless a sentence is broken.
    async fn pass(&mut self, duration: Duration) {
        let end = self.world.now() + duration;
        while self.world.now() < end && self.world.ledger().broken().is_none() {
            self.step(STEP).await;
            self.world.check();
        }
    }

    async fn step(&mut self, duration: Duration) {
        let time = self.world.time.clone();
        let end = time.monotonic() + duration;
        self.quiet().await;
        while let Some(wait) = time.until_next().filter(|wait| time.monotonic() + *wait <= end) {
            time.advance(wait);
            self.quiet().await;
        }
        time.advance(end.saturating_sub(time.monotonic()));
        self.quiet().await;
    }

    /// Everybody waits for time to pass.
    async fn quiet(&mut self) {
        loop {
            settle().await;
            if self.world.is_making() {
                self.gate.let_through().await;
                settle().await;
            }
            if !self.world.turns.next() {
                return;
            }
        }
    }
}

/// Lets everything run that can. A chain of tasks that wake each other is shorter than this.
async fn settle() {
    for _ in 0..24 {
        tokio::task::yield_now().await;
    }
}

/// Stands on the one thread for blocking work, so that what is done there is done while nothing else runs.
struct Gate(mpsc::Sender<()>);

impl Gate {
    async fn close() -> Self {
        let (gate, reached) = Self::queue();
        // The thread is gone only with the runtime.
        let _gone = reached.await;
        gate
    }

    /// Behind all that waits for the thread now.
    fn queue() -> (Self, oneshot::Receiver<()>) {
        let ((open, opened), (reach, reached)) = (mpsc::channel(), oneshot::channel());
        spawn_detached("gate", async move {
            let stand = move || {
                let _gone = reach.send(());
                // An error is the end of the run.
                let _end = opened.recv();
            };
            let _done = blocking("gate", stand).await;
        });
        (Self(open), reached)
    }

    async fn let_through(&mut self) {
        let (next, reached) = Self::queue();
        settle().await;
        let _gone = std::mem::replace(self, next).0.send(());
        let _gone = reached.await;
    }
}
