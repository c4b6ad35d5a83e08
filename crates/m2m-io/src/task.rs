//! Background tasks with a name that end at shutdown and whose panics are seen.
//!
//! The only place that spawns. A panic is caught and logged with the task's name: it ends that task, not the
//! process, and never silently.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use tokio::sync::watch;

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Its future completed.
    Completed,
    /// Shutdown or [`Task::abort`] came first; its future was dropped at an `await`.
    Stopped,
    /// It panicked; the log has the message.
    Panicked,
}

/// A group of tasks that are stopped together. Cloning gives another handle to the same group.
#[derive(Clone, Debug)]
pub struct Tasks {
    stop: Arc<watch::Sender<bool>>,
    running: Arc<watch::Sender<usize>>,
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl Tasks {
    /// An empty group.
    #[must_use]
    pub fn new() -> Self {
        Self { stop: Arc::new(watch::Sender::new(false)), running: Arc::new(watch::Sender::new(0)) }
    }

    /// Starts a task that runs until it completes or the group shuts down, whichever is first. After shutdown it
    /// stops before its first step.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn spawn(&self, name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
        let counted = Counted::new(&self.running);
        let stopped = self.stopping();
        start(name, async move {
            let _counted = counted;
            until(stopped, future).await
        })
    }

    /// Resolves when shutdown begins: for work that wants to end in its own order (a listener that drains).
    pub fn stopping(&self) -> impl Future<Output = ()> + Send + use<> {
        let mut stop = self.stop.subscribe();
        async move {
            // An error means that the group is gone, which is shutdown as well.
            let _gone = stop.wait_for(|stop| *stop).await;
        }
    }

    /// Stops every task at its next `await` and returns once all have ended. Calling it again is harmless.
    pub async fn shutdown(&self) {
        self.stop.send_replace(true);
        let mut running = self.running.subscribe();
        let _gone = running.wait_for(|running| *running == 0).await;
    }
}

/// One task in the count of its group, however it ends.
struct Counted(Arc<watch::Sender<usize>>);

impl Counted {
    fn new(running: &Arc<watch::Sender<usize>>) -> Self {
        running.send_modify(|running| *running += 1);
        Self(Arc::clone(running))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// A running task. Dropping it lets the task run on.
#[derive(Debug)]
pub struct Task {
    name: &'static str,
    handle: tokio::task::JoinHandle<Ending>,
}

impl Task {
    /// The name it was started with.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Whether it has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.is_finished()
    }

    /// Asks it to stop at its next `await`.
    pub fn abort(&self) {
        self.handle.abort();
    }

    /// Waits for its end.
    pub async fn join(self) -> Ending {
        self.handle.await.unwrap_or(Ending::Stopped)
    }
}

/// Starts a task outside any group: for flights that end by themselves within a time limit.
///
/// # Panics
///
/// Outside a tokio runtime.
pub fn spawn_detached(name: &'static str, future: impl Future<Output = ()> + Send + 'static) -> Task {
    start(name, async move {
        future.await;
        Ending::Completed
    })
}

/// Runs blocking work (files) away from the async workers. `None` when it panicked, which is logged.
pub async fn blocking<T: Send + 'static>(
    name: &'static str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let done = tokio::task::spawn_blocking(move || match catch_unwind(AssertUnwindSafe(work)) {
        Ok(value) => Some(value),
        Err(panic) => {
            report(name, panic.as_ref());
            None
        }
    });
    done.await.ok().flatten()
}

/// Runs short work that may block (a signature elsewhere) on this thread, and lets the other tasks of its worker go on
/// meanwhile. On a runtime of one thread they wait.
pub fn in_place<T>(work: impl FnOnce() -> T) -> T {
    let flavor = tokio::runtime::Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(tokio::runtime::RuntimeFlavor::MultiThread) => tokio::task::block_in_place(work),
        _ => work(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the one tokio::spawn; the task has a name and its panics are logged"
)]
fn start(name: &'static str, future: impl Future<Output = Ending> + Send + 'static) -> Task {
    Task { name, handle: tokio::spawn(guard(name, future)) }
}

/// Turns a panic of `future` into an ending.
async fn guard(name: &'static str, future: impl Future<Output = Ending>) -> Ending {
    let mut future = pin!(future);
    poll_fn(|context| {
        // The future is dropped after a panic and never polled again, so its broken invariants are not seen.
        match catch_unwind(AssertUnwindSafe(|| Future::poll(Pin::as_mut(&mut future), context))) {
            Ok(poll) => poll,
            Err(panic) => {
                report(name, panic.as_ref());
                Poll::Ready(Ending::Panicked)
            }
        }
    })
    .await
}

/// Drives `future` until it completes or `stopped` does.
async fn until(stopped: impl Future<Output = ()>, future: impl Future<Output = ()>) -> Ending {
    tokio::select! {
        biased;
        () = stopped => Ending::Stopped,
        () = future => Ending::Completed,
    }
}

/// Our own panic messages hold no secrets: they are literals (the lints forbid `unwrap` on results in libraries).
fn report(task: &'static str, panic: &(dyn Any + Send)) {
    let message = panic
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    tracing::error!(task, message, "task panicked");
}

#[cfg(test)]
mod tests {
    use std::future::pending;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::{Ending, Tasks, blocking, spawn_detached};

    /// Sets its flag when dropped: how a test sees that a future is gone.
    struct Gone(Arc<AtomicBool>);

    impl Drop for Gone {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }

    #[tokio::test]
    async fn a_task_completes() {
        let tasks = Tasks::new();
        let task = tasks.spawn("short", async {});
        assert_eq!(task.name(), "short");
        assert_eq!(task.join().await, Ending::Completed);
    }

    #[tokio::test]
    async fn shutdown_stops_and_waits() {
        let tasks = Tasks::new();
        let other_handle = tasks.clone();
        let gone = Arc::new(AtomicBool::new(false));
        let guard = Gone(Arc::clone(&gone));
        let task = tasks.spawn("endless", async move {
            let _guard = guard;
            pending::<()>().await;
        });
        tasks.shutdown().await;
        assert!(gone.load(Ordering::SeqCst), "the future was dropped before shutdown returned");
        assert_eq!(task.join().await, Ending::Stopped);
        let late = other_handle.spawn("late", pending());
        assert_eq!(late.join().await, Ending::Stopped);
    }

    #[tokio::test]
    async fn stopping_resolves_at_shutdown() {
        let tasks = Tasks::new();
        let stopping = tasks.stopping();
        tasks.shutdown().await;
        stopping.await;
    }

    #[tokio::test]
    async fn a_panic_ends_only_its_task() {
        let tasks = Tasks::new();
        let task = tasks.spawn("broken", async { panic!("on purpose") });
        assert_eq!(task.join().await, Ending::Panicked);
        assert_eq!(tasks.spawn("next", async {}).join().await, Ending::Completed);
        assert_eq!(spawn_detached("alone", async { panic!("on purpose") }).join().await, Ending::Panicked);
        assert_eq!(blocking("file", || panic!("on purpose")).await, None::<()>);
        assert_eq!(blocking("file", || 7).await, Some(7));
    }

    #[tokio::test]
    async fn abort_stops_one() {
        let task = spawn_detached("endless", pending());
        assert!(!task.is_finished());
        task.abort();
        assert_eq!(task.join().await, Ending::Stopped);
    }
}
