//! What administrative acts do to trusted issuers, and to the index of the credentials that map to them. Pure.
//!
//! Enforces: names are taken once, `iss` and trust domain too; discovery is for issuers that are URLs; nobody is left
//! with a mapping to nothing.

use std::sync::Arc;

use m2m_proto::uri::Issuer;

use super::{Applied, AsName, Conflict, Entity, IfVersion, check_version, unknown};
use crate::federation::MAX_CONDITIONS;
use crate::registry::issuer::{IssuerKeys, LONGEST_MAX_LIFETIME, MAX_AUDIENCES, MAX_ISSUERS, Named, is_name};
use crate::registry::{Credential, Federated, IssuerId, Material, Status, TrustedIssuer};

impl AsName for IssuerId {
    fn as_name(&self) -> &str {
        self.as_str()
    }
}

fn wrong(issuer: &TrustedIssuer, why: &'static str) -> Conflict {
    Conflict::Issuer { name: issuer.id.as_str().to_owned(), why }
}

/// What can be judged without its neighbours.
fn check(issuer: &TrustedIssuer) -> Result<(), Conflict> {
    let lifetime = issuer.max_lifetime;
    if lifetime.as_secs() == 0 || lifetime > LONGEST_MAX_LIFETIME {
        return Err(Conflict::Lifetime(issuer.id.as_str().to_owned()));
    }
    if issuer.audiences.len() > MAX_AUDIENCES || !issuer.audiences.iter().all(|one| is_name(one)) {
        return Err(wrong(issuer, "an audience has 1 to 512 printable characters, and there are at most 16"));
    }
    if issuer.conditions.len() > MAX_CONDITIONS {
        return Err(wrong(issuer, "there are at most 16 conditions"));
    }
    if issuer.status == Status::Revoked {
        return Err(wrong(issuer, "an issuer is active or disabled"));
    }
    match (&issuer.named, &issuer.keys) {
        (Named::TrustDomain(_), IssuerKeys::Discovery(_)) => {
            Err(wrong(issuer, "the keys of a trust domain are not discovered: name its bundle"))
        }
        (Named::Issuer(text), IssuerKeys::Discovery(_)) if Issuer::parse(text).is_err() => {
            Err(wrong(issuer, "only an issuer that is an https URL is discovered: name where its keys are"))
        }
        _ => Ok(()),
    }
}

impl Applied {
    pub(super) fn create_issuer(&mut self, issuer: TrustedIssuer) -> Result<(), Conflict> {
        if self.registry.issuers.contains_key(&issuer.id) {
            return Err(Conflict::Exists(issuer.id.as_str().to_owned()));
        }
        if self.registry.issuers.len() >= MAX_ISSUERS {
            return Err(wrong(&issuer, "there are 256 trusted issuers already"));
        }
        self.check_issuer(&issuer)?;
        self.put_issuer(TrustedIssuer { version: 1, ..issuer });
        Ok(())
    }

    /// One name, one registration: two would be two answers to whether a token is good.
    fn check_issuer(&self, issuer: &TrustedIssuer) -> Result<(), Conflict> {
        check(issuer)?;
        let same = |other: &&Arc<TrustedIssuer>| other.named == issuer.named && other.id != issuer.id;
        match self.registry.issuers().find(same) {
            Some(other) => Err(Conflict::Exists(format!("{} (as {})", issuer.named.as_str(), other.id))),
            None => Ok(()),
        }
    }

    pub(super) fn update_issuer(
        &mut self,
        issuer: TrustedIssuer,
        expected: IfVersion,
    ) -> Result<(), Conflict> {
        let known = self.registry.issuer(issuer.id.as_str()).ok_or_else(|| unknown(&issuer.id))?;
        check_version(issuer.id.as_str(), known.version, expected)?;
        // Mappings were made with this name in mind.
        if known.named != issuer.named {
            return Err(wrong(&issuer, "what it calls itself cannot be changed: register another one"));
        }
        let (version, created_at, status) = (known.version + 1, known.created_at, known.status);
        self.check_issuer(&issuer)?;
        self.put_issuer(TrustedIssuer { version, created_at, status, ..issuer });
        Ok(())
    }

    pub(super) fn set_issuer_status(&mut self, id: &IssuerId, status: Status) -> Result<(), Conflict> {
        let known = self.registry.issuer(id.as_str()).ok_or_else(|| unknown(id))?;
        let next = TrustedIssuer { status, version: known.version + 1, ..TrustedIssuer::clone(known) };
        check(&next)?;
        self.put_issuer(next);
        Ok(())
    }

    pub(super) fn delete_issuer(&mut self, id: &IssuerId, expected: IfVersion) -> Result<(), Conflict> {
        let known = self.registry.issuer(id.as_str()).ok_or_else(|| unknown(id))?;
        check_version(id.as_str(), known.version, expected)?;
        let mapped = self.registry.mapped_to(id).find(|found| found.1.status != Status::Revoked);
        if let Some((registration, credential)) = mapped {
            return Err(Conflict::Mapped {
                issuer: id.as_str().to_owned(),
                credential: credential.id.clone(),
                client: registration.client().id.as_str().to_owned(),
            });
        }
        self.registry.issuers.remove(id);
        self.touch(Entity::Issuer(id.clone()));
        Ok(())
    }

    fn put_issuer(&mut self, issuer: TrustedIssuer) {
        self.touch(Entity::Issuer(issuer.id.clone()));
        self.registry.issuers.insert(issuer.id.clone(), Arc::new(issuer));
    }

    /// A mapping is to an issuer that is there, and can be fulfilled.
    pub(super) fn check_mapping(&self, credential: &Credential) -> Result<(), Conflict> {
        let Material::Federated(mapping) = &credential.material else { return Ok(()) };
        let issuer = self.registry.issuer(mapping.issuer.as_str()).ok_or_else(|| Conflict::Issuer {
            name: mapping.issuer.as_str().to_owned(),
            why: "no trusted issuer has this id: register it first",
        })?;
        if mapping.conditions.len() > MAX_CONDITIONS {
            return Err(wrong(issuer, "a mapping has at most 16 conditions"));
        }
        match &issuer.named {
            Named::TrustDomain(domain) if is_outside(mapping, domain) => {
                Err(wrong(issuer, "the external subject is of another trust domain"))
            }
            _ => Ok(()),
        }
    }
}

fn is_outside(mapping: &Federated, domain: &m2m_proto::spiffe::TrustDomain) -> bool {
    mapping.subject.is_outside(domain)
}
