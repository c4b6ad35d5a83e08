//! What administrative acts do to credentials. Pure.
//!
//! Enforces: an order under an idempotency key makes one credential; a client that was revoked gets none; what was revoked
//! stays so; a credential has one successor that is in use; each gets a place of its own in the status lists, for good.
//! Limits: [`MAX_CREDENTIALS`] a client, where one that has ended makes room.

use std::sync::Arc;

use m2m_proto::client_id::ClientId;
use m2m_proto::time::UnixTime;

use super::{Applied, Conflict, Entity, changed, unknown};
use crate::registry::{Credential, CredentialId, MAX_CREDENTIALS, Status};

impl Applied {
    pub(super) fn create_credential(&mut self, credential: Credential) -> Result<(), Conflict> {
        let registration = self.registration(&credential.client_id)?;
        // One copy of the name for all that carry it.
        let (id, client_id) = (credential.id.clone(), registration.client.id.clone());
        if registration.client.status == Status::Revoked {
            return Err(Conflict::RevokedForGood(client_id.as_str().to_owned()));
        }
        if self.registry.credentials.get(&id).is_some() {
            return Err(Conflict::Exists(id.as_str().to_owned()));
        }
        let same =
            |own: &&Arc<Credential>| own.idempotency.is_some() && own.idempotency == credential.idempotency;
        if let Some(known) = registration.credentials.iter().find(same) {
            return Err(Conflict::Repeated(known.id.clone()));
        }
        self.check_mapping(&credential)?;
        if registration.credentials.len() >= MAX_CREDENTIALS {
            self.forget_ended_credential(&client_id, credential.created_at)?;
        }
        let status_index = self.registry.status_indexes;
        self.registry.status_indexes += 1;
        self.touch(Entity::StatusIndexes);
        self.touch(Entity::Credential(id.clone()));
        let credential = Credential { status_index, version: 1, client_id: client_id.clone(), ..credential };
        self.registry.map(&credential);
        let registration = self.registry.registration_mut(&client_id).ok_or_else(|| unknown(&client_id))?;
        registration.credentials.reserve_exact(1); // one or two, for nearly every client
        registration.credentials.push(Arc::new(credential));
        self.registry.credentials.insert(id, client_id);
        Ok(())
    }

    /// Makes room: a credential that is revoked or expired has no active token, so nothing is lost
    /// with it but its line in the list.
    fn forget_ended_credential(&mut self, client_id: &ClientId, now: UnixTime) -> Result<(), Conflict> {
        let full = || Conflict::TooManyCredentials(client_id.as_str().to_owned());
        let registration = self.registry.registration_mut(client_id).ok_or_else(|| unknown(client_id))?;
        let ended = |credential: &Arc<Credential>| {
            credential.status == Status::Revoked || credential.expires_at.is_some_and(|end| end <= now)
        };
        let place = registration.credentials.iter().position(ended).ok_or_else(full)?;
        let gone = registration.credentials.remove(place);
        self.registry.unmap(&gone);
        self.registry.credentials.remove(&gone.id);
        self.touch(Entity::Credential(gone.id.clone()));
        Ok(())
    }

    pub(super) fn rotate_credential(
        &mut self,
        credential: Credential,
        old: &CredentialId,
        end: UnixTime,
    ) -> Result<(), Conflict> {
        let before = self.registry.credential(old).ok_or_else(|| unknown(old))?;
        if before.status == Status::Revoked {
            return Err(Conflict::RevokedForGood(old.as_str().to_owned()));
        }
        let in_use = |id: &CredentialId| {
            self.registry.credential(id).is_some_and(|next| next.status != Status::Revoked)
        };
        if let Some(next) = before.replaced_by.as_ref().filter(|next| in_use(next)) {
            return Err(Conflict::Rotated(old.as_str().to_owned(), next.as_str().to_owned()));
        }
        let (new, client_id) = (credential.id.clone(), credential.client_id.clone());
        if client_id != before.client_id {
            return Err(unknown(old));
        }
        self.create_credential(Credential { replaces: Some(old.clone()), ..credential })?;
        self.change_credential(old, |before| {
            before.replaced_by = Some(new);
            before.expires_at = Some(before.expires_at.map_or(end, |own| own.min(end)));
            Ok(())
        })
    }

    pub(super) fn set_credential_status(
        &mut self,
        id: &CredentialId,
        status: Status,
    ) -> Result<(), Conflict> {
        self.change_credential(id, |credential| {
            credential.status = changed(credential.status, status, id.as_str())?;
            Ok(())
        })
    }

    pub(super) fn change_credential(
        &mut self,
        id: &CredentialId,
        change: impl FnOnce(&mut Credential) -> Result<(), Conflict>,
    ) -> Result<(), Conflict> {
        let client_id = self.registry.credentials.get(id).cloned().ok_or_else(|| unknown(id))?;
        let registration = self.registry.registration_mut(&client_id).ok_or_else(|| unknown(id))?;
        let own = registration.credentials.iter_mut().find(|own| own.id == *id).ok_or_else(|| unknown(id))?;
        let credential = Arc::make_mut(own);
        change(credential)?;
        credential.version += 1;
        self.touch(Entity::Credential(id.clone()));
        Ok(())
    }
}
