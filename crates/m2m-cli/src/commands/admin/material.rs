//! What a credential proves itself with, from files: public keys and certificates.
//!
//! Enforces: of a key only the public half is sent; a file that holds a private one is refused, so that somebody
//! learns of it. Limits: 256 KiB, the size of a JWK set of the protocol core.

use std::path::Path;

use m2m_proto::jose::{Jwk, VerifyingKey};
use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// The largest file that is read.
const MAX_BYTES: u64 = 256 * 1024;

/// A JWK set of the public keys in a file: PEM, JWK or JWK set.
///
/// # Errors
/// Exit 2: the file cannot be read, or holds something else.
pub(super) fn public_keys(path: &Path) -> Result<Value, Failure> {
    let bytes = read("--public-key-file", path)?;
    key_set(&bytes).map_err(|why| {
        Failure::usage(format!("--public-key-file {}: {why}", path.display()))
            .hint("m2m keygen --out NAME makes NAME.pub.pem and NAME.jwks.json; either will do")
    })
}

/// The text of a certificate in PEM.
///
/// # Errors
/// Exit 2: the file cannot be read, or holds something else.
pub(super) fn certificate(path: &Path) -> Result<String, Failure> {
    let bytes = read("--certificate-file", path)?;
    let wrong = |why: &str| {
        Failure::usage(format!("--certificate-file {}: {why}", path.display()))
            .hint("m2m keygen certificate --out NAME makes NAME.cert.pem")
    };
    let text = String::from_utf8(bytes).map_err(|_| wrong("expected a certificate in PEM"))?;
    match (text.contains("PRIVATE KEY-----"), text.contains("-----BEGIN CERTIFICATE-----")) {
        (true, _) => Err(wrong(PRIVATE)),
        (false, false) => Err(wrong("expected a certificate in PEM")),
        (false, true) => Ok(text),
    }
}

pub(crate) const PRIVATE: &str =
    "it holds a private key, which must not leave the instance; the public half is wanted";

fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    m2m_io::file::read_file(path, MAX_BYTES)
        .map_err(|error| Failure::usage(format!("{flag} {}: {error}", path.display())))
}

/// The same of a text.
///
/// # Errors
/// What it is instead; never the text itself.
pub(crate) fn key_set(bytes: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "expected PEM, a JWK or a JWK set".to_owned())?;
    if text.contains("-----BEGIN ") {
        return Ok(json!({"keys": [of_pem(text)?]}));
    }
    let object = parse_object(text.trim().as_bytes(), &JsonLimits::DOCUMENT)
        .map_err(|error| format!("expected PEM, a JWK or a JWK set: {error}"))?;
    let keys = match object.get("keys") {
        None => vec![of_jwk(&object)?],
        Some(Value::Array(keys)) if !keys.is_empty() => {
            keys.iter().enumerate().map(|(index, key)| nth(index, key)).collect::<Result<_, _>>()?
        }
        Some(_) => return Err("the JWK set has no keys".to_owned()),
    };
    Ok(json!({"keys": keys}))
}

fn of_pem(text: &str) -> Result<Value, String> {
    if text.contains("PRIVATE KEY-----") {
        return Err(PRIVATE.to_owned());
    }
    if text.contains("-----BEGIN CERTIFICATE-----") {
        return Err("it is a certificate; --certificate-file takes those".to_owned());
    }
    let key = VerifyingKey::from_spki_pem(text.as_bytes()).map_err(|error| error.to_string())?;
    let public = key.public_jwk().ok_or("it is no public key")?;
    Ok(Value::Object(public.to_public_json()))
}

fn nth(index: usize, key: &Value) -> Result<Value, String> {
    let object = key.as_object().ok_or_else(|| format!("key {} is not an object", index + 1))?;
    of_jwk(object).map_err(|why| format!("key {}: {why}", index + 1))
}

fn of_jwk(object: &Map<String, Value>) -> Result<Value, String> {
    let key = Jwk::from_object(object).map_err(|error| error.to_string())?;
    if key.is_private() {
        return Err(PRIVATE.to_owned());
    }
    // The server would refuse one that cannot verify; here its file can be named.
    VerifyingKey::from_jwk(&key).map_err(|error| error.to_string())?;
    Ok(Value::Object(key.to_public_json()))
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::{Algorithm, SigningKey};

    use super::*;
    use crate::certificate::public_pem;

    fn key() -> SigningKey {
        SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned())
    }

    #[test]
    fn a_public_key_is_taken_in_each_form() {
        let key = key();
        let jwk = Value::Object(key.public_jwk().unwrap().to_public_json());
        let set = json!({"keys": [jwk]});
        assert_eq!(key_set(format!(" {jwk}\n").as_bytes()), Ok(set.clone()));
        assert_eq!(key_set(set.to_string().as_bytes()), Ok(set));
        let pem = key_set(public_pem(&key).unwrap().as_bytes()).unwrap();
        assert_eq!(pem["keys"][0]["x"], jwk["x"]);
    }

    #[test]
    fn a_private_key_stays_where_it_is() {
        let key = key();
        let pem = key.to_pkcs8_pem().unwrap();
        assert_eq!(key_set(pem.expose().as_bytes()), Err(PRIVATE.to_owned()));
        let mut jwk = key.public_jwk().unwrap().to_public_json();
        jwk.insert("d".to_owned(), Value::from("A".repeat(43)));
        let why = key_set(Value::Object(jwk.clone()).to_string().as_bytes()).unwrap_err();
        assert!(!why.contains("AAAA"), "{why}");
        assert!(key_set(json!({"keys": [jwk]}).to_string().as_bytes()).is_err());
        let shared = key_set(br#"{"kty":"oct","k":"aHVudGVyMi1odW50ZXIyLWh1bnRlcjItaHVudGVyMg"}"#);
        assert!(shared.is_err_and(|why| !why.contains("aHVudGVy")));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        for bad in [
            "",
            "{}",
            "[]",
            r#"{"keys":[]}"#,
            r#"{"keys":[1]}"#,
            "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
            "-----BEGIN PUBLIC KEY-----\nAA==\n-----END PUBLIC KEY-----\n",
        ] {
            assert!(key_set(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_certificate_comes_without_its_key() {
        let place = tempfile::tempdir().unwrap();
        let check = |text: &str| {
            let path = place.path().join("c.pem");
            std::fs::write(&path, text).unwrap();
            certificate(&path).is_ok()
        };
        let good = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
        assert!(check(good));
        assert!(!check("hello"));
        assert!(!check(&format!("{good}-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n")));
        assert!(certificate(&place.path().join("nowhere")).is_err());
    }
}
