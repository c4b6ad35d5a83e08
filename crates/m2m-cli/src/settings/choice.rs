//! Which profile applies.

use super::field::Field;
use super::file::Profile;
use super::search::Located;
use crate::exit::Failure;

/// Whether flags and environment stand alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NeedOfProfile {
    /// They name server and client.
    None,
    /// Something is missing.
    Some,
}

/// What these layers leave open.
pub(super) fn need(layers: &[&Profile]) -> NeedOfProfile {
    let named = |field| layers.iter().any(|layer| layer.contains_key(field));
    let server = [Field::Issuer, Field::TokenUrl, Field::Provider].iter().any(named);
    match named(&Field::ClientId) && server {
        true => NeedOfProfile::None,
        false => NeedOfProfile::Some,
    }
}

/// The profile to use: the named one; else the nearest file's `default`; else its only one.
///
/// # Errors
/// Exit 3: there is none of that name, or no way to choose among several.
pub(super) fn of<'a>(
    files: &'a [Located],
    named: Option<&'a str>,
    need: NeedOfProfile,
) -> Result<Option<(&'a Located, &'a str)>, Failure> {
    if let Some(name) = named {
        let with = files.iter().find(|file| file.document.profiles.contains_key(name));
        return with.map(|file| Some((file, name))).ok_or_else(|| no_profile(files, name));
    }
    let Some(file) = files.iter().find(|file| !file.document.profiles.is_empty()) else { return Ok(None) };
    let document = &file.document;
    if let Some(default) = &document.default {
        if !document.profiles.contains_key(default) {
            return Err(no_profile(files, default));
        }
        return Ok(Some((file, default)));
    }
    match document.profiles.keys().next() {
        Some(only) if document.profiles.len() == 1 => Ok(Some((file, only))),
        _ if need == NeedOfProfile::None => Ok(None),
        _ => Err(Failure::configuration(format!("which profile? there are {}", names(files))).hint(
            "choose one with --profile NAME or M2M_PROFILE, or write default = \"NAME\" into the file",
        )),
    }
}

fn no_profile(files: &[Located], name: &str) -> Failure {
    let failure = Failure::configuration(format!("there is no profile {name}"));
    match names(files) {
        none if none.is_empty() => failure.hint("no m2m.toml with profiles was found; --config names one"),
        names => failure.hint(format!("there are {names}")),
    }
}

fn names(files: &[Located]) -> String {
    let mut names: Vec<&str> =
        files.iter().flat_map(|file| file.document.profiles.keys().map(String::as_str)).collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}
