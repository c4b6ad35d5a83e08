//! The binary against the lab, as a stranger runs it: real host names through a proxy, and proxies in the way.

use std::process::{Command, Output};

use m2m_testkit::FixedKeys;
use m2m_testkit::lab::six::{self, Provider};
use m2m_testkit::lab::{Lab, Outcome, ProxyManner, ServerCertificate, Situation, Tunnel};

/// Runs `m2m token` with a clean environment but for the proxy.
fn token(provider: &Provider, tunnel: &Tunnel, secret: &str, flags: &[&str]) -> Output {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key.pem");
    let ca_file = tunnel.ca_file();
    let mut command = Command::new(m2m_testkit::binary::m2m());
    command.args(["token", "-o", "bare", "--no-store", "--token-url", &provider.token_url()]);
    command.args(["--client-id", provider.client_id, "--client-auth-method", provider.method]);
    command.arg("--ca-file").arg(&ca_file).args(flags);
    command.args(provider.scopes.iter().flat_map(|scope| ["--scope", scope]));
    command.args(provider.audience.iter().flat_map(|audience| ["--audience", audience]));
    match provider.algorithm {
        Some(algorithm) => {
            std::fs::write(&key, FixedKeys::pem(algorithm)).unwrap();
            command.arg("--private-key-file").arg(&key).args(["--algorithm", algorithm.name()]);
        }
        None => {
            command.args(["--secret-env", "LAB_SECRET"]);
        }
    }
    command.env_clear().env("HOME", directory.path()).env("LAB_SECRET", secret);
    command.env("HTTPS_PROXY", tunnel.proxy_url()).current_dir(directory.path()).output().unwrap()
}

#[track_caller]
fn fails(output: &Output, code: i32) -> String {
    let stderr = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty() && !stderr.contains(six::SECRET), "{stderr}");
    stderr
}

#[test]
fn the_binary_gets_tokens_under_real_names() {
    for (id, method, flags) in [
        ("auth0", "client_secret_post", vec![]),
        ("auth0", "private_key_jwt", vec!["--assertion-audience", "https://acme.eu.auth0.com/"]),
        ("okta-custom", "client_secret_basic", vec![]),
        (
            "okta-org",
            "private_key_jwt",
            vec!["--assertion-audience", "https://acme.okta.com/oauth2/v1/token"],
        ),
        ("entra", "client_secret_post", vec![]),
        ("cognito", "client_secret_basic", vec![]),
        ("salesforce-cc", "client_secret_post", vec![]),
    ] {
        let provider = six::find(id, method);
        let lab = Lab::in_thread(provider.behaviour.clone());
        let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
        let output = token(&provider, &tunnel, six::SECRET, &flags);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(0), "{id} {method}: {stderr}");
        assert_eq!(lab.outcomes(), [Outcome::Granted], "{id} {method}");
        assert_eq!(lab.requests()[0].header("host"), Some(provider.host));
        assert_eq!(tunnel.targets(), [format!("{}:443", provider.host)]);
    }
}

#[test]
fn the_binary_meets_what_can_go_wrong() {
    let provider = six::find("entra", "client_secret_post");
    let lab = Lab::in_thread(provider.behaviour.clone());
    let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
    let stderr = fails(&token(&provider, &tunnel, "other", &[]), 7);
    assert!(stderr.contains("AADSTS7000215"), "{stderr}");
    assert_eq!(lab.outcomes(), [Outcome::Refused(Situation::WrongClient)]);
    lab.change(|behaviour| behaviour.certificate = ServerCertificate::Expired);
    let stderr = fails(&token(&provider, &tunnel, six::SECRET, &[]), 6);
    assert!(stderr.contains("expired"), "{stderr}");
    for manner in [ProxyManner::refuses_407(), ProxyManner::refuses_502(), ProxyManner::refuses_with_page()] {
        let tunnel = Tunnel::in_thread(&lab, manner);
        let stderr = fails(&token(&provider, &tunnel, six::SECRET, &[]), 5);
        assert!(stderr.contains("proxy"), "{stderr}");
    }
    assert_eq!(lab.requests().len(), 1);
}
