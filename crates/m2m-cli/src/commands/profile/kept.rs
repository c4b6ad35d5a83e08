//! Where secrets go that were typed, pasted or imported: a file of mode 0600 below `secrets/` of the user's
//! configuration directory, or the system's keyring.
//!
//! Enforces: only what we put there for this very profile is removed or replaced by us ([`Owners`]). A secret is called
//! after its profile; where the profile is in another file than the user's own, and in the keyring, after its file too.

use std::path::PathBuf;

use m2m_proto::secret::SecretString;

use super::owners::{self, Owner, Owners};
use super::written::Turn;
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::keyring;
use crate::settings::search::{FILE_NAME, Located, Start};
use crate::settings::secret::SecretReference;
use crate::settings::trust::no_home;

/// A place for secrets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A file of mode 0600.
    File,
    /// The system's keyring.
    Keyring,
}

/// A secret on its way to its place. `name` is the profile's, with an ending for all but the client secret.
#[derive(Clone, Copy)]
pub(super) struct Keep<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    /// Whose it is.
    pub(super) owner: &'a Owner,
    /// What the profile referred to so far; a place of its own is used again.
    pub(super) before: Option<&'a SecretReference>,
}

impl Keep<'_> {
    /// Puts the secret there and says where.
    ///
    /// # Errors
    /// Exit 3: the directory cannot be used. Exit 4: the keyring refuses.
    pub(super) async fn put(
        &self,
        secret: &SecretString,
        turn: &Turn,
        around: &Surroundings,
    ) -> Result<SecretReference, Failure> {
        let reference = self.reference(around)?;
        Owners::add(&reference, self.owner, turn, around)?;
        match &reference {
            SecretReference::Keyring(entry) => {
                keyring::store(entry, secret, &around.environment, around.clock.as_ref()).await?;
                around.output.note(&format!("the secret is in the keyring, entry {entry}"));
            }
            SecretReference::File(path) => {
                let failed = |error: std::io::Error| {
                    Failure::configuration(format!("cannot write {}: {error}", path.display()))
                };
                m2m_io::file::atomic_write(path, secret.expose().as_bytes(), around.random.as_ref())
                    .map_err(failed)?;
                around.output.note(&format!("the secret is in {} (mode 0600)", path.display()));
            }
            other => return Err(Failure::internal(format!("{other} keeps nothing"))),
        }
        Ok(reference)
    }

    /// The place that is this profile's already, else the first that is nobody's.
    fn reference(&self, around: &Surroundings) -> Result<SecretReference, Failure> {
        let owners = Owners::load(around)?;
        let directory = match self.place {
            Place::Keyring => None,
            Place::File => Some(made_directory(around)?),
        };
        let is_own = |reference: &SecretReference| owners.owner(reference) == Some(self.owner);
        let before = self.before.filter(|before| match before {
            SecretReference::Keyring(_) => self.place == Place::Keyring && is_own(before),
            // A path as we write it: one with `..` or a link in it leads elsewhere.
            SecretReference::File(path) => path.parent() == directory.as_deref() && is_own(before),
            _ => false,
        });
        if let Some(before) = before {
            return Ok(before.clone());
        }
        let name = self.marked_name(around);
        let names = (1u32..).map(|n| if n == 1 { name.clone() } else { format!("{name}-{n}") });
        let mut places = names.map(|name| match &directory {
            Some(directory) => SecretReference::File(directory.join(name)),
            None => SecretReference::Keyring(format!("profile-{name}")),
        });
        let is_free = |reference: &SecretReference| {
            let is_there =
                matches!(reference, SecretReference::File(path) if path.symlink_metadata().is_ok());
            !is_there && owners.owner(reference).is_none_or(|owner| owner == self.owner)
        };
        places.find(is_free).ok_or_else(|| Failure::internal("no name is free"))
    }

    fn marked_name(&self, around: &Surroundings) -> String {
        let is_users = own_file(around).is_some_and(|own| owners::real(&own) == self.owner.file());
        match (self.place, is_users) {
            (Place::File, true) => self.name.to_owned(),
            _ => format!("{}-{}", self.name, self.owner.mark()),
        }
    }
}

fn own_file(around: &Surroundings) -> Option<PathBuf> {
    Some(around.environment.configuration_directory()?.join(FILE_NAME))
}

fn made_directory(around: &Surroundings) -> Result<PathBuf, Failure> {
    let directory = around.environment.configuration_directory().ok_or_else(no_home)?.join("secrets");
    m2m_io::file::create_private_dir(&directory)
        .map_err(|error| Failure::configuration(format!("{}: {error}", directory.display())))?;
    Ok(directory)
}

/// Whether we put the secret there for this profile.
///
/// # Errors
/// Exit 3: the list of owners is broken.
pub(super) fn is_of(
    owner: &Owner,
    reference: &SecretReference,
    around: &Surroundings,
) -> Result<bool, Failure> {
    Ok(Owners::load(around)?.owner(reference) == Some(owner))
}

/// The user's own file, unless it is among these: its profiles use secrets too when `--config` names another file.
///
/// # Errors
/// Exit 3: it is broken.
pub(super) fn unseen(seen: &[Located], around: &Surroundings) -> Result<Option<Located>, Failure> {
    let Some(own) = own_file(around).filter(|own| own.is_file()) else { return Ok(None) };
    let real = owners::real(&own);
    if seen.iter().any(|file| owners::real(&around.directory.join(&file.document.path)) == real) {
        return Ok(None);
    }
    let start = Start { config: Some(&own), directory: &around.directory, environment: &around.environment };
    Ok(crate::settings::search::find(start)?.located.pop())
}

/// Takes a secret away that we put there for this profile. Whether it was ours to take.
///
/// # Errors
/// Exit 3: the file stays. Exit 4: the keyring refuses.
pub(super) async fn remove(
    reference: &SecretReference,
    owner: &Owner,
    turn: &Turn,
    around: &Surroundings,
) -> Result<bool, Failure> {
    if !is_of(owner, reference, around)? {
        return Ok(false);
    }
    match reference {
        SecretReference::File(path) => m2m_io::file::remove(path)
            .map_err(|error| Failure::configuration(format!("cannot remove {}: {error}", path.display())))?,
        SecretReference::Keyring(entry) => {
            keyring::remove(entry, &around.environment, around.clock.as_ref()).await?;
        }
        _ => return Ok(false),
    }
    Owners::remove(reference, turn, around)?;
    Ok(true)
}

#[cfg(test)]
mod tests;
