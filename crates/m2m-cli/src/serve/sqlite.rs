//! The one file of a SQLite database: found, held, and named to whoever opens it.
//!
//! Enforces: one process for each file, whatever names and symbolic links lead to it, by a lock on `PATH.lock` that ends
//! with the process; the file that is locked and made (0600) is the file that is opened, whatever characters its name
//! has. Does not enforce: who can read a file that is there already; that is said in the log. Hard links are not seen.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use m2m_io::file::FileLock;

use crate::exit::Failure;

/// A file that is ours until this is dropped.
#[derive(Debug)]
pub(crate) struct SqliteFile {
    path: PathBuf,
    url: String,
    age: Age,
    _lock: FileLock,
}

/// Whether there is a database in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Age {
    /// There is none yet.
    New,
    /// Somebody made one before.
    Old,
}

impl SqliteFile {
    /// Locks the file, and makes an empty one for us alone where there is none: SQLite itself would let others read it.
    ///
    /// # Errors
    /// Exit 3: another process uses it; it cannot be found, made or written; its name is not UTF-8.
    pub(crate) fn claim(path: &Path) -> Result<Self, Failure> {
        let path = real(path)?;
        let url = url(&path)?;
        let lock = lock(&path)?;
        let cannot =
            |error: io::Error| Failure::configuration(format!("cannot open {}: {error}", path.display()));
        let file = open(&path).map_err(cannot)?;
        let is_empty = |path: &Path| path.metadata().map_or(true, |metadata| metadata.len() == 0);
        // What was committed last may still be in the log beside it.
        let is_new = is_empty(&path) && is_empty(&suffixed(&path, "-wal"));
        if let Some(others) = others(&file).map_err(cannot)? {
            tracing::warn!("the database {} can be read or written by {others}: chmod 600", path.display());
        }
        Ok(Self { url, age: if is_new { Age::New } else { Age::Old }, _lock: lock, path })
    }

    /// How a database library finds it.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Whether it was made just now, or is as empty as that.
    pub(crate) fn age(&self) -> Age {
        self.age
    }

    /// A file beside it: `PATH` with something at its end.
    pub(crate) fn beside(&self, suffix: &str) -> PathBuf {
        suffixed(&self.path, suffix)
    }
}

/// The path that every name of the file leads to, whether it is there yet or not.
fn real(path: &Path) -> Result<PathBuf, Failure> {
    let wrong = |error: io::Error| {
        Failure::configuration(format!("cannot find {}: {error}", path.display()))
            .hint("the directory of the database must exist; a symbolic link must lead to a file")
    };
    if path.symlink_metadata().is_ok() {
        return path.canonicalize().map_err(wrong);
    }
    let name = path.file_name().ok_or_else(|| wrong(io::ErrorKind::IsADirectory.into()))?;
    let directory = path.parent().unwrap_or(Path::new("/")).canonicalize().map_err(wrong)?;
    Ok(directory.join(name))
}

/// `sqlite:PATH`, where every byte that means something in a URL is escaped: sqlx takes the escapes out again.
fn url(path: &Path) -> Result<String, Failure> {
    let text = path.to_str().ok_or_else(|| {
        Failure::configuration(format!("the path of the database, {}, is not UTF-8 text", path.display()))
            .hint("name a file in a directory whose names are UTF-8 text")
    })?;
    let mut url = String::from("sqlite:");
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'-' | b'.' | b'_' | b'~' => {
                url.push(char::from(byte));
            }
            _ => url.push_str(&format!("%{byte:02X}")),
        }
    }
    Ok(url)
}

/// Keeps a second process away from the file.
fn lock(path: &Path) -> Result<FileLock, Failure> {
    let beside = suffixed(path, ".lock");
    match FileLock::try_acquire(&beside) {
        Ok(Some(lock)) => Ok(lock),
        Ok(None) => Err(Failure::configuration(format!("another `m2m serve` uses {}", path.display())).hint(
            "one process for each SQLite file: stop the other one, or name another file; several nodes share a \
             postgres:// database",
        )),
        Err(error) => Err(Failure::configuration(format!("cannot lock {}: {error}", beside.display()))
            .hint("the directory of the database must exist and be writable")),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    options.open(path)
}

/// Who else may read or write it, by its mode.
#[cfg(unix)]
fn others(file: &File) -> io::Result<Option<&'static str>> {
    use std::os::unix::fs::MetadataExt as _;
    Ok(match file.metadata()?.mode() {
        mode if mode & 0o006 != 0 => Some("everybody on this machine"),
        mode if mode & 0o060 != 0 => Some("its group"),
        _ => None,
    })
}

#[cfg(not(unix))]
fn others(_: &File) -> io::Result<Option<&'static str>> {
    Ok(None)
}

fn suffixed(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn refused(path: &Path, expect: &str) -> Failure {
        let failure = SqliteFile::claim(path).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().contains(expect), "{}", failure.message());
        failure
    }

    #[test]
    fn one_process_for_each_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m2m.db");
        let held = SqliteFile::claim(&path).unwrap();
        assert!(directory.path().join("m2m.db.lock").exists());
        refused(&path, "another `m2m serve` uses ");
        drop(held);
        SqliteFile::claim(&path).unwrap();
        let nowhere = refused(&directory.path().join("nowhere/m2m.db"), "No such file or directory");
        assert!(nowhere.advice().unwrap().contains("must exist"), "{nowhere:?}");
        refused(directory.path(), "directory");
    }

    #[cfg(unix)]
    #[test]
    fn a_symbolic_link_is_another_name_of_the_same_file() {
        use std::os::unix::fs::{MetadataExt as _, symlink};
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        std::fs::create_dir(at("real")).unwrap();
        symlink(at("real"), at("other")).unwrap();
        symlink(at("real/m2m.db"), at("link.db")).unwrap();
        refused(&at("link.db"), "No such file or directory");
        let held = SqliteFile::claim(&at("other/m2m.db")).unwrap();
        assert_eq!(at("real/m2m.db").metadata().unwrap().mode() & 0o777, 0o600);
        for name in ["real/m2m.db", "other/m2m.db", "link.db", "real/../link.db"] {
            refused(&at(name), "another `m2m serve` uses ");
        }
        assert_eq!(held.beside(".lock"), at("real/m2m.db.lock").canonicalize().unwrap());
    }

    #[test]
    fn a_file_is_new_until_something_is_in_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m2m.db");
        let age = || SqliteFile::claim(&path).unwrap().age();
        assert_eq!((age(), age()), (Age::New, Age::New));
        std::fs::write(directory.path().join("m2m.db-wal"), "x").unwrap();
        assert_eq!(age(), Age::Old);
        std::fs::remove_file(directory.path().join("m2m.db-wal")).unwrap();
        std::fs::write(&path, "x").unwrap();
        assert_eq!(age(), Age::Old);
    }

    #[test]
    fn every_name_is_one_name_in_a_url() {
        let check = |path: &str, expect: &str| assert_eq!(url(Path::new(path)).unwrap(), expect);
        check("/var/lib/m2m.db", "sqlite:/var/lib/m2m.db");
        check("/a%20b", "sqlite:/a%2520b");
        check("/what?.db#1", "sqlite:/what%3F.db%231");
        check("/büro m2m.db", "sqlite:/b%C3%BCro%20m2m.db");
    }

    #[cfg(unix)]
    #[test]
    fn a_name_that_is_no_text_is_refused() {
        use std::os::unix::ffi::OsStrExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(std::ffi::OsStr::from_bytes(b"m2m\xff.db"));
        assert!(refused(&path, "is not UTF-8 text").advice().is_some());
        assert!(std::fs::read_dir(directory.path()).unwrap().next().is_none(), "nothing is made");
    }

    #[cfg(unix)]
    #[test]
    fn who_else_may_read_it_is_seen() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("m2m.db");
        let check = |mode: u32, expect: Option<&str>| {
            let file = open(&path).unwrap();
            file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(others(&file).unwrap(), expect, "{mode:o}");
        };
        check(0o600, None);
        check(0o640, Some("its group"));
        check(0o620, Some("its group"));
        check(0o644, Some("everybody on this machine"));
        check(0o602, Some("everybody on this machine"));
    }
}
