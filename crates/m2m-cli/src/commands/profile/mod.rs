//! `m2m profile …`: settings kept by name.
//!
//! A profile never holds a secret: what is typed, pasted or imported goes to a place of its own ([`kept`]), and the
//! profile refers to it.

mod add;
pub(super) mod asker;
pub(crate) mod conversation;
pub(crate) mod credential;
pub(crate) mod export;
mod import;
pub(crate) mod judged;
mod kept;
mod list;
mod owners;
mod powers;
pub(crate) mod remove;
pub(crate) mod said;
mod schema;
pub(crate) mod show;
mod test;
pub(crate) mod transcript;
pub(crate) mod trial;
mod trust;
pub(crate) mod wish;
pub(crate) mod written;

use crate::Surroundings;
use crate::args::{Global, Profile, ProfileCommand};
use crate::exit::{Exit, Failure};

pub(crate) async fn run(typed: &Profile, around: &Surroundings) -> Result<Exit, Failure> {
    match &typed.command {
        ProfileCommand::Add(typed) => add::run(typed, around).await,
        ProfileCommand::List(_) => list::run(around),
        ProfileCommand::Show(typed) => show::run(typed, around),
        ProfileCommand::Test(typed) => test::run(typed, around).await,
        ProfileCommand::Remove(typed) => remove::run(typed, around).await,
        ProfileCommand::Import(typed) => import::run(typed, around).await,
        ProfileCommand::Export(typed) => export::run(typed, around).await,
        ProfileCommand::Schema(typed) => schema::run(typed, around),
        ProfileCommand::Trust(typed) => trust::run(typed, around).await,
    }
}

/// The flags that every command has, with the profile that a command names itself.
fn named(global: &Global, name: Option<&str>) -> Global {
    let profile = name.map(str::to_owned).or_else(|| global.profile.clone());
    Global { profile, ..global.clone() }
}

/// Whether a name can be a profile's, and a file's.
pub(crate) fn check_name(name: &str) -> Result<(), Failure> {
    let fine = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || name.len() > 64 || name.starts_with(['.', '-']) || !name.chars().all(fine) {
        return Err(Failure::usage("a profile's name has letters, digits, - _ and . only, at most 64")
            .hint("such as orders or billing-eu"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_files_too() {
        for good in ["orders", "billing-eu", "a.b_c", "7"] {
            assert!(check_name(good).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", ".a", "-a", "a/b", "a b", "ä", "a\n", "a\"", &"a".repeat(65)] {
            assert!(check_name(bad).is_err(), "{bad}");
        }
    }
}
