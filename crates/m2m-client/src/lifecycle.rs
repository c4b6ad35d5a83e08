//! What a client asks the authorization server about tokens that exist:
//! introspection (RFC 7662) and revocation (RFC 7009).

use std::sync::Arc;

use m2m_proto::introspection::{Introspection, IntrospectionRequest};
use m2m_proto::jose::crypto::sha256;
use m2m_proto::revocation::{RevocationRequest, decode_response};
use m2m_proto::token::{AccessToken, Parameters};

use crate::client::Client;
use crate::error::Error;
use crate::exchange::{Message, Target};
use crate::spec::TokenSpec;

impl Client {
    /// Asks the server about a token (RFC 7662). Whatever is not a clear
    /// `active: true` is not active. With
    /// [`signed_introspection`](crate::ClientBuilder::signed_introspection) the answer is believed only if it is signed.
    ///
    /// # Errors
    /// When there is no answer that can be believed; treat it as "not active".
    pub async fn introspect(&self, token: &AccessToken) -> Result<Introspection, Error> {
        if let Some(signer) = &self.exchange().signer {
            return self.introspect_signed(token, signer).await;
        }
        let request = IntrospectionRequest::new(token);
        let write = |parameters: &mut Parameters| request.write(&mut parameters.form);
        let message = Message {
            target: Target::Introspection,
            shows: Some(token),
            spec: None,
            accept: None,
            write: &write,
            decode: &Introspection::decode,
        };
        self.exchange().send(&message).await
    }

    /// Revokes a token (RFC 7009). That the server did not know it is success.
    ///
    /// A revoked token is not handed out again by this client, nor from its
    /// store if it was kept there for the client's own [`TokenSpec`].
    ///
    /// # Errors
    /// When the server did not confirm: the token may still be good.
    pub async fn revoke(&self, token: &AccessToken) -> Result<(), Error> {
        self.send_revocation(token).await?;
        let digest = sha256(token.expose().as_bytes());
        self.cache().forget_token(&digest);
        if let Some(vault) = self.vault() {
            vault.forget(&self.entry(&TokenSpec::default()).key, &digest, self.exchange()).await;
        }
        Ok(())
    }

    async fn send_revocation(&self, token: &AccessToken) -> Result<(), Error> {
        let request = RevocationRequest::new(token);
        let write = |parameters: &mut Parameters| request.write(&mut parameters.form);
        let message = Message {
            target: Target::Revocation,
            shows: Some(token),
            spec: None,
            accept: None,
            write: &write,
            decode: &decode_response,
        };
        self.exchange().send(&message).await
    }

    /// Forgets the cached and the stored token for `spec` and revokes them: at
    /// shutdown, or before a rotation. `false` if there was none.
    ///
    /// # Errors
    /// As [`Client::revoke`]; the tokens are forgotten all the same.
    pub async fn revoke_cached(&self, spec: &TokenSpec) -> Result<bool, Error> {
        let entry = self.entry(spec);
        let stored = match self.vault() {
            Some(vault) => vault.take(&entry.key, self.exchange()).await,
            None => None,
        };
        let cached = self.cache().forget(&entry);
        // Another process may have renewed the stored one.
        let other =
            stored.filter(|stored| cached.as_ref().is_none_or(|held| held.digest() != stored.digest()));
        let mut result = Ok(cached.is_some() || other.is_some());
        for token in cached.into_iter().chain(other.map(Arc::new)) {
            if let Err(error) = self.send_revocation(token.access_token()).await {
                result = Err(error);
            }
        }
        result
    }
}
