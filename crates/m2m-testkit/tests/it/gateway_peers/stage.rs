//! An issuer, a program that says what reached it, the gateway as a process, and a place for the proxy.

use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::routing::get;
use bytes::Bytes;
use http::{Request, StatusCode};
use m2m_io::reqwest::{ProxyFrom, ReqwestHttp};
use m2m_io::task::{Task, Tasks};
use m2m_io::{Clock as _, HttpClient as _, Limits, SystemClock};
use m2m_proto::jose::{Algorithm, HeaderFields, JwkSet, SigningKey, jws};
use m2m_testkit::binary;
use serde_json::json;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

const AUDIENCE: &str = "https://orders.example";
/// Nobody listens there.
const DOWN: &str = "http://127.0.0.1:1";

/// What the gateway is, once it no longer answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It takes questions and says nothing.
    Mute,
    /// Nobody listens.
    Gone,
}

/// Everything around the proxy.
pub(super) struct Stage {
    key: SigningKey,
    issuer: SocketAddr,
    program: SocketAddr,
    gateway: Gateway,
    proxy: Option<Process>,
    entrance: SocketAddr,
    reached: Arc<AtomicUsize>,
    pub(super) directory: TempDir,
    tasks: Tasks,
}

struct Gateway {
    process: Option<Process>,
    address: SocketAddr,
    /// Who sits in its place and says nothing.
    mute: Option<Task>,
}

impl Gateway {
    fn start(dialect: &str, issuer: SocketAddr, directory: &Path) -> Self {
        let settings = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\nforward_auth = \"{dialect}\"\n\
             issuer = \"http://{issuer}\"\naudience = \"{AUDIENCE}\"\n\
             trust = [{{ issuer = \"{DOWN}\", audience = \"{AUDIENCE}\" }}]\n\
             rules = [\"GET,POST /orders/** orders:read\"]\npublic = [\"GET /healthz\"]\n"
        );
        let path = directory.join("m2m.toml");
        std::fs::write(&path, settings).unwrap();
        let mut command = Command::new(binary::m2m());
        command.arg("gateway").arg("--config").arg(path).stdout(Stdio::piped());
        let mut process = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().strip_prefix("ready http://").expect("the gateway is ready").parse().unwrap();
        Self { process: Some(Process(process)), address, mute: None }
    }
}

/// Killed when dropped.
pub(super) struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _gone = self.0.wait();
    }
}

/// What a client got, and whether the program was asked.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    headers: http::HeaderMap,
    text: String,
    reached: usize,
}

impl Stage {
    /// Everything but the proxy.
    pub(super) async fn before(dialect: &str) -> Self {
        let (tasks, reached) = (Tasks::new(), Arc::new(AtomicUsize::new(0)));
        let issuer = bound().await;
        let address = issuer.local_addr().unwrap();
        let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
        serve(&tasks, issuer, metadata(address, &key));
        let program = bound().await;
        let program_address = program.local_addr().unwrap();
        serve(&tasks, program, echo(Arc::clone(&reached)));
        let directory = tempfile::tempdir().unwrap();
        let gateway = Gateway::start(dialect, address, directory.path());
        let entrance = free();
        Self {
            key,
            issuer: address,
            program: program_address,
            gateway,
            proxy: None,
            entrance,
            reached,
            directory,
            tasks,
        }
    }

    /// The part of docs/gateway.md of this name, with the ports of here.
    pub(super) fn documented(&self, name: &str) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/gateway.md");
        let text = std::fs::read_to_string(path).unwrap();
        let (_, after) = text.split_once(&format!("<!-- {name} -->\n")).expect("the documentation has it");
        let (_, inside) = after.split_once('\n').unwrap();
        let (block, _) = inside.split_once("\n```").unwrap();
        let mut block = format!("{block}\n");
        for (documented, here) in [(8080, self.entrance), (8480, self.gateway.address), (3000, self.program)]
        {
            block = block.replace(&format!("127.0.0.1:{documented}"), &here.to_string());
            block = block
                .replace(&format!("port_value: {documented} "), &format!("port_value: {} ", here.port()));
        }
        block
    }

    /// Writes a file for the proxy.
    pub(super) fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Starts the proxy and waits until it takes connections.
    pub(super) async fn proxy(&mut self, mut command: Command) {
        let log = std::fs::File::create(self.directory.path().join("proxy.log")).unwrap();
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        self.proxy = Some(Process(command.current_dir(self.directory.path()).spawn().unwrap()));
        for _ in 0..500 {
            if TcpStream::connect(self.entrance).await.is_ok() {
                return;
            }
            SystemClock.sleep(Duration::from_millis(20)).await;
        }
        let log = std::fs::read_to_string(self.directory.path().join("proxy.log")).unwrap_or_default();
        panic!("the proxy does not listen: {log}");
    }

    pub(super) fn issuer(&self) -> String {
        format!("http://{}", self.issuer)
    }

    /// A good token of `svc-orders`.
    pub(super) fn token(&self, scope: &str) -> String {
        token(&self.key, &self.issuer(), scope)
    }

    /// Trusted, and its keys cannot be had.
    pub(super) fn token_of_an_issuer_that_is_down(&self, scope: &str) -> String {
        token(&self.key, DOWN, scope)
    }

    /// Asks the proxy.
    pub(super) async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("http://{}{path}", self.entrance));
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let before = self.reached.load(Ordering::SeqCst);
        let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap();
        let limits = Limits { timeout: Duration::from_secs(20), ..Limits::default() };
        let (parts, body) =
            http.send(request.body(Bytes::new()).unwrap(), &limits).await.unwrap().into_parts();
        let reached = self.reached.load(Ordering::SeqCst) - before;
        let text = String::from_utf8_lossy(&body).into_owned();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text, reached }
    }

    /// Takes the gateway away, or puts somebody in its place who says nothing.
    pub(super) async fn silence(&mut self, silence: Silence) {
        drop(self.gateway.process.take());
        match silence {
            Silence::Mute => {
                let mute = TcpListener::bind(self.gateway.address).await.unwrap();
                let task = self.tasks.spawn("mute", async move {
                    let mut kept = Vec::new();
                    while let Ok((stream, _)) = mute.accept().await {
                        kept.push(stream);
                    }
                });
                self.gateway.mute = Some(task);
            }
            Silence::Gone => {
                if let Some(mute) = self.gateway.mute.take() {
                    mute.abort();
                    mute.join().await;
                }
            }
        }
    }
}

impl Answer {
    /// The program was asked for exactly this.
    pub(super) fn reached(&self, line: &str) {
        assert_eq!((self.status, self.reached), (200, 1), "{self:?}");
        assert!(self.text.starts_with(&format!("{line}\n")), "{self:?}");
    }

    /// The program found the field, once.
    pub(super) fn told(&self, name: &str, value: &str) {
        let found: Vec<&str> =
            self.text.lines().filter_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).collect();
        assert_eq!(found, [value], "{name} in {self:?}");
    }

    /// The program found neither the token nor what a client forged.
    pub(super) fn is_clean(&self) {
        assert!(!self.text.contains("forged"), "{self:?}");
        assert!(!self.text.contains("authorization: Bearer"), "{self:?}");
    }

    pub(super) fn refused(&self, status: u16) {
        assert_eq!(self.status, status, "{self:?}");
        self.never_reached();
    }

    pub(super) fn never_reached(&self) {
        assert_eq!(self.reached, 0, "{self:?}");
    }

    pub(super) fn header(&self, name: &str) -> Option<String> {
        Some(self.headers.get(name)?.to_str().unwrap().to_owned())
    }
}

fn token(key: &SigningKey, issuer: &str, scope: &str) -> String {
    let now = SystemClock.wall().seconds();
    let claims = json!({
        "iss": issuer, "sub": "svc-orders", "client_id": "svc-orders", "aud": AUDIENCE, "jti": "t1",
        "iat": now, "nbf": now, "exp": now + 600, "scope": scope,
    });
    let fields = HeaderFields { typ: Some("at+jwt"), kid: key.key_id(), ..HeaderFields::default() };
    jws::sign(&fields, &serde_json::to_vec(&claims).unwrap(), key).unwrap()
}

fn metadata(address: SocketAddr, key: &SigningKey) -> Router {
    let document =
        json!({"issuer": format!("http://{address}"), "jwks_uri": format!("http://{address}/jwks")});
    let set = JwkSet::encode([key.verifying_key().as_ref()]);
    Router::new()
        .route("/.well-known/oauth-authorization-server", get(|| async move { axum::Json(document) }))
        .route("/jwks", get(|| async move { ([("content-type", "application/json")], set) }))
}

/// Says what it was sent, and counts.
fn echo(reached: Arc<AtomicUsize>) -> Router {
    Router::new().fallback(move |request: Request<Body>| {
        reached.fetch_add(1, Ordering::SeqCst);
        let mut text = format!("{} {}\n", request.method(), request.uri());
        for (name, value) in request.headers() {
            text.push_str(&format!("{name}: {}\n", String::from_utf8_lossy(value.as_bytes())));
        }
        async move { (StatusCode::OK, text) }
    })
}

async fn bound() -> TcpListener {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

fn serve(tasks: &Tasks, listener: TcpListener, router: Router) {
    tasks.spawn("server", async move {
        let _stopped = axum::serve(listener, router).await;
    });
}

/// An address that was free a moment ago.
fn free() -> SocketAddr {
    std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
