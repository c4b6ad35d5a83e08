//! A real host name that never leaves the machine, and proxies in the way.

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::reqwest::ProxyFrom;
use m2m_io::{HttpClient as _, HttpError, Limits, ReqwestHttp};

use super::{FORM, SECRET, body};
use crate::lab::{Answer, Behaviour, Lab, ProxyManner, ServerCertificate, Tunnel};

const URL: &str = "https://login.microsoftonline.com/token";

async fn ask(tunnel: &Tunnel, proxy: String, url: &str) -> Result<Response<Bytes>, HttpError> {
    let http = ReqwestHttp::builder().proxy(ProxyFrom::Url(proxy));
    let http = http.ca_file(&tunnel.ca_file()).unwrap().build().unwrap();
    let form = Bytes::from(format!("grant_type=client_credentials&{SECRET}"));
    let request = Request::post(url).header("content-type", FORM).body(form).unwrap();
    http.send(request, &Limits::default()).await
}

async fn lab() -> Lab {
    let mut behaviour = Behaviour::with_secret("app", "s3cret");
    behaviour.success = behaviour.success.member("origin", "{origin}".into());
    Lab::start(behaviour).await
}

#[tokio::test]
async fn every_host_is_the_lab() {
    let lab = lab().await;
    let tunnel = Tunnel::start(&lab, ProxyManner::Tunnels).await;
    for host in ["login.microsoftonline.com", "acme.eu.auth0.com"] {
        let response = ask(&tunnel, tunnel.proxy_url(), &format!("https://{host}/token")).await.unwrap();
        assert_eq!(body(&response)["origin"], format!("https://{host}"));
        assert_eq!(lab.requests().pop().unwrap().header("host"), Some(host));
    }
    assert_eq!(tunnel.targets(), ["login.microsoftonline.com:443", "acme.eu.auth0.com:443"]);
}

#[tokio::test]
async fn the_certificate_behind_it_may_be_bad() {
    let lab = lab().await;
    let tunnel = Tunnel::start(&lab, ProxyManner::Tunnels).await;
    for (certificate, expect) in
        [(ServerCertificate::Expired, "expired"), (ServerCertificate::WrongName, "not valid for name")]
    {
        lab.change(|behaviour| behaviour.certificate = certificate);
        let error = ask(&tunnel, tunnel.proxy_url(), URL).await.unwrap_err();
        assert!(error.is_tls() && error.to_string().contains(expect), "{error:?}");
    }
    assert!(lab.requests().is_empty());
}

#[tokio::test]
async fn a_proxy_demands_its_own_credentials() {
    let lab = lab().await;
    let (user, password) = ("user".to_owned(), "canary".to_owned());
    let tunnel = Tunnel::start(&lab, ProxyManner::Demands { user, password }).await;
    assert!(ask(&tunnel, tunnel.proxy_url(), URL).await.is_err());
    assert!(ask(&tunnel, tunnel.proxy_url_as("user", "other"), URL).await.is_err());
    assert!(lab.requests().is_empty());
    assert_eq!(ask(&tunnel, tunnel.proxy_url_as("user", "canary"), URL).await.unwrap().status(), 200);
    assert_eq!(lab.requests()[0].header("proxy-authorization"), None);
}

#[tokio::test]
async fn a_proxy_stands_in_the_way() {
    let lab = lab().await;
    for manner in [
        ProxyManner::refuses_407(),
        ProxyManner::refuses_502(),
        ProxyManner::refuses_with_page(),
        ProxyManner::Refuses(Answer::html(302, "Sign in").header("location", "https://portal.example/")),
    ] {
        let tunnel = Tunnel::start(&lab, manner.clone()).await;
        let error = ask(&tunnel, tunnel.proxy_url(), URL).await.unwrap_err();
        assert!(error.to_string().starts_with("the proxy failed: "), "{manner:?}: {error}");
        assert_eq!(tunnel.targets(), ["login.microsoftonline.com:443"]);
    }
    assert!(lab.requests().is_empty());
    let tunnel = Tunnel::start(&lab, ProxyManner::Tunnels).await;
    let plain = ask(&tunnel, tunnel.proxy_url(), "http://as.example/token").await;
    assert_eq!(plain.unwrap().status(), 405, "only CONNECT");
}

#[test]
fn a_tunnel_has_its_own_thread_too() {
    let lab = Lab::in_thread(Behaviour::with_secret("app", "s3cret"));
    let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    assert_eq!(runtime.block_on(ask(&tunnel, tunnel.proxy_url(), URL)).unwrap().status(), 200);
}
