//! Tests of the JOSE modules, one file per module, and Wycheproof for the primitives.

mod base64url;
mod claims;
mod header;
mod jwk;
mod jwk_set;
mod jws;
mod key;
mod kind;
mod properties;
mod wycheproof;

use super::{Algorithm, SigningKey};
use crate::secret::SecretBytes;

/// A key per algorithm, made once per process: RSA keys are slow to make.
fn signing_key(algorithm: Algorithm) -> &'static SigningKey {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock};
    static KEYS: OnceLock<Mutex<HashMap<Algorithm, &'static SigningKey>>> = OnceLock::new();
    let mut keys = KEYS.get_or_init(Mutex::default).lock().unwrap();
    keys.entry(algorithm).or_insert_with(|| {
        let key = if algorithm.is_symmetric() {
            SigningKey::hmac(&SecretBytes::new(vec![7; 64]), algorithm)
        } else {
            SigningKey::generate(algorithm)
        };
        Box::leak(Box::new(key.unwrap()))
    })
}

/// A compact token of any header and payload; the signature is not checked by what it is for.
fn unsigned(header: &str, payload: &str) -> String {
    let encode = |text: &str| super::base64url::encode(text);
    format!("{}.{}.{}", encode(header), encode(payload), encode("signature"))
}
