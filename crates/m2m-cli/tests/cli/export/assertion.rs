// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, Endpoints, FileSecret, Grant, KeySource, Server, provider};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::Scope;
use m2m_proto::uri::EndpointUri;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile assertion. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let endpoints = Endpoints {
        revocation: Some(EndpointUri::parse("https://oauth2.googleapis.com/revoke")?),
        ..Endpoints::token(EndpointUri::parse("https://oauth2.googleapis.com/token")?)
    };
    let provider = provider::find("google-sa").ok_or("no such provider")?;
    let preset = provider.resolve(&[])?;
    let private_key = Arc::new(FileSecret::new("/run/secrets/google.pem"));
    let builder = Client::builder(Server::endpoints(endpoints))
        .preset(&preset)?
        .client_id(ClientId::parse("svc@project.iam.gserviceaccount.com")?)
        .credentials(Credentials::none())
        .grant(Grant::of(&preset, Some(KeySource::text(private_key, None, Some("abc".to_owned()))), None)?)
        .scope(Scope::parse("https://www.googleapis.com/auth/cloud-platform")?);
    Ok(builder.build()?)
}
