//! A lock between processes, by a file.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::Path;
use std::time::Duration;

use crate::Clock;

/// An exclusive lock on a file, held until dropped or until the process dies.
///
/// It excludes other processes and other `FileLock`s of this one; it does not exclude writers who never ask. The
/// file stays behind: removing it would let two processes hold "the" lock on two files of one name.
#[derive(Debug)]
pub struct FileLock {
    file: File,
}

const FIRST_WAIT: Duration = Duration::from_millis(2);
const LONGEST_WAIT: Duration = Duration::from_millis(100);

impl FileLock {
    /// Takes the lock if it is free; `None` when somebody holds it.
    ///
    /// # Errors
    ///
    /// As the system says: no permission, a symbolic link in the file's place, a file system without locks.
    pub fn try_acquire(path: &Path) -> io::Result<Option<Self>> {
        let file = open(path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// Takes the lock, waiting at most `patience`.
    ///
    /// It asks again and again (every 2 ms, then up to 100 ms) rather than blocking a thread in the kernel: that
    /// wait could be neither bounded nor cancelled, and would hold up the end of the runtime.
    ///
    /// # Errors
    ///
    /// `TimedOut` when `patience` ran out; else as [`FileLock::try_acquire`].
    pub async fn acquire(path: &Path, clock: &dyn Clock, patience: Duration) -> io::Result<Self> {
        let deadline = clock.monotonic().saturating_add(patience);
        let mut wait = FIRST_WAIT;
        loop {
            if let Some(lock) = Self::try_acquire(path)? {
                return Ok(lock);
            }
            let left = deadline.saturating_sub(clock.monotonic());
            if left.is_zero() {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "another process holds the lock"));
            }
            clock.sleep(wait.min(left)).await;
            wait = wait.saturating_mul(2).min(LONGEST_WAIT);
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Closing the file unlocks as well; this frees it even while a child process still has a copy open.
        let _closed_anyway = self.file.unlock();
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    // Never truncated: opening a lock must not destroy what a planted hard link leads to.
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let no_follow = rustix::fs::OFlags::NOFOLLOW.bits();
        options.mode(0o600).custom_flags(no_follow.cast_signed());
    }
    options.open(path)
}
