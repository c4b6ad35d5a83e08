// needs the crates m2m-client, m2m-io and m2m-proto
use m2m_client::{AssertionAudienceRule, Client, Credentials, FixedSecret, KeySource, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;
use std::error::Error;
use std::sync::Arc;

/// Gives access tokens for the profile plain_key. Make one, and keep it while the program runs.
pub fn client() -> Result<Client, Box<dyn Error>> {
    let private_key = Arc::new(FixedSecret::new(printed(&["secret-tool", "lookup", "service", "m2m", "name", "orders"])?));
    let builder = Client::builder(Server::issuer(Issuer::parse("https://login.example.com")?))
        .client_id(ClientId::parse("svc-orders")?)
        .credentials(Credentials::key(KeySource::text(private_key, None, None)))
        .assertion_audience(AssertionAudienceRule::parse("issuer"));
    Ok(builder.build()?)
}

/// What a program prints, without its line end.
fn printed(argv: &[&str]) -> Result<SecretString, Box<dyn Error>> {
    let [program, arguments @ ..] = argv else { return Err("no program".into()) };
    let output = std::process::Command::new(program).args(arguments).output()?;
    if !output.status.success() {
        return Err(format!("{program}: {}", output.status).into());
    }
    let text = String::from_utf8(output.stdout)?;
    Ok(SecretString::from(text.trim_end_matches(['\r', '\n'])))
}
