// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{AssertionAudienceRule, Client, Credentials, FileSecret, Inspect, KeySource, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile key. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let private_key = Arc::new(FileSecret::new("/run/secrets/orders.pem"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::key(KeySource::text(private_key, Some(Algorithm::parse("ES256").ok_or("no such algorithm")?), Some("2026-11".to_owned()))))
        .assertion_audience(AssertionAudienceRule::parse("https://login.example.com/legacy"))
        .inspect(Inspect::Off);
    Ok(builder.build()?)
}
