//! The binary `m2m` against the peer: a token by every authentication method, and
//! an exit code with a hint for each thing that goes wrong.

use super::party::{ALGORITHMS, Party};
use crate::peer::{Run, SECRET_VARIABLE};

fn token(party: &Party, issuer: &str, client_id: &str, flags: &[&str]) -> Run {
    let flags = [&["--issuer", issuer, "--client-id", client_id], flags].concat();
    party.shell.token(party.server.said("secret"), &flags)
}

#[track_caller]
fn prints_a_jwt(run: Run) {
    let token = run.prints_a_token();
    assert_eq!(token.split('.').count(), 3, "{token:?} is a JWT");
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_each_secret_method() {
    let Some(party) = Party::start() else { return };
    let issuer = party.server.issuer();
    let secret = ["--secret-env", SECRET_VARIABLE, "--scope", "orders:read"];
    prints_a_jwt(token(&party, issuer, "basic", &secret));
    prints_a_jwt(token(&party, issuer, "basic:odd id+%", &secret));
    let post = ["--client-auth-method", "client_secret_post"];
    prints_a_jwt(token(&party, issuer, "post", &[&secret[..], &post].concat()));
    let jwt = ["--client-auth-method", "client_secret_jwt"];
    prints_a_jwt(token(&party, issuer, "secret-jwt", &[&secret[..], &jwt].concat()));
    prints_a_jwt(token(&party, issuer, "dpop", &[&secret[..], &["--dpop"]].concat()));
    prints_a_jwt(token(&party, issuer, "dpop-nonce", &[&secret[..], &["--dpop"]].concat()));
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_private_key_jwt_in_each_algorithm() {
    let Some(party) = Party::start() else { return };
    for algorithm in ALGORITHMS {
        let name = algorithm.name();
        let pem = party.key(*algorithm).to_pkcs8_pem().unwrap();
        let file = party.shell.file(&format!("{name}.pem"), pem.expose());
        let file = file.to_str().unwrap();
        let flags = ["--private-key-file", file, "--algorithm", name, "--scope", "orders:read"];
        let client_id = format!("private-key-jwt-{name}");
        prints_a_jwt(token(&party, party.server.issuer(), &client_id, &flags));
        // The nonce costs a second request: proof and assertion must both be new.
        let client_id = format!("dpop-nonce-private-key-jwt-{name}");
        prints_a_jwt(token(&party, party.server.issuer(), &client_id, &[&flags[..], &["--dpop"]].concat()));
    }
}

#[test]
fn oidc_provider_gives_the_binary_a_token_by_mutual_tls() {
    let Some(party) = Party::start() else { return };
    let ca = party.shell.file("ca.pem", &party.ca);
    let url = format!("{}/token", party.server.said("mtls_origin"));
    for (client_id, method, certificate) in [
        ("tls", "tls_client_auth", &party.signed),
        ("self-signed-tls", "self_signed_tls_client_auth", &party.self_signed),
    ] {
        let chain = party.shell.file("client.pem", &certificate.chain);
        let key = party.shell.file("client.key.pem", &certificate.key);
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
        prints_a_jwt(party.shell.token("", &flags));
    }
}

#[test]
fn oidc_provider_refusals_have_their_exit_codes_and_hints() {
    let Some(mut party) = Party::start() else { return };
    let issuer = party.server.issuer().to_owned();
    let portal = party.server.said("portal").to_owned();
    let secret = ["--secret-env", SECRET_VARIABLE];
    let wrong = ["--issuer", &issuer, "--client-id", "basic", "--secret-env", SECRET_VARIABLE];
    party.shell.token("not the secret", &wrong).fails(7, "invalid_client");
    let unknown = [&secret[..], &["--scope", "orders:delete"]].concat();
    token(&party, &issuer, "basic", &unknown).fails(8, "invalid_scope");
    token(&party, &portal, "basic", &secret).fails(10, "");
    // The same through --json: one object on the last line of stderr.
    let json = token(&party, &issuer, "basic", &[&unknown[..], &["--json"]].concat());
    let last: serde_json::Value = serde_json::from_str(json.stderr.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], "invalid_scope", "{last}");
    assert_eq!(last["error"]["exit"], 8, "{last}");
    assert!(last["error"]["hint"].is_string(), "{last}");
    party.server.stop();
    token(&party, &issuer, "basic", &secret).fails(5, "");
}
