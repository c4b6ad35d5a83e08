use std::net::SocketAddr;

use m2m_io::task::Tasks;

use super::*;
use crate::proxy::fixture::{self, Party, ask, raw, serve};
use crate::proxy::inbound::Token;

async fn gateway(tasks: &Tasks, gate: Gate, dialect: Dialect) -> SocketAddr {
    serve(tasks, ForwardAuth::new(gate, dialect).router()).await
}

/// How each proxy names the original request.
fn told(dialect: Dialect, method: &str, uri: &str) -> (String, Vec<String>) {
    match dialect {
        Dialect::Nginx => (
            "GET /auth".into(),
            vec![format!("X-Original-Method: {method}"), format!("X-Original-URI: {uri}")],
        ),
        Dialect::Envoy => (format!("{method} /ext_authz{uri}"), Vec::new()),
        _ => {
            ("GET /".into(), vec![format!("X-Forwarded-Method: {method}"), format!("X-Forwarded-Uri: {uri}")])
        }
    }
}

async fn question(address: SocketAddr, dialect: Dialect, request: (&str, &str), also: &[&str]) -> String {
    let (line, headers) = told(dialect, request.0, request.1);
    let headers: Vec<&str> = headers.iter().map(String::as_str).chain(also.iter().copied()).collect();
    ask(address, &line, &headers).await
}

const ALL: [Dialect; 4] = [Dialect::Nginx, Dialect::Traefik, Dialect::Caddy, Dialect::Envoy];

#[tokio::test]
async fn every_dialect_is_answered() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let good = format!("Authorization: {}", party.bearer("orders:read"));
    let poor = format!("Authorization: {}", party.bearer("other"));
    for dialect in ALL {
        let address = gateway(&tasks, party.gate(), dialect).await;
        let check = async |method: &str, uri: &str, headers: &[&str], expect: u16| {
            let answer = question(address, dialect, (method, uri), headers).await;
            assert!(
                answer.starts_with(&format!("HTTP/1.1 {expect}")),
                "{dialect:?} {method} {uri}: {answer}"
            );
            assert!(!answer.contains("forged"), "{answer}");
            answer
        };
        let forged = ["X-M2M-Client-Id: forged", "X_M2M_Scope: forged", good.as_str()];
        let answer = check("GET", "/orders/1?a=b", &forged, 200).await;
        for line in
            ["x-m2m-client-id: svc-orders\r\n", "x-m2m-scope: orders:read\r\n", "cache-control: no-store\r\n"]
        {
            assert!(answer.contains(line), "{line} in {answer}");
        }
        let answer = check("GET", "/orders/1", &[], 401).await;
        assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
        let answer = check("GET", "/orders/1", &[&poor], 403).await;
        assert!(answer.contains("scope=\"orders:read\"") && !answer.contains("x-m2m"), "{answer}");
        check("DELETE", "/orders/1", &[&good], 403).await;
        check("GET", "/admin", &[&good], 403).await;
        let ambiguous = if dialect == Dialect::Nginx { 403 } else { 400 };
        for uri in
            ["/orders/../admin", "/orders/%2e%2e/admin", "//orders/1", "/healthz/..%2forders", "/HEALTHZ"]
        {
            check("GET", uri, &[&good], ambiguous).await;
        }
    }
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_public_answer_overwrites_what_the_client_sent() {
    let (tasks, party) = (Tasks::new(), Party::new());
    for dialect in ALL {
        let address = gateway(&tasks, party.gate(), dialect).await;
        let answer = question(address, dialect, ("GET", "/healthz"), &["X-M2M-Client-Id: forged"]).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        let removes =
            answer.contains("x-envoy-auth-headers-to-remove: ") && answer.contains(",x-m2m-client-id,");
        let empties = answer.contains("x-m2m-client-id: \r\n") && answer.contains("x-m2m-scope: \r\n");
        assert!(if dialect == Dialect::Envoy { removes } else { empties }, "{dialect:?}: {answer}");
    }
    tasks.shutdown().await;
}

/// An error of gRPC is 200 to whoever asks over HTTP.
#[tokio::test]
async fn a_client_cannot_make_a_question_over_http_one_of_grpc() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let address = gateway(&tasks, party.gate(), Dialect::Envoy).await;
    let kind = ["Content-Type: application/grpc"];
    let answer = question(address, Dialect::Envoy, ("GET", "/orders/1"), &kind).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    let answer = question(address, Dialect::Envoy, ("POST", "/admin"), &kind).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    tasks.shutdown().await;
}

/// With `pass_token`, a program takes what comes along for checked.
#[tokio::test]
async fn a_token_that_nobody_checked_is_kept_from_the_program() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let gate = fixture::gate(party.verifier(), Token::Passed);
    let address = gateway(&tasks, gate, Dialect::Envoy).await;
    let removes = async |path: &str, header: &str| {
        let answer = question(address, Dialect::Envoy, ("GET", path), &[header]).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        answer.contains(",authorization,dpop")
    };
    let good = format!("Authorization: {}", party.bearer("orders:read"));
    assert!(!removes("/orders/1", &good).await);
    assert!(removes("/healthz", "Authorization: Bearer forged.by.anyone").await);
    assert!(!removes("/healthz", "Authorization: Basic YTpi").await);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_request_that_is_not_named_once_is_not_judged() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let good = format!("Authorization: {}", party.bearer("orders:read"));
    let address = gateway(&tasks, party.gate(), Dialect::Nginx).await;
    let method = "X-Original-Method: GET";
    for headers in [
        vec![method],
        vec!["X-Original-URI: /healthz"],
        vec![method, "X-Original-URI: /healthz", "X-Original-URI: /orders/1"],
        vec!["X-Forwarded-Method: GET", "X-Forwarded-Uri: /healthz"],
        vec!["X-Original-Method: G ET", "X-Original-URI: /healthz"],
    ] {
        let answer = ask(address, "GET /healthz", &[&headers[..], &[&good]].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 500"), "{headers:?}: {answer}");
    }
    for uri in ["healthz", "http://x/healthz", "/healthz#/orders", "", "*"] {
        let answer = question(address, Dialect::Nginx, ("GET", uri), &[&good]).await;
        assert!(answer.starts_with("HTTP/1.1 403"), "{uri}: {answer}");
    }
    let address = gateway(&tasks, party.gate(), Dialect::Envoy).await;
    assert!(ask(address, "GET /healthz", &[]).await.starts_with("HTTP/1.1 500"));
    tasks.shutdown().await;
}

#[tokio::test]
async fn an_issuer_that_is_down_lets_nobody_through() {
    let tasks = Tasks::new();
    let token = Party::new().token("orders:read", &serde_json::json!({"iss": "http://127.0.0.1:1"}));
    for dialect in ALL {
        let issuer = m2m_proto::uri::Issuer::parse("http://127.0.0.1:1").unwrap();
        let verifier =
            m2m_resource_server::Verifier::builder().trust(issuer, fixture::AUDIENCE).build().unwrap();
        let address = gateway(&tasks, fixture::gate(verifier, Token::Removed), dialect).await;
        let header = format!("Authorization: Bearer {token}");
        let answer = question(address, dialect, ("GET", "/orders/1"), &[&header]).await;
        assert!(answer.starts_with("HTTP/1.1 503") && answer.contains("retry-after: "), "{answer}");
    }
    tasks.shutdown().await;
}

#[test]
fn only_a_proxy_may_ask() {
    let check = |address: &str, is_trusted: bool, expect: bool| {
        let mut request = Request::new(());
        request.extensions_mut().insert(ClientAddress(address.parse().unwrap()));
        if is_trusted {
            request.extensions_mut().insert(ByProxy);
        }
        assert_eq!(may_ask(&request.into_parts().0).is_ok(), expect, "{address} {is_trusted}");
    };
    check("127.0.0.1", false, true);
    check("::1", false, true);
    check("::ffff:127.0.0.1", false, true);
    check("192.0.2.1", false, false);
    check("192.0.2.1", true, true);
    assert!(may_ask(&Request::new(()).into_parts().0).is_err());
}

/// What Traefik 3 sends for `GET https://api.example/orders/1?page=2` of a client at 192.0.2.7, byte for byte.
const TRAEFIK: &str = "GET /auth HTTP/1.1\r\nHost: gateway:8480\r\nUser-Agent: curl/8.5.0\r\nAccept: */*\r\n\
    AUTHORIZATION\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Host: api.example\r\nX-Forwarded-Method: GET\r\n\
    X-Forwarded-Port: 443\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Server: traefik\r\n\
    X-Forwarded-Uri: /orders/1?page=2\r\nX-Real-Ip: 192.0.2.7\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n";

#[tokio::test]
async fn traefik_is_answered_to_the_byte() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let address = gateway(&tasks, party.gate(), Dialect::Traefik).await;
    let check = async |authorization: &str, expect: &str| {
        let answer = raw(address, &TRAEFIK.replace("AUTHORIZATION", authorization)).await;
        let answer: Vec<&str> = answer.split("\r\n").filter(|line| !line.starts_with("date: ")).collect();
        assert_eq!(answer.join("\n"), expect);
    };
    check(
        &format!("Authorization: {}", party.bearer("orders:read")),
        "HTTP/1.1 200 OK\ncache-control: no-store\nx-m2m-client-id: svc-orders\nx-m2m-subject: svc-orders\n\
         x-m2m-scope: orders:read\nx-m2m-issuer: https://as.example\nconnection: close\ncontent-length: 0\n\n",
    )
    .await;
    check(
        "X-None: 1",
        "HTTP/1.1 401 Unauthorized\ncache-control: no-store\npragma: no-cache\nwww-authenticate: Bearer\n\
         connection: close\ncontent-length: 0\n\n",
    )
    .await;
    tasks.shutdown().await;
}

#[tokio::test]
async fn bytes_of_a_stranger_are_no_fault_of_the_proxy() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let address = gateway(&tasks, party.gate(), Dialect::Nginx).await;
    let request = "GET /auth HTTP/1.1\r\nHost: a\r\nX-Original-URI: /\u{e4}\r\nX-Original-Method: GET\r\n\
                   Connection: close\r\n\r\n";
    let answer = raw(address, request).await;
    assert!(answer.starts_with("HTTP/1.1 403"), "{answer}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn methods_are_judged_for_the_proxy_too() {
    let (tasks, party) = (Tasks::new(), Party::new());
    for dialect in [Dialect::Caddy, Dialect::Envoy] {
        let address = gateway(&tasks, party.gate(), dialect).await;
        let header = format!("Authorization: {}", party.bearer("orders:read"));
        for (method, expect) in [("GET", "200"), ("get", "400"), ("TRACE", "405")] {
            let answer = question(address, dialect, (method, "/orders/1"), &[&header]).await;
            assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{method}: {answer}");
        }
    }
    tasks.shutdown().await;
}
