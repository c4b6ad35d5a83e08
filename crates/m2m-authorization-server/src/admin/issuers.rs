//! Trusted issuers: registering, switching off, removing, and explaining what becomes of a token.

use std::path::Path;
use std::sync::Arc;

use m2m_proto::client_id::ClientId;
use m2m_proto::workload_token::UnverifiedWorkloadToken;

use super::{Admin, gone};
use crate::audit::{Event, Record};
use crate::error::{Error, ErrorKind};
use crate::federation::explain::{self, Facts, Signature};
use crate::federation::{Explanation, FederationError, Way};
use crate::registry::{Change, FetchFiles, IfVersion, IssuerId, IssuerKeys, Registry, Status, TrustedIssuer};

impl Admin {
    /// Trusts an issuer.
    ///
    /// # Errors
    /// `Conflict` when the id, the issuer or the trust domain is registered; `Invalid` for what cannot be: this
    /// server itself, a file outside of the directories that its settings name, keys that it cannot fetch.
    pub async fn create_issuer(&self, issuer: TrustedIssuer) -> Result<Arc<TrustedIssuer>, Error> {
        self.check_issuer(&issuer)?;
        let issuer = TrustedIssuer { created_at: self.now(), ..issuer };
        let (id, record) = (issuer.id.clone(), self.about_issuer(Event::IssuerCreated, &issuer.id));
        issuer_of(&*self.change(Change::CreateIssuer(issuer), record).await?, &id)
    }

    /// Replaces what is registered of an issuer, but for its names, status and date of creation.
    ///
    /// # Errors
    /// As [`Admin::create_issuer`]; `Unknown` and `Outdated`.
    pub async fn update_issuer(
        &self,
        issuer: TrustedIssuer,
        version: IfVersion,
    ) -> Result<Arc<TrustedIssuer>, Error> {
        self.check_issuer(&issuer)?;
        let (id, record) = (issuer.id.clone(), self.about_issuer(Event::IssuerUpdated, &issuer.id));
        issuer_of(&*self.change(Change::UpdateIssuer(issuer, version), record).await?, &id)
    }

    /// Switches an issuer off or on. While it is off its tokens are refused, and what was issued for them is
    /// inactive.
    ///
    /// # Errors
    /// `Unknown`; `Conflict` for a status that issuers do not have.
    pub async fn set_issuer_status(
        &self,
        id: &IssuerId,
        status: Status,
    ) -> Result<Arc<TrustedIssuer>, Error> {
        let event = if status == Status::Active { Event::IssuerEnabled } else { Event::IssuerDisabled };
        let change = Change::SetIssuerStatus(id.clone(), status);
        issuer_of(&*self.change(change, self.about_issuer(event, id)).await?, id)
    }

    /// Removes an issuer that no credential in use maps to.
    ///
    /// # Errors
    /// `Unknown`, `Outdated`, and `Conflict` while a credential maps to it.
    pub async fn delete_issuer(&self, id: &IssuerId, version: IfVersion) -> Result<(), Error> {
        let record = self.about_issuer(Event::IssuerDeleted, id);
        self.change(Change::DeleteIssuer(id.clone(), version), record).await.map(drop)
    }

    /// What would become of an external token, and why. Nothing is consumed or issued; the keys of the issuer are
    /// fetched where they must be. `client` narrows down whom it may stand for.
    ///
    /// # Errors
    /// `Unavailable` when the store cannot vouch for what is registered.
    pub async fn explain(&self, token: &str, client: Option<&ClientId>) -> Result<Explanation, Error> {
        let token = match UnverifiedWorkloadToken::parse(token.trim()) {
            Ok(token) => token,
            Err(error) => return Ok(explain::of_no_token(&error)),
        };
        let (registry, federation) = (self.registry()?, &self.state.authenticator.federation);
        let way = |way| federation.issuer_of(&token, way, &registry);
        let Some(issuer) = way(Way::Assertion).or_else(|| way(Way::Svid)) else {
            return Ok(explain::of_stranger(&token));
        };
        let signature = match federation.keys.find(issuer, &registry, &token).await {
            Ok(keys) => match token.check_signature(keys.iter().map(AsRef::as_ref)) {
                Ok(()) => Signature::Right,
                Err(error) => Signature::Wrong(error.to_string()),
            },
            Err(FederationError::KeysUnreachable { why, .. }) => Signature::Unknown(why),
            Err(error) => Signature::Unknown(error.to_string()),
        };
        let (audience, now) = (federation.audience(issuer), self.now());
        let expect = federation.expect(issuer, &audience, now);
        let facts = Facts { token: &token, issuer, expect, signature, registry: &registry, client, now };
        Ok(explain::of_token(&facts))
    }

    fn about_issuer(&self, event: Event, id: &IssuerId) -> Record {
        Record { subject: Some(id.as_str().to_owned()), ..self.record(event) }
    }

    /// What the registry cannot know: who this server is, and what it can reach.
    fn check_issuer(&self, issuer: &TrustedIssuer) -> Result<(), Error> {
        let invalid = |text: String| Error::new(ErrorKind::Invalid, text);
        if issuer.named.as_str() == self.state.issuer.as_str() {
            return Err(invalid("this server cannot be an issuer that it trusts".to_owned()));
        }
        match &issuer.keys {
            IssuerKeys::Url(_, files) | IssuerKeys::Discovery(files) => self.check_fetch(files),
            IssuerKeys::File(path) => self.check_file("jwks_file", path),
            IssuerKeys::Set(set) if set.keys().is_empty() => {
                Err(invalid("the key set has no key that can be used".to_owned()))
            }
            IssuerKeys::Set(_) => Ok(()),
        }
    }

    fn check_fetch(&self, files: &FetchFiles) -> Result<(), Error> {
        let source = self.state.authenticator.federation.keys.source();
        if source.http.is_none() || files.ca_file.is_some() && source.trusting.is_none() {
            return Err(Error::misconfigured("this server has no HTTP client to fetch the keys with"));
        }
        for (what, path) in [("ca_file", &files.ca_file), ("bearer_file", &files.bearer_file)] {
            path.as_ref().map_or(Ok(()), |path| self.check_file(what, path))?;
        }
        Ok(())
    }

    /// Whoever may write through the admin API must not read this machine through it: a bearer file of his choice,
    /// sent to a URL of his choice, would be just that.
    fn check_file(&self, what: &str, path: &Path) -> Result<(), Error> {
        if self.state.authenticator.federation.keys.source().allows(path) {
            return Ok(());
        }
        let text = format!(
            "{what}: {} is in none of the directories that this server may read for issuers: \
             name its directory in issuer_files of the server's settings",
            path.display()
        );
        Err(Error::new(ErrorKind::Invalid, text))
    }
}

fn issuer_of(registry: &Registry, id: &IssuerId) -> Result<Arc<TrustedIssuer>, Error> {
    registry.issuer(id.as_str()).cloned().ok_or_else(|| gone(id.as_str()))
}
