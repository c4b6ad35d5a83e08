//! Where a client's secret comes from: [`SecretSource`], and the sources that
//! need nothing but this library.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use m2m_io::BoxFuture;
use m2m_io::file::WatchedFile;
use m2m_io::task;
use m2m_proto::secret::SecretString;

use crate::error::Error;

/// Gives a secret when it is needed: once for every token request, never per
/// API call. So a rotated secret is used with the next request.
pub trait SecretSource: Send + Sync + fmt::Debug {
    /// The secret as it is now.
    ///
    /// # Errors
    /// [`Error::secret_unavailable`], without quoting the secret.
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>>;

    /// A number that changes when the secret is known to have changed. After a
    /// refusal by the server the client waits a minute or longer, unless this
    /// number moves. Sources that cannot know stay at 0.
    fn version(&self) -> u64 {
        0
    }

    /// Brings [`SecretSource::version`] up to date, if that is cheap. Called
    /// at most once a second, and only after a refusal.
    fn look(&self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// A secret that never changes while the program runs.
#[derive(Debug)]
pub struct FixedSecret(SecretString);

impl FixedSecret {
    /// This secret, as it is: no newline is removed.
    #[must_use]
    pub fn new(secret: SecretString) -> Self {
        Self(secret)
    }
}

impl SecretSource for FixedSecret {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(std::future::ready(Ok(self.0.clone())))
    }
}

/// A secret in a file, read anew for every token request. One trailing newline
/// is removed. Mounted secrets that are replaced by rename or link work.
#[derive(Debug)]
pub struct FileSecret {
    file: Arc<WatchedFile>,
}

impl FileSecret {
    /// The secret in the file at `path`, which need not exist yet.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { file: Arc::new(WatchedFile::new(path)) }
    }
}

impl SecretSource for FileSecret {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        let file = Arc::clone(&self.file);
        Box::pin(async move {
            let path = file.path().display().to_string();
            let read = task::blocking("m2m secret file", move || file.read()).await;
            let unreadable = |why: &dyn fmt::Display| Error::secret_unavailable(format!("{path}: {why}"));
            let (_, content) = read
                .ok_or_else(|| unreadable(&"the read was interrupted"))?
                .map_err(|error| unreadable(&error))?;
            let text = std::str::from_utf8(content.secret.expose()).map_err(|_| unreadable(&"not UTF-8"))?;
            Ok(SecretString::from(text))
        })
    }

    fn version(&self) -> u64 {
        self.file.version().map_or(0, |version| version.0)
    }

    fn look(&self) -> BoxFuture<'_, ()> {
        let file = Arc::clone(&self.file);
        Box::pin(async move {
            // Whether it can be read is the business of `read`.
            let _unreadable = task::blocking("m2m secret file", move || file.read().is_ok()).await;
        })
    }
}

type ReadSecret = dyn Fn() -> BoxFuture<'static, Result<SecretString, Error>> + Send + Sync;

/// A secret from a function: a secrets manager's client, a command, anything.
pub struct SecretFn {
    read: Box<ReadSecret>,
    seen: Arc<Seen>,
}

/// The last digest that a function gave, and how often it changed.
#[derive(Default)]
struct Seen {
    digest: std::sync::Mutex<Option<[u8; 32]>>,
    version: AtomicU64,
}

impl SecretFn {
    /// Calls `read` for every token request.
    pub fn new<F, R>(read: F) -> Self
    where
        F: Fn() -> R + Send + Sync + 'static,
        R: Future<Output = Result<SecretString, Error>> + Send + 'static,
    {
        Self { read: Box::new(move || Box::pin(read())), seen: Arc::default() }
    }
}

impl fmt::Debug for SecretFn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretFn(..)")
    }
}

impl SecretSource for SecretFn {
    fn read(&self) -> BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(async move {
            let secret = (self.read)().await?;
            self.seen.take(&secret);
            Ok(secret)
        })
    }

    fn version(&self) -> u64 {
        self.seen.version.load(Ordering::Acquire)
    }
}

impl Seen {
    fn take(&self, secret: &SecretString) {
        let digest = m2m_proto::jose::crypto::sha256(secret.expose().as_bytes());
        let mut last = self.digest.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if last.replace(digest).is_some_and(|last| last != digest) {
            self.version.fetch_add(1, Ordering::AcqRel);
        }
    }
}
