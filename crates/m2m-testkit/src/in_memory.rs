//! HTTP without sockets: requests go straight into axum routers.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::{self, Debug};
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, Uri, header};
use http_body_util::BodyExt as _;
use m2m_io::{BoxFuture, Clock, EgressRules, HttpClient, HttpError, Limits};
use m2m_proto::uri::Origin;
use tower::ServiceExt as _;

use crate::record::{Record, Recorded};

/// What happens to a request instead of reaching its router.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The network fails like this.
    Fail(HttpError),
    /// Nothing ever answers; the caller's time limit ends it.
    Hang,
    /// This answer comes, whoever was asked.
    Answer(Response<Bytes>),
    /// An answer made from the request comes.
    React(fn(&Recorded) -> Response<Bytes>),
    /// None: the request goes through. For scripts in which only a later one fails.
    Pass,
}

type Prepare = Arc<dyn Fn(&mut Request<Body>) + Send + Sync>;

/// An [`HttpClient`] whose whole network is in memory. Cloning gives another handle to the same network.
///
/// It keeps the client's contract: redirects are errors, bodies are limited, discovered URLs obey the egress rules as
/// far as names go, and `limits.timeout` passes on the given clock. Bodies arrive as the router made them: nothing is
/// compressed. The router sees what a real server sees: a path, and the host in a header.
#[derive(Clone)]
pub struct InMemoryHttp {
    network: Arc<Mutex<Network>>,
    clock: Arc<dyn Clock>,
    record: Record,
    prepare: Option<Prepare>,
}

#[derive(Default)]
struct Network {
    routers: BTreeMap<String, Router>,
    faults: BTreeMap<String, VecDeque<Fault>>,
    always: BTreeMap<String, Fault>,
}

impl Debug for InMemoryHttp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origins = self.network().routers.keys().cloned().collect::<Vec<_>>();
        formatter.debug_struct("InMemoryHttp").field("origins", &origins).finish_non_exhaustive()
    }
}

impl InMemoryHttp {
    /// An empty network; time limits pass on `clock`.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { network: Arc::default(), clock, record: Record::default(), prepare: None }
    }

    /// Puts a router at an origin such as `https://as.example`, in place of what was there.
    pub fn route(&self, origin: &str, router: Router) {
        self.network().routers.insert(canonical(origin), router);
    }

    /// Takes an origin off the network: connecting to it is refused.
    pub fn unroute(&self, origin: &str) {
        self.network().routers.remove(&canonical(origin));
    }

    /// The next request to `origin` meets this fault; several queue up.
    pub fn next(&self, origin: &str, fault: Fault) {
        self.network().faults.entry(canonical(origin)).or_default().push_back(fault);
    }

    /// Every request to `origin` meets this fault, after those that queue, until [`Self::recover`].
    pub fn always(&self, origin: &str, fault: Fault) {
        self.network().always.insert(canonical(origin), fault);
    }

    /// `origin` has no more faults.
    pub fn recover(&self, origin: &str) {
        let origin = canonical(origin);
        let mut network = self.network();
        network.faults.remove(&origin);
        network.always.remove(&origin);
    }

    /// Another client of the same network whose requests are changed before they arrive: what a listener adds
    /// (the caller's address, its certificate) is added here.
    #[must_use]
    pub fn arriving_with(&self, change: impl Fn(&mut Request<Body>) + Send + Sync + 'static) -> Self {
        Self { prepare: Some(Arc::new(change)), ..self.clone() }
    }

    /// All requests of all clients of this network, those that met a fault included.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }

    /// How many requests had this path.
    #[must_use]
    pub fn count(&self, path: &str) -> usize {
        self.record.all().iter().filter(|request| request.uri.path() == path).count()
    }

    fn network(&self) -> MutexGuard<'_, Network> {
        self.network.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The fault that the next request to `origin` meets, and the router it would reach.
    fn meet(&self, origin: &str) -> (Fault, Option<Router>) {
        let mut network = self.network();
        let queued = network.faults.get_mut(origin).and_then(VecDeque::pop_front);
        let fault = queued.or_else(|| network.always.get(origin).cloned()).unwrap_or(Fault::Pass);
        (fault, network.routers.get(origin).cloned())
    }

    async fn exchange(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, HttpError> {
        let url = request.uri().clone();
        let origin = Origin::of(&url).map_err(|error| HttpError::Protocol(error.to_string()))?.to_string();
        let (fault, router) = self.meet(&origin);
        let response = match (fault, router) {
            (Fault::Fail(error), _) => return Err(error),
            (Fault::Hang, _) => pending().await,
            (Fault::Answer(response), _) => response.map(Body::from),
            (Fault::React(react), _) => react(&Recorded::of(&request)).map(Body::from),
            (Fault::Pass, None) => return Err(HttpError::Connect(format!("connection refused by {origin}"))),
            (Fault::Pass, Some(router)) => {
                let Ok(response) = router.oneshot(self.arriving(request)?).await;
                response
            }
        };
        accept(response, &url, limit).await
    }

    /// As it comes out of a server's parser.
    fn arriving(&self, request: Request<Bytes>) -> Result<Request<Body>, HttpError> {
        let mut request = request.map(Body::from);
        let wrong = |_| HttpError::Protocol("the URL is not valid".to_owned());
        if let Some(authority) = request.uri().authority() {
            let host = HeaderValue::from_str(authority.as_str())
                .map_err(|_| HttpError::Protocol("host".to_owned()))?;
            request.headers_mut().insert(header::HOST, host);
        }
        let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
        *request.uri_mut() = target.parse::<Uri>().map_err(wrong)?;
        if let Some(prepare) = &self.prepare {
            prepare(&mut request);
        }
        Ok(request)
    }
}

/// `https://AS.example:443` and `https://as.example` are one place.
fn canonical(origin: &str) -> String {
    Origin::parse(origin).expect("an origin").to_string()
}

/// Keeps the client's contract: no redirect, no more than `limit` bytes.
pub(crate) async fn accept(
    response: Response<Body>,
    url: &Uri,
    limit: usize,
) -> Result<Response<Bytes>, HttpError> {
    let (parts, mut body) = response.into_parts();
    if matches!(parts.status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        let location = parts.headers.get(header::LOCATION).and_then(|value| value.to_str().ok());
        let location_origin = location.and_then(|location| {
            let absolute = location.parse::<Uri>().ok().filter(|uri| uri.scheme().is_some());
            Origin::of(absolute.as_ref().unwrap_or(url)).ok()
        });
        return Err(HttpError::Redirect { status: parts.status, location_origin });
    }
    let mut collected = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HttpError::Connect("connection closed before the end".to_owned()))?;
        if let Ok(data) = frame.into_data() {
            if collected.len().saturating_add(data.len()) > limit {
                return Err(HttpError::TooLarge { limit });
            }
            collected.extend_from_slice(&data);
        }
    }
    Ok(Response::from_parts(parts, collected.freeze()))
}

impl HttpClient for InMemoryHttp {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        self.record.push(Recorded::of(&request));
        Box::pin(async move {
            EgressRules::new().check(request.uri(), &limits.reach)?;
            tokio::select! {
                biased;
                result = self.exchange(request, limits.max_body_bytes) => result,
                () = self.clock.sleep(limits.timeout) => Err(HttpError::Timeout),
            }
        })
    }
}

#[cfg(test)]
mod tests;
