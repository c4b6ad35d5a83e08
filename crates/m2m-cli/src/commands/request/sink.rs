//! Where the answer goes: standard output or a file, piece by piece, with progress on a terminal.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use reqwest::Response;

use super::failed;
use crate::Surroundings;
use crate::args::Request;
use crate::exit::Failure;
use crate::output::Stream;

/// An answer that is here sooner needs no progress.
const PATIENCE: Duration = Duration::from_secs(1);
/// Between two updates.
const PACE: Duration = Duration::from_millis(100);

/// Writes status and headers if asked for, then the body as it comes.
///
/// # Errors
/// Exit 3: the file cannot be written. Exit 5: the connection broke.
pub(super) async fn write(
    typed: &Request,
    mut response: Response,
    around: &Surroundings,
) -> Result<(), Failure> {
    if typed.include {
        around.output.bytes(&head(&response))?;
    }
    let mut file = match &typed.output {
        Some(path) => Some(File::create(path).map_err(|error| cannot_write(path, &error))?),
        None => None,
    };
    let mut progress = Progress::start(
        response.content_length(),
        around,
        match file {
            Some(_) => Stream::Pipe,
            None => around.output.stdout(),
        },
    );
    while let Some(chunk) = response.chunk().await.map_err(|error| failed(&error))? {
        match (&mut file, &typed.output) {
            (Some(file), Some(path)) => file.write_all(&chunk).map_err(|error| cannot_write(path, &error))?,
            _ => around.output.bytes(&chunk)?,
        }
        progress.add(chunk.len() as u64);
    }
    progress.end();
    Ok(())
}

fn cannot_write(path: &std::path::Path, error: &std::io::Error) -> Failure {
    Failure::configuration(format!("cannot write {}: {error}", path.display()))
}

fn head(response: &Response) -> Vec<u8> {
    let mut head = format!("{:?} {}\r\n", response.version(), response.status()).into_bytes();
    for (name, value) in response.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(b"\r\n");
    head
}

/// A line on a terminal that says how far it is; silent unless the body goes elsewhere and takes its time.
struct Progress<'a> {
    around: &'a Surroundings,
    total: Option<u64>,
    done: u64,
    started: Duration,
    shown: Option<Duration>,
    wanted: bool,
}

impl<'a> Progress<'a> {
    fn start(total: Option<u64>, around: &'a Surroundings, sink: Stream) -> Self {
        let elsewhere = sink == Stream::Pipe;
        let wanted = elsewhere && around.output.stderr() == Stream::Terminal;
        Self { around, total, done: 0, started: around.clock.monotonic(), shown: None, wanted }
    }

    fn add(&mut self, bytes: u64) {
        self.done += bytes;
        if !self.wanted {
            return;
        }
        let now = self.around.clock.monotonic();
        let due = self.shown.map_or(self.started + PATIENCE, |shown| shown + PACE);
        if now >= due {
            self.shown = Some(now);
            self.around.output.progress(&text(self.done, self.total));
        }
    }

    fn end(&self) {
        if self.shown.is_some() {
            self.around.output.progress("");
        }
    }
}

fn text(done: u64, total: Option<u64>) -> String {
    let mib = |bytes: u64| format!("{}.{} MiB", bytes >> 20, ((bytes % (1 << 20)) * 10) >> 20);
    match total.filter(|total| *total > 0) {
        None => mib(done),
        Some(total) => {
            let filled = usize::try_from(done.saturating_mul(30) / total).unwrap_or(30).min(30);
            format!("[{:<30}] {} of {}", "#".repeat(filled), mib(done), mib(total))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_is_readable() {
        assert_eq!(text(3 << 19, None), "1.5 MiB");
        assert_eq!(text(1 << 20, Some(2 << 20)), "[###############               ] 1.0 MiB of 2.0 MiB");
        assert_eq!(text(5, Some(1)), "[##############################] 0.0 MiB of 0.0 MiB");
        assert_eq!(text(5, Some(0)), "0.0 MiB");
    }
}
