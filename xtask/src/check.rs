//! `cargo xtask check`: everything that is decided without running our tests.

use crate::run::{self, Stages};
use crate::{deny, spec, tidy};
use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

/// Runs every stage, also after a failure, and prints their times.
pub(crate) fn run() -> Result<()> {
    let mut stages = Stages::default();
    stages.run("format", || run::succeed(run::cargo().args(["fmt", "--all", "--check"])));
    stages.run("tidy", tidy::run);
    stages.run("spec", spec::check);
    stages.run("dependencies", deny::check);
    stages.run("clippy", || {
        let mut clippy = run::cargo();
        clippy.args([
            "clippy",
            "--quiet",
            "--workspace",
            "--all-targets",
            "--all-features",
            "--",
            "-D",
            "warnings",
        ]);
        run::succeed(&mut clippy)
    });
    stages.run("documentation", || {
        let mut doc = run::cargo();
        doc.args([
            "doc",
            "--quiet",
            "--workspace",
            "--all-features",
            "--no-deps",
            "--document-private-items",
        ]);
        doc.env("RUSTDOCFLAGS", "-D warnings");
        run::succeed(&mut doc)
    });
    stages.run("each feature alone", features);
    stages.run("README commands", readme);
    stages.run("bench workspace", || aside("bench", &["check"]));
    stages.run("fuzz workspace", || aside("fuzz", &["test"]));
    stages.run("fuzz targets", fuzz_targets);
    stages.finish()
}

/// Our packages with the features they declare.
pub(crate) fn our_packages() -> Result<Vec<Value>> {
    let text =
        run::output(run::cargo().args(["metadata", "--no-deps", "--format-version", "1", "--locked"]))?;
    let metadata: Value = serde_json::from_str(&text).context("cargo metadata")?;
    metadata.get("packages").and_then(Value::as_array).cloned().context("cargo metadata has no packages")
}

/// Builds every crate of ours without features and with each one alone.
fn features() -> Result<()> {
    for package in our_packages()? {
        let name = package.get("name").and_then(Value::as_str).context("package without name")?;
        let features =
            package.get("features").and_then(Value::as_object).context("package without features")?;
        if features.is_empty() {
            continue;
        }
        check_with(name, None)?;
        for feature in features.keys().filter(|feature| *feature != "default") {
            check_with(name, Some(feature))?;
        }
    }
    Ok(())
}

fn check_with(package: &str, feature: Option<&str>) -> Result<()> {
    println!("    {package} {}", feature.unwrap_or("(none)"));
    let mut command = run::cargo();
    command.args(["check", "--quiet", "--package", package, "--no-default-features"]);
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    run::succeed(&mut command)
}

/// A workspace of its own must not rot; it shares our artifacts.
fn aside(directory: &str, command: &[&str]) -> Result<()> {
    let mut cargo = run::cargo();
    cargo.current_dir(run::root().join(directory)).args(command);
    run::succeed(cargo.args(["--quiet", "--locked", "--all-targets", "--target-dir"]).arg(run::target()))
}

/// The targets for cargo-fuzz link against libFuzzer, which is C++.
fn fuzz_targets() -> Result<()> {
    if !run::exists("c++") {
        println!("skipped: building the targets for cargo-fuzz needs c++; they ran from seeds above");
        return Ok(());
    }
    aside("fuzz", &["check", "--features", "libfuzzer"])
}

/// Every command that README shows exists, with every flag it is shown with.
fn readme() -> Result<()> {
    let readme = fs::read_to_string(run::root().join("README.md")).context("README.md")?;
    run::succeed(run::cargo().args(["build", "--quiet", "--package", "m2m-cli", "--bin", "m2m"]))?;
    let binary = run::target().join("debug").join("m2m");
    let mut findings = Vec::new();
    let commands = commands(&readme);
    for command in &commands {
        let help = run::output(Command::new(&binary).args([&command.name, "--help"]))
            .with_context(|| format!("README shows `m2m {}`", command.name))?;
        for flag in command.flags.iter().filter(|flag| !has_word(&help, flag)) {
            findings.push(format!("README shows `m2m {} {flag}`, which --help does not", command.name));
        }
    }
    if commands.is_empty() || !findings.is_empty() {
        bail!("{} commands found; {}", commands.len(), findings.join("; "));
    }
    Ok(())
}

#[derive(Debug, PartialEq)]
struct Shown {
    name: String,
    flags: BTreeSet<String>,
}

/// The `m2m` commands in the code blocks of a page, with `\` continuations joined.
fn commands(page: &str) -> Vec<Shown> {
    let joined = page.replace("\\\n", " ");
    let mut found = Vec::new();
    let mut fenced = false;
    for line in joined.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        if !fenced && !line.starts_with("    ") {
            continue;
        }
        let line = line.trim().trim_start_matches("$ ");
        let line = line.split(" #").next().unwrap_or(line);
        for part in line.split(['|', ';', '&']) {
            let words: Vec<&str> = part.split_whitespace().collect();
            let words = match words.as_slice() {
                ["cargo", "run", rest @ ..] => rest.split(|word| *word == "--").nth(1).unwrap_or(&[]),
                ["m2m", rest @ ..] => rest,
                _ => continue,
            };
            let Some(name) = words.first().filter(|name| name.chars().all(|c| c.is_ascii_lowercase())) else {
                continue;
            };
            let flags = words.iter().filter(|word| word.starts_with('-') && word.len() > 1);
            let flags = flags.map(|word| word.split('=').next().unwrap_or(word).to_owned()).collect();
            found.push(Shown { name: (*name).to_owned(), flags });
        }
    }
    found
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::{Shown, commands, has_word};

    #[test]
    fn commands_are_found_in_pages() {
        let page = "    $ m2m serve --dev --env-file dev.env & sleep 1; . ./dev.env\n\
                    m2m is a program\n```\n$ m2m token --scope a | m2m verify --issuer $X \\\n --audience=y\n\
                    cargo run --release -- demo   # the story\nm2m CMD\n```\n";
        let shown = |name: &str, flags: &[&str]| Shown {
            name: name.to_owned(),
            flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
        };
        let expected = vec![
            shown("serve", &["--dev", "--env-file"]),
            shown("token", &["--scope"]),
            shown("verify", &["--issuer", "--audience"]),
            shown("demo", &[]),
        ];
        assert_eq!(commands(page), expected);
        assert!(has_word("  --scope <S>", "--scope") && !has_word("--scopes", "--scope"));
    }
}
