//! `m2m man`: manual pages from the same definition as `--help`.
//!
//! One page goes to standard output as man(7) source, or all of them into a directory, under the names that `man` looks
//! for: `m2m.1`, `m2m-admin-client-create.1`.

mod page;
mod roff;
mod sections;

use std::path::Path;

use clap::{Command, CommandFactory as _};

use crate::Surroundings;
use crate::args::{Cli, Man};
use crate::exit::{Exit, Failure};

pub(crate) fn run(typed: &Man, around: &Surroundings) -> Result<Exit, Failure> {
    let mut root = Cli::command();
    root.build();
    match &typed.dir {
        Some(directory) => write_all(&mut root, directory)?,
        None => around.output.bytes(page::of(find(&mut root, &typed.command)?).as_bytes())?,
    }
    Ok(Exit::Ok)
}

fn find<'a>(root: &'a mut Command, words: &[String]) -> Result<&'a mut Command, Failure> {
    let mut command = root;
    for word in words {
        let above = page::name(command).replace('-', " ");
        let Some(inner) = command.find_subcommand_mut(word) else {
            return Err(Failure::usage(format!("{above} has no command {word}"))
                .hint(format!("{above} --help lists its commands")));
        };
        command = inner;
    }
    Ok(command)
}

fn write_all(command: &mut Command, directory: &Path) -> Result<(), Failure> {
    let failed = |path: &Path, error: &std::io::Error| {
        Failure::configuration(format!("{} cannot be written: {error}", path.display()))
    };
    std::fs::create_dir_all(directory).map_err(|error| failed(directory, &error))?;
    let path = directory.join(format!("{}.1", page::name(command)));
    std::fs::write(&path, page::of(command)).map_err(|error| failed(&path, &error))?;
    for inner in command.get_subcommands_mut().filter(|inner| !inner.is_hide_set()) {
        write_all(inner, directory)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
