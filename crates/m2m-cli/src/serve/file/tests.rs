use std::net::SocketAddr;
use std::time::Duration;

use super::super::key;
use super::super::stated::{Audit, Replay};
use super::*;
use crate::args::{LogFormat, Serve};
use crate::exit::Exit;
use crate::settings::secret::SecretReference;

fn read(text: &str) -> Result<Stated, Failure> {
    parse(Path::new("/etc/m2m/m2m-server.toml"), text)
}

/// A value for every key.
const WHOLE: &str = r#"
issuer = "https://login.example.com"
listen = "0.0.0.0:443"
database = "sqlite:data/m2m.db"
sealing_key = { file = "sealing.key" }
tls_cert = "server.pem"
tls_key = "/keys/server.key.pem"
mtls_listen = "0.0.0.0:8443"
mtls_base = "https://mtls.login.example.com"
client_ca = "clients.pem"
behind_tls_proxy = true
trusted_proxies = ["10.0.0.5", "10.1.0.0/16", "fd00::/8"]
client_cert_header = true
metrics_listen = "127.0.0.1:9400"
console = false
log = "json"
audit = "durable"
audit_retention = "90d"
replay = "node"
max_staleness = "10s"
snapshot_max_age = "1h"
dpop_nonce = true
security_profile = "fapi2"
status_ttl = 30
shutdown_delay = "5s"
issuer_files = ["issuers", "/var/run/secrets/kubernetes.io/serviceaccount"]

[egress]
allow = ["10.0.0.0/8"]

[[pkcs11]]
module = "module.so"
token = "m2m"
pin = { file = "pin" }
key = "es256"
"#;

#[test]
fn every_key_is_read() {
    let stated = read(WHOLE).unwrap();
    assert_eq!(stated.issuer.unwrap().as_str(), "https://login.example.com");
    assert_eq!(stated.listen, Some(SocketAddr::from(([0, 0, 0, 0], 443))));
    assert_eq!(stated.database, Some(Database::Sqlite("/etc/m2m/data/m2m.db".into())));
    assert_eq!(stated.sealing_key, Some(SecretReference::File("/etc/m2m/sealing.key".into())));
    assert_eq!(stated.tls_cert, Some("/etc/m2m/server.pem".into()));
    assert_eq!(stated.tls_key, Some("/keys/server.key.pem".into()));
    assert_eq!(stated.mtls_listen, Some(SocketAddr::from(([0, 0, 0, 0], 8443))));
    assert_eq!(stated.mtls_base.unwrap().as_str(), "https://mtls.login.example.com");
    assert_eq!(stated.client_ca, Some("/etc/m2m/clients.pem".into()));
    assert_eq!(stated.console, Some(false));
    assert!(stated.behind_tls_proxy && stated.client_cert_header && stated.dpop_nonce);
    assert_eq!(stated.security_profile, m2m_proto::security_profile::SecurityProfile::Fapi2);
    assert_eq!(stated.trusted_proxies.len(), 3);
    assert_eq!(stated.metrics_listen, Some(SocketAddr::from(([127, 0, 0, 1], 9400))));
    assert_eq!(stated.log, Some(LogFormat::Json));
    assert_eq!(stated.tuning.audit, Some(Audit::Durable));
    assert_eq!(stated.tuning.replay, Some(Replay::Node));
    let times = [stated.tuning.audit_retention, stated.tuning.max_staleness, stated.tuning.snapshot_max_age];
    assert_eq!(times, [90 * 86_400, 10, 3600].map(|seconds| Some(Duration::from_secs(seconds))));
    assert_eq!(stated.tuning.status_ttl, Some(Duration::from_secs(30)));
    assert_eq!(stated.shutdown_delay, Duration::from_secs(5));
    let cluster = PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount");
    assert_eq!(stated.issuer_files, [PathBuf::from("/etc/m2m/issuers"), cluster]);
    assert_eq!(stated.egress, ["10.0.0.0/8"]);
    assert_eq!(stated.pkcs11[0].key, "es256");
    for key in KEYS {
        let tables = ["egress", "pkcs11"];
        assert!(WHOLE.contains(&format!("\n{} = ", key.name)) || tables.contains(&key.name), "{}", key.name);
    }
}

#[test]
fn a_mistake_is_found_by_its_line() {
    let check = |text: &str, message: &str, hint: Option<&str>| {
        let failure = read(text).expect_err(text);
        assert_eq!(failure.exit(), Exit::Configuration);
        assert_eq!(failure.message(), format!("/etc/m2m/m2m-server.toml:{message}"), "{text}");
        assert!(
            hint.is_none_or(|hint| failure.advice().is_some_and(|advice| advice.contains(hint))),
            "{text}"
        );
    };
    check("\ntrusted_proxy = []", "2: trusted_proxy: unknown key", Some("did you mean trusted_proxies"));
    check("isuer = 'x'", "1: isuer: unknown key", Some("did you mean issuer"));
    check("zzzzzzzzzz = 1", "1: zzzzzzzzzz: unknown key", Some("m2m serve --help"));
    check(
        "listen = 'localhost:1'",
        "1: listen: expected an IP address and a port such as 127.0.0.1:8400 or [::]:443, found \"localhost:1\"",
        None,
    );
    check("behind_tls_proxy = 'yes'", "1: behind_tls_proxy: expected true or false", None);
    check("log = 'xml'", "1: log: expected \"text\" or \"json\", found \"xml\"", None);
    check("audit = 'no'", "1: audit: expected \"batched\" or \"durable\", found \"no\"", None);
    check("replay = 'no'", "1: replay: expected \"node\" or \"shared\", found \"no\"", None);
    check(
        "mtls_base = 'http://x'",
        "1: mtls_base: expected a URL such as https://mtls.login.example.com",
        None,
    );
    check(
        "audit_retention = 'soon'",
        "1: audit_retention: expected a time such as 10s, 500ms, 5m or 1h, found \"soon\"",
        None,
    );
    check(
        "trusted_proxies = ['0.0.0.0/0']",
        "1: trusted_proxies: 0.0.0.0/0 is everybody; name the addresses of the proxies alone",
        None,
    );
    check("[egress]\ndeny = []", "2: egress.deny: unknown key", Some(""));
}

#[test]
fn no_secret_stands_in_the_file() {
    let check = |text: &str, expect: &str| {
        let failure = read(text).expect_err(text);
        let said = failure.to_json().to_string();
        assert!(said.contains(expect) && !said.contains("hunter2"), "{said}");
    };
    check("sealing_key = 'hunter2'", "a secret in a file is refused");
    check("database = 'postgres://m2m:hunter2@db/m2m'", "a password in this place is refused");
    let kept = read("database = { file = 'url' }").unwrap().database;
    assert_eq!(kept, Some(Database::Kept(SecretReference::File("/etc/m2m/url".into()))));
}

#[test]
fn the_number_of_proxies_is_bounded() {
    let list = |count: usize| format!("trusted_proxies = [{}]", "'10.0.0.1',".repeat(count));
    assert!(read(&list(MAX_NETWORKS)).is_ok());
    assert!(read(&list(MAX_NETWORKS + 1)).unwrap_err().message().contains("more than 256 entries"));
}

#[test]
fn flags_win_over_the_file() {
    let typed = Serve {
        issuer: Some("https://other.example".to_owned()),
        database: Some("memory:".to_owned()),
        listen: Some(SocketAddr::from(([127, 0, 0, 1], 1))),
        log: Some(LogFormat::Text),
        ..Serve::default()
    };
    let stated = Stated::typed_over(&typed, read(WHOLE).unwrap()).unwrap();
    assert_eq!(stated.issuer.unwrap().as_str(), "https://other.example");
    assert_eq!(stated.database, Some(Database::Memory));
    assert_eq!(stated.listen, Some(SocketAddr::from(([127, 0, 0, 1], 1))));
    assert_eq!(stated.log, Some(LogFormat::Text));
    assert_eq!(stated.tls_cert, Some("/etc/m2m/server.pem".into()));
    assert!(stated.behind_tls_proxy);
    let wrong = Serve { issuer: Some("login".to_owned()), ..Serve::default() };
    let failure = Stated::typed_over(&wrong, Stated::default()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Usage);
    assert!(failure.message().starts_with("--issuer: expected a URL"), "{}", failure.message());
}

#[test]
fn the_help_lists_every_key_within_80_columns() {
    let reference = key::reference();
    for key in KEYS {
        assert!(
            reference.lines().any(|line| line.split_whitespace().next() == Some(key.name)),
            "{}",
            key.name
        );
    }
    assert!(reference.lines().all(|line| line.chars().count() <= 80), "{reference}");
}
