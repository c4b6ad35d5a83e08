//! Keys that no verifier should take, each wrong in one way. Their ids say how.

use m2m_proto::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

use crate::FixedKeys;

/// The prime curve's point with a bit changed: it is on no curve.
const OFF: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";
const N_512: &str = "so4G4kni54AJpc8c1Q3FNpKlhpIAXEkTtkxeXJVDCa2gBpL5U09KQL0mx_cv1Nb-L_aUK5LUl2sfxEmPEdEn7w";
const N_1024: &str = "vu_B3iWn3H7TM3cHdI59d4qa07-hCp_9ndcQypsSsE8q89cCIBFJzVNVxVu4khAAOM-GHiEcBz179mcjlS4w0Mz1s\
     p969xMjM6DfwMEGwmDslPZHVbGp6Qxr9taZ5pkarxZkluJqj9buFmaGeVUar3ljyHveXNX3Lp6ghw6ba58";

/// The broken keys, as they stand in a set.
#[must_use]
pub fn weak_keys() -> Vec<Value> {
    let mut keys = vec![
        json!({"kty": "RSA", "kid": "weak-512", "n": N_512, "e": "AQAB"}),
        json!({"kty": "RSA", "kid": "weak-1024", "n": N_1024, "e": "AQAB", "alg": "RS256", "use": "sig"}),
        json!({"kty": "RSA", "kid": "weak-exponent", "n": modulus(), "e": "AQ"}),
        json!({"kty": "EC", "kid": "off-the-curve", "crv": "P-256", "x": OFF, "y": OFF}),
        json!({"kty": "EC", "kid": "another-curve", "crv": "secp256k1",
               "x": "o4nDu0i9Rs8IEJTbAe6o7TjdLWgmSyalQVu_46qs5ZE", "y": "VaLELsbEC4oTpD7sBeYlgw1ECoqMueMUNkvq6FQQQtU"}),
        json!({"kty": "EC", "kid": "curve-of-another", "crv": "P-384", "x": OFF, "y": OFF}),
        json!({"kty": "OKP", "kid": "for-agreement", "crv": "X25519", "x": OFF}),
        json!({"kty": "oct", "kid": "shared", "k": "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "alg": "HS256"}),
        json!({"kty": "XX", "kid": "unknown-type"}),
        json!({"kid": "no-type"}),
        json!({"kty": ["EC"], "kid": {"a": 1}}),
        json!({"kty": "EC", "kid": "no-point", "crv": "P-256"}),
        Value::Null,
        json!(7),
        json!("EC"),
        json!([]),
        json!({}),
    ];
    keys.push(changed("for-encryption", "use", json!("enc")));
    keys.push(changed("of-another-algorithm", "alg", json!("RS256")));
    keys.push(changed("of-no-algorithm", "alg", json!("none")));
    keys.push(changed("padded", "x", json!("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU=")));
    keys.push(secret());
    keys
}

/// Tokens for [`AUDIENCE`](super::AUDIENCE) of the issuer `https://as.example`, signed with the RSA keys of 512 and
/// 1024 bits in the set, good until the year 2100 to whoever takes such keys.
#[must_use]
pub const fn weak_tokens() -> [&'static str; 2] {
    [include_str!("../../testdata/weak/rsa-512.jwt"), include_str!("../../testdata/weak/rsa-1024.jwt")]
}

/// A stranger's key under this id.
pub(super) fn twin(key_id: &str) -> Value {
    let key = SigningKey::generate(Algorithm::Es256).expect("a key").with_key_id(key_id.to_owned());
    key.public_jwk().expect("a public half").to_public_json().into()
}

/// A sound key, but for one member.
fn changed(key_id: &str, member: &str, value: Value) -> Value {
    let mut key = twin(key_id);
    key[member] = value;
    key
}

fn modulus() -> Value {
    let key = FixedKeys::signing(Algorithm::Rs256);
    key.public_jwk().expect("a public half").to_public_json()["n"].clone()
}

/// A private key: whoever publishes one has none any more.
fn secret() -> Value {
    let mut key = twin("private");
    key["d"] = json!("jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI");
    key
}
