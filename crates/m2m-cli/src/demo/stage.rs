//! The servers of the demo on loopback sockets, and what the steps share.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response};
use m2m_authorization_server::registry::{
    Api, ApiIdentifier, Client as Registered, CreatedCredential, CredentialSpec, Proof,
};
use m2m_authorization_server::{MutualTls, Server};
use m2m_client::{Client, ClientBuilder, Credentials, HttpFactory};
use m2m_io::reqwest::{ProxyFrom, ReqwestHttp};
use m2m_io::task::Tasks;
use m2m_io::{Clock, EgressRules, HttpClient, HttpError, Limits, Random};
use m2m_proto::client_auth::mutual_tls::ClientAuthorities;
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::secret::SecretBytes;
use m2m_proto::uri::{EndpointUri, Issuer, Origin};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::parties::{Identity, Parties};
use super::{API, OTHER_API, Step, api};
use crate::certificate::{Authority, Wish};
use crate::exit::Failure;
use crate::listen::{Certificates, Listener, server_config};

/// The clients that the demo registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Team {
    /// The service that calls the API.
    Billing,
    /// The same kind of service, with tokens that live three seconds.
    Reporting,
    /// The API itself, which asks by introspection.
    OrdersApi,
}

impl Team {
    /// Its `client_id`.
    pub fn id(self) -> &'static str {
        match self {
            Self::Billing => "billing",
            Self::Reporting => "reporting",
            Self::OrdersApi => "orders-api",
        }
    }
}

/// How long tokens of [`Team::Reporting`] live.
pub(super) const SHORT_LIFE: Duration = Duration::from_secs(3);

/// The running servers and what the steps need to take part.
pub struct Stage {
    pub(super) server: Server,
    pub(super) parties: Parties,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) authority: Authority,
    factory: HttpFactory,
    http: Arc<dyn HttpClient>,
    api_origin: Origin,
    tasks: Tasks,
}

impl std::fmt::Debug for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stage").field("api", &self.api_origin).finish_non_exhaustive()
    }
}

/// The bound sockets: their ports are part of names, so they come first.
struct Sockets {
    server: Listener,
    server_tls: Listener,
    api: Listener,
}

impl Stage {
    /// Starts authorization server (plain and mutual TLS) and API, and registers everybody.
    ///
    /// # Errors
    /// When loopback sockets cannot be bound or a registration fails: nothing to do with the steps.
    pub async fn raise(
        parties: Parties,
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
    ) -> Result<Self, Failure> {
        let authority = Authority::generate(&wish(&clock, "m2m demo authority", Vec::new()))?;
        let leaf = authority.issue(&wish(&clock, "localhost", vec!["127.0.0.1".to_owned()]))?;
        let sockets = bind(&clock, &leaf).await?;
        let alias = format!("https://{}", sockets.server_tls.address());
        let api_origin = origin(&format!("http://{}", sockets.api.address()))?;
        let factory = factory(authority.certificate_pem().to_owned(), &alias);
        let server = server(&sockets, &alias, &authority, (&clock, &random))?;
        let mut stage = Self {
            http: (factory_http(authority.certificate_pem(), &alias, None)).map_err(internal)?,
            server,
            parties,
            clock,
            random,
            authority,
            factory,
            api_origin,
            tasks: Tasks::new(),
        };
        stage.register().await?;
        stage.serve(sockets).await?;
        Ok(stage)
    }

    async fn register(&self) -> Result<(), Failure> {
        let admin = self.server.admin();
        let resource_server = client_id(Team::OrdersApi);
        let orders = Api::new(identifier(API)?)
            .scope(scope_token("orders:read")?, "read orders")
            .scope(scope_token("orders:write")?, "change orders")
            .resource_server(resource_server);
        let invoices = Api::new(identifier(OTHER_API)?).scope(scope_token("invoices:read")?, "read invoices");
        admin.create_api(orders).await.map_err(internal)?;
        admin.create_api(invoices).await.map_err(internal)?;
        let both = scope("orders:read orders:write")?;
        let billing = Registered::new(client_id(Team::Billing))
            .grant(identifier(API)?, both.clone())
            .grant(identifier(OTHER_API)?, scope("invoices:read")?);
        let reporting = Registered::new(client_id(Team::Reporting))
            .grant(identifier(API)?, both)
            .lifetime_cap(SHORT_LIFE);
        for client in [billing, reporting, Registered::new(client_id(Team::OrdersApi))] {
            admin.create_client(client).await.map_err(internal)?;
        }
        Ok(())
    }

    async fn serve(&mut self, sockets: Sockets) -> Result<(), Failure> {
        let protected = api::protected(self).await.map_err(Failure::internal)?;
        let api = (self.parties.api)(protected);
        let router = (self.parties.authorization_server)(self.server.router());
        for (name, listener, router) in [
            ("demo authorization server", sockets.server, router.clone()),
            ("demo authorization server, mutual TLS", sockets.server_tls, router),
            ("demo API", sockets.api, api),
        ] {
            let stopping = self.tasks.stopping();
            self.tasks.spawn(name, listener.serve(router, stopping));
        }
        Ok(())
    }

    /// Stops the servers.
    pub async fn strike(self) {
        self.tasks.shutdown().await;
    }

    /// Waits until the tasks of the stage are told to stop: the end of `--keep`.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The URL of the API.
    pub fn api_url(&self) -> String {
        format!("{}/orders", self.api_origin)
    }

    /// Where the API is.
    pub(super) fn api_origin(&self) -> &Origin {
        &self.api_origin
    }

    /// A connection without a client certificate.
    pub(super) fn http(&self) -> Arc<dyn HttpClient> {
        Arc::clone(&self.http)
    }

    /// Registers one more way for a client to prove who it is.
    pub async fn credential(
        &self,
        team: Team,
        label: &str,
        proof: Proof,
    ) -> Result<CreatedCredential, String> {
        let spec = CredentialSpec::new(client_id(team), label, proof);
        self.server.admin().create_credential(spec).await.map_err(|error| error.to_string())
    }

    /// A client of the API, configured as it should be.
    pub(super) fn builder(&self, team: Team, credentials: Credentials) -> ClientBuilder {
        Client::builder(self.server.issuer().clone())
            .client_id(client_id(team))
            .credentials(credentials)
            .http_factory(self.factory.clone())
            .clock(Arc::clone(&self.clock))
            .random(Arc::clone(&self.random))
            .destination(self.api_origin.clone())
            .label(team.id())
    }

    /// The client after its party had its way with it.
    pub(super) fn client(&self, step: Step, builder: ClientBuilder) -> Result<Client, String> {
        (self.parties.client)(Identity { step }, builder).build().map_err(|error| error.to_string())
    }

    /// A call of the API with exactly these headers.
    pub(super) async fn call(
        &self,
        method: Method,
        authorization: Option<&http::HeaderValue>,
    ) -> Result<Response<Bytes>, String> {
        let mut request = Request::builder().method(method).uri(self.api_url());
        if let Some(value) = authorization {
            request = request.header(http::header::AUTHORIZATION, value);
        }
        let request = request.body(Bytes::new()).map_err(|error| error.to_string())?;
        self.http.send(request, &Limits::default()).await.map_err(|error| error.to_string())
    }
}

async fn bind(clock: &Arc<dyn Clock>, leaf: &crate::certificate::Certified) -> Result<Sockets, Failure> {
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let bind = async || Listener::bind(any, Arc::clone(clock)).await.map_err(internal);
    let certificates = Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).map_err(internal)?,
    };
    let tls = server_config(certificates).map_err(internal)?;
    Ok(Sockets { server: bind().await?, server_tls: bind().await?.tls(tls), api: bind().await? })
}

fn server(
    sockets: &Sockets,
    alias: &str,
    authority: &Authority,
    (clock, random): (&Arc<dyn Clock>, &Arc<dyn Random>),
) -> Result<Server, Failure> {
    let issuer = Issuer::parse(&format!("http://{}", sockets.server.address())).map_err(internal)?;
    let authorities = ClientAuthorities::from_der([authority.certificate_der()]).map_err(internal)?;
    let mutual_tls = MutualTls::default()
        .authorities(authorities)
        .alias_base(EndpointUri::parse(alias).map_err(internal)?);
    Server::builder(issuer)
        .clock(Arc::clone(clock))
        .random(Arc::clone(random))
        .mutual_tls(mutual_tls)
        .build()
        .map_err(internal)
}

/// Connections that trust the demo's authority and follow the metadata to its TLS port.
fn factory(ca_pem: String, alias: &str) -> HttpFactory {
    let alias = alias.to_owned();
    HttpFactory::new(move |certificate| {
        let certificate = certificate.map(|own| (own.chain_pem.as_slice(), &own.key_pem));
        factory_http(&ca_pem, &alias, certificate)
    })
}

fn factory_http(
    ca_pem: &str,
    alias: &str,
    certificate: Option<(&[u8], &SecretBytes)>,
) -> Result<Arc<dyn HttpClient>, HttpError> {
    // A document names the TLS port, and loopback is no public address: this rule is what makes it allowed.
    let egress = EgressRules::new().allow(alias).map_err(|error| HttpError::Protocol(error.to_string()))?;
    let mut http = ReqwestHttp::builder().ca_pem(ca_pem.as_bytes())?.egress(egress).proxy(ProxyFrom::Nowhere);
    if let Some((chain, key)) = certificate {
        http = http.client_certificate(chain, key)?;
    }
    Ok(Arc::new(http.build()?))
}

/// A certificate for an hour, valid since a minute ago.
pub(super) fn wish(clock: &Arc<dyn Clock>, subject: &str, names: Vec<String>) -> Wish {
    Wish {
        subject: subject.to_owned(),
        names,
        not_before: clock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    }
}

fn origin(text: &str) -> Result<Origin, Failure> {
    Origin::parse(text).map_err(internal)
}

fn identifier(text: &str) -> Result<ApiIdentifier, Failure> {
    ApiIdentifier::parse(text).map_err(internal)
}

fn scope_token(text: &str) -> Result<ScopeToken, Failure> {
    ScopeToken::parse(text).map_err(internal)
}

fn scope(text: &str) -> Result<Scope, Failure> {
    Scope::parse(text).map_err(internal)
}

#[expect(clippy::expect_used, reason = "the three names above are well-formed, and a test says so")]
pub(super) fn client_id(team: Team) -> ClientId {
    ClientId::parse(team.id()).expect("a well-formed client id")
}

fn internal(error: impl std::fmt::Display) -> Failure {
    Failure::internal(format!("the demo cannot start: {error}"))
}
