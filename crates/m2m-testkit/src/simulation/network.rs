//! The network: requests that arrive late, out of order, twice or not at all, and answers that do the same.
//!
//! All nodes stand behind one name, and each request meets another one. What a node does with a request does not depend
//! on whether anybody still waits for the answer.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri, header};
use m2m_authorization_server::ClientAddress;
use m2m_io::task::spawn_detached;
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits};
use tokio::sync::oneshot;
use tower::ServiceExt as _;

use super::chance::Chance;
use super::journal::Journal;
use super::ledger::Ledger;
use super::links::{Links, Way};
use super::tap;
use super::work::Work;
use crate::ManualClock;
use crate::in_memory::accept;

/// A node that serves.
#[derive(Clone, Debug)]
pub(super) struct Serving {
    pub(super) router: Router,
    pub(super) work: Work,
    /// The node and how often it was started.
    pub(super) process: String,
}

#[derive(Debug)]
pub(super) struct Network {
    pub(super) links: Arc<Links>,
    pub(super) journal: Arc<Journal>,
    pub(super) time: ManualClock,
    pub(super) ledger: Arc<Mutex<Ledger>>,
    /// Every node, those that are down included.
    nodes: Mutex<BTreeMap<String, Option<Serving>>>,
}

/// What happens to one request.
struct Journey {
    there: Duration,
    back: Duration,
    lost_there: bool,
    lost_back: bool,
    /// A second copy arrives so much later, at whatever node.
    again: Option<Duration>,
}

impl Journey {
    fn of(way: Way, chance: &Chance) -> Self {
        let (slowest, lost, twice) = match way {
            Way::Good | Way::Cut => (8, 0, 8),
            Way::Slow => (2500, 0, 25),
            Way::Lossy => (60, 20, 20),
        };
        Self {
            there: chance.millis(1, slowest),
            back: chance.millis(1, slowest),
            lost_there: chance.percent(lost),
            lost_back: chance.percent(lost),
            again: chance.percent(twice).then(|| chance.millis(1, 4000)),
        }
    }
}

impl Network {
    pub(super) fn new(
        links: &Arc<Links>,
        journal: &Arc<Journal>,
        time: &ManualClock,
        ledger: &Arc<Mutex<Ledger>>,
    ) -> Self {
        Self {
            links: Arc::clone(links),
            journal: Arc::clone(journal),
            time: time.clone(),
            ledger: Arc::clone(ledger),
            nodes: Mutex::default(),
        }
    }

    fn nodes(&self) -> MutexGuard<'_, BTreeMap<String, Option<Serving>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A node serves, or is gone.
    pub(super) fn place(&self, node: &str, serving: Option<Serving>) {
        self.nodes().insert(node.to_owned(), serving);
    }

    fn names(&self) -> Vec<String> {
        self.nodes().keys().cloned().collect()
    }

    /// Brings one copy of a request to a node; the answer comes if there is one.
    fn deliver(
        self: &Arc<Self>,
        node: String,
        request: Request<Bytes>,
        after: Duration,
    ) -> oneshot::Receiver<Result<Response<Bytes>, HttpError>> {
        let (answer, answered) = oneshot::channel();
        let (network, arrives) = (Arc::clone(self), self.time.sleep(after));
        spawn_detached("delivery", async move {
            arrives.await;
            let Some(serving) = network.nodes().get(&node).cloned().flatten() else {
                // Nobody waits any more, or reads that the connection was refused.
                let _gone = answer.send(Err(HttpError::Connect(format!("nobody listens at {node}"))));
                return;
            };
            let handled = network.handle(serving.clone(), request);
            serving.work.spawn("request", async move {
                let _gone = answer.send(handled.await);
            });
        });
        answered
    }

    fn handle(
        self: &Arc<Self>,
        serving: Serving,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Bytes>, HttpError>> + use<> {
        let network = Arc::clone(self);
        async move {
            let Ok(response) = serving.router.oneshot(arriving(&request)?).await;
            let response = accept(response, request.uri(), 1 << 20).await?;
            let status = response.status().as_u16();
            let what = format!("{} {} {status}", request.method(), request.uri().path());
            network.journal.write(&format!("node {}", serving.process), &what);
            let mut ledger = network.ledger.lock().unwrap_or_else(PoisonError::into_inner);
            tap::observe(&mut ledger, &serving.process, &request, &response, network.time.monotonic());
            Ok(response)
        }
    }
}

/// As it comes out of a server's parser.
fn arriving(request: &Request<Bytes>) -> Result<Request<Body>, HttpError> {
    let wrong = || HttpError::Protocol("the URL is not valid".to_owned());
    let mut arriving = request.clone().map(Body::from);
    if let Some(authority) = request.uri().authority() {
        let host = HeaderValue::from_str(authority.as_str()).map_err(|_| wrong())?;
        arriving.headers_mut().insert(header::HOST, host);
    }
    let target = request.uri().path_and_query().map_or("/", http::uri::PathAndQuery::as_str);
    *arriving.uri_mut() = target.parse::<Uri>().map_err(|_| wrong())?;
    Ok(arriving)
}

/// The network as one party has it.
#[derive(Clone, Debug)]
pub(super) struct PartyHttp {
    network: Arc<Network>,
    party: String,
    address: IpAddr,
    seed: u64,
    /// The one node that it talks to; any, for most.
    only: Option<String>,
}

impl PartyHttp {
    pub(super) fn new(network: &Arc<Network>, seed: u64, party: &str, number: u8) -> Self {
        Self {
            network: Arc::clone(network),
            party: party.to_owned(),
            address: IpAddr::V4(Ipv4Addr::new(192, 0, 2, number)),
            seed,
            only: None,
        }
    }

    /// The same party, asking one node.
    pub(super) fn at(&self, node: &str) -> Self {
        Self { only: Some(node.to_owned()), ..self.clone() }
    }

    /// What happens to a request depends on when it is sent and what it is about, not on which of two that are sent
    /// at the same moment comes first.
    fn chance(&self, request: &Request<Bytes>) -> Chance {
        let now = self.network.time.monotonic().as_millis();
        let about = tap::about(request.body()).unwrap_or_default();
        Chance::new(self.seed, &format!("{} {now} {} {about}", self.party, request.uri().path()))
    }

    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (names, chance) = (self.network.names(), self.chance(&request));
        let picked = chance.pick(&names).cloned();
        let node = self.only.clone().or(picked).ok_or_else(|| HttpError::Dns("no node".to_owned()))?;
        request.extensions_mut().insert(ClientAddress(self.address));
        let way = self.network.links.way(&self.party, &node);
        let journey = Journey::of(way, &chance);
        if way == Way::Cut {
            return match chance.percent(50) {
                true => pending().await,
                false => Err(HttpError::Connect(format!("no way to {node}"))),
            };
        }
        if let Some(after) = journey.again
            && let Some(other) = chance.pick(&names)
        {
            // Nobody waits for the answer to a copy.
            drop(self.network.deliver(other.clone(), request.clone(), journey.there + after));
        }
        if journey.lost_there {
            return pending().await;
        }
        let answered = self.network.deliver(node.clone(), request, journey.there).await;
        self.network.time.sleep(journey.back).await;
        if journey.lost_back || self.network.links.way(&self.party, &node) == Way::Cut {
            return pending().await;
        }
        answered.unwrap_or_else(|_| Err(HttpError::Connect(format!("{node} closed the connection"))))
    }
}

impl HttpClient for PartyHttp {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        Box::pin(async move {
            let result = tokio::select! {
                biased;
                result = self.exchange(request) => result,
                () = self.network.time.sleep(limits.timeout) => Err(HttpError::Timeout),
            };
            match result {
                Ok(response) if response.body().len() > limits.max_body_bytes => {
                    Err(HttpError::TooLarge { limit: limits.max_body_bytes })
                }
                result => result,
            }
        })
    }
}
