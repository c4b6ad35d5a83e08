use serde_json::{Value, json};

use crate::jose::{Algorithm, Jwk, KeyError, RsaSize, SigningKey, VerifyingKey};
use crate::secret::SecretBytes;

use super::signing_key;

macro_rules! pem {
    ($name:literal) => {
        include_bytes!(concat!("../../../testdata/keys/", $name))
    };
}

fn public(algorithm: Algorithm) -> Value {
    Value::Object(signing_key(algorithm).public_jwk().unwrap().to_public_json())
}

fn key(jwk: &Value) -> Result<VerifyingKey, KeyError> {
    VerifyingKey::from_jwk(&Jwk::parse(jwk.to_string().as_bytes()).unwrap())
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn algorithms(jwk: &Value) -> Vec<&'static str> {
    key(jwk).unwrap().algorithms().map(Algorithm::name).collect()
}

#[test]
fn keys_are_bound_to_algorithms() {
    // spec-test: JWT-V1, JOSE-V3
    let mut rsa = public(Algorithm::Rs256);
    assert_eq!(algorithms(&rsa), ["RS256"]);
    rsa.as_object_mut().unwrap().remove("alg");
    assert_eq!(algorithms(&rsa), ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"]);
    let mut ec = public(Algorithm::Es384);
    assert_eq!(
        key(&with(ec.clone(), "alg", json!("ES256"))).unwrap_err(),
        KeyError::AlgorithmMismatch(Algorithm::Es256)
    );
    assert_eq!(
        key(&with(ec.clone(), "alg", json!("RS256"))).unwrap_err(),
        KeyError::AlgorithmMismatch(Algorithm::Rs256)
    );
    assert_eq!(
        key(&with(ec.clone(), "alg", json!("HS256"))).unwrap_err(),
        KeyError::AlgorithmMismatch(Algorithm::Hs256)
    );
    assert_eq!(key(&with(ec.clone(), "alg", json!("ECDH-ES"))).unwrap_err(), KeyError::UnknownAlgorithm);
    assert_eq!(key(&with(ec.clone(), "alg", json!("none"))).unwrap_err(), KeyError::UnknownAlgorithm);
    ec.as_object_mut().unwrap().remove("alg");
    assert_eq!(algorithms(&ec), ["ES384"]);
    assert_eq!(algorithms(&public(Algorithm::EdDsa)), ["EdDSA", "Ed25519"]);
    assert_eq!(algorithms(&public(Algorithm::Ed25519)), ["EdDSA", "Ed25519"]);
}

#[test]
fn purposes_are_respected() {
    // spec-test: JOSE-V4
    let ec = public(Algorithm::Es256);
    assert_eq!(key(&with(ec.clone(), "use", json!("enc"))).unwrap_err(), KeyError::Purpose);
    assert_eq!(key(&with(ec.clone(), "key_ops", json!([]))).unwrap_err(), KeyError::Purpose);
    assert_eq!(key(&with(ec.clone(), "key_ops", json!(["deriveKey"]))).unwrap_err(), KeyError::Purpose);
    assert!(key(&with(ec.clone(), "key_ops", json!(["x", "verify"]))).is_ok());
    let private = json!({"kty": "oct", "k": "A".repeat(43), "key_ops": ["verify"]});
    let jwk = Jwk::parse(private.to_string().as_bytes()).unwrap();
    assert_eq!(SigningKey::from_jwk(&jwk).unwrap_err(), KeyError::Purpose);
}

#[test]
fn points_off_the_curve_are_refused() {
    let ec = with(public(Algorithm::Es256), "y", json!("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"));
    assert_eq!(key(&ec).unwrap_err(), KeyError::Inconsistent);
    let zero = "A".repeat(43);
    let ec = with(with(ec, "x", json!(zero)), "y", json!(zero));
    assert_eq!(key(&ec).unwrap_err(), KeyError::Inconsistent);
}

// spec-test: JOSE-V3
#[test]
fn weak_rsa_keys_are_refused() {
    let too_short = VerifyingKey::from_spki_pem(pem!("rsa1024.public.pem")).unwrap_err();
    assert_eq!(too_short, KeyError::TooShort { bits: 1024, needed: 2048 });
    assert!(SigningKey::from_pkcs8_pem(pem!("rsa1024.pkcs8.pem"), None).is_err());
    let rsa = |bytes: Vec<u8>, e: &str| {
        key(&json!({"kty": "RSA", "n": crate::jose::base64url::encode(bytes), "e": e})).map(|_| ())
    };
    let odd = |bytes: usize| [vec![0xff; bytes - 1], vec![0xfb]].concat();
    assert_eq!(rsa(odd(1024), "AQAB"), Ok(()));
    let short = [vec![0x7f], vec![0xff; 255]].concat();
    assert_eq!(rsa(short, "AQAB"), Err(KeyError::TooShort { bits: 2047, needed: 2048 }));
    assert_eq!(rsa([vec![0xff; 255], vec![0xfe]].concat(), "AQAB"), Err(KeyError::WeakModulus));
    assert_eq!(rsa(odd(256), "Aw"), Ok(()));
    for e in ["AQ", "Ag", "AQAA", "AgAAAAE", "____________"] {
        assert_eq!(rsa(odd(256), e), Err(KeyError::Exponent), "{e}");
    }
}

// spec-test: JOSE-V3, JWT-V7
#[test]
fn shared_secrets_are_as_long_as_their_hash() {
    let secret = |bytes: usize| SecretBytes::new(vec![1; bytes]);
    for (algorithm, bytes) in [(Algorithm::Hs256, 32), (Algorithm::Hs384, 48), (Algorithm::Hs512, 64)] {
        assert!(SigningKey::hmac(&secret(bytes), algorithm).is_ok());
        let expect = KeyError::TooShort { bits: bytes * 8 - 8, needed: bytes * 8 };
        assert_eq!(SigningKey::hmac(&secret(bytes - 1), algorithm).unwrap_err(), expect);
        assert_eq!(VerifyingKey::hmac(&secret(bytes - 1), algorithm).unwrap_err(), expect);
    }
    assert_eq!(
        SigningKey::hmac(&secret(64), Algorithm::Es256).unwrap_err(),
        KeyError::AlgorithmMismatch(Algorithm::Es256)
    );
    assert_eq!(SigningKey::generate(Algorithm::Hs256).unwrap_err(), KeyError::Symmetric(Algorithm::Hs256));
    assert_eq!(algorithms(&json!({"kty": "oct", "k": "A".repeat(64)})), ["HS256", "HS384"]);
}

#[test]
fn key_files_of_every_form_are_read() {
    let check = |pem: &[u8], expect: Algorithm, public: &[u8]| {
        let key = SigningKey::from_pkcs8_pem(pem, None).unwrap();
        assert_eq!(key.algorithm(), expect);
        let verifying = VerifyingKey::from_spki_pem(public).unwrap();
        assert_eq!(key.thumbprint(), verifying.thumbprint());
        assert!(verifying.allows(expect));
        let again = SigningKey::from_pkcs8_pem(key.to_pkcs8_pem().unwrap().expose().as_bytes(), Some(expect));
        assert_eq!(again.unwrap().thumbprint(), key.thumbprint());
        let again = SigningKey::from_pkcs8_der(key.to_pkcs8_der().unwrap().expose(), Some(expect));
        assert_eq!(again.unwrap().thumbprint(), key.thumbprint());
    };
    check(pem!("p256.pkcs8.pem"), Algorithm::Es256, pem!("p256.public.pem"));
    check(pem!("p256.sec1.pem"), Algorithm::Es256, pem!("p256.public.pem"));
    check(pem!("rsa2048.pkcs1.pem"), Algorithm::Rs256, pem!("rsa2048.public.pem"));
    check(pem!("ed25519.pkcs8.pem"), Algorithm::EdDsa, pem!("ed25519.public.pem"));
    for (pem, algorithm) in
        [(&pem!("p384.public.pem")[..], Algorithm::Es384), (&pem!("p521.public.pem")[..], Algorithm::Es512)]
    {
        assert!(VerifyingKey::from_spki_pem(pem).unwrap().allows(algorithm));
    }
}

#[test]
fn pkcs8_text_is_what_openssl_writes() {
    let key = SigningKey::from_pkcs8_pem(pem!("ed25519.pkcs8.pem"), None).unwrap();
    assert_eq!(key.to_pkcs8_pem().unwrap().expose().as_bytes(), pem!("ed25519.pkcs8.pem"));
    let key = SigningKey::from_pkcs8_pem(pem!("p256.sec1.pem"), None).unwrap();
    assert_eq!(key.to_pkcs8_pem().unwrap().expose().as_bytes(), pem!("p256.pkcs8.pem"));
}

#[test]
fn other_files_are_refused_by_name() {
    let error = |pem: &[u8], algorithm| SigningKey::from_pkcs8_pem(pem, algorithm).unwrap_err();
    assert_eq!(error(pem!("p256.encrypted.pem"), None), KeyError::Encrypted);
    assert_eq!(error(pem!("rsa2048.encrypted.pem"), None), KeyError::Encrypted);
    assert_eq!(error(pem!("p256.public.pem"), None), KeyError::NotPrivate);
    assert_eq!(error(pem!("secp256k1.pkcs8.pem"), None), KeyError::NotPrivate);
    assert_eq!(error(b"", None), KeyError::NotPrivate);
    assert_eq!(
        error(pem!("p256.pkcs8.pem"), Some(Algorithm::Es384)),
        KeyError::AlgorithmMismatch(Algorithm::Es384)
    );
    assert_eq!(
        error(pem!("ed25519.pkcs8.pem"), Some(Algorithm::Rs256)),
        KeyError::AlgorithmMismatch(Algorithm::Rs256)
    );
    assert_eq!(VerifyingKey::from_spki_pem(pem!("p256.pkcs8.pem")).unwrap_err(), KeyError::NotPublic);
    let mut trailing = rustls_pki_types::pem::PemObject::from_pem_slice(pem!("p256.public.pem"))
        .map(|der: rustls_pki_types::SubjectPublicKeyInfoDer<'_>| der.to_vec())
        .unwrap();
    assert!(VerifyingKey::from_spki_der(&trailing).is_ok());
    trailing.push(0);
    assert_eq!(VerifyingKey::from_spki_der(&trailing).unwrap_err(), KeyError::NotPublic);
}

#[test]
fn private_halves_must_belong_to_their_public_ones() {
    let jwk = |value: Value| Jwk::parse(value.to_string().as_bytes()).unwrap();
    let zeros_but_one = format!("{}E", "A".repeat(42));
    for algorithm in [Algorithm::Es256, Algorithm::EdDsa] {
        let mixed = with(public(algorithm), "d", json!(zeros_but_one));
        assert_eq!(SigningKey::from_jwk(&jwk(mixed)).unwrap_err(), KeyError::Inconsistent, "{algorithm}");
    }
    let mut rsa = public(Algorithm::Rs256);
    for name in ["d", "p", "q", "dp", "dq", "qi"] {
        rsa[name] = json!("AQAB");
    }
    assert_eq!(SigningKey::from_jwk(&jwk(rsa)).unwrap_err(), KeyError::Inconsistent);
    assert_eq!(SigningKey::from_jwk(&jwk(public(Algorithm::Es256))).unwrap_err(), KeyError::NotPrivate);
}

#[test]
fn generated_keys_have_the_size_asked_for() {
    let key = SigningKey::generate_sized(Algorithm::Ps256, RsaSize::Bits3072).unwrap();
    assert_eq!(key.signature_bytes(), 384);
    assert_eq!(signing_key(Algorithm::Rs256).signature_bytes(), 256);
}

#[test]
fn a_key_id_reaches_every_form_of_the_key() {
    let key = SigningKey::from_pkcs8_pem(pem!("p256.pkcs8.pem"), None).unwrap();
    assert_eq!(key.key_id(), None);
    let key = key.with_key_id("k".into());
    assert_eq!(key.key_id(), Some("k"));
    assert_eq!(key.verifying_key().key_id(), Some("k"));
    assert_eq!(key.public_jwk().unwrap().kid(), Some("k"));
    let shared = json!({"kty": "oct", "k": "A".repeat(43), "kid": "s"});
    let shared = SigningKey::from_jwk(&Jwk::parse(shared.to_string().as_bytes()).unwrap()).unwrap();
    assert_eq!((shared.key_id(), shared.algorithm()), (Some("s"), Algorithm::Hs256));
    assert!(shared.public_jwk().is_none() && shared.to_pkcs8_der().is_err());
}

#[test]
fn debug_names_no_secret() {
    let key = SigningKey::hmac(&SecretBytes::new(vec![0x5a; 32]), Algorithm::Hs256).unwrap();
    let shown = format!("{key:?} {:?}", key.verifying_key());
    assert!(!shown.contains("90") && !shown.contains("5a"), "{shown}");
}
