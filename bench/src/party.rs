//! A client of ours whose token endpoint is a function in this process.

use anyhow::Result;
use bytes::Bytes;
use http::{Request, Response};
use m2m_client::{Client, Credentials, Endpoints, FixedSecret, Server};
use m2m_io::{BoxFuture, HttpClient, HttpError, Limits};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::EndpointUri;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Shaped and sized like a JWT of ten claims under EdDSA.
pub fn token() -> String {
    format!("eyJ0eXAiOiJhdCtqd3QiLCJhbGciOiJFZERTQSJ9.{}.{}", "a".repeat(370), "b".repeat(86))
}

/// Answers every token request, and counts them. Waits until `crowd` callers have
/// announced themselves, so that none of them comes too late to be cold.
#[derive(Debug, Default)]
pub struct Endpoint {
    pub requests: AtomicU64,
    pub arrived: AtomicU64,
    pub crowd: u64,
}

impl HttpClient for Endpoint {
    fn send(&self, _: Request<Bytes>, _: &Limits) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {
            while self.arrived.load(Ordering::SeqCst) < self.crowd {
                tokio::task::yield_now().await;
            }
            let body =
                format!("{{\"access_token\":\"{}\",\"token_type\":\"Bearer\",\"expires_in\":3600}}", token());
            let mut response = Response::new(Bytes::from(body));
            response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
            Ok(response)
        })
    }
}

/// A client of that endpoint.
pub fn client(endpoint: &Arc<Endpoint>) -> Result<Client> {
    let server = Server::endpoints(Endpoints::token(EndpointUri::parse("https://login.example/token")?));
    let secret = Arc::new(FixedSecret::new(SecretString::from("a secret of a bench")));
    let credentials = Credentials::secret(secret, None, ClientAuthMethod::ClientSecretBasic);
    let http: Arc<dyn HttpClient> = Arc::clone(endpoint) as _;
    Ok(Client::builder(server)
        .client_id(ClientId::parse("bench")?)
        .credentials(credentials)
        .http(http)
        .build()?)
}
