//! `cargo xtask test`: every test and doctest, the black-box peers included.

use crate::peers::{self, Peers};
use crate::run::{self, Stages};
use anyhow::{Result, bail};
use std::process::Command;

/// Debian packages behind the programs that some tests start.
const PACKAGES: &[(&str, &str)] = &[("node", "nodejs"), ("npm", "npm")];

/// What was asked for on the command line.
#[derive(Default)]
pub(crate) struct Options {
    slow: bool,
    install: bool,
}

impl Options {
    /// Reads `--long` and `--install`.
    pub(crate) fn parse(words: &[&str]) -> Result<Self> {
        let mut options = Self { install: run::variable("CI").as_deref() == Some("true"), ..Self::default() };
        for word in words {
            match *word {
                "--long" => options.slow = true,
                "--install" => options.install = true,
                other => bail!("unknown option {other}"),
            }
        }
        Ok(options)
    }
}

/// Runs everything and prints the time of each stage.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut stages = Stages::default();
    let mut found = Peers::Absent;
    stages.run("packages", || packages(options));
    stages.run("peers", || peers::fetch().map(|peers| found = peers));
    stages
        .run("binary", || run::succeed(run::cargo().args(["build", "--package", "m2m-cli", "--bin", "m2m"])));
    stages.run("tests", || run::succeed(&mut tests(options, found)));
    stages.run("doctests", || {
        run::succeed(run::cargo().args(["test", "--quiet", "--workspace", "--all-features", "--doc"]))
    });
    stages.finish()
}

fn tests(options: &Options, peers: Peers) -> Command {
    let mut command = run::cargo();
    if run::exists("cargo-nextest") {
        command.args(["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"]);
        command.args(["--status-level", "fail", "--final-status-level", "fail"]);
        if options.slow {
            command.args(["--run-ignored", "all"]);
        }
    } else {
        command.args(["test", "--workspace", "--all-features", "--all-targets", "--no-fail-fast"]);
        if options.slow {
            command.args(["--", "--include-ignored"]);
        }
    }
    command.env("M2M_BIN", run::target().join("debug").join(format!("m2m{}", std::env::consts::EXE_SUFFIX)));
    if peers == Peers::Ready {
        command.env("M2M_REQUIRE_PEERS", "1"); // from here on a missing peer is a failure
    }
    command
}

/// Installs what is missing when allowed to, else says how and goes on without.
fn packages(options: &Options) -> Result<()> {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(program, _)| !run::exists(program)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !options.install || !run::exists("apt-get") {
        println!("skipped: the peers, for want of: apt-get install --yes {}", missing.join(" "));
        return Ok(());
    }
    run::succeed(Command::new("apt-get").arg("update"))?;
    run::succeed(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(missing))
}
