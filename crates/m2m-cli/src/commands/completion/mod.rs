//! `m2m completion`: the script that makes a shell ask this binary, and what the binary answers.
//!
//! A shell that completes starts `m2m` with [`VARIABLE`] set and the words of the line as arguments; [`answer`] runs
//! before anything else and prints what may come next. [`attach`] says which argument is completed by what; the rest is
//! the same definition as `--help`.
//!
//! Enforces: whoever presses Tab sees candidates or nothing, never an error, a warning or a question; no `{ command }`
//! runs and no keyring is opened; a name that a shell could take for more than a word is left out. Limits: a second
//! for whatever a server has to say, and its first thousand names.

mod attach;
mod bash;
mod line;
mod names;
mod words;

use std::ffi::OsString;
use std::io::Write as _;
use std::sync::Arc;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_complete::env::{Elvish, EnvCompleter, Fish, Powershell, Zsh};

use crate::Surroundings;
use crate::args::{Cli, Completion};
use crate::exit::{Exit, Failure};
use crate::settings::env::Environment;
use line::Line;

/// Set by the scripts of `m2m completion` to the name of the shell.
const VARIABLE: &str = "_M2M_COMPLETE";

const NAME: &str = "m2m";

pub(crate) fn run(typed: &Completion, around: &Surroundings) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    let shell = typed.shell.to_string();
    let written = completer(&shell)
        .map(|completer| completer.write_registration(VARIABLE, NAME, NAME, NAME, &mut script));
    match written {
        Some(Ok(())) => around.output.bytes(&script).map(|()| Exit::Ok),
        _ => Err(Failure::usage(format!("{shell} cannot be completed for"))),
    }
}

/// What a shell asked that completes a line; `None` when this is no such question. Prints candidates in that shell's
/// form, and nothing at all where there are none or the question is wrong.
pub fn answer(arguments: Vec<OsString>, environment: &Environment) -> Option<Exit> {
    let shell = environment.text(VARIABLE)?;
    let words: Vec<OsString> = arguments.into_iter().skip_while(|word| word != "--").skip(1).collect();
    let candidates = candidates(shell, words, environment);
    let mut out = std::io::stdout();
    // A shell that went away has nobody to tell.
    let _closed = out.write_all(&candidates.unwrap_or_default()).and_then(|()| out.flush());
    Some(Exit::Ok)
}

fn candidates(shell: &str, words: Vec<OsString>, environment: &Environment) -> Option<Vec<u8>> {
    let completer = completer(shell)?;
    let directory = std::env::current_dir().ok();
    let line = Line::of(&words, environment, directory.clone().unwrap_or_default());
    let mut command = attach::to(Cli::command(), &Arc::new(line));
    let mut out = Vec::new();
    completer.write_complete(&mut command, words, directory.as_deref(), &mut out).ok()?;
    Some(out)
}

fn completer(shell: &str) -> Option<&'static dyn EnvCompleter> {
    let completer: &dyn EnvCompleter = match shell.parse().ok()? {
        Shell::Bash => &bash::Bash,
        Shell::Elvish => &Elvish,
        Shell::Fish => &Fish,
        Shell::PowerShell => &Powershell,
        Shell::Zsh => &Zsh,
        _ => return None,
    };
    Some(completer)
}

#[cfg(test)]
mod tests;
