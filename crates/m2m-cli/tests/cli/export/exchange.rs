// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Endpoints, FileSecret, Grant, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::uri::EndpointUri;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile exchange. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints::token(EndpointUri::parse("https://login.example.com/token")?);
    let workload_token = Arc::new(FileSecret::new("/run/spire/svid"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::none())
        .grant(Grant::token_exchange(workload_token, TokenTypeUri::Jwt, None));
    Ok(builder.build()?)
}
