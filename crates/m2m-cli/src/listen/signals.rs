//! The signals that end a server: SIGINT and SIGTERM, one after the other; on Windows Ctrl-C.
//!
//! Enforces: heard from the first call on, so that none is lost between the start and the wait for it.
//! Does not enforce: what happens then; `serve::running` has the order of the end.

/// SIGINT and SIGTERM, one after the other.
#[derive(Debug)]
pub struct Signals {
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Signals {
    /// Hears them from now on; they no longer end the process by themselves.
    ///
    /// # Errors
    /// As the system says when it will not tell us of signals.
    pub fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            Ok(Self {
                interrupt: signal(SignalKind::interrupt())?,
                terminate: signal(SignalKind::terminate())?,
            })
        }
        #[cfg(not(unix))]
        {
            Ok(Self {})
        }
    }

    /// Completes at the next one.
    pub async fn next(&mut self) {
        #[cfg(unix)]
        {
            tokio::select! { _ = self.interrupt.recv() => {} _ = self.terminate.recv() => {} }
        }
        #[cfg(not(unix))]
        {
            let _best_effort = tokio::signal::ctrl_c().await;
        }
    }
}

/// Completes at SIGINT or SIGTERM.
///
/// # Errors
/// As [`Signals::listen`].
pub fn interrupted() -> std::io::Result<impl Future<Output = ()> + Send> {
    let mut signals = Signals::listen()?;
    Ok(async move { signals.next().await })
}
