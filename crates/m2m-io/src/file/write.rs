//! Writing secrets so that nobody else reads them and no reader sees half of them.

use std::ffi::OsString;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::random::{Random, token};

/// Replaces `path` by a file of mode 0600 with these bytes, or leaves it as it was.
///
/// The bytes go to a new file in the same directory, are synced, and renamed over `path`. A symbolic link at `path`
/// is replaced, not followed: a planted one cannot redirect the secret.
///
/// # Errors
///
/// As the system says; the temporary file is gone then.
pub fn atomic_write(path: &Path, bytes: &[u8], random: &dyn Random) -> io::Result<()> {
    let temporary = beside(path, random)?;
    let written = write_new(&temporary, bytes).and_then(|()| fs::rename(&temporary, path));
    if written.is_err() {
        // Best effort: the first error is the one worth telling.
        let _leftover = fs::remove_file(&temporary);
    }
    written?;
    sync_directory(path)
}

/// Removes a file; that it is already gone is success.
///
/// # Errors
///
/// As the system says.
pub fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Makes a directory (and its parents) that only we can enter, mode 0700, or checks the one that exists: a real
/// directory of ours or root's that no other user may write to.
///
/// # Errors
///
/// `PermissionDenied` when it exists and another user could put files there; else as the system says.
pub fn create_private_dir(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt as _;
        builder.mode(0o700);
    }
    builder.create(path)?;
    // Without a slash or a dot at the end, which would make the check look behind a symbolic link.
    check_private(&path.components().collect::<PathBuf>())
}

#[cfg(unix)]
fn check_private(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::MetadataExt as _;
    let denied = |why: &str| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let metadata = fs::symlink_metadata(path)?;
    if !metadata.is_dir() {
        return denied("this is a symbolic link, not a directory");
    }
    let us = rustix::process::geteuid().as_raw();
    if metadata.uid() != us && metadata.uid() != 0 {
        return denied("the directory belongs to another user");
    }
    if metadata.mode() & 0o022 != 0 {
        return denied("others may write to the directory");
    }
    Ok(())
}

#[cfg(not(unix))]
fn check_private(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.is_dir() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::PermissionDenied, "this is not a directory"))
}

/// A name in the same directory, thus on the same file system, that nobody can foresee.
fn beside(path: &Path, random: &dyn Random) -> io::Result<PathBuf> {
    let no_name = || io::Error::new(io::ErrorKind::InvalidInput, "the path names no file");
    let mut name = OsString::from(".");
    name.push(path.file_name().ok_or_else(no_name)?);
    name.push(".");
    name.push(token(random).as_str());
    Ok(path.with_file_name(name))
}

fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    // create_new neither follows a link nor opens what is there.
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Makes the rename itself survive a power cut, where directories can be synced.
fn sync_directory(path: &Path) -> io::Result<()> {
    if !cfg!(unix) {
        return Ok(());
    }
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(directory)?.sync_all()
}
