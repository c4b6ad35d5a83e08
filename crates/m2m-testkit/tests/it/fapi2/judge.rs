//! A test authorization server and API that judge a client, as the suite's client tests do: each request is checked
//! where it arrives, and what is wrong with it is kept for the test to read.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::{get, post};
use http::{HeaderMap, StatusCode};
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::jose::{Algorithm, Claims, Compact, Jwk, VerifyingKey, base64url, crypto};
use m2m_testkit::FixedKeys;
use m2m_testkit::certificates::{Authority, Flaw};
use m2m_testkit::tls::{Clients, TlsServer};
use serde_json::{Value, json};

use super::message::{fresh, now};
use super::place::Late;
use super::{Auth, Constrain, Variant};

/// How the judge behaves besides.
#[derive(Clone, Debug)]
pub(super) struct Manner {
    /// Whether proofs need a nonce, which each answer renews.
    pub(super) nonces: bool,
    /// How the type of the token is written.
    pub(super) token_type: Option<&'static str>,
    /// Whether the answer says how long the token lives.
    pub(super) says_life: bool,
    /// What `cnf` of the token says; `None`: what it should.
    pub(super) bound: bool,
    /// The issuer that the metadata name; `None`: the right one.
    pub(super) issuer: Option<&'static str>,
    /// What metadata say of bound tokens.
    pub(super) offers_binding: bool,
}

impl Default for Manner {
    fn default() -> Self {
        Self {
            nonces: true,
            token_type: None,
            says_life: true,
            bound: true,
            issuer: None,
            offers_binding: true,
        }
    }
}

/// What was seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) wrong: Vec<String>,
    pub(super) token_requests: usize,
    pub(super) calls: usize,
    jtis: Vec<String>,
    nonce: String,
    token: String,
}

/// The judge, on real sockets.
pub(super) struct Judge {
    pub(super) issuer: String,
    pub(super) api: String,
    pub(super) authority: Authority,
    seen: Arc<Mutex<Seen>>,
    _listeners: [TlsServer; 2],
}

struct Bench {
    variant: Variant,
    manner: Manner,
    issuer: String,
    mutual: String,
    seen: Arc<Mutex<Seen>>,
}

impl Judge {
    pub(super) async fn start(variant: Variant, manner: Manner) -> Self {
        let authority = Authority::new("authority");
        let identity = authority.server(&["localhost"], Flaw::None);
        let (late, late_mutual) = (Late::default(), Late::default());
        let ordinary = TlsServer::start(&identity, Clients::NotAsked, late.router()).await;
        let mutual = TlsServer::start(&identity, Clients::Asked, late_mutual.router()).await;
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let bench = Bench {
            variant,
            manner,
            issuer: ordinary.url(""),
            mutual: mutual.url(""),
            seen: Arc::clone(&seen),
        };
        let bench = Arc::new(bench);
        // Who should have come with a certificate and did not finds an endpoint that says so.
        let certificates = variant.0 == Auth::Mtls || variant.1 == Constrain::Mtls;
        late.set(router(&bench, if certificates { Way::Wrong } else { Way::Right }));
        late_mutual.set(router(&bench, Way::Right));
        let (issuer, api) = (bench.issuer.clone(), bench.mutual.clone());
        Self { issuer, api, authority, seen, _listeners: [ordinary, mutual] }
    }

    /// What was seen so far.
    pub(super) fn seen<T>(&self, look: impl Fn(&Seen) -> T) -> T {
        look(&self.seen.lock().unwrap())
    }

    /// Nothing was wrong with what came.
    #[track_caller]
    pub(super) fn is_content(&self) {
        self.seen(|seen| assert!(seen.wrong.is_empty(), "{:?}", seen.wrong));
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    Right,
    Wrong,
}

fn router(bench: &Arc<Bench>, way: Way) -> Router {
    let metadata = bench.metadata();
    let (token, call) = (Arc::clone(bench), Arc::clone(bench));
    Router::new()
        .route(
            "/.well-known/oauth-authorization-server",
            get(async move || ([("content-type", "application/json")], metadata)),
        )
        .route("/token", post(async move |request: Request| token.token(request, way).await))
        .route("/orders", get(async move |request: Request| call.call(&request)))
}

impl Bench {
    fn metadata(&self) -> String {
        json!({
            "issuer": self.manner.issuer.unwrap_or(&self.issuer),
            "token_endpoint": format!("{}/token", self.issuer),
            "mtls_endpoint_aliases": { "token_endpoint": format!("{}/token", self.mutual) },
            "token_endpoint_auth_methods_supported": ["private_key_jwt", "tls_client_auth"],
            "token_endpoint_auth_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "dpop_signing_alg_values_supported": ["PS256", "ES256", "EdDSA"],
            "tls_client_certificate_bound_access_tokens": self.manner.offers_binding,
            "grant_types_supported": ["client_credentials"],
            "response_types_supported": [],
        })
        .to_string()
    }

    fn object(&self, what: impl Into<String>) {
        self.seen.lock().unwrap().wrong.push(what.into());
    }

    async fn token(&self, request: Request, way: Way) -> Response {
        let (parts, body) = request.into_parts();
        let certificate = parts.extensions.get::<PeerCertificate>().cloned();
        let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
        let form: Vec<(String, String)> = form_of(&body);
        let field = |name: &str| form.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str());
        self.seen.lock().unwrap().token_requests += 1;
        if way == Way::Wrong {
            self.object("the token endpoint was asked where its alias stands in the metadata");
        }
        if field("grant_type") != Some("client_credentials") {
            self.object("grant_type");
        }
        if parts.headers.contains_key("authorization") || field("client_secret").is_some() {
            self.object("a secret was shown");
        }
        match self.variant.0 {
            Auth::PrivateKeyJwt => self.assertion(field("client_assertion").unwrap_or_default()),
            Auth::Mtls if field("client_id") != Some("one") || certificate.is_none() => {
                self.object("no certificate");
            }
            Auth::Mtls => {}
        }
        let confirmation = match self.variant.1 {
            Constrain::Mtls => certificate.map(|shown| json!({ "x5t#S256": shown.thumbprint().to_text() })),
            Constrain::Dpop => match self.proof(&parts.headers, ("POST", &self.called(way)), None) {
                Ok(jkt) => Some(json!({ "jkt": jkt })),
                Err(nonce) => return self.wants_nonce(StatusCode::BAD_REQUEST, &nonce),
            },
        };
        if confirmation.is_none() {
            self.object("nothing to bind the token to");
        }
        self.issue(&confirmation.unwrap_or_default())
    }

    fn called(&self, way: Way) -> String {
        match way {
            Way::Right if self.variant.0 == Auth::Mtls || self.variant.1 == Constrain::Mtls => {
                format!("{}/token", self.mutual)
            }
            _ => format!("{}/token", self.issuer),
        }
    }

    fn issue(&self, confirmation: &Value) -> Response {
        let key = FixedKeys::signing(Algorithm::Es256);
        let header = json!({ "typ": "at+jwt", "alg": "ES256", "kid": key.key_id() });
        let mut claims = json!({ "iss": self.issuer, "aud": "https://orders.example", "sub": "one", "iat": now(),
                                 "exp": now() + 600, "jti": fresh(), "client_id": "one" });
        if self.manner.bound {
            claims["cnf"] = confirmation.clone();
        }
        let message = [&header, &claims].map(|part| base64url::encode(part.to_string())).join(".");
        let token = format!("{message}.{}", base64url::encode(key.sign(message.as_bytes()).unwrap()));
        self.seen.lock().unwrap().token = token.clone();
        let usual = if self.variant.1 == Constrain::Dpop { "DPoP" } else { "Bearer" };
        let mut answer = json!({ "access_token": token, "token_type": self.manner.token_type.unwrap_or(usual),
                                 "scope": "orders:read" });
        if self.manner.says_life {
            answer["expires_in"] = 600.into();
        }
        let mut response =
            ([("content-type", "application/json"), ("cache-control", "no-store")], answer.to_string())
                .into_response();
        self.renew_nonce(response.headers_mut());
        response
    }

    fn renew_nonce(&self, headers: &mut HeaderMap) {
        if self.manner.nonces && self.variant.1 == Constrain::Dpop {
            let nonce = fresh();
            headers.insert("dpop-nonce", nonce.parse().unwrap());
            self.seen.lock().unwrap().nonce = nonce;
        }
    }

    fn wants_nonce(&self, status: StatusCode, error: &str) -> Response {
        let body = json!({ "error": error }).to_string();
        let mut response = (status, [("content-type", "application/json")], body).into_response();
        if status == StatusCode::UNAUTHORIZED {
            let challenge = format!("DPoP error=\"{error}\"");
            response.headers_mut().insert("www-authenticate", challenge.parse().unwrap());
        }
        self.renew_nonce(response.headers_mut());
        response
    }

    /// What the suite's `ValidateClientAssertion…` conditions look at.
    fn assertion(&self, text: &str) {
        let Some((header, claims)) = read(text) else { return self.object("the assertion is no JWT") };
        let algorithm = header["alg"].as_str().unwrap_or_default().to_owned();
        if !["PS256", "ES256", "EdDSA", "Ed25519"].contains(&algorithm.as_str()) {
            self.object(format!("the assertion is signed with {algorithm}"));
        }
        if Algorithm::parse(&algorithm)
            .is_none_or(|algorithm| !verifies(text, &FixedKeys::signing(algorithm)))
        {
            self.object("the signature of the assertion");
        }
        if claims["aud"] != json!(self.issuer) {
            self.object(format!("aud is {}, not the issuer as a string", claims["aud"]));
        }
        if claims["iss"] != "one" || claims["sub"] != "one" {
            self.object("iss and sub");
        }
        let lives = claims["exp"].as_u64().is_some_and(|exp| exp > now() && exp <= now() + 300);
        if !lives || claims["iat"].as_u64().is_some_and(|iat| iat > now() + 5) {
            self.object("the times of the assertion");
        }
        self.once(&claims["jti"], "the jti of an assertion");
    }

    /// A proof for a request: what it is bound to, or the error that brings a nonce.
    fn proof(
        &self,
        headers: &HeaderMap,
        (method, url): (&str, &str),
        token: Option<&str>,
    ) -> Result<String, String> {
        let text = headers.get("dpop").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let Some((header, claims)) = read(text) else {
            self.object("no proof");
            return Ok(String::new());
        };
        let jwk = Jwk::from_object(header["jwk"].as_object().unwrap()).unwrap();
        let key = VerifyingKey::from_jwk(&jwk).unwrap();
        if header["typ"] != "dpop+jwt"
            || jwk.is_private()
            || Compact::parse(text).unwrap().verify(&key).is_err()
        {
            self.object("the proof's header, key or signature");
        }
        let algorithm = header["alg"].as_str().unwrap_or_default();
        if !["PS256", "ES256", "EdDSA", "Ed25519"].contains(&algorithm) {
            self.object(format!("the proof is signed with {algorithm}"));
        }
        if claims["htm"] != method || claims["htu"] != url {
            self.object(format!("the proof is for {} {}", claims["htm"], claims["htu"]));
        }
        if claims["iat"].as_u64().is_none_or(|iat| iat.abs_diff(now()) > 5) {
            self.object("iat of the proof");
        }
        let ath = token.map(|token| json!(base64url::encode(crypto::sha256(token.as_bytes()))));
        if claims["ath"] != ath.unwrap_or_default() {
            self.object("ath of the proof");
        }
        self.once(&claims["jti"], "the jti of a proof");
        let expected = self.seen.lock().unwrap().nonce.clone();
        if self.manner.nonces && claims["nonce"] != json!(expected) {
            return Err("use_dpop_nonce".to_owned());
        }
        Ok(jwk.thumbprint().as_str().to_owned())
    }

    fn once(&self, jti: &Value, what: &str) {
        let jti = jti.as_str().unwrap_or_default().to_owned();
        let mut seen = self.seen.lock().unwrap();
        if jti.len() < 16 || seen.jtis.contains(&jti) {
            seen.wrong.push(format!("{what}: {jti:?}"));
        }
        seen.jtis.push(jti);
    }

    /// The API: the token in the header, under its scheme, from its holder.
    fn call(&self, request: &Request) -> Response {
        let token = self.seen.lock().unwrap().token.clone();
        self.seen.lock().unwrap().calls += 1;
        let shown =
            request.headers().get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
        let scheme = if self.variant.1 == Constrain::Dpop { "DPoP" } else { "Bearer" };
        if shown != format!("{scheme} {token}") || request.uri().query().is_some() {
            self.object("the token is not in the header, under its own scheme");
        }
        match self.variant.1 {
            Constrain::Mtls if request.extensions().get::<PeerCertificate>().is_none() => {
                self.object("the API was called without the certificate");
            }
            Constrain::Mtls => {}
            Constrain::Dpop => {
                let url = format!("{}/orders", self.mutual);
                if let Err(error) = self.proof(request.headers(), ("GET", &url), Some(&token)) {
                    return self.wants_nonce(StatusCode::UNAUTHORIZED, &error);
                }
            }
        }
        let mut response = "orders".into_response();
        self.renew_nonce(response.headers_mut());
        response
    }
}

/// Header and claims, unverified.
fn read(text: &str) -> Option<(Value, Value)> {
    let mut parts = text.split('.').map(|part| base64url::decode(part).ok());
    let header = serde_json::from_slice(&parts.next()??).ok()?;
    let claims = parts.next()??;
    Claims::parse(&claims).ok()?;
    Some((header, serde_json::from_slice(&claims).ok()?))
}

fn verifies(text: &str, key: &m2m_proto::jose::SigningKey) -> bool {
    Compact::parse(text).is_ok_and(|compact| compact.verify(key.verifying_key()).is_ok())
}

fn form_of(body: &[u8]) -> Vec<(String, String)> {
    let form = m2m_proto::form::Form::parse(Some("application/x-www-form-urlencoded"), body).unwrap();
    ["grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "scope"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), form.get(name)?.to_owned())))
        .collect()
}
