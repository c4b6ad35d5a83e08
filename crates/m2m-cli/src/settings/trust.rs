//! Found files that may run programs: path and SHA-256 of each, in `trusted.toml` of the user's configuration
//! directory (mode 0600), written by `m2m profile trust`.
//!
//! Enforces: trust is for one path and one content; a file that changed is not trusted any more; a link is trusted as
//! what it leads to.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use m2m_io::Random;
use m2m_proto::jose::crypto::sha256;
use toml_edit::{ArrayOfTables, DocumentMut, Item, Table};

use super::env::Environment;
use super::file::MAX_BYTES;
use super::keyring::hexadecimal;
use crate::exit::Failure;

const FILE_NAME: &str = "trusted.toml";
const HEAD: &str = "# Files whose commands may run. Written by `m2m profile trust`; one that changed since is not trusted.\n\n";

/// How far a file's word goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// Named by `--config`, or in the user's own configuration directory.
    Named,
    /// Found by searching upwards, and trusted with this very content.
    Trusted,
    /// Found, and trusted with another content.
    Changed,
    /// Found by searching upwards.
    Found,
}

impl Trust {
    /// Whether its commands may run.
    pub fn runs_commands(self) -> bool {
        matches!(self, Self::Named | Self::Trusted)
    }

    /// The word for it in listings.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Trusted => "trusted",
            Self::Changed => "changed",
            Self::Found => "found",
        }
    }
}

/// The trusted files.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrustedFiles {
    home: Option<PathBuf>,
    digests: BTreeMap<PathBuf, String>,
}

impl TrustedFiles {
    /// Reads the list; it is empty when there is none.
    ///
    /// # Errors
    /// Exit 3: it cannot be read, or is not what we wrote.
    pub fn load(environment: &Environment) -> Result<Self, Failure> {
        let Some(home) = environment.configuration_directory() else { return Ok(Self::default()) };
        let path = home.join(FILE_NAME);
        let failed = |why: String| {
            Failure::configuration(format!("{}: {why}", path.display()))
                .hint("remove that file and trust again what you trust: m2m profile trust FILE")
        };
        let bytes = match m2m_io::file::read_file(&path, MAX_BYTES) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            read => read.map_err(|error| failed(error.to_string()))?,
        };
        let text = String::from_utf8(bytes).map_err(|_| failed("not UTF-8 text".to_owned()))?;
        let document: DocumentMut = text.parse().map_err(|_| failed("not TOML".to_owned()))?;
        let mut digests = BTreeMap::new();
        for table in document.get("trusted").and_then(Item::as_array_of_tables).into_iter().flatten() {
            let text = |key| table.get(key).and_then(Item::as_str);
            let (Some(path), Some(digest)) = (text("path"), text("sha256")) else {
                return Err(failed("an entry without path or sha256".to_owned()));
            };
            digests.insert(PathBuf::from(path), digest.to_owned());
        }
        Ok(Self { home: Some(home), digests })
    }

    /// How far a found file with this content is trusted.
    pub fn standing(&self, path: &Path, content: &[u8]) -> Trust {
        match self.digests.get(&real(path)) {
            Some(digest) if *digest == digest_of(content) => Trust::Trusted,
            Some(_) => Trust::Changed,
            None => Trust::Found,
        }
    }

    /// Trusts the file with this content.
    pub fn add(&mut self, path: &Path, content: &[u8]) {
        self.digests.insert(real(path), digest_of(content));
    }

    /// Trusts the file no more; whether it was on the list.
    pub fn remove(&mut self, path: &Path) -> bool {
        // A file that is gone has no real path; it is listed by what it was.
        self.digests.remove(&real(path)).or_else(|| self.digests.remove(path)).is_some()
    }

    /// The files and their digests.
    pub fn iter(&self) -> impl Iterator<Item = (&Path, &str)> {
        self.digests.iter().map(|(path, digest)| (path.as_path(), digest.as_str()))
    }

    /// Writes the list, mode 0600, at once.
    ///
    /// # Errors
    /// Exit 3: there is no place for it, or it cannot be written.
    pub fn save(&self, random: &dyn Random) -> Result<(), Failure> {
        let home = self.home.as_deref().ok_or_else(no_home)?;
        let path = home.join(FILE_NAME);
        let failed = |error: std::io::Error| {
            Failure::configuration(format!("cannot write {}: {error}", path.display()))
        };
        let mut tables = ArrayOfTables::new();
        for (file, digest) in &self.digests {
            let text = file.to_str().ok_or_else(|| {
                Failure::configuration(format!(
                    "{}: a path that is not UTF-8 cannot be trusted",
                    file.display()
                ))
            })?;
            let mut table = Table::new();
            table.insert("path", toml_edit::value(text));
            table.insert("sha256", toml_edit::value(digest.as_str()));
            tables.push(table);
        }
        let mut document = DocumentMut::new();
        document.insert("trusted", Item::ArrayOfTables(tables));
        m2m_io::file::create_private_dir(home).map_err(failed)?;
        m2m_io::file::atomic_write(&path, format!("{HEAD}{document}").as_bytes(), random).map_err(failed)
    }
}

/// There is no configuration directory.
pub(crate) fn no_home() -> Failure {
    Failure::configuration("neither HOME nor XDG_CONFIG_HOME names a directory for the configuration")
}

fn digest_of(content: &[u8]) -> String {
    hexadecimal(&sha256(content))
}

/// What a path leads to; the path itself where nothing is there.
fn real(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use m2m_io::OsRandom;

    use super::*;

    #[test]
    fn trust_is_for_one_path_and_one_content() {
        let place = tempfile::tempdir().unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", place.path().to_str().unwrap())]);
        let (file, link) = (place.path().join("m2m.toml"), place.path().join("link.toml"));
        std::fs::write(&file, "a").unwrap();
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let mut files = TrustedFiles::load(&environment).unwrap();
        assert_eq!(files.standing(&file, b"a"), Trust::Found);
        files.add(&link, b"a");
        files.save(&OsRandom).unwrap();
        let list = place.path().join("m2m/trusted.toml");
        assert_eq!(std::fs::metadata(list).unwrap().permissions().mode() & 0o777, 0o600);
        let mut files = TrustedFiles::load(&environment).unwrap();
        let check = |path: &Path, content: &[u8], expect| assert_eq!(files.standing(path, content), expect);
        check(&file, b"a", Trust::Trusted);
        check(&link, b"a", Trust::Trusted);
        check(&file, b"b", Trust::Changed);
        check(&place.path().join("other.toml"), b"a", Trust::Found);
        assert!(files.remove(&file) && !files.remove(&file));
        assert_eq!(files.standing(&file, b"a"), Trust::Found);
    }

    #[test]
    fn a_list_that_we_did_not_write_trusts_nothing() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("m2m")).unwrap();
        let environment = Environment::of([("XDG_CONFIG_HOME", place.path().to_str().unwrap())]);
        for text in ["[[trusted]]\npath = \"/a\"\n", "not toml"] {
            std::fs::write(place.path().join("m2m/trusted.toml"), text).unwrap();
            let failure = TrustedFiles::load(&environment).unwrap_err();
            assert_eq!(failure.exit(), crate::exit::Exit::Configuration, "{text}");
        }
    }
}
