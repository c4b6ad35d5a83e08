//! The endpoints through the router, without a socket: time is fixed, randomness is seeded.

mod assertions;
mod certificates;
mod documents;
mod dpop;
mod exchange;
mod federation;
mod imported;
mod limits;
mod offline;
mod refusals;
mod requirements;
#[cfg(feature = "sqlite")]
mod restart;
mod secrets;
mod signed;
mod together;
mod withdrawal;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use m2m_proto::client_auth::secret::{BasicEncoding, encode_basic};
use m2m_proto::client_auth::{ClientSecret, PeerCertificate};
use m2m_proto::form::FormWriter;
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::names::{assertion_type, header, media_type, param};
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::access_token::{self, DEFAULT_ALGORITHMS, VerifiedClaims};
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::Issuer;
use serde_json::Value;
use tower::ServiceExt;

use crate::audit::Query;
use crate::config::ServerBuilder;
use crate::fixture::{FixedClock, SeededRandom, api, client_id, identifier};
use crate::registry::{Client, CredentialId, CredentialSpec, Proof, SecretUse};
use crate::{ClientAddress, Server};

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const ORDERS: &str = "https://orders.example";
pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
pub(crate) const REVOKE: &str = "/oauth2/revoke";

/// A server with the API `ORDERS` and the client `app`, which may read and write there.
pub(crate) struct Harness {
    pub(crate) server: Server,
    pub(crate) clock: Arc<FixedClock>,
}

pub(crate) fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

pub(crate) fn settings(clock: &Arc<FixedClock>) -> ServerBuilder {
    let clock = Arc::clone(clock);
    Server::builder(issuer()).clock(clock).random(Arc::new(SeededRandom::new(1)))
}

impl Harness {
    pub(crate) async fn new() -> Self {
        Self::with(|settings| settings).await
    }

    pub(crate) async fn with(change: impl FnOnce(ServerBuilder) -> ServerBuilder) -> Self {
        let clock = FixedClock::new();
        let server = change(settings(&clock)).build().unwrap();
        let admin = server.admin();
        admin.create_api(api(ORDERS, &["orders:read", "orders:write"])).await.unwrap();
        let harness = Self { server, clock };
        harness.create_client("app").await;
        harness
    }

    pub(crate) async fn create_client(&self, id: &str) {
        let scopes = Scope::parse("orders:read orders:write").unwrap();
        let client = Client::new(client_id(id)).grant(identifier(ORDERS), scopes);
        self.server.admin().create_client(client).await.unwrap();
    }

    pub(crate) async fn credential(
        &self,
        client: &str,
        proof: Proof,
    ) -> (CredentialId, Option<SecretString>) {
        let spec = CredentialSpec::new(client_id(client), "one", proof);
        let created = self.server.admin().create_credential(spec).await.unwrap();
        (created.id, created.client_secret)
    }

    pub(crate) async fn secret(&self, client: &str) -> String {
        let (_, secret) = self.credential(client, Proof::ClientSecret(SecretUse::BasicOrPost)).await;
        secret.unwrap().expose().clone()
    }

    pub(crate) async fn key(&self, client: &str, algorithm: Algorithm) -> SigningKey {
        let key = SigningKey::generate(algorithm).unwrap();
        let set = JwkSet::from_keys([key.public_jwk().unwrap()]);
        self.credential(client, Proof::PublicKeys(set)).await;
        key
    }

    pub(crate) fn now(&self) -> UnixTime {
        m2m_io::Clock::wall(self.clock.as_ref())
    }

    pub(crate) fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.server.router().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap().to_vec();
        Answer { status: parts.status, headers: parts.headers, body }
    }

    pub(crate) async fn post(&self, path: &str, ask: Ask) -> Answer {
        self.send(ask.request(path)).await
    }

    /// A token, whatever it takes.
    pub(crate) async fn token(&self, client: &str, secret: &str) -> String {
        let answer = self.post(TOKEN, Ask::token().basic(client, secret)).await;
        answer.access_token()
    }

    /// The claims of a token of this server, checked as an API would.
    pub(crate) async fn claims(&self, token: &str) -> VerifiedClaims {
        let set = self.send(Request::get("/oauth2/jwks").body(Body::empty()).unwrap()).await;
        let set = JwkSet::decode(&set.body).unwrap();
        let unverified = access_token::parse(token).unwrap();
        let key = set.find(unverified.key_hint(), unverified.algorithm()).next().unwrap();
        let issuer = issuer();
        let expect = access_token::Expect {
            issuer: &issuer,
            audience: ORDERS,
            algorithms: &DEFAULT_ALGORITHMS,
            now: self.now(),
            skew: Skew::NONE,
        };
        access_token::verify(unverified, key, &TokenProfile::rfc9068(), &expect).unwrap()
    }
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    pub(crate) fn member(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("{name} of {}", self.text())).to_owned()
    }

    #[track_caller]
    pub(crate) fn access_token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.member("access_token")
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) -> String {
        assert_eq!((self.status.as_u16(), self.member("error").as_str()), (status, code), "{}", self.text());
        self.json()["error_description"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// A request being put together.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    pub(crate) form: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    pub(crate) address: Option<ClientAddress>,
    pub(crate) certificate: Option<PeerCertificate>,
}

impl Ask {
    pub(crate) fn token() -> Self {
        Self::default().with(param::GRANT_TYPE, "client_credentials")
    }

    pub(crate) fn about(token: &str) -> Self {
        Self::default().with(param::TOKEN, token)
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.form.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn scope(self, scope: &str) -> Self {
        self.with(param::SCOPE, scope)
    }

    pub(crate) fn basic(mut self, client: &str, secret: &str) -> Self {
        let secret = ClientSecret::parse(secret).unwrap();
        let value = encode_basic(&client_id(client), &secret, BasicEncoding::Form).unwrap();
        self.headers.insert(header::AUTHORIZATION, value);
        self
    }

    pub(crate) fn in_body(self, client: &str, secret: &str) -> Self {
        self.with(param::CLIENT_ID, client).with(param::CLIENT_SECRET, secret)
    }

    pub(crate) fn assertion(self, text: &str) -> Self {
        self.with(param::CLIENT_ASSERTION_TYPE, assertion_type::JWT_BEARER)
            .with(param::CLIENT_ASSERTION, text)
    }

    pub(crate) fn from(mut self, address: &str) -> Self {
        self.address = Some(ClientAddress(address.parse().unwrap()));
        self
    }

    pub(crate) fn certificate(mut self, certificate: &PeerCertificate) -> Self {
        self.certificate = Some(certificate.clone());
        self
    }

    fn request(self, path: &str) -> Request<Body> {
        let mut form = FormWriter::new();
        for (name, value) in &self.form {
            form.push(name, value);
        }
        let mut request = Request::post(path).body(Body::from(form.finish())).unwrap();
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(header::CONTENT_TYPE, media_type::FORM.parse().unwrap());
        if let Some(address) = self.address {
            request.extensions_mut().insert(address);
        }
        if let Some(certificate) = self.certificate {
            request.extensions_mut().insert(certificate);
        }
        request
    }
}

/// The insides of a server, for what cannot be seen from outside.
pub(crate) fn state_of(server: &Server) -> Arc<crate::server::State> {
    server.state_for_test()
}
