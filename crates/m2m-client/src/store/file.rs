//! A store in files: for the many short runs of a command line, and for
//! processes of one user on one machine.
//!
//! Enforces: a directory that only its owner can enter; files of mode 0600,
//! replaced atomically; one lock between processes for each name.
//! Does not enforce: that the user's other programs keep out. The tokens are
//! sealed, but who has the client's credential needs no token of ours.
//! Limits: names are the first 16 bits of the key, so there are 65,536 tokens
//! and as many locks at most, of 64 KiB. Two keys of one name push each other
//! out: the seal tells them apart, and the loser asks the server.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::file::{FileLock, atomic_write, create_private_dir, read_file, remove};
use m2m_io::{BoxFuture, Clock, Random, task};

use super::{StoreLock, TokenStore};
use crate::cache::CacheKey;

/// A sealed token of 16 KiB with its surroundings.
const MAX_BYTES: u64 = 64 * 1024;
/// How many hexadecimal digits of the key make a name.
const NAME_DIGITS: usize = 4;
const TOKEN: &str = "token";
const LOCK: &str = "lock";

/// Sealed tokens in a directory, one file for each name.
#[derive(Debug)]
pub struct EncryptedFileStore {
    directory: PathBuf,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

impl EncryptedFileStore {
    /// Uses `directory`, making it with mode 0700 if it is not there.
    ///
    /// # Errors
    /// As the system says; `PermissionDenied` when others may write there.
    pub fn open(
        directory: impl Into<PathBuf>,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> io::Result<Self> {
        let directory = directory.into();
        create_private_dir(&directory)?;
        Ok(Self { directory, clock, random })
    }

    fn path(&self, key: &CacheKey, kind: &str) -> PathBuf {
        let name: String = key.to_string().chars().take(NAME_DIGITS).collect();
        self.directory.join(format!("{name}.{kind}"))
    }
}

/// Runs file work off the async workers.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    let lost = || Err(io::Error::other("the file operation was interrupted"));
    task::blocking("m2m token store", work).await.unwrap_or_else(lost)
}

impl TokenStore for EncryptedFileStore {
    fn load(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<Option<Vec<u8>>>> {
        let path = self.path(key, TOKEN);
        Box::pin(blocking(move || match read_file(&path, MAX_BYTES) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }))
    }

    fn save(&self, key: &CacheKey, sealed: Vec<u8>) -> BoxFuture<'_, io::Result<()>> {
        let (path, random) = (self.path(key, TOKEN), Arc::clone(&self.random));
        Box::pin(blocking(move || atomic_write(&path, &sealed, random.as_ref())))
    }

    fn remove(&self, key: &CacheKey) -> BoxFuture<'_, io::Result<()>> {
        let path = self.path(key, TOKEN);
        Box::pin(blocking(move || remove(&path)))
    }

    fn lock(&self, key: &CacheKey, patience: Duration) -> BoxFuture<'_, io::Result<StoreLock>> {
        let (path, clock) = (self.path(key, LOCK), Arc::clone(&self.clock));
        Box::pin(async move { FileLock::acquire(&path, clock.as_ref(), patience).await.map(StoreLock::new) })
    }
}
