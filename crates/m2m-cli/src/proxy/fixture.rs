//! What the tests of the gateway share: an issuer, tokens, a gate, programs, sockets.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::{HeaderMap, Request};
use m2m_io::task::Tasks;
use m2m_io::{Clock as _, SystemClock};
use m2m_proto::jose::{Algorithm, HeaderFields, JwkSet, SigningKey, jws};
use m2m_proto::names::typ;
use m2m_proto::scope::Scope;
use m2m_proto::uri::Issuer;
use m2m_resource_server::{KeysFrom, TrustedIssuer, Verifier, VerifierBuilder};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::identity::Believed;
use super::inbound::{Gate, Token};
use super::reverse::Reverse;
use super::rules::{Otherwise, Rule, Rules};
use super::upstream::{ANSWER, Settings, Target, Upstream};
use super::way::Scheme;
use crate::listen::Listener;

pub(crate) const ISSUER: &str = "https://as.example";
pub(crate) const AUDIENCE: &str = "https://orders.example";

/// An issuer whose keys are known.
pub(crate) struct Party {
    key: SigningKey,
}

impl Party {
    pub(crate) fn new() -> Self {
        Self { key: SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned()) }
    }

    /// A token of `svc-orders` with this scope, and these claims in place of the usual ones.
    pub(crate) fn token(&self, scope: &str, changed: &Value) -> String {
        let now = SystemClock.wall().seconds();
        let mut claims = json!({
            "iss": ISSUER, "sub": "svc-orders", "client_id": "svc-orders", "aud": AUDIENCE, "jti": "t1",
            "iat": now, "nbf": now, "exp": now + 600, "scope": scope,
        });
        for (name, value) in changed.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let fields =
            HeaderFields { typ: Some(typ::AT_JWT), kid: self.key.key_id(), ..HeaderFields::default() };
        jws::sign(&fields, &serde_json::to_vec(&claims).unwrap(), &self.key).unwrap()
    }

    pub(crate) fn bearer(&self, scope: &str) -> String {
        format!("Bearer {}", self.token(scope, &Value::Null))
    }

    pub(crate) fn verifier(&self) -> Verifier {
        self.verifier_with(|builder| builder)
    }

    pub(crate) fn verifier_with(&self, set: impl FnOnce(VerifierBuilder) -> VerifierBuilder) -> Verifier {
        let keys = JwkSet::decode(&JwkSet::encode([self.key.verifying_key().as_ref()])).unwrap();
        let trusted = TrustedIssuer::new(Issuer::parse(ISSUER).unwrap()).audience(AUDIENCE);
        set(Verifier::builder().trust_with(trusted.keys(KeysFrom::Fixed(keys)))).build().unwrap()
    }

    /// `GET /orders/**` needs orders:read, `GET /healthz` nothing, and nothing else goes.
    pub(crate) fn gate(&self) -> Gate {
        gate(self.verifier(), Token::Removed)
    }
}

pub(crate) fn gate(verifier: Verifier, token: Token) -> Gate {
    let lines = ["GET,POST /orders/** orders:read", "GET /ws orders:read"];
    let protected = lines.iter().map(|line| Rule::parse(line).unwrap());
    let all = protected.chain([Rule::public("GET /healthz").unwrap()]).collect();
    let rules = Rules::new(all, &Scope::empty(), Otherwise::Refuse).unwrap();
    Gate::new(verifier, rules, Believed::and(&["X-Acme-User".to_owned()]).unwrap(), token)
}

pub(crate) fn settings() -> Settings {
    Settings { connect: Duration::from_secs(5), answer: ANSWER, host: None }
}

/// Serves until the tasks stop.
pub(crate) async fn serve(tasks: &Tasks, router: Router) -> SocketAddr {
    let listener =
        Listener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(SystemClock)).await.unwrap();
    let address = listener.address();
    tasks.spawn("listener", listener.forwarding().serve(router, tasks.stopping()));
    address
}

/// A gateway before this program.
pub(crate) async fn gateway(tasks: &Tasks, gate: Gate, target: &str, settings: Settings) -> SocketAddr {
    let target = Target::parse(target, None).unwrap();
    let upstream = Upstream::new(target, settings, Arc::new(SystemClock));
    serve(tasks, Reverse::new(gate, upstream, Scheme::Http, Arc::new(SystemClock)).router()).await
}

/// A program that answers with what it was sent: line, headers, body, trailers.
pub(crate) fn echo() -> Router {
    Router::new().fallback(|request: Request<Body>| async move {
        let (parts, body) = request.into_parts();
        let mut text = format!("{} {}\n{}", parts.method, parts.uri, lines(&parts.headers));
        let collected = http_body_util::BodyExt::collect(body).await.unwrap();
        let trailers = collected.trailers().map(lines).unwrap_or_default();
        text.push_str(&format!(
            "\n{}\n{trailers}",
            String::from_utf8(collected.to_bytes().to_vec()).unwrap()
        ));
        text
    })
}

fn lines(headers: &HeaderMap) -> String {
    headers
        .iter()
        .map(|(name, value)| format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())))
        .collect()
}

/// Writes these bytes and reads until the other side closes.
pub(crate) async fn raw(address: SocketAddr, bytes: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _cut = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A request with these lines of headers, on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, line: &str, headers: &[&str]) -> String {
    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
    raw(address, &format!("{line} HTTP/1.1\r\nHost: api.example\r\n{lines}Connection: close\r\n\r\n")).await
}

/// A program that takes one connection at a time and answers each with these bytes, whatever it is sent.
pub(crate) async fn scripted(
    tasks: &Tasks,
    answer: &'static str,
) -> (SocketAddr, Arc<std::sync::Mutex<String>>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let heard = Arc::new(std::sync::Mutex::new(String::new()));
    let writes = Arc::clone(&heard);
    tasks.spawn("program", async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = vec![0; 65536];
            let read = stream.read(&mut buffer).await.unwrap_or_default();
            writes.lock().unwrap().push_str(&String::from_utf8_lossy(&buffer[..read]));
            let _gone = stream.write_all(answer.as_bytes()).await;
            // What comes after the agreement is sent back as it is.
            while let Ok(read @ 1..) = stream.read(&mut buffer).await {
                let _gone = stream.write_all(&buffer[..read]).await;
            }
        }
    });
    (address, heard)
}
