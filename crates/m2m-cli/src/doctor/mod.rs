//! `m2m doctor`: why it fails, in the order of causes.
//!
//! `gather` looks at the world and has `run` run the production engine once; `checks` judges what was seen, in the
//! order of [`catalogue::TABLE`]; a [`finding::Report`] is the result. `docs/troubleshooting.md` is [`page::text`].

pub mod answer;
pub mod catalogue;
mod checks;
pub mod facts;
pub mod finding;
mod gather;
pub mod hidden;
pub mod page;
mod probe;
pub mod record;
mod run;
mod secrets;
mod way;

use crate::Surroundings;
use crate::args::ProfileFlags;
use finding::Report;

/// How far the doctor goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effort {
    /// One token request, as `m2m token` makes it.
    Once,
    /// If the client is refused, other methods and spellings too, each of which may count as a failed login.
    Probe,
}

/// Looks at everything. Never fails: whatever is wrong is a finding.
pub async fn examine(flags: &ProfileFlags, effort: Effort, around: &Surroundings) -> Report {
    checks::judge(&gather::facts(flags, effort, around).await)
}
