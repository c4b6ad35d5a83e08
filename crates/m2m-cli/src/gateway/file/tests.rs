use std::path::Path;

use m2m_resource_server::{Introspect, StatusCheck};

use super::*;
use crate::settings::file::Document;

fn parse(text: &str) -> Result<Stated, String> {
    Document::parse(Path::new("/p/m2m.toml"), text).map(|document| document.gateway.unwrap()).map_err(
        |failure| {
            let hint = failure.advice().map(|hint| format!(" | {hint}")).unwrap_or_default();
            format!("{}{hint}", failure.message())
        },
    )
}

#[test]
fn the_documented_table() {
    let stated = parse(
        r#"
[gateway]
listen = "0.0.0.0:8443"
upstream = "http://127.0.0.1:3000"
issuer = "https://login.example.com"
audience = "https://orders.example"
require_scope = ["api"]
rules = [
    "GET /orders/** orders:read",
    "POST,PUT /orders/** orders:write",
]
public = ["GET /healthz"]
otherwise = "token"
strip_headers = ["X-Acme-*"]
tls_cert = "tls.pem"
tls_key = "/run/tls.key"
upstream_timeout = "10s"
status_list = "required"
revocation_feed = "https://login.example.com/oauth2/revocations"
trust = [
    { issuer = "https://other.example", audience = "orders", jwks_uri = "https://other.example/keys", profile = "okta" },
    { issuer = "https://third.example", audience = "orders", introspect = "opaque", introspect_profile = "rs", opaque_prefix = "ory_at_" },
]
"#,
    )
    .unwrap();
    assert_eq!(stated.rules.len(), 2);
    assert_eq!(stated.public, [Rule::public("GET /healthz").unwrap()]);
    assert_eq!(stated.tls_cert.as_deref(), Some(Path::new("/p/tls.pem")));
    assert_eq!(stated.tls_key.as_deref(), Some(Path::new("/run/tls.key")));
    assert_eq!(stated.trust[0].audience, "orders");
    assert_eq!(stated.trust[0].checks.profile.as_ref().map(|profile| profile.name), Some("okta"));
    let asked = &stated.trust[1].checks;
    assert_eq!(
        (asked.introspect, asked.introspect_profile.as_deref()),
        (Some(Introspect::Opaque), Some("rs"))
    );
    assert_eq!(asked.opaque_prefix.as_deref(), Some("ory_at_"));
    assert_eq!((stated.checks.profile, stated.checks.status_list), (None, Some(StatusCheck::Required)));
    assert_eq!(
        stated.checks.revocation_feed.unwrap().as_str(),
        "https://login.example.com/oauth2/revocations"
    );
}

#[test]
fn a_mistake_names_file_line_key_and_what_is_expected() {
    let check = |text: &str, expect: &str| {
        let message = parse(&format!("[gateway]\n{text}")).unwrap_err();
        assert!(message.contains(expect), "{text}\n  gave {message}");
    };
    check("rule = []", "/p/m2m.toml:2: gateway.rule: unknown key | did you mean rules");
    check(
        "rules = [\n  \"GET /a read\",\n  \"GET a read\",\n]",
        "/p/m2m.toml:4: gateway.rules: \"a\": the path does not",
    );
    check(
        "rules = [\"/a read\"]",
        "/p/m2m.toml:2: gateway.rules: \"/a\" is no method; expected METHOD PATH SCOPE",
    );
    check("public = \"GET /a read\"", "gateway.public: expected METHOD PATH, such as GET /healthz");
    check("otherwise = \"allow\"", "gateway.otherwise: expected \"refuse\" or \"token\", found \"allow\"");
    check("forward_auth = \"haproxy\"", "gateway.forward_auth: expected \"nginx\", \"traefik\"");
    check("profile = \"auth1\"", "gateway.profile: expected one of rfc9068, auth0, entra-v1");
    check("status_list = \"ignore\"", "gateway.status_list: expected \"follow\" or \"required\"");
    check("pass_token = \"yes\"", "gateway.pass_token: expected true or false");
    check("listen = \"8443\"", "gateway.listen: expected an IP address and a port");
    check("trusted_proxies = [\"0.0.0.0/0\"]", "gateway.trusted_proxies: 0.0.0.0/0 is everybody");
    check("trust = [{ issuer = \"https://a.example\" }]", "gateway.trust: expected an array of tables");
    check(
        "trust = [{ isuer = \"https://a.example\" }]",
        "gateway.trust.isuer: unknown key | did you mean issuer",
    );
    check("require_scope = [\"a\", \"b c\"]\nissuer = \"x\"", "gateway.issuer: expected a URL");
    let message = Document::parse(Path::new("m2m.toml"), "gateway = 1").unwrap_err().message().to_owned();
    assert_eq!(message, "m2m.toml:1: gateway: expected a table: [gateway]");
}

#[test]
fn every_key_is_read() {
    for key in KEYS {
        // A value of a wrong shape for each: whoever reads the key says so, and nobody is asked in vain.
        let message = parse(&format!("[gateway]\n{} = 1.5", key.name)).unwrap_err();
        assert!(message.starts_with(&format!("/p/m2m.toml:2: gateway.{}: expected", key.name)), "{message}");
    }
}

/// The keys of one issuer must not speak for another one that is typed in its place.
#[test]
fn a_typed_issuer_takes_nothing_of_the_one_in_the_file() {
    let file = || {
        parse(
            "[gateway]\nissuer = \"https://a.example\"\naudience = \"a\"\njwks_uri = \"https://a.example/keys\"",
        )
        .unwrap()
    };
    let typed = |issuer: &str| {
        let typed = crate::args::Gateway { issuer: Some(issuer.to_owned()), ..Default::default() };
        Stated::typed_over(&typed, file()).unwrap()
    };
    let other = typed("https://b.example");
    assert_eq!((other.audience, other.checks), (None, stated::Checks::default()));
    let same = typed("https://a.example");
    assert_eq!(same.audience.as_deref(), Some("a"));
    assert!(same.checks.jwks_uri.is_some());
}
