//! Introspection and revocation.

use super::*;
use crate::registry::{Api, Status};

const INACTIVE: &str = r#"{"active":false}"#;

/// `app` gets tokens, `orders` is the resource server of the API, `other` is anybody.
struct Three {
    harness: Harness,
    app: String,
    other: String,
    orders: String,
}

const BILLS: &str = "https://bills.example";

async fn three() -> Three {
    let harness = Harness::new().await;
    let admin = harness.server.admin();
    let bills = Api::new(identifier(BILLS)).resource_server(client_id("orders"));
    admin.create_api(bills).await.unwrap();
    for id in ["orders", "other"] {
        admin
            .create_client(Client::new(client_id(id)).grant(identifier(BILLS), Scope::empty()))
            .await
            .unwrap();
    }
    let billed = Client::new(client_id("billed")).grant(identifier(BILLS), Scope::empty());
    admin.create_client(billed).await.unwrap();
    let (app, other, orders) =
        (harness.secret("billed").await, harness.secret("other").await, harness.secret("orders").await);
    Three { harness, app, other, orders }
}

impl Three {
    async fn token(&self) -> String {
        self.harness.token("billed", &self.app).await
    }

    async fn seen_by(&self, client: &str, secret: &str, token: &str) -> Answer {
        let answer = self.harness.post(INTROSPECT, Ask::about(token).basic(client, secret)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(answer.header("cache-control"), "no-store");
        answer
    }

    async fn is_active(&self, token: &str) -> bool {
        self.seen_by("orders", &self.orders, token).await.json()["active"].as_bool().unwrap()
    }

    async fn revoke(&self, client: &str, secret: &str, token: &str) -> Answer {
        let answer = self.harness.post(REVOKE, Ask::about(token).basic(client, secret)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        answer
    }
}

// spec-test: 7662-AS1
#[tokio::test]
async fn owner_and_resource_server_see_a_token_and_nobody_else() {
    let three = three().await;
    let token = three.token().await;
    for (client, secret) in [("billed", &three.app), ("orders", &three.orders)] {
        let seen = three.seen_by(client, secret, &token).await.json();
        assert_eq!(seen["active"], true, "{client}");
        assert_eq!(seen["client_id"], "billed");
        assert_eq!(seen["aud"], BILLS);
        assert_eq!(seen["iss"], ISSUER);
        assert_eq!(seen["token_type"], "Bearer");
        assert_eq!(seen["exp"], three.harness.now().seconds() + 600);
    }
    assert_eq!(three.seen_by("other", &three.other, &token).await.text(), INACTIVE);
}

// spec-test: 7662-AS1
#[tokio::test]
async fn introspection_demands_authentication() {
    let three = three().await;
    let token = three.token().await;
    three.harness.post(INTROSPECT, Ask::about(&token)).await.refused(400, "invalid_client");
    let wrong = three.harness.post(INTROSPECT, Ask::about(&token).basic("orders", "wrong")).await;
    wrong.refused(401, "invalid_client");
    let nothing = three.harness.post(INTROSPECT, Ask::default().basic("orders", &three.orders)).await;
    nothing.refused(400, "invalid_request");
}

#[tokio::test]
async fn what_is_no_token_of_ours_is_inactive_like_everything_else() {
    let three = three().await;
    let token = three.token().await;
    let mut tampered = token.clone();
    tampered.truncate(token.len() - 4);
    tampered.push_str("AAAA");
    let foreign = Harness::new().await;
    let foreign_secret = foreign.secret("app").await;
    let foreign = foreign.token("app", &foreign_secret).await;
    for text in ["", "garbage", "a.b.c", &tampered, &foreign].into_iter().filter(|text| !text.is_empty()) {
        assert_eq!(three.seen_by("orders", &three.orders, text).await.text(), INACTIVE, "{text}");
    }
    three.harness.advance(600);
    assert_eq!(three.seen_by("orders", &three.orders, &token).await.text(), INACTIVE, "expired");
}

// spec-test: 7009-AS1
#[tokio::test]
async fn a_client_withdraws_its_own_token() {
    let three = three().await;
    let (token, kept) = (three.token().await, three.token().await);
    assert!(three.is_active(&token).await);
    let answer = three.revoke("billed", &three.app, &token).await;
    assert!(answer.body.is_empty());
    assert!(!three.is_active(&token).await);
    assert!(three.is_active(&kept).await, "and no other");
    three.revoke("billed", &three.app, &token).await;
}

// spec-test: 7009-AS1
#[tokio::test]
async fn a_client_cannot_fill_the_memory_of_what_was_withdrawn() {
    let three = three().await;
    let token = three.token().await;
    for _ in 0..200 {
        three.revoke("billed", &three.app, &token).await;
    }
    let ask = Ask::about(&token).basic("billed", &three.app);
    let over = three.harness.post(REVOKE, ask.clone()).await;
    over.refused(429, "slow_down");
    assert_eq!(over.header("retry-after"), "60");
    three.revoke("other", &three.other, &token).await;
    three.harness.advance(60);
    assert_eq!(three.harness.post(REVOKE, ask).await.status, StatusCode::OK);
}

#[tokio::test]
async fn nobody_withdraws_the_token_of_another() {
    let three = three().await;
    let token = three.token().await;
    three.revoke("other", &three.other, &token).await;
    three.revoke("orders", &three.orders, &token).await;
    assert!(three.is_active(&token).await);
}

// spec-test: 7009-AS1
#[tokio::test]
async fn withdrawing_nonsense_succeeds_with_any_hint() {
    let three = three().await;
    three.revoke("billed", &three.app, "nonsense").await;
    let token = three.token().await;
    let ask = Ask::about(&token).with("token_type_hint", "refresh_token").basic("billed", &three.app);
    assert_eq!(three.harness.post(REVOKE, ask).await.status, StatusCode::OK);
    assert!(!three.is_active(&token).await, "a wrong hint is no excuse");
}

#[tokio::test]
async fn revocation_demands_authentication() {
    let three = three().await;
    let token = three.token().await;
    three.harness.post(REVOKE, Ask::about(&token)).await.refused(400, "invalid_client");
    assert!(three.is_active(&token).await);
}

#[tokio::test]
async fn an_administrator_withdraws_a_token_by_name() {
    let three = three().await;
    let token = three.token().await;
    let jti = three.seen_by("billed", &three.app, &token).await.member("jti");
    let admin = three.harness.server.admin();
    assert_eq!(admin.revoke_token(&jti).await, Ok(true));
    assert_eq!(admin.revoke_token("cut").await, Ok(false), "perhaps the name is incomplete");
    assert!(!three.is_active(&token).await);
}

#[tokio::test]
async fn withdrawing_one_instance_leaves_the_other_alone() {
    let three = three().await;
    let (id, secret) = three.harness.credential("billed", Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let of_one = three.harness.token("billed", secret.unwrap().expose()).await;
    let of_other = three.token().await;
    three.harness.server.admin().revoke_credential(&id).await.unwrap();
    assert!(!three.is_active(&of_one).await);
    assert!(three.is_active(&of_other).await);
}

#[tokio::test]
async fn tokens_of_a_client_switched_off_are_inactive_until_it_returns() {
    let three = three().await;
    let token = three.token().await;
    let admin = three.harness.server.admin();
    for (status, expect) in [(Status::Disabled, false), (Status::Active, true), (Status::Revoked, false)] {
        admin.set_client_status(&client_id("billed"), status).await.unwrap();
        assert_eq!(three.is_active(&token).await, expect, "{status:?}");
    }
}

#[tokio::test]
async fn live_tokens_are_listed_until_they_expire() {
    let three = three().await;
    three.token().await;
    assert_eq!(three.harness.server.admin().live_tokens(Query::default()).await.unwrap().len(), 1);
    three.harness.advance(600);
    assert!(three.harness.server.admin().live_tokens(Query::default()).await.unwrap().is_empty());
}
