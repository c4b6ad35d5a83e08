//! Whose secret is whose: for each secret that we put somewhere, the file and the profile that it was put there for.
//! In `owners.toml` of the user's configuration directory, mode 0600; it names places and holds no secret.
//!
//! Enforces: a secret is replaced or removed only by the profile that it belongs to. A reference alone proves nothing:
//! a file from a cloned repository may name any file below `secrets/`, and any entry of the keyring.
//!
//! Does not enforce: that no other profile refers to the secret; who removes one asks that too.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use m2m_proto::jose::crypto::sha256;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use super::written::Turn;
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::file::MAX_BYTES;
use crate::settings::keyring::hexadecimal;
use crate::settings::secret::SecretReference;
use crate::settings::trust::no_home;

const FILE_NAME: &str = "owners.toml";
const HEAD: &str = "# Which profile each kept secret belongs to. Written by m2m; a secret that is not listed is left alone.\n\n";

/// A profile, by the file that it is in and its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Owner {
    file: PathBuf,
    profile: String,
}

impl Owner {
    /// The profile of this name in this file, however its path is written.
    pub(super) fn of(file: &Path, profile: &str) -> Self {
        Self { file: real(file), profile: profile.to_owned() }
    }

    /// The file, links followed.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// 48 bits that tell files with profiles of one name apart, in hexadecimal.
    pub(super) fn mark(&self) -> String {
        hexadecimal(&sha256(self.file.as_os_str().as_encoded_bytes())).chars().take(12).collect()
    }
}

/// What a path leads to; of a file that is not there yet, its place in the directory that it leads to.
pub(super) fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| match (path.parent().map(Path::canonicalize), path.file_name()) {
        (Some(Ok(parent)), Some(name)) => parent.join(name),
        _ => path.to_owned(),
    })
}

/// Kind and name of a place, as they stand in a profile.
type Place = (String, String);

/// Every secret that we keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Owners(BTreeMap<Place, Owner>);

impl Owners {
    /// Reads the list; it is empty when there is none.
    ///
    /// # Errors
    /// Exit 3: it cannot be read, or is not what we wrote.
    pub(super) fn load(around: &Surroundings) -> Result<Self, Failure> {
        let Some(home) = around.environment.configuration_directory() else { return Ok(Self::default()) };
        let path = home.join(FILE_NAME);
        let failed = |why: String| {
            Failure::configuration(format!("{}: {why}", path.display())).hint(
                "remove that file; the secrets that it lists stay where they are, and are yours to remove",
            )
        };
        let bytes = match m2m_io::file::read_file(&path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| failed(error.to_string()))?,
        };
        let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8 text".to_owned()))?;
        let document: DocumentMut = text.parse().map_err(|_| failed("not TOML".to_owned()))?;
        let mut owners = BTreeMap::new();
        for table in document.get("secret").and_then(Item::as_array_of_tables).into_iter().flatten() {
            let text = |key| table.get(key).and_then(Item::as_str).map(str::to_owned);
            let entry = (text("kind"), text("name"), text("file"), text("profile"));
            let (Some(kind), Some(name), Some(file), Some(profile)) = entry else {
                return Err(failed("an entry without kind, name, file or profile".to_owned()));
            };
            owners.insert((kind, name), Owner { file: file.into(), profile });
        }
        Ok(Self(owners))
    }

    /// Whose secret it is; `None` when it is none of ours.
    pub(super) fn owner(&self, reference: &SecretReference) -> Option<&Owner> {
        self.0.get(&place(reference)?)
    }

    /// Writes down whose a secret is, before it is put there: a secret without an owner could never be removed.
    ///
    /// # Errors
    /// Exit 3: the list cannot be written, or a path is not UTF-8.
    pub(super) fn add(
        reference: &SecretReference,
        owner: &Owner,
        turn: &Turn,
        around: &Surroundings,
    ) -> Result<(), Failure> {
        let mut owners = Self::load(around)?;
        let place = place(reference)
            .ok_or_else(|| Failure::configuration(format!("{reference}: its path is not UTF-8")))?;
        if owners.0.insert(place, owner.clone()).as_ref() == Some(owner) {
            return Ok(());
        }
        owners.save(turn, around)
    }

    /// Forgets a secret that is gone.
    ///
    /// # Errors
    /// Exit 3: the list cannot be read or written.
    pub(super) fn remove(
        reference: &SecretReference,
        turn: &Turn,
        around: &Surroundings,
    ) -> Result<(), Failure> {
        let mut owners = Self::load(around)?;
        match place(reference).and_then(|place| owners.0.remove(&place)) {
            Some(_) => owners.save(turn, around),
            None => Ok(()),
        }
    }

    fn save(&self, _turn: &Turn, around: &Surroundings) -> Result<(), Failure> {
        let home = around.environment.configuration_directory().ok_or_else(no_home)?;
        let path = home.join(FILE_NAME);
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("cannot write {}: {error}", path.display()))
        };
        let mut tables = ArrayOfTables::new();
        for ((kind, name), owner) in &self.0 {
            let file = owner.file.to_str().ok_or_else(|| {
                let file = owner.file.display();
                Failure::configuration(format!("{file}: a path that is not UTF-8 can own no secret"))
            })?;
            let mut table = Table::new();
            for (key, text) in
                [("kind", kind.as_str()), ("name", name), ("file", file), ("profile", &owner.profile)]
            {
                table.insert(key, toml_edit::value(text));
            }
            tables.push(table);
        }
        let mut document = DocumentMut::new();
        document.insert("secret", Item::ArrayOfTables(tables));
        m2m_io::file::create_private_dir(&home).map_err(failed)?;
        let text = format!("{HEAD}{document}");
        m2m_io::file::atomic_write(&path, text.as_bytes(), around.random.as_ref()).map_err(failed)
    }
}

/// The place that a reference names, if it is one that we put secrets into.
fn place(reference: &SecretReference) -> Option<Place> {
    match reference {
        SecretReference::File(path) => Some(("file".to_owned(), path.to_str()?.to_owned())),
        SecretReference::Keyring(entry) => Some(("keyring".to_owned(), entry.clone())),
        _ => None,
    }
}
