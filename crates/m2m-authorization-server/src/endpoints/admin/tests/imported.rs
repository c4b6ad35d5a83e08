//! Credentials whose secret another system made.

use super::*;

const SECRET: &str = "hunter2-hunter2";
const BCRYPT: &str = "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e";

async fn order(office: &Office, order: Value, expect: u16) -> Value {
    office.post("/clients/app/credentials", order, expect).await
}

#[tokio::test]
async fn an_imported_secret_is_never_shown() {
    let office = office().await;
    let hashed = json!({"label": "hydra", "method": "client_secret", "secret_hash": BCRYPT});
    let plain = json!({"label": "keycloak", "method": "client_secret", "client_secret": "an old secret's text"
        .replace(' ', "-"), "secret_use": "post"});
    let mut seen = String::new();
    for (order_of, kept, used) in [(&hashed, "bcrypt", "basic_or_post"), (&plain, "keyed", "post")] {
        let made = order(&office, order_of.clone(), 201).await;
        assert_eq!((&made["imported_hash"], &made["secret_use"]), (&json!(kept), &json!(used)));
        assert_eq!((&made["method"], made.get("client_secret")), (&json!("client_secret"), None));
        seen.push_str(&made.to_string());
    }
    seen.push_str(&office.get("/clients/app/credentials").await.to_string());
    seen.push_str(&office.get("/audit").await.to_string());
    for secret in ["4UXH2yo3", "an-old-secret"] {
        assert!(!seen.contains(secret), "{seen}");
    }
    let ask = Ask::token().in_body("app", SECRET);
    office.harness.post(TOKEN, ask).await.access_token();
    let shown = office.get("/clients/app/credentials").await;
    assert_eq!(shown["items"][0]["imported_hash"], "keyed");
    assert_eq!(shown["items"][0]["version"], 2);
}

#[tokio::test]
async fn what_cannot_be_imported_is_refused_and_not_repeated() {
    let office = office().await;
    let check = async |members: Value, said: &str| {
        let mut order = json!({"label": "x", "method": "client_secret"});
        order.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
        let answer = office.call(Method::POST, "/clients/app/credentials", Some(order)).await;
        problem(&answer, 422, "invalid");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(said) && !detail.contains("tell-nobody"), "{detail}");
    };
    check(json!({"secret_hash": "tell-nobody"}), "neither bcrypt").await;
    check(json!({"secret_hash": BCRYPT.replace("$04$", "$20$")}), "cost too much").await;
    check(json!({"client_secret": "tell-nobody\n"}), "client_secret cannot be used").await;
    check(json!({"client_secret": ["tell-nobody"]}), "a secret is a text").await;
    check(json!({"client_secret": "tell-nobody", "secret_hash": BCRYPT}), "not both").await;
    check(json!({"method": "client_secret_jwt", "client_secret": "tell-nobody"}), "takes nothing").await;
}

#[tokio::test]
async fn an_imported_secret_is_followed_by_one_of_this_server() {
    let office = office().await;
    let old =
        order(&office, json!({"label": "a", "method": "client_secret", "secret_hash": BCRYPT}), 201).await;
    let path = format!("/credentials/{}/rotate", old["id"].as_str().unwrap());
    let new = office.post(&path, json!({"overlap": 60}), 201).await;
    assert!(new["client_secret"].as_str().unwrap().starts_with("m2m_sk_"));
    assert_eq!(new.get("imported_hash"), None);
    office.harness.token("app", SECRET).await;
    office.harness.token("app", new["client_secret"].as_str().unwrap()).await;
}

#[tokio::test]
async fn what_a_credential_is_made_of_is_shown() {
    let office = office().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
    let jwks = json!({"keys": [Value::Object(key.public_jwk().unwrap().to_public_json())]});
    let asked =
        json!({"label": "k", "method": "private_key_jwt", "jwks": jwks, "accept_untyped_assertion": true});
    let made = order(&office, asked, 201).await;
    assert_eq!(made["jwks"]["keys"][0]["x"], jwks["keys"][0]["x"]);
    assert_eq!(made["accept_untyped_assertion"], true);
    assert_eq!(made.get("accept_token_endpoint_audience"), None);
    assert!(!made.to_string().contains("\"d\""));
}
