//! A profile for a container: its secrets are files that the platform mounts, and everything else is an `m2m.toml`
//! that it mounts too. Kubernetes and docker compose only differ in how they say so.

use super::{Notes, Plan, toml};
use crate::exit::Failure;
use crate::settings::field::{Field, Shape};
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

/// The directory that `$XDG_CONFIG_HOME` names, so that the file in it counts as the user's own.
pub(super) const CONFIGURATION: &str = "/etc";
/// The mounted file.
pub(super) const FILE: &str = "/etc/m2m/m2m.toml";

/// A secret that the platform has to mount.
pub(super) struct Mount {
    /// The field, whose key is the name of the file.
    pub(super) field: Field,
    /// Where the secret is now.
    pub(super) source: SecretReference,
}

/// The profile with secrets as they are mounted.
pub(super) struct Mounted {
    /// The text of `m2m.toml`.
    pub(super) toml: String,
    /// What it refers to.
    pub(super) mounts: Vec<Mount>,
    /// What has to be done by hand.
    pub(super) notes: Notes,
}

/// Moves every secret to its mount in this directory.
pub(super) fn of(plan: &Plan<'_>, directory: &str) -> Result<Mounted, Failure> {
    let (mut mounts, mut notes, mut values) = (Vec::new(), Notes::default(), Vec::new());
    for (field, value) in plan.stated() {
        let value = match value {
            // A token that the platform itself writes and renews stays where the platform puts it.
            Value::Secret(reference) if field == Field::WorkloadToken => Value::Secret(reference),
            Value::Secret(source) => {
                mounts.push(Mount { field, source });
                Value::Secret(SecretReference::File(format!("{directory}/{field}").into()))
            }
            Value::Text(path) if field.shape() == Shape::Path => {
                notes.add(format!("{field} is {path}, which has to be in the image or mounted too"));
                Value::Text(path)
            }
            other => other,
        };
        values.push((field, value));
    }
    let table = toml::profile(plan.name(), values.into_iter(), &mut notes)?;
    let toml = format!("default = {}\n\n{table}{}", crate::quote::toml(plan.name()), toml::egress(plan));
    Ok(Mounted { toml, mounts, notes })
}

/// A block scalar of YAML, indented by this many spaces.
pub(super) fn block(text: &str, indent: usize) -> String {
    let line = |line: &str| if line.is_empty() { "\n".to_owned() } else { format!("{:indent$}{line}\n", "") };
    format!("|\n{}", text.lines().map(line).collect::<String>())
}
