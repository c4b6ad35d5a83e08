//! What a client asks the authorization server about tokens that exist:
//! introspection (RFC 7662) and revocation (RFC 7009).

use std::sync::Arc;

use m2m_proto::form::FormWriter;
use m2m_proto::introspection::{Introspection, IntrospectionRequest};
use m2m_proto::revocation::{RevocationRequest, decode_response};
use m2m_proto::token::AccessToken;

use crate::client::Client;
use crate::error::Error;
use crate::exchange::{Message, Target};
use crate::spec::TokenSpec;

impl Client {
    /// Asks the server about a token (RFC 7662). Whatever is not a clear
    /// `active: true` is not active.
    ///
    /// # Errors
    /// When there is no answer that can be believed; treat it as "not active".
    pub async fn introspect(&self, token: &AccessToken) -> Result<Introspection, Error> {
        let request = IntrospectionRequest::new(token);
        let write = |form: &mut FormWriter| request.write(form);
        let message = Message { target: Target::Introspection, write: &write, decode: Introspection::decode };
        self.exchange().send(&message).await
    }

    /// Revokes a token (RFC 7009). That the server did not know it is success.
    ///
    /// # Errors
    /// When the server did not confirm: the token may still be good.
    pub async fn revoke(&self, token: &AccessToken) -> Result<(), Error> {
        let request = RevocationRequest::new(token);
        let write = |form: &mut FormWriter| request.write(form);
        let message = Message { target: Target::Revocation, write: &write, decode: decode_response };
        self.exchange().send(&message).await
    }

    /// Forgets the cached (or stored) token for `spec` and revokes it: at
    /// shutdown, or before a rotation. `false` if there was none.
    ///
    /// # Errors
    /// As [`Client::revoke`]; the token is forgotten all the same.
    pub async fn revoke_cached(&self, spec: &TokenSpec) -> Result<bool, Error> {
        let entry = self.entry(spec);
        let stored = match self.vault() {
            Some(vault) => vault.take(&entry.key, self.exchange()).await,
            None => None,
        };
        let Some(token) = self.cache().forget(&entry).or(stored.map(Arc::new)) else { return Ok(false) };
        self.revoke(token.access_token()).await.map(|()| true)
    }
}
