use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use m2m_io::task::Tasks;
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::*;
use crate::proxy::fixture::{self, Party, ask, echo, gateway, raw, scripted, serve, settings};
use crate::proxy::inbound::Token;

mod tunnels;

/// Every spelling that some server takes for ours, or for a name that its programs believe.
const FORGED: [&str; 18] = [
    "X-M2M-Client-Id: forged",
    "x-m2m-client-id: forged",
    "X_M2M_Client_Id: forged",
    "X-M2M_Client-Id: forged",
    "X.M2M.Client.Id: forged",
    "X-M2M-Subject: forged",
    "X-M2M-Scope: forged",
    "X-Forwarded-User: forged",
    "X_Forwarded_User: forged",
    "X-FORWARDED-EMAIL: forged",
    "X-Auth-Request-User: forged",
    "Remote-User: forged",
    "REMOTE_USER: forged",
    "X-Remote-User: forged",
    "X-Client-Cert: forged",
    "X-Forwarded-Client-Cert: forged",
    "X-Acme-User: forged",
    "x_acme_user: forged",
];

fn with<'a>(lines: &[&'a str], also: &[&'a str]) -> Vec<&'a str> {
    [lines, also].concat()
}

#[tokio::test]
async fn a_request_goes_on_with_who_it_is_and_without_its_token() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let authorization = format!("Authorization: {}", party.bearer("orders:read orders:write"));
    let answer = ask(address, "GET /orders/1?page=2", &with(&FORGED, &[&authorization])).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for line in [
        "GET /orders/1?page=2\n",
        "x-m2m-client-id: svc-orders\n",
        "x-m2m-subject: svc-orders\n",
        "x-m2m-scope: orders:read orders:write\n",
        "x-m2m-issuer: https://as.example\n",
        "host: api.example\n",
        "x-forwarded-for: 127.0.0.1\n",
        "x-forwarded-host: api.example\n",
        "x-forwarded-proto: http\n",
        "forwarded: for=127.0.0.1;host=\"api.example\";proto=http\n",
        "via: 1.1 m2m\n",
    ] {
        assert!(answer.contains(line), "{line} in {answer}");
    }
    assert!(!answer.contains("forged") && !answer.contains("authorization"), "{answer}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_public_path_is_cleaned_too() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let answer = ask(address, "GET /healthz", &with(&FORGED, &["Authorization: Bearer x"])).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(
        !answer.contains("forged") && !answer.contains("x-m2m-") && !answer.contains("authorization"),
        "{answer}"
    );
    tasks.shutdown().await;
}

#[tokio::test]
async fn nothing_is_forwarded_that_is_not_admitted() {
    let (tasks, party, asked) = (Tasks::new(), Party::new(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&asked);
    let program = Router::new().fallback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        async { "reached" }
    });
    let program = serve(&tasks, program).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let (good, poor) = (party.bearer("orders:read"), party.bearer("orders:other"));
    let check = async |line: &str, authorization: &str, expect: &str| {
        let header = format!("Authorization: {authorization}");
        let headers = if authorization.is_empty() { vec![] } else { vec![header.as_str()] };
        let answer = ask(address, line, &with(&FORGED, &headers)).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{line}: {answer}");
        assert!(!answer.contains("reached") && !answer.contains("forged"), "{answer}");
        answer
    };
    let answer = check("GET /orders/1", "", "401").await;
    assert!(answer.contains("www-authenticate: Bearer\r\n"), "{answer}");
    check("GET /orders/1", "Bearer nonsense", "401").await;
    check("GET /orders/1", "Basic eDp5", "401").await;
    let answer = check("GET /orders/1", &poor, "403").await;
    assert!(answer.contains("scope=\"orders:read\""), "{answer}");
    check("DELETE /orders/1", &good, "403").await;
    check("GET /", &good, "403").await;
    check("GET /orders/../admin", &good, "400").await;
    check("GET /orders//1", &good, "400").await;
    check("GET /orders/%2e%2e/admin", &good, "400").await;
    check("GET /healthz/..%2forders", "", "400").await;
    check("GET /HEALTHZ", "", "400").await;
    check("TRACE /orders/1", &good, "405").await;
    let twice = [format!("Authorization: {good}"), format!("Authorization: {good}")];
    let answer = ask(address, "GET /orders/1", &[&twice[0], &twice[1]]).await;
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    let answer = ask(address, &format!("GET /orders/1?access_token={}", &good[7..]), &[]).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    tasks.shutdown().await;
}

#[tokio::test]
async fn an_issuer_that_is_down_is_503_and_never_a_pass() {
    let tasks = Tasks::new();
    let program = serve(&tasks, echo()).await;
    let issuer = m2m_proto::uri::Issuer::parse("http://127.0.0.1:1").unwrap();
    let verifier = m2m_resource_server::Verifier::builder().trust(issuer, fixture::AUDIENCE).build().unwrap();
    let gate = fixture::gate(verifier, Token::Removed);
    let address = gateway(&tasks, gate, &format!("http://{program}"), settings()).await;
    let token = Party::new().token("orders:read", &serde_json::json!({"iss": "http://127.0.0.1:1"}));
    let header = format!("Authorization: Bearer {token}");
    let answer = ask(address, "GET /orders/1", &with(&FORGED, &[&header])).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert!(answer.contains("retry-after: ") && !answer.contains("forged"), "{answer}");
    assert!(ask(address, "GET /healthz", &[]).await.starts_with("HTTP/1.1 200"));
    tasks.shutdown().await;
}

#[tokio::test]
async fn the_token_is_passed_where_that_is_said() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let gate = fixture::gate(party.verifier(), Token::Passed);
    let address = gateway(&tasks, gate, &format!("http://{program}"), settings()).await;
    let bearer = party.bearer("orders:read");
    let answer = ask(address, "GET /orders/1", &[&format!("Authorization: {bearer}")]).await;
    assert!(answer.contains(&format!("authorization: {bearer}\n")), "{answer}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn what_connection_names_goes_no_further_and_is_none_of_ours() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let (program, heard) = scripted(
        &tasks,
        "HTTP/1.1 204 No Content\r\nConnection: close, X-Inner\r\nX-Inner: 1\r\nX-Outer: 2\r\n\r\n",
    )
    .await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let head = format!(
        "GET /orders/1 HTTP/1.1\r\nHost: a.example\r\nAuthorization: {}\r\nX-Hop: 1\r\nTE: gzip, trailers\r\n\
         Connection: close, X-Hop, X-M2M-Client-Id, Authorization, Host, TE\r\nKeep-Alive: 5\r\n\
         Proxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
        party.bearer("orders:read")
    );
    let answer = raw(address, &head).await;
    assert!(answer.starts_with("HTTP/1.1 204") && answer.contains("x-outer: 2"), "{answer}");
    assert!(!answer.contains("x-inner"), "{answer}");
    let heard = heard.lock().unwrap().to_lowercase();
    for line in
        ["x-m2m-client-id: svc-orders\r\n", "host: a.example\r\n", "te: trailers\r\n", "connection: te\r\n"]
    {
        assert!(heard.contains(line), "{line} in {heard}");
    }
    for name in ["x-hop", "keep-alive", "proxy-authorization", "upgrade", "http2-settings", "authorization"] {
        assert!(!heard.contains(&format!("\r\n{name}:")), "{name} in {heard}");
    }
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_body_has_one_length() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let (program, heard) = scripted(&tasks, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let bearer = party.bearer("orders:read");
    let check = async |headers: &str, body: &str| {
        let head = format!("POST /orders/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\n{headers}\r\n");
        let answer = raw(address, &format!("{head}{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{headers}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "what follows was read as a request: {answer}");
    };
    let smuggled = "0\r\n\r\nGET /admin HTTP/1.1\r\nHost: a\r\n\r\n";
    check("Content-Length: 4\r\nContent-Length: 5\r\n", "abcd").await;
    check("Content-Length: +4\r\n", "abcd").await;
    check("Transfer-Encoding: chunked, identity\r\n", smuggled).await;
    check("Transfer-Encoding: xchunked\r\n", smuggled).await;
    check("Transfer-Encoding : chunked\r\n", smuggled).await;
    check("X-A: b\r\n Transfer-Encoding: chunked\r\n", smuggled).await;
    check("Host: b\r\nConnection: close\r\n", "").await;
    assert_eq!(*heard.lock().unwrap(), "");
    tasks.shutdown().await;
}

#[tokio::test]
async fn of_two_lengths_chunked_counts_and_nothing_follows() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let (program, heard) =
        scripted(&tasks, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n").await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let bearer = party.bearer("orders:read");
    for framing in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let head =
            format!("POST /orders/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\n{framing}\r\n\r\n");
        let answer = raw(address, &format!("{head}0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n")).await;
        // RFC 9112 §6.1: the connection ends after the answer.
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
        let heard = std::mem::take(&mut *heard.lock().unwrap()).to_lowercase();
        assert!(!heard.contains("healthz") && !heard.contains("content-length"), "{heard}");
        assert_eq!(heard.matches("transfer-encoding: chunked").count(), 1, "{heard}");
    }
    tasks.shutdown().await;
}

#[test]
fn two_lengths_are_refused_where_they_arrive() {
    let check = |lines: &[(&str, &str)], expect: bool| {
        let mut request = Request::post("/a");
        for (name, value) in lines {
            request = request.header(*name, *value);
        }
        assert_eq!(check(&request.body(()).unwrap().into_parts().0).is_ok(), expect, "{lines:?}");
    };
    check(&[("content-length", "1")], true);
    check(&[("transfer-encoding", "chunked")], true);
    check(&[("content-length", "1"), ("content-length", "1")], false);
    check(&[("content-length", "1"), ("transfer-encoding", "chunked")], false);
}

#[tokio::test]
async fn bodies_stream_both_ways() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program =
        serve(&tasks, Router::new().fallback(|request: Request<Body>| async move { request.into_body() }))
            .await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let bearer = party.bearer("orders:read");
    let head = format!(
        "POST /orders/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {bearer}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut seen = String::new();
    // Each part comes back before the next one is sent: nothing waits for the end.
    for part in ["first", "second", "third"] {
        stream.write_all(format!("{:x}\r\n{part}\r\n", part.len()).as_bytes()).await.unwrap();
        while !seen.contains(part) {
            let mut buffer = [0; 1024];
            let read = stream.read(&mut buffer).await.unwrap();
            assert_ne!(read, 0, "{seen}");
            seen.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
        }
    }
    stream.write_all(b"0\r\n\r\n").await.unwrap();
    drop(stream);
    tasks.shutdown().await;
}

#[tokio::test]
async fn trailers_pass_both_ways_and_carry_no_identity() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = Router::new().fallback(|request: Request<Body>| async move {
        let sent = request.into_body().collect().await.unwrap();
        let mut trailers = http::HeaderMap::new();
        let seen = sent.trailers().map(|sent| format!("{sent:?}")).unwrap_or_default();
        trailers.insert("grpc-status", HeaderValue::from_static("0"));
        Body::new(http_body_util::Full::new(Bytes::from(seen)).with_trailers(async { Some(Ok(trailers)) }))
    });
    let program = serve(&tasks, program).await;
    let address = gateway(&tasks, party.gate(), &format!("h2c://{program}"), settings()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut trailers = http::HeaderMap::new();
    for name in ["x-m2m-client-id", "x_m2m_client_id", "x-acme-user", "authorization", "x-kept"] {
        trailers.insert(name, HeaderValue::from_static("forged"));
    }
    let sent = http_body_util::Full::new(Bytes::from_static(b"a"));
    let body = Body::new(sent.with_trailers(async { Some(Ok(trailers)) }));
    let request = Request::post(format!("http://{address}/orders/1")).version(http::Version::HTTP_2);
    let request = request
        .header("authorization", party.bearer("orders:read"))
        .header("te", "trailers")
        .body(body)
        .unwrap();
    let answer = client.request(request).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, http::Version::HTTP_2));
    let answer = answer.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    assert_eq!(answer.to_bytes(), "{\"x-kept\": \"forged\"}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_program_that_is_gone_or_silent_has_an_answer() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let header = format!("Authorization: {}", party.bearer("orders:read"));
    let address = gateway(&tasks, party.gate(), "http://127.0.0.1:1", settings()).await;
    let answer = ask(address, "GET /orders/1", &with(&FORGED, &[&header])).await;
    assert!(answer.starts_with("HTTP/1.1 502") && !answer.contains("forged"), "{answer}");
    assert!(answer.contains("proxy-status: m2m; error=connection_refused"), "{answer}");

    // A program that says nothing, and one that breaks off: each was asked, and by whom it was is clean.
    let clean = |heard: &std::sync::Mutex<String>| {
        let heard = heard.lock().unwrap().to_lowercase();
        assert!(heard.contains("x-m2m-client-id: svc-orders"), "{heard}");
        assert!(!heard.contains("forged") && !heard.contains("authorization"), "{heard}");
    };
    let (program, heard) = scripted(&tasks, "").await;
    let soon = crate::proxy::upstream::Settings { answer: Duration::from_millis(50), ..settings() };
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), soon).await;
    let answer = ask(address, "GET /orders/1", &with(&FORGED, &[&header])).await;
    assert!(answer.starts_with("HTTP/1.1 504") && !answer.contains("forged"), "{answer}");
    clean(&heard);

    let (program, heard) = scripted(&tasks, "no HTTP at all\r\n\r\n").await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let answer = ask(address, "GET /orders/1", &with(&FORGED, &[&header])).await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    clean(&heard);
    tasks.shutdown().await;
}

#[tokio::test]
async fn claims_cannot_write_headers() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let ask_as = async |sub: &str| {
        let token = party.token("orders:read", &serde_json::json!({ "sub": sub }));
        ask(address, "GET /orders/1", &[&format!("Authorization: Bearer {token}")]).await
    };
    let answer = ask_as("a\r\nX-M2M-Scope: admin").await;
    assert!(answer.contains("x-m2m-subject: a%0D%0AX-M2M-Scope:%20admin\n"), "{answer}");
    assert!(answer.contains("x-m2m-scope: orders:read\n"), "{answer}");
    assert!(ask_as(&"a".repeat(1025)).await.starts_with("HTTP/1.1 403"));
    tasks.shutdown().await;
}

#[tokio::test]
async fn http2_without_tls_is_taken_and_its_cookies_are_whole() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let request = Request::get(format!("http://{address}/orders/1")).version(http::Version::HTTP_2);
    let request = request.header("cookie", "a=1").header("cookie", "b=2").header("x_m2m_scope", "forged");
    let request = request.header("authorization", party.bearer("orders:read"));
    let answer = client.request(request.body(http_body_util::Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!((answer.status(), answer.version()), (StatusCode::OK, http::Version::HTTP_2));
    let text = answer.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(text.to_vec()).unwrap();
    assert!(text.contains("cookie: a=1; b=2\n") && text.contains("via: 2 m2m\n"), "{text}");
    assert!(text.contains(&format!("x-forwarded-host: {address}\n")) && !text.contains("forged"), "{text}");
    tasks.shutdown().await;
}

/// One request, from a peer that shows this certificate.
async fn with_certificate(router: &Router, authorization: &str, certificate: Option<&Vec<u8>>) -> u16 {
    let mut request = Request::get("/orders/1").header("host", "a").header("authorization", authorization);
    if let Some(der) = certificate {
        request = request.extension(PeerCertificate::new(der.clone(), Vec::new()).unwrap());
    }
    let request = request.body(Body::empty()).unwrap();
    tower::ServiceExt::oneshot(router.clone(), request).await.unwrap().status().as_u16()
}

async fn router(tasks: &Tasks, verifier: m2m_resource_server::Verifier) -> Router {
    let program = serve(tasks, echo()).await;
    let target = crate::proxy::upstream::Target::parse(&format!("http://{program}"), None).unwrap();
    let clock: Arc<dyn Clock> = Arc::new(m2m_io::SystemClock);
    let upstream = Upstream::new(target, settings(), Arc::clone(&clock));
    Reverse::new(fixture::gate(verifier, Token::Removed), upstream, Scheme::Https, clock).router()
}

#[tokio::test]
async fn a_stolen_token_that_is_bound_to_a_certificate_is_worth_nothing() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let router = router(&tasks, party.verifier()).await;
    let own = || {
        let wish = crate::certificate::Wish {
            subject: "client".to_owned(),
            names: Vec::new(),
            not_before: m2m_io::SystemClock.wall(),
            valid_for: Duration::from_secs(60),
        };
        let key = m2m_proto::jose::SigningKey::generate(m2m_proto::jose::Algorithm::Es256).unwrap();
        crate::certificate::self_signed(&wish, &key).unwrap().certificate_der
    };
    let (owner, thief) = (own(), own());
    let thumbprint = m2m_proto::client_auth::mutual_tls::CertificateThumbprint::of(&owner).to_text();
    let bound = serde_json::json!({"cnf": {"x5t#S256": thumbprint}});
    let bearer = format!("Bearer {}", party.token("orders:read", &bound));
    assert_eq!(with_certificate(&router, &bearer, Some(&owner)).await, 200);
    assert_eq!(with_certificate(&router, &bearer, Some(&thief)).await, 401);
    assert_eq!(with_certificate(&router, &bearer, None).await, 401);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_stolen_token_that_is_bound_to_a_key_is_worth_nothing_nor_is_a_used_proof() {
    use m2m_proto::jose::{Algorithm, SigningKey};
    let (tasks, party) = (Tasks::new(), Party::new());
    let origin = m2m_proto::uri::Origin::parse("https://api.example").unwrap();
    let set =
        |builder: m2m_resource_server::VerifierBuilder| builder.dpop(m2m_resource_server::Dpop::new(origin));
    let router = router(&tasks, party.verifier_with(set)).await;
    let (owner, thief) =
        (SigningKey::generate(Algorithm::Es256).unwrap(), SigningKey::generate(Algorithm::Es256).unwrap());
    let thumbprint = owner.verifying_key().thumbprint().to_string();
    let token = party.token("orders:read", &serde_json::json!({"cnf": {"jkt": thumbprint}}));
    let parsed = m2m_proto::token::AccessToken::parse(&token).unwrap();
    let proof = |key: &SigningKey, path: &str, jti: &str| {
        let proof = m2m_proto::dpop::DpopProof {
            method: &http::Method::GET,
            uri: &format!("https://api.example{path}").parse().unwrap(),
            now: m2m_io::SystemClock.wall(),
            jti,
            nonce: None,
            access_token: Some(&parsed),
        };
        proof.build(key).unwrap()
    };
    let ask = async |scheme: &str, proof: Option<&HeaderValue>| {
        let mut request = Request::get("/orders/1")
            .header("host", "a")
            .header("authorization", format!("{scheme} {token}"));
        if let Some(proof) = proof {
            request = request.header("dpop", proof.clone());
        }
        let request = request.body(Body::empty()).unwrap();
        let answer = tower::ServiceExt::oneshot(router.clone(), request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        assert!(!String::from_utf8_lossy(&body).contains("dpop"), "the proof went on");
        status
    };
    let good = proof(&owner, "/orders/1", "p1");
    assert_eq!(ask("DPoP", Some(&good)).await, 200);
    assert_eq!(ask("DPoP", Some(&good)).await, 401, "a proof is used once");
    assert_eq!(ask("Bearer", None).await, 401);
    assert_eq!(ask("DPoP", None).await, 401);
    assert_eq!(ask("DPoP", Some(&proof(&thief, "/orders/1", "p2"))).await, 401);
    assert_eq!(ask("DPoP", Some(&proof(&owner, "/orders/2", "p3"))).await, 401);
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_program_behind_tls_is_who_its_authority_says() {
    use crate::certificate::{Authority, Wish};
    use crate::listen::{Certificates, Listener, server_config};
    use rustls::pki_types::pem::PemObject as _;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let (tasks, party, directory) = (Tasks::new(), Party::new(), tempfile::tempdir().unwrap());
    let wish = Wish {
        subject: "program".to_owned(),
        names: vec!["127.0.0.1".to_owned()],
        not_before: m2m_io::SystemClock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    };
    let (own, other) = (Authority::generate(&wish).unwrap(), Authority::generate(&wish).unwrap());
    let leaf = own.issue(&wish).unwrap();
    let config = server_config(Certificates {
        chain: vec![CertificateDer::from(leaf.certificate_der.clone())],
        key: PrivateKeyDer::from_pem_slice(leaf.key_pem.expose().as_bytes()).unwrap(),
    });
    let socket = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, 0));
    let listener = Listener::bind(socket, Arc::new(m2m_io::SystemClock)).await.unwrap().tls(config.unwrap());
    let program = listener.address();
    tasks.spawn("program", listener.serve(echo(), tasks.stopping()));
    let check = async |authority: &Authority, expect: &str| {
        let roots = directory.path().join("roots.pem");
        std::fs::write(&roots, authority.certificate_pem()).unwrap();
        let target =
            crate::proxy::upstream::Target::parse(&format!("https://{program}"), Some(&roots)).unwrap();
        let upstream = Upstream::new(target, settings(), Arc::new(m2m_io::SystemClock));
        let reverse = Reverse::new(party.gate(), upstream, Scheme::Http, Arc::new(m2m_io::SystemClock));
        let address = serve(&tasks, reverse.router()).await;
        let answer = ask(address, "GET /healthz", &[]).await;
        assert!(answer.starts_with(expect), "{answer}");
    };
    check(&own, "HTTP/1.1 200").await;
    check(&other, "HTTP/1.1 502").await;
    tasks.shutdown().await;
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_may_listen_on_a_local_socket() {
    let (tasks, party, directory) = (Tasks::new(), Party::new(), tempfile::tempdir().unwrap());
    let path = directory.path().join("program.sock");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    tasks.spawn("program", async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let _request = stream.read(&mut [0; 4096]).await.unwrap();
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere").await.unwrap();
    });
    let address = gateway(&tasks, party.gate(), &format!("unix:{}", path.display()), settings()).await;
    assert!(ask(address, "GET /healthz", &[]).await.ends_with("here"));
    tasks.shutdown().await;
}

/// A gate with one rule for all methods and a stricter one for `GET`, as somebody may write it.
fn by_method(party: &Party, token: Token) -> crate::proxy::inbound::Gate {
    use crate::proxy::{identity::Believed, inbound::Gate, rules};
    let lines = ["* /** orders:read", "GET,DELETE /admin/** orders:admin"];
    let protected = lines.iter().map(|line| rules::Rule::parse(line).unwrap());
    let all = protected.chain([rules::Rule::public("* /public").unwrap()]).collect();
    let scope = m2m_proto::scope::Scope::empty();
    let rules = rules::Rules::new(all, &scope, rules::Otherwise::Refuse).unwrap();
    Gate::new(party.verifier(), rules, Believed::default(), token)
}

#[tokio::test]
async fn a_method_in_lower_case_is_no_way_around_a_rule() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let gate = by_method(&party, Token::Removed);
    let address = gateway(&tasks, gate, &format!("http://{program}"), settings()).await;
    let authorization = format!("Authorization: {}", party.bearer("orders:read"));
    let check = async |line: &str, expect: &str| {
        let answer = ask(address, line, &[&authorization]).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {expect}")), "{line}: {answer}");
        answer
    };
    check("GET /orders", "200").await;
    check("PURGE /orders", "200").await;
    check("GET /admin/1", "403").await;
    check("get /admin/1", "400").await;
    check("Delete /admin/1", "400").await;
    check("delete /public", "400").await;
    let answer = check("TRACE /orders", "405").await;
    assert!(answer.contains("allow: GET, HEAD"), "{answer}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_token_that_nobody_checked_is_not_passed_as_if_it_were() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let gate = by_method(&party, Token::Passed);
    let address = gateway(&tasks, gate, &format!("http://{program}"), settings()).await;
    for line in [
        "Authorization: Bearer forged",
        "Authorization: DPoP forged",
        "DPoP: forged",
        "Authorization: forged",
    ] {
        let answer = ask(address, "GET /public", &[line]).await;
        assert!(answer.starts_with("HTTP/1.1 200") && !answer.contains("forged"), "{line}: {answer}");
    }
    let answer = ask(address, "GET /public", &["Authorization: Basic YTpi"]).await;
    assert!(answer.contains("authorization: Basic YTpi"), "{answer}");
    tasks.shutdown().await;
}

#[tokio::test]
async fn a_body_that_is_coded_twice_goes_no_further() {
    let (tasks, party) = (Tasks::new(), Party::new());
    let program = serve(&tasks, echo()).await;
    let address = gateway(&tasks, party.gate(), &format!("http://{program}"), settings()).await;
    let authorization = party.bearer("orders:read");
    for coding in ["gzip, chunked", "chunked, chunked"] {
        let request = format!(
            "POST /orders/1 HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n\
             Transfer-Encoding: {coding}\r\n\r\n1\r\na\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n"
        );
        let answer = raw(address, &request).await;
        let is_refused = answer.starts_with("HTTP/1.1 501") || answer.starts_with("HTTP/1.1 400");
        assert!(is_refused && !answer.contains("HTTP/1.1 200"), "{coding}: {answer}");
    }
    tasks.shutdown().await;
}
