//! `cargo xtask peers`: fetches what the black-box tests talk to into
//! `target/peers`, at the versions that the committed lock files name.

use crate::run;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::Path;
use std::process::Command;

const OIDC_PROVIDER: &str = "oidc-provider";
/// The oldest Node.js that has what this oidc-provider calls (`crypto.hash`, `URL.parse`).
const NODE: u32 = 20;

/// Whether the peers can run on this machine.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Peers {
    Ready,
    Absent,
}

/// Fetches every peer; says why on stdout where one cannot run here.
pub(crate) fn fetch() -> Result<Peers> {
    match node_version() {
        Some(version) if version >= NODE && run::exists("npm") => {}
        found => {
            let found = found.map_or("no node".to_owned(), |version| format!("node {version}"));
            println!("skipped: peer {OIDC_PROVIDER} needs node {NODE} or newer with npm, found {found}");
            return Ok(Peers::Absent);
        }
    }
    let source = run::root().join("crates/m2m-testkit/peers").join(OIDC_PROVIDER);
    let home = run::target().join("peers").join(OIDC_PROVIDER);
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    copy(&source.join("server.mjs"), &home.join("server.mjs"))?;
    let fresh = same(&source.join("package-lock.json"), &home.join("installed.json"));
    if fresh && home.join("node_modules").is_dir() {
        println!("{OIDC_PROVIDER}: fetched before");
        return Ok(Peers::Ready);
    }
    for name in ["package.json", "package-lock.json"] {
        copy(&source.join(name), &home.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.current_dir(&home).args(["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"]);
    run::succeed(&mut npm)?;
    copy(&source.join("package-lock.json"), &home.join("installed.json"))?;
    Ok(Peers::Ready)
}

fn node_version() -> Option<u32> {
    let text = Command::new("node").arg("--version").output().ok()?.stdout;
    let text = String::from_utf8(text).ok()?;
    text.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

fn same(one: &Path, other: &Path) -> bool {
    matches!((fs::read(one), fs::read(other)), (Ok(one), Ok(other)) if one == other)
}
