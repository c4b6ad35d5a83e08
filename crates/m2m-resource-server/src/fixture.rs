//! What the unit tests of this crate share: fixed time, an issuer, a server for its keys.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Uri};
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits};
use m2m_proto::dpop::{DpopNonce, DpopProof};
use m2m_proto::jose::{Algorithm, HeaderFields, JwkSet, SigningKey, jws};
use m2m_proto::names::{header, typ};
use m2m_proto::time::Skew;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, access_token};
use m2m_proto::uri::Issuer;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::config::VerifierBuilder;
use crate::issuers::{Issuers, Outside};
use crate::verified::{Checked, HeaderKid};
use crate::verifier::{RequestParts, Verifier};
use crate::{KeysFrom, TrustedIssuer};

pub(crate) const NOW: UnixTime = UnixTime::from_seconds(1_795_344_000);
pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const AUDIENCE: &str = "https://orders.example";

pub(crate) fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

/// Time that moves when it is told to; sleeping never ends.
#[derive(Debug)]
pub(crate) struct FixedClock(Mutex<UnixTime>);

impl FixedClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self(Mutex::new(NOW)))
    }

    pub(crate) fn set(&self, now: UnixTime) {
        *self.0.lock().unwrap() = now;
    }

    pub(crate) fn advance(&self, seconds: u64) {
        let mut now = self.0.lock().unwrap();
        *now = now.saturating_add(Duration::from_secs(seconds));
    }
}

impl Clock for FixedClock {
    fn wall(&self) -> UnixTime {
        *self.0.lock().unwrap()
    }

    fn monotonic(&self) -> Duration {
        self.wall().since(UnixTime::from_seconds(0))
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

/// Lets flights land that nobody waits for.
pub(crate) async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn key(algorithm: Algorithm, name: &str) -> SigningKey {
    SigningKey::generate(algorithm).unwrap().with_key_id(name.to_owned())
}

pub(crate) fn set(keys: &[&SigningKey]) -> JwkSet {
    JwkSet::decode(&JwkSet::encode(keys.iter().map(|key| key.verifying_key().as_ref()))).unwrap()
}

/// The claims of a good token, to be changed.
pub(crate) fn claims() -> Map<String, Value> {
    let now = NOW.seconds();
    let claims = json!({
        "iss": ISSUER, "sub": "app", "client_id": "app", "aud": AUDIENCE, "jti": "t1",
        "iat": now, "nbf": now, "exp": now + 600, "scope": "orders:read orders:write",
    });
    claims.as_object().unwrap().clone()
}

/// A token with these claims under this `typ`, signed by `key`.
pub(crate) fn signed(key: &SigningKey, typ: &str, claims: &Map<String, Value>) -> String {
    let fields = HeaderFields { typ: Some(typ), kid: key.key_id(), ..HeaderFields::default() };
    jws::sign(&fields, &serde_json::to_vec(claims).unwrap(), key).unwrap()
}

/// A good token with one claim changed; `Null` takes the claim away.
pub(crate) fn token_with(key: &SigningKey, name: &str, value: Value) -> String {
    let mut claims = claims();
    match value {
        Value::Null => drop(claims.remove(name)),
        value => drop(claims.insert(name.to_owned(), value)),
    }
    signed(key, typ::AT_JWT, &claims)
}

pub(crate) fn token(key: &SigningKey) -> String {
    signed(key, typ::AT_JWT, &claims())
}

/// A good token as it is remembered.
pub(crate) fn checked(key: &SigningKey) -> Checked {
    let trusted = TrustedIssuer::new(issuer()).audience(AUDIENCE).keys(KeysFrom::Fixed(set(&[key])));
    let outside = Outside {
        http: None,
        clock: FixedClock::new(),
        skew: Skew::DEFAULT,
        #[cfg(feature = "introspection")]
        introspection: None,
    };
    let issuers = Issuers::new(vec![trusted], outside);
    let trust = Arc::clone(issuers.unwrap().find(ISSUER).unwrap());
    let expect = access_token::Expect {
        issuer: &trust.issuer,
        audience: AUDIENCE,
        algorithms: &trust.algorithms,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let (text, verifying) = (token(key), Arc::new(key.verifying_key().as_ref().clone()));
    let unverified = access_token::parse(&text).unwrap();
    let claims = access_token::verify(unverified, &verifying, &trust.profile, &expect).unwrap();
    let kid = HeaderKid::of(key.key_id(), &verifying);
    Checked { claims, trust, kid, algorithm: key.algorithm(), key: verifying, place: None }
}

/// A verifier that knows `key` and fetches nothing.
pub(crate) fn verifier(
    key: &SigningKey,
    change: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
) -> Verifier {
    let trusted = TrustedIssuer::new(issuer()).audience(AUDIENCE).keys(KeysFrom::Fixed(set(&[key])));
    change(Verifier::builder().trust_with(trusted).clock(FixedClock::new())).build().unwrap()
}

/// A request as an API sees it.
pub(crate) struct Asked {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
}

impl Asked {
    pub(crate) fn bare() -> Self {
        Self { method: Method::GET, uri: "/orders?page=2".parse().unwrap(), headers: HeaderMap::new() }
    }

    pub(crate) fn with(scheme: &str, token: &str) -> Self {
        let mut asked = Self::bare();
        let value = HeaderValue::from_str(&format!("{scheme} {token}")).unwrap();
        asked.headers.append(header::AUTHORIZATION, value);
        asked
    }

    pub(crate) fn bearer(token: &str) -> Self {
        Self::with("Bearer", token)
    }

    pub(crate) fn parts(&self) -> RequestParts<'_> {
        RequestParts { method: &self.method, uri: &self.uri, headers: &self.headers, certificate: None }
    }
}

/// A DPoP proof as a client would make it, with one thing changed.
pub(crate) struct Proved<'a> {
    pub(crate) key: &'a SigningKey,
    pub(crate) method: Method,
    pub(crate) url: &'a str,
    pub(crate) jti: &'a str,
    pub(crate) age: u64,
    pub(crate) nonce: Option<DpopNonce>,
    pub(crate) token: Option<&'a str>,
}

impl<'a> Proved<'a> {
    pub(crate) fn by(key: &'a SigningKey, token: &'a str) -> Self {
        let url = "https://orders.example/orders";
        Self { key, method: Method::GET, url, jti: "p1", age: 0, nonce: None, token: Some(token) }
    }

    pub(crate) fn onto(&self, mut asked: Asked) -> Asked {
        let token = self.token.map(|token| AccessToken::parse(token).unwrap());
        let proof = DpopProof {
            method: &self.method,
            uri: &self.url.parse().unwrap(),
            now: NOW.saturating_sub(Duration::from_secs(self.age)),
            jti: self.jti,
            nonce: self.nonce.as_ref(),
            access_token: token.as_ref(),
        };
        asked.headers.append(header::DPOP, proof.build(self.key).unwrap());
        asked
    }
}

/// Holds answers back while it is shut; what they say was settled when they were asked for.
#[derive(Debug)]
pub(crate) struct Gate {
    behind: Arc<Documents>,
    shut: watch::Sender<bool>,
}

impl Gate {
    pub(crate) fn before(documents: &Arc<Documents>) -> Arc<Self> {
        Arc::new(Self { behind: Arc::clone(documents), shut: watch::Sender::new(false) })
    }

    pub(crate) fn shut(&self) {
        self.shut.send_replace(true);
    }

    pub(crate) fn open(&self) {
        self.shut.send_replace(false);
    }
}

impl HttpClient for Gate {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let (answer, mut shut) = (self.behind.send(request, limits), self.shut.subscribe());
        Box::pin(async move {
            let answer = answer.await;
            shut.wait_for(|shut| !shut).await.unwrap();
            answer
        })
    }
}

/// Lets a request go as far as it comes; `true` where it is answered, and then it must not be asked again.
pub(crate) async fn goes_through(request: &mut (impl Future + Unpin)) -> bool {
    for _ in 0..50 {
        let polled = std::future::poll_fn(|cx| Poll::Ready(Pin::new(&mut *request).poll(cx).is_ready()));
        if polled.await {
            return true;
        }
        tokio::task::yield_now().await;
    }
    false
}

/// Serves documents by URL, counts, and fails when told to.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    documents: Mutex<HashMap<String, String>>,
    pub(crate) fetches: AtomicUsize,
}

impl Documents {
    /// The metadata of the issuer, and a key set.
    pub(crate) fn of(keys: &[&SigningKey]) -> Arc<Self> {
        let documents = Arc::new(Self::default());
        let metadata = json!({ "issuer": ISSUER, "jwks_uri": "https://as.example/jwks" });
        documents.put("https://as.example/.well-known/oauth-authorization-server", &metadata.to_string());
        documents.publish(keys);
        documents
    }

    pub(crate) fn publish(&self, keys: &[&SigningKey]) {
        let set = JwkSet::encode(keys.iter().map(|key| key.verifying_key().as_ref()));
        self.put("https://as.example/jwks", std::str::from_utf8(&set).unwrap());
    }

    pub(crate) fn put(&self, url: &str, body: &str) {
        self.documents.lock().unwrap().insert(url.to_owned(), body.to_owned());
    }

    pub(crate) fn get(&self, url: &str) -> String {
        self.documents.lock().unwrap()[url].clone()
    }

    pub(crate) fn remove(&self, url: &str) {
        self.documents.lock().unwrap().remove(url);
    }

    pub(crate) fn fail(&self) {
        self.documents.lock().unwrap().clear();
    }

    pub(crate) fn fetched(&self) -> usize {
        self.fetches.swap(0, Ordering::SeqCst)
    }
}

impl HttpClient for Documents {
    fn send(&self, request: Request<Bytes>, _: &Limits) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.fetches.fetch_add(1, Ordering::SeqCst);
        let url = request.uri().to_string();
        let body = self.documents.lock().unwrap().get(&url).cloned();
        Box::pin(async move {
            // An exchange takes a turn, so that others come in between.
            tokio::task::yield_now().await;
            let body = body.ok_or_else(|| HttpError::Connect("refused".to_owned()))?;
            let mut response = Response::new(Bytes::from(body));
            *response.status_mut() = StatusCode::OK;
            response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
            Ok(response)
        })
    }
}
