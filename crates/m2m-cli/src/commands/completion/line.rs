//! What a line says so far that decides about what may come next: which file of settings, which profile, and the values
//! of other flags. Read as text, not parsed: the line is not finished.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use m2m_io::{OsRandom, SystemClock};

use crate::Surroundings;
use crate::args::Global;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;
use crate::settings::search::{self, Files, Start};

/// The words before the cursor, and where they stand.
#[derive(Debug)]
pub(super) struct Line {
    /// Without the command's own name; the last one is what is being typed.
    words: Vec<String>,
    environment: Environment,
    directory: PathBuf,
}

impl Line {
    /// The words of the shell, the first of which is `m2m`.
    pub(super) fn of(words: &[OsString], environment: &Environment, directory: PathBuf) -> Self {
        let words = words.iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
        Self { words, environment: environment.clone(), directory }
    }

    /// The words that are finished.
    pub(super) fn finished(&self) -> &[String] {
        self.words.split_last().map_or(&[], |(_, finished)| finished)
    }

    /// The value of a flag, in the forms `--flag value` and `--flag=value`; the last one counts.
    pub(super) fn flag(&self, name: &str) -> Option<&str> {
        let finished = self.finished();
        finished.iter().enumerate().rev().find_map(|(at, word)| {
            let rest = word.strip_prefix(name)?;
            match rest.strip_prefix('=') {
                Some(value) => Some(value),
                None if rest.is_empty() => finished.get(at + 1).map(String::as_str),
                None => None,
            }
        })
    }

    /// The files of settings that apply; none where one is broken.
    pub(super) fn files(&self) -> Files {
        let config = self.flag("--config").map(Path::new);
        search::find(Start { config, directory: &self.directory, environment: &self.environment })
            .unwrap_or_default()
    }

    /// What a command has, with streams that nobody reads.
    pub(super) fn surroundings(&self) -> Surroundings {
        let nobody = [Stream::Pipe, Stream::Pipe];
        let profile = self.flag("--profile").or_else(|| self.flag("-p")).map(str::to_owned);
        Surroundings {
            output: Output::to(Box::new(io::sink()), Box::new(io::sink()), nobody),
            environment: self.environment.clone(),
            directory: self.directory.clone(),
            global: Global { profile, config: self.flag("--config").map(PathBuf::from), verbose: 0 },
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        }
    }
}
