//! Distinct tokens without end: a verifier that keeps something of each must forget.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::thread;

use http::{HeaderMap, HeaderValue, Method, Uri};
use m2m_proto::jose::{Algorithm, HeaderFields, JwkSet, PreparedHeader, SigningKey, jws};
use m2m_proto::names::typ;
use m2m_proto::uri::Issuer;
use m2m_resource_server::{KeysFrom, RequestParts, TrustedIssuer, Verifier};
use m2m_testkit::{FixedKeys, ManualClock};

const ISSUER: &str = "https://as.example";
const AUDIENCE: &str = "https://orders.example";

/// More than any cache of tokens here holds by default.
const WARM: u64 = 40_000;

/// What may be added to the memory of the process after that, whatever comes: the allocator's own disorder.
const SLACK: u64 = 24 << 20;

struct Flow {
    verifier: Verifier,
    key: SigningKey,
    header: PreparedHeader,
    next: AtomicU64,
}

impl Flow {
    fn new() -> Self {
        let key = FixedKeys::signing(Algorithm::EdDsa);
        let set = JwkSet::decode(&FixedKeys::set(&[Algorithm::EdDsa])).unwrap();
        let trusted = TrustedIssuer::new(Issuer::parse(ISSUER).unwrap()).audience(AUDIENCE);
        let builder = Verifier::builder().trust_with(trusted.keys(KeysFrom::Fixed(set)));
        let verifier = builder.clock(Arc::new(ManualClock::new())).build().unwrap();
        let fields = HeaderFields { typ: Some(typ::AT_JWT), kid: key.key_id(), ..HeaderFields::default() };
        let header = PreparedHeader::new(&fields, &key);
        Self { verifier, key, header, next: AtomicU64::new(0) }
    }

    fn token(&self, number: u64) -> String {
        let now = ManualClock::START.seconds();
        let claims = format!(
            "{{\"iss\":\"{ISSUER}\",\"sub\":\"app\",\"client_id\":\"app\",\"aud\":\"{AUDIENCE}\",\
             \"scope\":\"orders:read\",\"iat\":{now},\"nbf\":{now},\"exp\":{},\"jti\":\"{number}\"}}",
            now + 600
        );
        jws::sign_prepared(&self.header, claims.as_bytes(), &self.key).unwrap()
    }

    fn accepts(&self, number: u64) -> bool {
        let value = HeaderValue::from_str(&format!("Bearer {}", self.token(number))).unwrap();
        let headers: HeaderMap = [(http::header::AUTHORIZATION, value)].into_iter().collect();
        let (method, uri) = (Method::GET, Uri::from_static("/orders"));
        let parts = RequestParts { method: &method, uri: &uri, headers: &headers, certificate: None };
        // The keys are there, so nothing is waited for.
        let verify = pin!(self.verifier.verify(&parts));
        matches!(verify.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    }

    /// Tokens up to this number, on every core.
    fn run(&self, until: u64) {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    loop {
                        let number = self.next.fetch_add(1, Ordering::Relaxed);
                        if number >= until {
                            return;
                        }
                        assert!(self.accepts(number), "token {number}");
                    }
                });
            }
        });
        self.next.store(until, Ordering::Relaxed);
    }
}

/// Bytes of this process in memory; 0 where that cannot be told.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").ok();
    let pages = pages.as_deref().and_then(|text| text.split(' ').nth(1)?.parse::<u64>().ok());
    pages.unwrap_or(0) * 4096
}

fn memory_stays(tokens: u64) {
    let flow = Flow::new();
    flow.run(WARM);
    let warm = resident();
    for step in 1..=10 {
        flow.run(WARM + tokens * step / 10);
        let grown = resident().saturating_sub(warm);
        assert!(grown <= SLACK, "{grown} bytes more after {} tokens", tokens * step / 10);
    }
}

#[test]
fn forty_thousand_more_tokens_take_no_more_memory() {
    memory_stays(40_000);
}

#[test]
#[ignore = "long: ten million tokens"]
fn ten_million_tokens_take_no_more_memory() {
    memory_stays(10_000_000);
}
