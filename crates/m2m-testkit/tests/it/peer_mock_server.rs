//! npm `oauth2-mock-server`, run as a black box: a server that authenticates nobody and
//! answers what these tables say. Sound tokens are verified against its keys; bad
//! answers, sent by a real HTTP server, have their kinds and exit codes, in the library
//! and in the binary. (What can be wrong with an answer at all is the table of
//! `m2m_testkit::hostile`.) Where the peer is not fetched the tests say so and pass;
//! `cargo xtask test` fetches it and then requires it.

use std::time::Duration;

use m2m_client::{Client, Credentials, Error, ErrorKind};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::scope::Scope;
use m2m_proto::token::AccessToken;
use m2m_testkit::peers::{self, Peer};
use serde_json::{Map, Value, json};

use crate::peer::{Run, SECRET_VARIABLE, Shell, client, code, secret};

const SECRET: &str = "nobody-asks-for-this-secret";
const AUDIENCE: &str = "https://orders.example";
/// The server takes the audience of its tokens from `aud`, as no other does.
const ASKED: [&str; 2] = ["--param", "aud=https://orders.example"];
const HTML: &str = "<!doctype html><title>Sign in to the network</title>";

/// What has to become of an answer.
#[derive(Clone, Copy, Debug)]
enum Expect {
    /// Success; where it is a token, one that lives this many seconds.
    Good(u64),
    /// The kind, the code that was sent, and the exit code.
    Bad(ErrorKind, Option<&'static str>, i32),
}

use Expect::{Bad, Good};

const MALFORMED: Expect = Bad(ErrorKind::PeerMisbehaved, None, 10);
const UNREACHABLE: Expect = Bad(ErrorKind::Unreachable, None, 5);
/// What a token without a life of its own is given.
const FALLBACK: Expect = Good(300);

const fn refused(code: &'static str, exit: i32) -> Expect {
    Bad(ErrorKind::Refused, Some(code), exit)
}

/// The client id of the case, the answer that it gets, and what that must become.
type Case = (&'static str, Value, Expect);

fn token_answers() -> Vec<Case> {
    let html = json!({ "content-type": "text/html" });
    let error = |status: u16, code: &str| json!({ "status": status, "body": { "error": code } });
    vec![
        ("sound", json!({}), Good(3600)),
        ("created", json!({ "status": 201 }), Good(3600)),
        ("plain-text", json!({ "headers": { "content-type": "text/plain" } }), Good(3600)),
        ("string-life", json!({ "set": { "expires_in": "1800" } }), Good(1800)),
        ("no-life", json!({ "set": { "expires_in": null } }), FALLBACK),
        ("negative-life", json!({ "set": { "expires_in": -1 } }), MALFORMED),
        ("worded-life", json!({ "set": { "expires_in": "one hour" } }), MALFORMED),
        ("no-token", json!({ "set": { "access_token": null } }), MALFORMED),
        ("numeric-token", json!({ "set": { "access_token": 7 } }), MALFORMED),
        ("token-with-newline", json!({ "set": { "access_token": "tok\nX-Injected: 1" } }), MALFORMED),
        ("no-type", json!({ "set": { "token_type": null } }), Good(3600)),
        ("small-type", json!({ "set": { "token_type": "bearer" } }), Good(3600)),
        ("mac-type", json!({ "set": { "token_type": "mac" } }), MALFORMED),
        ("list", json!({ "body": ["tok"] }), MALFORMED),
        ("cut", json!({ "text": "{\"access_token\":\"tok" }), MALFORMED),
        (
            "twice",
            json!({ "text": r#"{"access_token":"a","access_token":"b","token_type":"Bearer"}"# }),
            MALFORMED,
        ),
        ("html", json!({ "headers": html, "text": HTML }), MALFORMED),
        (
            "html-as-json",
            json!({ "headers": { "content-type": "application/json" }, "text": HTML }),
            MALFORMED,
        ),
        ("html-400", json!({ "status": 400, "headers": html, "text": HTML }), MALFORMED),
        ("html-502", json!({ "status": 502, "headers": html, "text": HTML }), UNREACHABLE),
        ("nothing", json!({ "text": "" }), MALFORMED),
        ("redirect", json!({ "status": 302, "headers": { "location": "/login" } }), MALFORMED),
        ("error-500", error(500, "server_error"), UNREACHABLE),
        ("error-503", error(503, "temporarily_unavailable"), UNREACHABLE),
        ("error-429", error(429, "slow_down"), Bad(ErrorKind::Unreachable, None, 9)),
        ("error-401", error(401, "invalid_client"), refused("invalid_client", 7)),
        ("error-400", error(400, "invalid_scope"), refused("invalid_scope", 8)),
        ("error-403", error(403, "access_denied"), refused("access_denied", 8)),
        ("error-own", error(400, "quota_of_the_moon"), refused("quota_of_the_moon", 8)),
        // A verdict is one at any status, but below 500.
        ("error-200", error(200, "invalid_client"), refused("invalid_client", 7)),
        ("other-error", json!({ "status": 400, "body": { "error": { "message": "no" } } }), MALFORMED),
    ]
}

fn introspection_answers() -> Vec<Case> {
    let body = |body: Value| json!({ "body": body });
    vec![
        ("active", json!({}), Good(0)),
        ("worded", body(json!({ "active": "true" })), MALFORMED),
        ("numeric", body(json!({ "active": 1 })), MALFORMED),
        ("silent", body(json!({ "scope": "orders:read" })), MALFORMED),
        ("list", body(json!([true])), MALFORMED),
        ("worded-end", body(json!({ "active": true, "exp": "soon" })), MALFORMED),
        ("html", json!({ "headers": { "content-type": "text/html" }, "text": HTML }), MALFORMED),
        ("redirect", json!({ "status": 307, "headers": { "location": "/login" } }), MALFORMED),
        ("error-503", json!({ "status": 503 }), UNREACHABLE),
        (
            "error-401",
            json!({ "status": 401, "body": { "error": "invalid_client" } }),
            refused("invalid_client", 7),
        ),
    ]
}

fn revocation_answers() -> Vec<Case> {
    let error = |code: &str| json!({ "status": 400, "text": json!({ "error": code }).to_string() });
    vec![
        ("nothing", json!({}), Good(0)),
        // The status alone counts (RFC 7009 section 2.2).
        ("html", json!({ "headers": { "content-type": "text/html" }, "text": HTML }), Good(0)),
        ("redirect", json!({ "status": 302, "headers": { "location": "/login" } }), MALFORMED),
        ("error-503", json!({ "status": 503 }), UNREACHABLE),
        ("error-type", error("unsupported_token_type"), refused("unsupported_token_type", 8)),
        ("error-client", error("invalid_client"), refused("invalid_client", 7)),
    ]
}

fn start(cases: &[Case]) -> Option<Peer> {
    let answers: Map<String, Value> =
        cases.iter().map(|(id, answer, _)| ((*id).to_owned(), answer.clone())).collect();
    Peer::start(peers::OAUTH2_MOCK_SERVER, &json!({ "answers": answers }))
}

fn built(server: &Peer, client_id: &str) -> Client {
    let credentials = Credentials::secret(secret(SECRET), None, ClientAuthMethod::ClientSecretBasic);
    client(server, client_id, credentials).scope(Scope::parse("orders:read").unwrap()).build().unwrap()
}

/// A subcommand of the binary for one client.
fn run(server: &Peer, shell: &Shell, client_id: &str, words: &[&str]) -> Run {
    let (command, rest) = words.split_first().unwrap();
    let who = ["--issuer", server.issuer(), "--client-id", client_id, "--secret-env", SECRET_VARIABLE];
    shell.run(SECRET, "some-token", &[&[*command], &who[..], rest].concat())
}

#[track_caller]
fn check<T>(id: &str, answer: Result<T, Error>, expect: Expect, good: impl FnOnce(T, u64)) {
    match (answer, expect) {
        (Ok(answer), Good(seconds)) => good(answer, seconds),
        (Err(error), Bad(kind, sent, _)) => {
            assert_eq!((error.kind(), code(&error).as_deref()), (kind, sent), "{id}: {error}");
            assert_eq!(error.is_transient(), kind != ErrorKind::Refused, "{id}: {error}");
        }
        (Ok(_), Bad(..)) => panic!("{id} is taken for good"),
        (Err(error), Good(_)) => panic!("{id}: {error}"),
    }
}

#[track_caller]
fn check_exit(run: Run, expect: Expect) {
    match expect {
        Good(_) => drop(run.succeeds()),
        Bad(_, sent, exit) => run.fails(exit, sent.unwrap_or_default()),
    }
}

#[tokio::test]
async fn mock_server_answers_become_tokens_or_errors_of_their_kind() {
    let cases = token_answers();
    let Some(server) = start(&cases) else { return };
    for (id, _, expect) in cases {
        let client = built(&server, id);
        check(id, client.token(&client.spec()).await, expect, |token, seconds| {
            // The token's own end, in whole seconds, may come a little before.
            let life = token.life().as_secs();
            assert!((seconds - 60..=seconds).contains(&life), "{id} lives {life} s");
        });
    }
}

#[test]
fn mock_server_answers_have_their_exit_codes() {
    let cases = token_answers();
    let Some(server) = start(&cases) else { return };
    let shell = Shell::new();
    for (id, _, expect) in cases {
        check_exit(run(&server, &shell, id, &["token", "--no-store", "-o", "bare"]), expect);
    }
}

#[tokio::test]
async fn mock_server_tells_when_to_come_back() {
    let again = |status| json!({ "status": status, "headers": { "retry-after": "7" }, "body": {} });
    let cases = [("error-429", again(429), UNREACHABLE), ("error-503", again(503), UNREACHABLE)];
    let Some(server) = start(&cases) else { return };
    for (id, _, _) in cases {
        let client = built(&server, id);
        let error = client.token(&client.spec()).await.unwrap_err();
        assert_eq!(error.retry_after(), Some(Duration::from_secs(7)), "{id}");
        assert_eq!(error.is_rate_limited(), id == "error-429");
    }
}

// spec-test: 7662-RS2
#[tokio::test]
async fn mock_server_answers_about_tokens_are_read_strictly() {
    let cases = introspection_answers();
    let Some(server) = start(&cases) else { return };
    let shell = Shell::new();
    let token = AccessToken::parse("some-token").unwrap();
    for (id, _, expect) in cases {
        check(id, built(&server, id).introspect(&token).await, expect, |answer, _| {
            assert!(answer.is_active(), "{id}");
        });
        check_exit(run(&server, &shell, id, &["introspect"]), expect);
    }
}

// spec-test: 7009-C1
#[tokio::test]
async fn mock_server_answers_to_a_revocation_count_by_status() {
    let cases = revocation_answers();
    let Some(server) = start(&cases) else { return };
    let shell = Shell::new();
    let token = AccessToken::parse("some-token").unwrap();
    for (id, _, expect) in cases {
        check(id, built(&server, id).revoke(&token).await, expect, |(), _| {});
        check_exit(run(&server, &shell, id, &["revoke"]), expect);
    }
}

/// What the server leaves out by itself, and RFC 9068 requires.
fn sound() -> Value {
    json!({
        "header": { "typ": "at+jwt" },
        "claims": { "sub": "sound", "client_id": "sound", "jti": "1" },
    })
}

fn altered(part: &str, name: &str, value: Value) -> Value {
    let mut answer = sound();
    answer[part][name] = value;
    answer
}

/// Gets a token for the client and verifies it.
fn verified(server: &Peer, shell: &Shell, client_id: &str) -> Run {
    let words = ["token", "--no-store", "-o", "bare", "--scope", "orders:read"];
    let token = run(server, shell, client_id, &[&words[..], &ASKED].concat()).prints_a_token();
    let flags = ["verify", "--issuer", server.issuer(), "--audience", AUDIENCE];
    shell.run("", &token, &[&flags[..], &["--require-scope", "orders:read", "--json"]].concat())
}

#[test]
fn mock_server_tokens_are_verified_against_its_keys() {
    let cases = [
        ("sound", sound(), None),
        // As the server makes them: a JWT, but no access token.
        ("untyped", json!({}), Some("`typ`")),
        ("no-subject", altered("claims", "sub", Value::Null), Some("`sub`")),
        ("no-client", altered("claims", "client_id", Value::Null), Some("`client_id`")),
        ("no-end", altered("claims", "exp", Value::Null), Some("`exp`")),
        ("expired", altered("claims", "exp", json!(1_000_000_000)), Some("expired")),
        ("of-the-future", altered("claims", "nbf", json!(4_102_444_800_u64)), Some("not valid for another")),
        ("other-issuer", altered("claims", "iss", json!("https://evil.example")), Some("issuer")),
        ("other-audience", altered("claims", "aud", json!("https://other.example")), Some("aud")),
        ("other-scope", altered("claims", "scope", json!("orders:write")), Some("scope")),
        ("unknown-key", altered("header", "kid", json!("no-such-key")), Some("no key of this id")),
    ];
    let answers: Vec<Case> = cases.iter().map(|(id, answer, _)| (*id, answer.clone(), Good(0))).collect();
    let Some(server) = start(&answers) else { return };
    let shell = Shell::new();
    for (id, _, reason) in cases {
        let run = verified(&server, &shell, id);
        assert_eq!(run.code, Some(if reason.is_some() { 11 } else { 0 }), "{id}: {}", run.stderr);
        let answer: Value = serde_json::from_str(&run.stdout).unwrap();
        assert_eq!(answer["valid"], json!(reason.is_none()), "{id}: {answer}");
        let said = answer["reason"].as_str().unwrap_or_default();
        assert!(said.contains(reason.unwrap_or_default()), "{id}: {said}");
    }
}

#[test]
fn mock_server_documents_that_cannot_be_had_are_no_verdict_about_a_token() {
    let discovery = "/.well-known/openid-configuration";
    let stranger = json!({ "issuer": "https://evil.example", "jwks_uri": "https://evil.example/jwks" });
    for (path, answer, exit) in [
        ("/jwks", json!({ "headers": { "content-type": "text/html" }, "text": HTML }), 10),
        ("/jwks", json!({ "status": 503, "text": "" }), 5),
        (discovery, json!({ "headers": { "content-type": "text/html" }, "text": HTML }), 10),
        (discovery, json!({ "text": stranger.to_string() }), 10),
    ] {
        let Some(server) = start(&[("sound", sound(), Good(0)), (path, answer, Good(0))]) else { return };
        let shell = Shell::new();
        let url = format!("{}/token", server.issuer());
        let who = ["--token-url", &url, "--client-id", "sound", "--secret-env", SECRET_VARIABLE];
        let token = shell.token(SECRET, &[&who[..], &ASKED].concat()).prints_a_token();
        let flags = ["verify", "--issuer", server.issuer(), "--audience", AUDIENCE];
        let run = shell.run("", &token, &flags);
        assert_eq!(run.code, Some(exit), "{path}: {}{}", run.stdout, run.stderr);
    }
}
