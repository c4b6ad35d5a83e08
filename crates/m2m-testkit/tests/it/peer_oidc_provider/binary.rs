//! The binary `m2m` against the peer: a token by every authentication method, and
//! an exit code with a hint for each thing that goes wrong.

use super::party::{ALGORITHMS, Party};
use std::process::{Command, Output};

const SECRET_VARIABLE: &str = "PEER_SECRET";

/// Runs `m2m token -o bare` with a clean environment.
fn token(party: &Party, issuer: &str, client_id: &str, flags: &[&str]) -> Output {
    run(party, party.server.secret(), &[&["--issuer", issuer, "--client-id", client_id], flags].concat())
}

fn run(party: &Party, secret: &str, flags: &[&str]) -> Output {
    let mut command = Command::new(m2m_testkit::binary::m2m());
    command.args(["token", "-o", "bare", "--no-store"]).args(flags);
    command.env_clear().env("HOME", party.directory()).env(SECRET_VARIABLE, secret);
    command.current_dir(party.directory()).output().unwrap()
}

#[track_caller]
fn prints_a_token(output: &Output) {
    let stdout = String::from_utf8(output.stdout.clone()).unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{stderr}");
    assert_eq!(stdout.trim_end().split('.').count(), 3, "{stdout:?} is one JWT and a newline; {stderr}");
    assert_eq!(stdout.lines().count(), 1);
}

/// The exit code, a hint, and no secret anywhere.
#[track_caller]
fn fails(output: &Output, code: i32, error: &str) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    assert!(output.stdout.is_empty(), "nothing is printed where a token would be");
    let line = |prefix: &str| stderr.lines().find(|line| line.starts_with(prefix)).map(str::to_owned);
    let said = line("m2m: error: ").unwrap_or_else(|| panic!("no error line in {stderr}"));
    assert!(said.contains(error), "{said:?} does not say {error:?}");
    assert!(line("m2m: hint: ").is_some_and(|hint| hint.len() > "m2m: hint: ".len()), "no hint in {stderr}");
    assert!(!stderr.contains("peer secret"), "the secret is in {stderr}");
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_each_secret_method() {
    let Some(party) = Party::start() else { return };
    let issuer = party.server.issuer();
    let secret = ["--secret-env", SECRET_VARIABLE, "--scope", "orders:read"];
    prints_a_token(&token(&party, issuer, "basic", &secret));
    prints_a_token(&token(&party, issuer, "basic:odd id+%", &secret));
    let post = ["--client-auth-method", "client_secret_post"];
    prints_a_token(&token(&party, issuer, "post", &[&secret[..], &post].concat()));
    let jwt = ["--client-auth-method", "client_secret_jwt"];
    prints_a_token(&token(&party, issuer, "secret-jwt", &[&secret[..], &jwt].concat()));
    prints_a_token(&token(&party, issuer, "dpop", &[&secret[..], &["--dpop"]].concat()));
    prints_a_token(&token(&party, issuer, "dpop-nonce", &[&secret[..], &["--dpop"]].concat()));
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_private_key_jwt_in_each_algorithm() {
    let Some(party) = Party::start() else { return };
    for algorithm in ALGORITHMS {
        let name = algorithm.name();
        let pem = party.key(*algorithm).to_pkcs8_pem().unwrap();
        let file = party.file(&format!("{name}.pem"), pem.expose());
        let file = file.to_str().unwrap();
        let flags = ["--private-key-file", file, "--algorithm", name, "--scope", "orders:read"];
        let client_id = format!("private-key-jwt-{name}");
        prints_a_token(&token(&party, party.server.issuer(), &client_id, &flags));
        // The nonce costs a second request: proof and assertion must both be new.
        let client_id = format!("dpop-nonce-private-key-jwt-{name}");
        prints_a_token(&token(
            &party,
            party.server.issuer(),
            &client_id,
            &[&flags[..], &["--dpop"]].concat(),
        ));
    }
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_mutual_tls() {
    let Some(party) = Party::start() else { return };
    let ca = party.file("ca.pem", &party.ca);
    let url = format!("{}/token", party.server.mtls_origin());
    for (client_id, method, certificate) in [
        ("tls", "tls_client_auth", &party.signed),
        ("self-signed-tls", "self_signed_tls_client_auth", &party.self_signed),
    ] {
        let chain = party.file("client.pem", &certificate.chain);
        let key = party.file("client.key.pem", &certificate.key);
        let flags = [
            "--token-url",
            &url,
            "--client-id",
            client_id,
            "--client-auth-method",
            method,
            "--ca-file",
            ca.to_str().unwrap(),
            "--certificate-file",
            chain.to_str().unwrap(),
            "--certificate-key-file",
            key.to_str().unwrap(),
            "--scope",
            "orders:read",
        ];
        prints_a_token(&run(&party, "", &flags));
    }
}

#[test]
fn oidc_provider_refusals_have_their_exit_codes_and_hints() {
    let Some(mut party) = Party::start() else { return };
    let issuer = party.server.issuer().to_owned();
    let portal = party.server.portal();
    let secret = ["--secret-env", SECRET_VARIABLE];
    let wrong = ["--issuer", &issuer, "--client-id", "basic", "--secret-env", SECRET_VARIABLE];
    fails(&run(&party, "not the secret", &wrong), 7, "invalid_client");
    let unknown = [&secret[..], &["--scope", "orders:delete"]].concat();
    fails(&token(&party, &issuer, "basic", &unknown), 8, "invalid_scope");
    fails(&token(&party, &portal, "basic", &secret), 10, "");
    // The same through --json: one object on the last line of stderr.
    let json = token(&party, &issuer, "basic", &[&unknown[..], &["--json"]].concat());
    let stderr = String::from_utf8_lossy(&json.stderr).into_owned();
    let last: serde_json::Value = serde_json::from_str(stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "invalid_scope", "{stderr}");
    assert_eq!(last["error"]["exit"], 8, "{stderr}");
    assert!(last["error"]["hint"].is_string(), "{stderr}");
    party.server.stop();
    fails(&token(&party, &issuer, "basic", &secret), 5, "");
}
