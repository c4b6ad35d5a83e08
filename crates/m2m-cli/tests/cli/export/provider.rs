// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Endpoints, FileSecret, Server, provider};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::uri::EndpointUri;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile provider. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints::token(EndpointUri::parse("https://acme.eu.auth0.com/oauth/token")?);
    let provider = provider::find("auth0").ok_or("no such provider")?;
    let preset = provider.resolve(&[("domain".into(), "acme.eu.auth0.com".into())])?;
    let client_secret = Arc::new(FileSecret::new("/run/secrets/orders"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .preset(&preset)?
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::secret(client_secret, None, ClientAuthMethod::ClientSecretPost))
        .audience("https://orders.example.com");
    Ok(builder.build()?)
}
