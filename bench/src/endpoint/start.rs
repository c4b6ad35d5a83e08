//! How long the binary takes from its start to `ready`.
//!
//! Limits: what is measured is `M2M_BIN`, or what `cargo build --release` has left; nothing
//! is built here.

use super::process;
use crate::report::Report;
use anyhow::{Context as _, Result, bail};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const NAME: &str = "server-cold-start";
/// The promise, in nanoseconds.
const LIMIT: f64 = 100e6;
const STARTS: usize = 10;

/// The claim, if `filter` names it.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    if !filter(NAME) {
        return Ok(());
    }
    let Some(program) = binary() else {
        Report::skipped(NAME, "M2M_BIN, or cargo build --release");
        return Ok(());
    };
    report.measure(|report| {
        let mut fastest = Duration::MAX;
        for _ in 0..STARTS {
            fastest = fastest.min(start(&program)?);
        }
        report.speed(NAME, fastest.as_secs_f64() * 1e9, LIMIT, 1.0);
        Ok(())
    })
}

fn start(program: &Path) -> Result<Duration> {
    let mut command = Command::new(program);
    command.args(["serve", "--dev", "--listen", "127.0.0.1:0"]);
    let began = Instant::now();
    let mut server = Killed(process::spawn(command.stdout(Stdio::piped()).stderr(Stdio::null()))?);
    let stdout = server.0.stdout.take().context("stdout is piped")?;
    for line in BufReader::new(stdout).lines() {
        if line?.starts_with("ready") {
            return Ok(began.elapsed());
        }
    }
    bail!("{} ended before it was ready", program.display())
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn binary() -> Option<PathBuf> {
    let named = std::env::var_os("M2M_BIN").map(PathBuf::from);
    named.or_else(|| Some(target().join("release/m2m"))).filter(|path| path.is_file())
}

/// Where the main workspace is built.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../target"),
        |directory| Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(directory),
    )
}
