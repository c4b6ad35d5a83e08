//! `cargo xtask sbom`: what the binary is made of, as CycloneDX 1.6.
//!
//! Enforces: the packages that Cargo links into `m2m`, at the versions and with the checksums of Cargo.lock. The same
//! source gives the same bytes: no time and no random number is in it.
//! Does not enforce: anything about build scripts and macros, which run on the machine that builds and are not listed;
//! C code that a package brings along (aws-lc, SQLite) is a part of that package.

use crate::run;
use anyhow::{Context as _, Result};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

const BINARY: &str = "m2m-cli";

/// Writes `target/m2m.cdx.json` and says so.
pub(crate) fn write() -> Result<()> {
    let path = run::target().join("m2m.cdx.json");
    let text = serde_json::to_string_pretty(&bill()?)?;
    fs::write(&path, text + "\n").with_context(|| format!("cannot write {}", path.display()))?;
    println!("{}", path.display());
    Ok(())
}

/// One line of `cargo tree`.
struct Line {
    depth: usize,
    name: String,
    version: String,
    licence: String,
}

impl Line {
    /// `2m2m-io v0.1.0 (/path)|MIT`, as `--prefix depth` writes it.
    fn parse(text: &str) -> Option<Self> {
        let digits = text.find(|c: char| !c.is_ascii_digit())?;
        let (depth, rest) = text.split_at(digits);
        let (package, licence) = rest.split_once('|')?;
        let mut words = package.split(' ');
        let (name, version) = (words.next()?, words.next()?.strip_prefix('v')?);
        Some(Self {
            depth: depth.parse().ok()?,
            name: name.to_owned(),
            version: version.to_owned(),
            licence: licence.to_owned(),
        })
    }

    fn reference(&self) -> String {
        format!("pkg:cargo/{}@{}", self.name, self.version)
    }
}

fn bill() -> Result<Value> {
    let mut tree = run::cargo();
    tree.args(["tree", "--locked", "--package", BINARY, "--edges", "normal,no-proc-macro", "--no-dedupe"]);
    tree.args(["--prefix", "depth", "--format", "{p}|{l}"]);
    let text = run::output(&mut tree)?;
    let lines: Vec<Line> = text
        .lines()
        .map(|line| Line::parse(line).with_context(|| format!("cargo tree said {line:?}")))
        .collect::<Result<_>>()?;
    let checksums = checksums()?;
    let root = lines.first().context("cargo tree said nothing")?;
    let components: BTreeMap<String, Value> = lines
        .iter()
        .filter(|line| line.depth > 0)
        .map(|line| (line.reference(), component(line, checksums.get(&line.reference()))))
        .collect();
    let dependencies: Vec<Value> =
        edges(&lines).into_iter().map(|(from, to)| json!({ "ref": from, "dependsOn": to })).collect();
    Ok(json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": { "component": {
            "type": "application", "bom-ref": root.reference(), "name": "m2m", "version": root.version,
            "purl": root.reference(), "licenses": [{ "expression": root.licence }],
        } },
        "components": components.into_values().collect::<Vec<_>>(),
        "dependencies": dependencies,
    }))
}

fn component(line: &Line, checksum: Option<&String>) -> Value {
    let mut component = json!({
        "type": "library", "bom-ref": line.reference(), "name": line.name, "version": line.version,
        "purl": line.reference(),
    });
    if !line.licence.is_empty() {
        // Older packages separate alternatives by a slash.
        component["licenses"] = json!([{ "expression": line.licence.replace('/', " OR ") }]);
    }
    if let Some(checksum) = checksum {
        component["hashes"] = json!([{ "alg": "SHA-256", "content": checksum }]);
    }
    component
}

/// Who is linked with whom: each line depends on the ones that stand one step deeper below it.
fn edges(lines: &[Line]) -> BTreeMap<String, BTreeSet<String>> {
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let mut above: Vec<String> = Vec::new();
    for line in lines {
        above.truncate(line.depth);
        edges.entry(line.reference()).or_default();
        if let Some(parent) = above.last() {
            edges.entry(parent.clone()).or_default().insert(line.reference());
        }
        above.push(line.reference());
    }
    edges
}

/// What Cargo.lock says of each package of a registry.
fn checksums() -> Result<BTreeMap<String, String>> {
    let lock: toml::Table = fs::read_to_string(run::root().join("Cargo.lock"))?.parse()?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let text = |package: &toml::Value, key: &str| Some(package.get(key)?.as_str()?.to_owned());
    let row = |package: &toml::Value| {
        let reference = format!("pkg:cargo/{}@{}", text(package, "name")?, text(package, "version")?);
        Some((reference, text(package, "checksum")?))
    };
    Ok(packages.iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::{bill, edges};
    use crate::run;
    use std::process::Command;

    #[test]
    fn the_bill_names_what_is_linked_and_only_that() {
        let bill = bill().unwrap();
        let components = bill["components"].as_array().unwrap();
        let named = |name: &str| components.iter().find(|component| component["name"] == name);
        for linked in ["m2m-proto", "aws-lc-rs", "rustls", "axum"] {
            assert!(named(linked).is_some(), "{linked}");
        }
        for absent in ["serde_derive", "cc", "proptest", "m2m-testkit"] {
            assert!(named(absent).is_none(), "{absent}");
        }
        assert_eq!(named("axum").unwrap()["hashes"][0]["content"].as_str().unwrap().len(), 64);
        assert_eq!(bill, super::bill().unwrap(), "the same source, the same bytes");
        let references: Vec<&str> = components.iter().map(|one| one["bom-ref"].as_str().unwrap()).collect();
        for dependency in bill["dependencies"].as_array().unwrap() {
            for to in dependency["dependsOn"].as_array().unwrap() {
                assert!(references.contains(&to.as_str().unwrap()), "{to}");
            }
        }
    }

    #[test]
    fn the_schema_of_cyclonedx_takes_it() {
        let home = run::target().join("peers/packaging");
        let python = home.join("venv/bin/python");
        if !python.is_file() {
            eprintln!("skipped: packaging is not fetched; run cargo xtask peers");
            return;
        }
        let path = run::target().join("m2m.cdx.test.json");
        std::fs::write(&path, bill().unwrap().to_string()).unwrap();
        let mut judge = Command::new(python);
        let said = judge.arg(home.join("judge.py")).arg("cyclonedx").arg(&path).output().unwrap();
        std::fs::remove_file(&path).unwrap();
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
    }

    #[test]
    fn lines_become_edges_by_their_depth() {
        let lines: Vec<_> = ["0a v1.0.0|", "1b v1.0.0|", "2c v1.0.0|", "1c v1.0.0|"]
            .iter()
            .map(|line| super::Line::parse(line).unwrap())
            .collect();
        let edges = edges(&lines);
        let of = |name: &str| edges[name].iter().map(String::as_str).collect::<Vec<_>>();
        assert_eq!(of("pkg:cargo/a@1.0.0"), ["pkg:cargo/b@1.0.0", "pkg:cargo/c@1.0.0"]);
        assert_eq!(of("pkg:cargo/b@1.0.0"), ["pkg:cargo/c@1.0.0"]);
        assert!(of("pkg:cargo/c@1.0.0").is_empty());
    }
}
