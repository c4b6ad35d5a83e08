// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, FileSecret, HttpFactory, Server};
use m2m_io::{EgressRules, HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile egress. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let client_secret = Arc::new(FileSecret::new("/run/secrets/orders"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::secret(client_secret, None, ClientAuthMethod::ClientSecretBasic));
    let egress = EgressRules::new().allow("10.0.0.0/8")?.allow("https://login.internal")?;
    let factory = HttpFactory::new(move |certificate| {
        let mut http = ReqwestHttp::builder().egress(egress.clone());
        if let Some(certificate) = certificate {
            http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(http.build()?) as Arc<dyn HttpClient>)
    });
    let builder = builder.http_factory(factory);
    Ok(builder.build()?)
}
