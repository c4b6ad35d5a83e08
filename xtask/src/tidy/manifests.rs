//! The manifests: which crate of ours may depend on which, what proto may depend
//! on at all, and that every feature is documented.

use super::Finding;
use crate::check::our_packages;
use crate::run;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fs;

/// The arrows of ARCHITECTURE.md. A crate that is not here is refused.
const ARROWS: &[(&str, &[&str])] = &[
    ("m2m-proto", &[]),
    ("m2m-io", &["m2m-proto"]),
    ("m2m-client", &["m2m-proto", "m2m-io"]),
    ("m2m-resource-server", &["m2m-proto", "m2m-io", "m2m-client"]),
    ("m2m-authorization-server", &["m2m-proto", "m2m-io"]),
    ("m2m-cli", &["m2m-proto", "m2m-io", "m2m-client", "m2m-resource-server", "m2m-authorization-server"]),
    (
        "m2m-testkit",
        &["m2m-proto", "m2m-io", "m2m-client", "m2m-resource-server", "m2m-authorization-server", "m2m-cli"],
    ),
    ("xtask", &[]),
];

/// All that the protocol core may be built from.
const PROTO: &[&str] = &[
    "aws-lc-rs",
    "base64",
    "bytes",
    "flate2",
    "http",
    "rustls-pki-types",
    "rustls-webpki",
    "serde",
    "serde_json",
    "smol_str",
    "subtle",
    "thiserror",
    "zeroize",
    "arbitrary",
];

/// Reads `cargo metadata` and the manifests.
pub(crate) fn check() -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in our_packages()? {
        let name = text(&package, "name")?;
        let manifest = text(&package, "manifest_path")?;
        findings.extend(dependencies(name, &package)?);
        let source = fs::read_to_string(manifest).with_context(|| format!("cannot read {manifest}"))?;
        let root = run::root();
        let place =
            manifest.strip_prefix(&*root.to_string_lossy()).unwrap_or(manifest).trim_start_matches('/');
        findings.extend(features(place, &source));
        if !source.contains("[lints]\nworkspace = true") {
            findings.push(finding(place, "does not take the lints of the workspace"));
        }
    }
    Ok(findings)
}

fn finding(place: &str, text: impl Into<String>) -> Finding {
    Finding { place: place.to_owned(), text: text.into() }
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value.get(key).and_then(Value::as_str).with_context(|| format!("cargo metadata has no {key}"))
}

fn dependencies(name: &str, package: &Value) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    let Some((_, allowed)) = ARROWS.iter().find(|(ours, _)| *ours == name) else {
        return Ok(vec![finding(name, "a new crate needs its row in xtask/src/tidy/manifests.rs")]);
    };
    let list = package
        .get("dependencies")
        .and_then(Value::as_array)
        .context("cargo metadata has no dependencies")?;
    for dependency in list {
        let target = text(dependency, "name")?;
        let development = dependency.get("kind").and_then(Value::as_str) == Some("dev");
        let optional = dependency.get("optional").and_then(Value::as_bool) == Some(true);
        if ARROWS.iter().any(|(ours, _)| *ours == target) && !allowed.contains(&target) {
            findings.push(finding(name, format!("may not depend on {target}")));
        }
        if name == "m2m-proto" && !development && !PROTO.contains(&target) {
            findings
                .push(finding(name, format!("{target} is not among what the protocol core is built from")));
        }
        if name == "m2m-resource-server" && target == "m2m-client" && !optional {
            findings.push(finding(name, "depends on m2m-client only by feature introspection"));
        }
    }
    Ok(findings)
}

/// A feature has a `## ` line above it; `default` needs none.
fn features(place: &str, manifest: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut inside = false;
    let mut documented = false;
    for line in manifest.lines() {
        if line.starts_with('[') {
            inside = line == "[features]";
        } else if inside && line.contains('=') && !line.starts_with([' ', '#']) {
            let name = line.split('=').next().unwrap_or_default().trim();
            if name != "default" && !documented {
                findings
                    .push(finding(place, format!("feature {name} has no `## ` line that says what it adds")));
            }
        }
        documented = line.starts_with("## ");
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::{dependencies, features};
    use serde_json::json;

    #[track_caller]
    fn finds(name: &str, dependency: &serde_json::Value, count: usize) {
        let package = json!({ "dependencies": [dependency] });
        assert_eq!(dependencies(name, &package).unwrap().len(), count, "{name} {dependency}");
    }

    #[test]
    fn arrows_point_downwards() {
        finds("m2m-io", &json!({ "name": "m2m-proto" }), 0);
        finds("m2m-proto", &json!({ "name": "m2m-io" }), 2);
        finds("m2m-proto", &json!({ "name": "tokio" }), 1);
        finds("m2m-proto", &json!({ "name": "proptest", "kind": "dev" }), 0);
        finds("m2m-authorization-server", &json!({ "name": "m2m-client" }), 1);
        finds("m2m-resource-server", &json!({ "name": "m2m-client", "optional": true }), 0);
        finds("m2m-resource-server", &json!({ "name": "m2m-client", "optional": false }), 1);
        assert_eq!(dependencies("m2m-more", &json!({})).unwrap().len(), 1);
    }

    #[test]
    fn a_feature_is_documented() {
        assert_eq!(features("a", "[features]\ndefault = []\n## What it adds.\nx = []\n").len(), 0);
        assert_eq!(features("a", "[features]\nx = []\n[other]\ny = 1\n").len(), 1);
    }
}
