//! Who acts first of those who may act at the same moment: the runtime wakes those who wait for one thing in an order of
//! its own chance, so the actors of the simulation take turns in the order in which they came.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use m2m_io::BoxFuture;
use m2m_io::task::spawn_detached;

#[derive(Debug, Default)]
struct Known {
    /// Actors that have something to do.
    ready: BTreeSet<usize>,
    /// The one that may act.
    acting: Option<usize>,
    /// How to wake the task of each.
    tasks: Vec<Option<Waker>>,
}

/// The turns of all actors.
#[derive(Debug, Default)]
pub(super) struct Turns(Mutex<Known>);

impl Turns {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an actor; it acts whenever [`Turns::next`] lets it.
    pub(super) fn spawn(
        self: &Arc<Self>,
        name: &'static str,
        actor: impl Future<Output = ()> + Send + 'static,
    ) {
        let place = {
            let mut known = self.known();
            known.tasks.push(None);
            known.tasks.len() - 1
        };
        let own = Arc::new(Own { turns: Arc::clone(self), place });
        own.wake_by_ref();
        spawn_detached(name, InTurn { own, actor: Box::pin(actor) });
    }

    /// Lets the first of those who have something to do act; false if nobody has.
    pub(super) fn next(&self) -> bool {
        let task = {
            let mut known = self.known();
            let Some(place) = known.ready.pop_first() else { return false };
            known.acting = Some(place);
            known.tasks.get(place).cloned().flatten()
        };
        if let Some(task) = task {
            task.wake();
        }
        true
    }
}

/// Whose turn it is about.
#[derive(Debug)]
struct Own {
    turns: Arc<Turns>,
    place: usize,
}

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.turns.known().ready.insert(self.place);
    }
}

struct InTurn {
    own: Arc<Own>,
    actor: BoxFuture<'static, ()>,
}

impl Future for InTurn {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let may = {
            let mut known = self.own.turns.known();
            if let Some(task) = known.tasks.get_mut(self.own.place) {
                *task = Some(context.waker().clone());
            }
            known.acting.take_if(|place| *place == self.own.place).is_some()
        };
        if !may {
            return Poll::Pending;
        }
        let waker = Waker::from(Arc::clone(&self.own));
        self.actor.as_mut().poll(&mut Context::from_waker(&waker))
    }
}
