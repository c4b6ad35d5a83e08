//! `m2m console`: profiles in the browser, served to this machine alone.
//!
//! Enforces: a loopback address, or exit 3; the address that lets one in is printed and works once. A browser is told
//! where to go by a file of mode 0600, not by its arguments, which every user of the machine can read.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;

use m2m_io::file;
use maud::{DOCTYPE, html};

use crate::Surroundings;
use crate::args::Console as Typed;
use crate::console::profiles::Console;
use crate::exit::{Exit, Failure};
use crate::listen::{Listener, interrupted};
use crate::output::Stream;

pub(crate) async fn run(typed: &Typed, around: &Arc<Surroundings>) -> Result<Exit, Failure> {
    let address = loopback(&typed.listen)?;
    let stop = interrupted().map_err(|error| Failure::internal(error.to_string()))?;
    let bound = Listener::bind(address, Arc::clone(&around.clock)).await;
    let listener = bound.map_err(|error| cannot_listen(address, &error))?;
    let console = Arc::new(Console::new(Arc::clone(around), listener.address()));
    let ticket = console.ticket();
    around.output.result(&format!("{}start?token={ticket}", console.url()))?;
    around.output.note("open that address in a browser on this machine: it works once, for ten minutes");
    let signpost = match typed.no_open || around.output.stdout() != Stream::Terminal {
        true => None,
        false => open(&console, around),
    };
    listener.serve(Arc::clone(&console).router(), stop).await;
    if let Some(signpost) = signpost {
        let _gone_already = file::remove(&signpost);
    }
    Ok(Exit::Ok)
}

/// Whoever can reach the console can read and change profiles.
fn loopback(listen: &str) -> Result<SocketAddr, Failure> {
    let address: SocketAddr = listen.parse().map_err(|_| {
        Failure::usage(format!("--listen: expected an address such as 127.0.0.1:0, found {listen:?}"))
    })?;
    if address.ip().is_loopback() {
        return Ok(address);
    }
    Err(Failure::configuration(format!(
        "--listen: {} is not an address of this machine alone; the console reads and changes profiles, and is served \
         on loopback only",
        address.ip()
    ))
    .hint("use 127.0.0.1 or [::1]; from elsewhere go through ssh -L"))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> Failure {
    Failure::configuration(format!("cannot listen on {address}: {error}"))
        .hint("--listen 127.0.0.1:0 takes a free port")
}

/// Opens the browser, if there is one; silent if not, for the address is printed. What it leaves behind is a file.
fn open(console: &Console, around: &Surroundings) -> Option<PathBuf> {
    let path = around.environment.configuration_directory()?.join("console.html");
    let url = format!("{}start?from=file&token={}", console.url(), console.ticket());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head { meta charset="utf-8"; title { "m2m console" }
                meta http-equiv="refresh" content={ "0;url=" (url) }; }
            body { a href=(url) { "Open the console" } }
        }
    };
    file::create_private_dir(path.parent()?).ok()?;
    file::atomic_write(&path, page.into_string().as_bytes(), around.random.as_ref()).ok()?;
    browse(&path).ok()?;
    Some(path)
}

fn browse(path: &Path) -> io::Result<()> {
    let program = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    let mut command = tokio::process::Command::new(program);
    command.arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_machine_is_listened_on() {
        assert!(loopback("127.0.0.1:0").is_ok() && loopback("[::1]:7700").is_ok());
        for far in ["0.0.0.0:0", "[::]:80", "192.0.2.1:80"] {
            let failure = loopback(far).unwrap_err();
            assert_eq!(failure.exit(), Exit::Configuration, "{far}");
            assert!(failure.message().contains("loopback"), "{}", failure.message());
        }
        for wrong in ["localhost", "127.0.0.1", ""] {
            assert_eq!(loopback(wrong).unwrap_err().exit(), Exit::Usage, "{wrong}");
        }
    }
}
