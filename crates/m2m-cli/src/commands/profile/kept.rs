//! Where secrets go that were typed, pasted or imported: a file of mode 0600 below `secrets/` of the user's
//! configuration directory, or the system's keyring.
//!
//! Enforces: only what we put there is removed or replaced by us; the name of a profile is the name of its secret.

use std::path::{Path, PathBuf};

use m2m_proto::secret::SecretString;

use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::keyring;
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
pub(super) struct Keep<'a> {
    pub(super) name: &'a str,
    pub(super) place: Place,
    /// What the profile referred to so far; a place of ours is used again.
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
        around: &Surroundings,
    ) -> Result<SecretReference, Failure> {
        match self.place {
            Place::Keyring => {
                let entry = entry(self.name);
                keyring::store(&entry, secret, &around.environment, around.clock.as_ref()).await?;
                around.output.note(&format!("the secret is in the keyring, entry {entry}"));
                Ok(SecretReference::Keyring(entry))
            }
            Place::File => {
                let path = self.path(around)?;
                let failed = |error: std::io::Error| {
                    Failure::configuration(format!("cannot write {}: {error}", path.display()))
                };
                m2m_io::file::atomic_write(&path, secret.expose().as_bytes(), around.random.as_ref())
                    .map_err(failed)?;
                around.output.note(&format!("the secret is in {} (mode 0600)", path.display()));
                Ok(SecretReference::File(path))
            }
        }
    }

    fn path(&self, around: &Surroundings) -> Result<PathBuf, Failure> {
        let directory = directory(around).ok_or_else(no_home)?;
        m2m_io::file::create_private_dir(&directory)
            .map_err(|error| Failure::configuration(format!("{}: {error}", directory.display())))?;
        if let Some(SecretReference::File(path)) = self.before
            && is_ours(path, around)
        {
            return Ok(path.clone());
        }
        // Profiles of one name in two files have two secrets.
        let names =
            (1u32..).map(|n| if n == 1 { self.name.to_owned() } else { format!("{}-{n}", self.name) });
        let mut paths = names.map(|name| directory.join(name));
        let free = paths.find(|path| path.symlink_metadata().is_err());
        free.ok_or_else(|| Failure::internal("no name is free"))
    }
}

/// The keyring entry that we make for a profile; entries of other names are other people's.
pub(super) fn entry(name: &str) -> String {
    format!("profile-{name}")
}

fn directory(around: &Surroundings) -> Option<PathBuf> {
    Some(around.environment.configuration_directory()?.join("secrets"))
}

/// Whether a file is one that we made.
pub(super) fn is_ours(path: &Path, around: &Surroundings) -> bool {
    directory(around).is_some_and(|directory| path.parent() == Some(directory.as_path()))
}
