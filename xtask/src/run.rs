//! Starts programs and times stages. The only reader of the clock and of the
//! environment in here.

use anyhow::{Context as _, Result, bail};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The directory that holds the workspace's Cargo.toml.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Where Cargo writes: `target`, or what CARGO_TARGET_DIR says.
pub(crate) fn target() -> PathBuf {
    root().join(variable("CARGO_TARGET_DIR").unwrap_or_else(|| "target".to_owned()))
}

/// An environment variable, if set and not empty.
#[expect(clippy::disallowed_methods, reason = "automation has no settings but its environment")]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The Cargo that started us.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(variable("CARGO").unwrap_or_else(|| "cargo".to_owned()));
    command.current_dir(root());
    command
}

/// Whether `program --version` can be started.
pub(crate) fn exists(program: impl AsRef<OsStr>) -> bool {
    works(Command::new(program).arg("--version"))
}

/// Whether the command can be started and succeeds; it shows nothing.
pub(crate) fn works(command: &mut Command) -> bool {
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs to the end; a failure names the command.
pub(crate) fn succeed(command: &mut Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {}", text(command)))?;
    if !status.success() {
        bail!("{status}: {}", text(command));
    }
    Ok(())
}

/// Runs to the end and returns what it wrote to stdout.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {}", text(command)))?;
    if !output.status.success() {
        bail!("{}: {}", output.status, text(command));
    }
    String::from_utf8(output.stdout).with_context(|| format!("not UTF-8: {}", text(command)))
}

fn text(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

/// Stages with their times; all of them run, so that one run shows every fault.
#[derive(Default)]
pub(crate) struct Stages {
    done: Vec<(String, Duration, bool)>,
}

impl Stages {
    /// Runs one stage and remembers its time and outcome.
    pub(crate) fn run(&mut self, name: &str, work: impl FnOnce() -> Result<()>) {
        println!("==> {name}");
        let (result, time) = timed(work);
        if let Err(error) = &result {
            eprintln!("xtask: {name}: {error:#}");
        }
        self.done.push((name.to_owned(), time, result.is_ok()));
    }

    /// Prints one line a stage; fails if one of them failed.
    pub(crate) fn finish(self) -> Result<()> {
        let mut failed = Vec::new();
        println!("==> stages");
        for (name, time, passed) in &self.done {
            let word = if *passed { "ok" } else { "FAILED" };
            println!("{:>8.1} s  {word:<6}  {name}", time.as_secs_f64());
            if !passed {
                failed.push(name.as_str());
            }
        }
        let total: Duration = self.done.iter().map(|(_, time, _)| *time).sum();
        println!("{:>8.1} s  total", total.as_secs_f64());
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

#[expect(clippy::disallowed_methods, reason = "stages are timed for people, nothing depends on it")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}
