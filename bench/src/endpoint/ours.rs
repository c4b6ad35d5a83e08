//! Our server as a process: the one place here that knows the API of the server crate.
//!
//! Setup: `{"clients": N, "jwks": {…}}`. For each algorithm it has an API and a client with
//! a secret; besides a client that signs assertions with a key of `jwks`, a resource server
//! that introspects, and N clients with a secret each for the ES256 API.

use anyhow::{Context as _, Result, ensure};
use axum::Router;
use m2m_authorization_server::registry::{Api, ApiIdentifier, Client, CredentialSpec, Proof, SecretUse};
use m2m_authorization_server::{Admin, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::JwkSet;
use m2m_proto::scope::{Scope, ScopeToken};
use m2m_proto::uri::Issuer;
use serde_json::{Map, Value, json};
use std::time::{Duration, Instant};

/// Clients of the crowd whose secrets are told, spread over all of them.
const TOLD: u64 = 1_000;
/// How long registering may take.
const PATIENCE: Duration = Duration::from_secs(120);
/// Below this path are the endpoints.
pub const ENDPOINTS: &str = "/oauth2";

/// The server, and what its callers must know of it.
pub async fn router(setup: &Value, port: u16) -> Result<(Router, Value)> {
    let issuer = format!("http://127.0.0.1:{port}");
    let server = Server::builder(Issuer::parse(&issuer)?).build()?;
    server.prepare().await?;
    // As `m2m serve` does: records are stored behind the answer, on this core too.
    tokio::spawn(server.background());
    let admin = server.admin();
    let mut said = Map::new();
    for (name, algorithm) in super::ALGORITHMS {
        let mut api = Api::new(identifier(name)?).algorithm(algorithm).resource_server(id("reader")?);
        for scope in ["orders:read", "orders:write"] {
            api = api.scope(ScopeToken::parse(scope)?, "");
        }
        admin.create_api(api).await?;
        said.insert(name.to_owned(), with_secret(&admin, &format!("svc-{name}"), name).await?);
    }
    said.insert("reader".to_owned(), with_secret(&admin, "reader", "es256").await?);
    let keys = JwkSet::decode(setup["jwks"].to_string().as_bytes())?;
    client(&admin, "svc-signer", "es256", Proof::PublicKeys(keys)).await?;
    said.insert("crowd".to_owned(), crowd(&admin, setup["clients"].as_u64().unwrap_or(0)).await?);
    said.insert("issuer".to_owned(), issuer.into());
    Ok((server.router(), Value::Object(said)))
}

async fn crowd(admin: &Admin, clients: u64) -> Result<Value> {
    let began = Instant::now();
    let every = clients.div_ceil(TOLD).max(1);
    let mut told = Vec::new();
    for number in 0..clients {
        let made = with_secret(admin, &format!("svc-crowd-{number}"), "es256").await?;
        if number % every == 0 {
            told.push(made);
        }
        ensure!(began.elapsed() < PATIENCE, "only {number} of {clients} clients registered in {PATIENCE:?}");
    }
    Ok(Value::Array(told))
}

async fn with_secret(admin: &Admin, name: &str, api: &str) -> Result<Value> {
    let secret = client(admin, name, api, Proof::ClientSecret(SecretUse::BasicOrPost)).await?;
    Ok(json!({ "id": name, "secret": secret.context("the server made no secret")? }))
}

async fn client(admin: &Admin, name: &str, api: &str, proof: Proof) -> Result<Option<String>> {
    let scopes = Scope::parse("orders:read orders:write")?;
    admin.create_client(Client::new(id(name)?).grant(identifier(api)?, scopes)).await?;
    let created = admin.create_credential(CredentialSpec::new(id(name)?, "bench", proof)).await?;
    Ok(created.client_secret.map(|secret| secret.expose().clone()))
}

fn identifier(name: &str) -> Result<ApiIdentifier> {
    Ok(ApiIdentifier::parse(&format!("https://{name}.example"))?)
}

fn id(name: &str) -> Result<ClientId> {
    Ok(ClientId::parse(name)?)
}
