//! Finding `m2m.toml`: the file that `--config` names; else upwards from the working directory; then the user's.
//!
//! A file found by searching may have come with a cloned repository, so it is believed less: its commands run only
//! after `m2m profile trust`, for this very content. The search stops at `$HOME`, at a repository's root, and at a
//! file that others may write.

use std::fs::Metadata;
use std::path::{Path, PathBuf};

use super::env::Environment;
use super::file::{Document, MAX_BYTES};
use super::trust::{Trust, TrustedFiles};
use crate::exit::Failure;

/// The name that is searched for.
pub const FILE_NAME: &str = "m2m.toml";

const REPOSITORY_MARKS: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// A file that applies.
#[derive(Clone, Debug)]
pub struct Located {
    /// Its content.
    pub document: Document,
    /// How far its word goes.
    pub trust: Trust,
}

/// The files that apply, nearest first, and what there is to say about the search.
#[derive(Clone, Debug, Default)]
pub struct Files {
    /// Nearest first.
    pub located: Vec<Located>,
    /// Sentences for standard error.
    pub warnings: Vec<String>,
}

/// Where to look.
#[derive(Clone, Copy, Debug)]
pub struct Start<'a> {
    /// The file that `--config` names.
    pub config: Option<&'a Path>,
    /// Where the search begins.
    pub directory: &'a Path,
    /// For `$HOME` and the user's configuration directory.
    pub environment: &'a Environment,
}

/// Finds and parses the files.
///
/// # Errors
/// Exit 3: the named file is not there, or a file that applies is broken.
pub fn find(start: Start<'_>) -> Result<Files, Failure> {
    let mut files = Files::default();
    if let Some(path) = start.config {
        files.located.push(named(path)?);
        return Ok(files);
    }
    let user = start.environment.configuration_directory().map(|directory| directory.join(FILE_NAME));
    match upwards(start, user.as_deref()) {
        Search::Found(path) => files.located.push(found(&path, start.environment)?),
        Search::Refused(path, why) => {
            let path = path.display();
            files.warnings.push(format!("{path} is not used: {why}; name it with --config if you trust it"));
        }
        Search::Nothing => {}
    }
    if let Some(path) = user.filter(|path| path.is_file()) {
        files.located.push(named(&path)?);
    }
    Ok(files)
}

fn named(path: &Path) -> Result<Located, Failure> {
    Ok(Located { document: parse(path, &read(path)?)?, trust: Trust::Named })
}

/// What is hashed is what is parsed: the file is read once.
fn found(path: &Path, environment: &Environment) -> Result<Located, Failure> {
    // Trust is in the file behind a link, and so is what stands beside it.
    let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let bytes = read(&path)?;
    let trust = TrustedFiles::load(environment)?.standing(&path, &bytes);
    Ok(Located { document: parse(&path, &bytes)?, trust })
}

/// What the search upwards ends with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Search {
    /// A file.
    Found(PathBuf),
    /// A file that is not used, and why.
    Refused(PathBuf, &'static str),
    /// Neither.
    Nothing,
}

/// The file that is found from the working directory upwards; not the user's own.
pub fn nearest(start: Start<'_>) -> Search {
    let user = start.environment.configuration_directory().map(|directory| directory.join(FILE_NAME));
    upwards(start, user.as_deref())
}

/// Why a file is not to be used, if others may write it.
pub fn refusal(path: &Path) -> Option<&'static str> {
    writable_by_others(path, path.parent().filter(|parent| !parent.as_os_str().is_empty())?)
}

fn upwards(start: Start<'_>, user: Option<&Path>) -> Search {
    let home = start.environment.directory("HOME");
    for directory in start.directory.ancestors() {
        let path = directory.join(FILE_NAME);
        // The user's own file, met on the way, is not a found one.
        if path.is_file() && user != Some(path.as_path()) {
            return match writable_by_others(&path, directory) {
                None => Search::Found(path),
                Some(why) => Search::Refused(path, why),
            };
        }
        let is_repository = REPOSITORY_MARKS.iter().any(|mark| directory.join(mark).exists());
        if is_repository || home.as_deref() == Some(directory) {
            break;
        }
    }
    Search::Nothing
}

/// The bytes of a file of settings.
///
/// # Errors
/// Exit 3: it cannot be read, or is longer than 1 MiB.
pub fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    m2m_io::file::read_file(path, MAX_BYTES)
        .map_err(|error| Failure::configuration(format!("{}: {error}", path.display())))
}

fn parse(path: &Path, bytes: &[u8]) -> Result<Document, Failure> {
    let text = std::str::from_utf8(bytes)
        .map_err(|_| Failure::configuration(format!("{}: not UTF-8 text", path.display())))?;
    Document::parse(path, text)
}

#[cfg(unix)]
fn writable_by_others(path: &Path, directory: &Path) -> Option<&'static str> {
    let (Ok(file), Ok(directory)) = (std::fs::metadata(path), std::fs::metadata(directory)) else {
        return Some("its owner cannot be seen");
    };
    // In a sticky directory (/tmp) others can add files but not replace ours, and theirs fail by owner.
    let sticky = mode(&directory) & 0o1000 != 0;
    if foreign(&file) || (foreign(&directory) && !sticky) {
        Some("it belongs to another user")
    } else if open_to_others(&file) || (open_to_others(&directory) && !sticky) {
        Some("others may write it")
    } else {
        None
    }
}

#[cfg(not(unix))]
fn writable_by_others(_: &Path, _: &Path) -> Option<&'static str> {
    None
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use std::os::unix::fs::MetadataExt as _;
    metadata.mode()
}

#[cfg(unix)]
fn foreign(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    metadata.uid() != 0 && metadata.uid() != rustix::process::geteuid().as_raw()
}

/// Writable by everybody, or by a group that is not the owner's private one (same number as the user, umask 002).
#[cfg(unix)]
fn open_to_others(metadata: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    mode(metadata) & 0o002 != 0 || (mode(metadata) & 0o020 != 0 && metadata.gid() != metadata.uid())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct Tree(tempfile::TempDir);

    impl Tree {
        fn with(files: &[&str]) -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            for file in files {
                let path = tree.0.path().join(file);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                let name = file.replace(['/', '.'], "-");
                fs::write(path, if file.ends_with(".toml") { format!("[profiles.{name}]\n") } else { name })
                    .unwrap();
            }
            tree
        }

        fn search(&self, from: &str) -> (Vec<(String, Trust)>, usize) {
            let home = self.0.path().join("home");
            let environment = Environment::of([("HOME", home.to_str().unwrap())]);
            let directory = self.0.path().join(from);
            let files =
                find(Start { config: None, directory: &directory, environment: &environment }).unwrap();
            let name = |path: &Path| path.strip_prefix(self.0.path()).unwrap().to_str().unwrap().to_owned();
            let located = files.located.iter().map(|file| (name(&file.document.path), file.trust)).collect();
            (located, files.warnings.len())
        }

        fn check(&self, from: &str, expect: &[(&str, Trust)]) {
            fs::create_dir_all(self.0.path().join(from)).unwrap();
            let expect: Vec<_> = expect.iter().map(|(path, trust)| ((*path).to_owned(), *trust)).collect();
            assert_eq!(self.search(from).0, expect, "from {from}");
        }
    }

    #[test]
    fn upwards_then_the_users() {
        let tree = Tree::with(&["home/.config/m2m/m2m.toml", "home/code/m2m.toml", "home/code/repo/.git"]);
        let user = ("home/.config/m2m/m2m.toml", Trust::Named);
        tree.check("home/code/a/b", &[("home/code/m2m.toml", Trust::Found), user]);
        tree.check("home/code/repo/src", &[user]);
        tree.check("home/other", &[user]);
    }

    #[test]
    fn the_search_stops_at_home_and_at_a_repository() {
        let tree = Tree::with(&["m2m.toml", "repo/.git/HEAD", "home/x"]);
        tree.check("home/a", &[]);
        tree.check("repo/a", &[]);
        tree.check("elsewhere", &[("m2m.toml", Trust::Found)]);
        let tree = Tree::with(&["m2m.toml", "repo/m2m.toml", "repo/.git/HEAD"]);
        tree.check("repo/a", &[("repo/m2m.toml", Trust::Found)]);
    }

    #[test]
    fn a_file_that_others_may_write_stops_the_search() {
        let tree = Tree::with(&["m2m.toml", "a/m2m.toml"]);
        let file = tree.0.path().join("a/m2m.toml");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o646)).unwrap();
        assert_eq!(tree.search("a"), (vec![], 1));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        fs::set_permissions(tree.0.path().join("a"), fs::Permissions::from_mode(0o777)).unwrap();
        assert_eq!(tree.search("a"), (vec![], 1));
        fs::set_permissions(tree.0.path().join("a"), fs::Permissions::from_mode(0o755)).unwrap();
        assert_eq!(tree.search("a"), (vec![("a/m2m.toml".to_owned(), Trust::Found)], 0));
    }

    #[test]
    fn a_named_file_is_the_only_one_and_must_be_there() {
        let tree = Tree::with(&["m2m.toml", "other.toml"]);
        let environment = Environment::default();
        let path = tree.0.path().join("other.toml");
        let start = Start { config: Some(&path), directory: tree.0.path(), environment: &environment };
        let files = find(start).unwrap();
        assert_eq!((files.located.len(), files.located[0].trust), (1, Trust::Named));
        let missing = find(Start { config: Some(Path::new("/nowhere.toml")), ..start }).unwrap_err();
        assert_eq!(missing.exit(), crate::exit::Exit::Configuration);
        assert!(missing.message().starts_with("/nowhere.toml: "), "{}", missing.message());
    }
}
