//! Files that hold secrets: read when they change, replaced atomically, locked between processes.
//!
//! Enforces: a size limit on what is read; mode 0600 and replacement by rename on what is written; lock files are
//! never opened through a symbolic link; private directories are 0700, ours, and not writable by others.
//! Does not enforce: the permissions of files that others mount for us (Kubernetes, systemd); [`SecretFile`] reports
//! them for `doctor`.

mod lock;
mod watch;
mod write;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use m2m_proto::secret::SecretBytes;

pub use self::lock::FileLock;
pub use self::watch::{Version, WatchedFile};
pub use self::write::{atomic_write, create_private_dir, remove};

/// The longest secret file that is read: a private key with its certificate chain fits many times.
pub const MAX_SECRET_BYTES: u64 = 64 * 1024;

/// What a secret file held.
#[derive(Debug)]
pub struct SecretFile {
    /// The content without its final line end.
    pub secret: SecretBytes,
    /// A final line end (`\n` or `\r\n`) was removed. Worth a word: `echo` writes one, secrets have none.
    pub trailing_newline: TrailingNewline,
    /// Who else may read it.
    pub exposure: Exposure,
}

/// Whether a final line end was removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrailingNewline {
    /// The file ended with one.
    Removed,
    /// There was none.
    Absent,
}

/// Who may read a file besides its owner, by its mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Nobody, or the system does not say (Windows).
    Private,
    /// Its group.
    Group,
    /// Everybody on this machine.
    Everybody,
}

/// Reads a secret from a file, a pipe or a mounted secret; symbolic links are followed, as Kubernetes mounts them.
///
/// # Errors
///
/// As the system says; `InvalidData` when the file is longer than [`MAX_SECRET_BYTES`] or empty.
pub fn read_secret_file(path: &Path) -> io::Result<SecretFile> {
    let file = File::open(path)?;
    let exposure = exposure(&file)?;
    let (bytes, trailing_newline) = without_newline(read_bounded(file, MAX_SECRET_BYTES)?);
    if bytes.is_empty() {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "the file is empty"));
    }
    Ok(SecretFile { secret: SecretBytes::new(bytes), trailing_newline, exposure })
}

/// Reads a whole file of at most `limit` bytes.
///
/// # Errors
///
/// As the system says; `InvalidData` when the file is longer.
pub fn read_file(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    read_bounded(File::open(path)?, limit)
}

fn read_bounded(file: File, limit: u64) -> io::Result<Vec<u8>> {
    // Room for everything at once: a vector that grows leaves copies of the secret behind.
    let mut bytes = Vec::with_capacity(usize::try_from(room(&file)?.min(limit)).unwrap_or(0) + 1);
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("the file is longer than {limit} bytes"),
        ));
    }
    Ok(bytes)
}

/// What to reserve: a file's length; for a pipe, which has none, a page.
fn room(file: &File) -> io::Result<u64> {
    let metadata = file.metadata()?;
    if metadata.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "this is a directory"));
    }
    Ok(if metadata.is_file() { metadata.len() } else { 4096 })
}

/// Removes one final line end, in place.
fn without_newline(mut bytes: Vec<u8>) -> (Vec<u8>, TrailingNewline) {
    if bytes.pop_if(|last| *last == b'\n').is_none() {
        return (bytes, TrailingNewline::Absent);
    }
    bytes.pop_if(|last| *last == b'\r');
    (bytes, TrailingNewline::Removed)
}

#[cfg(unix)]
fn exposure(file: &File) -> io::Result<Exposure> {
    use std::os::unix::fs::MetadataExt as _;
    let metadata = file.metadata()?;
    // The mode of a pipe says nothing about who can read it.
    let mode = if metadata.is_file() { metadata.mode() } else { 0 };
    Ok(match mode {
        mode if mode & 0o004 != 0 => Exposure::Everybody,
        mode if mode & 0o040 != 0 => Exposure::Group,
        _ => Exposure::Private,
    })
}

#[cfg(not(unix))]
fn exposure(_file: &File) -> io::Result<Exposure> {
    Ok(Exposure::Private)
}

#[cfg(test)]
mod tests;
