//! Administrative acts as typed calls: register, withdraw, list.
//!
//! The JSON admin API will be one caller of these; a program that embeds the server is another.
//! Nothing here asks who is calling.

use std::sync::Arc;
use std::time::Duration;

use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::time::UnixTime;

use crate::audit::{Event, Record};
use crate::error::Error;
use crate::observe;
use crate::registry::api::MAX_LIFETIME;
use crate::registry::secret;
use crate::registry::{
    Api, Change, Client, CreatedCredential, Credential, CredentialId, CredentialSpec, Material, Proof,
    Registry, Status,
};
use crate::server::State;
use crate::store::TokenRef;

/// The administrative acts of a server; see [`Server::admin`](crate::Server::admin).
#[derive(Debug, Clone)]
pub struct Admin {
    state: Arc<State>,
}

impl Admin {
    pub(crate) fn new(state: Arc<State>) -> Self {
        Self { state }
    }

    /// Registers an API, and makes a signing key for its algorithm where there is none: that takes
    /// up to a second for RSA.
    ///
    /// # Errors
    /// `Conflict` when the identifier is taken, the lifetime is not between 1 s and 24 h, or the
    /// algorithm is symmetric.
    pub async fn create_api(&self, api: Api) -> Result<(), Error> {
        let algorithm = api.algorithm;
        self.state.store.change(Change::CreateApi(api)).await?;
        self.ensure_key(algorithm).await
    }

    async fn ensure_key(&self, algorithm: Algorithm) -> Result<(), Error> {
        let now = self.state.clock.wall();
        let made = self.state.keys.ensure(algorithm, now).await;
        made.map(drop).map_err(|error| Error::internal(format!("cannot make a signing key: {error}")))
    }

    /// Registers a client.
    ///
    /// # Errors
    /// `Conflict` when the id is taken, or a grant names an API or a scope that is not registered.
    pub async fn create_client(&self, client: Client) -> Result<(), Error> {
        self.state.store.change(Change::CreateClient(client)).await?;
        Ok(())
    }

    /// Adds a credential to a client. A secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `Unknown` for an unregistered client; `Conflict` when it is revoked or has 64 credentials;
    /// `Misconfigured` for a `jwks_uri` when the server has no HTTP client, and for certificates
    /// when it does not offer them.
    pub async fn create_credential(&self, spec: CredentialSpec) -> Result<CreatedCredential, Error> {
        let state = &self.state;
        let id = secret::generate_id(state.random.as_ref());
        let now = state.clock.wall();
        let (material, client_secret) = self.material(spec.proof, &id)?;
        let not_before = spec.not_before.unwrap_or(now);
        let credential = Credential {
            id: id.clone(),
            client_id: spec.client_id,
            label: spec.label,
            material,
            accepted_audience: spec.accepted_audience,
            accepted_typ: spec.accepted_typ,
            not_before,
            expires_at: spec.expires_in.map(|life| not_before.saturating_add(life)),
            status: Status::Active,
        };
        state.store.change(Change::CreateCredential(credential)).await?;
        Ok(CreatedCredential { id, client_secret })
    }

    fn material(
        &self,
        proof: Proof,
        id: &CredentialId,
    ) -> Result<(Material, Option<m2m_proto::secret::SecretString>), Error> {
        let state = &self.state;
        let random = state.random.as_ref();
        Ok(match proof {
            Proof::ClientSecret(accepted) => {
                let secret = secret::generate(id, random);
                let hash = state.authenticator.vault.hash(&secret);
                (Material::SecretHash { hash, accepted }, Some(secret))
            }
            Proof::ClientSecretJwt => {
                let secret = secret::generate(id, random);
                let sealed = state.authenticator.vault.seal(&secret, id, random);
                let (nonce, sealed) = sealed.map_err(|error| Error::internal(error.to_string()))?;
                (Material::SealedSecret { nonce, sealed }, Some(secret))
            }
            Proof::PublicKeys(set) => (Material::PublicKeys(Arc::new(set)), None),
            Proof::JwksUri(uri) if state.authenticator.published.can_fetch() => {
                (Material::JwksUri(uri), None)
            }
            Proof::JwksUri(_) => {
                return Err(Error::misconfigured("this server has no HTTP client to fetch a jwks_uri with"));
            }
            Proof::CertificateSubject(_) | Proof::Certificate(_) if state.mutual_tls.is_none() => {
                return Err(Error::misconfigured("this server does not offer client certificates"));
            }
            Proof::CertificateSubject(subject) => (Material::CertificateSubject(subject), None),
            Proof::Certificate(thumbprint) => (Material::Certificate(thumbprint), None),
        })
    }

    /// Withdraws a credential for good: it is refused at once, and its tokens are inactive.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn revoke_credential(&self, id: &CredentialId) -> Result<(), Error> {
        self.state.store.change(Change::SetCredentialStatus(id.clone(), Status::Revoked)).await?;
        observe::count_by(observe::REVOCATIONS, "what", "credential");
        self.state.audit.append(self.state.clock.wall(), Event::CredentialRevoked(id.clone()));
        Ok(())
    }

    /// Withdraws a client for good, with all its credentials and tokens.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id.
    pub async fn revoke_client(&self, id: &ClientId) -> Result<(), Error> {
        self.set_client_status(id, Status::Revoked).await?;
        observe::count_by(observe::REVOCATIONS, "what", "client");
        self.state.audit.append(self.state.clock.wall(), Event::ClientRevoked(id.clone()));
        Ok(())
    }

    /// Switches a client off or on.
    ///
    /// # Errors
    /// `Unknown` when there is none of that id; `Conflict` when it is revoked.
    pub async fn set_client_status(&self, id: &ClientId, status: Status) -> Result<(), Error> {
        self.state.store.change(Change::SetClientStatus(id.clone(), status)).await?;
        Ok(())
    }

    /// Withdraws a token by its `jti`, until it would have expired.
    ///
    /// A token that the audit does not remember is withdrawn for 24 h, the longest life there is.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot remember it; the token is active then.
    pub async fn revoke_token(&self, jti: &str) -> Result<(), Error> {
        let now = self.state.clock.wall();
        let expires_at = match self.state.audit.issued(jti).map(|record| record.event) {
            Some(Event::Issued { expires_at, .. }) => expires_at,
            _ => longest_life(now),
        };
        let token = TokenRef { jti: jti.to_owned(), expires_at };
        self.state.store.revoke(&token, now).await?;
        observe::count_by(observe::REVOCATIONS, "what", "token");
        self.state.audit.append(now, Event::TokenRevoked { jti: jti.to_owned(), by: None });
        Ok(())
    }

    /// Everything registered, as of now.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot vouch for it.
    pub fn registry(&self) -> Result<Arc<Registry>, Error> {
        Ok(self.state.store.registry()?)
    }

    /// The tokens issued that have not expired, as far as the audit remembers, newest last.
    #[must_use]
    pub fn live_tokens(&self) -> Vec<Record> {
        let now = self.state.clock.wall();
        let live =
            |record: &Record| matches!(&record.event, Event::Issued { expires_at, .. } if *expires_at > now);
        self.state.audit.records().into_iter().filter(live).collect()
    }

    /// The audit records held, oldest first.
    #[must_use]
    pub fn audit(&self) -> Vec<Record> {
        self.state.audit.records()
    }
}

fn longest_life(now: UnixTime) -> UnixTime {
    now.saturating_add(MAX_LIFETIME).saturating_add(Duration::from_secs(60))
}
