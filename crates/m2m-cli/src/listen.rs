//! Sockets: a listener that serves a router over plain TCP or TLS, tells it who called, and stops gracefully.
//!
//! Over TLS a client certificate is asked for where the listener is told to, and never demanded. The handshake proves that the peer holds its key;
//! whether the certificate means anything (a chain, a registration) is decided by the authorization server and the
//! API, which receive it as [`PeerCertificate`].
//!
//! Limits: 1024 connections, 256 of one address (`places`); 10 s for a TLS handshake, then 10 s for the first request,
//! 10 s for each request's headers, 30 to 60 s without a request (`activity`); 10 s for a graceful stop. Where requests
//! are forwarded, 64 KiB for the headers of one, and a connection counts for as long as what came of it lasts (`Held`).

mod activity;
mod certificate;
mod held;
mod places;
mod renewal;
mod signals;
pub(crate) mod subscribers;

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
use hyper_util::service::TowerToHyperService;
use m2m_authorization_server::ClientAddress;
use m2m_io::{Clock, Network, task};
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tower::ServiceExt as _;

use activity::{Activity, Useless};
pub(crate) use held::Held;
use places::{Place, Places};

pub use certificate::{Asks, Certificates, renewed_config, server_config};
pub use renewal::{Look, RenewedCertificate, authorities};
pub use signals::{Signals, interrupted};

const PATIENCE: Duration = Duration::from_secs(10);
/// Of a request that goes on to somebody else, whose own limit is not known.
const MAX_HEADER_BYTES: u32 = 64 * 1024;
/// How often an HTTP/2 peer is asked whether it is still there, while nothing comes from it.
const LIFE_SIGN: Duration = Duration::from_secs(20);

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
    places: Places,
    requests: Requests,
}

/// What becomes of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Requests {
    /// They are answered here, soon.
    Answered,
    /// They go on to somebody else, whose answers may take long.
    Forwarded,
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
        Ok(Self {
            socket,
            address,
            tls: None,
            door: None,
            clock,
            places: Places::new(),
            requests: Requests::Answered,
        })
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

    /// Lets peers in these networks have more connections than another address: proxies, which speak for many.
    #[must_use]
    pub fn except(mut self, networks: Vec<Network>) -> Self {
        self.places.except(networks);
        self
    }

    /// Gives each request a `Held` among its extensions, for answers that take longer than the answering.
    #[must_use]
    pub fn forwarding(mut self) -> Self {
        self.requests = Requests::Forwarded;
        self
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop` completes, then lets requests under way finish for at most 10 s.
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let (stopped, stopping) = watch::channel(false);
        let mut stop = pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = self.accept() => accepted,
            };
            let Some((stream, peer, place)) = accepted else { continue };
            let connection = Connection {
                tls: self.tls.clone(),
                door: self.door.clone(),
                clock: Arc::clone(&self.clock),
                router: router.clone(),
                peer,
                stopping: stopping.clone(),
                place: Arc::new(place),
                requests: self.requests,
            };
            task::spawn_detached("connection", connection.run(stream));
        }
        drop(self.socket);
        stopped.send_replace(true);
        tokio::select! {
            () = self.places.all_free() => {}
            () = self.clock.sleep(PATIENCE) => tracing::warn!("connections were cut at shutdown"),
        }
    }

    /// Room first: whoever comes when there is none waits in the system's queue.
    async fn accept(&self) -> Option<(TcpStream, SocketAddr, Place)> {
        let room = self.places.room().await?;
        match self.socket.accept().await {
            Ok((stream, peer)) => Some((stream, peer, self.places.take(room, peer.ip())?)),
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
    stopping: watch::Receiver<bool>,
    place: Arc<Place>,
    requests: Requests,
}

impl Connection {
    async fn run(self, stream: TcpStream) {
        // Small answers must not wait for the peer's acknowledgement.
        let _best_effort = stream.set_nodelay(true);
        let Some(acceptor) = self.tls.clone() else {
            return self.http(stream, None).await;
        };
        let mut stopping = self.stopping.clone();
        let shaken = tokio::select! {
            shaken = acceptor.accept(stream) => shaken,
            () = self.clock.sleep(PATIENCE) => return,
            // Nothing was asked yet.
            _ = stopping.wait_for(|stopping| *stopping) => return,
        };
        match shaken {
            Ok(stream) => {
                let certificate = certificate::of_peer(stream.get_ref().1);
                self.http(stream, certificate).await;
            }
            Err(error) => tracing::debug!(%error, "TLS handshake failed"),
        }
    }

    async fn http(
        self,
        stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
        certificate: Option<PeerCertificate>,
    ) {
        let address = ClientAddress(self.peer.ip());
        let activity = Arc::new(Activity::default());
        let (router, door, asked) = (self.router, self.door, Arc::clone(&activity));
        let (requests, place, stopped) = (self.requests, Arc::clone(&self.place), self.stopping.clone());
        let service = tower::service_fn(move |mut request: Request<Incoming>| {
            let under_way = Arc::new(asked.begin());
            request.extensions_mut().insert(address);
            if requests == Requests::Forwarded {
                let held = Held::new(Arc::clone(&place), Arc::clone(&under_way), stopped.clone());
                request.extensions_mut().insert(held);
            }
            if let Some(certificate) = &certificate {
                request.extensions_mut().insert(certificate.clone());
            }
            let answered = door.as_ref().and_then(|door| door(&mut request));
            let router = router.clone();
            async move {
                let response = match answered {
                    Some(response) => Ok(response),
                    None => router.oneshot(request).await,
                };
                drop(under_way);
                response
            }
        });
        let builder = protocol(requests);
        let (stream, service) = (TokioIo::new(stream), TowerToHyperService::new(service));
        let connection = builder.serve_connection_with_upgrades(stream, service);
        let (clock, mut stopping) = (self.clock, self.stopping);
        let mut connection = pin!(connection);
        let ended = tokio::select! {
            biased;
            ended = connection.as_mut() => ended,
            last = last_request(&activity, clock.as_ref(), &mut stopping) => match last {
                // Nobody waits for an answer.
                Last::Never => return tracing::debug!("a connection without a request is closed"),
                Last::Begun => {
                    connection.as_mut().graceful_shutdown();
                    tokio::select! {
                        ended = connection => ended,
                        () = clock.sleep(PATIENCE) => return,
                    }
                }
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%error, "connection ended early");
        }
    }
}

/// What is left of a connection that is to end.
enum Last {
    /// No request.
    Never,
    /// Whatever has begun.
    Begun,
}

/// Completes when no further request is wanted.
async fn last_request(activity: &Activity, clock: &dyn Clock, stopping: &mut watch::Receiver<bool>) -> Last {
    tokio::select! {
        useless = activity.useless(clock) => match useless {
            Useless::Silent => Last::Never,
            Useless::Idle => Last::Begun,
        },
        _ = stopping.wait_for(|stopping| *stopping) => Last::Begun,
    }
}

/// HTTP/1.1 and HTTP/2, by what the peer's first bytes are.
fn protocol(requests: Requests) -> Builder<NamedTasks> {
    let mut builder = Builder::new(NamedTasks);
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(LIFE_SIGN).keep_alive_timeout(PATIENCE);
    if requests == Requests::Forwarded {
        builder.http1().max_buf_size(MAX_HEADER_BYTES as usize);
        builder.http2().max_header_list_size(MAX_HEADER_BYTES);
    }
    builder
}

/// Runs the tasks of connections under a name.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NamedTasks;

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for NamedTasks {
    fn execute(&self, future: F) {
        task::spawn_detached("http", future);
    }
}

#[cfg(test)]
mod tests;
