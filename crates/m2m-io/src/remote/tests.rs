use std::collections::VecDeque;
use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use ::http::StatusCode;
use tokio::sync::Semaphore;

use super::{Fetch, Fetched, Knobs, Remote, RemoteError, Renewal};
use crate::testing::{StillClock, settle};
use crate::{BoxFuture, HttpError, task};

enum Step {
    Bring(&'static str),
    Fail,
    Hang,
    Panic,
}

struct Script {
    steps: Mutex<VecDeque<Step>>,
    gate: Semaphore,
    started: AtomicUsize,
}

#[derive(Clone)]
struct Scripted(Arc<Script>);

impl Fetch<&'static str> for Scripted {
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<&'static str>, RemoteError>> {
        let script = Arc::clone(&self.0);
        Box::pin(async move {
            script.started.fetch_add(1, Ordering::SeqCst);
            let step =
                script.steps.lock().unwrap().pop_front().expect("a fetch that the test did not foresee");
            script.gate.acquire().await.unwrap().forget();
            match step {
                Step::Bring(value) => Ok(Fetched { value, max_age: None }),
                Step::Fail => Err(RemoteError::Status(StatusCode::BAD_GATEWAY)),
                Step::Hang => pending().await,
                Step::Panic => panic!("on purpose"),
            }
        })
    }
}

struct Setup {
    remote: Remote<&'static str>,
    clock: StillClock,
    script: Arc<Script>,
}

impl Setup {
    fn new(steps: impl IntoIterator<Item = Step>) -> Self {
        let steps = Mutex::new(steps.into_iter().collect());
        let script = Arc::new(Script { steps, gate: Semaphore::new(0), started: AtomicUsize::new(0) });
        let clock = StillClock::new();
        let fetch = Box::new(Scripted(Arc::clone(&script)));
        let remote = Remote::new("test", Knobs::default(), Arc::new(clock.clone()), fetch);
        Self { remote, clock, script }
    }

    fn open(&self) {
        self.script.gate.add_permits(1000);
    }

    fn fetches(&self) -> usize {
        self.script.started.load(Ordering::SeqCst)
    }

    async fn get(&self) -> Result<&'static str, RemoteError> {
        self.remote.get().await.map(|value| *value)
    }
}

fn failure() -> RemoteError {
    RemoteError::Status(StatusCode::BAD_GATEWAY)
}

#[tokio::test]
async fn many_callers_share_one_flight() {
    let setup = Setup::new([Step::Bring("a")]);
    let waiting = (0..100).map(|_| {
        let remote = setup.remote.clone();
        tokio::task::unconstrained(async move { remote.get().await.map(|value| *value) })
    });
    let mut waiting = waiting.map(Box::pin).collect::<Vec<_>>();
    for waiter in &mut waiting {
        assert!(started(waiter).await, "waits for the gate");
    }
    setup.open();
    for waiter in waiting {
        assert_eq!(waiter.await, Ok("a"));
    }
    assert_eq!(setup.fetches(), 1);
}

/// Polls once; true if it is waiting.
async fn started<F: Future + Unpin>(future: &mut F) -> bool {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
    })
    .await
}

#[tokio::test]
async fn a_caller_may_give_up_and_the_flight_goes_on() {
    let setup = Setup::new([Step::Bring("a")]);
    let mut caller = Box::pin(setup.get());
    assert!(started(&mut caller).await);
    drop(caller);
    settle().await;
    setup.open();
    settle().await;
    assert_eq!(setup.remote.peek().as_deref(), Some(&"a"));
    assert_eq!(setup.fetches(), 1);
}

#[tokio::test]
async fn a_failure_reaches_every_waiter_and_the_cooldown() {
    let setup = Setup::new([Step::Fail, Step::Bring("a")]);
    let (mut first, mut second) = (Box::pin(setup.get()), Box::pin(setup.get()));
    assert!(started(&mut first).await && started(&mut second).await);
    setup.open();
    assert_eq!((first.await, second.await), (Err(failure()), Err(failure())));
    setup.clock.advance(29);
    assert_eq!(setup.get().await, Err(failure()));
    assert_eq!(setup.fetches(), 1);
    setup.clock.advance(1);
    assert_eq!(setup.get().await, Ok("a"));
}

#[tokio::test]
async fn a_fetch_that_hangs_times_out() {
    let setup = Setup::new([Step::Hang]);
    setup.open();
    let mut caller = Box::pin(setup.get());
    assert!(started(&mut caller).await);
    settle().await;
    setup.clock.advance(4);
    settle().await;
    assert!(started(&mut caller).await);
    setup.clock.advance(1);
    assert_eq!(caller.await, Err(RemoteError::Http(HttpError::Timeout)));
}

/// What was withdrawn while a slow server sent is not believed for longer because of that.
#[tokio::test]
async fn age_counts_from_the_start_of_a_fetch() {
    let setup = Setup::new([Step::Bring("a"), Step::Fail, Step::Fail]);
    let mut caller = Box::pin(setup.get());
    assert!(started(&mut caller).await);
    settle().await;
    setup.clock.advance(4);
    setup.open();
    assert_eq!(caller.await, Ok("a"));
    setup.clock.advance(595);
    assert!(setup.remote.peek().is_some());
    settle().await;
    setup.clock.advance(3600);
    assert_eq!(setup.get().await, Ok("a"), "4199 s after it was asked for");
    setup.clock.advance(1);
    assert_eq!(setup.get().await, Err(failure()));
}

#[tokio::test]
async fn a_fetch_that_panics_is_a_failure() {
    let setup = Setup::new([Step::Panic, Step::Bring("a")]);
    setup.open();
    assert_eq!(setup.get().await, Err(RemoteError::Lost));
    setup.clock.advance(30);
    assert_eq!(setup.get().await, Ok("a"));
}

#[tokio::test]
async fn a_due_document_is_served_and_renewed_behind() {
    let setup = Setup::new([Step::Bring("a"), Step::Bring("b")]);
    assert!(setup.remote.peek().is_none());
    settle().await;
    assert_eq!(setup.fetches(), 0, "peek starts nothing when nothing is held");
    setup.open();
    assert_eq!(setup.get().await, Ok("a"));
    setup.clock.advance(480);
    assert_eq!(setup.remote.peek().as_deref(), Some(&"a"));
    settle().await;
    assert_eq!(setup.get().await, Ok("b"));
    assert_eq!(setup.fetches(), 2);
}

#[tokio::test]
async fn a_stale_document_waits_for_the_new_one_and_survives_failure() {
    let setup = Setup::new([Step::Bring("a"), Step::Bring("b"), Step::Fail, Step::Fail]);
    setup.open();
    assert_eq!(setup.get().await, Ok("a"));
    setup.clock.advance(600);
    assert!(setup.remote.peek().is_none());
    assert_eq!(setup.get().await, Ok("b"));
    setup.clock.advance(600);
    assert_eq!(setup.get().await, Ok("b"), "the fetch failed, the document is used");
    assert_eq!(setup.fetches(), 3);
    setup.clock.advance(3600);
    assert_eq!(setup.get().await, Err(failure()), "beyond the ceiling");
}

#[tokio::test]
async fn the_ceiling_may_pass_while_a_fetch_hangs() {
    let setup = Setup::new([Step::Bring("a"), Step::Hang]);
    setup.open();
    assert_eq!(setup.get().await, Ok("a"));
    setup.clock.advance(4198);
    let mut caller = Box::pin(setup.get());
    assert!(started(&mut caller).await);
    settle().await;
    setup.clock.advance(5);
    assert_eq!(caller.await, Err(RemoteError::Http(HttpError::Timeout)));
}

#[tokio::test]
async fn a_renewal_is_once_per_cooldown_and_says_how_new_it_is() {
    let setup = Setup::new([Step::Bring("a"), Step::Bring("b"), Step::Fail]);
    setup.open();
    assert_eq!(setup.get().await, Ok("a"));
    assert_eq!(setup.remote.renewal().await, Renewal::TooSoon);
    setup.clock.advance(30);
    let both = tokio::join!(setup.remote.renewal(), setup.remote.renewal());
    assert_eq!(both, (Renewal::Fetched(Arc::new("b")), Renewal::Joined(Arc::new("b"))));
    setup.clock.advance(30);
    assert_eq!(setup.remote.renewal().await, Renewal::Failed(failure()));
    assert_eq!(setup.remote.renewal().await, Renewal::Failed(failure()), "while it cools down");
    assert_eq!(setup.get().await, Ok("b"));
    assert_eq!(setup.fetches(), 3);
}

#[tokio::test]
async fn a_document_says_whether_it_was_fetched_after_the_question() {
    let setup = Setup::new([Step::Bring("a"), Step::Fail]);
    setup.open();
    let obtain = async || setup.remote.obtain().await.map(|(value, own)| (*value, own));
    assert_eq!(tokio::join!(obtain(), obtain()), (Ok(("a", true)), Ok(("a", false))));
    assert_eq!(obtain().await, Ok(("a", false)));
    setup.clock.advance(600);
    assert_eq!(obtain().await, Ok(("a", false)), "the fetch failed");
}

#[test]
fn a_runtime_that_ends_is_no_deadlock() {
    let setup = Setup::new([Step::Hang]);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let remote = setup.remote.clone();
    runtime.block_on(async move {
        task::spawn_detached("test", async move {
            remote.get().await.unwrap_err();
        });
        settle().await;
    });
    drop(runtime);
    assert!(setup.remote.peek().is_none());
}

#[test]
fn which_failures_pass() {
    assert!(RemoteError::Http(HttpError::Timeout).is_transient());
    assert!(RemoteError::Status(StatusCode::BAD_GATEWAY).is_transient());
    assert!(RemoteError::Status(StatusCode::TOO_MANY_REQUESTS).is_transient());
    assert!(!RemoteError::Status(StatusCode::NOT_FOUND).is_transient());
    assert!(!RemoteError::Document("x".into()).is_transient());
}
