use std::path::Path;

use super::super::file;
use super::super::settings::Settings;
use crate::exit::Exit;

fn settings(text: &str) -> Result<Settings, crate::exit::Failure> {
    Settings::of(file::parse(Path::new("/etc/m2m/m2m-server.toml"), text).unwrap())
}

fn refused(text: &str, problem: &str, advice: &str) {
    let failure = settings(text).expect_err(text);
    assert_eq!(failure.exit(), Exit::Configuration, "{text}");
    assert!(failure.message().contains(problem), "{text}: {}", failure.message());
    assert!(failure.advice().unwrap().contains(advice), "{text}: {:?}", failure.advice());
}

const TLS: &str = "tls_cert = 'c.pem'\ntls_key = 'k.pem'\n";
const PUBLIC: &str = "listen = '0.0.0.0:443'\n";
const ISSUER: &str = "issuer = 'https://login.example.com'\n";

#[test]
fn what_is_safe_goes() {
    for text in [
        "".to_owned(),
        "issuer = 'http://localhost:8400'".to_owned(),
        TLS.to_owned(),
        ISSUER.to_owned(),
        format!("{PUBLIC}{TLS}{ISSUER}"),
        format!("{PUBLIC}{ISSUER}behind_tls_proxy = true"),
        format!("{PUBLIC}{TLS}{ISSUER}mtls_listen = '0.0.0.0:8443'"),
        format!("{PUBLIC}{TLS}{ISSUER}mtls_listen = '0.0.0.0:8443'\nclient_ca = 'ca.pem'"),
        format!("{ISSUER}client_cert_header = true\ntrusted_proxies = ['10.0.0.5']\nclient_ca = 'ca.pem'"),
        "listen = '127.0.0.1:0'\nmetrics_listen = '127.0.0.1:0'".to_owned(),
    ] {
        settings(&text).unwrap_or_else(|failure| panic!("{text}: {}", failure.message()));
    }
}

// spec-test: 6749-AS9
#[test]
fn plain_http_stays_on_this_machine() {
    let address = "plain HTTP at 0.0.0.0:443 would carry secrets";
    refused(PUBLIC, address, "--behind-tls-proxy and an https --issuer");
    refused(&format!("{PUBLIC}{ISSUER}"), address, "--tls-cert");
    refused("listen = '[::]:443'", "plain HTTP at [::]:443", "listen on 127.0.0.1");
    let here = "which is for this machine alone";
    refused("issuer = 'http://login.example.com'", here, "--issuer https://HOST");
    let proxy = "behind_tls_proxy = true\n";
    refused(&format!("{PUBLIC}{proxy}issuer = 'http://login.example.com'"), "is not https", "https://HOST");
    refused(&format!("{TLS}issuer = 'http://localhost:8400'"), "is not https", "https://HOST");
    refused(&format!("{PUBLIC}{proxy}"), "no issuer is named", "--issuer https://HOST");
    refused(&format!("{PUBLIC}{TLS}"), "no issuer is named", "--issuer https://HOST");
    refused(&format!("{ISSUER}{TLS}{proxy}"), "contradict each other", "leave behind_tls_proxy out");
}

#[test]
fn what_belongs_together_comes_together() {
    refused("tls_cert = 'c.pem'", "tls_cert needs tls_key", "--tls-key FILE");
    refused("tls_key = 'k.pem'", "tls_key needs tls_cert", "--tls-cert FILE");
    refused("mtls_listen = '127.0.0.1:8443'", "mtls_listen needs tls_cert and tls_key", "client_cert_header");
    refused("client_ca = 'ca.pem'", "client_ca is for client certificates", "--mtls-listen ADDR");
    refused("mtls_base = 'https://mtls.example.com'", "mtls_base is for client", "--mtls-listen ADDR");
    refused("database = 'postgres://db/m2m'", "needs sealing_key", "sealing_key = { file");
    refused("replay = 'shared'", "needs a database that is shared", "leave replay out");
    refused("shutdown_delay = '1h'", "longer than 5m", "5s");
}

// spec-test: 8705-RS2
#[test]
fn nobody_in_particular_hands_over_certificates() {
    refused("client_cert_header = true", "client_cert_header needs trusted_proxies", "trusted_proxies = [");
}

#[test]
fn each_listener_has_its_own_address() {
    let same = |text: &str, names: &str| refused(&format!("{TLS}{text}"), names, "its own port");
    same("mtls_listen = '127.0.0.1:8400'", "mtls_listen and listen are the same");
    same("metrics_listen = '127.0.0.1:8400'", "metrics_listen and listen are the same");
    let both = "mtls_listen = '127.0.0.1:1'\nmetrics_listen = '127.0.0.1:1'";
    same(both, "metrics_listen and mtls_listen are the same");
}
