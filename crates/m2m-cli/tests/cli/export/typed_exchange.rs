// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Endpoints, FileSecret, Grant, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::uri::EndpointUri;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile typed_exchange. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints::token(EndpointUri::parse("https://login.example.com/token")?);
    let workload_token = Arc::new(FileSecret::new("/run/secrets/subject"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::none())
        .grant(Grant::token_exchange(workload_token, TokenTypeUri::parse("urn:ietf:params:oauth:token-type:access_token"), Some(TokenTypeUri::parse("urn:ietf:params:oauth:token-type:id-jag"))))
        .param("requested_token_type", "urn:ietf:params:oauth:token-type:id-jag")
        .param("subject_token_type", "urn:ietf:params:oauth:token-type:access_token");
    Ok(builder.build()?)
}
