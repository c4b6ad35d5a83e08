//! Sockets: a listener that serves a router over plain TCP or TLS, tells it who called, and stops gracefully.
//!
//! Over TLS a client certificate is asked for where the listener is told to, and never demanded. The handshake proves that the peer holds its key;
//! whether the certificate means anything (a chain, a registration) is decided by the authorization server and the
//! API, which receive it as [`PeerCertificate`].
//!
//! Limits: 1024 connections, 10 s for a TLS handshake, 10 s for request headers, 10 s for a graceful stop.

mod certificate;
mod renewal;

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::response::Response;
use http::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use m2m_authorization_server::ClientAddress;
use m2m_io::{Clock, task};
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

pub use certificate::{Asks, Certificates, renewed_config, server_config};
pub use renewal::{Look, RenewedCertificate, authorities};

const MAX_CONNECTIONS: usize = 1024;
const PATIENCE: Duration = Duration::from_secs(10);

/// Looks at each request before the router, and may answer in its place. Not a layer: those cost allocations on the
/// way of every token.
pub type Door = Arc<dyn Fn(&mut Request<Incoming>) -> Option<Response> + Send + Sync>;

/// A bound socket, not yet served.
pub struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    tls: Option<TlsAcceptor>,
    door: Option<Door>,
    clock: Arc<dyn Clock>,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Listener {
    /// Binds. Port 0 takes a free one; [`Listener::address`] says which.
    ///
    /// # Errors
    /// As the system says: the port is taken, the address is not ours.
    pub async fn bind(address: SocketAddr, clock: Arc<dyn Clock>) -> std::io::Result<Self> {
        let socket = TcpListener::bind(address).await?;
        let address = socket.local_addr()?;
        Ok(Self { socket, address, tls: None, door: None, clock })
    }

    /// Speaks TLS with this configuration.
    #[must_use]
    pub fn tls(mut self, config: Arc<ServerConfig>) -> Self {
        self.tls = Some(TlsAcceptor::from(config));
        self
    }

    /// Lets requests in through this door; it finds address and certificate among the extensions.
    #[must_use]
    pub fn door(mut self, door: Door) -> Self {
        self.door = Some(door);
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes, then lets requests under way finish for at most 10 s.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let graceful = GracefulShutdown::new();
        let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.accept(&places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let watcher = graceful.watcher();
            let connection = Connection {
                tls: self.tls.clone(),
                door: self.door.clone(),
                clock: Arc::clone(&self.clock),
                router: router.clone(),
                peer,
            };
            task::spawn_detached("connection", async move {
                connection.run(stream, watcher).await;
                drop(place);
            });
        }
        drop(self.socket);
        tokio::select! {
            () = graceful.shutdown() => {}
            () = self.clock.sleep(PATIENCE) => tracing::warn!("connections were cut at shutdown"),
        }
    }

    async fn accept(
        &self,
        places: &Arc<Semaphore>,
    ) -> Option<(TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
        let place = Arc::clone(places).acquire_owned().await.ok()?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer, place)),
            Err(error) => {
                // Out of file descriptors, say: accepting again at once would spin.
                tracing::warn!(%error, "cannot accept a connection");
                self.clock.sleep(Duration::from_millis(100)).await;
                None
            }
        }
    }
}

struct Connection {
    tls: Option<TlsAcceptor>,
    door: Option<Door>,
    clock: Arc<dyn Clock>,
    router: Router,
    peer: SocketAddr,
}

impl Connection {
    async fn run(self, stream: TcpStream, watcher: Watcher) {
        // Small answers must not wait for the peer's acknowledgement.
        let _best_effort = stream.set_nodelay(true);
        let Some(acceptor) = self.tls.clone() else {
            return self.http(stream, None, watcher).await;
        };
        let shaken = tokio::select! {
            shaken = acceptor.accept(stream) => shaken,
            () = self.clock.sleep(PATIENCE) => return,
        };
        match shaken {
            Ok(stream) => {
                let certificate = certificate::of_peer(stream.get_ref().1);
                self.http(stream, certificate, watcher).await;
            }
            Err(error) => tracing::debug!(%error, "TLS handshake failed"),
        }
    }

    async fn http(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        certificate: Option<PeerCertificate>,
        watcher: Watcher,
    ) {
        let address = ClientAddress(self.peer.ip());
        let (router, door) = (self.router, self.door);
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(address);
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let answered = door.as_ref().and_then(|door| door(&mut request));
            let router = router.clone();
            async move {
                match answered {
                    Some(response) => Ok(response),
                    None => router.oneshot(request).await,
                }
            }
        });
        let mut builder = Builder::new(NamedTasks);
        builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
        builder.http2().timer(TokioTimer::new());
        let service = TowerToHyperService::new(service);
        let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
        if let Err(error) = watcher.watch(connection).await {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// Runs the tasks of HTTP/2 connections under a name.
#[derive(Clone, Copy)]
struct NamedTasks;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for NamedTasks {
    fn execute(&self, future: F) {
        task::spawn_detached("http2", future);
    }
}

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

#[cfg(test)]
mod tests;
