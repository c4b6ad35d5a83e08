use axum::body::Body;
use axum::routing::get;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower::ServiceExt as _;
use tracing_subscriber::layer::SubscriberExt as _;

use super::*;

const PARENT: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const TRACE: &[u8] =
    &[0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];

/// Everything that one client sends until it has its answer.
async fn collected(listener: TcpListener) -> Vec<u8> {
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut all = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let read = stream.read(&mut buffer).await.unwrap();
        all.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&all).into_owned();
        let Some((head, _)) = text.split_once("\r\n\r\n") else { continue };
        let length: usize = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap()
            .parse()
            .unwrap();
        if all.len() >= head.len() + 4 + length {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await.unwrap();
            return all;
        }
    }
}

fn holds(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_told_of_with_its_trace_and_without_what_it_carries() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (done, sent) = oneshot::channel();
    task::spawn_detached("collector", async move { done.send(collected(listener).await).unwrap() });
    let traces = Traces::start(&Environment::of([("OTEL_EXPORTER_OTLP_ENDPOINT", &url)]), "m2m-server")
        .unwrap()
        .unwrap();
    let subscriber = tracing_subscriber::registry().with(traces.layer());
    let _here = tracing::subscriber::set_default(subscriber);
    let sees = |request: Request| async move {
        request
            .headers()
            .get("traceparent")
            .map(|value| value.to_str().unwrap().to_owned())
            .unwrap_or_default()
    };
    let routes = || Router::new().route("/admin/v1/clients/{id}", get(sees));
    let ask = || {
        let request =
            http::Request::get("/admin/v1/clients/orders?canary=query").header("traceparent", PARENT);
        request.header("authorization", "Bearer canary").body(Body::empty()).unwrap()
    };
    let seen = async |answer: Response| axum::body::to_bytes(answer.into_body(), 1024).await.unwrap();
    let own = traced(routes(), Told::Path).oneshot(ask()).await.unwrap();
    assert_eq!(seen(own).await, PARENT, "what a handler of ours sees is what came");
    let passed = seen(traced(routes(), Told::Method).oneshot(ask()).await.unwrap()).await;
    let (begins, ends) = (&passed[..36], &passed[36..52]);
    assert_eq!(begins, &PARENT.as_bytes()[..36], "the program is in the same trace");
    assert_ne!(ends, &PARENT.as_bytes()[36..52], "below our span");
    traces.end().await;
    let sent = sent.await.unwrap();
    assert!(sent.starts_with(b"POST /v1/traces HTTP/1.1\r\n"));
    for part in [&b"GET /admin/v1/clients"[..], b"m2m-server", TRACE, b"http.response.status_code"] {
        assert!(holds(&sent, part), "{}", String::from_utf8_lossy(part));
    }
    assert!(!holds(&sent, b"canary"));
}

#[tokio::test]
async fn nobody_is_told_unless_the_environment_says_whom() {
    assert!(Traces::start(&Environment::of([("OTEL_SERVICE_NAME", "x")]), "m2m-server").unwrap().is_none());
    let failure = Traces::start(&Environment::of([("OTEL_EXPORTER_OTLP_ENDPOINT", "no url")]), "m2m-server")
        .err()
        .unwrap();
    assert!(failure.message().starts_with("OTEL_EXPORTER_OTLP_ENDPOINT: "), "{}", failure.message());
}
