//! The window is kept: what is withdrawn is never accepted after it.

use m2m_proto::jose::JwkSet;
use m2m_proto::uri::EndpointUri;

use super::*;

fn seconds(window: Option<Duration>) -> Option<u64> {
    window.map(|window| window.as_secs())
}

#[test]
fn it_is_the_sum_of_what_was_set() {
    let minutes = |minutes: u64| Duration::from_secs(60 * minutes);
    let window = Reading::new(required).verifier.revocation_window();
    assert_eq!((seconds(window.credential), seconds(window.key)), (Some(305), Some(8410)));
    let shorter = Reading::new(|trusted| {
        let url = EndpointUri::parse("https://as.example/jwks").unwrap();
        let trusted = fed(required(trusted)).keys(KeysFrom::Url(url));
        trusted.keys_kept(minutes(2), minutes(3)).withdrawals_kept(minutes(1), Duration::ZERO)
    });
    let window = shorter.verifier.revocation_window();
    assert_eq!((seconds(window.token), seconds(window.key)), (Some(65), Some(305)));
    assert_eq!(seconds(window.longest()), Some(305));
    assert_eq!(
        window.to_string(),
        "a withdrawn token is accepted for 65 s at most, one of a withdrawn credential for 65 s, one under a \
         withdrawn key for 305 s"
    );
    let blind = Reading::new(|trusted| trusted);
    let window = blind.verifier.revocation_window();
    assert_eq!(window.longest(), None);
    assert_eq!((window.credential, window.token), (None, None));
}

/// Each document speaks of its own, and of those tokens only that must be in it.
#[test]
fn only_what_is_covered_has_an_end() {
    for (change, credential, token) in [
        (followed as fn(TrustedIssuer) -> TrustedIssuer, None, None),
        (required, Some(305), None),
        (fed, None, Some(305)),
        (|trusted| fed(followed(trusted)), None, Some(305)),
        (|trusted| fed(required(trusted)), Some(305), Some(305)),
    ] {
        let window = Reading::new(change).verifier.revocation_window();
        assert_eq!((seconds(window.credential), seconds(window.token)), (credential, token));
    }
}

/// A profile may do without `jti`; a feed cannot.
#[tokio::test]
async fn a_token_that_no_feed_can_name_is_refused_where_one_is_read() {
    for (change, accepted) in [(fed as fn(TrustedIssuer) -> TrustedIssuer, false), (followed, true)] {
        let reading = Reading::new(|trusted| change(trusted).profile(crate::token_profiles::AUTH0));
        let text = token_with(&reading.key, "jti", Value::Null);
        for _ in 0..2 {
            let asked = reading.ask(&text).await;
            assert_eq!(asked.is_ok(), accepted);
            assert!(accepted || matches!(asked, Err(Reason::UnknownStatus(_))));
        }
        reading.ask(&token(&reading.key)).await.unwrap();
    }
}

/// What said less is not played back, neither while the issuer answers with it nor when nothing else can be had.
#[tokio::test]
async fn an_older_document_does_not_take_the_place_of_a_newer_one() {
    let reading = Reading::new(|trusted| {
        fed(followed(trusted)).withdrawals_kept(Duration::from_secs(40), Duration::from_secs(20))
    });
    let old = [LIST, FEED].map(|url| reading.issuer.get(url));
    let revoked = reading.placed(3);
    let listed = reading.token_of("t2", json!({ "status_list": { "idx": 3, "uri": LIST } }));
    reading.clock.advance(10);
    reading.feed(&["t1"]);
    reading.list(|list| list.set(3, Status::Invalid).unwrap());
    assert_eq!(reading.ask(&revoked).await, Err(Reason::Withdrawn));
    assert_eq!(reading.ask(&listed).await, Err(Reason::Withdrawn));
    for (url, old) in [LIST, FEED].into_iter().zip(old) {
        reading.issuer.put(url, &old);
    }
    for second in 0..200 {
        reading.clock.advance(1);
        assert!(reading.ask(&revoked).await.is_err() && reading.ask(&listed).await.is_err(), "{second}");
        settle().await;
    }
    // A newer one is read again.
    reading.feed(&[]);
    reading.list(|_| {});
    reading.clock.advance(5);
    reading.ask(&listed).await.unwrap();
}

#[test]
fn the_worst_of_all_issuers_counts() {
    let key = key(Algorithm::Es256, "k1");
    let other = m2m_proto::uri::Issuer::parse("https://two.example").unwrap();
    let fixed = TrustedIssuer::new(other).audience("two").keys(KeysFrom::Fixed(set(&[&key])));
    let builder = Verifier::builder().trust(issuer(), AUDIENCE).trust_with(fixed).http(Documents::of(&[]));
    let window = builder.build().unwrap().revocation_window();
    assert_eq!((window.token, window.key), (None, None));
}

/// Second by second, reachable or not: never accepted after the window, whatever was withdrawn.
#[tokio::test]
async fn a_withdrawal_is_seen_within_it() {
    for reachable in [true, false] {
        for what in ["list", "feed", "key", "place"] {
            let times = |trusted: TrustedIssuer| {
                let (age, outage) = (Duration::from_secs(40), Duration::from_secs(20));
                fed(required(trusted)).keys_kept(age, outage).withdrawals_kept(age, outage)
            };
            let reading = Reading::new(times);
            let text = reading.placed(3);
            reading.ask(&text).await.unwrap();
            let window = reading.verifier.revocation_window();
            let window = match what {
                "list" => window.credential,
                "feed" => window.token,
                _ => window.key,
            };
            let window = window.unwrap().as_secs();
            assert_eq!(window, if matches!(what, "key" | "place") { 130 } else { 65 });
            let new = key(Algorithm::Es256, "k2");
            let mut last = 0;
            for second in 1..=window + 60 {
                reading.clock.advance(1);
                withdraw(&reading, (reachable, what), &new);
                if what != "feed" && second % 20 == 0 {
                    reading.feed(&[]);
                }
                if what != "list" && second % 20 == 0 {
                    reading.list(|_| {});
                }
                if reading.ask(&text).await.is_ok() {
                    last = second;
                }
                settle().await;
            }
            let bound = match (reachable, what) {
                (true, "place") => 82,
                (true, _) => 41,
                (false, _) => window,
            };
            assert!(last < bound, "{what}, reachable {reachable}: accepted after {last} s");
            assert!(last > 20, "{what}, reachable {reachable}: accepted after {last} s");
            assert!(what != "place" || last > 41, "the old place is known for longer: {last} s");
        }
    }
}

/// What the issuer does, or what becomes of its documents while it cannot.
fn withdraw(reading: &Reading, (reachable, what): (bool, &str), new: &SigningKey) {
    let metadata = "https://as.example/.well-known/oauth-authorization-server";
    match (reachable, what) {
        (false, "list") => reading.issuer.remove(LIST),
        (false, "feed") => reading.issuer.remove(FEED),
        (false, "key") => reading.issuer.remove("https://as.example/jwks"),
        (false, _) => reading.issuer.remove(metadata),
        (true, "list") => reading.list(|list| list.set(3, Status::Invalid).unwrap()),
        (true, "feed") => reading.feed(&["t1"]),
        (true, "key") => reading.issuer.publish(&[new]),
        (true, _) => {
            let moved = json!({ "issuer": ISSUER, "jwks_uri": "https://as.example/jwks2" });
            reading.issuer.put(metadata, &moved.to_string());
            let keys = JwkSet::encode([new.verifying_key().as_ref()]);
            reading.issuer.put("https://as.example/jwks2", std::str::from_utf8(&keys).unwrap());
        }
    }
}
