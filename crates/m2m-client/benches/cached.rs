//! Cached token to ready header, and cold callers: what product promises about
//! speed, measured. One line for each claim:
//! `bench NAME ours=… limit=… ratio=… bar=… ok|short`.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use http::{Request, Response};
use m2m_client::{Client, Credentials, Endpoints, FixedSecret, Server, TokenHandle, TokenSpec};
use m2m_io::{BoxFuture, Clock, HttpClient, HttpError, Limits, SystemClock};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::EndpointUri;

/// Short passes and many of them: the best one was not interrupted, even on a
/// machine with other work.
const ROUNDS: u32 = 100_000;
const PASSES: usize = 400;
const CALLERS: u64 = 10_000;

/// A token endpoint in memory that counts.
#[derive(Debug, Default)]
struct Counting(AtomicU64);

impl HttpClient for Counting {
    fn send(
        &self,
        _request: Request<Bytes>,
        _limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async {
            tokio::task::yield_now().await;
            let token = "t".repeat(800);
            let body = format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":3600}}"#);
            Ok(Response::new(Bytes::from(body)))
        })
    }
}

fn client(http: Arc<Counting>) -> Client {
    let endpoint = EndpointUri::parse("https://as.example/token").expect("a URL");
    let secret = Arc::new(FixedSecret::new(SecretString::from("a secret of the bench")));
    Client::builder(Server::endpoints(Endpoints::token(endpoint)))
        .client_id(ClientId::parse("bench").expect("a client id"))
        .credentials(Credentials::secret(secret, None, ClientAuthMethod::ClientSecretBasic))
        .http(http)
        .build()
        .expect("a client")
}

/// Nanoseconds for one header, over many.
fn one_pass(handle: &mut TokenHandle) -> f64 {
    let start = SystemClock.monotonic();
    for _ in 0..ROUNDS {
        black_box(handle.header().expect("a token"));
    }
    (SystemClock.monotonic() - start).as_secs_f64() * 1e9 / f64::from(ROUNDS)
}

fn best(handle: &mut TokenHandle) -> f64 {
    (0..PASSES).map(|_| one_pass(handle)).fold(f64::INFINITY, f64::min)
}

/// The slower of two threads that run at the same time, each with a handle of
/// its own; of many passes, the best.
fn best_of_two(client: &Client) -> f64 {
    let barrier = Barrier::new(2);
    let runtime = tokio::runtime::Handle::current();
    let passes = || {
        let _in_runtime = runtime.enter();
        let mut handle = client.handle(&TokenSpec::default());
        black_box(handle.header().expect("a token"));
        let pass = |_| {
            barrier.wait();
            one_pass(&mut handle)
        };
        (0..PASSES).map(pass).collect::<Vec<f64>>()
    };
    let (one, two) = std::thread::scope(|scope| {
        let other = scope.spawn(passes);
        (passes(), other.join().expect("the other thread"))
    });
    one.into_iter().zip(two).map(|(one, two)| one.max(two)).fold(f64::INFINITY, f64::min)
}

fn report(name: &str, ours: f64, limit: f64, bar: f64) {
    let ratio = ours / limit;
    let verdict = if ratio <= bar { "ok" } else { "short" };
    println!("bench {name} ours={ours:.1} limit={limit:.1} ratio={ratio:.2} bar={bar:.2} {verdict}");
}

/// Requests that ten thousand callers cause who all find the cache empty.
async fn cold_callers() -> u64 {
    let http = Arc::new(Counting::default());
    let client = client(Arc::clone(&http));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let client = client.clone();
            async move { client.token(&TokenSpec::default()).await.map(|token| token.expires_at()) }
        })
        .collect();
    let mut tasks = tokio::task::JoinSet::new();
    for caller in callers {
        tasks.spawn(caller);
    }
    while let Some(joined) = tasks.join_next().await {
        joined.expect("a caller").expect("a token");
    }
    http.0.load(Ordering::Relaxed)
}

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().expect("a runtime");
    let _in_runtime = runtime.enter();
    let client = client(Arc::new(Counting::default()));
    let mut handle = client.handle(&TokenSpec::default());
    runtime.block_on(async { handle.ready().await.map(|_| ()) }).expect("a token");

    let one = best(&mut handle);
    report("cached_header_ns", one, 60.0, 1.0);
    report("cached_header_two_threads", best_of_two(&client), one, 1.2);
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let requests = runtime.block_on(cold_callers()) as f64;
    report("cold_callers_requests", requests, 1.0, 1.0);
}
