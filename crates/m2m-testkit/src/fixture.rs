//! All three roles in one process: an authorization server, an API behind a verifier, and clients of every method.
//!
//! No sockets, no waiting, the same keys and identifiers in every run: time is the fixture's clock, randomness its
//! seed, and every message is in its record.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use axum::Router;
use axum::routing::get;
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client as Registered, CreatedCredential, CredentialSpec, Proof, SecretUse,
};
use m2m_authorization_server::{ClientAddress, MutualTls, Server as AuthorizationServer, ServerBuilder};
use m2m_client::{
    CertificateSource, Client, ClientBuilder, Credentials, FixedSecret, HttpFactory, KeySource, Server,
};
use m2m_io::{Clock, HttpError, Random};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::mutual_tls::{ClientAuthorities, PeerCertificate, SubjectName};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, JwkSet};
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::secret::SecretString;
use m2m_proto::uri::{Issuer, Origin};
use m2m_resource_server::{Dpop, RequireScope as _, VerifiedAccessToken, Verifier, VerifierBuilder};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::certificates::{Authority, Identity};
use crate::{FixedKeys, InMemoryHttp, ManualClock, SeededRandom};

/// The system.
#[derive(Debug)]
pub struct Fixture {
    /// Time of all parties.
    pub clock: ManualClock,
    /// Randomness of all parties.
    pub random: Arc<SeededRandom>,
    /// The network, with the record of all messages.
    pub http: InMemoryHttp,
    /// The authorization server, at [`ISSUER`].
    pub server: AuthorizationServer,
    /// Who vouches for the certificates of `tls_client_auth` clients.
    pub authority: Authority,
}

/// The authorization server's issuer.
pub const ISSUER: &str = "https://as.example";

/// The API's identifier and origin. `GET /orders` needs `orders:read`, `POST /orders` needs `orders:write`.
pub const API: &str = "https://orders.example";

/// The id of the registered client.
pub const CLIENT: &str = "app";

impl Fixture {
    /// Everything running: the API and the client are registered, the client without credentials.
    ///
    /// # Panics
    ///
    /// If a part cannot be set up, here and in all that follows.
    pub async fn start() -> Self {
        Self::with(|server| server, |verifier| verifier).await
    }

    /// As [`Self::start`], with other settings of the two servers.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn with(
        server: impl FnOnce(ServerBuilder) -> ServerBuilder,
        verifier: impl FnOnce(VerifierBuilder) -> VerifierBuilder,
    ) -> Self {
        let clock = ManualClock::new();
        let random = Arc::new(SeededRandom::new(1));
        let network = InMemoryHttp::new(Arc::new(clock.clone()));
        let http = network.arriving_with(|request| {
            request.extensions_mut().insert(caller());
        });
        let authority = Authority::new("client authority");
        let authorities = ClientAuthorities::from_der([authority.der().as_slice()]).expect("the authority");
        let settings = AuthorizationServer::builder(issuer())
            .clock(Arc::new(clock.clone()))
            .random(random.clone())
            .http(Arc::new(http.clone()))
            .signing_key(FixedKeys::signing(Algorithm::Es256))
            .mutual_tls(MutualTls::default().authorities(authorities));
        let server = server(settings).build().expect("the authorization server");
        register(&server).await;
        http.route(ISSUER, server.router());
        let settings = Verifier::builder()
            .trust(issuer(), API)
            .http(Arc::new(http.clone()))
            .clock(Arc::new(clock.clone()))
            .random(random.clone())
            .dpop(Dpop::new(Origin::parse(API).expect("an origin")));
        http.route(API, api(&verifier(settings).build().expect("the verifier")));
        Self { clock, random, http, server, authority }
    }

    /// A new credential of the registered client.
    ///
    /// # Panics
    ///
    /// If the server refuses it.
    pub async fn credential(&self, proof: Proof) -> CreatedCredential {
        let spec = CredentialSpec::new(client_id(), "test", proof);
        self.server.admin().create_credential(spec).await.expect("a credential")
    }

    /// Settings of a client that authenticates by `method` with a new credential and asks for all that it may have.
    ///
    /// # Panics
    ///
    /// If the server refuses the credential.
    pub async fn client(&self, method: ClientAuthMethod) -> ClientBuilder {
        match method {
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
                let made = self.credential(Proof::ClientSecret(SecretUse::BasicOrPost)).await;
                self.builder(Credentials::secret(secret(made), None, method))
            }
            ClientAuthMethod::ClientSecretJwt => {
                let made = self.credential(Proof::ClientSecretJwt).await;
                self.builder(Credentials::client_secret_jwt(secret(made), None, Algorithm::Hs256))
            }
            ClientAuthMethod::PrivateKeyJwt => {
                let set = JwkSet::decode(&FixedKeys::set(&[Algorithm::EdDsa])).expect("a key set");
                self.credential(Proof::PublicKeys(set)).await;
                let key = Arc::new(FixedKeys::signing(Algorithm::EdDsa));
                self.builder(Credentials::key(KeySource::fixed(key)))
            }
            ClientAuthMethod::TlsClientAuth => {
                let identity = self.authority.client("app", &["app.example"]);
                let name = SubjectName::Dns("app.example".to_owned());
                self.credential(Proof::CertificateSubject(name)).await;
                self.showing(&identity, method)
            }
            ClientAuthMethod::SelfSignedTlsClientAuth => {
                let identity = Identity::self_signed("app");
                self.credential(Proof::Certificate(identity.peer().thumbprint())).await;
                self.showing(&identity, method)
            }
        }
    }

    /// Settings of a client with these credentials; nothing is registered.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    #[must_use]
    pub fn builder(&self, credentials: Credentials) -> ClientBuilder {
        Client::builder(Server::issuer(issuer()))
            .client_id(client_id())
            .credentials(credentials)
            .scope(scopes())
            .audience(API)
            .destination(Origin::parse(API).expect("an origin"))
            .clock(self.clock())
            .random(self.random())
            .http_factory(self.connections())
    }

    /// The clock, as the roles take it.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.clock.clone())
    }

    /// The randomness, as the roles take it.
    #[must_use]
    pub fn random(&self) -> Arc<dyn Random> {
        self.random.clone()
    }

    /// A client that has this certificate.
    fn showing(&self, identity: &Identity, method: ClientAuthMethod) -> ClientBuilder {
        let text = |bytes: &[u8]| {
            Arc::new(FixedSecret::new(SecretString::from(String::from_utf8_lossy(bytes).as_ref())))
        };
        let source =
            CertificateSource::new(text(identity.chain_pem.as_bytes()), text(identity.key_pem.expose()));
        self.builder(Credentials::certificate(source, method))
    }

    /// Connections on which everybody sees the client's certificate, as over mutual TLS.
    fn connections(&self) -> HttpFactory {
        let network = self.http.clone();
        HttpFactory::new(move |certificate| {
            let der = certificate.map(|certificate| CertificateDer::from_pem_slice(&certificate.chain_pem));
            let der = der.transpose().map_err(|_| HttpError::Tls("not a certificate".to_owned()))?;
            let peer = der.and_then(|der| PeerCertificate::new(der.to_vec(), Vec::new()).ok());
            Ok(Arc::new(network.arriving_with(move |request| {
                request.extensions_mut().insert(caller());
                if let Some(peer) = &peer {
                    request.extensions_mut().insert(peer.clone());
                }
            })))
        })
    }
}

const fn caller() -> ClientAddress {
    ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)))
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).expect("an issuer")
}

fn client_id() -> ClientId {
    ClientId::parse(CLIENT).expect("a client id")
}

fn scopes() -> Scope {
    Scope::parse("orders:read orders:write").expect("scopes")
}

fn secret(made: CreatedCredential) -> Arc<FixedSecret> {
    Arc::new(FixedSecret::new(made.client_secret.expect("a secret")))
}

async fn register(server: &AuthorizationServer) {
    let identifier = ApiIdentifier::parse(API).expect("an identifier");
    let add = |api: Api, scope: &ScopeToken| api.scope(scope.clone(), "");
    let registered = scopes().iter().fold(Api::new(identifier.clone()), add).resource_server(client_id());
    let admin = server.admin();
    admin.create_api(registered).await.expect("the API");
    admin.create_client(Registered::new(client_id()).grant(identifier, scopes())).await.expect("the client");
}

/// Answers with who called, by the verified token.
fn api(verifier: &Verifier) -> Router {
    let who = async |token: VerifiedAccessToken| token.client_id().unwrap_or("nobody").to_owned();
    let read = get(who).require_scope("orders:read");
    let write = axum::routing::post(who).require_scope("orders:write");
    Router::new().route("/orders", read.merge(write)).layer(verifier.layer())
}
