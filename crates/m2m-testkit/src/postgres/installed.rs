//! Where PostgreSQL is installed, as whom it runs, and a new cluster from a template.
//!
//! `initdb` takes half a second of a processor, a copy of what it made a tenth of that. So the first test makes a
//! template for this version in `target/peers` and the others copy it. It is put there by a rename, and is complete
//! if it is there at all.

use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::peers;

/// What a cluster takes; an installation without one of them is none.
const PROGRAMS: &[&str] = &["initdb", "postgres", "createdb"];

/// Small segments: most of a new cluster would be an empty log.
const INITDB: &[&str] =
    &["--auth=trust", "--username=m2m", "--no-sync", "--encoding=UTF8", "--locale=C", "--wal-segsize=1"];

/// Programs of one version, and the user who runs them.
#[derive(Debug)]
pub(super) struct Installed {
    programs: PathBuf,
    /// User and group, where we are root: the server refuses to run as root.
    user: Option<(u32, u32)>,
}

/// The cluster inside the test's directory.
pub(super) fn cluster(directory: &Path) -> PathBuf {
    directory.join("cluster")
}

impl Installed {
    /// In `PATH`, else the newest where Debian puts them.
    ///
    /// # Errors
    ///
    /// What is missing, for people.
    pub(super) fn find() -> Result<Self, String> {
        let in_path = peers::variable("PATH").unwrap_or_default();
        let in_path = std::env::split_paths(&in_path).filter_map(|directory| {
            // A link from there leads to the directory that has all of them.
            Some(fs::canonicalize(directory.join("initdb")).ok()?.parent()?.to_path_buf())
        });
        let has_all = |directory: &PathBuf| PROGRAMS.iter().all(|name| directory.join(name).is_file());
        let found = in_path.chain(debian()).find(has_all);
        let programs = found.ok_or("postgres is not installed; apt-get install --yes postgresql")?;
        let user = if is_root() {
            let user = user("postgres");
            Some(user.ok_or("postgres does not run as root, and there is no user of its name")?)
        } else {
            None
        };
        Ok(Self { programs, user })
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// The program as its user, in the directory, with nothing of our environment.
    pub(super) fn command(&self, name: &str, directory: &Path) -> Command {
        let mut command = Command::new(self.program(name));
        command.current_dir(directory).env_clear().env("LC_ALL", "C");
        command.stdin(Stdio::null()).stdout(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }

    /// A new cluster in the directory, which becomes the user's.
    ///
    /// # Panics
    ///
    /// If it cannot be made.
    pub(super) fn make_cluster(&self, directory: &Path) {
        self.own(directory).expect("the directory is given to the server's user");
        let template = peers::home(&format!("postgres-{}", self.version()));
        let cluster = cluster(directory);
        if template.is_dir() && copy(&template, &cluster, self.user).is_ok() {
            return;
        }
        // What was copied so far, if another user made the template.
        let _absent = fs::remove_dir_all(&cluster);
        let output = self.command("initdb", directory).args(INITDB).arg("-D").arg(&cluster).output();
        let output = output.expect("initdb starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // The next one makes it otherwise.
        let _ = keep(&cluster, &template);
    }

    /// `15.18` of `initdb (PostgreSQL) 15.18 (Debian …)`.
    fn version(&self) -> String {
        let output = Command::new(self.program("initdb")).arg("--version").output().expect("initdb starts");
        let text = String::from_utf8_lossy(&output.stdout);
        text.split_whitespace().nth(2).unwrap_or("unknown").to_owned()
    }

    fn own(&self, path: &Path) -> io::Result<()> {
        give(path, self.user)
    }
}

/// `/usr/lib/postgresql/VERSION/bin`, the newest first.
fn debian() -> Vec<PathBuf> {
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<_> =
        entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok()).collect();
    versions.sort_unstable();
    versions.iter().rev().map(|version| format!("/usr/lib/postgresql/{version}/bin").into()).collect()
}

/// Whether what we make belongs to root.
fn is_root() -> bool {
    tempfile::tempdir().and_then(|directory| fs::metadata(directory.path())).is_ok_and(|made| made.uid() == 0)
}

/// Number and group of a user of this system.
fn user(name: &str) -> Option<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd").ok()?;
    let mut parts = users
        .lines()
        .map(|line| line.split(':'))
        .find_map(|mut parts| (parts.next() == Some(name)).then_some(parts))?;
    let user = parts.nth(1)?.parse().ok()?;
    Some((user, parts.next()?.parse().ok()?))
}

/// Puts a copy where the next test looks for it.
fn keep(cluster: &Path, template: &Path) -> io::Result<()> {
    let beside = template.with_extension(format!("new-{}", std::process::id()));
    let parent = template.parent().unwrap_or(template);
    fs::create_dir_all(parent)?;
    let kept = copy(cluster, &beside, None).and_then(|()| fs::rename(&beside, template));
    // Another test was first.
    let _absent = fs::remove_dir_all(&beside);
    kept
}

/// Copies directories and files with their modes, for this user.
fn copy(from: &Path, to: &Path, user: Option<(u32, u32)>) -> io::Result<()> {
    DirBuilder::new().mode(0o700).create(to)?;
    give(to, user)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target, user)?;
        } else {
            fs::copy(entry.path(), &target)?;
            give(&target, user)?;
        }
    }
    Ok(())
}

fn give(path: &Path, user: Option<(u32, u32)>) -> io::Result<()> {
    user.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))
}
