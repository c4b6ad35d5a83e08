//! Assertions and proofs by hand, so that each can be wrong in one way.

use m2m_io::{Clock as _, SystemClock};
use m2m_proto::jose::{SigningKey, base64url, crypto};
use m2m_testkit::FixedKeys;
use serde_json::{Map, Value, json};
use std::sync::atomic::{AtomicU64, Ordering};

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    SystemClock.wall().seconds()
}

/// A value that no other call gives.
pub(super) fn fresh() -> String {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}-0123456789abcdef", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}

/// A JWT in the making.
#[derive(Clone)]
pub(super) struct Jwt {
    pub(super) header: Map<String, Value>,
    pub(super) claims: Map<String, Value>,
    pub(super) key: std::sync::Arc<SigningKey>,
}

impl Jwt {
    fn of(header: Value, claims: Value, key: SigningKey) -> Self {
        let object = |value: Value| value.as_object().unwrap().clone();
        Self { header: object(header), claims: object(claims), key: std::sync::Arc::new(key) }
    }

    /// An assertion of `client` for `issuer`, good for a minute (`private_key_jwt`).
    pub(super) fn assertion(client: &str, issuer: &str, key: SigningKey) -> Self {
        let header =
            json!({ "typ": "client-authentication+jwt", "alg": key.algorithm().name(), "kid": key.key_id() });
        let now = now();
        let claims = json!({ "iss": client, "sub": client, "aud": issuer, "iat": now, "nbf": now, "exp": now + 60,
                             "jti": fresh() });
        Self::of(header, claims, key)
    }

    /// A proof for a request, with the token that goes along.
    pub(super) fn proof(method: &str, url: &str, token: Option<&str>, key: SigningKey) -> Self {
        let jwk = Value::Object(key.public_jwk().unwrap().to_public_json());
        let header = json!({ "typ": "dpop+jwt", "alg": key.algorithm().name(), "jwk": jwk });
        let mut claims = json!({ "jti": fresh(), "htm": method, "htu": url, "iat": now() });
        if let Some(token) = token {
            claims["ath"] = base64url::encode(crypto::sha256(token.as_bytes())).into();
        }
        Self::of(header, claims, key)
    }

    /// The same with a claim set.
    pub(super) fn claim(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.claims.insert(name.to_owned(), value.into());
        self
    }

    /// The same without a claim.
    pub(super) fn without(mut self, name: &str) -> Self {
        self.claims.remove(name).unwrap();
        self
    }

    /// The same with a header parameter set; `null` takes it away.
    pub(super) fn header(mut self, name: &str, value: impl Into<Value>) -> Self {
        match value.into() {
            Value::Null => self.header.remove(name),
            value => self.header.insert(name.to_owned(), value),
        };
        self
    }

    /// The same under another key, which the header does not tell of.
    pub(super) fn signed_by(mut self, key: SigningKey) -> Self {
        self.key = std::sync::Arc::new(key);
        self
    }

    /// The compact form.
    pub(super) fn sign(&self) -> String {
        let encode = |part: &Map<String, Value>| base64url::encode(serde_json::to_vec(part).unwrap());
        let message = format!("{}.{}", encode(&self.header), encode(&self.claims));
        let signature = self.key.sign(message.as_bytes()).unwrap();
        format!("{message}.{}", base64url::encode(signature))
    }

    /// The compact form with no signature at all.
    pub(super) fn unsigned(self) -> String {
        let signed = self.header("alg", "none").sign();
        let (message, _) = signed.rsplit_once('.').unwrap();
        format!("{message}.")
    }
}

/// The key of proofs.
pub(super) fn proof_key() -> SigningKey {
    FixedKeys::signing(m2m_proto::jose::Algorithm::Es256)
}
