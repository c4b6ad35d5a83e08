//! `m2m serve --dev`: an authorization server in memory, on loopback, with an API and a client to try things with.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use m2m_authorization_server::registry::{Api, ApiIdentifier, Client, CredentialSpec, Proof, SecretUse};
use m2m_authorization_server::{Server, TrustingHttp};
use m2m_io::file::atomic_write;
use m2m_io::{ReqwestHttp, RootedHttp};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;

use super::exposition::Exposition;
use super::forwarded::TrustedProxies;
use super::founding;
use super::open::Opened;
use super::running::{Ending, Running};
use super::settings;
use super::sockets::Sockets;
use crate::Surroundings;
use crate::args::Serve;
use crate::connect::http_failure;
use crate::exit::{Exit, Failure};
use crate::listen::Signals;
use crate::quote;

const API: &str = "https://orders.example";
const SCOPES: [(&str, &str); 2] = [("orders:read", "read orders"), ("orders:write", "change orders")];
const CLIENT: &str = "demo";

/// The two clients that exist from the start, and their secrets.
struct Made {
    client: SecretString,
    admin: SecretString,
}

pub(crate) async fn run(typed: &Serve, signals: Signals, around: &Surroundings) -> Result<Exit, Failure> {
    let address = typed.listen.unwrap_or(settings::LISTEN);
    if !address.ip().is_loopback() {
        return Err(Failure::usage(format!("--listen: {} is not a loopback address", address.ip()))
            .hint("--dev has a well-known client and no TLS; it listens on 127.0.0.1 or [::1] only"));
    }
    let sockets = Sockets::plain(address, around).await?;
    let issuer = sockets.default_issuer();
    let exposition = Exposition::install()?;
    let server = Server::builder(Issuer::parse(&issuer).map_err(wrong)?)
        .clock(Arc::clone(&around.clock))
        .random(Arc::clone(&around.random))
        .http(Arc::new(ReqwestHttp::builder().build().map_err(|error| http_failure(&error))?))
        .trusting_http(trusting())
        .build()
        .map_err(wrong)?;
    server.prepare().await.map_err(wrong)?;
    let made = register(&server).await?;
    let running = Running::start(Opened::of(server), sockets, TrustedProxies::default(), exposition, around);
    announce(typed, around, &issuer, &made)?;
    let ending = Ending { delay: Duration::ZERO, log: typed.log.unwrap_or_default() };
    running.until_stopped(signals, ending, around).await
}

/// For trusted issuers that have a certificate authority of their own.
fn trusting() -> TrustingHttp {
    TrustingHttp::new(|ca_file| Arc::new(RootedHttp::new(ca_file.to_path_buf(), ReqwestHttp::builder)))
}

async fn register(server: &Server) -> Result<Made, Failure> {
    let admin = server.admin();
    let client_id = ClientId::parse(CLIENT).map_err(wrong)?;
    let identifier = ApiIdentifier::parse(API).map_err(wrong)?;
    // The demo client may introspect too: on a developer's machine it plays caller and API.
    let mut api = Api::new(identifier.clone()).resource_server(client_id.clone());
    for (token, description) in SCOPES {
        api = api.scope(ScopeToken::parse(token).map_err(wrong)?, description);
    }
    admin.create_api(api).await.map_err(wrong)?;
    let granted = Scope::parse(&SCOPES.map(|(token, _)| token).join(" ")).map_err(wrong)?;
    admin.create_client(Client::new(client_id).grant(identifier, granted)).await.map_err(wrong)?;
    let made = founding::administrator(server, &founding::admin_id()?).await?;
    let admin = made.ok_or_else(|| Failure::internal("the administrator was there already"))?;
    Ok(Made { client: secret(server, CLIENT).await?, admin })
}

async fn secret(server: &Server, client: &str) -> Result<SecretString, Failure> {
    let client = ClientId::parse(client).map_err(wrong)?;
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let created = server.admin().create_credential(CredentialSpec::new(client, "dev", proof)).await;
    created.map_err(wrong)?.client_secret.ok_or_else(|| Failure::internal("the server made no secret"))
}

/// Says that it is ready: first the file, so that who sees `ready` can read it.
fn announce(typed: &Serve, around: &Surroundings, issuer: &str, made: &Made) -> Result<(), Failure> {
    if let Some(path) = &typed.env_file {
        let text = exports(issuer, made);
        atomic_write(path, text.expose().as_bytes(), around.random.as_ref())
            .map_err(|error| Failure::configuration(format!("cannot write {}: {error}", path.display())))?;
    }
    let scopes = SCOPES.map(|(token, _)| token).join(" ");
    around.output.result(&format!("issuer {issuer}"))?;
    around.output.result(&format!("api {API} {scopes}"))?;
    around.output.result(&format!("client {CLIENT}"))?;
    around.output.result(&format!("ready {issuer}"))?;
    let next = typed.env_file.as_ref().map_or_else(
        || {
            "the client's secret is in no file; for one: m2m serve --dev --env-file dev.env, then . ./dev.env"
                .to_owned()
        },
        |path| format!("try: . {}; m2m token --scope orders:read", sourced(path)),
    );
    around.output.note(&next);
    around.output.note(&format!("console: {}/console/", issuer.trim_end_matches('/')));
    Ok(())
}

/// The file as a shell's `.` takes it: a bare name would be searched for in `$PATH`.
fn sourced(path: &Path) -> String {
    let text = path.display().to_string();
    let text = if text.contains('/') { text } else { format!("./{text}") };
    quote::shell_word(&text)
}

fn exports(issuer: &str, made: &Made) -> SecretString {
    let lines = [
        ("M2M_ISSUER", issuer),
        ("M2M_CLIENT_ID", CLIENT),
        ("M2M_CLIENT_SECRET", made.client.expose()),
        ("M2M_AUDIENCE", API),
        ("M2M_ADMIN_URL", issuer),
        ("M2M_ADMIN_CLIENT_ID", founding::ADMIN),
        ("M2M_ADMIN_CLIENT_SECRET", made.admin.expose()),
    ];
    SecretString::new(lines.map(|(name, value)| format!("export {name}='{value}'\n")).concat())
}

fn wrong(error: impl std::fmt::Display) -> Failure {
    Failure::internal(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advice_can_be_pasted() {
        let check = |path: &str, expect: &str| assert_eq!(sourced(Path::new(path)), expect);
        check("dev.env", "./dev.env");
        check("/tmp/dev.env", "/tmp/dev.env");
        check("a b.env", "'./a b.env'");
        check("it's/$(id)", r"'it'\''s/$(id)'");
    }
}
