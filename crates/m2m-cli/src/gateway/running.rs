//! A gateway that runs: its listeners, and the order in which they end.
//!
//! At the first signal: `/readyz` is 503; after `shutdown_delay` no connection is accepted; requests under way finish
//! within 10 s, tunnels end at once; exit 0. A second signal ends it at once, exit 130.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use m2m_authorization_server::ClientAddress;
use m2m_io::task::{self, Task, Tasks};
use m2m_resource_server::Verifier;

use super::health::Health;
use super::parts;
use super::settings::{Settings, Work};
use crate::Surroundings;
use crate::exit::{Exit, Failure};
use crate::listen::{Door, Listener, RenewedCertificate, Signals};
use crate::proxy::forward_auth::ForwardAuth;
use crate::proxy::inbound::Gate;
use crate::proxy::reverse::Reverse;
use crate::proxy::upstream::Upstream;
use crate::proxy::way::{ByProxy, Scheme};
use crate::serve::exposition::Exposition;
use crate::serve::forwarded::TrustedProxies;
use crate::serve::sockets::{bind, secured};
use crate::trace::{Told, traced};

/// Everything that must be ended.
pub(super) struct Running {
    accepting: Tasks,
    listeners: Vec<Task>,
    tasks: Tasks,
    health: Health,
}

impl Running {
    /// Binds, and serves on every socket. Also says where.
    ///
    /// # Errors
    /// Exit 3: a file that cannot be used, an address that is taken.
    pub(super) async fn start(settings: Settings, around: &Surroundings) -> Result<(Self, String), Failure> {
        let own = match &settings.tls {
            Some((cert, key)) => Some(RenewedCertificate::load(cert.clone(), key.clone())?),
            None => None,
        };
        let main = secured(bind(settings.listen, around).await?, own.as_ref(), settings.asks)?;
        let metrics = match settings.metrics_listen {
            Some(address) => Some(bind(address, around).await?),
            None => None,
        };
        let exposition = Exposition::install()?;
        let spoken = if own.is_some() { Scheme::Https } else { Scheme::Http };
        let url = format!("{}://{}", spoken.name(), main.address());
        let main = main.door(door(settings.proxies.clone())).except(settings.crowds()).forwarding();
        let mut running = Self {
            accepting: Tasks::new(),
            listeners: Vec::new(),
            tasks: Tasks::new(),
            health: Health::default(),
        };
        let verifier = parts::verifier(&settings, around).await?;
        tracing::info!("{}", verifier.revocation_window());
        let preparing = running.health.clone().prepare(verifier.clone(), Arc::clone(&around.clock));
        running.tasks.spawn("keys", preparing);
        running.serve("listener", main, traced(router(settings, verifier, spoken, around), Told::Method));
        if let Some(listener) = metrics {
            let routes = exposition.router().merge(running.health.router());
            running.serve("listener, metrics", listener, routes);
        }
        running.tasks.spawn("metrics upkeep", exposition.upkeep(Arc::clone(&around.clock)));
        if let Some(own) = own {
            running.tasks.spawn("certificate files", own.watch(Arc::clone(&around.clock)));
        }
        Ok((running, url))
    }

    fn serve(&mut self, name: &'static str, listener: Listener, router: Router) {
        tracing::info!(address = %listener.address(), "{name}");
        let stop = self.accepting.stopping();
        self.listeners.push(task::spawn_detached(name, listener.serve(router, stop)));
    }

    /// Waits for a signal and ends everything in its order.
    pub(super) async fn until_stopped(
        self,
        mut signals: Signals,
        delay: Duration,
        around: &Surroundings,
    ) -> Exit {
        signals.next().await;
        self.health.stop();
        tracing::info!("stopping");
        tokio::select! {
            () = self.stop(delay, around) => Exit::Ok,
            () = signals.next() => {
                tracing::warn!("ended by a second signal");
                Exit::Interrupted
            }
        }
    }

    async fn stop(self, delay: Duration, around: &Surroundings) {
        around.clock.sleep(delay).await;
        self.accepting.shutdown().await;
        for listener in self.listeners {
            listener.join().await;
        }
        self.tasks.shutdown().await;
    }
}

/// What requests go through. Behind a proxy that ends TLS, clients speak https.
fn router(settings: Settings, verifier: Verifier, spoken: Scheme, around: &Surroundings) -> Router {
    let scheme = if settings.behind_tls_proxy { Scheme::Https } else { spoken };
    let gate = Gate::new(verifier, settings.rules, settings.believed, settings.token);
    match settings.work {
        Work::Forward(target, tuning) => {
            let upstream = Upstream::new(target, tuning, Arc::clone(&around.clock));
            Reverse::new(gate, upstream, scheme, Arc::clone(&around.clock)).router()
        }
        Work::Answer(dialect) => ForwardAuth::new(gate, dialect).router(),
    }
}

/// Who calls is settled before anything else, and whether a proxy that is believed brought it.
fn door(proxies: TrustedProxies) -> Door {
    Arc::new(move |request| {
        let peer = request.extensions().get::<ClientAddress>().map(|address| address.0.to_canonical());
        if peer.is_some_and(|peer| proxies.trusts(peer)) {
            request.extensions_mut().insert(ByProxy);
        }
        proxies.settle(request)
    })
}
