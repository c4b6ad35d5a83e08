//! Nodes of one store, and APIs, whose clocks do not agree to the second.

use super::*;
use crate::store::memory::MemoryStore;

/// A node of this store that has this clock.
async fn node(store: &Arc<MemoryStore>, clock: &Arc<FixedClock>) -> Server {
    let settings = settings(clock).store(Arc::clone(store) as _);
    let server = settings.sealing_key(m2m_proto::secret::Secret::new(vec![7; 32])).build().unwrap();
    server.prepare().await.unwrap();
    server
}

/// Two nodes, the second of them a second behind, and a secret of `app`.
async fn two() -> (Harness, Harness, String) {
    let store = Arc::new(MemoryStore::default());
    let (ahead, behind) = (FixedClock::new(), FixedClock::new());
    ahead.advance(Duration::from_secs(1));
    let first = Harness { server: node(&store, &ahead).await, clock: ahead };
    first.server.admin().create_api(api(ORDERS, &["orders:read", "orders:write"])).await.unwrap();
    first.create_client("app").await;
    let secret = first.secret("app").await;
    let second = Harness { server: node(&store, &behind).await, clock: behind };
    // Until the credential is valid by the clock of either.
    first.advance(2);
    second.advance(2);
    (first, second, secret)
}

/// Found by the simulation: the token was no token yet at the other node, and so was neither active nor withdrawn.
#[tokio::test]
async fn a_token_of_a_node_whose_clock_is_ahead_is_known_at_once() {
    let (ahead, behind, secret) = two().await;
    let token = ahead.token("app", &secret).await;
    let is_active = async |node: &Harness| {
        node.post(INTROSPECT, Ask::about(&token).basic("app", &secret)).await.json()["active"] == true
    };
    assert!(is_active(&behind).await);
    let revoked = behind.post(REVOKE, Ask::about(&token).basic("app", &secret)).await;
    assert_eq!(revoked.status, StatusCode::OK);
    assert!(!is_active(&behind).await && !is_active(&ahead).await);
}

/// Found by the simulation: an API that reads the feed accepted a withdrawn token again for the last seconds of its
/// life, which by our clock it no longer had.
#[tokio::test]
async fn what_was_withdrawn_is_told_for_as_long_as_any_api_may_accept_it() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    for late in [0, 29] {
        let token = harness.token("app", &secret).await;
        let claims = harness.claims(&token).await;
        let told = || harness.server.store().revoked(harness.now()).unwrap();
        // Also in the last moment in which an API may accept it, by the skew that is usually allowed.
        let asked = if late == 0 { 0 } else { 600 + late };
        harness.advance(asked);
        harness.post(REVOKE, Ask::about(&token).basic("app", &secret)).await;
        harness.advance(600 + Skew::MAX.get().as_secs() - 1 - asked);
        assert_eq!(told(), [claims.jti().unwrap()], "asked {late} s late");
        harness.advance(1);
        assert_eq!(told(), Vec::<String>::new());
    }
}

#[tokio::test]
async fn a_token_is_active_to_its_last_second_and_no_longer() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let token = harness.token("app", &secret).await;
    harness.advance(598);
    for (left, expect) in [(1, true), (0, false), (-1, false)] {
        harness.advance(1);
        let seen = harness.post(INTROSPECT, Ask::about(&token).basic("app", &secret)).await;
        assert_eq!(seen.json()["active"], expect, "{left} s left");
    }
}
