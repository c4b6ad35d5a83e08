//! `m2m completion`: a script from the same definition as `--help`.

use clap::CommandFactory as _;

use crate::Surroundings;
use crate::args::{Cli, Completion};
use crate::exit::{Exit, Failure};

pub(crate) fn run(typed: &Completion, around: &Surroundings) -> Result<Exit, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(typed.shell, &mut Cli::command(), "m2m", &mut script);
    around.output.bytes(&script)?;
    Ok(Exit::Ok)
}
