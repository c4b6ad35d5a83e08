//! `/livez` and `/readyz`, beside `/metrics` on the listener of its own: the paths of the main one are the program's.
//!
//! Enforces: not ready before the issuers' keys (and feeds, where they are read) are held, so that nobody is sent here
//! to be answered 503; not ready from the first signal on. One issuer of several that is down keeps this up for
//! [`PATIENCE`] and no longer, because tokens of the others can go on; while no issuer's keys were ever held it is not
//! ready at all, so that a wrong `issuer` does not take the place of gateways that work. Once ready, an issuer or a
//! program that is down makes no gateway less ready than another one: taking all of them away at once would help nobody.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use http::StatusCode;
use m2m_io::Clock;
use m2m_resource_server::Verifier;

/// How long keys are waited for.
const PATIENCE: Duration = Duration::from_secs(60);
/// Between two attempts; the verifier fetches no more often than it would for tokens.
const PAUSE: Duration = Duration::from_secs(1);

const STARTING: u8 = 0;
const READY: u8 = 1;
const STOPPING: u8 = 2;

/// What `/readyz` says.
#[derive(Clone, Debug, Default)]
pub(super) struct Health(Arc<AtomicU8>);

impl Health {
    /// From now on `/readyz` is 503.
    pub(super) fn stop(&self) {
        self.0.store(STOPPING, Ordering::Relaxed);
    }

    /// Ready, once keys are held or have been waited for long enough.
    pub(super) async fn prepare(self, verifier: Verifier, clock: Arc<dyn Clock>) {
        let began = clock.monotonic();
        while let Err(reason) = verifier.prepare().await {
            let cause = reason.cause();
            if clock.monotonic().saturating_sub(began) >= PATIENCE && verifier.holds_any_keys() {
                tracing::warn!(
                    cause,
                    "ready without the keys of every issuer: tokens of it are answered 503"
                );
                break;
            }
            tracing::debug!(cause, "not ready yet: an issuer's keys cannot be had");
            clock.sleep(PAUSE).await;
        }
        // Whoever is stopping stays so.
        let _stopping = self.0.compare_exchange(STARTING, READY, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// The two routes.
    pub(super) fn router(&self) -> Router {
        let own = self.clone();
        let ready = move || {
            let state = own.0.load(Ordering::Relaxed);
            async move {
                match state {
                    READY => (StatusCode::OK, "ready\n"),
                    STARTING => (StatusCode::SERVICE_UNAVAILABLE, "waiting for the issuer's keys\n"),
                    _ => (StatusCode::SERVICE_UNAVAILABLE, "stopping\n"),
                }
            }
        };
        Router::new().route("/livez", get(|| async { "alive\n" })).route("/readyz", get(ready))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use http::Request;
    use m2m_io::{BoxFuture, SystemClock};
    use m2m_proto::time::UnixTime;
    use m2m_proto::uri::Issuer;
    use tower::ServiceExt as _;

    use super::*;
    use crate::proxy::fixture::Party;

    async fn status(health: &Health) -> u16 {
        let request = Request::get("/readyz").body(Body::empty()).unwrap();
        health.router().oneshot(request).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn ready_with_keys_and_not_before_nor_after_the_signal() {
        let (health, clock) = (Health::default(), Arc::new(SystemClock));
        assert_eq!(status(&health).await, 503);
        health.clone().prepare(Party::new().verifier(), Arc::clone(&clock) as Arc<dyn Clock>).await;
        assert_eq!(status(&health).await, 200);
        health.stop();
        health.clone().prepare(Party::new().verifier(), clock).await;
        assert_eq!(status(&health).await, 503);
    }

    /// Sleeps in no time.
    #[derive(Debug, Default)]
    struct Leaping(std::sync::Mutex<Duration>);

    impl Clock for Leaping {
        fn wall(&self) -> UnixTime {
            UnixTime::from_seconds(1_700_000_000 + self.monotonic().as_secs())
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
            *self.0.lock().unwrap() += duration;
            Box::pin(tokio::task::yield_now())
        }
    }

    #[tokio::test]
    async fn one_of_several_issuers_is_waited_for_and_not_for_ever() {
        let (health, clock) = (Health::default(), Arc::new(Leaping::default()));
        let gone = Issuer::parse("http://127.0.0.1:1").unwrap();
        let verifier = Party::new().verifier_with(|builder| builder.trust(gone, "orders"));
        health.clone().prepare(verifier, Arc::clone(&clock) as Arc<dyn Clock>).await;
        assert_eq!((status(&health).await, clock.monotonic()), (200, PATIENCE));
    }

    #[tokio::test]
    async fn without_any_keys_it_is_never_ready() {
        let (health, clock) = (Health::default(), Arc::new(Leaping::default()));
        let gone = Issuer::parse("http://127.0.0.1:1").unwrap();
        let verifier = Verifier::builder().trust(gone, "orders").build().unwrap();
        let mut waiting = Box::pin(health.clone().prepare(verifier, Arc::clone(&clock) as Arc<dyn Clock>));
        while clock.monotonic() < 10 * PATIENCE {
            tokio::select! {
                biased;
                () = &mut waiting => unreachable!("nobody has any keys"),
                () = tokio::task::yield_now() => {}
            }
        }
        assert_eq!(status(&health).await, 503);
    }
}
