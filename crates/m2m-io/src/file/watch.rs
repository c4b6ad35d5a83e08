//! A secret file that may change under us: rotation by rename, by link (Kubernetes) or in place.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use m2m_proto::secret::constant_time_eq;

use super::{SecretFile, read_secret_file};

/// Counts the contents a [`WatchedFile`] has seen, from 1; equal versions mean equal contents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Version(pub u64);

/// A path whose content is read anew each time, with a version that grows when the content changed.
///
/// It reads always instead of trusting times, inodes and lengths: two writes within one tick of the file system's
/// clock look alike, a secret is short, and it is read once per minted token.
#[derive(Debug)]
pub struct WatchedFile {
    path: PathBuf,
    seen: Mutex<Option<(Version, Arc<SecretFile>)>>,
}

impl WatchedFile {
    /// Watches `path`; nothing is read yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), seen: Mutex::new(None) }
    }

    /// What is watched.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The content as it is now. Blocks on the file system: from async code through
    /// [`task::blocking`](crate::task::blocking).
    ///
    /// # Errors
    ///
    /// As [`read_secret_file`]. What was read before is not served instead: a removed secret is removed. (A rename
    /// never shows a missing file, so a rotation in progress does not come here.)
    pub fn read(&self) -> io::Result<(Version, Arc<SecretFile>)> {
        let read = read_secret_file(&self.path)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let next = match &*seen {
            Some((version, known)) if constant_time_eq(known.secret.expose(), read.secret.expose()) => {
                *version
            }
            Some((Version(version), _)) => Version(version.saturating_add(1)),
            None => Version(1),
        };
        let entry = (next, Arc::new(read));
        *seen = Some(entry.clone());
        Ok(entry)
    }

    /// The version last seen, without reading; `None` before the first successful read.
    #[must_use]
    pub fn version(&self) -> Option<Version> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(|(version, _)| *version)
    }
}
