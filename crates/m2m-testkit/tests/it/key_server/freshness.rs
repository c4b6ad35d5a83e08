//! How often a well-behaved verifier asks, whatever it is told about keeping.

use std::time::Duration;

use m2m_testkit::key_server::{Caching, Document, Reply, Tag};

use super::Api;

/// A request every five seconds for an hour. Nobody waits, and the renewals come at four fifths of what the server says, which
/// counts only between 37.5 s and ten minutes.
#[tokio::test]
async fn keys_are_renewed_in_the_background_at_four_fifths_of_a_clamped_age() {
    for (caching, period) in [
        (Caching::Unsaid, 480),
        (Caching::Sensible, 240),
        (Caching::Zero, 30),
        (Caching::NoStore, 30),
        (Caching::Huge, 480),
        (Caching::Absurd, 480),
        (Caching::Aged, 30),
        (Caching::Nonsense, 480),
    ] {
        let api = Api::new();
        api.server.caching(caching);
        assert_eq!(api.status(&api.server.token(0)).await, 200);
        for _ in 0..720 {
            api.pass(5).await;
            let outcome = api.ask(&api.server.token(0)).await;
            assert_eq!((outcome.status, outcome.waited), (200, Duration::ZERO), "{caching:?}");
        }
        api.pass(1).await;
        let fetches = api.key_fetches();
        // A renewal starts with the first request after its time.
        assert_eq!(fetches, 1 + 3600 / period, "{caching:?}");
        assert_eq!(api.server.unchanged(Document::Keys), fetches - 1, "{caching:?}: all others with the tag");
        api.asked_once_per_cooldown();
    }
}

#[tokio::test]
async fn without_requests_there_are_no_fetches() {
    let api = Api::warm().await;
    api.pass(7200).await;
    assert_eq!(api.key_fetches(), 1);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    assert_eq!(api.key_fetches(), 2);
}

#[tokio::test]
async fn without_a_tag_the_set_is_sent_again() {
    let api = Api::new();
    api.server.tag(Tag::Absent);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    api.pass(600).await;
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    assert_eq!((api.key_fetches(), api.server.unchanged(Document::Keys)), (2, 0));
}

/// A tag that stays while the set changes hides withdrawals, and cannot hide new keys.
#[tokio::test]
async fn a_lying_tag_hides_no_new_key() {
    let api = Api::new();
    api.server.tag(Tag::Lying);
    assert_eq!(api.status(&api.server.token(0)).await, 200);
    let new = api.server.token(api.server.rotate());
    api.pass(30).await;
    assert_eq!(api.status(&new).await, 200);
    assert_eq!(api.server.unchanged(Document::Keys), 0);
}

/// A cache on the way that lags behind: the issuer's key is not in what is served.
#[tokio::test]
async fn a_lagging_cache_costs_a_cooldown_at_most() {
    let api = Api::warm().await;
    api.server.reply(Reply::Lagging);
    let new = api.server.token(api.server.rotate());
    for _ in 0..100 {
        assert_ne!(api.status(&new).await, 200);
        assert_eq!(api.status(&api.server.token(0)).await, 200);
        api.pass(1).await;
    }
    api.server.reply(Reply::Good);
    api.pass(30).await;
    assert_eq!(api.status(&new).await, 200);
    api.asked_once_per_cooldown();
}

/// Three seconds for an answer: who is known does not notice.
#[tokio::test]
async fn a_slow_server_slows_only_who_needs_it() {
    let api = Api::warm().await;
    api.server.reply(Reply::Slow);
    api.pass(480).await;
    for _ in 0..10 {
        let outcome = api.ask(&api.server.token(0)).await;
        assert_eq!((outcome.status, outcome.waited), (200, Duration::ZERO));
    }
    api.pass(60).await;
    let new = api.server.token(api.server.rotate());
    let outcome = api.ask(&new).await;
    assert_eq!((outcome.status, outcome.waited), (200, Duration::from_secs(3)));
}
