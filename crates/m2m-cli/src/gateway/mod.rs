//! `m2m gateway`: tokens checked in front of any program, or for the proxy that stands there already.
//!
//! [`settings`] (flags, the table `[gateway]`, rules) → sockets → [`parts`] (what checks) → [`running`] (listeners, until
//! a signal). What a request goes through is in `crate::proxy`; who may call for others is in `serve::forwarded`.

mod check;
pub(crate) mod file;
mod health;
pub(crate) mod key;
mod parts;
mod running;
pub(crate) mod settings;
pub(crate) mod stated;

use crate::Surroundings;
use crate::exit::{Exit, Failure};
use crate::listen::Signals;
use running::Running;
use settings::Settings;

/// Works until a signal.
///
/// # Errors
/// Exit 3: files, ports.
pub(crate) async fn run(
    settings: Settings,
    mut signals: Signals,
    around: &Surroundings,
) -> Result<Exit, Failure> {
    let delay = settings.shutdown_delay;
    let (running, url) = tokio::select! {
        started = Running::start(settings, around) => started?,
        () = signals.next() => return Ok(Exit::Interrupted),
    };
    around.output.result(&format!("ready {url}"))?;
    Ok(running.until_stopped(signals, delay, around).await)
}
