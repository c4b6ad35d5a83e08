// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{AssertionAudienceRule, Client, Credentials, FileSecret, KeySource, Server};
use m2m_io::Limits;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

/// Gives access tokens for the profile host. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let private_key = Arc::new(FileSecret::new("/run/secrets/key.pem"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::key(KeySource::text(private_key, None, None)))
        .limits(Limits { timeout: Duration::from_millis(30000), ..Limits::default() })
        .mint_deadline(Duration::from_millis(30000))
        .assertion_audience(AssertionAudienceRule::parse("host"));
    Ok(builder.build()?)
}
