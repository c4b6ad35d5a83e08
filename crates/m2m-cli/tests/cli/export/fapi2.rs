// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{CertificateSource, Client, Credentials, FileSecret, HttpFactory, KeySource, Server};
use m2m_io::{HttpClient, ReqwestHttp};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile fapi2. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let private_key = Arc::new(FileSecret::new("/run/secrets/orders.key"));
    let certificate = Arc::new(FileSecret::new("/run/secrets/orders.pem"));
    let certificate_key = Arc::new(FileSecret::new("/run/secrets/orders.tls.key"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::key_of_certificate(KeySource::text(private_key, None, None), certificate.clone()).bound_to(CertificateSource::new(certificate, certificate_key)))
        .scope(Scope::parse("orders:read")?)
        .audience("https://orders.example.com")
        .security_profile(SecurityProfile::Fapi2);
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
