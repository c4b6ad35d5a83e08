//! Putting a profile into its file: the one that `--config` names, `./m2m.toml` with `--here`, else the user's own.
//!
//! Enforces: nothing is replaced without `--force`; a found file stays trusted over our own change, but is not made
//! trusted by it, unless we make the file.

use std::path::PathBuf;

use crate::Surroundings;
use crate::args::Destination;
use crate::exit::Failure;
use crate::settings::edit::{Before, Draft};
use crate::settings::file::{Document, Profile};
use crate::settings::search::FILE_NAME;
use crate::settings::trust::{Trust, TrustedFiles, no_home};

/// A file that is about to be changed.
pub(super) struct Target {
    pub(super) draft: Draft,
    name: String,
}

/// The file for a profile.
///
/// # Errors
/// Exit 2: two files are named. Exit 3: the file is broken, or has such a profile already and `--force` was not given.
pub(super) fn target(typed: &Destination, name: &str, around: &Surroundings) -> Result<Target, Failure> {
    super::check_name(name)?;
    let draft = Draft::open(&path(typed, around)?)?;
    if draft.contains(name) && !typed.force {
        return Err(Failure::configuration(format!(
            "{} has a profile {name} already",
            draft.path().display()
        ))
        .hint("--force replaces it; or choose another name"));
    }
    Ok(Target { draft, name: name.to_owned() })
}

fn path(typed: &Destination, around: &Surroundings) -> Result<PathBuf, Failure> {
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
    /// What the profile that will be replaced says.
    pub(super) fn before(&self) -> Option<Profile> {
        let text = std::str::from_utf8(self.draft.unchanged()).ok()?;
        Document::parse(self.draft.path(), text).ok()?.profiles.remove(&self.name)
    }

    /// Writes the profile, and says where.
    ///
    /// # Errors
    /// Exit 3: the file cannot be written.
    pub(super) fn put(mut self, profile: &Profile, around: &Surroundings) -> Result<PathBuf, Failure> {
        self.draft.put(&self.name, profile)?;
        save(&self.draft, around)?;
        let path = self.draft.path().to_owned();
        around.output.note(&format!("profile {} is in {}", self.name, path.display()));
        Ok(path)
    }
}

/// Writes a changed file. What was trusted is trusted as it is now; what we made is trusted.
///
/// # Errors
/// Exit 3: it cannot be written.
pub(super) fn save(draft: &Draft, around: &Surroundings) -> Result<(), Failure> {
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

    #[test]
    fn our_change_makes_no_found_file_trusted() {
        let place = tempfile::tempdir().unwrap();
        let work = place.path().join("work");
        std::fs::create_dir(&work).unwrap();
        let around = Surroundings {
            output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
            environment: Environment::of([("XDG_CONFIG_HOME", place.path().to_str().unwrap())]),
            directory: work.clone(),
            global: Global::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        };
        let file = work.join(FILE_NAME);
        let add = |name: &str, here| {
            let typed = Destination { here, ..Destination::default() };
            target(&typed, name, &around).unwrap().put(&Profile::new(), &around).unwrap();
            let trusted = TrustedFiles::load(&around.environment).unwrap();
            std::fs::read(&file).ok().map(|content| trusted.standing(&file, &content))
        };
        std::fs::write(&file, "# came with the repository\n").unwrap();
        assert_eq!(add("a", true), Some(Trust::Found));
        let mut trusted = TrustedFiles::load(&around.environment).unwrap();
        trusted.add(&file, &std::fs::read(&file).unwrap());
        trusted.save(&OsRandom).unwrap();
        assert_eq!(add("b", true), Some(Trust::Trusted), "it was trusted before");
        std::fs::write(&file, "# changed by somebody else\n").unwrap();
        assert_eq!(add("c", true), Some(Trust::Changed));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(add("d", true), Some(Trust::Trusted), "it is ours");
        std::fs::remove_file(&file).unwrap();
        assert_eq!(add("e", false), None, "the user's own file");
    }
}
