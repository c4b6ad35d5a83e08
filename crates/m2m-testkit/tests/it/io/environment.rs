//! Proxies and root certificates from the environment. A process cannot change its own environment soundly while
//! threads run, so each test starts this binary again with the environment it needs.

use std::process::Command;

use m2m_io::task;
use m2m_testkit::hostile::{Answer, HostileServer};

use super::get;

/// Runs `inside` in a process with these variables and no others that matter here. Its answer is one line.
async fn inside(variables: &[(&str, &str)], url: &str) -> String {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", "io::environment::inside_the_child", "--ignored", "--nocapture"]);
    for name in [
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "REQUEST_METHOD",
    ] {
        child.env_remove(name).env_remove(name.to_ascii_lowercase());
    }
    child.envs(variables.iter().copied()).env("M2M_TEST_URL", url);
    let output = task::blocking("child", move || child.output()).await.unwrap().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answer = text.split_once("<<").and_then(|(_, rest)| rest.split_once(">>"));
    answer.unwrap_or_else(|| panic!("no answer in {text}")).0.to_owned()
}

#[tokio::test]
#[ignore = "started by the other tests of this module"]
#[expect(clippy::disallowed_methods, reason = "how a test tells its child what to do")]
async fn inside_the_child() {
    let Ok(url) = std::env::var("M2M_TEST_URL") else { return };
    let http = m2m_io::ReqwestHttp::builder().build().unwrap();
    match get(&http, &url).await {
        Ok(response) => println!("<<{}>>", response.status().as_u16()),
        Err(error) => println!("<<{error}>>"),
    }
}

async fn proxy() -> HostileServer {
    HostileServer::start([Answer::json(418, "{}")]).await
}

#[tokio::test]
async fn a_proxy_is_taken_from_the_environment() {
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"] {
        let proxy = proxy().await;
        let answer = inside(&[(name, &proxy.url(""))], "http://as.example/token").await;
        assert_eq!(answer, "418", "{name}");
        assert_eq!(proxy.record().last().uri.to_string(), "http://as.example/token", "{name}");
    }
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let proxy = proxy().await;
    let answer = inside(&[("HTTPS_PROXY", &proxy.url(""))], "https://as.example/token").await;
    assert!(answer.starts_with("the proxy failed: "), "{answer}");
    let request = proxy.record().last();
    assert_eq!((request.method.as_str(), request.uri.to_string()), ("CONNECT", "as.example:443".to_owned()));
}

#[tokio::test]
async fn no_proxy_is_respected() {
    let proxy = proxy().await;
    let variables = [("HTTP_PROXY", proxy.url("")), ("NO_PROXY", "as.invalid".to_owned())];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let answer = inside(&variables, "http://as.invalid/token").await;
    assert!(answer.starts_with("cannot resolve"), "{answer}"); // asked for directly
    assert_eq!(inside(&variables, "http://other.invalid/token").await, "418");
    assert_eq!(proxy.record().count(), 1);
}

#[tokio::test]
async fn nothing_to_this_machine_goes_through_a_proxy() {
    let (proxy, server) = (proxy().await, HostileServer::start([Answer::json(200, "{}")]).await);
    for name in ["HTTP_PROXY", "ALL_PROXY"] {
        assert_eq!(inside(&[(name, &proxy.url(""))], &server.url("/")).await, "200", "{name}");
    }
    assert_eq!((proxy.record().count(), server.record().count()), (0, 2));
}

#[tokio::test]
async fn credentials_of_the_proxy_go_to_the_proxy_and_nowhere_else() {
    let proxy = proxy().await;
    let url = proxy.url("").replace("http://", "http://user:canary@");
    let answer = inside(&[("HTTP_PROXY", &url)], "http://as.example/token").await;
    assert_eq!(answer, "418");
    assert_eq!(proxy.record().last().header("proxy-authorization"), Some("Basic dXNlcjpjYW5hcnk="));
    let answer = inside(&[("HTTPS_PROXY", "http://user:canary@127.0.0.1:1")], "https://as.example/").await;
    assert!(answer.starts_with("the proxy failed: ") && !answer.contains("canary"), "{answer}");
}

#[tokio::test]
async fn a_system_without_roots_can_still_do_plain_http() {
    let server = HostileServer::start([Answer::json(200, "{}")]).await;
    let variables = [("SSL_CERT_FILE", "/nonexistent"), ("SSL_CERT_DIR", "/nonexistent")];
    assert_eq!(inside(&variables, &server.url("/")).await, "200");
    let answer = inside(&variables, "https://127.0.0.1:1/").await;
    assert!(answer.starts_with("TLS failed: ") && answer.contains("certificates"), "{answer}");
}
