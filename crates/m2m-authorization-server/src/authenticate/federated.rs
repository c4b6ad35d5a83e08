//! Clients that come with the token of a trusted issuer, as their assertion or as the grant itself.
//!
//! Enforces: both lead through [`Federation::authenticate`](crate::federation), so that neither has a check that the
//! other lacks.

use m2m_proto::client_auth::UnverifiedAssertion;
use m2m_proto::time::UnixTime;
use m2m_proto::workload_token::UnverifiedWorkloadToken;

use super::{AuthenticatedClient, AuthenticationError, Authenticator};
use crate::federation::{External, ExternalToken, FederationError};
use crate::registry::{Named, Registry};

impl AuthenticatedClient {
    /// The token of a trusted issuer, verified and not yet consumed.
    pub(crate) fn external(&self) -> Option<&ExternalToken> {
        self.external.as_deref()
    }
}

impl Authenticator {
    /// The assertion as the token of a trusted issuer, if it names one and is no client's own. Whose client it is
    /// said to be has no part in that.
    pub(super) fn external(
        &self,
        assertion: &UnverifiedAssertion,
        registry: &Registry,
    ) -> Option<UnverifiedWorkloadToken> {
        let named = assertion.issuer().filter(|_| assertion.self_issued().is_none())?;
        let is_it = |own: &Named| matches!(own, Named::Issuer(own) if own == named);
        registry.issuers().find(|issuer| is_it(&issuer.named))?;
        UnverifiedWorkloadToken::parse(assertion.expose()).ok()
    }

    /// Checks the token of a trusted issuer.
    ///
    /// # Errors
    /// `External`, `KeysUnreachable`.
    pub(crate) async fn federated(
        &self,
        external: External<'_>,
        registry: &Registry,
        now: UnixTime,
    ) -> Result<AuthenticatedClient, AuthenticationError> {
        let mapped = self.federation.authenticate(external, registry, &self.decoys, now).await;
        let mapped = mapped.map_err(|error| match error {
            FederationError::KeysUnreachable { issuer, why } => {
                tracing::warn!(issuer = issuer.as_str(), why, "the keys of a trusted issuer cannot be had");
                AuthenticationError::KeysUnreachable
            }
            error => AuthenticationError::External(Box::new(error)),
        })?;
        Ok(AuthenticatedClient {
            method: mapped.credential.method(),
            registration: mapped.registration,
            credential: mapped.credential,
            assertion: None,
            external: Some(Box::new(mapped.evidence)),
        })
    }
}
