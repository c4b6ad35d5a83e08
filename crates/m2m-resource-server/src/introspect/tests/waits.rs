//! Questions that take their time.

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
