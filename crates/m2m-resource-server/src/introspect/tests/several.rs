//! Several issuers, each with its own server or with one for all.

use super::*;
use crate::{Error, KeysFrom, TrustedIssuer};

const OTHER: &str = "https://two.example";

fn trusted(issuer: &str, key: &m2m_proto::jose::SigningKey) -> TrustedIssuer {
    let issuer = m2m_proto::uri::Issuer::parse(issuer).unwrap();
    TrustedIssuer::new(issuer).audience(AUDIENCE).keys(KeysFrom::Fixed(set(&[key])))
}

fn of(issuer: &str) -> Value {
    active_with("iss", issuer.into())
}

async fn reason(verifier: &Verifier, text: &str) -> Option<Reason> {
    let asked = Asked::bearer(text);
    verifier.verify(&asked.parts()).await.err().map(|rejection| rejection.reason().clone())
}

#[tokio::test]
async fn each_issuer_is_asked_about_its_own_tokens_alone() {
    let (one, two, clock) =
        (Arc::new(Documents::default()), Arc::new(Documents::default()), FixedClock::new());
    let key = key(Algorithm::Es256, "k1");
    let verifier = Verifier::builder()
        .trust_with(trusted(ISSUER, &key).introspection(client(&one, &clock), Introspect::Always))
        .trust_with(
            trusted(OTHER, &key)
                .introspection(client(&two, &clock), Introspect::Opaque)
                .opaque_prefix("two_"),
        )
        .clock(clock.clone() as _)
        .build()
        .unwrap();
    one.put(INTROSPECT, &of(ISSUER).to_string());
    two.put(INTROSPECT, &of(OTHER).to_string());
    assert_eq!(reason(&verifier, "opaque").await, None);
    assert_eq!((one.fetched(), two.fetched()), (1, 0));
    assert_eq!(reason(&verifier, "two_opaque").await, None);
    assert_eq!((one.fetched(), two.fetched()), (0, 1));
    assert_eq!(reason(&verifier, &token(&key)).await, None);
    assert_eq!((one.fetched(), two.fetched()), (1, 0));
    let of_two = token_with(&key, "iss", OTHER.into());
    assert_eq!(reason(&verifier, &of_two).await, None, "its JWTs are not asked about");
    assert_eq!((one.fetched(), two.fetched()), (0, 0));
    // Each answers for itself, not for the other one.
    one.put(INTROSPECT, &of(OTHER).to_string());
    two.put(INTROSPECT, &of(ISSUER).to_string());
    for text in ["opaque", "two_other", &token(&key)] {
        assert_eq!(reason(&verifier, text).await, Some(Reason::UnknownIssuer), "{text}");
    }
    // Nobody else's name is needed where the server is known.
    two.put(INTROSPECT, &active_with("iss", Value::Null).to_string());
    assert_eq!(reason(&verifier, "two_third").await, None);
}

#[tokio::test]
async fn a_client_for_all_needs_to_hear_whose_token_it_is() {
    let (server, clock) = (Arc::new(Documents::default()), FixedClock::new());
    let key = key(Algorithm::Es256, "k1");
    let verifier = Verifier::builder()
        .trust_with(trusted(ISSUER, &key))
        .trust_with(trusted(OTHER, &key))
        .introspection(client(&server, &clock), Introspect::Opaque)
        .introspection_max_age(Duration::ZERO)
        .clock(clock.clone() as _)
        .build()
        .unwrap();
    for (iss, good) in [(json!(OTHER), true), (json!("https://three.example"), false), (Value::Null, false)] {
        server.put(INTROSPECT, &active_with("iss", iss.clone()).to_string());
        assert_eq!(reason(&verifier, "opaque").await.is_none(), good, "{iss}");
    }
}

#[test]
fn a_token_must_not_be_anybodys() {
    let (server, clock) = (Arc::new(Documents::default()), FixedClock::new());
    let key = key(Algorithm::Es256, "k1");
    let build = |one: Introspect, two: Introspect, prefix: &str| {
        let asks = |issuer: &str, which| trusted(issuer, &key).introspection(client(&server, &clock), which);
        let builder = Verifier::builder().trust_with(asks(ISSUER, one));
        builder.trust_with(asks(OTHER, two).opaque_prefix(prefix)).build().map(drop)
    };
    let twice = Err(Error::OpaqueTwice(OTHER.to_owned()));
    assert_eq!(build(Introspect::Opaque, Introspect::Opaque, ""), twice);
    assert_eq!(build(Introspect::Always, Introspect::Opaque, ""), twice);
    assert_eq!(build(Introspect::Opaque, Introspect::Opaque, "two_"), Ok(()));
    assert_eq!(build(Introspect::Opaque, Introspect::Jwt, ""), Ok(()));
}

/// Nothing that was set is dropped because of when it was set.
#[tokio::test]
async fn settings_come_in_any_order() {
    let (server, clock, key) =
        (Arc::new(Documents::default()), FixedClock::new(), key(Algorithm::Es256, "k1"));
    let before = trusted(ISSUER, &key).opaque_prefix("one_").introspection_max_age(Duration::from_secs(3));
    let one = before.clone().introspection(client(&server, &clock), Introspect::Opaque);
    let build = |one| Verifier::builder().trust_with(one).clock(clock.clone() as _).build();
    let verifier = build(one).unwrap();
    server.put(INTROSPECT, &of(ISSUER).to_string());
    assert!(reason(&verifier, "somebody_elses").await.is_some());
    assert_eq!(server.fetched(), 0);
    for (seconds, asked) in [(0, 1), (2, 0), (1, 1)] {
        clock.advance(seconds);
        assert_eq!(reason(&verifier, "one_opaque").await, None);
        assert_eq!(server.fetched(), asked, "{seconds}");
    }
    let nobody = Some(Error::NoIntrospection(ISSUER.to_owned()));
    assert_eq!(build(before).err(), nobody);
    assert_eq!(build(trusted(ISSUER, &key).opaque_prefix("")).err(), nobody);
    let all = Verifier::builder().trust(issuer(), AUDIENCE).introspection_max_age(Duration::ZERO);
    assert!(matches!(all.build(), Err(Error::NoIntrospection(_))));
}

#[test]
fn the_window_is_that_of_the_answers() {
    let window = |which, age| {
        let mut asking = Asking::new(which);
        let (server, clock) = (&asking.server, &asking.clock);
        let mut one = trusted(ISSUER, &asking.key).introspection(client(server, clock), which);
        if let Some(age) = age {
            one = one.introspection_max_age(Duration::from_secs(age));
        }
        asking.verifier = Verifier::builder().trust_with(one).build().unwrap();
        asking.verifier.revocation_window().token.map(|window| window.as_secs())
    };
    assert_eq!(window(Introspect::Always, None), Some(10));
    assert_eq!(window(Introspect::Jwt, Some(20)), Some(30));
    assert_eq!(window(Introspect::Opaque, None), None, "nobody is asked about its JWTs");
}
