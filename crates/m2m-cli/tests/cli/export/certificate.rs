// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{CertificateSource, Client, Credentials, FileSecret, HttpFactory, Server};
use m2m_io::{HttpClient, ReqwestHttp};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile certificate. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let certificate = Arc::new(FileSecret::new("/run/secrets/orders.crt"));
    let certificate_key = Arc::new(FileSecret::new("/run/secrets/orders.key"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::certificate(CertificateSource::new(certificate, certificate_key), ClientAuthMethod::SelfSignedTlsClientAuth));
    let factory = HttpFactory::new(|certificate| {
        let mut http = ReqwestHttp::builder();
        if let Some(certificate) = certificate {
            http = http.client_certificate(&certificate.chain_pem, &certificate.key_pem)?;
        }
        Ok(Arc::new(http.build()?) as Arc<dyn HttpClient>)
    });
    let builder = builder.http_factory(factory);
    Ok(builder.build()?)
}
