//! How long tokens are kept.

use crate::testing::{
    FakeServer, TestClock, answer, builder, client, oauth_error, seconds, settle, token_answer,
};
use crate::{TokenSpec, client::Client};

async fn text(client: &Client) -> String {
    client.token(&TokenSpec::default()).await.unwrap().access_token().expose().to_owned()
}

/// Expires_in as it is written, and the seconds for which the token is kept.
// spec-test: 6749-C7
#[tokio::test]
async fn lives_are_read_in_every_form_that_servers_use() {
    let check = async |member: &str, life: u64| {
        let body = format!(r#"{{"access_token":"t","token_type":"bearer"{member}}}"#);
        let server = FakeServer::new(move |_, _| Ok(answer(200, body.clone())));
        let client = client(&server, &TestClock::new());
        let token = client.token(&TokenSpec::default()).await.unwrap();
        assert_eq!(token.life(), seconds(life), "{member}");
        assert_eq!(token.expires_at().since(token.obtained_at()), seconds(life));
    };
    check(r#","expires_in":3600"#, 3600).await;
    check(r#","expires_in":"3600""#, 3600).await;
    check(r#","expires_in":3600.0"#, 3600).await;
    check("", 300).await;
    check(r#","expires_in":null"#, 300).await;
    // Over thirty days is thirty days.
    check(r#","expires_in":99999999"#, 2_592_000).await;
}

#[tokio::test]
async fn short_tokens_are_cached() {
    for life in [300_u64, 20, 10] {
        let clock = TestClock::new();
        let server = FakeServer::issuing(life);
        let client = client(&server, &clock);
        assert_eq!(text(&client).await, "t1");
        for _ in 0..1000 {
            text(&client).await;
        }
        assert_eq!(server.count(), 1, "{life}");
        // Ten lives long, asked every second: about two requests for each life.
        for _ in 0..life * 10 {
            clock.pass(1).await;
            text(&client).await;
        }
        let lives = server.count();
        assert!((18..=26).contains(&lives), "{lives} requests in ten lives of {life} s");
    }
}

/// A token of an hour, in use all day: about 26 requests, not one every five minutes.
#[tokio::test]
async fn an_hour_long_token_is_kept_for_its_hour() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(3600);
    let client = client(&server, &clock);
    for _ in 0..24 * 60 {
        text(&client).await;
        clock.pass(60).await;
    }
    assert!((25..=28).contains(&server.count()), "{} requests in a day", server.count());
}

/// Some servers say `invalid_grant` while a client is being set up. It is a verdict like any
/// other: it waits, and the same client goes on when the server does.
#[tokio::test]
async fn an_invalid_grant_is_not_the_end_of_a_client() {
    let clock = TestClock::new();
    let server = FakeServer::new(|_, _| Ok(oauth_error(400, "invalid_grant")));
    let client = client(&server, &clock);
    for _ in 0..3 {
        client.token(&TokenSpec::default()).await.unwrap_err();
    }
    assert_eq!(server.count(), 1, "the verdict is kept");
    server.becomes(|_, n| Ok(token_answer(&format!("t{n}"), "600")));
    clock.pass(61).await;
    assert_eq!(text(&client).await, "t2");
}

/// The stopping margin: a short token is served for nine tenths of its life.
#[tokio::test]
async fn a_20_second_token_is_never_served_past_its_expiry() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(20);
    let client = client(&server, &clock);
    let mut handle = client.handle(&TokenSpec::default());
    handle.ready().await.unwrap();
    server.becomes(|_, _| Ok(answer(503, "")));
    for second in 1..40 {
        clock.pass(1).await;
        assert_eq!(client.token(&TokenSpec::default()).await.is_ok(), second < 18, "second {second}");
        assert_eq!(handle.header().is_ok(), second < 18, "second {second}");
    }
}

/// Servers that share one token among all who ask hand it out until its last
/// second: asked again with a pause, within the same flight.
#[tokio::test]
async fn a_dead_token_is_not_cached_and_asked_for_again() {
    let clock = TestClock::new();
    let server = FakeServer::new(|_, n| {
        Ok(if n < 3 { token_answer("dead", "0") } else { token_answer("alive", "600") })
    });
    let client = client(&server, &clock);
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { text(&client).await }
    });
    settle().await;
    assert_eq!(server.count(), 1);
    for _ in 0..3 {
        clock.advance(seconds(1));
        settle().await;
    }
    assert_eq!((asking.await.unwrap().as_str(), server.count()), ("alive", 3));
}

/// The life is counted from before the request, and not by a wall clock that
/// jumps while it is under way.
#[tokio::test]
async fn a_slow_answer_has_used_up_part_of_its_life() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(600);
    server.hold();
    let client = client(&server, &clock);
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { client.token(&TokenSpec::default()).await.unwrap() }
    });
    settle().await;
    clock.advance(seconds(5));
    clock.set_wall(1_000_000);
    server.release(10);
    let token = asking.await.unwrap();
    assert_eq!(token.obtained_at(), crate::testing::at(1_000_000 - 5).wall);
}

#[tokio::test]
async fn tokens_are_renewed_for_a_wanted_life() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(600);
    let client = client(&server, &clock);
    let with = async |life| {
        let token = client.token_for(&TokenSpec::default(), seconds(life)).await.unwrap();
        token.access_token().expose().to_owned()
    };
    assert_eq!(with(500).await, "t1");
    clock.advance(seconds(200));
    assert_eq!(with(300).await, "t1");
    assert_eq!(with(500).await, "t2");
    assert_eq!(client.renew(&TokenSpec::default()).await.unwrap().access_token().expose(), "t3");
}

#[tokio::test]
async fn lead_fallback_and_ceiling_can_be_set() {
    let clock = TestClock::new();
    let server = FakeServer::new(|_, _| Ok(answer(200, r#"{"access_token":"t","token_type":"Bearer"}"#)));
    let client =
        builder(&server, &clock).fallback_lifetime(seconds(1000)).max_lifetime(seconds(900)).build().unwrap();
    assert_eq!(client.token(&TokenSpec::default()).await.unwrap().life(), seconds(900));
}

/// Asking for more life than the server gives is no reason to ask it each time.
#[tokio::test]
async fn a_life_that_the_server_never_gives_is_asked_for_once() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(600);
    let client = client(&server, &clock);
    for wanted in [600, 601, 6000] {
        for _ in 0..100 {
            clock.advance(std::time::Duration::from_millis(1));
            client.token_for(&TokenSpec::default(), seconds(wanted)).await.unwrap();
        }
    }
    assert_eq!(server.count(), 1);
}

/// While a request backs off, nobody asks, whatever life is wanted.
#[tokio::test]
async fn a_wanted_life_waits_for_the_backoff() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(600);
    let client = client(&server, &clock);
    client.token(&TokenSpec::default()).await.unwrap();
    clock.advance(seconds(100));
    server.becomes(|_, _| Ok(answer(503, "")));
    for _ in 0..100 {
        client.token_for(&TokenSpec::default(), seconds(550)).await.unwrap_err();
    }
    assert_eq!((server.count(), text(&client).await.as_str()), (2, "t1"));
}

/// A readiness check of many tokens lasts as long as that of one.
#[tokio::test]
async fn the_tokens_of_a_readiness_check_are_asked_for_together() {
    let server = FakeServer::issuing(600);
    server.hold();
    let client = client(&server, &TestClock::new());
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { client.ready(&[TokenSpec::default(), TokenSpec::new().audience("b")]).await }
    });
    settle().await;
    assert_eq!(server.count(), 2);
    server.release(2);
    assert!(asking.await.unwrap().is_ready());
}

/// A token that nobody uses is let expire, which is no danger to anybody.
#[tokio::test]
async fn the_runway_does_not_count_what_nobody_uses() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(600);
    let client = client(&server, &clock);
    client.token(&TokenSpec::default()).await.unwrap();
    clock.pass(310).await;
    assert_eq!(server.count(), 2, "renewed once, as it had been used");
    assert!(client.outage_runway().is_some());
    clock.pass(320).await;
    assert_eq!((server.count(), client.outage_runway()), (2, None));
}
