//! Against small servers on 127.0.0.1 that speak raw bytes. TLS is tested in the testkit, which can make certificates.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ::http::{Method, Request, StatusCode, header};
use bytes::Bytes;
use m2m_proto::uri::Origin;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::{ProxyFrom, ReqwestHttp};
use crate::{Clock as _, EgressRules, HttpClient as _, HttpError, Limits, Reach, SystemClock, task};

/// What a server does after it has read a request.
#[derive(Clone)]
enum Act {
    /// Sends these bytes and closes.
    Send(Vec<u8>),
    /// Sends these bytes, then one more every millisecond, for ever.
    Drip(&'static str),
    /// Says nothing and keeps the connection.
    Hang,
}

struct Server {
    address: SocketAddr,
    /// Each request as it arrived.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(act: Act) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&requests);
        task::spawn_detached("test server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                task::spawn_detached("test connection", converse(stream, act.clone(), Arc::clone(&record)));
            }
        });
        Self { address, requests }
    }

    async fn answering(response: &str) -> Self {
        Self::start(Act::Send(response.replace('\n', "\r\n").into_bytes())).await
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn converse(mut stream: TcpStream, act: Act, record: Arc<Mutex<Vec<String>>>) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    while !complete(&received) {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(count) => received.extend_from_slice(&buffer[..count]),
        }
    }
    record.lock().unwrap().push(String::from_utf8_lossy(&received).into_owned());
    match act {
        Act::Send(bytes) => {
            let _closed = stream.write_all(&bytes).await;
        }
        Act::Drip(start) => {
            let mut sent = stream.write_all(start.as_bytes()).await;
            while sent.is_ok() {
                SystemClock.sleep(Duration::from_millis(1)).await;
                sent = stream.write_all(b"x").await;
            }
        }
        Act::Hang => std::future::pending().await,
    }
}

/// Head and announced body are there; or it is no HTTP (a TLS hello), of which the first piece is enough.
fn complete(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    if received.first() == Some(&0x16) {
        return true;
    }
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    body.len() >= length.map_or(0, |length| length.parse().unwrap())
}

fn http() -> ReqwestHttp {
    ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap()
}

fn short() -> Limits {
    Limits { max_body_bytes: 1000, timeout: Duration::from_millis(300), reach: Reach::Configured }
}

async fn get(http: &ReqwestHttp, url: &str, limits: &Limits) -> Result<::http::Response<Bytes>, HttpError> {
    http.send(Request::get(url).body(Bytes::new()).unwrap(), limits).await
}

async fn get_short(server: &Server) -> Result<::http::Response<Bytes>, HttpError> {
    get(&http(), &server.url("/path?secret=canary"), &short()).await
}

#[tokio::test]
async fn a_request_and_its_response() {
    let server = Server::answering("HTTP/1.1 418 X\nx-one: 1\ncontent-length: 4\n\nbody").await;
    let request = Request::builder().method(Method::POST).uri(server.url("/token?a=b"));
    let request = request.header(header::AUTHORIZATION, "Basic x").body(Bytes::from("grant_type=a")).unwrap();
    let response = http().send(request, &Limits::default()).await.unwrap();
    assert_eq!((response.status().as_u16(), response.body().as_ref()), (418, b"body".as_slice()));
    assert_eq!(response.headers()["x-one"], "1");
    let expect = format!(
        "POST /token?a=b HTTP/1.1\r\nauthorization: Basic x\r\naccept: */*\r\nuser-agent: m2m/{}\r\n\
         accept-encoding: gzip\r\nhost: {}\r\ncontent-length: 12\r\n\r\ngrant_type=a",
        env!("CARGO_PKG_VERSION"),
        server.address
    );
    assert_eq!(server.requests(), [expect]);
}

#[tokio::test]
async fn a_redirect_is_an_error_and_not_followed() {
    let check = async |status: u16, location: &str, expect: Option<String>| {
        let server =
            Server::answering(&format!("HTTP/1.1 {status} X\n{location}content-length: 0\n\n")).await;
        let expect =
            expect.map(|origin| Origin::parse(&origin.replace("SELF", &server.address.to_string())).unwrap());
        let status = StatusCode::from_u16(status).unwrap();
        let redirect = HttpError::Redirect { status, location_origin: expect };
        assert_eq!(get_short(&server).await.unwrap_err(), redirect);
        assert_eq!(server.requests().len(), 1);
    };
    for status in [301, 302, 303, 307, 308] {
        check(
            status,
            "location: https://other.example:8443/x?y=z\n",
            Some("https://other.example:8443".into()),
        )
        .await;
    }
    check(302, "location: /login\n", Some("http://SELF".into())).await;
    check(302, "", None).await;
    check(302, "location: http://[\n", None).await;
}

#[tokio::test]
async fn other_3xx_are_responses() {
    for status in [300, 304] {
        let server = Server::answering(&format!("HTTP/1.1 {status} X\ncontent-length: 0\n\n")).await;
        assert_eq!(get_short(&server).await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn time_is_limited_over_the_whole_exchange() {
    for act in [
        Act::Hang,
        Act::Drip("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"),
        Act::Drip("HTTP/1.1 200 OK\r\nx-endless: "),
    ] {
        let server = Server::start(act).await;
        let limits = Limits { max_body_bytes: 1_000_000, ..short() };
        assert_eq!(get(&http(), &server.url("/"), &limits).await.unwrap_err(), HttpError::Timeout);
    }
}

#[tokio::test]
async fn size_is_limited() {
    let body = "x".repeat(1001);
    let check = async |head: &str, body: &str, expect: Result<usize, usize>| {
        let server = Server::answering(&format!("HTTP/1.1 200 OK\n{head}\n{body}")).await;
        let found = get_short(&server).await.map(|response| response.body().len());
        assert_eq!(found, expect.map_err(|limit| HttpError::TooLarge { limit }), "{head}");
    };
    check("content-length: 1000\n", &body[..1000], Ok(1000)).await;
    check("content-length: 1001\n", &body, Err(1000)).await;
    check("content-length: 999999999999\n", "", Err(1000)).await;
    check("connection: close\n", &body, Err(1000)).await;
    check("connection: close\n", &body[..1000], Ok(1000)).await;
    check("transfer-encoding: chunked\n", &format!("3e9\n{body}\n0\n\n"), Err(1000)).await;
}

fn gzip(length: usize) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(&vec![b'a'; length]).unwrap();
    encoder.finish().unwrap()
}

async fn compressed(length: usize) -> Server {
    let body = gzip(length);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n", body.len());
    Server::start(Act::Send([head.into_bytes(), body].concat())).await
}

#[tokio::test]
async fn size_is_counted_after_decompression() {
    assert_eq!(get_short(&compressed(1000).await).await.unwrap().body().len(), 1000);
    let bomb = compressed(800_000).await;
    assert!(gzip(800_000).len() < 1000, "small on the wire");
    assert_eq!(get_short(&bomb).await.unwrap_err(), HttpError::TooLarge { limit: 1000 });
}

#[tokio::test]
async fn causes_are_told_apart() {
    let check = async |response: &str, expect: fn(&HttpError) -> bool| {
        let server = Server::answering(response).await;
        let error = get_short(&server).await.unwrap_err();
        assert!(expect(&error), "{response:?}: {error:?}");
        assert!(!format!("{error} {error:?}").contains("canary"), "the query is not told");
        assert_eq!(server.requests().len(), 1, "nothing is tried twice");
    };
    let lost = |error: &HttpError| matches!(error, HttpError::Connect(_));
    let garbled = |error: &HttpError| matches!(error, HttpError::Protocol(_));
    check("", lost).await;
    check("HTTP/1.1 200 OK\ncontent-length: 10\n\nshort", lost).await;
    check("HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n5\nshort\n", lost).await;
    check("SSH-2.0-OpenSSH_9.9\n", garbled).await;
    check("HTTP/1.1 200 OK\ncontent-length: many\n\n", garbled).await;
    check("HTTP/1.1 200 OK\ncontent-encoding: gzip\ncontent-length: 5\n\nplain", garbled).await;
    let many = format!("HTTP/1.1 200 OK\n{}content-length: 0\n\n", "x: y\n".repeat(200));
    check(&many, garbled).await;
    let long = format!("HTTP/1.1 200 OK\nx: {}\ncontent-length: 0\n\n", "y".repeat(600_000));
    check(&long, |error| !matches!(error, HttpError::Timeout)).await;
}

#[tokio::test]
async fn nobody_there() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let error = get(&http(), &format!("http://{closed}/?secret=canary"), &short()).await.unwrap_err();
    assert!(matches!(&error, HttpError::Connect(_)), "{error:?}");
    assert!(!error.to_string().contains("canary"));
    let error = get(&http(), "http://nobody.invalid/?secret=canary", &Limits::default()).await.unwrap_err();
    assert!(matches!(&error, HttpError::Dns(_)), "{error:?}");
    assert!(!error.to_string().contains("canary"));
}

#[tokio::test]
async fn plain_text_where_tls_was_expected() {
    let server = Server::answering("HTTP/1.1 400 Bad Request\ncontent-length: 0\n\n").await;
    let error = get(&http(), &format!("https://{}/", server.address), &short()).await.unwrap_err();
    assert!(error.is_tls(), "{error:?}");
}

fn discovered(origin: &str) -> Limits {
    Limits { reach: Reach::Discovered { origin: Origin::parse(origin).unwrap() }, ..short() }
}

#[tokio::test]
async fn a_discovered_url_reaches_no_private_address() {
    let server = Server::start(Act::Hang).await;
    let name = |rules| {
        let builder = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).egress(rules);
        builder.resolve("Keys.example", vec![server.address]).build().unwrap()
    };
    let url = format!("https://keys.example:{}/jwks?secret=canary", server.address.port());
    let limits = discovered("https://issuer.example");
    let denied = HttpError::EgressDenied { destination: "keys.example".into(), reason: "loopback" };
    assert_eq!(get(&name(EgressRules::new()), &url, &limits).await.unwrap_err(), denied);
    assert!(server.requests().is_empty(), "nothing was dialled");

    let allowed = EgressRules::new().allow("127.0.0.0/8").unwrap();
    assert_eq!(get(&name(allowed), &url, &limits).await.unwrap_err(), HttpError::Timeout);
    let allowed =
        EgressRules::new().allow(&format!("https://keys.example:{}", server.address.port())).unwrap();
    assert_eq!(get(&name(allowed), &url, &limits).await.unwrap_err(), HttpError::Timeout);
    assert_eq!(server.requests().len(), 2);
}

#[tokio::test]
async fn a_discovered_url_is_checked_before_anything_is_dialled() {
    let http = http();
    for url in ["https://127.0.0.1:9/", "https://2130706433/", "https://[::1]/", "http://keys.example/"] {
        let error = get(&http, url, &discovered("https://issuer.example")).await.unwrap_err();
        assert!(matches!(error, HttpError::EgressDenied { .. }), "{url}: {error:?}");
    }
}

#[tokio::test]
async fn the_followed_origin_may_point_at_itself() {
    let server = Server::answering("HTTP/1.1 200 OK\ncontent-length: 2\n\nok").await;
    let limits = discovered(&server.url(""));
    assert_eq!(get(&http(), &server.url("/jwks"), &limits).await.unwrap().body().as_ref(), b"ok");
}

// spec-test: JWT-V5
#[test]
fn of_a_name_with_several_addresses_only_public_ones_are_dialled() {
    let addresses = ["127.0.0.1:0", "1.1.1.1:0", "[fd00::1]:0"].map(|text| text.parse().unwrap()).to_vec();
    let allowed = super::resolve::permitted("name", addresses, &EgressRules::new()).unwrap();
    assert_eq!(allowed, ["1.1.1.1:0".parse().unwrap()]);
}

fn through(proxy: &str) -> ReqwestHttp {
    ReqwestHttp::builder().proxy(ProxyFrom::Url(proxy.to_owned())).build().unwrap()
}

#[tokio::test]
async fn a_proxy_gets_the_whole_url() {
    let proxy = Server::answering("HTTP/1.1 200 OK\ncontent-length: 2\n\nok").await;
    get(&through(&proxy.url("")), "http://as.example/token", &short()).await.unwrap();
    assert!(proxy.requests()[0].starts_with("GET http://as.example/token HTTP/1.1\r\n"));
}

#[tokio::test]
async fn a_proxy_that_fails_is_told_from_the_server() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let refusing =
        Server::answering("HTTP/1.1 407 Proxy Authentication Required\ncontent-length: 0\n\n").await;
    for proxy in [format!("http://{closed}"), "http://nobody.invalid:3128".to_owned(), refusing.url("")] {
        let error = get(&through(&proxy), "https://as.example/", &Limits::default()).await.unwrap_err();
        assert!(matches!(error, HttpError::Proxy(_)), "{proxy}: {error:?}");
    }
    assert!(refusing.requests()[0].starts_with("CONNECT as.example:443 HTTP/1.1\r\n"));
}

#[tokio::test]
async fn behind_a_proxy_the_proxy_resolves() {
    let proxy = Server::answering("HTTP/1.1 403 Forbidden\ncontent-length: 0\n\n").await;
    let http = through(&proxy.url(""));
    let limits = discovered("https://issuer.example");
    let error = get(&http, "https://keys.example/jwks", &limits).await.unwrap_err();
    assert!(matches!(error, HttpError::Proxy(_)), "{error:?}");
    assert_eq!(proxy.requests().len(), 1, "the proxy's own address is not subject to the rules");
    let error = get(&http, "https://10.0.0.1/jwks", &limits).await.unwrap_err();
    assert!(matches!(error, HttpError::EgressDenied { .. }), "{error:?}");
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let ca = |pem: &str| ReqwestHttp::builder().ca_pem(pem.as_bytes()).unwrap_err();
    assert!(ca("").is_tls() && ca("no PEM").is_tls());
    let error = ReqwestHttp::builder().ca_file("/nonexistent/ca.pem".as_ref()).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/ca.pem"), "{error}");
    let key = m2m_proto::secret::SecretBytes::new(b"canary".to_vec());
    let error = ReqwestHttp::builder().client_certificate(b"", &key).unwrap_err();
    assert!(error.is_tls() && !error.to_string().contains("canary"), "{error}");
    let wrong = ReqwestHttp::builder().proxy(ProxyFrom::Url("http://user:canary@[".into()));
    assert!(!format!("{wrong:?}").contains("canary"));
    let error = wrong.build().unwrap_err();
    assert!(matches!(error, HttpError::Proxy(_)) && !error.to_string().contains("canary"), "{error}");
}

#[tokio::test]
async fn the_streaming_client_follows_nothing_either() {
    let server = Server::answering("HTTP/1.1 302 X\nlocation: /login\ncontent-length: 0\n\n").await;
    let client = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).streaming_client().unwrap();
    let response = client.get(server.url("/")).send().await.unwrap();
    assert_eq!((response.status().as_u16(), server.requests().len()), (302, 1));
    assert!(!server.requests()[0].contains("accept-encoding"));
}
