//! Test parties of this crate: a clock that moves, a server in memory. (The
//! testkit depends on this crate and cannot serve here.)

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits, Now, Random};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::form::Form;
use m2m_proto::secret::SecretString;
use m2m_proto::time::UnixTime;
use m2m_proto::token::{AccessToken, TokenType};
use m2m_proto::uri::EndpointUri;
use tokio::sync::{Semaphore, watch};

use crate::token::{Token, TokenOrigin, TokenParts};
use crate::{Client, ClientBuilder, Credentials, Endpoints, FixedSecret, Server};

pub(crate) const START: u64 = 1_800_000_000;
/// A secret that must never be seen anywhere.
pub(crate) const CANARY: &str = "canary-secret-7f3a/with+odd:chars";

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// Both clocks at `second` after the start.
pub(crate) fn at(second: u64) -> Now {
    Now { wall: UnixTime::from_seconds(START + second), monotonic: seconds(10_000 + second) }
}

pub(crate) fn token(text: &str, obtained: Now, life: Duration) -> Arc<Token> {
    Arc::new(
        Token::new(TokenParts {
            access_token: AccessToken::parse(text).unwrap(),
            token_type: TokenType::Bearer,
            scope: None,
            extra: serde_json::Map::new(),
            obtained,
            life,
            origin: TokenOrigin::Minted,
            key: None,
        })
        .unwrap(),
    )
}

/// A clock that stands still until it is moved; each of its two halves can jump.
#[derive(Clone, Debug)]
pub(crate) struct TestClock(Arc<watch::Sender<Now>>);

impl TestClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(at(0))))
    }

    /// Time passes.
    pub(crate) fn advance(&self, by: Duration) {
        self.0.send_modify(|now| {
            now.wall = now.wall.saturating_add(by);
            now.monotonic += by;
        });
    }

    /// Time passes in steps of a second, so that the driver sees each of them.
    pub(crate) async fn pass(&self, steps: u64) {
        for _ in 0..steps {
            self.advance(seconds(1));
            settle().await;
        }
    }

    /// Somebody sets the wall clock.
    pub(crate) fn set_wall(&self, second: u64) {
        self.0.send_modify(|now| now.wall = UnixTime::from_seconds(START).saturating_add(seconds(second)));
    }

    /// Somebody sets the wall clock back.
    pub(crate) fn wall_back(&self, by: Duration) {
        self.0.send_modify(|now| now.wall = now.wall.saturating_sub(by));
    }
}

impl Clock for TestClock {
    fn wall(&self) -> UnixTime {
        self.0.borrow().wall
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().monotonic
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let deadline = self.monotonic() + duration;
        let mut moved = self.0.subscribe();
        Box::pin(async move {
            let _gone = moved.wait_for(|now| now.monotonic >= deadline).await;
        })
    }
}

/// Lets every task that can run do so.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

/// A task of a test.
#[expect(clippy::disallowed_methods, reason = "a test waits for its tasks")]
pub(crate) fn spawned<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> tokio::task::JoinHandle<T> {
    tokio::spawn(future)
}

/// Numbers that repeat.
#[derive(Debug, Default)]
pub(crate) struct TestRandom(AtomicU64);

impl TestRandom {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(AtomicU64::new(seed))
    }
}

impl Random for TestRandom {
    fn fill(&self, buffer: &mut [u8]) {
        for byte in buffer {
            let next = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (next ^ (next >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            *byte = mixed.to_be_bytes()[0];
        }
    }
}

pub(crate) type Answer = Result<Response<Bytes>, HttpError>;
type Script = dyn Fn(&Request<Bytes>, usize) -> Answer + Send + Sync;

/// A server in memory: answers by a function, counts, and can be held.
pub(crate) struct FakeServer {
    script: Mutex<Arc<Script>>,
    requests: Mutex<Vec<Request<Bytes>>>,
    gate: Semaphore,
}

impl FakeServer {
    pub(crate) fn new(
        script: impl Fn(&Request<Bytes>, usize) -> Answer + Send + Sync + 'static,
    ) -> Arc<Self> {
        let gate = Semaphore::new(Semaphore::MAX_PERMITS);
        Arc::new(Self { script: Mutex::new(Arc::new(script)), requests: Mutex::default(), gate })
    }

    /// Tokens `t1`, `t2`, … that live for `life`.
    pub(crate) fn issuing(life: u64) -> Arc<Self> {
        Self::new(move |_, n| Ok(token_answer(&format!("t{n}"), &life.to_string())))
    }

    /// Behaves differently from now on.
    pub(crate) fn becomes(&self, script: impl Fn(&Request<Bytes>, usize) -> Answer + Send + Sync + 'static) {
        *self.script.lock().unwrap() = Arc::new(script);
    }

    /// Holds every answer back.
    pub(crate) fn hold(&self) {
        self.gate.forget_permits(Semaphore::MAX_PERMITS);
    }

    /// Lets `answers` go.
    pub(crate) fn release(&self, answers: usize) {
        self.gate.add_permits(answers);
    }

    pub(crate) fn count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    pub(crate) fn request(&self, index: usize) -> Request<Bytes> {
        self.requests.lock().unwrap()[index].clone()
    }

    pub(crate) fn form(&self, index: usize) -> Form<'static> {
        let request = self.request(index);
        let content_type = request.headers()["content-type"].to_str().unwrap().to_owned();
        Form::parse(Some(&content_type), request.body()).unwrap().into_owned()
    }
}

impl fmt::Debug for FakeServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FakeServer")
    }
}

impl HttpClient for FakeServer {
    fn send(&self, request: Request<Bytes>, _limits: &Limits) -> BoxFuture<'_, Answer> {
        let number = {
            let mut requests = self.requests.lock().unwrap();
            requests.push(request.clone());
            requests.len()
        };
        Box::pin(async move {
            self.gate.acquire().await.unwrap().forget();
            let script = Arc::clone(&self.script.lock().unwrap());
            script(&request, number)
        })
    }
}

pub(crate) fn answer(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

pub(crate) fn token_answer(token: &str, expires_in: &str) -> Response<Bytes> {
    answer(200, format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":{expires_in}}}"#))
}

pub(crate) fn oauth_error(status: u16, code: &str) -> Response<Bytes> {
    answer(status, format!(r#"{{"error":"{code}"}}"#))
}

/// A token endpoint and an API in one: `https://as.example`, `https://api.example`.
pub(crate) fn endpoints() -> Endpoints {
    let endpoint = |text| EndpointUri::parse(text).unwrap();
    Endpoints {
        token: endpoint("https://as.example/token"),
        introspection: Some(endpoint("https://as.example/introspect")),
        revocation: Some(endpoint("https://as.example/revoke")),
    }
}

pub(crate) fn secret(text: &str) -> Arc<FixedSecret> {
    Arc::new(FixedSecret::new(SecretString::from(text)))
}

pub(crate) fn builder(server: &Arc<FakeServer>, clock: &TestClock) -> ClientBuilder {
    Client::builder(Server::endpoints(endpoints()))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(Credentials::secret(secret(CANARY), None, ClientAuthMethod::ClientSecretBasic))
        .audience("https://api.example")
        .clock(Arc::new(clock.clone()))
        .random(Arc::new(TestRandom::seeded(1)))
        .http(Arc::clone(server) as Arc<dyn HttpClient>)
}

pub(crate) fn client(server: &Arc<FakeServer>, clock: &TestClock) -> Client {
    builder(server, clock).build().unwrap()
}
