//! `m2m profile`: one file for each of its commands.

mod export;
mod schema;

use crate::Surroundings;
use crate::args::{Profile, ProfileCommand};
use crate::exit::{Exit, Failure};

pub(crate) async fn run(typed: &Profile, around: &Surroundings) -> Result<Exit, Failure> {
    match &typed.command {
        ProfileCommand::Export(typed) => export::run(typed, around).await,
        ProfileCommand::Schema(typed) => schema::run(typed, around),
    }
}
