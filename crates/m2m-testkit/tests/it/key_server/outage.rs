//! The key server is gone, in every way of being gone, while the issuer rotates.

use std::time::Duration;

use m2m_testkit::key_server::{Document, Poison, Reply};

use super::{Api, COOLDOWN, SECOND};

/// Replies that are no key set.
const FAILURES: [Reply; 16] = [
    Reply::Down,
    Reply::Unavailable,
    Reply::Missing,
    Reply::Html,
    Reply::Redirect,
    Reply::Hang,
    Reply::Drip,
    Reply::Cut,
    Reply::Oversized,
    Reply::Bomb,
    Reply::Crowd,
    Reply::Unparsable,
    Reply::Repeated,
    Reply::Deep,
    Reply::Nothing,
    Reply::NotModified,
];

/// Both clients call once a second for as long as the server is gone, and then until the new one gets in. Returns how
/// long that took after the server's return.
async fn rotate_while_gone(api: &Api, reply: Reply) -> Duration {
    let gone = api.clock_now();
    let old = api.server.token(0);
    let new = api.server.token(api.server.rotate());
    api.server.reply(reply);
    while api.clock_now() < gone + SECOND * 30 {
        let outcome = api.ask(&old).await;
        assert_eq!((outcome.status, outcome.waited), (200, Duration::ZERO), "{reply:?}: {outcome:?}");
        api.ask(&new).await.is_put_off(&format!("{reply:?}"));
        api.pass(1).await;
    }
    api.server.reply(Reply::Good);
    let back = api.clock_now();
    loop {
        assert_eq!(api.status(&old).await, 200);
        let outcome = api.ask(&new).await;
        if outcome.status == 200 {
            return api.clock_now() - back;
        }
        outcome.is_put_off("not yet");
        api.pass(1).await;
    }
}

impl Api {
    fn clock_now(&self) -> Duration {
        m2m_io::Clock::monotonic(&self.clock)
    }
}

#[tokio::test]
async fn who_has_an_old_key_stays_and_who_has_a_new_one_is_put_off() {
    for reply in FAILURES {
        for since_the_last_fetch in [0, 1, 29, 30, 100] {
            let api = Api::warm().await;
            api.pass(since_the_last_fetch).await;
            let late = rotate_while_gone(&api, reply).await;
            assert!(late <= COOLDOWN, "{reply:?}, {since_the_last_fetch} s: {late:?} after its return");
            api.asked_once_per_cooldown();
        }
    }
}

#[tokio::test]
async fn who_comes_first_during_an_outage_is_put_off_and_let_in_after_it() {
    for reply in FAILURES {
        let api = Api::new();
        api.server.reply(reply);
        let token = api.server.token(0);
        for _ in 0..30 {
            let outcome = api.ask(&token).await;
            outcome.is_put_off(&format!("{reply:?}"));
            assert!(outcome.waited <= SECOND * 10, "{outcome:?}");
            api.pass(1).await;
        }
        api.server.reply(Reply::Good);
        let back = api.clock_now();
        while api.status(&token).await != 200 {
            api.pass(1).await;
            assert!(api.clock_now() <= back + COOLDOWN, "{reply:?}");
        }
        api.asked_once_per_cooldown();
    }
}

/// Ten minutes fresh, and an hour on credit.
#[tokio::test]
async fn the_last_good_keys_serve_up_to_the_ceiling_and_then_nobody_comes_in() {
    for reply in [Reply::Down, Reply::Html, Reply::Hang] {
        let api = Api::warm().await;
        let fetched = api.clock_now();
        api.server.reply(reply);
        let ceiling = fetched + SECOND * 4200;
        while api.clock_now() + SECOND * 20 < ceiling {
            let token = api.server.token(0);
            assert_eq!(api.status(&token).await, 200, "{reply:?} {:?}", api.clock_now() - fetched);
            api.pass(10).await;
        }
        api.pass(40).await;
        api.ask(&api.server.token(0)).await.is_put_off("beyond the ceiling");
        api.asked_once_per_cooldown();
        api.server.reply(Reply::Good);
        api.pass(30).await;
        assert_eq!(api.status(&api.server.token(0)).await, 200);
    }
}

/// The ceiling counts from the last good set, whatever was tried since.
#[tokio::test]
async fn a_withdrawn_key_serves_no_longer_than_its_set() {
    let api = Api::warm().await;
    api.server.rotate();
    api.server.publish(&[1]);
    let mut accepted = 0;
    while api.status(&api.server.token(0)).await == 200 {
        api.pass(10).await;
        accepted += 10;
        assert!(accepted <= 490, "renewed at 480 s at the latest");
    }
    for _ in 0..60 {
        let outcome = api.ask(&api.server.token(0)).await;
        assert_eq!(outcome.status, 401, "its set was held, and is not any more: {outcome:?}");
        api.pass(1).await;
    }
    assert_eq!(api.status(&api.server.token(1)).await, 200);
}

/// All keys unusable, or every one ambiguous: that is damage, as if nothing had come.
#[tokio::test]
async fn a_set_of_poison_alone_takes_nobody_s_keys_away() {
    for poison in [Poison::Only, Poison::Twins] {
        let api = Api::warm().await;
        let new = api.server.token(api.server.rotate());
        api.server.poison(poison);
        for _ in 0..90 {
            assert_eq!(api.status(&api.server.token(0)).await, 200, "{poison:?}");
            api.ask(&new).await.is_put_off(&format!("{poison:?}"));
            api.pass(10).await;
        }
        api.server.poison(Poison::None);
        api.pass(30).await;
        assert_eq!(api.status(&new).await, 200);
        api.asked_once_per_cooldown();
    }
}

#[tokio::test]
async fn an_empty_set_withdraws_every_key() {
    let api = Api::warm().await;
    api.server.reply(Reply::Empty);
    api.pass(480).await;
    assert_eq!(api.status(&api.server.token(0)).await, 200, "starts the renewal");
    api.pass(1).await;
    assert_ne!(api.status(&api.server.token(0)).await, 200);
    api.pass(30).await;
    assert_eq!(api.status(&api.server.token(0)).await, 401);
    assert!(api.server.count(Document::Metadata) >= 1);
}
