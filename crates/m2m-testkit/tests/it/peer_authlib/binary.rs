//! The binary `m2m` against the peer: `token`, `introspect`, `revoke` and `verify`.

use m2m_proto::jose::Algorithm;
use m2m_testkit::FixedKeys;
use m2m_testkit::peers::{self, Peer};
use serde_json::{Value, json};

use super::{SECRET, clients, start, with_secret};
use crate::peer::{Run, SECRET_VARIABLE, Shell};

/// A subcommand for one client, with a secret.
fn run(server: &Peer, shell: &Shell, secret: &str, input: &str, words: &[&str]) -> Run {
    let (command, rest) = words.split_first().unwrap();
    let flags = [command, "--issuer", server.issuer(), "--secret-env", SECRET_VARIABLE];
    shell.run(secret, input, &[&flags[..], rest].concat())
}

#[test]
fn authlib_gives_the_binary_a_token_by_each_method() {
    let Some(server) = start() else { return };
    let shell = Shell::new();
    for (id, method) in [
        ("basic", "client_secret_basic"),
        ("post", "client_secret_post"),
        ("secret-jwt", "client_secret_jwt"),
    ] {
        let flags = ["--client-id", id, "--client-auth-method", method, "--scope", "orders:read"];
        let issuer = ["--issuer", server.issuer(), "--secret-env", SECRET_VARIABLE];
        shell.token(SECRET, &[&issuer[..], &flags].concat()).prints_a_token();
    }
    let file = shell.file("key.pem", FixedKeys::pem(Algorithm::Es256));
    let key = ["--private-key-file", file.to_str().unwrap()];
    let flags = ["--issuer", server.issuer(), "--client-id", "private-key-jwt-ES256"];
    shell.token("", &[&flags[..], &key].concat()).prints_a_token();
}

#[test]
fn authlib_tells_the_binary_whether_a_token_is_active() {
    let Some(server) = start() else { return };
    let shell = Shell::new();
    let basic = ["--client-id", "basic"];
    let asked = [&["token", "--no-store", "-o", "bare", "--scope", "orders:read"], &basic[..]].concat();
    let token = run(&server, &shell, SECRET, "", &asked).prints_a_token();
    let introspect = [&["introspect"], &basic[..]].concat();
    let answer = run(&server, &shell, SECRET, &token, &introspect).succeeds();
    let answer: Value = serde_json::from_str(&answer.stdout).unwrap();
    assert_eq!((&answer["active"], &answer["scope"]), (&json!(true), &json!("orders:read")));
    assert_eq!((&answer["client_id"], &answer["iss"]), (&json!("basic"), &json!(server.issuer())));
    // Not this client's to end.
    run(&server, &shell, SECRET, &token, &["revoke", "--client-id", "other"]).fails(8, "invalid_grant");
    run(&server, &shell, SECRET, &token, &[&["revoke"], &basic[..]].concat()).succeeds();
    let answer = run(&server, &shell, SECRET, &token, &introspect);
    assert_eq!(answer.code, Some(12), "{}", answer.stderr);
    assert_eq!(serde_json::from_str::<Value>(&answer.stdout).unwrap(), json!({ "active": false }));
}

#[test]
fn authlib_refusals_have_their_exit_codes_and_hints() {
    let Some(server) = start() else { return };
    let shell = Shell::new();
    for (secret, words, exit, error) in [
        ("not the secret", &["token", "--client-id", "basic"][..], 7, "invalid_client"),
        (SECRET, &["token", "--client-id", "basic", "--scope", "orders:delete"], 8, "invalid_scope"),
        ("not the secret", &["introspect", "--client-id", "basic"], 7, "invalid_client"),
        ("not the secret", &["revoke", "--client-id", "basic"], 7, "invalid_client"),
    ] {
        run(&server, &shell, secret, "no-such-token", words).fails(exit, error);
    }
}

#[test]
fn authlib_needs_raw_basic_from_the_binary_for_a_secret_with_blanks() {
    let secret = "with blanks in it";
    let setup = json!({ "clients": [with_secret("blanks", "client_secret_basic", secret)] });
    let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
    let shell = Shell::new();
    let words = ["token", "--no-store", "-o", "bare", "--client-id", "blanks"];
    run(&server, &shell, secret, "", &words).fails(7, "invalid_client");
    let raw = [&words[..], &["--basic-encoding", "raw"]].concat();
    run(&server, &shell, secret, "", &raw).prints_a_token();
}

#[test]
fn authlib_takes_the_assertion_audience_that_the_binary_is_told() {
    let setup = json!({ "clients": clients(), "audiences": ["token_endpoint"] });
    let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
    let shell = Shell::new();
    let method = ["--client-id", "secret-jwt", "--client-auth-method", "client_secret_jwt"];
    let words = [&["token", "--no-store", "-o", "bare"], &method[..]].concat();
    run(&server, &shell, SECRET, "", &words).fails(7, "invalid_client");
    let told = [&words[..], &["--assertion-audience", "token_endpoint"]].concat();
    run(&server, &shell, SECRET, "", &told).prints_a_token();
}

/// Its JWT access tokens are for their own client, unless the deployment says otherwise.
#[test]
fn authlib_signs_access_tokens_that_the_binary_verifies() {
    let setup = json!({ "clients": clients(), "access_tokens": "jwt" });
    let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
    let shell = Shell::new();
    let words = ["token", "--no-store", "-o", "bare", "--client-id", "basic", "--scope", "orders:read"];
    let token = run(&server, &shell, SECRET, "", &words).prints_a_token();
    let verify = |audience, more: &[&str]| {
        let flags = ["verify", "--json", "--issuer", server.issuer(), "--audience", audience];
        shell.run("", &token, &[&flags[..], more].concat())
    };
    let verified = verify("basic", &["--require-scope", "orders:read"]).succeeds();
    let verified: Value = serde_json::from_str(&verified.stdout).unwrap();
    assert_eq!((&verified["valid"], &verified["claims"]["sub"]), (&json!(true), &json!("basic")));
    for (audience, more) in
        [("https://orders.example", &[][..]), ("basic", &["--require-scope", "orders:write"])]
    {
        assert_eq!(verify(audience, more).code, Some(11), "{audience} {more:?}");
    }
}
