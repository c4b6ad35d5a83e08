//! Credentials: made, listed, followed by others, withdrawn.

use super::*;

#[tokio::test]
async fn a_secret_is_shown_once_and_an_order_repeated_makes_nothing() {
    let office = office().await;
    let order = json!({"label": "pod 1", "method": "client_secret", "expires_in": 3600});
    let ask = |key: &str| {
        let mut request =
            request(Method::POST, "/clients/app/credentials", Some(&office.token), Some(order.clone()));
        request.headers_mut().insert("idempotency-key", key.parse().unwrap());
        office.harness.send(request)
    };
    let first = ask("k1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{}", first.text());
    let (first, again) = (first.json(), ask("k1").await);
    assert_eq!(again.status, StatusCode::OK);
    assert_eq!(again.json()["id"], first["id"]);
    assert!(again.json().get("client_secret").is_none());
    assert_ne!(ask("k2").await.json()["id"], first["id"]);
    let secret = first["client_secret"].as_str().unwrap();
    office.harness.token("app", secret).await;
    let shown = office.get(&format!("/credentials/{}", first["id"].as_str().unwrap())).await;
    assert!(shown.get("client_secret").is_none());
    assert_eq!(shown["last_used_at"], office.harness.now().seconds());
    assert_eq!(shown["expires_at"], office.harness.now().seconds() + 3600);
    assert!(!office.get("/clients/app/credentials").await.to_string().contains(secret));
    assert!(!office.get("/audit").await.to_string().contains(secret));
}

#[tokio::test]
async fn a_rotation_overlaps_and_tells_when_it_is_finished() {
    let office = office().await;
    let order = json!({"label": "pod 1", "method": "client_secret"});
    let old = office.post("/clients/app/credentials", order, 201).await;
    let (old_id, old_secret) = (old["id"].as_str().unwrap(), old["client_secret"].as_str().unwrap());
    office.harness.token("app", old_secret).await;
    let new = office.post(&format!("/credentials/{old_id}/rotate"), json!({"overlap": 7200}), 201).await;
    assert_eq!((&new["replaces"], &new["label"]), (&json!(old_id), &json!("pod 1")));
    let path = format!("/credentials/{old_id}");
    let old_now = office.get(&path).await;
    assert_eq!(old_now["expires_at"], office.harness.now().seconds() + 7200);
    assert_eq!((&old_now["safe_to_remove"], &old_now["replaced_by"]), (&json!(false), &new["id"]));

    office.harness.token("app", old_secret).await;
    office.harness.token("app", new["client_secret"].as_str().unwrap()).await;
    assert_eq!(office.get(&path).await["safe_to_remove"], false, "used a moment ago");
    // Whoever went on with the old secret would have renewed its token within one life.
    office.harness.advance(600);
    let office = Office { token: admin_again(&office).await, ..office };
    assert_eq!(office.get(&path).await["safe_to_remove"], true);
    office.harness.advance(6600);
    let ended = office.harness.post(TOKEN, Ask::token().basic("app", old_secret)).await;
    ended.refused(401, "invalid_client");
}

#[tokio::test]
async fn the_credentials_of_all_clients_are_one_list() {
    let office = office().await;
    let order = json!({"label": "pod 1", "method": "client_secret"});
    let old = office.post("/clients/app/credentials", order, 201).await;
    office.harness.token("app", old["client_secret"].as_str().unwrap()).await;
    let rotate = format!("/credentials/{}/rotate", old["id"].as_str().unwrap());
    let new = office.post(&rotate, json!({"overlap": 7200}), 201).await;
    office.harness.token("app", new["client_secret"].as_str().unwrap()).await;
    office.harness.advance(600);
    let office = Office { token: admin_again(&office).await, ..office };

    let whole = office.get("/credentials").await;
    assert_eq!(whole["next"], Value::Null);
    let (mut found, mut path) = (Vec::new(), "/credentials?limit=1".to_owned());
    while let Some(next) = {
        let page = office.get(&path).await;
        found.extend(page["items"].as_array().unwrap().clone());
        page["next"].as_str().map(str::to_owned)
    } {
        path = format!("/credentials?limit=1&cursor={next}");
    }
    assert_eq!(json!(found), whole["items"], "a page at a time or all at once");
    let mut each = Vec::new();
    for client in ["admin", "app"] {
        each.extend(
            office.get(&format!("/clients/{client}/credentials")).await["items"].as_array().unwrap().clone(),
        );
    }
    each.sort_by_key(|one| one["id"].as_str().unwrap().to_owned());
    assert_eq!(found, each, "as each client shows its own, uses and advice included");
    office.post(&format!("/credentials/{}/revoke", new["id"].as_str().unwrap()), json!({}), 200).await;
    office
        .post(
            "/clients/admin/credentials",
            json!({"label": "brief", "method": "client_secret", "expires_in": 60}),
            201,
        )
        .await;
    office.harness.advance(60);
    let labels = |listed: Value| -> Vec<String> {
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| format!("{} {}", one["client_id"], one["label"]))
            .collect()
    };
    let standing = labels(office.get("/credentials?standing=true").await);
    assert_eq!(standing.iter().filter(|label| label.contains("app")).count(), 1, "{standing:?}");
    assert!(!standing.iter().any(|label| label.contains("brief")), "{standing:?}");
    office.post("/clients/app/disable", json!({}), 200).await;
    let standing = labels(office.get("/credentials?standing=true").await);
    assert!(!standing.is_empty() && !standing.iter().any(|label| label.contains("app")), "{standing:?}");
    problem(&office.call(Method::GET, "/credentials?standing=maybe", None).await, 400, "malformed");
    let safe = found.iter().find(|one| one["id"] == old["id"]).unwrap();
    assert_eq!(safe["safe_to_remove"], true, "its successor, on another page, is in use");
}

#[tokio::test]
async fn one_instance_is_revoked_and_the_other_goes_on() {
    let office = office().await;
    let make = async |label: &str| {
        let order = json!({"label": label, "method": "client_secret"});
        let made = office.post("/clients/app/credentials", order, 201).await;
        let secret = made["client_secret"].as_str().unwrap().to_owned();
        let token = office.harness.token("app", &secret).await;
        (made["id"].as_str().unwrap().to_owned(), secret, token)
    };
    let ((first, first_secret, first_token), (_, second_secret, second_token)) =
        (make("1").await, make("2").await);
    let revoked = office.post(&format!("/credentials/{first}/revoke"), json!({}), 200).await;
    assert_eq!(revoked["status"], "revoked");
    assert_eq!(revoked["effective"], json!({"introspection_seconds": 1, "offline_seconds": 60}));
    assert!(!office.is_active(&first_token, &second_secret).await);
    assert!(office.is_active(&second_token, &second_secret).await);
    let refused = office.harness.post(TOKEN, Ask::token().basic("app", &first_secret)).await;
    refused.refused(401, "invalid_client");
    office.harness.token("app", &second_secret).await;
}

#[tokio::test]
async fn a_successor_lives_as_long_as_its_predecessor_was_meant_to() {
    let office = office().await;
    let order = json!({"label": "pod", "method": "client_secret", "expires_in": 7_776_000});
    let old = office.post("/clients/app/credentials", order, 201).await;
    let path = format!("/credentials/{}/rotate", old["id"].as_str().unwrap());
    let new = office.post(&path, json!({"overlap": 60}), 201).await;
    assert_eq!(new["expires_at"], office.harness.now().seconds() + 7_776_000);
    let path = format!("/credentials/{}/rotate", new["id"].as_str().unwrap());
    let next = office.post(&path, json!({"expires_in": 100}), 201).await;
    assert_eq!(next["expires_at"], office.harness.now().seconds() + 100);
}

#[tokio::test]
async fn a_token_ends_with_its_credential() {
    let office = office().await;
    let other = office.harness.secret("app").await;
    let old =
        office.post("/clients/app/credentials", json!({"label": "p", "method": "client_secret"}), 201).await;
    let token = office.harness.token("app", old["client_secret"].as_str().unwrap()).await;
    let path = format!("/credentials/{}/rotate", old["id"].as_str().unwrap());
    office.post(&path, json!({"overlap": 60}), 201).await;
    office.harness.advance(59);
    assert!(office.is_active(&token, &other).await);
    office.harness.advance(1);
    assert!(!office.is_active(&token, &other).await);
    assert_eq!(office.get("/tokens?client_id=app").await["items"][0]["revoked"], true);
}

#[tokio::test]
async fn one_idempotency_key_is_for_one_order() {
    let office = office().await;
    let ask = |label: &str| {
        let order = json!({"label": label, "method": "client_secret"});
        let mut request = request(Method::POST, "/clients/app/credentials", Some(&office.token), Some(order));
        request.headers_mut().insert("idempotency-key", "k".parse().unwrap());
        office.harness.send(request)
    };
    assert_eq!(ask("a").await.status, StatusCode::CREATED);
    assert_eq!(ask("a").await.status, StatusCode::OK);
    problem(&ask("b").await, 409, "conflict");
    // The same words about another secret are another order: whoever replaces a leaked one must not believe it done.
    let given = |secret: &str| {
        let order = json!({"label": "old", "method": "client_secret", "client_secret": secret});
        let mut request = request(Method::POST, "/clients/app/credentials", Some(&office.token), Some(order));
        request.headers_mut().insert("idempotency-key", "given".parse().unwrap());
        office.harness.send(request)
    };
    assert_eq!(given("the-first-secret").await.status, StatusCode::CREATED);
    assert_eq!(given("the-first-secret").await.status, StatusCode::OK);
    problem(&given("the-second-secret").await, 409, "conflict");
}

/// Whoever can change keys on their way can write assertions.
#[tokio::test]
async fn keys_of_a_client_do_not_come_in_the_clear() {
    let office = office().await;
    let order = json!({"label": "k", "method": "private_key_jwt", "jwks_uri": "http://app.example/jwks"});
    let answer = office.call(Method::POST, "/clients/app/credentials", Some(order)).await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(answer.text().contains("jwks_uri: "), "{}", answer.text());
}
