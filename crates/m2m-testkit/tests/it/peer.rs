//! What the tests with other people's servers share: a place to run the binary
//! `m2m` in, what its output must be, and the words of the library tests.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use m2m_client::{Client, ClientBuilder, Credentials, Error, FixedSecret, KeySource, Server};
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::secret::SecretString;
use m2m_proto::uri::Issuer;
use m2m_testkit::FixedKeys;
use m2m_testkit::peers::Peer;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The variable that holds the secret when the binary runs.
pub(crate) const SECRET_VARIABLE: &str = "PEER_SECRET";

/// A directory of its own and an environment with nothing in it but a home and one secret.
pub(crate) struct Shell {
    directory: TempDir,
}

impl Shell {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// Writes a file into the directory.
    pub(crate) fn file(&self, name: &str, content: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    /// `m2m token -o bare --no-store` with these flags.
    pub(crate) fn token(&self, secret: &str, flags: &[&str]) -> Run {
        self.run(secret, "", &[&["token", "-o", "bare", "--no-store"], flags].concat())
    }

    /// `m2m` with these arguments, the secret in [`SECRET_VARIABLE`] and `input` on stdin.
    pub(crate) fn run(&self, secret: &str, input: &str, arguments: &[&str]) -> Run {
        let home: &Path = self.directory.path();
        let mut command = Command::new(m2m_testkit::binary::m2m());
        command.args(arguments).current_dir(home);
        command.env_clear().env("HOME", home).env(SECRET_VARIABLE, secret);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = command.spawn().unwrap();
        // Who does not read it may be gone already.
        let _ = process.stdin.take().unwrap().write_all(input.as_bytes());
        let output = process.wait_with_output().unwrap();
        Run {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
            secret: secret.to_owned(),
        }
    }
}

/// What the binary did.
pub(crate) struct Run {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    secret: String,
}

impl Run {
    /// Exit 0.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Exit 0 and a token on a line of its own.
    #[track_caller]
    pub(crate) fn prints_a_token(self) -> String {
        let run = self.succeeds();
        assert_eq!(run.stdout.lines().count(), 1, "{:?} is one token and a newline", run.stdout);
        let token = run.stdout.trim_end().to_owned();
        assert!(!token.is_empty(), "{}", run.stderr);
        token
    }

    /// The exit code, an error that says this, a hint, and no secret anywhere.
    #[track_caller]
    pub(crate) fn fails(&self, code: i32, error: &str) {
        let stderr = &self.stderr;
        assert_eq!(self.code, Some(code), "{}{stderr}", self.stdout);
        assert!(self.stdout.is_empty(), "nothing is printed where a result would be");
        let line = |prefix: &str| stderr.lines().find(|line| line.starts_with(prefix)).map(str::to_owned);
        let said = line("m2m: error: ").unwrap_or_else(|| panic!("no error line in {stderr}"));
        assert!(said.contains(error), "{said:?} does not say {error:?}");
        let hint = line("m2m: hint: ").is_some_and(|hint| hint.len() > "m2m: hint: ".len());
        assert!(hint, "no hint in {stderr}");
        let shown = !self.secret.is_empty() && stderr.contains(&self.secret);
        assert!(!shown, "the secret is in {stderr}");
    }
}

/// Settings of a client that finds the peer by its issuer.
pub(crate) fn client(server: &Peer, client_id: &str, credentials: Credentials) -> ClientBuilder {
    Client::builder(Server::issuer(Issuer::parse(server.issuer()).unwrap()))
        .client_id(ClientId::parse(client_id).unwrap())
        .credentials(credentials)
}

pub(crate) fn secret(text: &str) -> Arc<FixedSecret> {
    Arc::new(FixedSecret::new(SecretString::from(text)))
}

/// The fixed key of that algorithm.
pub(crate) fn key(algorithm: Algorithm) -> Credentials {
    Credentials::key(KeySource::fixed(Arc::new(FixedKeys::signing(algorithm))))
}

/// The public half, as one registers it.
pub(crate) fn public_jwk(key: &SigningKey) -> Value {
    let mut jwk = key.public_jwk().unwrap().to_public_json();
    jwk.insert("alg".to_owned(), json!(key.algorithm().name()));
    jwk.insert("use".to_owned(), json!("sig"));
    jwk.into()
}

/// The code that the server sent.
pub(crate) fn code(error: &Error) -> Option<String> {
    error.code().map(ToString::to_string)
}
