use axum::Router;
use axum::body::Body;
use axum::extract::Extension;
use axum::routing::get;
use http::HeaderMap;
use m2m_io::{Clock as _, SystemClock};
use m2m_proto::client_auth::mutual_tls::CertificateThumbprint;
use m2m_proto::jose::base64url;
use tower::ServiceExt as _;

use super::*;
use crate::certificate::{Authority, Wish};

const PROXY: &str = "10.0.0.5";

fn proxies(certificates: CertificateHeader) -> TrustedProxies {
    let networks = ["10.0.0.5", "10.1.0.0/16", "fd00::/8"].map(|text| text.parse().unwrap());
    TrustedProxies::new(networks.to_vec(), certificates)
}

/// Says what the router sees: the client, its certificate, and the proxy's headers.
async fn seen(
    address: Extension<ClientAddress>,
    certificate: Option<Extension<PeerCertificate>>,
    headers: HeaderMap,
) -> String {
    let certificate = certificate.map_or("none".to_owned(), |shown| shown.thumbprint().to_text());
    let left: Vec<_> = headers.keys().filter(|key| name::ALL.contains(&key.as_str())).collect();
    assert!(left.is_empty(), "{left:?}");
    format!("{} {certificate}", address.0.0)
}

struct Asked<'a> {
    peer: &'a str,
    headers: &'a [(&'a str, &'a str)],
    shown: Option<PeerCertificate>,
    certificates: CertificateHeader,
}

impl Asked<'_> {
    async fn send(self) -> (u16, String) {
        let mut request = http::Request::get("/").extension(ClientAddress(self.peer.parse().unwrap()));
        if let Some(certificate) = self.shown {
            request = request.extension(certificate);
        }
        for (name, value) in self.headers {
            request = request.header(*name, *value);
        }
        let mut request = request.body(Body::empty()).unwrap();
        let response = match proxies(self.certificates).settle(&mut request) {
            Some(response) => response,
            None => Router::new().route("/", get(seen)).oneshot(request).await.unwrap(),
        };
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

async fn client(peer: &str, headers: &[(&str, &str)]) -> String {
    let asked = Asked { peer, headers, shown: None, certificates: CertificateHeader::Ignored };
    let (status, body) = asked.send().await;
    match status {
        200 => body.strip_suffix(" none").unwrap().to_owned(),
        status => format!("{status} {body}"),
    }
}

async fn check(peer: &str, headers: &[(&str, &str)], expect: &str) {
    assert_eq!(client(peer, headers).await, expect, "{peer} {headers:?}");
}

async fn malformed(headers: &[(&str, &str)], expect: &str) {
    let answer = client(PROXY, headers).await;
    assert!(
        answer.starts_with("400 the proxy's Forwarded") && answer.contains(expect),
        "{headers:?} {answer}"
    );
}

// spec-test: 8705-RS2
#[tokio::test]
async fn strangers_are_not_listened_to() {
    check("203.0.113.9", &[("x-forwarded-for", "192.0.2.1")], "203.0.113.9").await;
    check("203.0.113.9", &[("forwarded", "for=192.0.2.1")], "203.0.113.9").await;
    check("10.0.0.6", &[("x-forwarded-for", "192.0.2.1")], "10.0.0.6").await;
    check("203.0.113.9", &[("forwarded", "for=\"garbage"), ("x-forwarded-for", "?")], "203.0.113.9").await;
}

#[tokio::test]
async fn a_trusted_proxy_says_who_calls() {
    check(PROXY, &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[("forwarded", "for=192.0.2.1;proto=https;by=10.0.0.5")], "192.0.2.1").await;
    check(
        PROXY,
        &[("forwarded", "proto=https; For = x, For=\"192.0.2.1:4711\"")],
        "400 the proxy's Forwarded or \
        X-Forwarded-For: not as RFC 7239 section 4 has it\n",
    )
    .await;
    check(PROXY, &[("forwarded", "proto=https;FOR=\"192.0.2.1:4711\"")], "192.0.2.1").await;
    check(PROXY, &[("x-forwarded-for", "192.0.2.1:4711")], "192.0.2.1").await;
    check("::ffff:10.0.0.5", &[("x-forwarded-for", "192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[], PROXY).await;
    check(PROXY, &[("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")], "192.0.2.1").await;
}

#[tokio::test]
async fn what_the_caller_wrote_to_the_left_does_not_count() {
    check(PROXY, &[("x-forwarded-for", "198.51.100.66, 192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[("x-forwarded-for", "garbage, \"';--, 192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[("x-forwarded-for", "10.0.0.5,10.0.0.5, 192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[("forwarded", "for=198.51.100.66, for=192.0.2.1")], "192.0.2.1").await;
    check(PROXY, &[("forwarded", "for=_spoofed, for=192.0.2.1")], "192.0.2.1").await;
    // A caller cannot open a quote that swallows what the proxy adds.
    malformed(&[("forwarded", "for=\"192.0.2.7, for=192.0.2.1")], "RFC 7239").await;
    malformed(&[("forwarded", "for=\"192.0.2.7, for=\"[2001:db8::1]\"")], "RFC 7239").await;
}

/// Every text of up to five of the letters that matter, in front of what the proxy adds.
#[test]
fn no_text_of_a_caller_hides_what_the_proxy_adds() {
    const LETTERS: [&str; 10] = ["for=", "\"", "\\", ",", ";", "=", "[", "192.0.2.7", " ", "a"];
    let proxies = proxies(CertificateHeader::Ignored);
    let peer = PROXY.parse().unwrap();
    let mut understood = 0;
    for number in 0..10_usize.pow(5) {
        let digits = std::iter::successors(Some(number), |rest| Some(rest / 10).filter(|rest| *rest > 0));
        let written: String = digits.map(|rest| LETTERS[rest % 10]).collect();
        for (name, added, expect) in [
            ("forwarded", "for=192.0.2.1;host=\"login.example\"", "192.0.2.1"),
            ("forwarded", "for=\"[2001:db8::1]\";proto=https", "2001:db8::1"),
            ("x-forwarded-for", "192.0.2.1", "192.0.2.1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(name, format!("{written}, {added}").parse().unwrap());
            if let Ok(client) = proxies.client(peer, &headers) {
                understood += 1;
                assert_eq!(client.to_string(), expect, "{name}: {written}");
            }
        }
    }
    assert!(understood > 10_usize.pow(5), "X-Forwarded-For is always understood: {understood}");
}

#[tokio::test]
async fn proxies_in_a_row() {
    check(PROXY, &[("x-forwarded-for", "192.0.2.1, 10.1.2.3")], "192.0.2.1").await;
    check(PROXY, &[("forwarded", "for=192.0.2.1, for=10.1.2.3, for=\"[fd00::1]\"")], "192.0.2.1").await;
    // Only proxies on the way: a proxy itself calls.
    check(PROXY, &[("x-forwarded-for", "10.1.9.9, 10.1.2.3")], "10.1.9.9").await;
    let many = vec!["10.1.2.3"; 40].join(", ");
    malformed(&[("x-forwarded-for", &format!("192.0.2.1, {many}"))], "more than 32").await;
}

#[tokio::test]
async fn several_lines_are_one_list() {
    check(PROXY, &[("x-forwarded-for", "198.51.100.66"), ("x-forwarded-for", "192.0.2.1")], "192.0.2.1")
        .await;
    check(PROXY, &[("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "10.1.2.3")], "192.0.2.1").await;
    check(PROXY, &[("forwarded", "for=198.51.100.66"), ("forwarded", "for=192.0.2.1")], "192.0.2.1").await;
    malformed(&[("forwarded", "for=\"198.51.100.66"), ("forwarded", "for=192.0.2.1")], "RFC 7239").await;
}

#[tokio::test]
async fn ipv6() {
    check(PROXY, &[("x-forwarded-for", "2001:db8::1")], "2001:db8::1").await;
    check(PROXY, &[("x-forwarded-for", "[2001:db8::1]")], "2001:db8::1").await;
    check(PROXY, &[("x-forwarded-for", "[2001:db8::1]:4711")], "2001:db8::1").await;
    check(PROXY, &[("forwarded", "for=\"[2001:db8::1]:4711\"")], "2001:db8::1").await;
    check("fd00::5", &[("forwarded", "for=\"[2001:db8::1]\"")], "2001:db8::1").await;
    check(PROXY, &[("x-forwarded-for", "::ffff:192.0.2.1")], "192.0.2.1").await;
    malformed(&[("forwarded", "for=[2001:db8::1]")], "RFC 7239").await;
}

#[tokio::test]
async fn a_hidden_address_is_the_proxys() {
    check(PROXY, &[("forwarded", "for=unknown")], PROXY).await;
    check(PROXY, &[("forwarded", "for=198.51.100.66, for=_hidden, for=10.1.2.3")], "10.1.2.3").await;
    check(PROXY, &[("forwarded", "for=198.51.100.66, proto=https")], PROXY).await;
}

#[tokio::test]
async fn what_a_proxy_wrote_wrong_is_answered_with_400() {
    for header in ["192.0.2.1, garbage", "", "192.0.2.1,", "192.0.2.300", "host.example"] {
        malformed(&[("x-forwarded-for", header)], "no IP address").await;
    }
    for header in ["for", "for=", "=x", "for=a b", "for=1.2.3.4;for=5.6.7.8", "for=1.2.3.4 x", "for=\"a\\"] {
        malformed(&[("forwarded", header)], "RFC 7239").await;
    }
    malformed(&[("forwarded", "for=host.example")], "no IP address").await;
    // A proxy that writes one of the two lets a stranger write the other.
    malformed(&[("forwarded", "for=198.51.100.66"), ("x-forwarded-for", "192.0.2.1")], "disagree").await;
}

fn issued() -> (Vec<u8>, Vec<u8>) {
    let wish = |name: &str| Wish {
        subject: name.to_owned(),
        names: Vec::new(),
        not_before: SystemClock.wall(),
        valid_for: std::time::Duration::from_secs(60),
    };
    let authority = Authority::generate(&wish("authority")).unwrap();
    (authority.issue(&wish("client")).unwrap().certificate_der, authority.certificate_der().to_vec())
}

fn sequence(der: &[u8]) -> String {
    let text = base64url::encode(der).replace('-', "+").replace('_', "/");
    format!(":{text}{}:", "=".repeat((4 - text.len() % 4) % 4))
}

// spec-test: 8705-RS2
#[tokio::test]
async fn a_certificate_comes_from_a_trusted_proxy_alone() {
    let (client, authority) = issued();
    let (own, chain) = (sequence(&client), sequence(&authority));
    let thumbprint = CertificateThumbprint::of(&client).to_text();
    let check = async |peer, certificates, headers: &[(&str, &str)], expect: &str| {
        let asked = Asked { peer, headers, shown: None, certificates };
        assert_eq!(asked.send().await, (200, format!("{peer} {expect}")), "{headers:?}");
    };
    let read = CertificateHeader::Read;
    check(PROXY, read, &[("client-cert", &own)], &thumbprint).await;
    check(PROXY, read, &[("client-cert", own.replace('=', "").as_str())], &thumbprint).await;
    let chains = format!("{chain}, {chain}");
    check(PROXY, read, &[("client-cert", &own), ("client-cert-chain", &chains)], &thumbprint).await;
    check(PROXY, read, &[], "none").await;
    check(PROXY, CertificateHeader::Ignored, &[("client-cert", &own)], "none").await;
    check("203.0.113.9", read, &[("client-cert", &own), ("client-cert-chain", &chain)], "none").await;
    check("203.0.113.9", read, &[("client-cert", "garbage")], "none").await;
}

#[tokio::test]
async fn a_malformed_certificate_is_not_taken_for_none() {
    let (client, authority) = issued();
    let (own, chain) = (sequence(&client), sequence(&authority));
    let check = async |headers: &[(&str, &str)], expect: &str| {
        let asked = Asked { peer: PROXY, headers, shown: None, certificates: CertificateHeader::Read };
        let (status, body) = asked.send().await;
        assert_eq!(status, 400, "{headers:?}");
        assert!(body.starts_with("the proxy's Client-Cert") && body.contains(expect), "{headers:?} {body}");
    };
    check(&[("client-cert", "")], "between colons").await;
    check(&[("client-cert", "-----BEGIN CERTIFICATE-----")], "between colons").await;
    check(&[("client-cert", own.trim_matches(':'))], "between colons").await;
    check(&[("client-cert", &format!("{own};a=1"))], "between colons").await;
    check(&[("client-cert", "::")], "no X.509").await;
    check(&[("client-cert", ":aGVsbG8=:")], "no X.509").await;
    check(&[("client-cert", ":aGVsbG8==:")], "not base64").await;
    check(&[("client-cert", ":a-_8:")], "not base64").await;
    check(&[("client-cert", &format!(":{}:", "A".repeat(30_000)))], "16 KiB").await;
    check(&[("client-cert", &own), ("client-cert", &own)], "more than one").await;
    check(&[("client-cert", &format!("{own}, {own}"))], "not base64").await;
    check(&[("client-cert-chain", &chain)], "chain without").await;
    check(&[("client-cert", &own), ("client-cert-chain", "x")], "between colons").await;
    check(&[("client-cert", &own), ("client-cert-chain", &[chain.as_str(); 9].join(","))], "longer than 8")
        .await;
}

#[tokio::test]
async fn a_proxys_own_certificate_speaks_for_nobody() {
    let (client, _) = issued();
    let certificate = PeerCertificate::new(client.clone(), Vec::new()).unwrap();
    let thumbprint = CertificateThumbprint::of(&client).to_text();
    let send = async |peer, certificates| {
        let asked = Asked { peer, headers: &[], shown: Some(certificate.clone()), certificates };
        asked.send().await.1
    };
    assert_eq!(send(PROXY, CertificateHeader::Ignored).await, "10.0.0.5 none");
    assert_eq!(send(PROXY, CertificateHeader::Read).await, "10.0.0.5 none");
    assert_eq!(send("203.0.113.9", CertificateHeader::Read).await, format!("203.0.113.9 {thumbprint}"));
}
