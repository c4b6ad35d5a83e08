use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::client_id::ClientId;
use crate::jose::kind::KindError;
use crate::jose::{Algorithm, Compact, SigningKey};
use crate::scope::Scope;
use crate::seal::SealError;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "https://orders.example";
const NONCE: [u8; 12] = [7; 12];

fn input(byte: u8) -> SecretBytes {
    SecretBytes::new(vec![byte; 32])
}

fn seal_of(byte: u8, issuer: &str) -> TokenSeal {
    TokenSeal::new(&input(byte), &Issuer::parse(issuer).unwrap()).unwrap()
}

fn seal() -> TokenSeal {
    seal_of(1, ISSUER)
}

struct Parts {
    issuer: Issuer,
    client_id: ClientId,
    scope: Scope,
}

impl Parts {
    fn new() -> Self {
        Self {
            issuer: Issuer::parse(ISSUER).unwrap(),
            client_id: ClientId::parse("billing").unwrap(),
            scope: Scope::parse("orders:read").unwrap(),
        }
    }

    fn claims(&self) -> AccessTokenClaims<'_> {
        AccessTokenClaims {
            issuer: &self.issuer,
            subject: "billing",
            client_id: &self.client_id,
            audience: &[AUDIENCE],
            scope: &self.scope,
            issued_at: NOW,
            expires_at: UnixTime::from_seconds(NOW.seconds() + 600),
            jti: "t-1",
            roles: &[],
            permissions: &[],
            credential: Some("c-7"),
            confirmation: None,
            status: None,
            delegation: None,
        }
    }
}

fn sealed() -> AccessToken {
    seal().seal(&Parts::new().claims(), NONCE, NOW).unwrap()
}

fn expect() -> Expect<'static> {
    Expect { audience: AUDIENCE, now: NOW, skew: Skew::DEFAULT }
}

fn open_error(seal: &TokenSeal, text: &str) -> SealedTokenError {
    seal.open(text).unwrap_err()
}

/// A token of these claims, whatever they are.
fn sealed_claims(plain: &[u8]) -> String {
    let seal = seal();
    let head = head(500_000);
    let bytes = seal.under(500_000, |key| key.seal(NONCE, &seal.associated(head), plain)).unwrap();
    format!("{PREFIX}{}", base64url::encode([&head[..], &NONCE[..], &bytes[..]].concat()))
}

/// A token sealed today opens tomorrow.
#[test]
fn golden_bytes() {
    assert_eq!(sealed().expose(), include_str!("../../../testdata/golden/access_token.sealed.txt").trim());
}

// spec-test: 9068-RS1
#[test]
fn a_sealed_token_opens_and_tells_all() {
    let seal = seal();
    let token = sealed();
    assert!(is_sealed(token.expose()));
    let opened = seal.open(token.expose()).unwrap();
    assert_eq!(opened.audience().collect::<Vec<_>>(), [AUDIENCE]);
    let claims = opened.check(&expect()).unwrap();
    assert_eq!((claims.issuer(), claims.client_id()), (ISSUER, Some("billing")));
    assert_eq!((claims.jti(), claims.credential()), (Some("t-1"), Some("c-7")));
    assert_eq!(claims.scope(), &Parts::new().scope);
    assert_eq!(claims.expires_at(), UnixTime::from_seconds(NOW.seconds() + 600));
}

#[test]
fn nothing_in_it_can_be_read() {
    let token = sealed();
    let bytes = base64url::decode(token.expose().strip_prefix(PREFIX).unwrap()).unwrap();
    assert_eq!(bytes[..17], [&head(500_000)[..], &NONCE].concat());
    for word in ["billing", "iss", "t-1", "orders"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    let seal = seal();
    let shown = format!("{seal:?} {:?}", seal.open(token.expose()).unwrap());
    assert!(!shown.contains("t-1") && !shown.contains("[1, 1"), "{shown}");
}

#[test]
fn every_change_of_one_character_is_refused() {
    let seal = seal();
    let token = sealed();
    let text = token.expose();
    for position in 0..text.len() {
        for byte in 0x20..0x7F {
            let mut changed = text.as_bytes().to_vec();
            if changed[position] == byte {
                continue;
            }
            changed[position] = byte;
            let changed = String::from_utf8(changed).unwrap();
            assert!(seal.open(&changed).is_err(), "{changed}");
        }
    }
}

#[test]
fn every_change_of_one_bit_is_refused() {
    let seal = seal();
    let token = sealed();
    let bytes = base64url::decode(token.expose().strip_prefix(PREFIX).unwrap()).unwrap();
    for position in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[position] ^= 1 << bit;
            let error = open_error(&seal, &format!("{PREFIX}{}", base64url::encode(&changed)));
            let version = position == 0;
            let expect =
                if version { SealedTokenError::Malformed } else { SealedTokenError::Seal(SealError::Broken) };
            assert_eq!(error, expect, "bit {bit} of byte {position}");
        }
    }
}

#[test]
fn every_truncation_and_extension_is_refused() {
    let seal = seal();
    let token = sealed();
    let text = token.expose();
    for end in 0..text.len() {
        assert!(seal.open(&text[..end]).is_err(), "cut at {end}");
        assert!(seal.open(&text[end + 1..]).is_err(), "cut after {end}");
    }
    for more in ["A", "AA", "AAA", "AAAA", "=", "\n", " ", ".", "é", text] {
        assert!(seal.open(&format!("{text}{more}")).is_err(), "{more:?} after it");
        assert!(seal.open(&format!("{more}{text}")).is_err(), "{more:?} before it");
        assert!(seal.open(&format!("{PREFIX}{more}{}", &text[PREFIX.len()..])).is_err(), "{more:?} within");
    }
}

#[test]
fn another_key_or_issuer_or_hour_is_refused() {
    let token = sealed();
    let broken = SealedTokenError::Seal(SealError::Broken);
    assert_eq!(open_error(&seal_of(2, ISSUER), token.expose()), broken);
    assert_eq!(open_error(&seal_of(1, "https://as.example/tenant"), token.expose()), broken);
    let replica = seal();
    assert!(replica.open(token.expose()).is_ok());
    let parts = Parts::new();
    let other = Issuer::parse("https://other.example").unwrap();
    let claims = AccessTokenClaims { issuer: &other, ..parts.claims() };
    assert_eq!(replica.seal(&claims, NONCE, NOW), Err(MintError::Unusable));
    // The same nonce in two hours is not the same key stream.
    let later = replica.seal(&parts.claims(), NONCE, UnixTime::from_seconds(NOW.seconds() + 3600)).unwrap();
    let tail = |token: &AccessToken| token.expose()[PREFIX.len() + 24..].to_owned();
    assert_ne!(tail(&later), tail(&token));
}

#[test]
fn a_jwt_is_no_sealed_token_and_a_sealed_token_no_jwt() {
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let parts = Parts::new();
    let jwt = parts.claims().sign(&AccessTokenClaims::header(&key), &key).unwrap();
    assert!(!is_sealed(jwt.expose()));
    assert_eq!(open_error(&seal(), jwt.expose()), SealedTokenError::NotSealed);
    let dressed = format!("{PREFIX}{}", jwt.expose());
    assert_eq!(open_error(&seal(), &dressed), SealedTokenError::Malformed);
    let token = sealed();
    assert!(Compact::parse(token.expose()).is_err());
    assert!(access_token::parse(token.expose()).is_err());
    assert!(access_token::parse(&token.expose()[PREFIX.len()..]).is_err());
    // Nor does plain JSON of good claims, whoever encodes it.
    let plain = base64url::encode(parts.claims().encode().unwrap());
    assert!(seal().open(&format!("{PREFIX}{plain}")).is_err());
    assert!(
        seal()
            .open(&format!("{PREFIX}{}", base64url::encode([&head(500_000)[..], &NONCE].concat())))
            .is_err()
    );
}

#[test]
fn an_opened_token_is_checked_like_a_signed_one() {
    let seal = seal();
    let token = sealed();
    let check = |expect: Expect<'_>| seal.open(token.expose()).unwrap().check(&expect);
    let elsewhere = AccessTokenError::Audience { expected: "urn:x".to_owned() };
    assert_eq!(check(Expect { audience: "urn:x", ..expect() }), Err(elsewhere));
    let at = |seconds| check(Expect { now: UnixTime::from_seconds(seconds), ..expect() });
    let start = NOW.seconds();
    assert!(at(start + 629).is_ok());
    assert!(matches!(at(start + 630), Err(AccessTokenError::Kind(KindError::Expired { .. }))));
    assert!(at(start - 30).is_ok());
    assert!(matches!(at(start - 31), Err(AccessTokenError::Kind(KindError::NotYetValid { .. }))));
}

// spec-test: 9068-RS1
#[test]
fn sealed_claims_are_complete_and_well_formed() {
    let seal = seal();
    let with = |name: &str, value: serde_json::Value| {
        let mut claims: serde_json::Value =
            serde_json::from_str(&Parts::new().claims().encode().unwrap()).unwrap();
        claims[name] = value;
        seal.open(&sealed_claims(claims.to_string().as_bytes())).unwrap().check(&expect())
    };
    assert!(with("extra", json!(1)).is_ok());
    for name in ["iss", "exp", "aud", "sub", "client_id", "iat", "jti"] {
        let missing = AccessTokenError::Kind(KindError::MissingClaim(name.to_owned()));
        assert_eq!(with(name, serde_json::Value::Null), Err(missing));
    }
    let error = with("iss", json!("https://other.example")).unwrap_err();
    assert!(matches!(error, AccessTokenError::Kind(KindError::WrongIssuer { .. })));
    assert_eq!(with("cnf", json!({})), Err(AccessTokenError::Claim("cnf")));
    for plain in ["", "[]", "null", "{\"iss\":1}", "{\"a\":1,\"a\":1}"] {
        let text = sealed_claims(plain.as_bytes());
        assert_eq!(open_error(&seal, &text), SealedTokenError::Claims, "{plain}");
    }
}

#[test]
fn size_is_bounded_on_both_sides() {
    let parts = Parts::new();
    let jti = |length| "j".repeat(length);
    let seal = seal();
    // Everything but the jti, and the text around it.
    let rest = parts.claims().encode().unwrap().len() - 3;
    let most = (MAX_BYTES - PREFIX.len()) / 4 * 3 - HEAD_BYTES - NONCE_BYTES - 16 - rest;
    let longest = jti(most);
    let fits = seal.seal(&AccessTokenClaims { jti: &longest, ..parts.claims() }, NONCE, NOW).unwrap();
    assert!(fits.expose().len() <= MAX_BYTES && fits.expose().len() > MAX_BYTES - 4);
    assert!(seal.open(fits.expose()).unwrap().check(&expect()).is_ok());
    let longer = jti(most + 3);
    let refused = seal.seal(&AccessTokenClaims { jti: &longer, ..parts.claims() }, NONCE, NOW).unwrap_err();
    assert!(matches!(refused, MintError::TooLong { limit: MAX_BYTES, .. }));
    let long = format!("{PREFIX}{}", "A".repeat(MAX_BYTES));
    assert_eq!(open_error(&seal, &long), SealedTokenError::TooLong(long.len()));
}

#[test]
fn what_makes_no_token_is_not_sealed() {
    let parts = Parts::new();
    let claims = AccessTokenClaims { expires_at: NOW, ..parts.claims() };
    assert_eq!(seal().seal(&claims, NONCE, NOW), Err(MintError::Unusable));
    let never = UnixTime::from_millis(u64::MAX);
    assert_eq!(seal().seal(&parts.claims(), NONCE, never), Err(MintError::Unusable));
    let short = TokenSeal::new(&SecretBytes::new(vec![1; 31]), &parts.issuer);
    assert_eq!(short.unwrap_err(), SealError::KeyTooShort(31));
}

fn kept(seal: &TokenSeal) -> Vec<u32> {
    let kept = seal.kept.read().unwrap();
    let mut epochs: Vec<_> = kept.iter().flatten().map(|(epoch, _)| *epoch).collect();
    epochs.sort_unstable();
    epochs
}

#[test]
fn the_keys_of_the_last_hours_are_kept_and_no_strangers() {
    let seal = seal();
    let parts = Parts::new();
    let at = |hour: u64| seal.seal(&parts.claims(), NONCE, UnixTime::from_seconds(hour * 3600)).unwrap();
    let tokens: Vec<_> = (500_000..500_020).map(at).collect();
    let last: Vec<_> = (500_012..500_020).collect();
    assert_eq!(kept(&seal), last);
    assert!(tokens.iter().all(|token| seal.open(token.expose()).is_ok()));
    assert_eq!(kept(&seal), last, "an old token pushes out no newer key");
    let foreign = format!("{PREFIX}{}", base64url::encode([&head(u32::MAX)[..], &[0; 60]].concat()));
    assert_eq!(open_error(&seal, &foreign), SealedTokenError::Seal(SealError::Broken));
    assert_eq!(kept(&seal), last, "what does not open leaves no key");
}

proptest! {
    #[test]
    fn what_is_sealed_opens(
        subject in "\\PC{1,40}", jti in "[!-~]{1,40}", nonce in any::<[u8; 12]>(), hours in 0_u64..4_000_000_000,
    ) {
        let parts = Parts::new();
        let claims = AccessTokenClaims { subject: &subject, jti: &jti, ..parts.claims() };
        let token = seal().seal(&claims, nonce, UnixTime::from_seconds(hours * 3600)).unwrap();
        let opened = seal();
        let found = opened.open(token.expose()).unwrap().check(&expect()).unwrap();
        prop_assert_eq!(found.subject(), Some(subject.as_str()));
        prop_assert_eq!(found.jti(), Some(jti.as_str()));
    }

    #[test]
    fn no_input_panics_and_none_opens(bytes in prop::collection::vec(any::<u8>(), 0..200), text in ".{0,64}") {
        let seal = seal();
        for text in [text.clone(), format!("{PREFIX}{text}"), format!("{PREFIX}{}", base64url::encode(&bytes))] {
            prop_assert!(seal.open(&text).is_err());
        }
        let versioned = base64url::encode([&[VERSION][..], &bytes].concat());
        let versioned = format!("{PREFIX}{versioned}");
        prop_assert!(seal.open(&versioned).is_err());
        let _ = seal.open(&sealed_claims(&bytes));
    }
}
