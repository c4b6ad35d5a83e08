//! `m2m profile test`: one token request of a profile, told.

use super::{named, trial};
use crate::Surroundings;
use crate::args::ProfileTest;
use crate::connect;
use crate::exit::{Exit, Failure};

pub(super) async fn run(typed: &ProfileTest, around: &Surroundings) -> Result<Exit, Failure> {
    let global = named(&around.global, typed.name.as_deref());
    let settings = connect::settings_for(&global, &typed.profile, around)?;
    trial::run(&settings, around).await?.tell(around)
}
