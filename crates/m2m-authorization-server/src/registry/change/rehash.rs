//! The end of a slow hash: [`Change::RehashCredential`](super::Change::RehashCredential).
//!
//! Enforces: only a slow hash is replaced, once; a secret of this server and a keyed hash stay what they are.
//! Does not enforce: that the keyed hash is of the same secret; whoever checked the slow one knows.

use super::{Applied, Conflict, unknown};
use crate::registry::{CredentialId, ImportedHash, Material};

impl Applied {
    pub(super) fn rehash_credential(&mut self, id: &CredentialId, keyed: [u8; 32]) -> Result<(), Conflict> {
        let credential = self.registry.credential(id).ok_or_else(|| unknown(id))?;
        if !matches!(credential.material, Material::ImportedSecret { hash: ImportedHash::Slow(_), .. }) {
            return Ok(());
        }
        self.change_credential(id, |credential| {
            if let Material::ImportedSecret { hash, .. } = &mut credential.material {
                *hash = ImportedHash::Keyed(keyed);
            }
            Ok(())
        })
    }
}
