//! The lab on its sockets: one for HTTP and one for HTTPS, both on 127.0.0.1.
//!
//! Limits: bodies of 1 MiB.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use m2m_io::{Clock, SystemClock};
use m2m_proto::time::UnixTime;
use rustls::sign::CertifiedKey;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::answer::{Answer, Words};
use super::assertion::Moment;
use super::behaviour::Behaviour;
use super::certificate::{self, ByName, Certificates};
use super::date;
use super::home::Home;
use super::judge::{self, Memory, Outcome};
use crate::record::{Record, Recorded};

const MAX_BODY_BYTES: usize = 1024 * 1024;

/// A running token service. Stops when dropped, connections included.
#[derive(Debug)]
pub struct Lab {
    shared: Arc<Shared>,
    http: SocketAddr,
    tls: SocketAddr,
    home: Home,
}

/// What all connections see.
#[derive(Debug)]
pub(super) struct Shared {
    state: Mutex<State>,
    record: Record,
    clock: Arc<dyn Clock>,
    certificates: Certificates,
    directory: TempDir,
}

#[derive(Debug)]
struct State {
    behaviour: Behaviour,
    memory: Memory,
    outcomes: Vec<Outcome>,
}

impl Lab {
    /// Serves a behaviour by the system's clock.
    ///
    /// # Panics
    ///
    /// If no socket can be had, here and wherever a lab starts.
    pub async fn start(behaviour: Behaviour) -> Self {
        Self::with_clock(behaviour, Arc::new(SystemClock)).await
    }

    /// The same by another clock; [`Behaviour::clock_offset`] counts from it.
    ///
    /// # Panics
    ///
    /// As [`Self::start`].
    pub async fn with_clock(behaviour: Behaviour, clock: Arc<dyn Clock>) -> Self {
        Self::open(behaviour, clock).await
    }

    /// Serves a behaviour from a thread of its own, for tests that are not asynchronous: those that run the binary.
    ///
    /// # Panics
    ///
    /// As [`Self::start`], and inside a runtime.
    #[must_use]
    pub fn in_thread(behaviour: Behaviour) -> Self {
        let (runtime, mut lab) = Home::build(Self::open(behaviour, Arc::new(SystemClock)));
        lab.home.keep(runtime);
        lab
    }

    async fn open(behaviour: Behaviour, clock: Arc<dyn Clock>) -> Self {
        let state = State { behaviour, memory: Memory::default(), outcomes: Vec::new() };
        let certificates = Certificates::new();
        let directory = tempfile::tempdir().expect("a directory");
        std::fs::write(directory.path().join("ca.pem"), certificates.pem()).expect("a file");
        let record = Record::default();
        let shared = Arc::new(Shared { state: Mutex::new(state), record, clock, certificates, directory });
        let home = Home::new();
        let plain = Arc::clone(&shared);
        let http = home.listen(move |stream| serve(stream, "http", Arc::clone(&plain))).await;
        let acceptor = TlsAcceptor::from(Arc::new(certificate::config(Arc::clone(&shared))));
        let secure = Arc::clone(&shared);
        let tls = home.listen(move |stream| handshake(stream, acceptor.clone(), Arc::clone(&secure))).await;
        Self { shared, http, tls, home }
    }

    /// `http://127.0.0.1:PORT`.
    #[must_use]
    pub fn http_origin(&self) -> String {
        format!("http://{}", self.http)
    }

    /// `https://localhost:PORT`; whoever trusts [`Self::ca_file`] gets in.
    #[must_use]
    pub fn https_origin(&self) -> String {
        format!("https://localhost:{}", self.tls.port())
    }

    /// The port of HTTPS.
    #[must_use]
    pub const fn tls_port(&self) -> u16 {
        self.tls.port()
    }

    /// Where tokens are asked for by HTTP.
    #[must_use]
    pub fn token_url(&self) -> String {
        format!("{}{}", self.http_origin(), self.shared.state().behaviour.token_path)
    }

    /// A PEM file with the certificate of who vouches for the lab. Gone when lab and tunnels are.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.shared.ca_file()
    }

    /// The same as text.
    #[must_use]
    pub fn ca_pem(&self) -> String {
        self.shared.certificates.pem()
    }

    /// Every request so far, in order. Targets are path and query, and there is always a `host`.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.shared.record.all()
    }

    /// The same as a handle, which can be emptied.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.shared.record
    }

    /// What became of them, in order.
    #[must_use]
    pub fn outcomes(&self) -> Vec<Outcome> {
        self.shared.state().outcomes.clone()
    }

    /// How often this was the outcome.
    #[must_use]
    pub fn count(&self, outcome: &Outcome) -> usize {
        self.shared.state().outcomes.iter().filter(|known| *known == outcome).count()
    }

    /// Changes the behaviour from the next request (or handshake) on.
    pub fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.shared.state().behaviour);
    }

    /// Answers every token request with the named answer from now on; `None`: judges them again.
    pub fn play(&self, name: Option<&str>) {
        self.change(|behaviour| behaviour.playing = name.map(str::to_owned));
    }

    pub(super) fn shared(&self) -> Arc<Shared> {
        Arc::clone(&self.shared)
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    fn now(&self, offset: i64) -> UnixTime {
        let distance = Duration::from_secs(offset.unsigned_abs());
        let now = self.clock.wall();
        if offset < 0 { now.saturating_sub(distance) } else { now.saturating_add(distance) }
    }

    /// `None`: the connection is closed without a word.
    fn answer(&self, request: &Recorded, scheme: &str) -> Option<Response<Bytes>> {
        let mut state = self.state();
        let State { behaviour, memory, outcomes } = &mut *state;
        let now = self.now(behaviour.clock_offset);
        let mut words = Words::default();
        let host = request.header(header::HOST.as_str()).unwrap_or_default();
        words.set("origin", format!("{scheme}://{host}"));
        words.set("now", now.seconds().to_string());
        words.set("now_ms", now.millis().to_string());
        words.set("date", date::rfc3339(now));
        let path = request.uri.path();
        let found =
            behaviour.documents.iter().find(|known| known.path == path && request.method == Method::GET);
        let (outcome, response) = if let Some(document) = found {
            let response = document.answer.as_ref().map(|answer| answer.response(&words));
            (Outcome::Document(path.to_owned()), response)
        } else if path == behaviour.token_path {
            let (outcome, response) = judge::token(behaviour, request, &Moment { now, words }, memory);
            (outcome, Some(response))
        } else {
            let response = Answer::html(404, "Not Found").response(&words);
            (Outcome::NotFound(path.to_owned()), Some(response))
        };
        outcomes.push(outcome);
        let mut response = response?;
        if !response.headers().contains_key(header::DATE) {
            let date = HeaderValue::from_str(&date::http(now)).expect("a date");
            response.headers_mut().insert(header::DATE, date);
        }
        Some(response)
    }
}

impl ByName for Shared {
    fn certificate(&self, name: Option<&str>) -> Arc<CertifiedKey> {
        let kind = self.state().behaviour.certificate;
        self.certificates.of(name, kind, self.clock.wall())
    }
}

/// Errors end the connection: the client sees them.
async fn handshake(stream: TcpStream, acceptor: TlsAcceptor, shared: Arc<Shared>) {
    if let Ok(stream) = acceptor.accept(stream).await {
        serve(stream, "https", shared).await;
    }
}

async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    scheme: &'static str,
    shared: Arc<Shared>,
) {
    let serve = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move {
            let request = received(request).await.ok_or(Hangup)?;
            shared.record.push(request.clone());
            shared.answer(&request, scheme).map(|response| response.map(Full::new)).ok_or(Hangup)
        }
    });
    let _ended = auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), serve).await;
}

/// The same over HTTP/1.1 and HTTP/2.
async fn received(request: Request<Incoming>) -> Option<Recorded> {
    let (mut parts, body) = request.into_parts();
    let body = Limited::new(body, MAX_BODY_BYTES).collect().await.ok()?.to_bytes();
    if let (Some(authority), false) = (parts.uri.authority(), parts.headers.contains_key(header::HOST)) {
        parts.headers.insert(header::HOST, HeaderValue::from_str(authority.as_str()).ok()?);
    }
    let target = parts.uri.path_and_query().map_or("/", |target| target.as_str());
    let uri: Uri = target.parse().ok()?;
    Some(Recorded { method: parts.method, uri, headers: parts.headers, body })
}

/// Makes hyper close the connection.
#[derive(Debug)]
struct Hangup;

impl std::fmt::Display for Hangup {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("the lab hangs up")
    }
}

impl std::error::Error for Hangup {}
