//! Programs that print a secret or take one: run without a shell, with the secret on standard input or output and
//! never in their arguments, which every user of the machine can read.
//!
//! Limits: 64 KiB of output; one minute, for a person may have to touch a key first.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use m2m_io::Clock;
use m2m_io::file::MAX_SECRET_BYTES;
use m2m_proto::secret::{SecretBytes, SecretString};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const PATIENCE: Duration = Duration::from_secs(60);

/// Why a program gave nothing.
#[derive(Debug)]
pub(crate) enum Failed {
    /// It cannot be started, or its streams broke.
    System(io::Error),
    /// It printed more than 64 KiB.
    TooLong,
    /// It ended with another status than 0.
    Status(ExitStatus),
    /// It did not end in time.
    Late,
    /// There is no program to run.
    Empty,
}

impl Failed {
    /// There is no such program on the path.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::System(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::System(error) => f.write_str(&reason(error)),
            Self::TooLong => f.write_str("it printed more than 64 KiB"),
            Self::Status(status) => write!(f, "{status}"),
            Self::Late => f.write_str("it did not end within a minute"),
            Self::Empty => f.write_str("the command is empty"),
        }
    }
}

/// What a program prints.
///
/// # Errors
/// [`Failed`]; the program is ended then.
pub(crate) async fn output<S: AsRef<str>>(argv: &[S], clock: &dyn Clock) -> Result<SecretBytes, Failed> {
    run(argv, None, clock).await
}

/// What a program prints that is given this text.
///
/// # Errors
/// [`Failed`]; the program is ended then.
pub(crate) async fn feed<S: AsRef<str>>(
    argv: &[S],
    input: &SecretString,
    clock: &dyn Clock,
) -> Result<SecretBytes, Failed> {
    run(argv, Some(input), clock).await
}

async fn run<S: AsRef<str>>(
    argv: &[S],
    input: Option<&SecretString>,
    clock: &dyn Clock,
) -> Result<SecretBytes, Failed> {
    let (program, arguments) = argv.split_first().ok_or(Failed::Empty)?;
    let mut child = tokio::process::Command::new(program.as_ref())
        .args(arguments.iter().map(AsRef::as_ref))
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(Failed::System)?;
    let finished = async {
        if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
            match stdin.write_all(input.expose().as_bytes()).await {
                // A program that does not read to the end says by its status whether that is right.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => return Err(Failed::System(error)),
                _ => drop(stdin),
            }
        }
        let mut bytes = Vec::with_capacity(4096);
        if let Some(stdout) = child.stdout.take() {
            stdout.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).await.map_err(Failed::System)?;
        }
        let bytes = SecretBytes::new(bytes);
        if bytes.expose().len() as u64 > MAX_SECRET_BYTES {
            return Err(Failed::TooLong);
        }
        match child.wait().await.map_err(Failed::System)? {
            status if status.success() => Ok(bytes),
            status => Err(Failed::Status(status)),
        }
    };
    tokio::select! {
        finished = finished => finished,
        () = clock.sleep(PATIENCE) => Err(Failed::Late),
    }
}

/// The system's reason without its number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use m2m_io::SystemClock;

    use super::*;

    #[tokio::test]
    async fn what_is_fed_comes_by_standard_input() {
        let secret = SecretString::from("hunter2");
        let echoed = feed(&["cat"], &secret, &SystemClock).await.unwrap();
        assert_eq!(echoed.expose(), b"hunter2");
        assert!(feed(&["true"], &secret, &SystemClock).await.is_ok(), "it need not read");
        let absent = feed(&["/nowhere/secret-tool"], &secret, &SystemClock).await.unwrap_err();
        assert!(absent.is_absent() && !Failed::Late.is_absent());
        assert!(matches!(output::<&str>(&[], &SystemClock).await, Err(Failed::Empty)));
    }
}
