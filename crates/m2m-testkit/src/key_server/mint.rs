//! The tokens to ask verifiers with.

use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, base64url, jws};
use m2m_proto::names::typ;
use serde_json::{Map, Value, json};

use super::KeyServer;

/// What the tokens are for.
pub const AUDIENCE: &str = "https://orders.example";

impl KeyServer {
    /// A good token (RFC 9068) under the key of that number, for an hour.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[must_use]
    pub fn token(&self, number: usize) -> String {
        self.token_with(number, &self.claims())
    }

    /// A token with these claims under the key of that number.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[must_use]
    pub fn token_with(&self, number: usize, claims: &Map<String, Value>) -> String {
        signed(&self.state().keys[number], claims)
    }

    /// The bare signature of the key of that number over `input`: for tokens that no library would make.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[must_use]
    pub fn sign(&self, number: usize, input: &[u8]) -> Vec<u8> {
        self.state().keys[number].sign(input).expect("a signature")
    }

    /// The public half of the key of that number, as it is published.
    ///
    /// # Panics
    ///
    /// If there is no such key.
    #[must_use]
    pub fn public(&self, number: usize) -> Map<String, Value> {
        self.state().keys[number].public_jwk().expect("a public half").to_public_json()
    }

    /// The claims of a good token.
    #[must_use]
    pub fn claims(&self) -> Map<String, Value> {
        let now = self.clock.wall().seconds();
        let claims = json!({
            "iss": self.issuer(), "sub": "app", "client_id": "app", "aud": AUDIENCE, "scope": "orders:read",
            "iat": now, "nbf": now, "exp": now + 3600, "jti": format!("hell-{now}"),
        });
        claims.as_object().cloned().unwrap_or_default()
    }

    /// Tokens that are good in everything but their key ids, which nobody has.
    #[must_use]
    pub fn flood(&self) -> Flood {
        let stranger = SigningKey::generate(Algorithm::Es256).expect("a key");
        let token = signed(&stranger, &self.claims());
        let (_, rest) = token.split_once('.').expect("a token has dots");
        Flood { rest: rest.to_owned(), number: 0 }
    }
}

fn signed(key: &SigningKey, claims: &Map<String, Value>) -> String {
    let fields = HeaderFields { typ: Some(typ::AT_JWT), kid: key.key_id(), ..HeaderFields::default() };
    jws::sign(&fields, &serde_json::to_vec(claims).expect("JSON"), key).expect("a token")
}

/// An endless row of tokens with key ids of their own. Their signatures were made for another header, which costs
/// nothing and is as wrong as any.
#[derive(Clone, Debug)]
pub struct Flood {
    rest: String,
    number: u64,
}

impl Iterator for Flood {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        self.number += 1;
        // Spread, so that they have no beginning in common.
        let kid = self.number.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let header = format!(r#"{{"typ":"at+jwt","alg":"ES256","kid":"{kid:016x}"}}"#);
        Some(format!("{}.{}", base64url::encode(header), self.rest))
    }
}
