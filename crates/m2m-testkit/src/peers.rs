//! Other people's servers as black boxes. `cargo xtask peers` fetches them into
//! `target/peers`; this module starts one and stops it when dropped.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running npm `oidc-provider`. Killed on drop.
#[derive(Debug)]
pub struct OidcProvider {
    process: Child,
    hello: Value,
}

impl OidcProvider {
    /// Starts the server with the clients that `setup` describes (see
    /// `peers/oidc-provider/server.mjs`).
    ///
    /// `None`, said on stderr, where the peer was not fetched. With
    /// `M2M_REQUIRE_PEERS=1`, which `cargo xtask test` sets after fetching, that is
    /// a failure.
    ///
    /// # Panics
    ///
    /// If the peer is required and absent, or does not start.
    #[must_use]
    pub fn start(setup: &Value) -> Option<Self> {
        let home = home();
        if !home.join("node_modules").is_dir() {
            assert!(!required(), "peer oidc-provider is required, but not in {}", home.display());
            eprintln!("skipped: peer oidc-provider is not in {}; run cargo xtask peers", home.display());
            return None;
        }
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(home).env("NODE_NO_WARNINGS", "1");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("node starts");
        // Stdin stays open for as long as the server shall run.
        let stdin = process.stdin.as_mut().expect("stdin is piped");
        writeln!(stdin, "{setup}").expect("the server reads its setup");
        let mut line = String::new();
        let stdout = process.stdout.take().expect("stdout is piped");
        BufReader::new(stdout).read_line(&mut line).expect("the server says where it listens");
        let hello = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
        Some(Self { process, hello })
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn issuer(&self) -> &str {
        self.hello["issuer"].as_str().expect("an issuer")
    }

    /// An issuer on the same server whose token endpoint answers 200 with HTML.
    #[must_use]
    pub fn portal(&self) -> String {
        format!("{}/portal", self.issuer())
    }

    /// `https://127.0.0.1:PORT`, where client certificates are asked for.
    #[must_use]
    pub fn mtls_origin(&self) -> String {
        format!("https://127.0.0.1:{}", self.hello["mtls_port"])
    }

    /// The secret of every client that has one; full of characters that need encoding.
    #[must_use]
    pub fn secret(&self) -> &str {
        self.hello["secret"].as_str().expect("a secret")
    }

    /// Stops the server now; its port refuses connections afterwards.
    pub fn stop(&mut self) {
        // Already gone is as good.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Drop for OidcProvider {
    fn drop(&mut self) {
        self.stop();
    }
}

fn home() -> PathBuf {
    let target = variable("CARGO_TARGET_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target"), PathBuf::from);
    target.join("peers/oidc-provider")
}

fn required() -> bool {
    variable("M2M_REQUIRE_PEERS").is_some_and(|value| value == "1")
}

#[expect(
    clippy::disallowed_methods,
    reason = "says where the test runner has put things; no setting of ours"
)]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
