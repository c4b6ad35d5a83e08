//! Other people's servers and clients as black boxes. `cargo xtask peers` fetches them
//! into `target/peers`; this module starts one and stops it when dropped.
//!
//! All of them are started the same way: the first line on stdin is JSON that says
//! what to set up, the first line on stdout is JSON that says where the server
//! listens. A client reads a task from each further line, and answers on one. What
//! each takes and says stands at the top of its source, in `peers/NAME`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use serde_json::Value;

/// A server or client that can be started: its directory in `target/peers`, and what runs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Program {
    name: &'static str,
    /// Below its directory, if it has a slash.
    interpreter: &'static str,
    script: &'static str,
    /// What is there once the packages are fetched.
    installed: &'static str,
}

/// npm `oidc-provider`: a certified server with every authentication method, DPoP and
/// mutual TLS.
pub const OIDC_PROVIDER: Program = node("oidc-provider");

/// npm `oauth2-mock-server`: authenticates nobody and answers what the test wrote.
pub const OAUTH2_MOCK_SERVER: Program = node("oauth2-mock-server");

/// PyPI `authlib`, its Flask server: secrets and assertions, and habits of its own.
pub const AUTHLIB: Program = python("authlib");

/// npm `openid-client`: the client that most of Node.js uses.
pub const OPENID_CLIENT: Program = node("openid-client").run_by("openid-client.mjs");

/// npm `oauth4webapi`, which `openid-client` is built on: each step apart, and the API's checks as well.
pub const OAUTH4WEBAPI: Program = node("openid-client").run_by("oauth4webapi.mjs");

/// PyPI `authlib`, its session for `requests`.
pub const AUTHLIB_CLIENT: Program = AUTHLIB.run_by("client.py");

/// npm `jose` and `express-oauth2-jwt-bearer`: verifiers that fetch keys.
pub const KEY_SET_NODE: Program = node("key-set-node").run_by("verifiers.mjs");

/// PyPI `PyJWT`, its `PyJWKClient`.
pub const PYJWT: Program = python("pyjwt").run_by("verifier.py");

/// PyPI `schemathesis`: tries what an OpenAPI document says.
pub const SCHEMATHESIS: Program = python("schemathesis").run_by("runner.py");

const fn node(name: &'static str) -> Program {
    Program { name, interpreter: "node", script: "server.mjs", installed: "node_modules" }
}

const fn python(name: &'static str) -> Program {
    let interpreter = if cfg!(windows) { "venv/Scripts/python.exe" } else { "venv/bin/python" };
    Program { name, interpreter, script: "server.py", installed: "venv" }
}

impl Program {
    const fn run_by(mut self, script: &'static str) -> Self {
        self.script = script;
        self
    }

    /// Whether the packages are there, and the script is the one in the source tree.
    fn is_fetched(&self, home: &Path) -> bool {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(self.name);
        let text = |directory: &Path| fs::read(directory.join(self.script)).ok();
        home.join(self.installed).is_dir() && text(home).is_some_and(|copy| Some(copy) == text(&source))
    }

    fn command(&self, home: &Path) -> Command {
        let own = self.interpreter.contains('/');
        let mut command =
            Command::new(if own { home.join(self.interpreter) } else { self.interpreter.into() });
        command.arg(self.script).current_dir(home);
        command.env("NODE_NO_WARNINGS", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// A running server or client. Killed on drop.
#[derive(Debug)]
pub struct Peer {
    process: Child,
    stdout: BufReader<ChildStdout>,
    hello: Value,
}

impl Peer {
    /// Starts the program with what `setup` describes.
    ///
    /// `None`, said on stderr, where the peer was not fetched. That is a failure if
    /// `M2M_REQUIRE_PEERS` is `1`, or a list of names, separated by commas, with this
    /// one in it; `cargo xtask test` sets it to what it fetched.
    ///
    /// # Panics
    ///
    /// If the peer is required and absent, or does not start.
    #[must_use]
    pub fn start(program: Program, setup: &Value) -> Option<Self> {
        let name = program.name;
        let home = home(name);
        if !program.is_fetched(&home) {
            let lack = format!("peer {name} is not in {}, or stale; run cargo xtask peers", home.display());
            assert!(!required(name), "required: {lack}");
            eprintln!("skipped: {lack}");
            return None;
        }
        let mut command = program.command(&home);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let stdout = BufReader::new(process.stdout.take().expect("stdout is piped"));
        let mut peer = Self { process, stdout, hello: Value::Null };
        peer.hello = peer.ask(setup);
        Some(peer)
    }

    /// What a client makes of a task. It blocks the thread until the client has answered.
    ///
    /// # Panics
    ///
    /// If it gives no answer.
    pub fn ask(&mut self, task: &Value) -> Value {
        // Stdin stays open for as long as the process shall run.
        let stdin = self.process.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{task}").expect("the peer reads");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("the peer answers");
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"))
    }

    /// `http://127.0.0.1:PORT`.
    ///
    /// # Panics
    ///
    /// If the server did not say so.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.said("issuer")
    }

    /// A text that the server said of itself when it started.
    ///
    /// # Panics
    ///
    /// If it did not.
    #[must_use]
    pub fn said(&self, name: &str) -> &str {
        self.hello[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.hello))
    }

    /// Stops the server now; its port refuses connections afterwards.
    pub fn stop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The directory of something else that `cargo xtask peers` put into `target/peers`, if it has this file.
///
/// `None`, said on stderr, where it has not, as with [`Peer::start`].
///
/// # Panics
///
/// If it is required and absent.
#[must_use]
pub fn fetched(name: &str, file: &str) -> Option<PathBuf> {
    let home = home(name);
    if home.join(file).is_file() {
        return Some(home);
    }
    let lack = format!("{name} is not in {}; run cargo xtask peers", home.display());
    assert!(!required(name), "required: {lack}");
    eprintln!("skipped: {lack}");
    None
}

/// A program that is installed on the machine: the first of these names or paths that is there.
///
/// `None`, said on stderr, where none is, as with [`Peer::start`].
///
/// # Panics
///
/// If it is required and absent.
#[must_use]
pub fn installed(name: &str, places: &[&str]) -> Option<PathBuf> {
    let path = variable("PATH").unwrap_or_default();
    let directories: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let found = places.iter().find_map(|place| {
        let own = PathBuf::from(place);
        let all = directories.iter().map(|directory| directory.join(place)).chain([own]);
        all.into_iter().find(|candidate| candidate.is_absolute() && candidate.is_file())
    });
    if found.is_none() {
        assert!(!required(name), "required: {name} is not installed");
        eprintln!("skipped: {name} is not installed");
    }
    found
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stop();
    }
}

pub(crate) fn home(name: &str) -> PathBuf {
    let target = variable("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    target.join("peers").join(name)
}

pub(crate) fn required(name: &str) -> bool {
    let variable = variable("M2M_REQUIRE_PEERS").unwrap_or_default();
    variable.split(',').any(|one| one == "1" || one == name)
}

#[expect(
    clippy::disallowed_methods,
    reason = "says where the test runner has put things; no setting of ours"
)]
pub(crate) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
