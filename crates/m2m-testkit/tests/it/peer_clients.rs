//! Clients in other languages against our authorization server, over real sockets: npm `openid-client` and
//! `oauth4webapi`, PyPI `authlib`. They know nothing of us: what they send is their reading of the standards, and what
//! they refuse to take would be refused in the field. `oauth4webapi` plays the API as well and checks our tokens.
//!
//! Where a library wants something of the server that the standards do not ask for, the test says so.

mod place;

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};

use m2m_authorization_server::ServerNonce;
use m2m_authorization_server::registry::AcceptedAudience;
use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::jose::Algorithm;
use m2m_testkit::binary::m2m;
use m2m_testkit::peers::{AUTHLIB_CLIENT, OAUTH4WEBAPI, OPENID_CLIENT, Peer, Program};
use serde_json::{Value, json};

use self::place::{EXPLICIT, ODD, ORDERS, Place, STOCK};

const ALL: &[Program] = &[OPENID_CLIENT, OAUTH4WEBAPI, AUTHLIB_CLIENT];
const NODE: &[Program] = &[OPENID_CLIENT, OAUTH4WEBAPI];

/// The task with these members as well.
fn and(task: &Value, more: Value) -> Value {
    let mut task = task.clone();
    let (Some(members), Value::Object(more)) = (task.as_object_mut(), more) else { panic!("{task}") };
    members.extend(more);
    task
}

/// Asks for a token and gets one.
#[track_caller]
fn granted(peer: &mut Peer, task: &Value) -> Value {
    let answer = peer.ask(task);
    let token = answer["token"]["access_token"].as_str();
    assert!(token.is_some_and(|token| token.split('.').count() == 3), "{task}: {answer}");
    answer
}

/// Asks for a token and gets this error code.
#[track_caller]
fn refused(peer: &mut Peer, task: &Value, code: &str) -> Value {
    let error = peer.ask(task)["error"].take();
    let said = if error["error"].is_null() { &error["body"]["error"] } else { &error["error"] };
    assert_eq!(said, code, "{task}: {error}");
    error
}

// spec-test: 6749-AS2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_get_tokens_by_each_method_with_a_secret() {
    let place = Place::start(ServerNonce::Off).await;
    let mut tasks = Vec::new();
    for method in ["client_secret_basic", "client_secret_post", "client_secret_jwt"] {
        let task = place.with_secret("app", method).await;
        tasks.push(and(&task, json!({ "parameters": { "scope": "read" } })));
    }
    let odd = place.with_secret(ODD, "client_secret_basic").await;
    for (program, mut peer) in place.peers(ALL) {
        for task in &tasks {
            let token = granted(&mut peer, task)["token"].take();
            assert_eq!((&token["scope"], &token["expires_in"]), (&json!("read"), &json!(600)), "{token}");
            assert!(token["token_type"].as_str().unwrap().eq_ignore_ascii_case("bearer"), "{token}");
        }
        if program == AUTHLIB_CLIENT {
            // It sends identifier and secret as they are: such an identifier is beyond it.
            refused(&mut peer, &odd, "invalid_client");
        } else {
            granted(&mut peer, &odd);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_get_tokens_by_private_key_jwt_in_each_algorithm() {
    let place = Place::start(ServerNonce::Off).await;
    let mut tasks = Vec::new();
    for algorithm in [Algorithm::Es256, Algorithm::Rs256, Algorithm::Ps256, Algorithm::Ed25519] {
        tasks.push(place.with_key(algorithm, AcceptedAudience::Issuer, TypRule::Explicit).await);
    }
    for (_, mut peer) in place.peers(NODE) {
        for task in &tasks {
            granted(&mut peer, task);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn authlibs_assertions_need_a_registration_for_them_and_a_shorter_life() {
    let place = Place::start(ServerNonce::Off).await;
    let strict = place.with_key(Algorithm::Es256, AcceptedAudience::Issuer, TypRule::Explicit).await;
    let mut tasks = Vec::new();
    for algorithm in [Algorithm::Rs256, Algorithm::Ps256, Algorithm::EdDsa] {
        let audience = AcceptedAudience::IssuerOrTokenEndpoint;
        tasks.push(place.with_key(algorithm, audience, TypRule::OrUntyped).await);
    }
    for (_, mut peer) in place.peers(&[AUTHLIB_CLIENT]) {
        for task in &tasks {
            granted(&mut peer, &and(task, json!({ "typ": null })));
            granted(&mut peer, task);
        }
        // It addresses the token endpoint, and lets an assertion live for an hour.
        refused(&mut peer, &strict, "invalid_client");
        let error = refused(&mut peer, &and(&tasks[0], json!({ "lifetime": null })), "invalid_client");
        assert!(error["message"].as_str().unwrap().contains("lives longer than 300 s"), "{error}");
    }
}

// spec-test: 7523-AS2
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_assertion_of_no_type_needs_the_leave_of_the_registration() {
    for rule in [TypRule::Explicit, TypRule::OrUntyped] {
        let place = Place::start(ServerNonce::Off).await;
        let task = place.with_key(Algorithm::Es256, AcceptedAudience::Issuer, rule).await;
        for (_, mut peer) in place.peers(NODE) {
            // As these libraries are without any setting.
            let untyped = and(&task, json!({ "typ": null }));
            if rule == TypRule::Explicit {
                refused(&mut peer, &untyped, "invalid_client");
            } else {
                granted(&mut peer, &untyped);
            }
            refused(&mut peer, &and(&task, json!({ "typ": "at+jwt" })), "invalid_client");
        }
    }
}

// spec-test: 9449-AS1, 9449-AS4
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_get_tokens_that_are_bound_by_dpop_with_and_without_a_nonce() {
    for (nonce, requests) in [(ServerNonce::Off, 1), (ServerNonce::Required, 2)] {
        let place = Place::start(nonce).await;
        let secret = place.with_secret("app", "client_secret_basic").await;
        // The nonce costs a second request, for which the assertion must be new too.
        let key = place.with_key(Algorithm::Es256, AcceptedAudience::Issuer, TypRule::Explicit).await;
        for (_, mut peer) in place.peers(NODE) {
            for (task, proof) in [(&secret, "ES256"), (&secret, "Ed25519"), (&key, "PS256")] {
                let task = and(task, json!({ "dpop": proof, "audience": ORDERS, "revoke": true }));
                let answer = granted(&mut peer, &task);
                assert_eq!(answer["token"]["token_type"], "dpop", "{task}: {answer}");
                assert_eq!(answer["token_requests"], requests, "{task}: {answer}");
                assert!(answer["before"]["cnf"]["jkt"].is_string(), "{answer}");
                assert_eq!(answer["before"]["token_type"], "DPoP", "{answer}");
            }
            // Not among the algorithms that the metadata names.
            refused(&mut peer, &and(&secret, json!({ "dpop": "RS256" })), "invalid_dpop_proof");
        }
    }
}

// spec-test: 8705-AS1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_get_tokens_by_mutual_tls_at_the_endpoint_aliases() {
    let place = Place::start(ServerNonce::Off).await;
    let mut tasks = Vec::new();
    for method in ["tls_client_auth", "self_signed_tls_client_auth"] {
        tasks.push((place.with_certificate(method).await, place.with_foreign_certificate(method)));
    }
    for (_, mut peer) in place.peers(ALL) {
        for (task, foreign) in &tasks {
            let answer = granted(&mut peer, &and(task, json!({ "revoke": true })));
            assert!(answer["before"]["cnf"]["x5t#S256"].is_string(), "{answer}");
            refused(&mut peer, foreign, "invalid_client");
        }
    }
}

// spec-test: 8707-AS1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_name_the_api_by_resource_or_audience() {
    let place = Place::start(ServerNonce::Off).await;
    let task = place.with_secret("both", "client_secret_basic").await;
    for (_, mut peer) in place.peers(ALL) {
        for parameters in [json!({ "resource": STOCK }), json!({ "audience": STOCK, "scope": "read" })] {
            let task = and(&task, json!({ "parameters": parameters, "audience": STOCK, "revoke": true }));
            let answer = granted(&mut peer, &task);
            assert_eq!(answer["before"]["aud"], STOCK, "{answer}");
        }
        let nowhere = and(&task, json!({ "parameters": { "resource": "https://nowhere.example" } }));
        refused(&mut peer, &nowhere, "invalid_target");
    }
}

// spec-test: 7662-AS1, 7009-AS1
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_introspect_and_revoke() {
    let place = Place::start(ServerNonce::Off).await;
    let task = place.with_secret("app", "client_secret_basic").await;
    let more = json!({ "audience": ORDERS, "revoke": true, "parameters": { "scope": "read" } });
    let task = and(&task, more);
    for (program, mut peer) in place.peers(ALL) {
        let answer = granted(&mut peer, &task);
        let before = &answer["before"];
        assert_eq!((&before["active"], &before["client_id"]), (&json!(true), &json!("app")), "{answer}");
        assert_eq!((&before["iss"], &before["scope"]), (&json!(place.issuer), &json!("read")), "{answer}");
        assert_eq!(answer["after"], json!({ "active": false }), "{answer}");
        if program == OAUTH4WEBAPI {
            // It has checked type, signature, issuer, audience and times of the token by itself.
            let claims = &answer["claims"];
            assert_eq!((&claims["sub"], &claims["aud"]), (&json!("app"), &json!(ORDERS)), "{answer}");
        }
    }
}

// spec-test: 6749-AS8
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn clients_of_others_find_their_own_error_in_each_refusal() {
    let place = Place::start(ServerNonce::Off).await;
    let basic = place.with_secret("app", "client_secret_basic").await;
    let post = place.with_secret("app", "client_secret_post").await;
    let wrong = |task| and(task, json!({ "secret": "wrong" }));
    let scope = and(&basic, json!({ "parameters": { "scope": "delete" } }));
    let stranger = and(&basic, json!({ "client_id": "nobody" }));
    for (program, mut peer) in place.peers(ALL) {
        let errors = [
            refused(&mut peer, &wrong(&basic), "invalid_client"),
            refused(&mut peer, &stranger, "invalid_client"),
            refused(&mut peer, &wrong(&post), "invalid_client"),
            refused(&mut peer, &scope, "invalid_scope"),
        ];
        if program == AUTHLIB_CLIENT {
            assert!(errors.iter().all(|error| error["name"] == "OAuthError"), "{errors:?}");
            continue;
        }
        // RFC 6749 section 5.2: who tried Basic is answered in kind.
        let [challenged @ .., post, scope] = &errors;
        for error in challenged {
            let found = (&error["name"], &error["status"], &error["challenges"][0]["scheme"]);
            let expected = (&json!("WWWAuthenticateChallengeError"), &json!(401), &json!("basic"));
            assert_eq!(found, expected, "{error}");
        }
        for error in [post, scope] {
            let found = (&error["name"], &error["status"]);
            assert_eq!(found, (&json!("ResponseBodyError"), &json!(400)), "{error}");
        }
    }
}

/// `m2m serve --dev`. Killed on drop.
struct Binary {
    process: Child,
    issuer: String,
    secret: String,
}

impl Binary {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dev.env");
        let mut command = Command::new(m2m());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"]).arg(&file);
        let mut process = command.env_clear().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let issuer = lines.filter_map(|line| Some(line.strip_prefix("ready ")?.to_owned())).next();
        // It wrote the file before it said so.
        let text = std::fs::read_to_string(&file).unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix("export M2M_CLIENT_SECRET="));
        Self { process, issuer: issuer.unwrap(), secret: line.unwrap().trim_matches('\'').to_owned() }
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn clients_of_others_get_tokens_from_the_binary() {
    let binary = Binary::start();
    for program in ALL {
        let Some(mut peer) = Peer::start(*program, &json!({ "issuer": binary.issuer })) else { continue };
        for method in ["client_secret_basic", "client_secret_post"] {
            let task = json!({ "client_id": "demo", "method": method, "secret": binary.secret,
                               "parameters": { "scope": "orders:read" }, "typ": EXPLICIT,
                               "audience": ORDERS, "revoke": method == "client_secret_basic" });
            let answer = granted(&mut peer, &task);
            assert_eq!(answer["token"]["scope"], "orders:read", "{answer}");
        }
    }
}
