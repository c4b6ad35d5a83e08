//! What one process does at the moment, so that it can end in the middle of all of it, one thing after another.

use std::sync::{Arc, Mutex, PoisonError};

use m2m_io::task::{Task, spawn_detached};

/// The tasks of one process, in the order in which they began.
#[derive(Clone, Debug, Default)]
pub(super) struct Work(Arc<Mutex<Vec<Task>>>);

impl Work {
    pub(super) fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.retain(|task| !task.is_finished());
        tasks.push(spawn_detached(name, future));
    }

    /// Each of them ends at the next place where it waits.
    pub(super) fn end(&self) {
        let mut tasks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        tasks.drain(..).for_each(|task| task.abort());
    }
}
