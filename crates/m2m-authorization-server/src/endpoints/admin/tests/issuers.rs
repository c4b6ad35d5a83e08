//! `/issuers`, and federated credentials.

use m2m_proto::jose::{Claims, JwkSet};
use m2m_proto::workload_token::WorkloadToken;

use super::*;

const GITHUB: &str = "https://token.actions.githubusercontent.com";

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("g1".to_owned())
}

fn order(key: &SigningKey) -> Value {
    let jwks: Value = serde_json::from_slice(&JwkSet::encode([key.verifying_key().as_ref()])).unwrap();
    json!({
        "id": "github", "issuer": GITHUB, "jwks": jwks,
        "conditions": [
            {"claim": "repository_owner", "equals": "acme"},
            {"claim": "/deep.er/claim", "one_of": ["a", 7, true]},
            {"claim": "ref", "matches": "refs/heads/*"},
        ],
    })
}

#[tokio::test]
async fn an_issuer_is_trusted_shown_changed_and_forgotten() {
    let office = office().await;
    let order = order(&key());
    let made = office.post("/issuers", order.clone(), 201).await;
    assert_eq!(
        (&made["status"], &made["max_lifetime"], &made["version"]),
        (&json!("active"), &json!(3600), &json!(1))
    );
    assert_eq!(made["conditions"], order["conditions"], "conditions are shown as they were ordered");
    office.post("/issuers", order.clone(), 200).await;
    let mut other = order.clone();
    other["max_lifetime"] = json!(60);
    problem(&office.call(Method::POST, "/issuers", Some(other)).await, 409, "exists");
    let mut again = order.clone();
    again["id"] = json!("second");
    problem(&office.call(Method::POST, "/issuers", Some(again)).await, 409, "conflict");

    let patch = json!({"max_lifetime": 600, "single_use": true, "conditions": null});
    let changed = office.call(Method::PATCH, "/issuers/github", Some(patch)).await.json();
    assert_eq!((&changed["max_lifetime"], &changed["single_use"]), (&json!(600), &json!(true)));
    assert_eq!((&changed["conditions"], &changed["version"]), (&json!([]), &json!(2)));
    let renamed = json!({"issuer": "https://other.example"});
    problem(&office.call(Method::PATCH, "/issuers/github", Some(renamed)).await, 422, "invalid");

    assert_eq!(office.post("/issuers/github/disable", json!({}), 200).await["status"], "disabled");
    assert_eq!(office.post("/issuers/github/enable", json!({}), 200).await["status"], "active");
    assert_eq!(office.get("/issuers").await["items"][0]["id"], "github");

    let mapping = json!({"label": "ci", "method": "federated", "issuer": "github",
        "external_subject": "repo:acme/app:**", "conditions": [{"claim": "environment", "equals": "prod"}]});
    let credential = office.post("/clients/app/credentials", mapping.clone(), 201).await;
    for member in ["issuer", "external_subject", "conditions", "method"] {
        assert_eq!(credential[member], mapping[member], "{member}");
    }
    assert!(credential.get("client_secret").is_none());
    problem(&office.call(Method::DELETE, "/issuers/github", None).await, 409, "conflict");
    let rotate = format!("/credentials/{}/rotate", credential["id"].as_str().unwrap());
    problem(&office.call(Method::POST, &rotate, Some(json!({}))).await, 422, "invalid");
    let path = format!("/credentials/{}/revoke", credential["id"].as_str().unwrap());
    office.post(&path, json!({}), 200).await;
    let gone = office.call(Method::DELETE, "/issuers/github", None).await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    problem(&office.call(Method::GET, "/issuers/github", None).await, 404, "unknown");
    let events = office.get("/audit").await;
    let told = |event: &str| {
        let mut records = events["items"].as_array().unwrap().iter();
        records.any(|record| record["event"] == event && record["subject"] == "github")
    };
    for event in ["issuer_created", "issuer_updated", "issuer_disabled", "issuer_enabled", "issuer_deleted"] {
        assert!(told(event), "{event}");
    }
}

#[tokio::test]
async fn what_cannot_be_an_issuer_or_a_mapping_is_refused() {
    let office = office().await;
    let key = key();
    let with = |name: &str, value: Value| {
        let mut order = order(&key);
        match value {
            Value::Null => drop(order.as_object_mut().unwrap().remove(name)),
            value => order[name] = value,
        }
        order
    };
    let private = json!({"keys": [{"kty": "oct", "k": "AAAA"}]});
    for order in [
        with("id", json!("explain")),
        with("id", json!("a b")),
        with("issuer", Value::Null),
        with("issuer", json!("")),
        with("issuer", json!("https://as.example")),
        with("trust_domain", json!("prod.example")),
        with("jwks", private),
        with("jwks", json!({"keys": []})),
        with("jwks", Value::Null),
        with("jwks_url", json!("https://keys.example/jwks")),
        with("ca_file", json!("/run/ca.crt")),
        with("max_lifetime", json!(0)),
        with("max_lifetime", json!(86_401)),
        with("audiences", json!(["a b"])),
        with("conditions", json!([{"claim": "a"}])),
        with("conditions", json!([{"claim": "a", "equals": "b", "matches": "c"}])),
        with("conditions", json!([{"claim": "a", "equals": null}])),
        with("conditions", json!([{"claim": "a", "equals": 1.5}])),
        with("conditions", json!([{"claim": "", "equals": "b"}])),
        with("conditions", json!([{"claim": "a", "matches": "repo:acme*"}])),
        with("conditions", json!([{"claim": "a", "one_of": []}])),
        with("regex", json!("x")),
    ] {
        problem(&office.call(Method::POST, "/issuers", Some(order)).await, 422, "invalid");
    }
    office.post("/issuers", order(&key), 201).await;
    let mapping = |issuer: &str, subject: &str| json!({"label": "ci", "method": "federated", "issuer": issuer, "external_subject": subject});
    let mut secret = mapping("github", "x");
    secret["method"] = json!("client_secret");
    let mut bare = mapping("github", "x");
    bare.as_object_mut().unwrap().remove("external_subject");
    for order in
        [mapping("nobody", "x"), mapping("github", ""), mapping("github", "repo:acme*"), secret, bare]
    {
        problem(&office.call(Method::POST, "/clients/app/credentials", Some(order)).await, 422, "invalid");
    }
}

/// `explain` names the one check that failed, and never repeats the token.
#[tokio::test]
async fn a_token_is_explained_check_by_check() {
    let office = office().await;
    let key = key();
    let mut trusted = order(&key);
    trusted["conditions"] = json!([{"claim": "repository_owner", "equals": "acme"}]);
    office.post("/issuers", trusted, 201).await;
    let mapping = json!({"label": "ci", "method": "federated", "issuer": "github",
        "external_subject": "repo:acme/app:**", "conditions": [{"claim": "environment", "equals": "prod"}]});
    let credential = office.post("/clients/app/credentials", mapping, 201).await;
    let at = office.harness.now().seconds();
    let token = |owner: &str, environment: &str| {
        let claims = json!({"iss": GITHUB, "sub": "repo:acme/app:environment:prod", "aud": ISSUER, "iat": at,
            "exp": at + 60, "repository_owner": owner, "environment": environment});
        let claims = Claims::parse(claims.to_string().as_bytes()).unwrap();
        WorkloadToken { claims: &claims, typ: Some("JWT") }.build(&key).unwrap()
    };
    let explain = async |token: &str| {
        let answer = office.call(Method::POST, "/issuers/explain", Some(json!({"token": token}))).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert!(!answer.text().contains(token), "the token is not repeated");
        answer.json()
    };
    let of = async |client: &str| {
        let question = json!({"token": token("acme", "prod"), "client_id": client});
        office.call(Method::POST, "/issuers/explain", Some(question)).await.json()
    };
    for (client, check) in [("nobody", "client"), ("admin", "mapping")] {
        let told = of(client).await;
        assert_eq!((&told["failed"], &told["mappings"]), (&json!([check]), &json!([])), "{told}");
        let row = told["checks"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&row["check"], &row["verdict"]), (&json!(check), &json!("failed")));
        assert!(row["expected"].is_string() && row["found"].is_string(), "{row}");
    }
    let good = explain(&token("acme", "prod")).await;
    assert_eq!((&good["accepted"], &good["client_id"]), (&json!(true), &json!("app")), "{good}");
    assert_eq!((&good["credential_id"], &good["failed"]), (&credential["id"], &json!([])));
    let bad = explain(&token("evil", "prod")).await;
    assert_eq!((&bad["accepted"], &bad["failed"]), (&json!(false), &json!(["condition repository_owner"])));
    let check = bad["checks"].as_array().unwrap().last().unwrap();
    assert_eq!((&check["expected"], &check["found"]), (&json!("\"acme\""), &json!("\"evil\"")));
    let bad = explain(&token("acme", "dev")).await;
    assert_eq!(bad["failed"], json!(["condition environment"]));
    assert_eq!(explain("hunter2").await["failed"], json!(["shape"]));
    assert_eq!(explain(&"a".repeat(65_536)).await["failed"], json!(["shape"]));
    for length in [0, 65_537] {
        let question = json!({"token": "a".repeat(length)});
        let answer = office.call(Method::POST, "/issuers/explain", Some(question)).await;
        assert_eq!(answer.status.as_u16(), 422, "{length}");
    }
    let used = office.get("/clients/app/credentials").await;
    assert_eq!(used["items"][0]["last_used_at"], Value::Null, "a dry run is no use");
}

/// Whoever makes the second mapping is told: the workload that both mean stands for nobody.
#[tokio::test]
async fn mappings_that_may_mean_the_same_workload_are_told() {
    let office = office().await;
    office.post("/issuers", order(&key()), 201).await;
    office.post("/clients", json!({"id": "other"}), 201).await;
    let made = async |client: &str, subject: &str, environment: &str| {
        let mapping = json!({"label": subject, "method": "federated", "issuer": "github", "external_subject": subject,
            "conditions": [{"claim": "environment", "equals": environment}]});
        office.post(&format!("/clients/{client}/credentials"), mapping, 201).await
    };
    let first = made("app", "repo:acme/app:**", "prod").await;
    assert!(first.get("overlaps").is_none(), "{first}");
    assert!(made("other", "repo:acme/app:x", "dev").await.get("overlaps").is_none(), "another environment");
    assert!(made("other", "repo:acme/web:**", "prod").await.get("overlaps").is_none(), "another repository");
    let second = made("other", "repo:acme/*:x", "prod").await;
    let told = second["overlaps"].as_array().unwrap();
    assert_eq!(told.len(), 2, "{second}");
    assert!(told.contains(&json!({"client_id": "app", "credential_id": first["id"]})), "{second}");
    let show = |credential: &Value| format!("/credentials/{}", credential["id"].as_str().unwrap());
    let seen = office.get(&show(&first)).await;
    assert_eq!(seen["overlaps"], json!([{"client_id": "other", "credential_id": second["id"]}]), "{seen}");
    office.post(&format!("{}/revoke", show(&second)), json!({}), 200).await;
    assert!(office.get(&show(&first)).await.get("overlaps").is_none(), "what has ended stands for nobody");
}
