//! Questions that take their time, and servers that do not answer.

use super::*;

/// An API whose questions stop at a gate.
struct Gated {
    verifier: Verifier,
    server: Arc<Documents>,
    gate: Arc<Gate>,
    clock: Arc<FixedClock>,
    key: m2m_proto::jose::SigningKey,
}

impl Gated {
    fn new(which: Introspect) -> Self {
        let (server, clock) = (Arc::new(Documents::default()), FixedClock::new());
        let gate = Gate::before(&server);
        let key = key(Algorithm::Es256, "k1");
        let (given, client) = (Arc::clone(&clock) as _, client(&gate, &clock));
        let verifier = verifier(&key, |builder| builder.clock(given).introspection(client, which));
        server.put(INTROSPECT, &active().to_string());
        Self { verifier, server, gate, clock, key }
    }
}

/// Who joins a question goes by the word of when it was asked, which is not older than the window says.
#[tokio::test]
async fn an_answer_that_came_too_late_decides_nothing() {
    for (wait, accepted) in [(10, true), (11, false)] {
        let gated = Gated::new(Introspect::Always);
        let asked = Asked::bearer(&token(&gated.key));
        let parts = asked.parts();
        gated.gate.shut();
        let mut first = Box::pin(gated.verifier.verify(&parts));
        assert!(!goes_through(&mut first).await);
        gated.server.put(INTROSPECT, &json!({ "active": false }).to_string());
        gated.clock.advance(8);
        let mut second = Box::pin(gated.verifier.verify(&parts));
        assert!(!goes_through(&mut second).await);
        gated.clock.advance(wait - 8);
        gated.gate.open();
        for outcome in [first.await, second.await] {
            assert_eq!(outcome.is_ok(), accepted, "after {wait} s");
        }
        let window = gated.verifier.revocation_window();
        assert_eq!((window.token, window.credential), (Some(MAX_QUESTION), Some(MAX_QUESTION)));
    }
}

#[tokio::test]
async fn a_token_that_expires_while_the_server_is_asked_is_refused() {
    let gated = Gated::new(Introspect::Jwt);
    let asked = Asked::bearer(&token(&gated.key));
    let parts = asked.parts();
    gated.clock.advance(629);
    gated.gate.shut();
    let mut request = Box::pin(gated.verifier.verify(&parts));
    assert!(!goes_through(&mut request).await);
    gated.clock.advance(1);
    gated.gate.open();
    let rejection = request.await.unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Token(_)), "{rejection}");
}

/// A question goes on without whoever asked it, and gives its place back when it is answered.
#[tokio::test]
async fn questions_that_nobody_waits_for_are_bounded_and_make_room() {
    let gated = Gated::new(Introspect::Opaque);
    gated.gate.shut();
    for number in 0..MAX_QUESTIONS {
        let asked = Asked::bearer(&format!("opaque{number}"));
        let parts = asked.parts();
        assert!(!goes_through(&mut Box::pin(gated.verifier.verify(&parts))).await);
    }
    let another = Asked::bearer("another");
    let rejection = gated.verifier.verify(&another.parts()).await.unwrap_err();
    assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{rejection}");
    gated.gate.open();
    settle().await;
    gated.verifier.verify(&another.parts()).await.unwrap();
}

/// Opaque tokens are made up for nothing; those who have a signed one are not locked out by them.
#[tokio::test]
async fn strangers_do_not_take_the_room_of_signed_tokens() {
    let gated = Gated::new(Introspect::Always);
    gated.gate.shut();
    let texts: Vec<Asked> =
        (0..=MAX_QUESTIONS).map(|number| Asked::bearer(&format!("opaque{number}"))).collect();
    let parts: Vec<_> = texts.iter().map(Asked::parts).collect();
    let mut held: Vec<_> = parts.iter().map(|parts| Box::pin(gated.verifier.verify(parts))).collect();
    let last = held.pop().unwrap();
    for one in &mut held {
        assert!(!goes_through(one).await);
    }
    assert!(matches!(last.await.unwrap_err().reason(), Reason::Unavailable(_)));
    let asked = Asked::bearer(&token(&gated.key));
    let parts = asked.parts();
    let mut signed = Box::pin(gated.verifier.verify(&parts));
    assert!(!goes_through(&mut signed).await);
    gated.gate.open();
    signed.await.unwrap();
}

/// A server that is down is asked once each cooldown, whatever the tokens are.
#[tokio::test]
async fn a_dead_server_is_spared() {
    let asking = Asking::new(Introspect::Always);
    let down = async |number: usize| {
        let text = if number.is_multiple_of(2) { token(&asking.key) } else { format!("opaque{number}") };
        matches!(asking.reason(&text).await, Reason::Unavailable(_))
    };
    assert!(down(0).await);
    let once = asking.server.fetched();
    for second in 0..20 {
        for number in 0..10 {
            assert!(down(number).await);
        }
        assert_eq!(asking.server.fetched(), if second > 0 && second % 5 == 0 { once } else { 0 }, "{second}");
        asking.clock.advance(1);
    }
    // One answer, and all may ask again.
    asking.says(&active());
    for number in 0..10 {
        asking.verify(&format!("other{number}")).await.unwrap();
    }
}

/// What a server holds against one token is no failure of the server.
#[tokio::test]
async fn a_server_that_refuses_one_question_is_asked_the_next() {
    let asking = Asking::new(Introspect::Opaque);
    asking.says(&json!({ "active": "perhaps" }));
    assert!(matches!(asking.reason("opaque").await, Reason::Unavailable(_)));
    asking.says(&active());
    asking.verify("other").await.unwrap();
}

#[tokio::test]
async fn a_dpop_request_without_a_proof_causes_no_question() {
    let (server, clock, key) =
        (Arc::new(Documents::default()), FixedClock::new(), key(Algorithm::Es256, "k1"));
    server.put(INTROSPECT, &active().to_string());
    let origin = m2m_proto::uri::Origin::parse("https://orders.example").unwrap();
    let client = client(&server, &clock);
    let verifier = verifier(&key, |builder| {
        builder.dpop(crate::Dpop::new(origin)).introspection(client, Introspect::Always)
    });
    let rejection = verifier.verify(&Asked::with("DPoP", "opaque").parts()).await.unwrap_err();
    assert_eq!(rejection.code().map(|code| code.as_str().to_owned()).as_deref(), Some("invalid_dpop_proof"));
    assert_eq!(server.fetched(), 0);
}

/// A token alone is asked about as one that comes with a request.
#[tokio::test]
async fn a_token_without_a_request_is_asked_about_too() {
    for (which, answer, accepted) in [
        (Introspect::Always, json!({ "active": false }), false),
        (Introspect::Jwt, json!({ "active": false }), false),
        (Introspect::Opaque, json!({ "active": false }), true),
        (Introspect::Always, active(), true),
    ] {
        let asking = Asking::new(which);
        asking.says(&answer);
        assert_eq!(asking.verifier.verify_token(&token(&asking.key)).await.is_ok(), accepted, "{which:?}");
        assert!(asking.verifier.verify_token("opaque").await.is_err());
    }
}
