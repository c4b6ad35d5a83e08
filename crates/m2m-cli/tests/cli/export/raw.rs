// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{Client, Credentials, FixedSecret, Server};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile raw. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let client_secret = Arc::new(FixedSecret::new(SecretString::new(std::env::var("ORDERS_SECRET")?)));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::secret(client_secret, None, ClientAuthMethod::ClientSecretBasic))
        .basic_encoding(BasicEncoding::Raw);
    Ok(builder.build()?)
}
