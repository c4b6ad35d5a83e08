//! An authorization server of ours on real sockets, as its clients find it: one listener that asks for no
//! certificate, one that does, and a client with whatever credential a test needs.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use m2m_authorization_server::registry::{
    AcceptedAudience, Api, ApiIdentifier, Client, CredentialSpec, Proof, SecretUse, SenderConstraint,
};
use m2m_authorization_server::{ClientAddress, MutualTls, Server, ServerNonce};
use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::mutual_tls::{ClientAuthorities, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::uri::{EndpointUri, Issuer};
use m2m_testkit::FixedKeys;
use m2m_testkit::certificates::{Authority, Flaw, Identity};
use m2m_testkit::peers::{Peer, Program};
use m2m_testkit::tls::{Clients, TlsServer};
use serde_json::{Value, json};
use tempfile::TempDir;
use tower::ServiceExt as _;

/// The APIs: everybody may ask for the first, `both` also for the second.
pub(super) const ORDERS: &str = "https://orders.example";
pub(super) const STOCK: &str = "https://stock.example";

/// `typ` of a client assertion (RFC 10070).
pub(super) const EXPLICIT: &str = "client-authentication+jwt";

const CLIENT_DNS: &str = "app.example";

/// The server, and what its clients hold.
pub(super) struct Place {
    pub(super) issuer: String,
    server: Server,
    authority: Authority,
    directory: TempDir,
    _listeners: [TlsServer; 2],
}

impl Place {
    pub(super) async fn start(nonce: ServerNonce) -> Self {
        let authority = Authority::new("authority");
        let identity = authority.server(&["localhost"], Flaw::None);
        let (late, router) = late_router();
        let ordinary = TlsServer::start(&identity, Clients::NotAsked, router.clone()).await;
        let mutual = TlsServer::start(&identity, Clients::Any, router).await;
        let issuer = ordinary.url("");
        let authorities = ClientAuthorities::from_der([authority.der().as_slice()]).unwrap();
        let alias_base = EndpointUri::parse(&mutual.url("")).unwrap();
        let server = Server::builder(Issuer::parse(&issuer).unwrap())
            .dpop_nonce(nonce)
            .mutual_tls(MutualTls::default().authorities(authorities).alias_base(alias_base))
            .build()
            .unwrap();
        late.set(server.router()).unwrap();
        register(&server).await;
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("ca.pem"), authority.pem()).unwrap();
        Self { issuer, server, authority, directory, _listeners: [ordinary, mutual] }
    }

    /// Starts these clients, those that are there; they know this server.
    pub(super) fn peers(&self, programs: &[Program]) -> Vec<(Program, Peer)> {
        let ca_file = self.directory.path().join("ca.pem");
        let setup = json!({ "issuer": self.issuer, "ca": self.authority.pem(), "ca_file": ca_file });
        let start = |program: &Program| Some((*program, Peer::start(*program, &setup)?));
        programs.iter().filter_map(start).collect()
    }

    /// Credentials of the client for a secret method, as a task.
    pub(super) async fn with_secret(&self, client: &str, method: &str) -> Value {
        let proof = match method {
            "client_secret_basic" => Proof::ClientSecret(SecretUse::Basic),
            "client_secret_post" => Proof::ClientSecret(SecretUse::Post),
            _ => Proof::ClientSecretJwt,
        };
        let spec = CredentialSpec::new(client_id(client), method, proof);
        // Authlib knows the token endpoint only; the others send the issuer all the same.
        let spec = spec.accepted_audience(AcceptedAudience::IssuerOrTokenEndpoint);
        let made = self.server.admin().create_credential(spec).await.unwrap();
        json!({ "client_id": client, "method": method, "secret": made.client_secret.unwrap().expose(),
                "typ": EXPLICIT, "lifetime": 60, "parameters": {} })
    }

    /// A key of client `app`, as a task; what its assertions may be.
    pub(super) async fn with_key(
        &self,
        algorithm: Algorithm,
        audience: AcceptedAudience,
        typ: TypRule,
    ) -> Value {
        let set = JwkSet::decode(&FixedKeys::set(&[algorithm])).unwrap();
        let spec = CredentialSpec::new(client_id("app"), algorithm.name(), Proof::PublicKeys(set));
        let spec = spec.accepted_audience(audience).accepted_typ(typ);
        self.server.admin().create_credential(spec).await.unwrap();
        let key = json!({ "pem": FixedKeys::pem(algorithm), "alg": algorithm.name(),
                          "kid": FixedKeys::signing(algorithm).key_id() });
        json!({ "client_id": "app", "method": "private_key_jwt", "key": key, "typ": EXPLICIT, "lifetime": 60,
                "parameters": {} })
    }

    /// A certificate of client `bound` for either method, as a task.
    pub(super) async fn with_certificate(&self, method: &str) -> Value {
        let (identity, proof) = if method == "tls_client_auth" {
            let name = SubjectName::Dns(CLIENT_DNS.to_owned());
            (self.authority.client("bound", &[CLIENT_DNS]), Proof::CertificateSubject(name))
        } else {
            let identity = Identity::self_signed("bound");
            let proof = Proof::Certificate(identity.peer().thumbprint());
            (identity, proof)
        };
        let spec = CredentialSpec::new(client_id("bound"), method, proof);
        self.server.admin().create_credential(spec).await.unwrap();
        self.showing(&identity, method)
    }

    /// The certificate of nobody that the server knows, as a task.
    pub(super) fn with_foreign_certificate(&self, method: &str) -> Value {
        self.showing(&Identity::self_signed("stranger"), &format!("foreign.{method}"))
    }

    fn showing(&self, identity: &Identity, label: &str) -> Value {
        let key = String::from_utf8(identity.key_pem.expose().clone()).unwrap();
        let file = |name: &str, text: &str| {
            let path = self.directory.path().join(format!("{label}.{name}.pem"));
            fs::write(&path, text).unwrap();
            path
        };
        let certificate = json!({
            "chain": identity.chain_pem, "chain_file": file("chain", &identity.chain_pem),
            "key": key, "key_file": file("key", &key),
        });
        json!({ "client_id": "bound", "method": label, "certificate": certificate, "parameters": {} })
    }
}

/// A router for listeners that must be there before the server, which has their address in its name.
fn late_router() -> (Arc<OnceLock<Router>>, Router) {
    let late: Arc<OnceLock<Router>> = Arc::default();
    let ours = Arc::clone(&late);
    let answer = async move |mut request: Request| -> Response {
        request.extensions_mut().insert(ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
        match ours.get() {
            Some(router) => router.clone().oneshot(request).await.into_response(),
            None => StatusCode::SERVICE_UNAVAILABLE.into_response(),
        }
    };
    (late, Router::new().fallback(answer))
}

async fn register(server: &Server) {
    let scopes = Scope::parse("read write").unwrap();
    let admin = server.admin();
    let add = |api: Api, scope: &ScopeToken| api.scope(scope.clone(), "");
    let [orders, stock] = [ORDERS, STOCK].map(|api| ApiIdentifier::parse(api).unwrap());
    for api in [&orders, &stock] {
        admin.create_api(scopes.iter().fold(Api::new(api.clone()), add)).await.unwrap();
    }
    for id in ["app", ODD] {
        let client = Client::new(client_id(id)).grant(orders.clone(), scopes.clone());
        admin.create_client(client).await.unwrap();
    }
    let bound = Client::new(client_id("bound")).grant(orders.clone(), scopes.clone());
    admin.create_client(bound.sender_constraint(SenderConstraint::Mtls)).await.unwrap();
    let both = Client::new(client_id("both")).grant(orders, scopes.clone()).grant(stock, scopes);
    admin.create_client(both).await.unwrap();
}

/// A client id that Basic can carry only if it is form-encoded (RFC 6749 section 2.3.1).
pub(super) const ODD: &str = "odd id: +%&=*'(~)";

fn client_id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}
