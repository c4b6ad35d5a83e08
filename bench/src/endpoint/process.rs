//! Servers as processes of their own, on the first core. Who asks them runs on the
//! second, so that neither takes time from the other.
//!
//! Each is started as the peers of the tests are: the first line on stdin is JSON that
//! says what to set up, the first line on stdout is JSON that says what came of it, and
//! the process ends when its stdin closes.
//!
//! Limits: CPU time and memory are read from `/proc`; elsewhere there is none, and the
//! time that passed is taken instead.

use anyhow::{Context as _, Result, bail};
use serde_json::Value;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Where servers run.
const SERVER_CORE: usize = 0;
/// Where this process runs.
const OWN_CORE: usize = 1;

/// A running server. Killed on drop.
pub struct Process {
    child: Child,
    hello: Value,
}

impl Process {
    /// This program again, as the server `kind`.
    pub fn of_ours(kind: &str, setup: &Value) -> Result<Self> {
        let program = std::env::current_exe().context("where this program is")?;
        Self::start(Command::new(program).args([super::SUBCOMMAND, kind]), setup)
    }

    /// Starts a server on its core and waits until it says where it is.
    pub fn start(command: &mut Command, setup: &Value) -> Result<Self> {
        let mut child = spawn(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
        // Stdin stays open for as long as the server shall run.
        let stdin = child.stdin.as_mut().context("stdin is piped")?;
        writeln!(stdin, "{setup}")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("stdout is piped")?).read_line(&mut line)?;
        let hello: Value = serde_json::from_str(&line).with_context(|| format!("a server said {line:?}"))?;
        if let Some(reason) = hello["error"].as_str() {
            bail!("a server does not start: {reason}");
        }
        Ok(Self { child, hello })
    }

    /// What the server said of itself.
    pub fn said(&self, pointer: &str) -> Result<&Value> {
        self.hello.pointer(pointer).with_context(|| format!("the server said nothing of {pointer}"))
    }

    /// A text that the server said of itself.
    pub fn text(&self, pointer: &str) -> Result<&str> {
        self.said(pointer)?.as_str().with_context(|| format!("{pointer} is no text"))
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        let port = self.said("/port")?.as_u64().and_then(|port| u16::try_from(port).ok());
        Ok(SocketAddr::from(([127, 0, 0, 1], port.context("a port")?)))
    }

    /// The CPU time of each of its threads so far, to the nanosecond once it sleeps.
    pub fn cpu(&self) -> Option<Cpu> {
        let threads = fs::read_dir(format!("/proc/{}/task", self.child.id())).ok()?;
        let spent = |thread: std::io::Result<fs::DirEntry>| {
            let thread = thread.ok()?;
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some((thread.file_name(), Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?)))
        };
        Some(Cpu(threads.filter_map(spent).collect()))
    }

    /// Bytes of memory that it holds now.
    pub fn resident(&self) -> Option<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Already gone is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// CPU time by thread.
pub struct Cpu(BTreeMap<OsString, Duration>);

impl Cpu {
    /// What was spent since then, by the threads that are still there: an idle one of a
    /// pool may have ended, and would count below zero.
    pub fn since(&self, before: &Self) -> Duration {
        let earlier = |thread| before.0.get(thread).copied().unwrap_or_default();
        self.0.iter().map(|(thread, spent)| spent.saturating_sub(earlier(thread))).sum()
    }
}

/// Starts a program on the core of servers.
pub fn spawn(command: &mut Command) -> Result<Child> {
    run_on(SERVER_CORE); // inherited
    let child = command.spawn().with_context(|| format!("cannot start {command:?}"));
    run_on(OWN_CORE);
    child
}

/// Moves this thread. A machine with one core leaves it where it is, and so does a system
/// that cannot be told.
#[cfg(target_os = "linux")]
fn run_on(core: usize) {
    let mut cores = rustix::thread::CpuSet::new();
    cores.set(core);
    let _ = rustix::thread::sched_setaffinity(None, &cores);
}

#[cfg(not(target_os = "linux"))]
fn run_on(_core: usize) {}
