//! Keys that are fetched.

use super::*;

fn verifier(documents: &Arc<Documents>) -> (Verifier, Arc<FixedClock>) {
    let clock = FixedClock::new();
    let http: Arc<dyn m2m_io::HttpClient> = Arc::clone(documents) as _;
    let given: Arc<dyn Clock> = Arc::clone(&clock) as _;
    let builder = Verifier::builder().trust(issuer(), AUDIENCE).clock(given).http(http);
    (builder.build().unwrap(), clock)
}

fn retry_after(rejection: &Rejection) -> u64 {
    rejection.to_response().headers()["retry-after"].to_str().unwrap().parse().unwrap()
}

#[tokio::test]
async fn keys_are_discovered_once() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, _) = verifier(&documents);
    assert_eq!(documents.fetched(), 0, "nothing before the first token");
    for _ in 0..10 {
        verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    }
    assert_eq!(documents.fetched(), 2, "metadata and key set");
}

#[tokio::test]
async fn keys_can_be_had_before_the_first_token() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, clock) = verifier(&documents);
    verifier.prepare().await.unwrap();
    assert_eq!(documents.fetched(), 2, "metadata and key set");
    verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    verifier.prepare().await.unwrap();
    assert_eq!(documents.fetched(), 0);
    documents.fail();
    clock.advance(10_000);
    assert!(matches!(verifier.prepare().await, Err(Reason::Unavailable(_))));
}

#[tokio::test]
async fn whether_there_are_keys_is_told_without_a_fetch() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, clock) = verifier(&documents);
    assert!(!verifier.holds_any_keys());
    assert_eq!(documents.fetched(), 0);
    verifier.prepare().await.unwrap();
    assert!(verifier.holds_any_keys());
    clock.advance(100_000);
    assert!(!verifier.holds_any_keys(), "too old to be used");
}

#[tokio::test]
async fn implausible_tokens_cause_no_fetch() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, _) = verifier(&documents);
    for text in [
        "garbage".to_owned(),
        token_with(&key, "iss", json!("https://evil.example")),
        token_with(&key, "aud", json!("else")),
        token_with(&key, "exp", json!(1)),
        signed(&key, "JWT", &claims()),
    ] {
        refusal(&verifier, &Asked::bearer(&text)).await;
    }
    assert_eq!(documents.fetched(), 0);
}

#[tokio::test]
async fn made_up_key_ids_cause_one_fetch_per_cooldown() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, clock) = verifier(&documents);
    verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    clock.advance(60);
    documents.fetched();
    for number in 0..20 {
        let stranger = crate::fixture::key(Algorithm::Es256, &format!("made-up-{number}"));
        let rejection = refusal(&verifier, &Asked::bearer(&token(&stranger))).await;
        // Whether there is such a key, only a fetch can tell: after the first it is too soon for one.
        match number {
            0 => assert_eq!(rejection.reason(), &Reason::UnknownKey),
            _ => {
                assert!(matches!(rejection.reason(), Reason::Unavailable(_)), "{rejection}");
                assert_eq!(retry_after(&rejection), 30);
            }
        }
    }
    assert_eq!(documents.fetched(), 1);
}

#[tokio::test]
async fn a_new_key_is_found() {
    let (old, new) = (key(Algorithm::Es256, "k1"), key(Algorithm::Es256, "k2"));
    let documents = Documents::of(&[&old]);
    let (verifier, clock) = verifier(&documents);
    verifier.verify(&Asked::bearer(&token(&old)).parts()).await.unwrap();
    documents.publish(&[&old, &new]);
    clock.advance(60);
    verifier.verify(&Asked::bearer(&token(&new)).parts()).await.unwrap();
    verifier.verify(&Asked::bearer(&token(&old)).parts()).await.unwrap();
}

#[tokio::test]
async fn unreachable_keys_are_503_and_not_the_tokens_fault() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    documents.fail();
    let (verifier, clock) = verifier(&documents);
    let rejection = refusal(&verifier, &Asked::bearer(&token(&key))).await;
    answers(&rejection, 503, "");
    assert_eq!(retry_after(&rejection), 30, "a whole cooldown");
    assert_eq!(rejection.code(), None);
    clock.advance(20);
    assert_eq!(
        retry_after(&refusal(&verifier, &Asked::bearer(&token(&key))).await),
        10,
        "what is left of it"
    );
}

#[tokio::test]
async fn keys_at_hand_outlive_a_short_outage() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let (verifier, clock) = verifier(&documents);
    verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
    documents.fail();
    clock.advance(120);
    verifier.verify(&Asked::bearer(&token(&key)).parts()).await.unwrap();
}
