//! `--as compose`: a service with its profile as a config and its secrets as secrets.

use super::mounted::{CONFIGURATION, FILE, Mount, block, of};
use super::{Notes, Plan};
use crate::exit::Failure;
use crate::quote::yaml;
use crate::settings::secret::SecretReference;

/// Where compose mounts secrets.
const SECRETS: &str = "/run/secrets";

pub(super) fn write(plan: &Plan<'_>) -> Result<String, Failure> {
    let mut mounted = of(plan, SECRETS)?;
    let label = plan.label();
    let mut text = format!(
        "services:\n  {}:\n    image: registry.example.com/{label}:latest # yours, with m2m in it\n    \
         environment:\n      XDG_CONFIG_HOME: {CONFIGURATION}\n    configs:\n      - source: m2m\n        \
         target: {FILE}\n",
        yaml(&label)
    );
    if !mounted.mounts.is_empty() {
        text.push_str("    secrets:\n");
    }
    for mount in &mounted.mounts {
        text.push_str(&format!("      - {}\n", mount.field));
    }
    text.push_str(&format!("configs:\n  m2m:\n    content: {}", block(&escaped(&mounted.toml), 6)));
    if !mounted.mounts.is_empty() {
        text.push_str("secrets:\n");
    }
    for mount in &mounted.mounts {
        text.push_str(&secret(mount, &mut mounted.notes));
    }
    Ok(mounted.notes.comments("#") + &text)
}

fn secret(Mount { field, source }: &Mount, notes: &mut Notes) -> String {
    let place = match source {
        SecretReference::Env(name) => format!("environment: {}", yaml(name)),
        SecretReference::File(path) => format!("file: {}", yaml(&escaped(&path.to_string_lossy()))),
        other => {
            notes.add(format!("{field} comes from {other}: write it to the file that secrets.{field} names"));
            format!("file: ./{field}")
        }
    };
    format!("  {field}:\n    {place}\n")
}

/// Compose takes `$` for the start of a variable.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
