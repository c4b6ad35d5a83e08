//! The verifier of an API, whole: from a request's headers to a verified token, with keys that were fetched and are
//! fresh. The limit is the raw check of the signature with a parsed key.
//!
//! Tokens are distinct, and more than any cache of them holds, except where the claim is about a repeated one.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use anyhow::{Context as _, Result, anyhow, ensure};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use m2m_io::{BoxFuture, Clock as _, HttpClient, HttpError, Limits, SystemClock};
use m2m_proto::jose::header::{HeaderFields, PreparedHeader};
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey, base64url, jws};
use m2m_proto::names::typ;
use m2m_proto::uri::{EndpointUri, Issuer};
use m2m_resource_server::{KeysFrom, RequestParts, TrustedIssuer, Verifier};

use crate::allocations;
use crate::measure::{Side, compare};
use crate::report::Report;
use crate::signatures::{key, raw_verifier};

/// Bars, as parts of the raw check's speed.
const ROWS: &[(Algorithm, f64)] =
    &[(Algorithm::Es256, 0.95), (Algorithm::EdDsa, 0.93), (Algorithm::Rs256, 0.88)];

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "https://orders.example";

/// More than a row uses in all its attempts, so that none comes twice.
const TOKENS: usize = 131_072;

/// What a repeated token may cost, in nanoseconds.
const REPEATED: f64 = 1_000.0;

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    for (algorithm, bar) in ROWS {
        let name = format!("verifier-{}", algorithm.name().to_lowercase());
        if filter(&name) {
            let bench = Bench::new(*algorithm, TOKENS)?;
            report.measure(|report| {
                let [ours, limit] = bench.distinct()?;
                report.speed(&name, ours, limit, *bar);
                let fresh = bench.allocations(bench.verified.get());
                report.note(&format!("{name}: {fresh} allocations a token"));
                Ok(())
            })?;
        }
    }
    let name = "verifier-repeated";
    if filter(name) {
        let bench = Bench::new(Algorithm::Es256, 1)?;
        report.measure(|report| {
            let [ours] = compare([Side::new(|| bench.verify(0))]);
            report.cost(name, ours, REPEATED, 1.0);
            report.note(&format!("{name}: {} allocations a token", bench.allocations(0)));
            Ok(())
        })?;
    }
    Ok(())
}

/// A verifier, requests, and what the raw check needs. What is read in turn lies in order in memory, as a request lies
/// in the cache of the core that has just read it.
struct Bench {
    verifier: Verifier,
    /// Of the request of the moment.
    headers: RefCell<HeaderMap>,
    authorizations: Vec<HeaderValue>,
    tokens: Bytes,
    /// Where the signing input of each token begins and ends.
    inputs: Vec<Range<usize>>,
    /// All of the same length.
    signatures: Vec<u8>,
    raw: crate::signatures::RawVerifier,
    method: Method,
    uri: Uri,
    /// The next token for each side. A second attempt goes on where the first one ended: what the verifier has seen
    /// before, it may remember.
    verified: Cell<usize>,
    checked: Cell<usize>,
}

impl Bench {
    fn new(algorithm: Algorithm, count: usize) -> Result<Self> {
        let key = key(algorithm)?.with_key_id("bench-2026".to_owned());
        let mut bench = Self {
            verifier: verifier(&key)?,
            headers: RefCell::new(headers()),
            authorizations: Vec::with_capacity(count),
            tokens: Bytes::from(tokens(&key, count)?.join(" Bearer ")),
            inputs: Vec::with_capacity(count),
            signatures: Vec::new(),
            raw: raw_verifier(algorithm, &key)?,
            method: Method::GET,
            uri: Uri::from_static("/orders?page=2"),
            verified: Cell::new(1),
            checked: Cell::new(1),
        };
        bench.place()?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let first = bench.request(0).clone();
        let parts =
            RequestParts { method: &bench.method, uri: &bench.uri, headers: &first, certificate: None };
        runtime.block_on(bench.verifier.verify(&parts)).map_err(|error| anyhow!("{error}"))?;
        ensure!(bench.verify(0) && bench.check(0), "a token is refused");
        Ok(bench)
    }

    /// Finds every token in the text of all.
    fn place(&mut self) -> Result<()> {
        let text = format!("Bearer {}", std::str::from_utf8(&self.tokens)?);
        self.tokens = Bytes::from(text);
        let mut start = 0;
        while start < self.tokens.len() {
            let rest = &self.tokens[start + 7..];
            let length = rest.iter().position(|byte| *byte == b' ').unwrap_or(rest.len());
            let token = std::str::from_utf8(&rest[..length])?;
            let (input, signature) = token.rsplit_once('.').context("a token has dots")?;
            self.inputs.push(start + 7..start + 7 + input.len());
            self.signatures.extend(base64url::decode(signature)?);
            let end = start + 7 + length;
            self.authorizations.push(HeaderValue::from_maybe_shared(self.tokens.slice(start..end))?);
            start = end + 1;
        }
        Ok(())
    }

    fn request(&self, index: usize) -> std::cell::Ref<'_, HeaderMap> {
        self.headers.borrow_mut().insert(header::AUTHORIZATION, self.authorizations[index].clone());
        self.headers.borrow()
    }

    /// The keys are there, so nothing is waited for and one poll is all.
    fn verify(&self, index: usize) -> bool {
        let headers = self.request(index);
        let parts =
            RequestParts { method: &self.method, uri: &self.uri, headers: &headers, certificate: None };
        let verify = pin!(self.verifier.verify(&parts));
        matches!(verify.poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    }

    fn check(&self, index: usize) -> bool {
        let length = self.signatures.len() / self.inputs.len();
        let signature = &self.signatures[index * length..][..length];
        (self.raw)(&self.tokens[self.inputs[index].clone()], signature)
    }

    fn distinct(&self) -> Result<[f64; 2]> {
        let refused = Cell::new(false);
        let next = |cell: &Cell<usize>| {
            let index = cell.get();
            cell.set((index + 1) % TOKENS);
            index
        };
        let note = |good: bool| refused.set(refused.get() || !good);
        let ours = Side::new(|| note(self.verify(next(&self.verified))));
        let limit = Side::new(|| note(self.check(next(&self.checked))));
        let times = compare([ours, limit]);
        ensure!(!refused.get(), "a token is refused");
        Ok(times)
    }

    /// Of the token at `index`.
    fn allocations(&self, index: usize) -> u64 {
        allocations::of(|| {
            self.verify(index);
        })
    }
}

/// Ten claims, of which one differs: ordinary access tokens.
fn tokens(key: &SigningKey, count: usize) -> Result<Vec<String>> {
    let fields = HeaderFields { typ: Some(typ::AT_JWT), kid: key.key_id(), ..HeaderFields::default() };
    let header = PreparedHeader::new(&fields, key);
    let now = SystemClock.wall().seconds();
    (0..count)
        .map(|number| {
            let claims = format!(
                "{{\"iss\":\"{ISSUER}\",\"sub\":\"svc-orders\",\"client_id\":\"svc-orders\",\
                 \"azp\":\"svc-orders\",\"aud\":\"{AUDIENCE}\",\"scope\":\"orders:read orders:write\",\
                 \"iat\":{now},\"nbf\":{now},\"exp\":{},\"jti\":\"0bOWT5sGHnY2YsNhzG{number:06}\"}}",
                now + 86_400
            );
            Ok(jws::sign_prepared(&header, claims.as_bytes(), key)?)
        })
        .collect()
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(header::HOST, HeaderValue::from_static("orders.example"));
    headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
    headers
}

fn verifier(key: &SigningKey) -> Result<Verifier> {
    let url = EndpointUri::parse("https://login.example/jwks")?;
    let trusted = TrustedIssuer::new(Issuer::parse(ISSUER)?).audience(AUDIENCE).keys(KeysFrom::Url(url));
    let keys = Arc::new(Keys(JwkSet::encode([key.verifying_key().as_ref()])));
    Verifier::builder().trust_with(trusted).http(keys).build().map_err(|error| anyhow!("{error}"))
}

/// Whoever asks gets the key set.
#[derive(Debug)]
struct Keys(Vec<u8>);

impl HttpClient for Keys {
    fn send(&self, _: Request<Bytes>, _: &Limits) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let body = Bytes::copy_from_slice(&self.0);
        Box::pin(async move { Ok(Response::new(body)) })
    }
}
