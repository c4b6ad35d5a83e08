//! The server that is judged, as authorization server and as API, on real sockets: one listener that asks for no
//! certificate, one that does, and the API, which asks for one. Two clients are registered, `one` and `two`.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client, CredentialSpec, Proof, SenderConstraint,
};
use m2m_authorization_server::{ClientAddress, MutualTls, Server};
use m2m_io::reqwest::ReqwestHttpBuilder;
use m2m_io::{HttpClient as _, Limits, ReqwestHttp};
use m2m_proto::client_auth::mutual_tls::{ClientAuthorities, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::form::FormWriter;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use m2m_resource_server::{
    Dpop, RequireScope as _, StatusCheck, TrustedIssuer, VerifiedAccessToken, Verifier,
};
use m2m_testkit::FixedKeys;
use m2m_testkit::certificates::{Authority, Flaw, Identity};
use m2m_testkit::tls::{Clients, TlsServer};
use serde_json::Value;
use tower::ServiceExt as _;

use super::message::{Jwt, proof_key};
use super::{Auth, Constrain, Variant};

/// What the API is called; where it is, is another matter.
pub(super) const API: &str = "https://orders.example";

/// A router for listeners that must be there before what they serve, which has their address in its name.
#[derive(Clone, Default)]
pub(super) struct Late(Arc<OnceLock<Router>>);

impl Late {
    pub(super) fn set(&self, router: Router) {
        self.0.set(router).unwrap();
    }

    pub(super) fn router(&self) -> Router {
        let late = Arc::clone(&self.0);
        Router::new().fallback(async move |mut request: Request| -> Response {
            request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
            match late.get() {
                Some(router) => router.clone().oneshot(request).await.into_response(),
                None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
            }
        })
    }
}

/// What a connection shows of its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shown {
    Nothing,
    One,
    Two,
}

/// An answer, read.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) json: Value,
}

impl Answer {
    /// The member of that name; empty where there is none.
    pub(super) fn text(&self, member: &str) -> &str {
        self.json.get(member).and_then(Value::as_str).unwrap_or_default()
    }

    #[track_caller]
    pub(super) fn token(&self) -> String {
        assert_eq!(self.status, 200, "{self:?}");
        self.text("access_token").to_owned()
    }

    /// An error answer of the token endpoint, as RFC 6749 §5.2 wants it, with one of these codes.
    #[track_caller]
    pub(super) fn refused(&self, codes: &[&str]) {
        let error = self.text("error");
        assert!(codes.contains(&error), "{self:?}");
        let expected = if error == "invalid_client" { [400, 401] } else { [400, 400] };
        assert!(expected.contains(&self.status), "{self:?}");
        let media_type =
            self.headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or_default();
        assert!(media_type.starts_with("application/json"), "{self:?}");
        let description = self.text("error_description");
        assert!(
            description.bytes().all(|b| matches!(b, 0x20..=0x21 | 0x23..=0x5b | 0x5d..=0x7e)),
            "{description}"
        );
        assert!(self.json.get("access_token").is_none());
    }
}

/// A token request that can be changed before it is sent.
#[derive(Clone)]
pub(super) struct Ask {
    pub(super) shown: Shown,
    pub(super) form: Vec<(&'static str, String)>,
    pub(super) proof: Option<Jwt>,
}

impl Ask {
    pub(super) fn with(mut self, name: &'static str, value: &str) -> Self {
        self.form.retain(|(own, _)| *own != name);
        self.form.push((name, value.to_owned()));
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.form.retain(|(own, _)| *own != name);
        self
    }
}

/// Everything that runs.
pub(super) struct Place {
    pub(super) variant: Variant,
    pub(super) issuer: String,
    /// Where the API is.
    pub(super) api: String,
    pub(super) authority: Authority,
    pub(super) server: Server,
    identities: [Identity; 2],
    metadata: Value,
    _listeners: [TlsServer; 3],
}

impl Place {
    /// Under the profile.
    pub(super) async fn start(variant: Variant) -> Self {
        Self::under(SecurityProfile::Fapi2, variant).await
    }

    pub(super) async fn under(profile: SecurityProfile, variant: Variant) -> Self {
        let authority = Authority::new("authority");
        let identity = authority.server(&["localhost"], Flaw::None);
        let (late, late_api) = (Late::default(), Late::default());
        let ordinary = TlsServer::start(&identity, Clients::NotAsked, late.router()).await;
        let mutual = TlsServer::start(&identity, Clients::Asked, late.router()).await;
        let listener = TlsServer::start(&identity, Clients::Asked, late_api.router()).await;
        let (issuer, api) = (ordinary.url(""), listener.url(""));
        let authorities = ClientAuthorities::from_der([authority.der().as_slice()]).unwrap();
        let alias_base = EndpointUri::parse(&mutual.url("")).unwrap();
        let server = Server::builder(Issuer::parse(&issuer).unwrap())
            .mutual_tls(MutualTls::default().authorities(authorities).alias_base(alias_base))
            .security_profile(profile)
            .build()
            .unwrap();
        late.set(server.router());
        let identities =
            [authority.client("one", &["one.example"]), authority.client("two", &["two.example"])];
        register(&server, variant).await;
        late_api.set(protected(profile, &issuer, &api, &authority));
        let mut place = Self {
            variant,
            issuer,
            api,
            authority,
            server,
            identities,
            metadata: Value::Null,
            _listeners: [ordinary, mutual, listener],
        };
        let url = format!("{}/.well-known/oauth-authorization-server", place.issuer);
        place.metadata = place.get(Shown::Nothing, &url, &[]).await.json;
        place
    }

    /// What the server says of itself.
    pub(super) fn metadata(&self) -> &Value {
        &self.metadata
    }

    /// The token endpoint of this combination: where a certificate is shown, its alias (RFC 8705 §5).
    pub(super) fn token_endpoint(&self) -> String {
        let aliases =
            if self.shows_certificate() { &self.metadata["mtls_endpoint_aliases"] } else { &self.metadata };
        aliases["token_endpoint"].as_str().unwrap().to_owned()
    }

    fn shows_certificate(&self) -> bool {
        self.variant.0 == Auth::Mtls || self.variant.1 == Constrain::Mtls
    }

    /// An assertion of client `one` that is right.
    pub(super) fn assertion(&self) -> Jwt {
        Jwt::assertion("one", &self.issuer, FixedKeys::signing(Algorithm::Ps256))
    }

    /// A proof for a token request that is right.
    pub(super) fn proof(&self) -> Jwt {
        Jwt::proof("POST", &self.token_endpoint(), None, proof_key())
    }

    /// A token request of client `one` that is right.
    pub(super) fn ask(&self) -> Ask {
        let shown = if self.shows_certificate() { Shown::One } else { Shown::Nothing };
        let mut form =
            vec![("grant_type", "client_credentials".to_owned()), ("scope", "orders:read".to_owned())];
        let proof = (self.variant.1 == Constrain::Dpop).then(|| self.proof());
        if self.variant.0 == Auth::Mtls {
            form.push(("client_id", "one".to_owned()));
            return Ask { shown, form, proof };
        }
        Ask { shown, form, proof }
            .with("client_assertion_type", BEARER)
            .with("client_assertion", &self.assertion().sign())
    }

    /// Sends a token request.
    pub(super) async fn send(&self, ask: &Ask) -> Answer {
        let http = self.http(ask.shown);
        self.exchange(&http, ("POST", &self.token_endpoint()), &headers(ask), form(ask)).await
    }

    /// Registers a certificate that vouches for itself.
    pub(super) async fn register_certificate(&self, client: &str) -> Identity {
        let identity = Identity::self_signed(client);
        let proof = Proof::Certificate(identity.peer().thumbprint());
        let spec = CredentialSpec::new(ClientId::parse(client).unwrap(), "own", proof);
        self.server.admin().create_credential(spec).await.unwrap();
        identity
    }

    /// Sends a token request on a connection that shows this.
    pub(super) async fn send_showing(&self, identity: &Identity, ask: &Ask) -> Answer {
        let http = self.showing(identity);
        self.exchange(&http, ("POST", &self.token_endpoint()), &headers(ask), form(ask)).await
    }

    /// A token of client `one`.
    pub(super) async fn token(&self) -> String {
        self.send(&self.ask()).await.token()
    }

    /// Calls the API as client `one` does, the scheme as written, the proof as given.
    pub(super) async fn call(&self, scheme: &str, token: &str, proofs: &[String]) -> Answer {
        let mut headers = vec![("authorization", format!("{scheme} {token}"))];
        headers.extend(proofs.iter().map(|proof| ("dpop", proof.clone())));
        let shown = if self.shows_certificate() { Shown::One } else { Shown::Nothing };
        self.get(shown, &self.orders(), &headers).await
    }

    /// Calls the API as it should be done.
    pub(super) async fn call_rightly(&self, token: &str) -> Answer {
        match self.variant.1 {
            Constrain::Dpop => self.call("DPoP", token, &[self.api_proof(token).sign()]).await,
            Constrain::Mtls => self.call("Bearer", token, &[]).await,
        }
    }

    /// A proof for the API that is right.
    pub(super) fn api_proof(&self, token: &str) -> Jwt {
        Jwt::proof("GET", &self.orders(), Some(token), proof_key())
    }

    /// The resource that is called.
    pub(super) fn orders(&self) -> String {
        format!("{}/orders", self.api)
    }

    /// Asks for a document or a resource.
    pub(super) async fn get(&self, shown: Shown, url: &str, headers: &[(&str, String)]) -> Answer {
        self.exchange(&self.http(shown), ("GET", url), headers, Bytes::new()).await
    }

    async fn exchange(
        &self,
        http: &ReqwestHttp,
        (method, url): (&str, &str),
        headers: &[(&str, String)],
        body: Bytes,
    ) -> Answer {
        let mut builder = http::Request::builder().method(method).uri(url);
        for (name, value) in headers {
            builder = builder.header(*name, value.as_str());
        }
        let response = http.send(builder.body(body).unwrap(), &Limits::default()).await.unwrap();
        let json = serde_json::from_slice(response.body()).unwrap_or(Value::Null);
        Answer { status: response.status().as_u16(), headers: response.headers().clone(), json }
    }

    /// An HTTP client that trusts the place and shows this.
    pub(super) fn http(&self, shown: Shown) -> ReqwestHttp {
        match shown {
            Shown::Nothing => self.builder().build().unwrap(),
            Shown::One => self.showing(&self.identities[0]),
            Shown::Two => self.showing(&self.identities[1]),
        }
    }

    fn showing(&self, identity: &Identity) -> ReqwestHttp {
        let builder = self.builder().client_certificate(identity.chain_pem.as_bytes(), &identity.key_pem);
        builder.unwrap().build().unwrap()
    }

    fn builder(&self) -> ReqwestHttpBuilder {
        ReqwestHttp::builder().ca_pem(self.authority.pem().as_bytes()).unwrap()
    }
}

fn form(ask: &Ask) -> Bytes {
    let mut writer = FormWriter::default();
    for (name, value) in &ask.form {
        writer.push(name, value);
    }
    writer.finish()
}

fn headers(ask: &Ask) -> Vec<(&'static str, String)> {
    let mut headers = vec![("content-type", "application/x-www-form-urlencoded".to_owned())];
    headers.extend(ask.proof.as_ref().map(|proof| ("dpop", proof.sign())));
    headers
}

const BEARER: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

async fn register(server: &Server, variant: Variant) {
    let scopes = Scope::parse("orders:read orders:write").unwrap();
    let add = |api: Api, scope: &ScopeToken| api.scope(scope.clone(), "");
    let identifier = ApiIdentifier::parse(API).unwrap();
    let admin = server.admin();
    admin.create_api(scopes.iter().fold(Api::new(identifier.clone()), add)).await.unwrap();
    // One key under two algorithms, so that RS256 is refused for what it is and not for want of a key.
    let keys = [[Algorithm::Ps256, Algorithm::Rs256], [Algorithm::Es256, Algorithm::EdDsa]];
    for (id, keys) in ["one", "two"].into_iter().zip(keys) {
        let client_id = ClientId::parse(id).unwrap();
        // Where nothing is demanded, the profile alone sees to it that tokens are bound. With a certificate that
        // authenticates, it has to be said that it is not what they are bound to.
        let demand = match variant {
            (Auth::Mtls, Constrain::Dpop) => SenderConstraint::Dpop,
            _ => SenderConstraint::None,
        };
        let client = Client::new(client_id.clone()).grant(identifier.clone(), scopes.clone());
        admin.create_client(client.sender_constraint(demand)).await.unwrap();
        let proof = match variant.0 {
            Auth::PrivateKeyJwt => Proof::PublicKeys(JwkSet::decode(&FixedKeys::set(&keys)).unwrap()),
            Auth::Mtls => Proof::CertificateSubject(SubjectName::Dns(format!("{id}.example"))),
        };
        admin.create_credential(CredentialSpec::new(client_id, "test", proof)).await.unwrap();
    }
}

/// The API, behind a verifier under the same profile.
fn protected(profile: SecurityProfile, issuer: &str, origin: &str, authority: &Authority) -> Router {
    let trusted =
        TrustedIssuer::new(Issuer::parse(issuer).unwrap()).audience(API).status_list(StatusCheck::Required);
    let http = ReqwestHttp::builder().ca_pem(authority.pem().as_bytes()).unwrap().build().unwrap();
    let verifier = Verifier::builder()
        .trust_with(trusted)
        .dpop(Dpop::new(Origin::parse(origin).unwrap()))
        .http(Arc::new(http))
        .security_profile(profile)
        .build()
        .unwrap();
    let who = async |token: VerifiedAccessToken| token.client_id().unwrap_or("nobody").to_owned();
    Router::new().route("/orders", get(who).require_scope("orders:read")).layer(verifier.layer())
}
