//! Texts that are no token, or one with more or less than it should have.

use m2m_proto::jose::{JwsError, base64url};
use m2m_proto::token::access_token::AccessTokenError;
use m2m_resource_server::Reason;

use super::{Cost, HEADER, Issuing, jws};

// spec-test: JWT-V4
#[tokio::test]
async fn texts_of_another_shape() {
    let issuing = Issuing::new();
    let good = issuing.server.token(0);
    let (input, signature) = good.rsplit_once('.').unwrap();
    let (header, payload) = input.split_once('.').unwrap();
    for token in [
        header.to_owned(),
        input.to_owned(),
        format!("{good}."),
        format!(".{good}"),
        format!("{good}.{signature}"),
        format!("{header}..{payload}.{signature}"),
        format!("{header}.{payload}.{signature}.{signature}.{signature}"),
        "a.b".to_owned(),
        "m2m_at_AAAA".to_owned(),
    ] {
        issuing.refuses("parts", &token, jws(JwsError::NotCompact), Cost::Nothing).await;
    }
    for token in ["..".to_owned(), "...".to_owned(), format!(".{payload}.{signature}")] {
        let (reason, status, cost) = issuing.judged(&token).await;
        let expect = [JwsError::NotCompact, JwsError::MalformedHeader].map(jws).map(Some);
        assert!(expect.contains(&reason), "{token}: {reason:?}");
        assert_eq!((status, cost), (401, Cost::Nothing));
    }
    issuing.refuses("payload", &format!("{header}..{signature}"), super::no_claims(), Cost::Nothing).await;
}

/// Every beginning of a good token. Those that are cut in the signature are plausible up to it.
#[tokio::test]
async fn tokens_that_are_cut() {
    let issuing = Issuing::new();
    let good = issuing.server.token(0);
    let in_signature = good.rfind('.').unwrap();
    for length in 1..good.len() {
        let (reason, status, cost) = issuing.judged(&good[..length]).await;
        assert_eq!(status, 401, "{length}: {reason:?}");
        let refused = matches!(&reason, Some(Reason::Token(AccessTokenError::Jws(_))));
        assert!(refused, "{length}: {reason:?}");
        if length <= in_signature {
            assert_eq!(cost, Cost::Nothing, "{length}");
        }
    }
}

/// Another text for the same bytes.
type Lenient = (&'static str, fn(&str) -> String);

/// What lenient decoders read as the same bytes.
// spec-test: JOSE-V1
#[tokio::test]
async fn base64_that_is_not_strict() {
    let issuing = Issuing::new();
    // Bytes that need both of the characters that differ, and lengths that leave unused bits in every part.
    let payload = issuing.payload(serde_json::json!({"x": "\u{fffe}\u{fbff}>>>???"}).as_object().unwrap());
    let padding = (0..3).find(|more| (payload.len() + more) % 3 == 1).unwrap();
    let token = issuing.raw(format!("{HEADER} "), format!("{payload}{}", " ".repeat(padding)));
    let parts: Vec<&str> = token.split('.').collect();
    assert!(token.contains('_') || token.contains('-'), "{token}");
    let lenient: [Lenient; 4] = [
        ("padded", |part| format!("{part}{}", "=".repeat((4 - part.len() % 4) % 4))),
        ("too much padding", |part| format!("{part}====")),
        ("the other alphabet", |part| part.replace('_', "/").replace('-', "+")),
        ("stray bits", stray_bits),
    ];
    for (name, change) in lenient {
        for index in 0..3 {
            let mut changed: Vec<String> = parts.iter().map(|part| (*part).to_owned()).collect();
            changed[index] = change(&changed[index]);
            let changed = changed.join(".");
            if changed == token {
                continue;
            }
            let (reason, status, cost) = issuing.judged(&changed).await;
            let no_token = matches!(
                &reason,
                Some(Reason::Presentation(_) | Reason::Token(AccessTokenError::Jws(JwsError::NotCompact)))
            );
            assert!(no_token && status != 200, "{name} {index}: {reason:?}");
            assert_eq!(cost, Cost::Nothing, "{name} {index}");
        }
    }
    issuing.accepts("as it was", &token).await;
}

/// The same bytes to whoever ignores the bits that are left over.
fn stray_bits(part: &str) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let last = part.bytes().last().unwrap();
    let value = ALPHABET.iter().position(|one| *one == last).unwrap();
    if part.len().is_multiple_of(4) {
        return part.to_owned();
    }
    let other = char::from(ALPHABET[value | 1]);
    format!("{}{other}", &part[..part.len() - 1])
}

/// White space and controls, which a header cannot carry or would split; whoever reads tokens elsewhere meets them.
#[tokio::test]
async fn characters_that_no_token_has() {
    let issuing = Issuing::new();
    let good = issuing.server.token(0);
    let middle = good.find('.').unwrap() + 5;
    for strange in [" ", "\n", "\r\n", "\t", "\0", "%2E", "\u{200b}", "é", "*", "~"] {
        for at in [0, 3, middle, good.len() - 3, good.len()] {
            let token = format!("{}{strange}{}", &good[..at], &good[at..]);
            let rejection = issuing.verifier().verify_token(&token).await.unwrap_err();
            assert_eq!(rejection.reason(), &jws(JwsError::NotCompact), "{strange:?} at {at}");
        }
    }
    assert_eq!(issuing.server.count(m2m_testkit::key_server::Document::Keys), 0);
}

/// The serializations of RFC 7515 section 7.2, and what else looks like a credential.
#[tokio::test]
async fn other_serializations() {
    let issuing = Issuing::new();
    let good = issuing.server.token(0);
    let parts: Vec<&str> = good.split('.').collect();
    let flattened =
        format!(r#"{{"protected":"{}","payload":"{}","signature":"{}"}}"#, parts[0], parts[1], parts[2]);
    for text in [flattened.clone(), format!(r#"{{"signatures":[{flattened}]}}"#), base64url::encode(&good)] {
        let rejection = issuing.verifier().verify_token(&text).await.unwrap_err();
        assert_eq!(rejection.reason(), &jws(JwsError::NotCompact), "{text}");
    }
}
