// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, FileSecret, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile workload. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let workload_token = Arc::new(FileSecret::new("/var/run/secrets/tokens/m2m"));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::assertion(workload_token));
    Ok(builder.build()?)
}
