//! A server that runs: its listeners and tasks, and the order in which they end.
//!
//! At the first signal: `/readyz` is 503; after `shutdown_delay` no connection is accepted; requests under way finish
//! within 10 s; the server writes out what it holds; the tasks stop; exit 0. A second signal ends it at once, exit 130:
//! what was not written out by then is lost.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use m2m_io::task::{self, Task, Tasks};

use crate::Surroundings;
use crate::args::LogFormat;
use crate::exit::{Exit, Failure};
use crate::listen::{Door, Listener, Signals};
use crate::serve::exposition::Exposition;
use crate::serve::forwarded::TrustedProxies;
use crate::serve::founding;
use crate::serve::open::Opened;
use crate::serve::sockets::Sockets;
use crate::trace::{Told, traced};

/// How it ends.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ending {
    /// How long `/readyz` is 503 before connections are refused.
    pub(crate) delay: Duration,
    /// How it is said that it ends.
    pub(crate) log: LogFormat,
}

/// Everything that must be ended.
pub(crate) struct Running {
    opened: Opened,
    /// Ends the listeners, which end in their own order.
    accepting: Tasks,
    listeners: Vec<Task>,
    tasks: Tasks,
}

impl Running {
    /// Serves on every socket and starts the work besides.
    pub(crate) fn start(
        opened: Opened,
        sockets: Sockets,
        proxies: TrustedProxies,
        exposition: Exposition,
        around: &Surroundings,
    ) -> Self {
        let mut running =
            Self { opened, accepting: Tasks::new(), listeners: Vec::new(), tasks: Tasks::new() };
        let metrics = exposition.router();
        let mut router = traced(running.opened.router(), Told::Path);
        if sockets.metrics.is_none() {
            router = router.merge(metrics.clone());
        }
        let console = traced(running.opened.console(around), Told::Path);
        let crowds = proxies.networks().to_vec();
        let door = door(proxies);
        let main = sockets.main.door(Arc::clone(&door)).except(crowds.clone());
        running.serve("listener", main, router.clone().merge(console));
        if let Some(listener) = sockets.mutual_tls {
            running.serve("listener, mutual TLS", listener.door(door).except(crowds), router);
        }
        if let Some(listener) = sockets.metrics {
            running.serve("listener, metrics", listener, metrics);
        }
        let clock = &around.clock;
        // The RSA key takes up to a second, and nobody waits for it.
        running.tasks.spawn("signing keys", running.opened.background());
        running.tasks.spawn("metrics upkeep", exposition.upkeep(Arc::clone(clock)));
        if let Some(own) = sockets.own {
            running.tasks.spawn("certificate files", own.watch(Arc::clone(clock)));
        }
        running
    }

    fn serve(&mut self, name: &'static str, listener: Listener, router: Router) {
        tracing::info!(address = %listener.address(), "{name}");
        let stop = self.accepting.stopping();
        self.listeners.push(task::spawn_detached(name, listener.serve(router, stop)));
    }

    /// Waits for a signal and ends everything in its order.
    ///
    /// # Errors
    /// Exit 3 or 5 when the server cannot write out what it holds.
    pub(crate) async fn until_stopped(
        self,
        mut signals: Signals,
        ending: Ending,
        around: &Surroundings,
    ) -> Result<Exit, Failure> {
        signals.next().await;
        self.opened.stop_accepting();
        founding::tell("stopping", ending.log, around);
        tokio::select! {
            ended = self.stop(ending.delay, around) => ended.map(|()| Exit::Ok),
            () = signals.next() => {
                tracing::warn!("ended by a second signal");
                Ok(Exit::Interrupted)
            }
        }
    }

    pub(crate) async fn stop(self, delay: Duration, around: &Surroundings) -> Result<(), Failure> {
        around.clock.sleep(delay).await;
        self.accepting.shutdown().await;
        for listener in self.listeners {
            listener.join().await;
        }
        let drained = self.opened.drain().await;
        self.tasks.shutdown().await;
        drained
    }
}

/// What happens to a request before the router: who calls is settled.
fn door(proxies: TrustedProxies) -> Door {
    Arc::new(move |request| proxies.settle(request))
}
