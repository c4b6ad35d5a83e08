//! A proxy that leads every host to a lab, or that stands in the way.
//!
//! Sections: RFC 9110 section 9.3.6 (CONNECT), 11.7 (proxy authentication)
//! Enforces: CONNECT only; the proxy's own credentials where it demands some.
//! Does not enforce: which host or port; all of them are the lab's HTTPS.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;
use tokio::io::{AsyncWriteExt as _, copy_bidirectional};
use tokio::net::TcpStream;

use super::answer::{Answer, Words};
use super::home::Home;
use super::listener::{Lab, Shared};
use crate::hostile::wire;
use crate::record::{Record, Recorded};

/// What a proxy does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProxyManner {
    /// Leads everybody through.
    Tunnels,
    /// Leads those through who show this user and password, and answers 407 to others.
    Demands {
        /// The user.
        user: String,
        /// The password.
        password: String,
    },
    /// Answers this to everybody.
    Refuses(Answer),
}

impl ProxyManner {
    /// 407: wants credentials that nobody has.
    #[must_use]
    pub fn refuses_407() -> Self {
        let answer = Answer::html(407, "Proxy Authentication Required");
        Self::Refuses(answer.header("proxy-authenticate", "Basic realm=\"lab\""))
    }

    /// 502 with a page.
    #[must_use]
    pub fn refuses_502() -> Self {
        Self::Refuses(Answer::html(502, "Bad Gateway"))
    }

    /// 403 with a page that says why.
    #[must_use]
    pub fn refuses_with_page() -> Self {
        Self::Refuses(Answer::html(403, "This site is blocked by your organization"))
    }
}

/// A running proxy in front of a lab. Stops when dropped; the lab must live as long.
#[derive(Debug)]
pub struct Tunnel {
    address: SocketAddr,
    record: Record,
    shared: Arc<Shared>,
    home: Home,
}

impl Tunnel {
    /// Starts a proxy.
    ///
    /// # Panics
    ///
    /// If no socket can be had.
    pub async fn start(lab: &Lab, manner: ProxyManner) -> Self {
        Self::open(lab.shared(), lab.tls_port(), manner).await
    }

    /// The same from a thread of its own, for tests that are not asynchronous.
    ///
    /// # Panics
    ///
    /// As [`Self::start`], and inside a runtime.
    #[must_use]
    pub fn in_thread(lab: &Lab, manner: ProxyManner) -> Self {
        let (runtime, mut tunnel) = Home::build(Self::open(lab.shared(), lab.tls_port(), manner));
        tunnel.home.keep(runtime);
        tunnel
    }

    async fn open(shared: Arc<Shared>, port: u16, manner: ProxyManner) -> Self {
        let (home, record, manner) = (Home::new(), Record::default(), Arc::new(manner));
        let seen = record.clone();
        let converse = move |stream| converse(stream, port, Arc::clone(&manner), seen.clone());
        let address = home.listen(converse).await;
        Self { address, record, shared, home }
    }

    /// `http://127.0.0.1:PORT`, for `HTTPS_PROXY`.
    #[must_use]
    pub fn proxy_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The same with credentials in it.
    #[must_use]
    pub fn proxy_url_as(&self, user: &str, password: &str) -> String {
        format!("http://{user}:{password}@{}", self.address)
    }

    /// A PEM file for `ca_file`: the authority that vouches for the lab under every name.
    #[must_use]
    pub fn ca_file(&self) -> PathBuf {
        self.shared.ca_file()
    }

    /// What the proxy itself was asked: CONNECT requests with `host:port` as target.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.record.all()
    }

    /// The targets of those, in order.
    #[must_use]
    pub fn targets(&self) -> Vec<String> {
        self.requests().iter().map(|request| request.uri.to_string()).collect()
    }
}

/// Errors of the sockets end the connection.
async fn converse(mut stream: TcpStream, port: u16, manner: Arc<ProxyManner>, record: Record) {
    let Some(request) = wire::receive(&mut stream).await else { return };
    let request = Recorded::of(&request);
    record.push(request.clone());
    if let Some(refusal) = refusal(&request, &manner) {
        let _sent = stream.write_all(&wire::whole(&refusal.response(&Words::default()))).await;
        let _closed = stream.shutdown().await;
        return;
    }
    let Ok(mut lab) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    if stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
        let _ended = copy_bidirectional(&mut stream, &mut lab).await;
    }
}

fn refusal(request: &Recorded, manner: &ProxyManner) -> Option<Answer> {
    match manner {
        ProxyManner::Refuses(answer) => return Some(answer.clone()),
        ProxyManner::Demands { user, password } => {
            let expected = format!("Basic {}", STANDARD.encode(format!("{user}:{password}")));
            if request.header("proxy-authorization") != Some(&expected) {
                let ProxyManner::Refuses(answer) = ProxyManner::refuses_407() else { return None };
                return Some(answer);
            }
        }
        ProxyManner::Tunnels => {}
    }
    (request.method != Method::CONNECT).then(|| Answer::html(405, "Method Not Allowed"))
}
