//! An API whose orders only the right programs can read. Try it against `m2m demo` or any issuer:
//!
//! ```sh
//! cargo run -p m2m-resource-server --example axum --features axum -- https://as.example https://orders.example
//! ```

use axum::{Router, routing::get};
use m2m_proto::uri::Issuer;
use m2m_resource_server::{RequireScope, VerifiedAccessToken, Verifier};

/// Every route needs a token of the issuer for this API; this one needs a scope, too.
pub(crate) fn app(verifier: &Verifier) -> Router {
    Router::new().route("/orders", get(orders).require_scope("orders:read")).layer(verifier.layer())
}

async fn orders(token: VerifiedAccessToken) -> String {
    format!("orders for {}\n", token.client_id().unwrap_or("nobody"))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut typed = std::env::args().skip(1);
    let issuer = typed.next().unwrap_or_else(|| "http://127.0.0.1:8400".to_owned());
    let audience = typed.next().unwrap_or_else(|| "https://orders.example".to_owned());

    let verifier = Verifier::builder().trust(Issuer::parse(&issuer)?, audience).build()?;
    println!("http://127.0.0.1:3000/orders; {}", verifier.revocation_window());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    axum::serve(listener, app(&verifier)).await?;
    Ok(())
}
