use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::revocation_feed::RevocationFeedClaims;
use m2m_proto::status_list::{StatusList, StatusListClaims};
use serde_json::{Value, json};

use super::*;
use crate::fixture::*;
use crate::{KeysFrom, TrustedIssuer, Verifier};

const LIST: &str = "https://as.example/status/0";
const FEED: &str = "https://as.example/revocations";

/// An issuer that publishes, and an API that reads.
struct Reading {
    verifier: Verifier,
    issuer: Arc<Documents>,
    clock: Arc<FixedClock>,
    key: SigningKey,
}

impl Reading {
    fn new(change: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        let key = key(Algorithm::Es256, "k1");
        let (documents, clock) = (Documents::of(&[&key]), FixedClock::new());
        let trusted = change(TrustedIssuer::new(issuer()).audience(AUDIENCE));
        let builder = Verifier::builder().trust_with(trusted).http(Arc::clone(&documents) as _);
        let verifier = builder.clock(Arc::clone(&clock) as _).build().unwrap();
        let reading = Self { verifier, issuer: documents, clock, key };
        reading.list(|_| {});
        reading.feed(&[]);
        reading
    }

    fn now(&self) -> UnixTime {
        m2m_io::Clock::wall(&*self.clock)
    }

    /// Publishes a list of 64 places at `LIST`, valid ones but for the change.
    fn list(&self, change: impl FnOnce(&mut StatusList)) {
        let mut list = StatusList::new(64).unwrap();
        change(&mut list);
        self.issuer.put(LIST, &self.signed_list(&list, &self.key, LIST));
    }

    fn signed_list(&self, list: &StatusList, key: &SigningKey, subject: &str) -> String {
        let claims = StatusListClaims {
            subject,
            issuer: None,
            issued_at: self.now(),
            expires_at: self.now().saturating_add(Duration::from_secs(3600)),
            ttl: Duration::from_secs(30),
            list,
        };
        claims.sign(&StatusListClaims::header(key), key).unwrap()
    }

    fn feed(&self, revoked: &[&str]) {
        let claims = RevocationFeedClaims {
            issuer: &issuer(),
            issued_at: self.now(),
            expires_at: self.now().saturating_add(Duration::from_secs(60)),
            ttl: Duration::from_secs(30),
            revoked,
        };
        let header = RevocationFeedClaims::header(&self.key);
        self.issuer.put(FEED, &claims.sign(&header, &self.key).unwrap());
    }

    /// A token for a day, with this claim `status`.
    fn token(&self, status: Value) -> String {
        self.token_of("t1", status)
    }

    fn token_of(&self, jti: &str, status: Value) -> String {
        let mut claims = claims();
        claims.insert("jti".to_owned(), json!(jti));
        claims.insert("exp".to_owned(), json!(NOW.seconds() + 86_400));
        claims.insert("status".to_owned(), status);
        signed(&self.key, "at+jwt", &claims)
    }

    fn placed(&self, index: u64) -> String {
        self.token(json!({ "status_list": { "idx": index, "uri": LIST } }))
    }

    async fn ask(&self, text: &str) -> Result<(), Reason> {
        let asked = Asked::bearer(text);
        let verified = self.verifier.verify(&asked.parts()).await;
        verified.map(drop).map_err(|rejection| rejection.reason().clone())
    }
}

fn followed(trusted: TrustedIssuer) -> TrustedIssuer {
    trusted.status_list(StatusCheck::Follow)
}

fn required(trusted: TrustedIssuer) -> TrustedIssuer {
    trusted.status_list(StatusCheck::Required)
}

fn fed(trusted: TrustedIssuer) -> TrustedIssuer {
    trusted.revocation_feed(EndpointUri::parse(FEED).unwrap())
}

// spec-test: TSL-RS1, FAPI-RS1
#[tokio::test]
async fn a_place_that_is_not_valid_lets_nobody_in() {
    let reading = Reading::new(followed);
    reading.list(|list| {
        list.set(3, Status::Invalid).unwrap();
    });
    reading.ask(&reading.placed(2)).await.unwrap();
    assert_eq!(reading.ask(&reading.placed(3)).await, Err(Reason::Withdrawn));
    assert!(
        matches!(reading.ask(&reading.placed(64)).await, Err(Reason::UnknownStatus(_))),
        "beyond the end"
    );
    reading.ask(&reading.token(Value::Null)).await.unwrap();
    assert_eq!(reading.issuer.fetched(), 3, "metadata, keys, one list");
}

// spec-test: TSL-RS1
#[tokio::test]
async fn suspended_and_unknown_statuses_are_refused() {
    let reading = Reading::new(followed);
    // Two bits a status: 0, 2 and 3 from the lowest bits on.
    let zlib = [0x78, 0xda, 0xb3, 0x00, 0x00, 0x00, 0x39, 0x00, 0x39];
    let lst = m2m_proto::jose::base64url::encode(zlib);
    let now = NOW.seconds();
    let claims = json!({
        "sub": LIST, "iat": now, "exp": now + 60, "status_list": { "bits": 2, "lst": lst },
    });
    reading.issuer.put(LIST, &signed(&reading.key, "statuslist+jwt", claims.as_object().unwrap()));
    reading.ask(&reading.placed(0)).await.unwrap();
    assert_eq!(reading.ask(&reading.placed(1)).await, Err(Reason::Suspended));
    assert!(matches!(reading.ask(&reading.placed(2)).await, Err(Reason::UnknownStatus(_))));
}

// spec-test: TSL-RS1
#[tokio::test]
async fn a_list_of_another_address_or_key_or_kind_is_none() {
    let stranger = key(Algorithm::Es256, "k1");
    for what in ["subject", "key", "typ", "garbage", "status"] {
        let reading = Reading::new(followed);
        let list = StatusList::new(64).unwrap();
        match what {
            "subject" => {
                let other = reading.signed_list(&list, &reading.key, "https://as.example/status/1");
                reading.issuer.put(LIST, &other);
            }
            "key" => reading.issuer.put(LIST, &reading.signed_list(&list, &stranger, LIST)),
            "typ" => reading.issuer.put(LIST, &token(&reading.key)),
            "garbage" => reading.issuer.put(LIST, "<html>"),
            _ => reading.issuer.put("https://as.example/status/2", ""),
        }
        let asked = reading.ask(&reading.placed(2)).await;
        assert_eq!(matches!(asked, Err(Reason::Unavailable(_))), what != "status", "{what}: {asked:?}");
    }
}

#[tokio::test]
async fn a_malformed_place_is_refused_and_no_place_where_one_is_required() {
    let reading = Reading::new(followed);
    for status in
        [json!(1), json!({ "status_list": {} }), json!({ "status_list": { "idx": -1, "uri": LIST } })]
    {
        let asked = reading.ask(&reading.token(status.clone())).await;
        assert!(matches!(asked, Err(Reason::UnknownStatus(_))), "{status}");
    }
    let strict = Reading::new(|trusted| trusted.status_list(StatusCheck::Required));
    assert!(matches!(strict.ask(&strict.token(Value::Null)).await, Err(Reason::UnknownStatus(_))));
    strict.ask(&strict.placed(1)).await.unwrap();
}

/// What a token says must not send us anywhere.
#[tokio::test]
async fn lists_are_read_where_the_issuers_are_and_nowhere_else() {
    let elsewhere = "https://lists.example/0";
    for (uri, good) in [
        (LIST, true),
        (elsewhere, false),
        ("http://as.example/status/0", false),
        ("https://as.example:8443/status/0", false),
        ("https://as.example@evil.example/status/0", false),
        ("https://169.254.169.254/latest", false),
        ("status/0", false),
    ] {
        let reading = Reading::new(followed);
        let asked = reading.ask(&reading.token(json!({ "status_list": { "idx": 1, "uri": uri } }))).await;
        assert_eq!(asked.is_ok(), good, "{uri}");
        if !good {
            assert!(matches!(asked, Err(Reason::UnknownStatus(_))), "{uri}: {asked:?}");
            assert_eq!(reading.issuer.fetched(), 2, "{uri}: metadata and keys");
        }
    }
    let allowed = m2m_proto::uri::Origin::parse("https://lists.example").unwrap();
    let reading = Reading::new(|trusted| followed(trusted).status_list_origin(allowed));
    let list = StatusList::new(8).unwrap();
    reading.issuer.put(elsewhere, &reading.signed_list(&list, &reading.key, elsewhere));
    reading.ask(&reading.token(json!({ "status_list": { "idx": 1, "uri": elsewhere } }))).await.unwrap();
}

/// Strangers cannot make us fetch, nor fill the lists.
#[tokio::test]
async fn the_signature_comes_before_the_list() {
    let reading = Reading::new(followed);
    let stranger = key(Algorithm::Es256, "k1");
    let mut claims = claims();
    claims.insert("status".to_owned(), json!({ "status_list": { "idx": 1, "uri": LIST } }));
    assert!(matches!(reading.ask(&signed(&stranger, "at+jwt", &claims)).await, Err(Reason::Token(_))));
    assert_eq!(reading.issuer.fetched(), 2, "metadata and keys");
}

#[tokio::test]
async fn a_withdrawal_is_seen_when_the_list_is_due() {
    let reading = Reading::new(followed);
    let text = reading.placed(3);
    reading.ask(&text).await.unwrap();
    reading.list(|list| list.set(3, Status::Invalid).unwrap());
    reading.clock.advance(29);
    reading.ask(&text).await.unwrap();
    reading.clock.advance(1);
    assert_eq!(reading.ask(&text).await, Err(Reason::Withdrawn), "its ttl is 30 s");
    reading.clock.advance(24);
    reading.list(|_| {});
    assert_eq!(reading.ask(&text).await, Err(Reason::Withdrawn), "it is fetched behind the back of this one");
    settle().await;
    reading.ask(&text).await.unwrap();
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_503_after_the_ceiling() {
    let reading = Reading::new(followed);
    let text = reading.placed(3);
    reading.ask(&text).await.unwrap();
    reading.issuer.remove(LIST);
    reading.clock.advance(269);
    reading.ask(&text).await.unwrap();
    reading.clock.advance(1);
    let asked = Asked::bearer(&text);
    let rejection = reading.verifier.verify(&asked.parts()).await.unwrap_err();
    assert_eq!(rejection.to_response().status(), 503, "30 s fresh, 240 s of outage");
    assert_eq!(rejection.to_response().headers()["retry-after"], "4", "the last attempt was 1 s ago");
    reading.issuer.fetched();
    for _ in 0..100 {
        assert!(reading.ask(&text).await.is_err());
    }
    assert_eq!(reading.issuer.fetched(), 0, "one attempt per cooldown");
    reading.list(|_| {});
    reading.clock.advance(5);
    reading.ask(&text).await.unwrap();
}

/// `exp` of the list outranks the times that were set here.
#[tokio::test]
async fn an_expired_document_is_not_believed() {
    let long = Duration::from_secs(600);
    let fed = Reading::new(|trusted| self::fed(trusted).withdrawals_kept(long, long));
    let text = fed.token(Value::Null);
    fed.ask(&text).await.unwrap();
    fed.issuer.remove(FEED);
    fed.clock.advance(89);
    fed.ask(&text).await.unwrap();
    fed.clock.advance(1);
    assert!(matches!(fed.ask(&text).await, Err(Reason::Unavailable(_))), "60 s and the skew");
}

#[tokio::test]
async fn the_feed_names_single_tokens() {
    let reading = Reading::new(fed);
    let text = reading.token(Value::Null);
    reading.ask(&text).await.unwrap();
    reading.clock.advance(30);
    reading.feed(&["t0", "t1"]);
    assert_eq!(reading.ask(&text).await, Err(Reason::Withdrawn));
    let mut claims = claims();
    claims.insert("jti".to_owned(), json!("t2"));
    reading.ask(&signed(&reading.key, "at+jwt", &claims)).await.unwrap();
}

#[tokio::test]
async fn a_feed_that_cannot_be_had_lets_nobody_in() {
    for feed in ["", "garbage"] {
        let reading = Reading::new(fed);
        match feed {
            "" => reading.issuer.remove(FEED),
            text => reading.issuer.put(FEED, text),
        }
        assert!(matches!(reading.ask(&token(&reading.key)).await, Err(Reason::Unavailable(_))));
    }
}

#[tokio::test]
async fn nothing_is_fetched_where_nothing_is_to_be() {
    let key = key(Algorithm::Es256, "k1");
    let documents = Documents::of(&[&key]);
    let keys = || KeysFrom::Fixed(set(&[&key]));
    let text = token_with(&key, "status", json!({ "status_list": { "idx": 1, "uri": LIST } }));
    let trusted = TrustedIssuer::new(issuer()).audience(AUDIENCE);
    for trusted in [trusted.clone().keys(keys()), trusted.clone()] {
        let builder = Verifier::builder().trust_with(trusted).clock(FixedClock::new());
        let verifier = builder.http(Arc::clone(&documents) as _).build().unwrap();
        verifier.verify(&Asked::bearer(&text).parts()).await.unwrap();
        let window = verifier.revocation_window();
        assert_eq!((window.credential, window.token), (None, None));
    }
    assert_eq!(documents.fetched(), 2, "metadata and keys, of the last one");
    let asks = trusted.keys(keys()).status_list(StatusCheck::Follow);
    let builder = Verifier::builder().trust_with(asks).clock(FixedClock::new());
    let verifier = builder.http(Arc::clone(&documents) as _).build().unwrap();
    assert!(verifier.verify(&Asked::bearer(&text).parts()).await.is_err(), "there is no list");
}

/// What says which tokens stand travels as the keys do, from the issuer's own origin too.
#[tokio::test]
async fn a_list_is_not_fetched_unencrypted() {
    let key = key(Algorithm::Es256, "k1");
    let plain = "http://as.internal.example";
    let list = "http://as.internal.example/status/0";
    for (plain_http, fetched) in [(None, 0), (Some(m2m_proto::uri::PlainHttp::Allowed), 1)] {
        let documents = Documents::of(&[&key]);
        let trusted = TrustedIssuer::new(m2m_proto::uri::Issuer::parse(plain).unwrap()).audience(AUDIENCE);
        let trusted = followed(trusted.keys(KeysFrom::Fixed(set(&[&key]))));
        let trusted = match plain_http {
            Some(allowed) => trusted.plain_http(allowed),
            None => trusted,
        };
        let builder = Verifier::builder().trust_with(trusted).clock(FixedClock::new());
        let verifier = builder.http(Arc::clone(&documents) as _).build().unwrap();
        let mut claims = claims();
        claims.insert("iss".to_owned(), json!(plain));
        claims.insert("status".to_owned(), json!({ "status_list": { "idx": 1, "uri": list } }));
        let text = signed(&key, "at+jwt", &claims);
        assert!(verifier.verify(&Asked::bearer(&text).parts()).await.is_err());
        assert_eq!(documents.fetched(), fetched);
    }
}

#[tokio::test]
async fn the_number_of_lists_is_bounded() {
    let reading = Reading::new(followed);
    let list = StatusList::new(8).unwrap();
    let uri = |number: usize| format!("https://as.example/status/{number}");
    let ask = async |number: usize| {
        let uri = uri(number);
        reading.issuer.put(&uri, &reading.signed_list(&list, &reading.key, &uri));
        let text = reading.token(json!({ "status_list": { "idx": 1, "uri": uri } }));
        reading.ask(&text).await
    };
    for number in 0..lists::MAX_LISTS {
        ask(number).await.unwrap();
    }
    assert_eq!(reading.verifier.held_status_lists(), lists::MAX_LISTS);
    // One more takes the place of the one that was used least lately, and nobody is refused for it.
    reading.clock.advance(1);
    for number in 1..lists::MAX_LISTS {
        ask(number).await.unwrap();
    }
    reading.issuer.fetched();
    ask(lists::MAX_LISTS).await.unwrap();
    assert_eq!((reading.verifier.held_status_lists(), reading.issuer.fetched()), (lists::MAX_LISTS, 1));
    ask(1).await.unwrap();
    assert_eq!(reading.issuer.fetched(), 0, "the others stay");
    // What nobody used for longer than it may be kept makes room, and is found again when it is used.
    reading.clock.advance(306);
    ask(0).await.unwrap();
    ask(lists::MAX_LISTS).await.unwrap();
    ask(1).await.unwrap();
    let held = reading.verifier.held_status_lists();
    assert_eq!(held, 3);
}

mod window;
