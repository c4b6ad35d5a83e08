//! The checks of deny.toml, made from `cargo tree`: doubled versions, crates that
//! only their wrappers may use, licences, sources.

use crate::run;
use anyhow::{Context as _, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Fails with one line per finding.
pub(crate) fn check() -> Result<()> {
    let path = run::root().join("deny.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rules: toml::Table = text.parse().context("deny.toml")?;
    let packages = packages()?;
    let mut findings = doubled(&packages, &list(&rules, "bans", "skip"));
    findings.extend(wrapped(&packages, &list(&rules, "bans", "deny"))?);
    findings.extend(licences(&packages, &words(&rules, "licenses", "allow")));
    findings.extend(sources(&words(&rules, "sources", "allow-registry"))?);
    for finding in &findings {
        eprintln!("deny.toml: {finding}");
    }
    if !findings.is_empty() {
        bail!("{} findings", findings.len());
    }
    println!("{} packages: versions, wrappers, licences, sources ok", packages.len());
    Ok(())
}

/// What is built for the workspace with all features, tests of ours aside.
struct Package {
    name: String,
    version: String,
    licence: String,
    ours: bool,
}

fn packages() -> Result<Vec<Package>> {
    let mut tree = run::cargo();
    tree.args(["tree", "--workspace", "--all-features", "--edges", "normal,build", "--prefix", "none"]);
    tree.args(["--no-dedupe", "--format", "{p}|{l}"]);
    let lines: BTreeSet<String> = run::output(&mut tree)?.lines().map(str::to_owned).collect();
    let mut packages = Vec::new();
    for line in lines.iter().filter(|line| !line.is_empty()) {
        let (package, licence) = line.split_once('|').with_context(|| format!("cargo tree said {line:?}"))?;
        let mut parts = package.split(' ');
        let (Some(name), Some(version)) = (parts.next(), parts.next()) else {
            bail!("cargo tree said {line:?}")
        };
        packages.push(Package {
            name: name.to_owned(),
            version: version.trim_start_matches('v').to_owned(),
            licence: licence.to_owned(),
            ours: package.contains(" (/"),
        });
    }
    Ok(packages)
}

/// The part of a version that says what is compatible: `1` of 1.2.3, `0.4` of 0.4.2.
fn line_of(version: &str) -> String {
    let mut parts = version.split(['.', '-', '+']);
    match (parts.next(), parts.next()) {
        (Some("0"), Some(minor)) => format!("0.{minor}"),
        (Some(major), _) => major.to_owned(),
        (None, _) => String::new(),
    }
}

fn doubled(packages: &[Package], skip: &[toml::Table]) -> Vec<String> {
    let mut lines: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for package in packages {
        lines.entry(&package.name).or_default().insert(line_of(&package.version));
    }
    let skipped: Vec<&str> = skip.iter().filter_map(|entry| entry.get("crate")?.as_str()).collect();
    let mut findings = Vec::new();
    for (name, versions) in &lines {
        let left = versions
            .iter()
            .filter(|version| !skipped.contains(&format!("{name}@{version}").as_str()))
            .count();
        if left > 1 {
            let versions: Vec<&str> = versions.iter().map(String::as_str).collect();
            findings.push(format!(
                "{name} is built in versions {}: unify them or give a reason under skip",
                versions.join(" and ")
            ));
        }
    }
    for entry in skipped {
        let (name, version) = entry.split_once('@').unwrap_or((entry, ""));
        if !lines.get(name).is_some_and(|versions| versions.len() > 1 && versions.contains(version)) {
            findings.push(format!("skip names {entry}, which is not doubled any more"));
        }
    }
    findings
}

fn wrapped(packages: &[Package], rules: &[toml::Table]) -> Result<Vec<String>> {
    let mut findings = Vec::new();
    for rule in rules {
        let name = rule.get("crate").and_then(toml::Value::as_str).context("deny entry without crate")?;
        let reason = rule.get("reason").and_then(toml::Value::as_str).context("deny entry without reason")?;
        let wrappers: Vec<&str> = rule
            .get("wrappers")
            .and_then(toml::Value::as_array)
            .map(|list| list.iter().filter_map(toml::Value::as_str).collect())
            .unwrap_or_default();
        for package in packages.iter().filter(|package| package.name == name) {
            for user in users(name, &package.version)? {
                if !wrappers.contains(&user.as_str()) {
                    findings.push(format!("{user} uses {name}: {reason}"));
                }
            }
        }
    }
    Ok(findings)
}

/// The crates that depend directly on one version of a crate.
fn users(name: &str, version: &str) -> Result<BTreeSet<String>> {
    let mut tree = run::cargo();
    tree.args(["tree", "--workspace", "--all-features", "--edges", "normal,build", "--prefix", "depth"]);
    tree.args(["--depth", "1", "--invert", &format!("{name}@{version}"), "--format", " {p}"]);
    let text = run::output(&mut tree)?;
    let direct = text.lines().filter_map(|line| line.strip_prefix("1 "));
    Ok(direct.filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
}

fn licences(packages: &[Package], allowed: &[String]) -> Vec<String> {
    let strangers = packages.iter().filter(|package| !package.ours);
    let bad = strangers.filter(|package| !licence_allowed(&package.licence, allowed));
    bad.map(|package| format!("{} {} has licence {:?}", package.name, package.version, package.licence))
        .collect()
}

/// Reads an SPDX expression: AND binds tighter than OR, `/` is an old OR.
fn licence_allowed(expression: &str, allowed: &[String]) -> bool {
    let text =
        expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ").replace(" WITH ", "+WITH+");
    let mut words: Vec<&str> = text.split_whitespace().rev().collect();
    any_of(&mut words, allowed) && words.is_empty()
}

fn any_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut result = all_of(words, allowed);
    while words.last() == Some(&"OR") {
        words.pop();
        result |= all_of(words, allowed);
    }
    result
}

fn all_of(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    let mut result = one(words, allowed);
    while words.last() == Some(&"AND") {
        words.pop();
        result &= one(words, allowed);
    }
    result
}

fn one(words: &mut Vec<&str>, allowed: &[String]) -> bool {
    match words.pop() {
        Some("(") => {
            let result = any_of(words, allowed);
            words.pop() == Some(")") && result
        }
        Some(word) => allowed.contains(&word.replace("+WITH+", " WITH ")),
        None => false,
    }
}

fn sources(allowed: &[String]) -> Result<Vec<String>> {
    let lock: toml::Table =
        fs::read_to_string(run::root().join("Cargo.lock"))?.parse().context("Cargo.lock")?;
    let packages =
        lock.get("package").and_then(toml::Value::as_array).context("Cargo.lock has no packages")?;
    let mut findings = BTreeSet::new();
    for source in packages.iter().filter_map(|package| package.get("source")?.as_str()) {
        if !source.strip_prefix("registry+").is_some_and(|registry| allowed.iter().any(|ok| ok == registry)) {
            findings.insert(format!("source {source} is not allowed"));
        }
    }
    Ok(findings.into_iter().collect())
}

fn list(rules: &toml::Table, section: &str, key: &str) -> Vec<toml::Table> {
    let array = rules.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    array
        .map(|array| array.iter().filter_map(|entry| entry.as_table().cloned()).collect())
        .unwrap_or_default()
}

fn words(rules: &toml::Table, section: &str, key: &str) -> Vec<String> {
    let array = rules.get(section).and_then(|section| section.get(key)).and_then(toml::Value::as_array);
    array
        .map(|array| array.iter().filter_map(|word| word.as_str().map(str::to_owned)).collect())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{Package, doubled, licence_allowed, line_of};

    #[test]
    fn a_licence_expression_is_read_as_spdx_says() {
        let allowed = ["MIT".to_owned(), "ISC".to_owned(), "Apache-2.0 WITH LLVM-exception".to_owned()];
        for good in [
            "MIT",
            "GPL-3.0 OR MIT",
            "MIT AND ISC",
            "ISC AND (GPL-3.0 OR MIT)",
            "Apache-2.0/MIT",
            "Apache-2.0 WITH LLVM-exception OR GPL-3.0",
        ] {
            assert!(licence_allowed(good, &allowed), "{good}");
        }
        for bad in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT AND (GPL-3.0 OR AGPL-3.0)", "(MIT", "MIT GPL-3.0"]
        {
            assert!(!licence_allowed(bad, &allowed), "{bad}");
        }
    }

    #[test]
    fn a_doubled_version_needs_a_reason_and_a_reason_needs_a_doubled_version() {
        let package = |version: &str| Package {
            name: "syn".to_owned(),
            version: version.to_owned(),
            licence: String::new(),
            ours: false,
        };
        let skip = |text: &str| vec![format!("crate = \"{text}\"").parse::<toml::Table>().unwrap()];
        let two = [package("2.0.1"), package("3.0.0")];
        assert_eq!(doubled(&two, &[]).len(), 1);
        assert_eq!(doubled(&two, &skip("syn@2")).len(), 0);
        assert_eq!(doubled(&two[..1], &skip("syn@2")).len(), 1);
        assert_eq!(doubled(&[package("2.0.1"), package("2.1.0")], &[]).len(), 0);
        assert_eq!(line_of("0.4.2"), "0.4");
    }
}
