use serde_json::{Value, json};

use crate::jose::alg::{Curve, KeyType};
use crate::jose::{Jwk, JwkError};

use super::signing_key;
use crate::jose::Algorithm;

fn parse(jwk: &Value) -> Result<Jwk, JwkError> {
    Jwk::parse(jwk.to_string().as_bytes())
}

fn refused(jwk: &Value) -> JwkError {
    parse(jwk).expect_err(&jwk.to_string())
}

fn ec() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn without(mut jwk: Value, name: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(name);
    jwk
}

#[test]
fn well_formed_keys_are_read() {
    let jwk = parse(&with(with(ec(), "kid", json!("k")), "key_ops", json!(["verify"]))).unwrap();
    assert_eq!((jwk.key_type(), jwk.curve(), jwk.kid()), (KeyType::Ec, Some(Curve::P256), Some("k")));
    assert_eq!(jwk.key_ops().unwrap(), ["verify"]);
    assert!(!jwk.is_private());
    let d = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    assert!(parse(&with(ec(), "d", d)).unwrap().is_private());
}

#[test]
fn unknown_types_and_curves_are_named() {
    assert_eq!(refused(&json!({})), JwkError::UnknownKeyType);
    assert_eq!(refused(&json!({"kty": "ec"})), JwkError::UnknownKeyType);
    assert_eq!(refused(&json!({"kty": "AKP"})), JwkError::UnknownKeyType);
    assert_eq!(refused(&with(ec(), "kty", json!(1))), JwkError::Malformed("kty"));
    assert_eq!(refused(&with(ec(), "crv", json!("secp256k1"))), JwkError::UnknownCurve);
    assert_eq!(refused(&without(ec(), "crv")), JwkError::UnknownCurve);
    assert_eq!(refused(&json!({"kty": "OKP", "crv": "X25519", "x": ""})), JwkError::UnknownCurve);
    assert_eq!(refused(&json!({"kty": "OKP", "crv": "Ed448", "x": ""})), JwkError::UnknownCurve);
    // A curve of the other type.
    assert_eq!(refused(&with(ec(), "crv", json!("Ed25519"))), JwkError::UnknownCurve);
    assert_eq!(refused(&with(ec(), "kty", json!("OKP"))), JwkError::UnknownCurve);
    assert_eq!(refused(&with(ec(), "kty", json!("RSA"))), JwkError::Missing("n"));
    assert_eq!(refused(&with(ec(), "kty", json!("oct"))), JwkError::Missing("k"));
}

#[test]
fn members_have_the_right_form() {
    for name in ["x", "y"] {
        assert_eq!(refused(&without(ec(), name)), JwkError::Missing(name));
        for value in
            [json!(1), json!(""), json!("AAAA"), json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEV=")]
        {
            assert_eq!(refused(&with(ec(), name, value)), JwkError::Malformed(name));
        }
        // One byte more, though it is a zero.
        let longer = json!("AH_NzidwdsRdQYPL7m_bS3tYBzM1e-nvE7rPbjx70VRF");
        assert_eq!(refused(&with(ec(), name, longer)), JwkError::Malformed(name));
    }
    assert_eq!(refused(&with(ec(), "d", json!("AA"))), JwkError::Malformed("d"));
    assert_eq!(refused(&with(ec(), "d", json!(null))), JwkError::Malformed("d"));
    for name in ["kid", "alg", "use"] {
        assert_eq!(refused(&with(ec(), name, json!(1))), JwkError::Malformed(name));
    }
    assert_eq!(refused(&with(ec(), "key_ops", json!("verify"))), JwkError::Malformed("key_ops"));
    assert_eq!(refused(&with(ec(), "key_ops", json!([1]))), JwkError::Malformed("key_ops"));
}

#[test]
fn rsa_members_come_whole() {
    let rsa = json!({"kty": "RSA", "n": "AQAB", "e": "Aw"});
    assert!(!parse(&rsa).unwrap().is_private());
    assert_eq!(refused(&without(rsa.clone(), "e")), JwkError::Missing("e"));
    assert_eq!(refused(&with(rsa.clone(), "n", json!("AA"))), JwkError::Malformed("n"));
    assert_eq!(refused(&with(rsa.clone(), "n", json!("A".repeat(1368)))), JwkError::Malformed("n"));
    assert_eq!(refused(&with(rsa.clone(), "n", json!("_".repeat(1368)))), JwkError::Malformed("n"));
    assert_eq!(refused(&with(rsa.clone(), "oth", json!([]))), JwkError::MultiPrime);
    let mut private = with(rsa, "d", json!("AQ"));
    for name in ["p", "q", "dp", "dq", "qi"] {
        assert_eq!(refused(&private), JwkError::Missing(name));
        private = with(private, name, json!("AQ"));
    }
    assert!(parse(&private).unwrap().is_private());
}

#[test]
fn leading_zeros_change_nothing() {
    let plain = parse(&json!({"kty": "RSA", "n": "gAE", "e": "AQAB"})).unwrap();
    let padded = parse(&json!({"kty": "RSA", "n": "AIAB", "e": "AAEAAQ"})).unwrap();
    assert_eq!(plain.thumbprint(), padded.thumbprint());
}

#[test]
fn duplicates_and_other_documents_are_refused() {
    let list = [
        &br#"{"kty":"oct","k":"AA","k":"AA"}"#[..],
        b"[]",
        b"",
        br#"{"kty":"oct","k":"AA"} "#,
        b"\xef\xbb\xbf{}",
    ];
    let refused = list.map(|text| Jwk::parse(text).is_err());
    assert_eq!(refused, [true, true, true, false, true]);
}

#[test]
fn nothing_secret_is_shown_or_published() {
    let secret = "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A";
    let okp = json!({"kty": "OKP", "crv": "Ed25519", "d": secret, "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"});
    let jwk = parse(&okp).unwrap();
    let bytes = crate::jose::base64url::decode(secret).unwrap();
    let shown = format!("{jwk:?} {:?}", jwk.public());
    assert!(!shown.contains(secret) && !shown.contains(&format!("{bytes:?}")), "{shown}");
    assert_eq!(Value::Object(jwk.to_public_json()), without(okp, "d"));
    assert!(!jwk.public().unwrap().is_private());

    let oct = parse(&json!({"kty": "oct", "k": secret, "kid": "k"})).unwrap();
    assert_eq!(Value::Object(oct.to_public_json()), json!({"kty": "oct", "kid": "k"}));
    assert!(oct.public().is_none() && oct.is_private());
    assert!(!format!("{oct:?}").contains(&format!("{bytes:?}")));
}

#[test]
fn published_keys_round_trip() {
    for algorithm in
        [Algorithm::Rs256, Algorithm::Es256, Algorithm::Es384, Algorithm::Es512, Algorithm::EdDsa]
    {
        let jwk = signing_key(algorithm).public_jwk().unwrap().clone().with_kid(Some("k".into()));
        let again = parse(&Value::Object(jwk.to_public_json())).unwrap();
        assert_eq!(again.thumbprint(), jwk.thumbprint());
        assert_eq!(
            (again.alg(), again.key_use(), again.kid()),
            (Some(algorithm.name()), Some("sig"), Some("k"))
        );
    }
}

#[test]
fn certificates_are_read_only_when_asked_for() {
    let chain = |value| parse(&with(ec(), "x5c", value)).unwrap().x5c_der();
    assert_eq!(chain(json!(["AQID", "BA=="])).unwrap(), [vec![1, 2, 3], vec![4]]);
    assert_eq!(chain(json!(["?"])).unwrap_err(), JwkError::Malformed("x5c"));
    assert!(chain(json!("AQID")).unwrap().is_empty());
}

#[test]
fn thumbprints_are_32_strict_bytes() {
    use crate::jose::JwkThumbprint;
    let text = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
    assert_eq!(JwkThumbprint::parse(text).unwrap().as_str(), text);
    for bad in [
        "",
        "AAAA",
        "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xt",
        "NzbLsXh8uDCcd+6MNwXF4W/7noWXFZAfHkxZsRGC9Xs",
    ] {
        assert!(JwkThumbprint::parse(bad).is_none(), "{bad}");
    }
}
