//! The protected API of the demo: two routes behind a verifier that asks by introspection.

use axum::routing::get;
use axum::{Json, Router};
use m2m_authorization_server::registry::{Proof, SecretUse};
use m2m_client::{Client, Credentials};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_resource_server::{Dpop, Introspect, RequireScope as _, VerifiedAccessToken, Verifier};
use serde_json::{Value, json};

use super::API;
use super::methods::fixed;
use super::parties::ProtectedApi;
use super::stage::{Stage, Team};

/// The API and its unguarded twin.
///
/// # Errors
/// When the API cannot be registered with the authorization server, or its settings leave a check open.
pub(super) async fn protected(stage: &Stage) -> Result<ProtectedApi, String> {
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let created = stage.credential(Team::OrdersApi, "introspection", proof).await?;
    let secret = created.client_secret.ok_or("the server made no secret")?;
    let credentials = Credentials::secret(fixed(secret), None, ClientAuthMethod::ClientSecretBasic);
    let asking: Client =
        stage.builder(Team::OrdersApi, credentials).build().map_err(|error| error.to_string())?;
    let verifier = Verifier::builder()
        .trust(stage.server.issuer().clone(), API)
        .introspection(asking, Introspect::Always)
        .dpop(Dpop::new(stage.api_origin().clone()))
        .http(stage.http())
        .clock(std::sync::Arc::clone(&stage.clock))
        .random(std::sync::Arc::clone(&stage.random))
        .build()
        .map_err(|error| error.to_string())?;
    let read = get(read_orders).require_scope("orders:read");
    let write = axum::routing::post(write_order).require_scope("orders:write");
    let guarded = Router::new().route("/orders", read.merge(write)).layer(verifier.layer());
    let unguarded = Router::new().route("/orders", get(orders).post(orders));
    Ok(ProtectedApi { guarded, unguarded })
}

async fn read_orders(token: VerifiedAccessToken) -> Json<Value> {
    Json(json!({"orders": [{"id": 1, "item": "a book"}], "client": token.client_id()}))
}

async fn write_order(token: VerifiedAccessToken) -> Json<Value> {
    Json(json!({"ordered": true, "client": token.client_id()}))
}

async fn orders() -> Json<Value> {
    Json(json!({"orders": []}))
}
