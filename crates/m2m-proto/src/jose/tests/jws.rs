use crate::jose::jws::{self, Compact};
use crate::jose::{Algorithm, HeaderFields, JwsError, MAX_TOKEN_BYTES, PreparedHeader, SigningKey};
use crate::secret::SecretBytes;

use super::{signing_key, unsigned};

fn signed(algorithm: Algorithm) -> String {
    let fields = HeaderFields { typ: Some("at+jwt"), kid: Some("k"), ..HeaderFields::default() };
    jws::sign(&fields, br#"{"sub":"s"}"#, signing_key(algorithm)).unwrap()
}

#[test]
fn every_algorithm_signs_what_it_verifies() {
    for algorithm in Algorithm::ALL {
        let token = signed(algorithm);
        let compact = Compact::parse(&token).unwrap();
        assert_eq!(compact.header().alg, algorithm);
        let verified = compact.verify(signing_key(algorithm).verifying_key()).unwrap();
        assert_eq!(verified.payload(), br#"{"sub":"s"}"#);
        assert_eq!(verified.header().kid.as_deref(), Some("k"));
        let (_, signature) = token.rsplit_once('.').unwrap();
        let bytes = crate::jose::base64url::decode(signature).unwrap().len();
        assert_eq!(bytes, signing_key(algorithm).signature_bytes(), "{algorithm}");
    }
}

#[test]
fn what_is_meant_as_a_jws_is_told_from_what_is_opaque() {
    let of = |header: &str| format!("{}.e30.AAAA", crate::jose::base64url::encode(header));
    assert!(jws::is_meant_as_jws(&signed(Algorithm::Es256)));
    for header in ["{}", "{\"alg\":\"none\"}", "{\n\"alg\":1}", " \t\r\n{ \"a\":1}", "{not json"] {
        assert!(jws::is_meant_as_jws(&of(header)), "{header:?}");
        assert!(jws::is_meant_as_jws(&of(header).replacen(".e30", "==.!", 1)), "{header:?}");
    }
    for text in ["", "opaque", "..", "a.b.c", "eyJhbGciOiJFUzI1NiJ9", "eyJhbGciOiJFUzI1NiJ9.e30"] {
        assert!(!jws::is_meant_as_jws(text), "{text}");
    }
    for text in [of("[1,2,3]"), of("\"text\""), format!("{}.AAAA", of("{}")), of("\u{e4}{}")] {
        assert!(!jws::is_meant_as_jws(&text), "{text}");
    }
}

#[test]
fn no_key_takes_a_token_of_another_algorithm() {
    // spec-test: JOSE-V3, JWT-V1
    for signer in Algorithm::ALL {
        let token = signed(signer);
        let compact = Compact::parse(&token).unwrap();
        for verifier in Algorithm::ALL.into_iter().filter(|other| *other != signer) {
            let result = compact.verify(signing_key(verifier).verifying_key());
            // The two names of Ed25519 mean one signature; only the key differs here.
            let expect = if signer.same_signature(verifier) {
                JwsError::WrongSignature
            } else {
                JwsError::AlgorithmNotAllowed
            };
            assert_eq!(result.unwrap_err(), expect, "{signer} {verifier}");
        }
    }
}

#[test]
fn both_names_of_ed25519_verify_with_one_key() {
    // spec-test: JOSE-V8
    let pem = signing_key(Algorithm::EdDsa).to_pkcs8_pem().unwrap();
    for algorithm in [Algorithm::EdDsa, Algorithm::Ed25519] {
        let key = SigningKey::from_pkcs8_pem(pem.expose().as_bytes(), Some(algorithm)).unwrap();
        let token = jws::sign(&HeaderFields::default(), b"x", &key).unwrap();
        assert!(
            Compact::parse(&token).unwrap().verify(signing_key(Algorithm::EdDsa).verifying_key()).is_ok()
        );
    }
}

#[test]
fn another_key_or_text_is_refused() {
    let token = signed(Algorithm::Es256);
    let other = SigningKey::generate(Algorithm::Es256).unwrap();
    let compact = Compact::parse(&token).unwrap();
    assert_eq!(compact.verify(other.verifying_key()).unwrap_err(), JwsError::WrongSignature);
    // The same JSON, written otherwise, is another signing input.
    let (_, rest) = token.split_once('.').unwrap();
    let header = crate::jose::base64url::encode(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#);
    let moved = format!("{header}.{rest}");
    let compact = Compact::parse(&moved).unwrap();
    let key = signing_key(Algorithm::Es256).verifying_key();
    assert_eq!(compact.verify(key).unwrap_err(), JwsError::WrongSignature);
}

// spec-test: JOSE-V3
#[test]
fn der_signatures_are_refused() {
    // A DER signature of the right key, where R and S belong: longer than 64 bytes.
    let token = signed(Algorithm::Es256);
    let (input, signature) = token.rsplit_once('.').unwrap();
    let raw = crate::jose::base64url::decode(signature).unwrap();
    let integer = |part: &[u8]| [&[2, 33, 0], part].concat();
    let body = [integer(&raw[..32]), integer(&raw[32..])].concat();
    let der = [vec![0x30, u8::try_from(body.len()).unwrap()], body].concat();
    let token = format!("{input}.{}", crate::jose::base64url::encode(der));
    let compact = Compact::parse(&token).unwrap();
    let key = signing_key(Algorithm::Es256).verifying_key();
    assert_eq!(compact.verify(key).unwrap_err(), JwsError::WrongSignature);
}

#[test]
fn only_the_compact_form_is_read() {
    // spec-test: JWT-V4, JOSE-V1
    let token = signed(Algorithm::Hs256);
    let (header, rest) = token.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let padded = format!("{header}.{payload}=.{signature}");
    let list = [
        String::new(),
        ".".into(),
        header.into(),
        format!("{header}.{payload}"),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!("{token}.x.y"),
        format!(" {token}"),
        format!("{token}\n"),
        padded,
        token.replacen('.', "..", 1),
        format!("{header}.{payload}+.{signature}"),
        r#"{"payload":"","signatures":[]}"#.into(),
    ];
    for text in list {
        let error = Compact::parse(&text).unwrap_err();
        assert_eq!(error, JwsError::NotCompact, "{text:?}");
    }
    // Three parts, but nothing in them.
    assert_eq!(Compact::parse("..").unwrap_err(), JwsError::MalformedHeader);
    // JWE has five parts.
    assert_eq!(Compact::parse("e30.e30.e30.e30.e30").unwrap_err(), JwsError::NotCompact);
}

// spec-test: JWT-V1
#[test]
fn unsecured_tokens_are_refused() {
    let token = unsigned(r#"{"alg":"none"}"#, "{}");
    let (input, _) = token.rsplit_once('.').unwrap();
    for text in [token.clone(), format!("{input}.")] {
        assert_eq!(Compact::parse(&text).unwrap_err(), JwsError::UnknownAlgorithm);
    }
    let stripped = format!("{}.", signed(Algorithm::Es256).rsplit_once('.').unwrap().0);
    let key = signing_key(Algorithm::Es256).verifying_key();
    assert_eq!(Compact::parse(&stripped).unwrap().verify(key).unwrap_err(), JwsError::WrongSignature);
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let public = signing_key(Algorithm::Rs256).public_jwk().unwrap().clone();
    let pem_like = SecretBytes::new(serde_json::to_vec(&public.to_public_json()).unwrap());
    let forged = SigningKey::hmac(&pem_like, Algorithm::Hs256).unwrap();
    let token = jws::sign(&HeaderFields::default(), b"{}", &forged).unwrap();
    let compact = Compact::parse(&token).unwrap();
    let key = signing_key(Algorithm::Rs256).verifying_key();
    assert_eq!(compact.verify(key).unwrap_err(), JwsError::AlgorithmNotAllowed);
}

#[test]
fn size_is_bounded_on_both_sides() {
    let long = "a".repeat(MAX_TOKEN_BYTES + 1);
    assert!(matches!(Compact::parse(&long).unwrap_err(), JwsError::TooLong { .. }));
    let payload = vec![b'a'; MAX_TOKEN_BYTES];
    let made = jws::sign(&HeaderFields::default(), &payload, signing_key(Algorithm::Hs256));
    assert!(matches!(made.unwrap_err(), JwsError::TooLong { .. }));
}

#[test]
fn a_prepared_header_belongs_to_its_algorithm() {
    let prepared = PreparedHeader::new(&HeaderFields::default(), signing_key(Algorithm::Es256));
    let made = jws::sign_prepared(&prepared, b"{}", signing_key(Algorithm::EdDsa));
    assert_eq!(made.unwrap_err(), JwsError::AlgorithmNotAllowed);
}

#[test]
fn a_key_id_is_written_unless_the_key_itself_is() {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("own".into());
    let jwk = key.public_jwk().unwrap().clone();
    let kid = |fields: &HeaderFields<'_>| {
        let token = jws::sign(fields, b"{}", &key).unwrap();
        Compact::parse(&token).unwrap().header().kid.clone()
    };
    assert_eq!(kid(&HeaderFields::default()).as_deref(), Some("own"));
    assert_eq!(
        kid(&HeaderFields { kid: Some("other"), ..HeaderFields::default() }).as_deref(),
        Some("other")
    );
    assert_eq!(kid(&HeaderFields { jwk: Some(&jwk), ..HeaderFields::default() }), None);
}

/// Payload and signature together are a usable token.
#[test]
fn debug_shows_the_header_only() {
    let token = signed(Algorithm::Es256);
    let compact = Compact::parse(&token).unwrap();
    let verified = compact.verify(signing_key(Algorithm::Es256).verifying_key()).unwrap();
    let header = compact.header();
    assert_eq!(format!("{compact:?}"), format!("Compact {{ header: {header:?}, .. }}"));
    assert_eq!(format!("{verified:?}"), format!("VerifiedPayload {{ header: {header:?}, .. }}"));
}
