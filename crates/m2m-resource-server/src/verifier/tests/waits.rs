//! Time goes on while a request waits: what ended meanwhile is refused, what was used is not used again.

use std::time::Duration;

use m2m_proto::time::UnixTime;

use super::*;

/// An API that reads its keys through a gate.
struct Waiting {
    verifier: Verifier,
    gate: Arc<Gate>,
    clock: Arc<FixedClock>,
}

impl Waiting {
    fn new(key: &SigningKey) -> Self {
        let (documents, clock) = (Documents::of(&[key]), FixedClock::new());
        let gate = Gate::before(&documents);
        let (fresh, outage) = (Duration::from_secs(60), Duration::from_secs(3600));
        let trusted = TrustedIssuer::new(issuer()).audience(AUDIENCE).keys_kept(fresh, outage);
        let builder = Verifier::builder().trust_with(trusted).http(Arc::clone(&gate) as _);
        let origin = Origin::parse("https://orders.example").unwrap();
        let verifier = builder.clock(Arc::clone(&clock) as _).dpop(Dpop::new(origin)).build().unwrap();
        Self { verifier, gate, clock }
    }

    /// Verifies at `from` seconds, and gets the keys at `until`.
    async fn verify(&self, asked: &Asked, from: u64, until: u64) -> Result<VerifiedAccessToken, Rejection> {
        self.clock.set(at(from));
        self.gate.shut();
        let parts = asked.parts();
        let mut request = Box::pin(self.verifier.verify(&parts));
        assert!(!goes_through(&mut request).await);
        self.clock.set(at(until));
        self.gate.open();
        request.await
    }
}

fn at(seconds: u64) -> UnixTime {
    NOW.saturating_add(Duration::from_secs(seconds))
}

#[tokio::test]
async fn a_token_that_expires_while_keys_are_fetched_is_refused() {
    let key = key(Algorithm::Es256, "k1");
    let asked = Asked::bearer(&token(&key));
    Waiting::new(&key).verify(&asked, 620, 629).await.unwrap();
    let rejection = Waiting::new(&key).verify(&asked, 620, 630).await.unwrap_err();
    assert_eq!(rejection.code(), Some(ErrorCode::InvalidToken), "600 s and the skew");
    let waiting = Waiting::new(&key);
    waiting.clock.set(at(620));
    waiting.gate.shut();
    let text = token(&key);
    let mut alone = Box::pin(waiting.verifier.verify_token(&text));
    assert!(!goes_through(&mut alone).await);
    waiting.clock.set(at(630));
    waiting.gate.open();
    assert_eq!(alone.await.unwrap_err().code(), Some(ErrorCode::InvalidToken));
}

/// A proof is good for 60 s. One that was used, waits at its end, and comes out when it was forgotten is still used.
// spec-test: 9449-RS2
#[tokio::test]
async fn a_proof_that_was_forgotten_meanwhile_is_refused() {
    let (key, holder) = (key(Algorithm::Es256, "k1"), crate::fixture::key(Algorithm::Es256, "h"));
    let text = token_with(&key, "cnf", json!({ "jkt": holder.thumbprint().as_str() }));
    let proof = |jti| Proved { jti, ..Proved::by(&holder, &text) }.onto(Asked::with("DPoP", &text));
    let waiting = Waiting::new(&key);
    waiting.verifier.verify(&proof("used").parts()).await.unwrap();
    let rejection = waiting.verify(&proof("used"), 60, 62).await.unwrap_err();
    assert_eq!(rejection.code(), Some(ErrorCode::InvalidDpopProof));
    // Nor does one that was never used outlive its window by waiting.
    let rejection = Waiting::new(&key).verify(&proof("late"), 60, 62).await.unwrap_err();
    assert_eq!(rejection.code(), Some(ErrorCode::InvalidDpopProof));
}
