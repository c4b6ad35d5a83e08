//! Which servers are trusted, and what they learn of us.

use axum::Router;
use axum::extract::Extension;
use axum::routing::get as on_get;
use bytes::Bytes;
use http::{Request, Version};
use m2m_io::reqwest::ReqwestHttpBuilder;
use m2m_io::{EgressRules, HttpClient, HttpError, Limits, Reach, ReqwestHttp, RootedHttp};
use m2m_proto::client_auth::mutual_tls::PeerCertificate;
use m2m_proto::uri::Origin;
use m2m_testkit::certificates::{Authority, Flaw, Identity};
use m2m_testkit::tls::{Clients, TlsServer};

use super::{direct, get};

/// Answers with the thumbprint of the client's certificate.
fn router() -> Router {
    let whoami = async |peer: Option<Extension<PeerCertificate>>| {
        peer.map_or_else(|| "nobody".to_owned(), |Extension(peer)| peer.thumbprint().to_text())
    };
    Router::new().route("/", on_get(whoami))
}

async fn server(authority: &Authority, names: &[&str], clients: Clients<'_>) -> TlsServer {
    TlsServer::start(&authority.server(names, Flaw::None), clients, router()).await
}

fn trusting(authority: &Authority) -> ReqwestHttpBuilder {
    direct().ca_pem(authority.pem().as_bytes()).unwrap()
}

fn showing(authority: &Authority, identity: &Identity) -> ReqwestHttp {
    let builder = trusting(authority).client_certificate(identity.chain_pem.as_bytes(), &identity.key_pem);
    builder.unwrap().build().unwrap()
}

async fn body(http: &dyn HttpClient, server: &TlsServer) -> Result<String, HttpError> {
    get(http, &server.url("/"))
        .await
        .map(|response| String::from_utf8(response.into_body().to_vec()).unwrap())
}

#[tokio::test]
async fn a_server_is_trusted_by_the_given_authority_only() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = server(&ours, &["localhost"], Clients::NotAsked).await;
    assert_eq!(body(&trusting(&ours).build().unwrap(), &server).await.unwrap(), "nobody");
    let error = body(&trusting(&other).build().unwrap(), &server).await.unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("UnknownIssuer"), "{error}");
    assert!(body(&direct().build().unwrap(), &server).await.unwrap_err().is_tls());
}

#[tokio::test]
async fn a_ca_file_may_hold_several() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.pem");
    std::fs::write(&path, format!("# comment\n{}\n{}", other.pem(), ours.pem())).unwrap();
    let http = direct().ca_file(&path).unwrap().build().unwrap();
    body(&http, &server(&ours, &["localhost"], Clients::NotAsked).await).await.unwrap();
    body(&http, &server(&other, &["localhost"], Clients::NotAsked).await).await.unwrap();
}

#[tokio::test]
async fn a_wrong_name_and_an_old_certificate_are_refused() {
    let ours = Authority::new("ours");
    let http = trusting(&ours).build().unwrap();
    let error = body(&http, &server(&ours, &["other.example"], Clients::NotAsked).await).await.unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("not valid for name"), "{error}");
    let old = ours.server(&["localhost"], Flaw::Expired);
    let error = body(&http, &TlsServer::start(&old, Clients::NotAsked, router()).await).await.unwrap_err();
    assert!(error.is_tls() && error.to_string().contains("expired"), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn a_client_certificate_is_shown_to_a_server_that_asks() {
    let ours = Authority::new("ours");
    let server = server(&ours, &["localhost"], Clients::IssuedBy(&ours)).await;
    let client = ours.client("app", &["app.example"]);
    let seen = body(&showing(&ours, &client), &server).await.unwrap();
    assert_eq!(seen, client.peer().thumbprint().to_text());
}

#[tokio::test]
async fn a_missing_or_foreign_client_certificate_is_a_tls_failure() {
    let (ours, other) = (Authority::new("ours"), Authority::new("other"));
    let server = server(&ours, &["localhost"], Clients::IssuedBy(&ours)).await;
    let error = body(&trusting(&ours).build().unwrap(), &server).await.unwrap_err();
    assert!(error.is_tls(), "{error:?}");
    let error = body(&showing(&ours, &other.client("app", &[])), &server).await.unwrap_err();
    assert!(error.is_tls(), "{error:?}");
}

#[tokio::test]
async fn a_self_signed_client_certificate_is_shown_too() {
    let ours = Authority::new("ours");
    let server = server(&ours, &["localhost"], Clients::Any).await;
    let client = Identity::self_signed("app");
    assert_eq!(body(&showing(&ours, &client), &server).await.unwrap(), client.peer().thumbprint().to_text());
}

#[tokio::test]
async fn a_key_of_another_certificate_is_refused_when_building() {
    let ours = Authority::new("ours");
    let (one, two) = (ours.client("one", &[]), ours.client("two", &[]));
    let mixed = trusting(&ours).client_certificate(one.chain_pem.as_bytes(), &two.key_pem).unwrap();
    let error = mixed.build().unwrap_err();
    assert!(error.is_tls(), "{error:?}");
}

#[tokio::test]
async fn http_2_is_spoken() {
    let ours = Authority::new("ours");
    let server = server(&ours, &["localhost"], Clients::NotAsked).await;
    let response = get(&trusting(&ours).build().unwrap(), &server.url("/")).await.unwrap();
    assert_eq!(response.version(), Version::HTTP_2);
}

#[tokio::test]
async fn a_discovered_url_keeps_roots_and_certificate() {
    let ours = Authority::new("ours");
    let server = server(&ours, &["localhost"], Clients::IssuedBy(&ours)).await;
    let client = ours.client("app", &[]);
    let reach = Reach::Discovered { origin: Origin::parse("https://as.example").unwrap() };
    let limits = Limits { reach, ..Limits::default() };
    let ask = async |rules: EgressRules| {
        let builder =
            trusting(&ours).client_certificate(client.chain_pem.as_bytes(), &client.key_pem).unwrap();
        let http = builder.egress(rules).build().unwrap();
        http.send(Request::get(server.url("/")).body(Bytes::new()).unwrap(), &limits).await
    };
    let loopback = EgressRules::new().allow("127.0.0.0/8").unwrap();
    let seen = ask(loopback).await.unwrap();
    assert_eq!(seen.body(), client.peer().thumbprint().to_text().as_bytes());
    // The system's own resolver says where `localhost` is.
    let error = ask(EgressRules::new()).await.unwrap_err();
    assert!(matches!(error, HttpError::EgressDenied { reason: "loopback", .. }), "{error:?}");
}

#[tokio::test]
async fn the_streaming_client_has_the_same_trust() {
    let ours = Authority::new("ours");
    let server = server(&ours, &["localhost"], Clients::NotAsked).await;
    let client = trusting(&ours).streaming_client().unwrap();
    assert_eq!(client.get(server.url("/")).send().await.unwrap().text().await.unwrap(), "nobody");
    direct().streaming_client().unwrap().get(server.url("/")).send().await.unwrap_err();
}

/// A cluster replaces its authority while we run.
#[tokio::test]
async fn a_ca_file_that_was_replaced_counts_from_the_next_request_on() {
    let (ours, next) = (Authority::new("ours"), Authority::new("next"));
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ca.crt");
    let http = RootedHttp::new(path.clone(), direct);
    let old = server(&ours, &["localhost"], Clients::NotAsked).await;
    let new = server(&next, &["localhost"], Clients::NotAsked).await;
    assert!(body(&http, &old).await.unwrap_err().is_tls(), "the file is not there yet");
    std::fs::write(&path, ours.pem()).unwrap();
    body(&http, &old).await.unwrap();
    assert!(body(&http, &new).await.unwrap_err().is_tls());
    std::fs::write(&path, next.pem()).unwrap();
    body(&http, &new).await.unwrap();
    assert!(body(&http, &old).await.unwrap_err().is_tls(), "no connection of before is used again");
}
