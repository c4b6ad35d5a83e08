//! What has been tried against verifiers of JWTs, row by row: the token, and the reason for which it is refused.
//!
//! Each row meets a verifier that holds no keys yet. A row that can be judged without them must not make it fetch
//! any: what strangers write decides nothing about where and how often it asks.

mod claims;
mod header;
mod kinds;
mod shape;
mod signature;

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method, Uri};
use m2m_proto::jose::kind::KindError;
use m2m_proto::jose::{JwsError, base64url};
use m2m_proto::token::access_token::AccessTokenError;
use m2m_proto::uri::Issuer;
use m2m_resource_server::{Reason, RequestParts, Verifier};
use m2m_testkit::ManualClock;
use m2m_testkit::key_server::{AUDIENCE, Document, KeyServer};
use serde_json::{Map, Value};

const ISSUER: &str = "https://as.example";

/// The header of a good token of the first key.
const HEADER: &str = r#"{"typ":"at+jwt","alg":"ES256","kid":"hell-0"}"#;

/// An issuer to be impersonated.
struct Issuing {
    server: KeyServer,
    clock: ManualClock,
}

/// What a row may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    /// Judged by what it says.
    Nothing,
    /// Plausible, so that the keys were fetched, once.
    Keys,
}

impl Issuing {
    fn new() -> Self {
        let clock = ManualClock::new();
        Self { server: KeyServer::new(ISSUER, Arc::new(clock.clone())), clock }
    }

    fn now(&self) -> u64 {
        m2m_io::Clock::wall(&self.clock).seconds()
    }

    /// A token of these very bytes, rightly signed with the first key.
    fn raw(&self, header: impl AsRef<[u8]>, payload: impl AsRef<[u8]>) -> String {
        let input = format!("{}.{}", base64url::encode(header), base64url::encode(payload));
        let signature = self.server.sign(0, input.as_bytes());
        format!("{input}.{}", base64url::encode(signature))
    }

    /// Claims of a good token, and this header.
    fn under(&self, header: &str) -> String {
        self.raw(header, self.payload(&Map::new()))
    }

    /// A good header, and claims of which some are changed; `Null` takes a claim away.
    fn saying(&self, changes: &Value) -> String {
        self.raw(HEADER, self.payload(changes.as_object().unwrap()))
    }

    /// A good header, and the text of good claims with `from` replaced by `to`.
    fn written(&self, from: &str, to: &str) -> String {
        let payload = self.payload(&Map::new());
        assert_eq!(payload.matches(from).count(), 1, "{from} in {payload}");
        self.raw(HEADER, payload.replacen(from, to, 1))
    }

    fn payload(&self, changes: &Map<String, Value>) -> String {
        let mut claims = self.server.claims();
        for (name, value) in changes {
            match value {
                Value::Null => drop(claims.remove(name)),
                value => drop(claims.insert(name.clone(), value.clone())),
            }
        }
        Value::from(claims).to_string()
    }

    fn verifier(&self) -> Verifier {
        let builder = Verifier::builder().trust(Issuer::parse(ISSUER).unwrap(), AUDIENCE);
        let http = Arc::new(self.server.in_memory());
        builder.http(http).clock(Arc::new(self.clock.clone())).build().unwrap()
    }

    /// What a verifier without keys says to this token in the header of a request.
    async fn judged(&self, token: &str) -> (Option<Reason>, u16, Cost) {
        self.server.forget_counts();
        let value = HeaderValue::from_str(&format!("Bearer {token}")).expect("fit for a header");
        let headers: HeaderMap = [(http::header::AUTHORIZATION, value)].into_iter().collect();
        let (method, uri) = (Method::GET, Uri::from_static("/orders"));
        let parts = RequestParts { method: &method, uri: &uri, headers: &headers, certificate: None };
        let rejection = self.verifier().verify(&parts).await.err();
        let status = rejection.as_ref().map_or(200, |rejection| rejection.to_response().status().as_u16());
        let fetches = (self.server.count(Document::Metadata), self.server.count(Document::Keys));
        let cost = match fetches {
            (0, 0) => Cost::Nothing,
            (1, 1) => Cost::Keys,
            other => panic!("fetches: {other:?}"),
        };
        assert_eq!(self.server.elsewhere(), Vec::<String>::new(), "nobody is asked at a stranger's word");
        (rejection.map(|rejection| rejection.reason().clone()), status, cost)
    }

    /// 401 for that reason.
    async fn refuses(&self, what: &str, token: &str, reason: impl Into<Reason>, cost: Cost) {
        let expect = (Some(reason.into()), 401, cost);
        assert_eq!(self.judged(token).await, expect, "{what}: {token}");
    }

    /// Not an attack: what looks like one and is right.
    async fn accepts(&self, what: &str, token: &str) {
        assert_eq!(self.judged(token).await, (None, 200, Cost::Keys), "{what}: {token}");
    }
}

fn jws(error: JwsError) -> Reason {
    Reason::Token(AccessTokenError::Jws(error))
}

fn kind(error: KindError) -> Reason {
    Reason::Token(AccessTokenError::Kind(error))
}

fn claim(name: &'static str) -> Reason {
    Reason::Token(AccessTokenError::Claim(name))
}

/// The claims as a whole are not read.
fn no_claims() -> Reason {
    claim("set")
}
