//! Who takes part. A test swaps one party for a broken one; nothing here is broken by itself.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use m2m_authorization_server::Admin;
use m2m_authorization_server::registry::CredentialId;
use m2m_client::ClientBuilder;
use m2m_io::BoxFuture;

use super::Step;

/// The API as it should be, and the same without its door, from which a test can build a leaky one.
#[derive(Clone, Debug)]
pub struct ProtectedApi {
    /// Checks every request.
    pub guarded: Router,
    /// Checks nothing. Never served by itself.
    pub unguarded: Router,
}

/// Which client is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Identity {
    /// For which step.
    pub step: Step,
}

type MakeClient = dyn Fn(Identity, ClientBuilder) -> ClientBuilder + Send + Sync;
type MakeApi = dyn Fn(ProtectedApi) -> Router + Send + Sync;
type MakeServer = dyn Fn(Router) -> Router + Send + Sync;
type Revoke = dyn Fn(Admin, CredentialId) -> BoxFuture<'static, Result<(), String>> + Send + Sync;

/// The parties of the demo, each as the function that makes or is it.
#[derive(Clone)]
pub struct Parties {
    /// Finishes a client that is configured correctly.
    pub client: Arc<MakeClient>,
    /// Chooses what of the API is served.
    pub api: Arc<MakeApi>,
    /// Finishes the authorization server.
    pub authorization_server: Arc<MakeServer>,
    /// The operator who revokes a credential.
    pub operator: Arc<Revoke>,
}

impl Default for Parties {
    /// Everybody does what they should.
    fn default() -> Self {
        Self {
            client: Arc::new(|_, builder| builder),
            api: Arc::new(|api| api.guarded),
            authorization_server: Arc::new(|router| router),
            operator: Arc::new(|admin, id| {
                Box::pin(async move {
                    admin.revoke_credential(&id).await.map(drop).map_err(|error| error.to_string())
                })
            }),
        }
    }
}

impl fmt::Debug for Parties {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Parties")
    }
}
