//! The admin API through the router, with tokens that the same server issued.

mod credentials;
mod imported;
mod issuers;

use axum::body::Body;
use http::{Method, Request, StatusCode};
use m2m_proto::dpop::DpopProof;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::names::{header, media_type};
use m2m_proto::scope::Scope;
use m2m_proto::token::AccessToken;
use serde_json::{Value, json};

use super::*;
use crate::endpoints::tests::{Answer as Answered, Ask, Harness, INTROSPECT, ISSUER, ORDERS, TOKEN};
use crate::fixture::{client_id, identifier};
use crate::registry::{Client, SenderConstraint};

const API: &str = "https://as.example/admin/v1";

/// A prepared server with an administrator.
struct Office {
    harness: Harness,
    token: String,
}

async fn office() -> Office {
    let harness = Harness::new().await;
    harness.server.prepare().await.unwrap();
    let token = admin_token(&harness, "admin", "m2m:read m2m:write").await;
    Office { harness, token }
}

async fn admin_token(harness: &Harness, id: &str, scope: &str) -> String {
    let client = Client::new(client_id(id)).grant(identifier(API), Scope::parse(scope).unwrap());
    harness.server.admin().create_client(client).await.unwrap();
    let secret = harness.secret(id).await;
    harness.token(id, &secret).await
}

fn request(method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(format!("/admin/v1{path}"));
    if let Some(token) = token {
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    match body {
        Some(body) => {
            request.header(header::CONTENT_TYPE, media_type::JSON).body(Body::from(body.to_string())).unwrap()
        }
        None => request.body(Body::empty()).unwrap(),
    }
}

impl Office {
    async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answered {
        self.harness.send(request(method, path, Some(&self.token), body)).await
    }

    async fn get(&self, path: &str) -> Value {
        let answer = self.call(Method::GET, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.text());
        answer.json()
    }

    async fn post(&self, path: &str, body: Value, expect: u16) -> Value {
        let answer = self.call(Method::POST, path, Some(body)).await;
        assert_eq!(answer.status.as_u16(), expect, "{path}: {}", answer.text());
        answer.json()
    }

    async fn is_active(&self, token: &str, secret: &str) -> bool {
        let ask = Ask::about(token).basic("app", secret);
        self.harness.post(INTROSPECT, ask).await.json()["active"].as_bool().unwrap()
    }
}

fn problem(answer: &Answered, status: u16, code: &str) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), media_type::PROBLEM_JSON);
    let problem = answer.json();
    assert_eq!((&problem["status"], &problem["code"]), (&json!(status), &json!(code)), "{problem}");
    assert!(!problem["detail"].as_str().unwrap().is_empty());
}

#[test]
fn the_document_has_the_paths_of_the_router() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut described: Vec<&str> =
        document["paths"].as_object().unwrap().keys().map(String::as_str).collect();
    let mut routed: Vec<&str> = table().into_iter().map(|(path, _)| path).collect();
    described.sort_unstable();
    routed.sort_unstable();
    assert_eq!(described, routed);
}

#[tokio::test]
async fn what_was_issued_and_refused_is_counted() {
    let office = office().await;
    let ask = |secret: &str| Ask::token().basic("admin", secret);
    office.harness.post(TOKEN, ask("wrong")).await;
    let counted = office.get("/activity?parts=24").await;
    let parts = counted["parts"].as_array().unwrap();
    assert_eq!((parts.len(), &counted["part_seconds"]), (24, &json!(3600)));
    let now = office.harness.server.state_for_test().clock.wall().seconds();
    let since = office.get(&format!("/activity?since={}&until={}&parts=1", now - 60, now + 60)).await;
    assert_eq!(since["parts"][0]["issued"], 1, "{since}");
    assert_eq!(since["parts"][0]["refused"], json!({"invalid_client": 1}));
    let busy = json!({"client_id": "admin", "issued": 1, "busiest_minute": 1, "evidently_uncached": false});
    assert_eq!(since["clients"], json!([busy]));
    for wrong in ["since=9&until=9", "since=0", "parts=0", "parts=201"] {
        problem(&office.call(Method::GET, &format!("/activity?{wrong}"), None).await, 422, "invalid");
    }
    for wrong in ["parts=x", "since=-1"] {
        problem(&office.call(Method::GET, &format!("/activity?{wrong}"), None).await, 400, "malformed");
    }
}

#[tokio::test]
async fn every_described_method_exists_and_wants_a_token() {
    let office = office().await;
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in ["get", "post", "patch", "delete", "put"] {
            let concrete = path.replace("{identifier}", "x").replace("{id}", "x").replace("{jti}", "x");
            let asked = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let answer = office.harness.send(request(asked, &concrete, None, None)).await;
            let expect = match (item.get(method).is_some(), path.as_str()) {
                (true, "/openapi.json") => 200,
                (true, _) => 401,
                (false, _) => 405,
            };
            assert_eq!(answer.status.as_u16(), expect, "{method} {path}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn the_document_names_this_server() {
    let office = office().await;
    let answer = office.harness.send(request(Method::GET, "/openapi.json", None, None)).await;
    assert_eq!(answer.json()["servers"][0]["url"], API);
}

// spec-test: 6750-RS2, 6750-RS3
#[tokio::test]
async fn a_token_must_be_there_good_for_this_api_and_wide_enough() {
    let office = office().await;
    let harness = &office.harness;
    let bare = harness.send(request(Method::GET, "/apis", None, None)).await;
    problem(&bare, 401, "unauthorized");
    assert_eq!(bare.header("www-authenticate"), "Bearer");

    let secret = harness.secret("app").await;
    let foreign = harness.token("app", &secret).await;
    for token in ["garbage", &foreign] {
        let answer = harness.send(request(Method::GET, "/apis", Some(token), None)).await;
        problem(&answer, 401, "unauthorized");
        assert!(answer.header("www-authenticate").contains("invalid_token"));
    }

    let reader = admin_token(harness, "auditor", "m2m:read").await;
    let read = harness.send(request(Method::GET, "/apis", Some(&reader), None)).await;
    assert_eq!(read.status, StatusCode::OK);
    let write = request(Method::POST, "/clients", Some(&reader), Some(json!({"id": "x"})));
    let answer = harness.send(write).await;
    problem(&answer, 403, "forbidden");
    assert_eq!(answer.header("www-authenticate"), "Bearer scope=\"m2m:write\", error=\"insufficient_scope\"");
}

#[tokio::test]
async fn a_withdrawn_administrator_is_out_at_once() {
    let office = office().await;
    office.get("/apis").await;
    office.harness.server.admin().revoke_client(&client_id("admin")).await.unwrap();
    problem(&office.call(Method::GET, "/apis", None).await, 401, "unauthorized");
}

// spec-test: 9449-RS1
#[tokio::test]
async fn a_bound_token_is_worthless_without_its_key() {
    let office = office().await;
    let harness = &office.harness;
    let scope = Scope::parse("m2m:read").unwrap();
    let bound = Client::new(client_id("bound")).grant(identifier(API), scope);
    let bound = bound.sender_constraint(SenderConstraint::Dpop);
    harness.server.admin().create_client(bound).await.unwrap();
    let (secret, key) = (harness.secret("bound").await, SigningKey::generate(Algorithm::Es256).unwrap());
    let proof = |url: &str, method: &Method, token: Option<&AccessToken>, jti: &str| {
        let uri = url.parse().unwrap();
        DpopProof { method, uri: &uri, now: harness.now(), jti, nonce: None, access_token: token }
            .build(&key)
            .unwrap()
    };
    let mut ask = Ask::token().basic("bound", &secret);
    ask.headers.insert(header::DPOP, proof(&format!("{ISSUER}{TOKEN}"), &Method::POST, None, "1"));
    let token = harness.post(TOKEN, ask).await.access_token();

    let as_bearer = harness.send(request(Method::GET, "/apis", Some(&token), None)).await;
    problem(&as_bearer, 401, "unauthorized");
    let with = |proof: Option<http::HeaderValue>| {
        let mut request = request(Method::GET, "/apis", None, None);
        request.headers_mut().insert(header::AUTHORIZATION, format!("DPoP {token}").parse().unwrap());
        if let Some(proof) = proof {
            request.headers_mut().insert(header::DPOP, proof);
        }
        harness.send(request)
    };
    problem(&with(None).await, 401, "unauthorized");
    let text = AccessToken::parse(&token).unwrap();
    let good = proof(&format!("{API}/apis"), &Method::GET, Some(&text), "2");
    assert_eq!(with(Some(good.clone())).await.status, StatusCode::OK);
    problem(&with(Some(good)).await, 401, "unauthorized");
    let elsewhere = proof(&format!("{API}/clients"), &Method::GET, Some(&text), "3");
    problem(&with(Some(elsewhere)).await, 401, "unauthorized");
}

#[tokio::test]
async fn an_api_is_made_shown_changed_and_removed() {
    let office = office().await;
    let order = json!({"identifier": "https://bills.example", "scopes": ["read", {"scope": "pay", "description": "pay bills"}],
        "format": "opaque", "lifetime": 60, "alg": "EdDSA", "sender_constraint": "mtls", "resource_servers": ["bills"]});
    let made = office.call(Method::POST, "/apis", Some(order.clone())).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());
    assert_eq!(made.header("location"), "/admin/v1/apis/https%3A%2F%2Fbills.example");
    assert_eq!(made.header("etag"), "\"1\"");
    let shown = office.get("/apis/https%3A%2F%2Fbills.example").await;
    assert_eq!(shown, made.json());
    assert_eq!(shown["scopes"][1], json!({"scope": "pay", "description": "pay bills"}));
    assert_eq!((&shown["format"], &shown["version"]), (&json!("opaque"), &json!(1)));

    office.post("/apis", order, 200).await;
    let other = json!({"identifier": "https://bills.example", "lifetime": 61});
    let conflict = office.call(Method::POST, "/apis", Some(other)).await;
    problem(&conflict, 409, "exists");

    let path = "/apis/https%3A%2F%2Fbills.example";
    let patch = json!({"lifetime": null, "name": "Bills"});
    let changed = office.call(Method::PATCH, path, Some(patch)).await.json();
    assert_eq!(
        (&changed["lifetime"], &changed["name"], &changed["alg"]),
        (&json!(600), &json!("Bills"), &json!("EdDSA"))
    );
    let mut late = request(Method::PATCH, path, Some(&office.token), Some(json!({"lifetime": 9})));
    late.headers_mut().insert("if-match", "\"1\"".parse().unwrap());
    problem(&office.harness.send(late).await, 412, "version");
    let renamed = office.call(Method::PATCH, path, Some(json!({"identifier": "x"}))).await;
    problem(&renamed, 422, "invalid");

    assert_eq!(office.call(Method::DELETE, path, None).await.status, StatusCode::NO_CONTENT);
    problem(&office.call(Method::GET, path, None).await, 404, "unknown");
    let granted = format!("/apis/{}", super::apis::segment(ORDERS));
    problem(&office.call(Method::DELETE, &granted, None).await, 409, "conflict");
}

#[tokio::test]
async fn bad_orders_are_refused_by_name() {
    let office = office().await;
    let check = async |path: &str, body: Value, said: &str| {
        let answer = office.call(Method::POST, path, Some(body.clone())).await;
        problem(&answer, 422, "invalid");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said), "{body}: {detail}");
    };
    check("/apis", json!({"identifier": "a b"}), "a b").await;
    check("/apis", json!({"identifier": "x", "lifetme": 1}), "lifetme").await;
    check("/apis", json!({"identifier": "x", "lifetime": 0}), "between 1 s and 24 h").await;
    check("/apis", json!({"identifier": "x", "alg": "HS256"}), "symmetric").await;
    check("/apis", json!({"identifier": "x", "format": "xml"}), "jwt, opaque").await;
    check("/apis", json!({"identifier": "x", "scopes": ["a", "a"]}), "twice").await;
    check("/clients", json!({"id": "x", "grants": [{"api": "none", "scopes": []}]}), "none").await;
    check("/clients", json!({"id": "x", "grants": [{"api": ORDERS, "scopes": ["orders:admin"]}]}), ORDERS)
        .await;
    check("/clients", json!({"id": "x", "allowed_networks": ["10.0.0.1/8"]}), "10.0.0.1/8").await;
    check("/clients", json!({"id": "x", "review_by": "2027-02-30"}), "2027-02-30").await;
    check("/clients", json!({"id": "x", "mint_quota": 0}), "disable").await;
    check("/clients", json!({"id": "x y"}), "letters").await;
    check("/clients", json!({"id": "x%20y"}), "letters").await;
    check("/clients", json!({"id": "x", "owner": "a\nb"}), "control").await;
    let credentials = "/clients/app/credentials";
    check(credentials, json!({"label": "a", "method": "password"}), "client_secret").await;
    check(credentials, json!({"label": "a", "method": "client_secret_basic"}), "secret_use").await;
    check(credentials, json!({"label": "", "method": "client_secret"}), "label").await;
    check(credentials, json!({"label": "a", "method": "private_key_jwt"}), "jwks").await;
    check(credentials, json!({"label": "a", "method": "private_key_jwt", "jwks": {"keys": []}}), "no key")
        .await;
    check(
        credentials,
        json!({"label": "a", "method": "client_secret", "jwks_uri": "https://x.example"}),
        "nothing",
    )
    .await;
    check(credentials, json!({"label": "a", "method": "client_secret", "expires_in": 0}), "expires_in").await;
    check(credentials, json!({"label": "a", "method": "tls_client_auth", "subject": "CN=x"}), "certificates")
        .await;
}

#[tokio::test]
async fn bodies_have_a_type_a_shape_and_a_size() {
    let office = office().await;
    let with = |media: &str, body: String| {
        let mut request = request(Method::POST, "/clients", Some(&office.token), None);
        request.headers_mut().insert(header::CONTENT_TYPE, media.parse().unwrap());
        *request.body_mut() = Body::from(body);
        office.harness.send(request)
    };
    problem(&with("text/plain", "{}".into()).await, 415, "media_type");
    problem(&with(media_type::JSON, "{".into()).await, 400, "malformed");
    problem(&with(media_type::JSON, "[]".into()).await, 400, "malformed");
    problem(&with(media_type::JSON, r#"{"id":"a","id":"b"}"#.into()).await, 400, "malformed");
    problem(&with(media_type::JSON, " ".repeat(1 << 21)).await, 413, "too_large");
}

/// A fresh token of the administrator.
async fn admin_again(office: &Office) -> String {
    let secret = office.harness.secret("admin").await;
    office.harness.token("admin", &secret).await
}

/// An offline verifier sees of a token that was exchanged neither the token before it nor its credential.
#[tokio::test]
async fn what_was_exchanged_lives_on_offline_and_that_is_said() {
    let office = office().await;
    let offline = async |path: &str| {
        office.post(path, json!({}), 200).await["effective"]["offline_seconds"].as_u64().unwrap()
    };
    let credential = async || {
        let order = json!({"label": "1", "method": "client_secret"});
        let made = office.post("/clients/app/credentials", order, 201).await;
        format!("/credentials/{}/revoke", made["id"].as_str().unwrap())
    };
    assert_eq!(offline(&credential().await).await, 60, "nobody exchanges tokens");
    office.post("/clients", json!({"id": "gateway", "token_exchange": true}), 201).await;
    // The life of a token of the API, and the skew of whoever checks it.
    assert_eq!(offline(&credential().await).await, 630);
    assert_eq!(offline("/tokens/some-jti/revoke").await, 630);
    let cap = json!({"lifetime_cap": 60});
    office.call(Method::PATCH, "/clients/app", Some(cap)).await;
    assert_eq!(offline(&credential().await).await, 90, "tokens of this client live shorter");
    assert_eq!(offline("/clients/app/disable").await, 90);
    office.post("/clients/gateway/revoke", json!({}), 200).await;
    assert_eq!(offline(&credential().await).await, 60);
}

#[tokio::test]
async fn a_client_is_switched_off_and_on_and_away() {
    let office = office().await;
    let secret = office.harness.secret("app").await;
    let off = office.post("/clients/app/disable", json!({}), 200).await;
    assert_eq!((&off["status"], off["effective"].is_object()), (&json!("disabled"), true));
    office.harness.post(TOKEN, Ask::token().basic("app", &secret)).await.refused(401, "invalid_client");
    let on = office.post("/clients/app/enable", json!({}), 200).await;
    assert_eq!((&on["status"], on.get("effective")), (&json!("active"), None));
    office.harness.token("app", &secret).await;
    office.post("/clients/app/revoke", json!({}), 200).await;
    let back = office.call(Method::POST, "/clients/app/enable", Some(json!({}))).await;
    problem(&back, 409, "conflict");
    assert_eq!(office.call(Method::DELETE, "/clients/app", None).await.status, StatusCode::NO_CONTENT);
    problem(&office.call(Method::GET, "/clients/app", None).await, 404, "unknown");
}

#[tokio::test]
async fn scopes_that_are_granted_and_never_used_are_told() {
    let office = office().await;
    let secret = office.harness.secret("app").await;
    let unused = |client: &Value| client["unused_scopes"].clone();
    let all = json!([{"api": ORDERS, "scopes": ["orders:read", "orders:write"]}]);
    assert_eq!(unused(&office.get("/clients/app").await), all);
    office.harness.post(TOKEN, Ask::token().scope("orders:read").basic("app", &secret)).await.access_token();
    let left = json!([{"api": ORDERS, "scopes": ["orders:write"]}]);
    assert_eq!(unused(&office.get("/clients/app").await), left);
}

#[tokio::test]
async fn a_review_that_is_overdue_is_told() {
    let office = office().await;
    let client = |day: &str| json!({"id": day, "review_by": day});
    for (day, overdue) in [("2026-11-22", true), ("2026-11-23", false)] {
        let made = office.post("/clients", client(day), 201).await;
        assert_eq!((&made["review_by"], &made["review_overdue"]), (&json!(day), &json!(overdue)));
    }
}

#[tokio::test]
async fn lists_come_in_pages() {
    let office = office().await;
    for number in 0..7 {
        office.post("/clients", json!({"id": format!("page{number}")}), 201).await;
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = office.get(&format!("/clients?limit=2{cursor}")).await;
        found.extend(
            page["items"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert!(found.is_sorted());
    assert_eq!(found.iter().filter(|id| id.starts_with("page")).count(), 7);
    for bad in ["limit=0", "limit=1001", "limit=x", "cursor=!", "cursor=/w"] {
        let answer = office.call(Method::GET, &format!("/clients?{bad}"), None).await;
        problem(&answer, 400, "malformed");
    }
}

#[tokio::test]
async fn tokens_are_listed_and_withdrawn_by_name() {
    let office = office().await;
    let secret = office.harness.secret("app").await;
    let token = office.harness.token("app", &secret).await;
    let listed = office.get("/tokens?client_id=app").await;
    let shown = &listed["items"][0];
    assert_eq!((&shown["api"], &shown["revoked"]), (&json!(ORDERS), &json!(false)));
    let jti = shown["jti"].as_str().unwrap();
    let revoked = office.post(&format!("/tokens/{jti}/revoke"), json!({}), 200).await;
    assert_eq!((&revoked["jti"], &revoked["revoked"]), (&json!(jti), &json!(true)));
    assert!(!office.is_active(&token, &secret).await);
    assert_eq!(office.get("/tokens?client_id=app").await["items"][0]["revoked"], true);
}

/// Who may read only can still sign out; the same token, and no other, and not without end.
#[tokio::test]
async fn whoever_holds_a_token_may_end_it() {
    let office = office().await;
    let reader = admin_token(&office.harness, "auditor", "m2m:read").await;
    let jti = |listed: Value| listed["items"][0]["jti"].as_str().unwrap().to_owned();
    let own = jti(office.get("/tokens?client_id=auditor").await);
    let other = jti(office.get("/tokens?client_id=admin").await);
    let end = |jti: &str| request(Method::POST, &format!("/tokens/{jti}/revoke"), Some(&reader), None);
    problem(&office.harness.send(end(&other)).await, 403, "forbidden");

    let registry = office.harness.server.admin().registry().unwrap();
    let rates = registry.registration(&client_id("auditor")).unwrap().rates();
    let now = m2m_io::Clock::now(office.harness.clock.as_ref()).monotonic;
    for _ in 0..200 {
        rates.revoked.count(Some(200), now).unwrap();
    }
    problem(&office.harness.send(end(&own)).await, 429, "slow_down");
    office.harness.advance(60);
    let ended = office.harness.send(end(&own)).await;
    assert_eq!((ended.status, &ended.json()["issued"]), (StatusCode::OK, &json!(true)));
    problem(&office.harness.send(end(&own)).await, 401, "unauthorized");
    let record = &office.get("/audit?event=token_revoked").await["items"][0];
    assert_eq!((&record["jti"], &record["actor"]), (&json!(own), &json!("auditor")));
}

#[tokio::test]
async fn the_audit_knows_who_did_what() {
    let office = office().await;
    office.post("/clients", json!({"id": "new"}), 201).await;
    let secret = office.harness.secret("app").await;
    office.harness.post(TOKEN, Ask::token().basic("app", &secret).from("192.0.2.9")).await.access_token();
    office.harness.post(TOKEN, Ask::token().basic("app", "wrong").from("192.0.2.8")).await;
    let created = office.get("/audit?event=client_created&client_id=new").await;
    assert_eq!(
        (&created["items"][0]["actor"], created["items"].as_array().unwrap().len()),
        (&json!("admin"), 1)
    );
    let issued = office.get("/audit?event=token_issued&client_id=app").await;
    assert_eq!(issued["items"][0]["address"], "192.0.2.9");
    let refused = office.get("/audit?event=request_refused&client_id=app").await;
    let record = &refused["items"][0];
    assert_eq!((&record["error"], &record["address"]), (&json!("invalid_client"), &json!("192.0.2.8")));
    problem(&office.call(Method::GET, "/audit?event=nonsense", None).await, 400, "malformed");
}

#[tokio::test]
async fn keys_are_listed_and_replaced() {
    let office = office().await;
    let before = office.get("/keys").await;
    assert_eq!(before["items"][0]["phase"], "active");
    let rolled = office.post("/keys/roll", json!({"alg": "ES256"}), 200).await;
    let phases: Vec<&str> =
        rolled["items"].as_array().unwrap().iter().map(|key| key["phase"].as_str().unwrap()).collect();
    assert_eq!(phases, ["active", "next"]);
    let withdrawn = office.post("/keys/roll", json!({"alg": "ES256", "emergency": true}), 200).await;
    assert_eq!(withdrawn["items"].as_array().unwrap().len(), 1);
    assert_ne!(withdrawn["items"][0]["kid"], before["items"][0]["kid"]);
    assert_eq!(withdrawn["effective"]["offline_seconds"], 3600);
    // The administrator's own token was signed by what is withdrawn now.
    problem(&office.call(Method::GET, "/keys", None).await, 401, "unauthorized");
}

#[tokio::test]
async fn an_administrator_without_grant_does_not_give_it_back() {
    let office = office().await;
    let other = admin_token(&office.harness, "other", "m2m:read m2m:write").await;
    let grants = json!([{"api": API, "scopes": ["m2m:write", "m2m:read"]}]);
    let patch = async |token: &str, grants: &Value| {
        let body = json!({"grants": grants});
        office.harness.send(request(Method::PATCH, "/clients/other", Some(token), Some(body))).await
    };
    assert_eq!(patch(&other, &grants).await.status, StatusCode::OK);
    assert_eq!(patch(&office.token, &json!([])).await.status, StatusCode::OK);
    problem(&patch(&other, &grants).await, 403, "forbidden");
    let refused = office.get("/audit?event=request_refused&client_id=other").await;
    assert_eq!(refused["items"][0]["error"], "insufficient_scope");
}

#[tokio::test]
async fn a_binding_that_is_demanded_now_is_demanded_of_old_tokens() {
    let office = office().await;
    let path = format!("/apis/{}", super::apis::segment(API));
    let patch = json!({"sender_constraint": "dpop"});
    assert_eq!(office.call(Method::PATCH, &path, Some(patch)).await.status, StatusCode::OK);
    problem(&office.call(Method::GET, "/apis", None).await, 403, "forbidden");
}

#[tokio::test]
async fn callers_without_a_token_have_a_budget() {
    let office = office().await;
    let call = async || office.harness.send(request(Method::GET, "/apis", Some("garbage"), None)).await;
    let mut refused = 0;
    let over = loop {
        let answer = call().await;
        if answer.status != StatusCode::UNAUTHORIZED {
            break answer;
        }
        refused += 1;
    };
    assert_eq!(refused, crate::FailureBudget::default().per_address);
    problem(&over, 429, "slow_down");
    assert_eq!(over.header("retry-after"), "60");
}

#[tokio::test]
async fn an_api_made_again_is_another_api() {
    let office = office().await;
    let api = json!({"identifier": "https://b.example", "scopes": ["r"]});
    let path = "/apis/https%3A%2F%2Fb.example";
    office.post("/apis", api.clone(), 201).await;
    let grants = json!([{"api": "https://b.example", "scopes": ["r"]}]);
    office.post("/clients", json!({"id": "b", "grants": grants}), 201).await;
    let secret = office.harness.secret("b").await;
    let token = office.harness.token("b", &secret).await;
    let active = async || {
        let ask = Ask::about(&token).basic("b", &secret);
        office.harness.post(INTROSPECT, ask).await.json()["active"].as_bool().unwrap()
    };
    assert!(active().await);
    office.call(Method::PATCH, "/clients/b", Some(json!({"grants": []}))).await;
    assert_eq!(office.call(Method::DELETE, path, None).await.status, StatusCode::NO_CONTENT);
    assert!(!active().await);
    office.harness.advance(1);
    office.post("/apis", api, 201).await;
    assert!(!active().await, "it was for the one that is gone");
}

#[tokio::test]
async fn acts_are_for_the_version_that_they_name() {
    let office = office().await;
    let credential =
        office.post("/clients/app/credentials", json!({"label": "p", "method": "client_secret"}), 201).await;
    let credential = format!("/credentials/{}", credential["id"].as_str().unwrap());
    for path in ["/clients/app/disable", "/clients/app/enable", "/clients/app/revoke"] {
        let mut request = request(Method::POST, path, Some(&office.token), None);
        request.headers_mut().insert("if-match", "\"99\"".parse().unwrap());
        problem(&office.harness.send(request).await, 412, "version");
    }
    for act in ["rotate", "revoke"] {
        let mut request = request(Method::POST, &format!("{credential}/{act}"), Some(&office.token), None);
        request.headers_mut().insert("if-match", "\"99\"".parse().unwrap());
        problem(&office.harness.send(request).await, 412, "version");
    }
}

#[tokio::test]
async fn what_was_read_can_be_sent_back() {
    let office = office().await;
    for path in ["/clients/app".to_owned(), format!("/apis/{}", super::apis::segment(ORDERS))] {
        let mut read = office.get(&path).await;
        read.as_object_mut().unwrap().remove("unused_scopes");
        read["name"] = json!("changed");
        let answer = office.call(Method::PATCH, &path, Some(read)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let version = office.call(Method::PATCH, &path, Some(json!({"version": 99}))).await;
        problem(&version, 422, "invalid");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_replaced_say_so() {
    let office = office().await;
    let symmetric = office.call(Method::POST, "/keys/roll", Some(json!({"alg": "HS256"}))).await;
    problem(&symmetric, 422, "invalid");
    let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let harness = Harness::with(|settings| settings.signing_key(key)).await;
    harness.server.prepare().await.unwrap();
    let token = admin_token(&harness, "admin", "m2m:read m2m:write").await;
    let body = json!({"alg": "EdDSA", "emergency": true});
    problem(
        &harness.send(request(Method::POST, "/keys/roll", Some(&token), Some(body))).await,
        409,
        "conflict",
    );
}

#[tokio::test]
async fn a_path_that_is_none_is_a_problem_too() {
    let office = office().await;
    problem(&office.call(Method::GET, "/nothing/here", None).await, 404, "unknown");
}
