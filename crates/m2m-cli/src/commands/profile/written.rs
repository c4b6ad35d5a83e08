//! Putting a profile into its file: the one that `--config` names, `./m2m.toml` with `--here`, else the user's own.
//!
//! Enforces: nothing is replaced without `--force`; a found file stays trusted over our own change, but is not made
//! trusted by it, unless we make the file; between reading a file and replacing it no other m2m of this user changes
//! any ([`Turn`]), and what a person is asked or a program prints is waited for before that.
//!
//! Limits: an editor asks for no turn, nor does another user, nor who has another configuration directory.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use m2m_io::file::FileLock;

use super::owners::Owner;
use crate::Surroundings;
use crate::args::Destination;
use crate::exit::Failure;
use crate::settings::edit::{Before, Draft};
use crate::settings::file::{Document, Profile};
use crate::settings::search::FILE_NAME;
use crate::settings::trust::{Trust, TrustedFiles, no_home};

/// Longer than the minute that a keyring may take to ask its person.
const PATIENCE: Duration = Duration::from_secs(75);

/// The right to change `m2m.toml`, what is trusted and who owns which secret, held by one process at a time.
#[derive(Debug)]
pub(super) struct Turn {
    _lock: FileLock,
}

impl Turn {
    /// Waits for it. The lock is a file in the user's configuration directory; where that cannot be used, beside the
    /// file that is to be changed.
    ///
    /// # Errors
    /// Exit 3: there is no place for the lock, or another process holds it for more than 75 seconds.
    pub(super) async fn take(changes: Option<&Path>, around: &Surroundings) -> Result<Self, Failure> {
        let path = lock_path(changes, around)?;
        let held = FileLock::acquire(&path, around.clock.as_ref(), PATIENCE).await;
        let lock = held.map_err(|error| {
            let failure = Failure::configuration(format!("cannot lock {}: {error}", path.display()));
            match error.kind() {
                io::ErrorKind::TimedOut => {
                    failure.hint("another m2m changes settings; try again when it is done")
                }
                _ => failure,
            }
        })?;
        Ok(Self { _lock: lock })
    }
}

fn lock_path(changes: Option<&Path>, around: &Surroundings) -> Result<PathBuf, Failure> {
    let directory = around.environment.configuration_directory().ok_or_else(no_home);
    let usable = directory.and_then(|directory| {
        m2m_io::file::create_private_dir(&directory)
            .map_err(|error| Failure::configuration(format!("{}: {error}", directory.display())))?;
        Ok(directory.join("settings.lock"))
    });
    match changes {
        Some(path) => Ok(usable.unwrap_or_else(|_| path.with_extension("lock"))),
        None => usable,
    }
}

/// A file that will be changed.
pub(crate) struct Target {
    path: PathBuf,
    name: String,
    typed: Destination,
}

/// A file that is being changed, in our turn.
pub(super) struct Opened {
    draft: Draft,
    name: String,
    turn: Turn,
}

/// The file for a profile.
///
/// # Errors
/// Exit 2: two files are named. Exit 3: the file is broken, or has such a profile already and `--force` was not given.
pub(crate) fn target(typed: &Destination, name: &str, around: &Surroundings) -> Result<Target, Failure> {
    target_in(path(typed, around)?, typed, name)
}

/// This file for a profile.
///
/// # Errors
/// As [`target`].
pub(crate) fn target_in(path: PathBuf, typed: &Destination, name: &str) -> Result<Target, Failure> {
    super::check_name(name)?;
    let target = Target { path, name: name.to_owned(), typed: typed.clone() };
    target.read()?;
    Ok(target)
}

/// Where a profile goes.
///
/// # Errors
/// Exit 2: two files are named. Exit 3: there is no directory for the user's own.
pub(crate) fn path(typed: &Destination, around: &Surroundings) -> Result<PathBuf, Failure> {
    match (&around.global.config, typed.here) {
        (Some(_), true) => Err(Failure::usage("--here and --config name two files")),
        (Some(path), false) => Ok(around.directory.join(path)),
        (None, true) => Ok(around.directory.join(FILE_NAME)),
        (None, false) => {
            let directory = around.environment.configuration_directory().ok_or_else(no_home)?;
            m2m_io::file::create_private_dir(&directory)
                .map_err(|error| Failure::configuration(format!("{}: {error}", directory.display())))?;
            Ok(directory.join(FILE_NAME))
        }
    }
}

impl Target {
    /// The file as it is now.
    fn read(&self) -> Result<Draft, Failure> {
        let draft = Draft::open(&self.path)?;
        if draft.contains(&self.name) && !self.typed.force {
            let path = draft.path().display();
            return Err(Failure::configuration(format!("{path} has a profile {} already", self.name))
                .hint("--force replaces it; or choose another name"));
        }
        Ok(draft)
    }

    /// Waits for our turn and reads the file again, which others may have changed since.
    ///
    /// # Errors
    /// As [`Turn::take`] and [`target`].
    pub(super) async fn open(self, around: &Surroundings) -> Result<Opened, Failure> {
        let turn = Turn::take(Some(&self.path), around).await?;
        Ok(Opened { draft: self.read()?, name: self.name, turn })
    }
}

impl Opened {
    /// What the profile that will be replaced says.
    pub(super) fn before(&self) -> Option<Profile> {
        let text = std::str::from_utf8(self.draft.unchanged()).ok()?;
        Document::parse(self.draft.path(), text).ok()?.profiles.remove(&self.name)
    }

    /// The profile as the owner of its secrets.
    pub(super) fn owner(&self) -> Owner {
        Owner::of(self.draft.path(), &self.name)
    }

    /// Our turn, which lasts until the profile is written.
    pub(super) fn turn(&self) -> &Turn {
        &self.turn
    }

    /// Writes the profile, and says where.
    ///
    /// # Errors
    /// Exit 3: the file cannot be written.
    pub(super) fn put(mut self, profile: &Profile, around: &Surroundings) -> Result<PathBuf, Failure> {
        self.draft.put(&self.name, profile)?;
        save(&self.draft, &self.turn, around)?;
        let path = self.draft.path().to_owned();
        around.output.note(&format!("profile {} is in {}", self.name, path.display()));
        Ok(path)
    }
}

/// Writes a changed file. What was trusted is trusted as it is now; what we made is trusted.
///
/// # Errors
/// Exit 3: it cannot be written.
pub(super) fn save(draft: &Draft, _turn: &Turn, around: &Surroundings) -> Result<(), Failure> {
    let own = around.environment.configuration_directory().map(|directory| directory.join(FILE_NAME));
    let mut trusted = TrustedFiles::load(&around.environment)?;
    let before = trusted.standing(draft.path(), draft.unchanged());
    let written = draft.save(around.random.as_ref())?;
    let is_own = own.and_then(|own| own.canonicalize().ok()).is_some_and(|own| own == draft.path());
    if !is_own && (draft.before() == Before::Absent || before == Trust::Trusted) {
        trusted.add(draft.path(), &written);
        trusted.save(around.random.as_ref())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use m2m_io::{OsRandom, SystemClock};

    use super::*;
    use crate::args::Global;
    use crate::output::{Output, Stream};
    use crate::settings::env::Environment;

    fn around(place: &Path) -> Surroundings {
        let work = place.join("work");
        std::fs::create_dir(&work).unwrap();
        Surroundings {
            output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
            environment: Environment::of([("XDG_CONFIG_HOME", place.to_str().unwrap())]),
            directory: work,
            global: Global::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        }
    }

    async fn put(target: Target, around: &Surroundings) -> Result<PathBuf, Failure> {
        target.open(around).await?.put(&Profile::new(), around)
    }

    #[tokio::test]
    async fn what_others_wrote_since_we_looked_stays() {
        let place = tempfile::tempdir().unwrap();
        let around = around(place.path());
        for here in [false, true] {
            let typed = Destination { here, ..Destination::default() };
            let target = |name| target(&typed, name, &around).unwrap();
            // All of them have looked before the first one writes.
            let [a, b, again] = [target("a"), target("b"), target("a")];
            let path = put(a, &around).await.unwrap();
            put(b, &around).await.unwrap();
            let failure = put(again, &around).await.unwrap_err();
            assert!(failure.message().ends_with("has a profile a already"), "{}", failure.message());
            assert_eq!(Draft::open(&path).unwrap().names(), ["a", "b"]);
        }
    }

    /// Never reaches the end of a wait by waiting.
    #[derive(Debug)]
    struct Leaping(std::sync::Mutex<Duration>);

    impl m2m_io::Clock for Leaping {
        fn wall(&self) -> m2m_proto::time::UnixTime {
            m2m_proto::time::UnixTime::from_seconds(1_700_000_000)
        }

        fn monotonic(&self) -> Duration {
            *self.0.lock().unwrap()
        }

        fn sleep(&self, duration: Duration) -> m2m_io::BoxFuture<'static, ()> {
            *self.0.lock().unwrap() += duration;
            Box::pin(std::future::ready(()))
        }
    }

    #[tokio::test]
    async fn one_at_a_time_changes_settings() {
        let place = tempfile::tempdir().unwrap();
        let around = Surroundings { clock: Arc::new(Leaping(Default::default())), ..around(place.path()) };
        let typed = Destination { here: true, ..Destination::default() };
        let turn = Turn::take(None, &around).await.unwrap();
        let failure = put(target(&typed, "a", &around).unwrap(), &around).await.unwrap_err();
        assert!(failure.message().contains("another process holds the lock"), "{}", failure.message());
        std::fs::write(around.directory.join(FILE_NAME), "").unwrap();
        let trust = super::super::trust::run(&Default::default(), &around).await.unwrap_err();
        assert!(trust.message().contains("another process holds the lock"), "{}", trust.message());
        drop(turn);
        put(target(&typed, "a", &around).unwrap(), &around).await.unwrap();
        assert!(!around.directory.join("m2m.lock").exists(), "nothing is left in a repository");
        let homeless = Surroundings { environment: Environment::default(), ..around };
        let _turn = Turn::take(Some(&homeless.directory.join("own.toml")), &homeless).await.unwrap();
        assert!(homeless.directory.join("own.lock").exists());
    }

    #[tokio::test]
    async fn our_change_makes_no_found_file_trusted() {
        let place = tempfile::tempdir().unwrap();
        let around = around(place.path());
        let around = &around;
        let file = &around.directory.join(FILE_NAME);
        let add = async |name: &str, here| {
            let typed = Destination { here, ..Destination::default() };
            put(target(&typed, name, around).unwrap(), around).await.unwrap();
            let trusted = TrustedFiles::load(&around.environment).unwrap();
            std::fs::read(file).ok().map(|content| trusted.standing(file, &content))
        };
        std::fs::write(file, "# came with the repository\n").unwrap();
        assert_eq!(add("a", true).await, Some(Trust::Found));
        let mut trusted = TrustedFiles::load(&around.environment).unwrap();
        trusted.add(file, &std::fs::read(file).unwrap());
        trusted.save(&OsRandom).unwrap();
        assert_eq!(add("b", true).await, Some(Trust::Trusted), "it was trusted before");
        std::fs::write(file, "# changed by somebody else\n").unwrap();
        assert_eq!(add("c", true).await, Some(Trust::Changed));
        std::fs::remove_file(file).unwrap();
        assert_eq!(add("d", true).await, Some(Trust::Trusted), "it is ours");
        std::fs::remove_file(file).unwrap();
        assert_eq!(add("e", false).await, None, "the user's own file");
    }
}
