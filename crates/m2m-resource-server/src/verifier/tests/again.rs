//! A token that comes again: nothing about it is believed for longer than it holds.

use std::time::Duration;

use super::*;

/// Behind a verifier that fetches: the documents, and time.
struct Again {
    verifier: Verifier,
    documents: Arc<Documents>,
    clock: Arc<FixedClock>,
}

impl Again {
    fn new(keys: &[&SigningKey], change: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        let (documents, clock) = (Documents::of(keys), FixedClock::new());
        let trusted = change(TrustedIssuer::new(issuer()).audience(AUDIENCE));
        let builder = Verifier::builder().trust_with(trusted).http(Arc::clone(&documents) as _);
        let verifier = builder.clock(Arc::clone(&clock) as _).build().unwrap();
        Self { verifier, documents, clock }
    }

    async fn ask(&self, text: &str) -> Result<VerifiedAccessToken, Reason> {
        let asked = Asked::bearer(text);
        self.verifier.verify(&asked.parts()).await.map_err(|rejection| rejection.reason().clone())
    }

    fn held(&self) -> usize {
        self.verifier.parts.recent.len()
    }
}

#[tokio::test]
async fn what_is_remembered_is_what_was_verified() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let text = token(&key);
    for _ in 0..3 {
        let accepted = verifier.verify(&Asked::bearer(&text).parts()).await.unwrap();
        assert_eq!((accepted.client_id(), accepted.claims().jti.as_deref()), (Some("app"), Some("t1")));
    }
    assert_eq!(verifier.parts.recent.len(), 1);
}

#[tokio::test]
async fn strangers_leave_nothing_behind() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder);
    let stranger = crate::fixture::key(Algorithm::Es256, "k1");
    let good = token(&key);
    let mut cut = good.clone();
    cut.replace_range(cut.len() - 8.., "AAAAAAAA");
    for text in [&cut, "garbage", &token(&stranger), &token_with(&key, "exp", json!(1))] {
        refusal(&verifier, &Asked::bearer(text)).await;
    }
    assert_eq!(verifier.parts.recent.len(), 0);
    // Nor does a good token lend anything to one that looks like it.
    verifier.verify(&Asked::bearer(&good).parts()).await.unwrap();
    assert_eq!(refusal(&verifier, &Asked::bearer(&cut)).await.code(), Some(ErrorCode::InvalidToken));
}

#[tokio::test]
async fn nothing_is_remembered_past_its_expiry() {
    let key = key(Algorithm::Es256, "k1");
    let again = Again::new(&[&key], |trusted| trusted);
    let text = token(&key);
    again.ask(&text).await.unwrap();
    again.clock.advance(629);
    again.ask(&text).await.unwrap();
    again.clock.advance(1);
    assert!(matches!(again.ask(&text).await, Err(Reason::Token(_))), "600 s and the skew");
    assert_eq!(again.held(), 1);
}

/// The clock was set back: what was valid for a moment is not yet valid.
#[tokio::test]
async fn not_before_is_looked_at_again() {
    let key = key(Algorithm::Es256, "k1");
    let again = Again::new(&[&key], |trusted| trusted);
    again.clock.advance(600);
    let mut claims = claims();
    for (name, after) in [("iat", 0), ("nbf", 600), ("exp", 1200)] {
        claims.insert(name.to_owned(), json!(NOW.seconds() + after));
    }
    let text = signed(&key, "at+jwt", &claims);
    again.ask(&text).await.unwrap();
    again.clock.set(NOW);
    assert!(matches!(again.ask(&text).await, Err(Reason::Token(_))));
}

#[tokio::test]
async fn a_withdrawn_key_takes_its_tokens_along() {
    let (old, new) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "k2"));
    let again = Again::new(&[&old], |trusted| trusted);
    let text = token_with(&old, "exp", json!(NOW.seconds() + 86_400));
    again.ask(&text).await.unwrap();
    again.documents.publish(&[&new]);
    again.clock.advance(479);
    again.ask(&text).await.unwrap();
    again.clock.advance(121);
    assert_eq!(again.ask(&text).await.unwrap_err(), Reason::UnknownKey, "the keys are 600 s old and fetched");
    assert_eq!(again.held(), 1, "it is still there, and of no use");
}

/// Clients that fetch a token for each request leave nothing behind.
#[tokio::test]
async fn a_token_that_comes_once_takes_no_room() {
    let key = key(Algorithm::Es256, "k1");
    let again = Again::new(&[&key], |trusted| trusted);
    let text = token(&key);
    again.ask(&text).await.unwrap();
    assert_eq!(again.held(), 0);
    again.ask(&text).await.unwrap();
    assert_eq!(again.held(), 1);
}

/// Another key under the name of the old one.
#[tokio::test]
async fn a_replaced_key_takes_its_tokens_along() {
    let (old, new) = (key(Algorithm::Es256, "k"), key(Algorithm::Es256, "k"));
    let again = Again::new(&[&old], |trusted| trusted);
    let text = token_with(&old, "exp", json!(NOW.seconds() + 86_400));
    again.ask(&text).await.unwrap();
    again.documents.publish(&[&new]);
    again.clock.advance(600);
    assert!(matches!(again.ask(&text).await, Err(Reason::Token(_))));
    let fresh = token_with(&new, "exp", json!(NOW.seconds() + 86_400));
    again.ask(&fresh).await.unwrap();
}

/// Seen by the fetch that another token caused, not only when the keys are due.
#[tokio::test]
async fn a_withdrawal_counts_from_the_moment_it_is_known() {
    let (old, new) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "k2"));
    let again = Again::new(&[&old], |trusted| trusted);
    again.ask(&token(&old)).await.unwrap();
    again.documents.publish(&[&new]);
    again.clock.advance(30);
    again.ask(&token(&new)).await.unwrap();
    assert_eq!(again.ask(&token(&old)).await.unwrap_err(), Reason::UnknownKey);
}

#[tokio::test]
async fn keys_that_cannot_be_had_any_more_are_503_for_remembered_tokens_as_well() {
    let key = key(Algorithm::Es256, "k1");
    let minute = Duration::from_secs(60);
    let again = Again::new(&[&key], |trusted| trusted.keys_kept(minute, minute));
    let text = token(&key);
    again.ask(&text).await.unwrap();
    again.documents.fail();
    again.clock.advance(119);
    again.ask(&text).await.unwrap();
    again.clock.advance(1);
    assert!(matches!(again.ask(&text).await, Err(Reason::Unavailable(_))));
}

#[tokio::test]
async fn a_key_that_was_never_withdrawn_survives_its_refresh() {
    let key = key(Algorithm::Es256, "k1");
    let again = Again::new(&[&key], |trusted| trusted);
    let text = token_with(&key, "exp", json!(NOW.seconds() + 86_400));
    for _ in 0..10 {
        again.ask(&text).await.unwrap();
        again.clock.advance(600);
    }
    assert_eq!(again.held(), 1);
}

// spec-test: 9449-RS1
#[tokio::test]
async fn possession_is_shown_each_time() {
    let (key, holder) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "h"));
    let origin = Origin::parse("https://orders.example").unwrap();
    let verifier = verifier(&key, |builder| builder.dpop(Dpop::new(origin)));
    let text = token_with(&key, "cnf", json!({ "jkt": holder.thumbprint().as_str() }));
    let proved = Proved::by(&holder, &text);
    verifier.verify(&proved.onto(Asked::with("DPoP", &text)).parts()).await.unwrap();
    for asked in [
        Asked::bearer(&text),
        Asked::with("DPoP", &text),
        proved.onto(Asked::with("DPoP", &text)),
        Proved { key: &key, jti: "p2", ..proved }.onto(Asked::with("DPoP", &text)),
    ] {
        refusal(&verifier, &asked).await;
    }
    let another = Proved { jti: "p3", ..Proved::by(&holder, &text) };
    verifier.verify(&another.onto(Asked::with("DPoP", &text)).parts()).await.unwrap();
}

#[tokio::test]
async fn nothing_is_remembered_where_that_is_set() {
    let key = key(Algorithm::Es256, "k1");
    let verifier = verifier(&key, |builder| builder.verified_cache(0));
    for _ in 0..2 {
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    }
    assert_eq!(verifier.parts.recent.len(), 0);
}

#[tokio::test]
async fn any_of_several_audiences_will_do() {
    let key = key(Algorithm::Es256, "k1");
    let trusted = TrustedIssuer::new(issuer())
        .audiences([AUDIENCE, "https://bills.example"])
        .keys(KeysFrom::Fixed(set(&[&key])));
    let verifier = Verifier::builder().trust_with(trusted).clock(FixedClock::new()).build().unwrap();
    for (audience, good) in [
        (json!(AUDIENCE), true),
        (json!("https://bills.example"), true),
        (json!(["https://else.example", "https://bills.example"]), true),
        (json!("https://else.example"), false),
        (json!([]), false),
    ] {
        let text = token_with(&key, "aud", audience.clone());
        assert_eq!(verifier.verify(&Asked::bearer(&text).parts()).await.is_ok(), good, "{audience}");
    }
}
