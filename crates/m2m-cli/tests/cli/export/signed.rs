// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Endpoints, FileSecret, Grant, KeySource, Server};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::EndpointUri;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile signed. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints::token(EndpointUri::parse("https://login.example.com/token")?);
    let client_secret = Arc::new(FileSecret::new(std::path::PathBuf::from(std::env::var("CREDENTIALS_DIRECTORY")?).join("orders")));
    let private_key = Arc::new(FileSecret::new("/run/secrets/key.pem"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::secret(client_secret, None, ClientAuthMethod::ClientSecretPost))
        .grant(Grant::jwt_bearer(KeySource::text(private_key, None, None)));
    Ok(builder.build()?)
}
