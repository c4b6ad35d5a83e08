//! The environment, read once. The only place in the workspace that asks the system for variables; everything
//! else receives this value, so that tests state their environment instead of changing the process's.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;

/// A copy of the environment at start.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl std::fmt::Debug for Environment {
    /// Names nothing: variables hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Environment({} variables)", self.0.len())
    }
}

impl Environment {
    /// The process's environment. Variables whose name is not UTF-8 are left out.
    #[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
    pub fn process() -> Self {
        Self(
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value))).collect(),
        )
    }

    /// An environment with these variables.
    pub fn of<const N: usize>(pairs: [(&str, &str); N]) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// The value of a variable; an empty one counts as not set, a value that is not UTF-8 as unreadable.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.to_str().filter(|value| !value.is_empty())
    }

    /// Whether the variable is there with any value that is not empty.
    pub fn is_set(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    /// A variable that names an absolute path.
    pub fn directory(&self, name: &str) -> Option<PathBuf> {
        self.0.get(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// Where this user's configuration lives: `$XDG_CONFIG_HOME/m2m`, `~/.config/m2m`, on macOS
    /// `~/Library/Application Support/m2m`.
    pub fn configuration_directory(&self) -> Option<PathBuf> {
        let home = || self.directory("HOME");
        let base = match self.directory("XDG_CONFIG_HOME") {
            Some(base) => base,
            None if cfg!(target_os = "macos") => home()?.join("Library/Application Support"),
            None => home()?.join(".config"),
        };
        Some(base.join("m2m"))
    }

    /// Where kept tokens live: `$XDG_CACHE_HOME/m2m`, `~/.cache/m2m`, on macOS `~/Library/Caches/m2m`.
    pub fn cache_directory(&self) -> Option<PathBuf> {
        let home = || self.directory("HOME");
        let base = match self.directory("XDG_CACHE_HOME") {
            Some(base) => base,
            None if cfg!(target_os = "macos") => home()?.join("Library/Caches"),
            None => home()?.join(".cache"),
        };
        Some(base.join("m2m"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_follow_the_platform_and_ignore_relative_paths() {
        let xdg =
            Environment::of([("HOME", "/home/a"), ("XDG_CONFIG_HOME", "/c"), ("XDG_CACHE_HOME", "rel")]);
        assert_eq!(xdg.configuration_directory(), Some("/c/m2m".into()));
        if !cfg!(target_os = "macos") {
            assert_eq!(xdg.cache_directory(), Some("/home/a/.cache/m2m".into()));
        }
        assert_eq!(Environment::default().configuration_directory(), None);
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(format!("{:?}", Environment::of([("A", "hunter2")])), "Environment(1 variables)");
    }
}
