// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Dpop, Endpoints, FileSecret, HttpFactory, Inspect, Server};
use m2m_io::{HttpClient, Limits, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::{EndpointUri, Origin, PlainHttp, ResourceUri};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Gives access tokens for the profile post. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints {
        introspection: Some(EndpointUri::parse("https://login.example.com/introspect")?),
        revocation: Some(EndpointUri::parse("https://login.example.com/revoke")?),
        ..Endpoints::token(EndpointUri::parse("https://login.example.com/token")?)
    };
    let next_client_secret = Arc::new(FileSecret::new("/run/secrets/orders-next"));
    let client_secret = Arc::new(FileSecret::new("/run/secrets/orders"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::secret(client_secret, Some(next_client_secret), ClientAuthMethod::ClientSecretPost))
        .resource(ResourceUri::parse("https://a.example.com")?)
        .resource(ResourceUri::parse("https://b.example.com")?)
        .param("organization", "acme \\ \"x\"")
        .destination(Origin::parse("https://a.example.com")?)
        .dpop(Dpop::Ephemeral(Algorithm::Es256))
        .refresh_lead(Duration::from_millis(120000))
        .fallback_lifetime(Duration::from_millis(90000))
        .limits(Limits { timeout: Duration::from_millis(500), ..Limits::default() })
        .mint_deadline(Duration::from_millis(10000))
        .inspect(Inspect::Error)
        .plain_http(PlainHttp::Allowed);
    let factory = HttpFactory::new(|certificate| {
        let mut http = ReqwestHttp::builder();
        http = http.ca_file(std::path::Path::new("/etc/ssl/ca.pem"))?;
        if let Some(certificate) = certificate {
            http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(http.build()?) as Arc<dyn HttpClient>)
    });
    let builder = builder.http_factory(factory);
    Ok(builder.build()?)
}
