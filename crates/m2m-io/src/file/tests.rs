use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::Path;
use std::time::Duration;

use tempfile::tempdir;

use super::{
    Exposure, FileLock, MAX_SECRET_BYTES, TrailingNewline, WatchedFile, atomic_write, create_private_dir,
    read_file, read_secret_file, remove,
};
use crate::{OsRandom, SystemClock};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

#[test]
fn one_final_line_end_is_removed_and_remembered() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    let check = |written: &[u8], expect: &[u8], newline| {
        fs::write(&path, written).unwrap();
        let read = read_secret_file(&path).unwrap();
        assert_eq!(read.secret.expose(), expect);
        assert_eq!(read.trailing_newline, newline, "{written:?}");
    };
    check(b"s3cret", b"s3cret", TrailingNewline::Absent);
    check(b"s3cret\n", b"s3cret", TrailingNewline::Removed);
    check(b"s3cret\r\n", b"s3cret", TrailingNewline::Removed);
    check(b"s3cret\n\n", b"s3cret\n", TrailingNewline::Removed);
    check(b"s3cret\r", b"s3cret\r", TrailingNewline::Absent);
    check(b" s3cret ", b" s3cret ", TrailingNewline::Absent);
}

#[test]
fn empty_long_missing_and_directory_are_errors() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    let check = |written: &[u8], kind| {
        fs::write(&path, written).unwrap();
        assert_eq!(read_secret_file(&path).unwrap_err().kind(), kind);
    };
    check(b"", ErrorKind::InvalidData);
    check(b"\n", ErrorKind::InvalidData);
    let limit = usize::try_from(MAX_SECRET_BYTES).unwrap();
    check(&vec![b'a'; limit + 1], ErrorKind::InvalidData);
    fs::write(&path, vec![b'a'; limit]).unwrap();
    assert_eq!(read_secret_file(&path).unwrap().secret.expose().len(), limit);
    assert_eq!(read_secret_file(&dir.path().join("none")).unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(read_secret_file(dir.path()).unwrap_err().kind(), ErrorKind::IsADirectory);
    assert_eq!(read_file(&path, 10).unwrap_err().kind(), ErrorKind::InvalidData);
}

#[test]
fn a_mode_that_others_can_read_is_reported() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "s").unwrap();
    let check = |mode, expect| {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        assert_eq!(read_secret_file(&path).unwrap().exposure, expect);
    };
    check(0o600, Exposure::Private);
    check(0o640, Exposure::Group);
    check(0o644, Exposure::Everybody);
}

#[test]
fn debug_shows_no_secret() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "canary").unwrap();
    let watched = WatchedFile::new(&path);
    let read = watched.read().unwrap();
    assert!(!format!("{read:?} {watched:?}").contains("canary"));
}

#[test]
fn a_change_in_place_or_by_rename_is_a_new_version() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "first").unwrap();
    let watched = WatchedFile::new(&path);
    assert_eq!(watched.version(), None);
    let (first, _) = watched.read().unwrap();
    assert_eq!(watched.read().unwrap().0, first, "unchanged");
    fs::write(&path, "secnd").unwrap(); // same length, perhaps the same tick
    let (second, read) = watched.read().unwrap();
    assert!(second > first);
    assert_eq!(read.secret.expose(), b"secnd");
    atomic_write(&path, b"third", &OsRandom).unwrap();
    let (third, read) = watched.read().unwrap();
    assert!(third > second);
    assert_eq!(read.secret.expose(), b"third");
    assert_eq!(watched.version(), Some(third));
}

#[test]
fn kubernetes_swaps_a_link() {
    let dir = tempdir().unwrap();
    for (name, secret) in [("v1", "one"), ("v2", "two")] {
        fs::create_dir(dir.path().join(name)).unwrap();
        fs::write(dir.path().join(name).join("token"), secret).unwrap();
    }
    symlink("v1", dir.path().join("..data")).unwrap();
    symlink("..data/token", dir.path().join("token")).unwrap();
    let watched = WatchedFile::new(dir.path().join("token"));
    assert_eq!(watched.read().unwrap().1.secret.expose(), b"one");
    symlink("v2", dir.path().join("..data_tmp")).unwrap();
    fs::rename(dir.path().join("..data_tmp"), dir.path().join("..data")).unwrap();
    assert_eq!(watched.read().unwrap().1.secret.expose(), b"two");
}

#[test]
fn a_removed_secret_is_not_served() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("secret");
    fs::write(&path, "first").unwrap();
    let watched = WatchedFile::new(&path);
    watched.read().unwrap();
    remove(&path).unwrap();
    remove(&path).unwrap();
    assert_eq!(watched.read().unwrap_err().kind(), ErrorKind::NotFound);
}

#[test]
fn a_write_is_private_whole_and_leaves_nothing_beside() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("token");
    fs::write(&path, "old").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    atomic_write(&path, b"new", &OsRandom).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"new");
    assert_eq!(mode(&path), 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn a_failed_write_leaves_nothing_beside() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("taken");
    fs::create_dir(&path).unwrap(); // a directory cannot be renamed over
    atomic_write(&path, b"new", &OsRandom).unwrap_err();
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    assert_eq!(atomic_write(Path::new("/"), b"", &OsRandom).unwrap_err().kind(), ErrorKind::InvalidInput);
}

#[test]
fn a_planted_link_is_replaced_not_followed() {
    let dir = tempdir().unwrap();
    let victim = dir.path().join("victim");
    let path = dir.path().join("token");
    fs::write(&victim, "precious").unwrap();
    symlink(&victim, &path).unwrap();
    atomic_write(&path, b"secret", &OsRandom).unwrap();
    assert_eq!(fs::read(&victim).unwrap(), b"precious");
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
}

#[test]
fn a_private_directory_is_made_or_checked() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("a").join("b");
    create_private_dir(&path).unwrap();
    assert_eq!((mode(&path), mode(path.parent().unwrap())), (0o700, 0o700));
    create_private_dir(&path).unwrap();

    fs::set_permissions(&path, fs::Permissions::from_mode(0o770)).unwrap();
    assert_eq!(create_private_dir(&path).unwrap_err().kind(), ErrorKind::PermissionDenied);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    create_private_dir(&path).unwrap();

    let link = dir.path().join("link");
    symlink(&path, &link).unwrap();
    for spelling in [link.clone(), link.join(""), link.join(".")] {
        let error = create_private_dir(&spelling).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{}", spelling.display());
    }
}

#[tokio::test]
async fn a_lock_excludes_until_it_is_dropped() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    let held = FileLock::acquire(&path, &SystemClock, Duration::ZERO).await.unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(FileLock::try_acquire(&path).unwrap().is_none());
    let late = FileLock::acquire(&path, &SystemClock, Duration::from_millis(5)).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::TimedOut);
    drop(held);
    assert!(FileLock::try_acquire(&path).unwrap().is_some());
}

#[tokio::test]
async fn a_waiter_gets_the_lock_when_it_is_free() {
    let dir = tempdir().unwrap();
    let path = dir.path().join("lock");
    let held = FileLock::try_acquire(&path).unwrap().unwrap();
    let waiting = FileLock::acquire(&path, &SystemClock, Duration::from_secs(30));
    let release = async move { drop(held) };
    let (lock, ()) = tokio::join!(waiting, release);
    lock.unwrap();
}

#[test]
fn a_lock_is_not_taken_through_a_link() {
    let dir = tempdir().unwrap();
    fs::write(dir.path().join("victim"), "precious").unwrap();
    symlink(dir.path().join("victim"), dir.path().join("lock")).unwrap();
    FileLock::try_acquire(&dir.path().join("lock")).unwrap_err();
    assert_eq!(fs::read(dir.path().join("victim")).unwrap(), b"precious");
}
