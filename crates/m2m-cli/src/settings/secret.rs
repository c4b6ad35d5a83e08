//! References to secrets, and reading what they refer to.
//!
//! A reference is what files, flags and messages hold; the secret exists only as the value that
//! [`SecretReference::read`] returns, and is wiped when that is dropped.

mod entry;

use std::fmt;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};

use m2m_io::Clock;
use m2m_io::file::{Exposure, MAX_SECRET_BYTES, TrailingNewline, read_secret_file};
use m2m_proto::secret::SecretString;

use super::env::Environment;
use super::keyring;
use super::program::{self, Failed, reason};
use crate::exit::Failure;

pub use entry::{Entry, place};

/// Where a secret is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecretReference {
    /// An environment variable.
    Env(String),
    /// A file.
    File(PathBuf),
    /// A program and its arguments, run without a shell; what it prints is the secret.
    Command(Vec<String>),
    /// A credential of the systemd unit.
    Systemd(String),
    /// An entry of the system's keyring.
    Keyring(String),
    /// Standard input; on a terminal, asked for without echo.
    Stdin,
    /// A workload token: what GitHub Actions issues to this job, for this audience.
    GithubActions(String),
    /// A workload token: a projected service account token.
    Kubernetes(PathBuf),
    /// A workload token: a JWT-SVID that an agent keeps fresh.
    Spiffe(PathBuf),
}

impl fmt::Display for SecretReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "environment variable {name}"),
            Self::File(path) => write!(f, "file {}", path.display()),
            // Arguments may name vault paths that are nobody's business.
            Self::Command(argv) => write!(f, "command {}", argv.first().map_or("", String::as_str)),
            Self::Systemd(name) => write!(f, "systemd credential {name}"),
            Self::Keyring(name) => write!(f, "keyring entry {name}"),
            Self::Stdin => f.write_str("standard input"),
            Self::GithubActions(audience) => write!(f, "GitHub Actions, for the audience {audience}"),
            Self::Kubernetes(path) => write!(f, "service account token {}", path.display()),
            Self::Spiffe(path) => write!(f, "JWT-SVID {}", path.display()),
        }
    }
}

/// Whether a text can name a variable of the environment: a letter or `_`, then letters, digits and `_`. A shell takes
/// no other name, and `${NAME}` with another one is a piece of program.
pub fn is_variable_name(text: &str) -> bool {
    let letters = text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    letters && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// What is said of a name that is none.
pub(crate) const NOT_A_VARIABLE: &str =
    "expected the name of a variable: letters, digits and _, no digit first";

/// A secret that was read, and what there is to say about it.
#[derive(Debug)]
pub struct ReadSecret {
    /// The secret without its final line end.
    pub secret: SecretString,
    /// Whether a final line end was removed from a file or a variable.
    pub trailing_newline: TrailingNewline,
    /// Who else may read the file that it is in; what is in no file is private.
    pub exposure: Exposure,
}

impl SecretReference {
    /// Reads the secret. At most 64 KiB; a command gets a minute.
    ///
    /// # Errors
    /// Exit 4: it is not there, empty, not text, or too long. The message names the reference.
    pub async fn read(&self, environment: &Environment, clock: &dyn Clock) -> Result<ReadSecret, Failure> {
        let plain = |secret| ReadSecret {
            secret,
            trailing_newline: TrailingNewline::Absent,
            exposure: Exposure::Private,
        };
        match self {
            Self::Env(name) => match environment.text(name) {
                // A variable filled from a file by other means than a shell keeps its line end.
                Some(value) => Ok(without_line_end(value)),
                None => Err(self
                    .unavailable("it is not set, empty or not text")
                    .hint(format!("export {name}=…, or name another place for the secret"))),
            },
            Self::File(path) => self.file(path),
            Self::Command(argv) => self.command(argv, clock).await.map(plain),
            Self::Systemd(name) => match environment.directory("CREDENTIALS_DIRECTORY") {
                Some(_) if name.contains('/') => Err(self.unavailable("the name holds a slash")),
                Some(directory) => self.file(&directory.join(name)),
                None => Err(self
                    .unavailable("$CREDENTIALS_DIRECTORY is not set")
                    .hint(format!("add LoadCredential={name}:… to the unit"))),
            },
            Self::Keyring(name) => {
                let printed = keyring::lookup(name, environment, clock).await?;
                self.text(printed.expose().clone()).map(plain)
            }
            Self::Stdin => self.stdin().map(plain),
            Self::Kubernetes(path) | Self::Spiffe(path) => self.file(path),
            Self::GithubActions(_) => Err(self.unavailable("it is asked for with each token request only")),
        }
    }

    fn file(&self, path: &Path) -> Result<ReadSecret, Failure> {
        let read = read_secret_file(path).map_err(|error| self.unavailable(&reason(&error)))?;
        let text = String::from_utf8(read.secret.expose().clone())
            .map_err(|_| self.unavailable("it is not UTF-8 text"))?;
        Ok(ReadSecret {
            secret: SecretString::new(text),
            trailing_newline: read.trailing_newline,
            exposure: read.exposure,
        })
    }

    async fn command(&self, argv: &[String], clock: &dyn Clock) -> Result<SecretString, Failure> {
        match program::output(argv, clock).await {
            Ok(printed) => self.text(printed.expose().clone()),
            Err(failed @ Failed::Status(_)) => Err(self
                .unavailable(&failed.to_string())
                .hint("run the command by hand; its own message is above")),
            Err(failed) => Err(self.unavailable(&failed.to_string())),
        }
    }

    fn stdin(&self) -> Result<SecretString, Failure> {
        if std::io::stdin().is_terminal() {
            let typed = rpassword::prompt_password("client secret: ");
            return self.text(typed.map_err(|error| self.unavailable(&reason(&error)))?.into_bytes());
        }
        let mut bytes = Vec::with_capacity(4096);
        let read = std::io::stdin().lock().take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes);
        match read {
            Err(error) => Err(self.unavailable(&reason(&error))),
            Ok(_) if bytes.len() as u64 > MAX_SECRET_BYTES => Err(self.unavailable("more than 64 KiB")),
            Ok(_) => self.text(bytes),
        }
    }

    fn text(&self, mut bytes: Vec<u8>) -> Result<SecretString, Failure> {
        if bytes.pop_if(|last| *last == b'\n').is_some() {
            bytes.pop_if(|last| *last == b'\r');
        }
        match String::from_utf8(bytes) {
            Ok(text) if text.is_empty() => Err(self.unavailable("it is empty")),
            Ok(text) => Ok(SecretString::new(text)),
            Err(_) => Err(self.unavailable("it is not UTF-8 text")),
        }
    }

    fn unavailable(&self, why: &str) -> Failure {
        Failure::secret(format!("cannot read the secret from {self}: {why}"))
    }
}

fn without_line_end(value: &str) -> ReadSecret {
    let line = value.strip_suffix('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let trailing_newline = if line.is_some() { TrailingNewline::Removed } else { TrailingNewline::Absent };
    let secret = SecretString::from(line.unwrap_or(value));
    ReadSecret { secret, trailing_newline, exposure: Exposure::Private }
}

/// Splits a typed command as a shell would split plain words and quotes, and nothing else: no variables, no
/// substitution, no globs.
///
/// # Errors
/// Exit 2: a quote is left open, or there is no word.
pub fn split_command(text: &str) -> Result<Vec<String>, Failure> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None::<char>);
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().extend(characters.next()),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    if quote.is_some() || words.is_empty() {
        return Err(Failure::usage("--secret-command: expected a command such as 'op read op://vault/item'"));
    }
    Ok(words)
}

#[cfg(test)]
mod tests {
    use m2m_io::SystemClock;

    use super::*;

    async fn read(reference: SecretReference) -> Result<String, String> {
        let environment = Environment::of([("A", "hunter2"), ("LINE", "hunter2\r\n"), ("EMPTY", "")]);
        let read = reference.read(&environment, &SystemClock).await;
        read.map(|read| read.secret.expose().clone()).map_err(|failure| {
            assert_eq!(failure.exit(), crate::exit::Exit::SecretUnavailable);
            failure.message().to_owned()
        })
    }

    fn command(argv: &[&str]) -> SecretReference {
        SecretReference::Command(argv.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn every_place() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("s");
        std::fs::write(&file, "from-file\n").unwrap();
        assert_eq!(read(SecretReference::Env("A".into())).await.as_deref(), Ok("hunter2"));
        assert_eq!(read(SecretReference::Env("LINE".into())).await.as_deref(), Ok("hunter2"));
        assert_eq!(read(SecretReference::File(file)).await.as_deref(), Ok("from-file"));
        assert_eq!(read(command(&["printf", "a b\r\n"])).await.as_deref(), Ok("a b"));
    }

    #[tokio::test]
    async fn what_cannot_be_read_names_the_place() {
        let check = async |reference: SecretReference, expect: &str| {
            let message = read(reference).await.unwrap_err();
            assert_eq!(message, format!("cannot read the secret from {expect}"));
        };
        check(SecretReference::Env("B".into()), "environment variable B: it is not set, empty or not text")
            .await;
        check(
            SecretReference::Env("EMPTY".into()),
            "environment variable EMPTY: it is not set, empty or not text",
        )
        .await;
        check(SecretReference::File("/nowhere/s".into()), "file /nowhere/s: no such file or directory").await;
        check(
            SecretReference::Systemd("s".into()),
            "systemd credential s: $CREDENTIALS_DIRECTORY is not set",
        )
        .await;
        check(command(&["false", "op://vault"]), "command false: exit status: 1").await;
        check(command(&["true"]), "command true: it is empty").await;
        check(command(&["/nowhere/op"]), "command /nowhere/op: no such file or directory").await;
        check(command(&["cat", "/dev/zero"]), "command cat: it printed more than 64 KiB").await;
    }

    #[tokio::test]
    async fn a_systemd_name_cannot_leave_its_directory() {
        let environment = Environment::of([("CREDENTIALS_DIRECTORY", "/etc")]);
        let reference = SecretReference::Systemd("../etc/hostname".into());
        let failure = reference.read(&environment, &SystemClock).await.unwrap_err();
        assert!(failure.message().ends_with("the name holds a slash"), "{}", failure.message());
    }

    #[test]
    fn typed_commands_are_split_without_a_shell() {
        let check = |text: &str, expect: &[&str]| assert_eq!(split_command(text).unwrap(), expect, "{text}");
        check("op read op://a/b", &["op", "read", "op://a/b"]);
        check("pass 'my secret'  \"two words\"", &["pass", "my secret", "two words"]);
        check(r"a\ b $HOME `id` ;", &["a b", "$HOME", "`id`", ";"]);
        check("a ''", &["a", ""]);
        assert!(split_command("op 'read").is_err());
        assert!(split_command("  ").is_err());
    }
}
