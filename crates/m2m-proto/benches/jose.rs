//! Signing and verifying against the raw primitive of aws-lc-rs with a parsed key, on one core.
//!
//! `ours` signs a ready payload of ten claims into a token, or takes a token all the way: compact
//! form, header, signature, claims, their checks. `limit` is the one signature. Both are timed in
//! turns, and the best turn of each counts, so that other work on the machine disturbs little.
//!
//! Prints `bench NAME ours=… limit=… ratio=… bar=… ok|short`, times in microseconds.

use std::hint::black_box;
use std::time::{Duration, Instant};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{self as raw, EcdsaKeyPair, Ed25519KeyPair, ParsedPublicKey, RsaKeyPair};
use m2m_proto::jose::jws::{self, Compact};
use m2m_proto::jose::kind::{self, Expect, TypPolicy};
use m2m_proto::jose::{Algorithm, Claims, HeaderFields, Kind, PreparedHeader, SigningKey};
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::UnixTime;

const PAYLOAD: &[u8] = br#"{"iss":"https://as.example","sub":"svc-billing","client_id":"svc-billing","aud":"https://orders.example","scope":"orders:read orders:write","iat":1795000000,"nbf":1795000000,"exp":1795000600,"jti":"8Jx2m0m1Qn6Zb8yq3rV7Kw","azp":"svc-billing"}"#;
/// Many short turns: one of them meets a quiet moment even on a busy machine.
const TURNS: u32 = 400;

/// The best time of one call of `ours` and of `limit`.
fn compare(mut ours: impl FnMut(), mut limit: impl FnMut()) -> (Duration, Duration) {
    let calls = calls_in(Duration::from_micros(800), &mut ours);
    let (mut best_ours, mut best_limit) = (Duration::MAX, Duration::MAX);
    for _ in 0..TURNS {
        best_ours = best_ours.min(time(calls, &mut ours));
        best_limit = best_limit.min(time(calls, &mut limit));
    }
    (best_ours / calls, best_limit / calls)
}

fn calls_in(span: Duration, call: &mut impl FnMut()) -> u32 {
    let once = time(16, call) / 16;
    u32::try_from(span.as_nanos() / once.as_nanos().max(1)).unwrap_or(1).max(1)
}

fn time(calls: u32, call: &mut impl FnMut()) -> Duration {
    #[expect(clippy::disallowed_methods, reason = "a bench measures time")]
    let start = Instant::now();
    for _ in 0..calls {
        call();
    }
    start.elapsed()
}

fn report(name: &str, (ours, limit): (Duration, Duration), bar: f64) {
    let (ours, limit) = (ours.as_secs_f64() * 1e6, limit.as_secs_f64() * 1e6);
    let ratio = limit / ours;
    let verdict = if ratio >= bar { "ok" } else { "short" };
    println!("bench {name} ours={ours:.2} limit={limit:.2} ratio={ratio:.3} bar={bar} {verdict}");
}

type RawSign = Box<dyn FnMut(&[u8])>;

/// The raw signer for the same key, as the library's users would call it.
fn raw_signer(algorithm: Algorithm, key: &SigningKey) -> RawSign {
    let rng = SystemRandom::new();
    let der = key.to_pkcs8_der();
    let der = || der.as_ref().unwrap().expose().as_slice();
    match algorithm {
        Algorithm::Hs256 => {
            let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &[7; 32]);
            Box::new(move |input| {
                black_box(aws_lc_rs::hmac::sign(&key, input));
            })
        }
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let key = RsaKeyPair::from_pkcs8(der()).unwrap();
            let padding: &'static dyn raw::RsaEncoding =
                if algorithm == Algorithm::Rs256 { &raw::RSA_PKCS1_SHA256 } else { &raw::RSA_PSS_SHA256 };
            let mut signature = vec![0; key.public_modulus_len()];
            Box::new(move |input| key.sign(padding, &rng, input, black_box(&mut signature)).unwrap())
        }
        Algorithm::Es256 | Algorithm::Es384 => {
            let curve = if algorithm == Algorithm::Es256 {
                &raw::ECDSA_P256_SHA256_FIXED_SIGNING
            } else {
                &raw::ECDSA_P384_SHA384_FIXED_SIGNING
            };
            let key = EcdsaKeyPair::from_pkcs8(curve, der()).unwrap();
            Box::new(move |input| {
                black_box(key.sign(&rng, input).unwrap());
            })
        }
        _ => {
            let key = Ed25519KeyPair::from_pkcs8(der()).unwrap();
            Box::new(move |input| {
                black_box(key.sign(input));
            })
        }
    }
}

fn raw_verifier(algorithm: Algorithm, key: &SigningKey) -> ParsedPublicKey {
    let public = key.public_jwk().unwrap().to_public_json();
    let member = |name: &str| m2m_proto::jose::base64url::decode(public[name].as_str().unwrap()).unwrap();
    match algorithm {
        Algorithm::Rs256 | Algorithm::Ps256 => {
            let parameters = if algorithm == Algorithm::Rs256 {
                &raw::RSA_PKCS1_2048_8192_SHA256
            } else {
                &raw::RSA_PSS_2048_8192_SHA256
            };
            raw::RsaPublicKeyComponents { n: member("n"), e: member("e") }.to_parsed_public_key(parameters)
        }
        Algorithm::Es256 => {
            ParsedPublicKey::new(&raw::ECDSA_P256_SHA256_FIXED, [vec![4], member("x"), member("y")].concat())
        }
        Algorithm::Es384 => {
            ParsedPublicKey::new(&raw::ECDSA_P384_SHA384_FIXED, [vec![4], member("x"), member("y")].concat())
        }
        _ => ParsedPublicKey::new(&raw::ED25519, member("x")),
    }
    .unwrap()
}

fn verify_fully(token: &str, key: &SigningKey) -> Claims {
    let compact = Compact::parse(token).unwrap();
    kind::check_header(Kind::AccessToken, compact.header(), TypPolicy::Row).unwrap();
    check_claims(compact.verify(key.verifying_key()).unwrap().payload())
}

fn check_claims(payload: &[u8]) -> Claims {
    let claims = Claims::parse(payload).unwrap();
    let expect = Expect::at(UnixTime::from_seconds(1_795_000_100))
        .issuer("https://as.example")
        .audience(&["https://orders.example"]);
    kind::check_claims(Kind::AccessToken, &claims, &expect).unwrap();
    claims
}

fn main() {
    // (algorithm, bar for signing, bar for verifying). An HMAC costs a third of a microsecond,
    // less than writing the token down: its bar says only that nothing silly is done.
    let rows = [
        (Algorithm::Rs256, 0.95, Some(0.88)),
        (Algorithm::Ps256, 0.95, Some(0.88)),
        (Algorithm::Es256, 0.95, Some(0.95)),
        (Algorithm::Es384, 0.95, Some(0.95)),
        (Algorithm::EdDsa, 0.95, Some(0.93)),
        (Algorithm::Hs256, 0.5, None),
    ];
    for (algorithm, sign_bar, verify_bar) in rows {
        let key = if algorithm.is_symmetric() {
            SigningKey::hmac(&SecretBytes::new(vec![7; 32]), algorithm)
        } else {
            SigningKey::generate(algorithm)
        };
        let key = key.unwrap().with_key_id("8Jx2m0m1".to_owned());
        let fields = HeaderFields { typ: Some("at+jwt"), ..HeaderFields::default() };
        let header = PreparedHeader::new(&fields, &key);
        let token = jws::sign_prepared(&header, PAYLOAD, &key).unwrap();
        let (input, signature) = token.rsplit_once('.').unwrap();
        let mut sign = raw_signer(algorithm, &key);
        let signing = compare(
            || drop(black_box(jws::sign_prepared(&header, black_box(PAYLOAD), &key).unwrap())),
            || sign(black_box(input.as_bytes())),
        );
        report(&format!("sign-{algorithm}"), signing, sign_bar);
        let Some(bar) = verify_bar else { continue };
        let limit = raw_verifier(algorithm, &key);
        let signature = m2m_proto::jose::base64url::decode(signature).unwrap();
        let verifying = compare(
            || drop(black_box(verify_fully(black_box(&token), &key))),
            || limit.verify_sig(black_box(input.as_bytes()), black_box(&signature)).unwrap(),
        );
        report(&format!("verify-{algorithm}"), verifying, bar);
    }
}
