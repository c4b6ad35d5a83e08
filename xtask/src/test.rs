//! `cargo xtask test`: every test and doctest, the black-box peers included.

use crate::book;
use crate::fuzz;
use crate::peers;
use crate::run::{self, Stages};
use anyhow::{Result, bail};
use std::process::Command;

/// Commands that work where the tests find what they start, and the Debian package behind each.
const PACKAGES: &[(&[&str], &str)] = &[
    (&["node", "--version"], "nodejs"),
    (&["npm", "--version"], "npm"),
    (&["python3", "-c", "import ensurepip, venv"], "python3-venv"), // brings python3 along
    (&["chromium", "--version"], "chromium"), // looks at the consoles, fills in examples/react-form
    (peers::NGINX, "nginx"),                  // asks the gateway, as does the next
    (peers::CADDY, "caddy"),
    (peers::POSTGRES, "postgresql"), // starts a cluster of its own, which no test uses
    (&["curl", "--version"], "curl"), // pages of the guide use it, and the next
    (&["jq", "--version"], "jq"),
    (&["groff", "--version"], "groff"), // formats the manual pages
    (&["softhsm2-util", "--version"], "softhsm2"), // a security module for signing keys
];

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
    let mut found = Vec::new();
    stages.run("packages", || packages(options));
    stages.run("peers", || peers::fetch().map(|peers| found = peers));
    stages
        .run("binary", || run::succeed(run::cargo().args(["build", "--package", "m2m-cli", "--bin", "m2m"])));
    stages.run("tests", || run::succeed(&mut tests(options, &found)));
    stages.run("doctests", || {
        run::succeed(run::cargo().args(["test", "--quiet", "--workspace", "--all-features", "--doc"]))
    });
    if options.slow {
        stages.run("fuzz", || fuzz::run(None));
        stages.run("book", book::build);
    }
    stages.finish()
}

fn tests(options: &Options, peers: &[&str]) -> Command {
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
    if run::variable("M2M_REQUIRE_PEERS").is_none() {
        command.env("M2M_REQUIRE_PEERS", peers.join(",")); // from here on a missing one of them is a failure
    }
    command
}

/// Installs what is missing when allowed to, else says how and goes on without.
fn packages(options: &Options) -> Result<()> {
    let missing: Vec<&str> =
        PACKAGES.iter().filter(|(probe, _)| !works(probe)).map(|(_, package)| *package).collect();
    if missing.is_empty() {
        return Ok(());
    }
    if !options.install || !run::exists("apt-get") {
        println!("skipped: some peers or the form, for want of: apt-get install --yes {}", missing.join(" "));
        return Ok(());
    }
    run::succeed(Command::new("apt-get").arg("update"))?;
    run::succeed(Command::new("apt-get").args(["install", "--yes", "--no-install-recommends"]).args(missing))
}

fn works(probe: &[&str]) -> bool {
    probe.split_first().is_some_and(|(program, arguments)| run::works(Command::new(program).args(arguments)))
}
