//! Token exchange through the router: `app` calls ORDERS, whose resource server `orders` calls BILLS for it.

use m2m_proto::dpop::DpopProof;
use m2m_proto::names::{grant_type, token_type_uri};

use super::*;
use crate::audit::Event;
use crate::registry::{Api, TokenFormat};

const BILLS: &str = "https://bills.example";
const INACTIVE: &str = r#"{"active":false}"#;

struct Chain {
    harness: Harness,
    app: String,
    app_credential: CredentialId,
    orders: String,
    orders_credential: CredentialId,
}

async fn chain(format: TokenFormat) -> Chain {
    let harness = Harness::new().await;
    let admin = harness.server.admin();
    let orders = Api { version: 1, ..api(ORDERS, &["orders:read", "orders:write"]) };
    let orders = orders.resource_server(client_id("orders")).format(format);
    admin.update_api(orders, None).await.unwrap();
    let bills = api(BILLS, &["bills:pay", "bills:read"]).resource_server(client_id("bills")).format(format);
    admin.create_api(bills).await.unwrap();
    let scope = |text: &str| Scope::parse(text).unwrap();
    for (id, at_orders, at_bills) in [
        ("orders", "orders:read", "bills:pay bills:read"),
        ("bills", "orders:read", "bills:pay"),
        ("other", "orders:read", "bills:pay"),
    ] {
        let client = Client::new(client_id(id))
            .grant(identifier(ORDERS), scope(at_orders))
            .grant(identifier(BILLS), scope(at_bills));
        let client = if id == "other" { client } else { client.token_exchange() };
        admin.create_client(client).await.unwrap();
    }
    let mut app = (**admin.registry().unwrap().registration(&client_id("app")).unwrap()).client().clone();
    app = app.grant(identifier(BILLS), scope("bills:pay"));
    admin.update_client(app.token_exchange(), None).await.unwrap();
    let both = Proof::ClientSecret(SecretUse::BasicOrPost);
    let (app_credential, app) = harness.credential("app", both.clone()).await;
    let (orders_credential, orders) = harness.credential("orders", both).await;
    let text = |secret: Option<SecretString>| secret.unwrap().expose().clone();
    Chain { app: text(app), orders: text(orders), harness, app_credential, orders_credential }
}

fn exchange(token: &str) -> Ask {
    Ask::default()
        .with(param::GRANT_TYPE, grant_type::TOKEN_EXCHANGE)
        .with(param::SUBJECT_TOKEN, token)
        .with(param::SUBJECT_TOKEN_TYPE, token_type_uri::ACCESS_TOKEN)
}

impl Chain {
    async fn first(&self) -> String {
        let ask = Ask::token().with(param::AUDIENCE, ORDERS).basic("app", &self.app);
        self.harness.post(TOKEN, ask).await.access_token()
    }

    async fn by_orders(&self, ask: Ask) -> Answer {
        self.harness.post(TOKEN, ask.basic("orders", &self.orders)).await
    }

    /// A token that `orders` got for `app` at BILLS.
    async fn second(&self, first: &str) -> String {
        self.by_orders(exchange(first).with(param::AUDIENCE, BILLS)).await.access_token()
    }

    async fn seen(&self, token: &str) -> Answer {
        self.harness.post(INTROSPECT, Ask::about(token).basic("orders", &self.orders)).await
    }

    async fn is_active(&self, token: &str) -> bool {
        self.seen(token).await.json()["active"].as_bool().unwrap()
    }
}

// spec-test: 8693-AS1, 8693-AS2
#[tokio::test]
async fn a_resource_server_gets_a_token_for_its_caller_at_the_next_api() {
    for format in TokenFormat::ALL {
        let chain = chain(format).await;
        let first = chain.first().await;
        let answer = chain.by_orders(exchange(&first).with(param::AUDIENCE, BILLS)).await;
        assert_eq!(answer.member("issued_token_type"), token_type_uri::ACCESS_TOKEN);
        assert_eq!(
            (answer.member("token_type"), answer.member("scope")),
            ("Bearer".into(), "bills:pay".into())
        );
        let token = answer.access_token();
        let seen = chain.seen(&token).await.json();
        assert_eq!(seen["active"], true, "{format:?}");
        assert_eq!(
            (&seen["sub"], &seen["client_id"], &seen["aud"]),
            (&"app".into(), &"orders".into(), &BILLS.into())
        );
        assert_eq!(seen["act"], serde_json::json!({"sub": "orders"}));
        assert_eq!(seen["cred"], chain.orders_credential.as_str());
        let before = chain.seen(&first).await.json();
        assert_eq!(
            seen["exchanged_from"],
            serde_json::json!({
                "jti": before["jti"], "client_id": "app", "cred": chain.app_credential.as_str(), "aud": before["aud"]
            })
        );
        assert_ne!(seen["jti"], before["jti"]);
    }
}

// spec-test: 8693-AS3
#[tokio::test]
async fn a_client_narrows_its_own_token() {
    let chain = chain(TokenFormat::Jwt).await;
    let first = chain.first().await;
    let by_app = |ask: Ask| chain.harness.post(TOKEN, ask.basic("app", &chain.app));
    chain.harness.advance(100);
    let answer = by_app(exchange(&first).scope("orders:read")).await;
    assert_eq!(answer.json()["expires_in"], 500, "the rest of the first one");
    let claims = chain.harness.claims(&answer.access_token()).await;
    assert_eq!((claims.subject(), claims.client_id()), (Some("app"), Some("app")));
    assert_eq!((claims.scope().to_string().as_str(), claims.get("act")), ("orders:read", None));
    by_app(exchange(&answer.access_token()).scope("orders:write")).await.refused(400, "invalid_scope");
    chain.harness.advance(499);
    assert_eq!(by_app(exchange(&first)).await.json()["expires_in"], 1);
    chain.harness.advance(1);
    by_app(exchange(&first)).await.refused(400, "invalid_request");
}

// spec-test: 8693-AS1, 8693-AS3
#[tokio::test]
async fn what_is_wrong_is_said_as_the_rfc_says_it() {
    let chain = chain(TokenFormat::Jwt).await;
    let first = chain.first().await;
    let (unsigned, _) = first.rsplit_once('.').unwrap();
    let stranger = Harness::new().await;
    let forged = stranger.token("app", &stranger.secret("app").await).await;
    let own = Ask::token().with(param::AUDIENCE, BILLS).basic("orders", &chain.orders);
    let own = chain.harness.post(TOKEN, own).await.access_token();
    let plain = || Ask::default().with(param::GRANT_TYPE, grant_type::TOKEN_EXCHANGE);
    let typed = |kind: &str| plain().with(param::SUBJECT_TOKEN, &first).with(param::SUBJECT_TOKEN_TYPE, kind);
    let actor = |token: &str, kind: &str| {
        exchange(&first).with(param::ACTOR_TOKEN, token).with(param::ACTOR_TOKEN_TYPE, kind)
    };
    let access_token = token_type_uri::ACCESS_TOKEN;
    for (ask, code) in [
        (plain(), "invalid_request"),
        (plain().with(param::SUBJECT_TOKEN, &first), "invalid_request"),
        (plain().with(param::SUBJECT_TOKEN_TYPE, access_token), "invalid_request"),
        (typed(""), "invalid_request"),
        (typed(token_type_uri::ID_TOKEN), "invalid_request"),
        (typed(token_type_uri::REFRESH_TOKEN), "invalid_request"),
        (typed("ACCESS_TOKEN"), "invalid_request"),
        (exchange(""), "invalid_request"),
        (exchange("opaque"), "invalid_request"),
        (exchange(unsigned), "invalid_request"),
        (exchange(&format!("{unsigned}.")), "invalid_request"),
        (exchange(&forged), "invalid_request"),
        (exchange(&chain.orders), "invalid_request"),
        (exchange(&first).with(param::ACTOR_TOKEN, &own), "invalid_request"),
        (actor(&first, access_token), "invalid_request"),
        (actor("x", access_token), "invalid_request"),
        (exchange(&first).with(param::REQUESTED_TOKEN_TYPE, token_type_uri::ID_TOKEN), "invalid_request"),
        (exchange(&first).with(param::AUDIENCE, "https://else.example"), "invalid_target"),
        (exchange(&first).with(param::AUDIENCE, "https://as.example/admin/v1"), "invalid_target"),
        (exchange(&first).with(param::AUDIENCE, BILLS).with(param::RESOURCE, ORDERS), "invalid_target"),
        (exchange(&first).scope("orders:write"), "invalid_scope"),
        (exchange(&first).with(param::AUDIENCE, BILLS).scope("bills:read"), "invalid_scope"),
    ] {
        let shown = format!("{:?}", ask.form);
        let answer = chain.by_orders(ask).await;
        assert_eq!((answer.status.as_u16(), answer.member("error").as_str()), (400, code), "{shown}");
        assert!(answer.json().get("access_token").is_none());
    }
    chain.by_orders(actor(&own, access_token)).await.access_token();
    let jwt = chain.by_orders(typed(token_type_uri::JWT)).await;
    jwt.access_token();
    let other = chain.harness.secret("other").await;
    let answer = chain.harness.post(TOKEN, exchange(&first).basic("other", &other)).await;
    answer.refused(400, "unauthorized_client");
    chain
        .harness
        .post(TOKEN, exchange(&first).with(param::CLIENT_ID, "orders"))
        .await
        .refused(400, "invalid_client");
}

#[tokio::test]
async fn a_jwt_is_said_to_be_one_and_a_sealed_token_is_not() {
    for format in TokenFormat::ALL {
        let chain = chain(format).await;
        let first = chain.first().await;
        let asked = exchange(&first).with(param::REQUESTED_TOKEN_TYPE, token_type_uri::JWT);
        let answer = chain.by_orders(asked).await;
        let typed = Ask::default()
            .with(param::GRANT_TYPE, grant_type::TOKEN_EXCHANGE)
            .with(param::SUBJECT_TOKEN, &first)
            .with(param::SUBJECT_TOKEN_TYPE, token_type_uri::JWT);
        let said = chain.by_orders(typed).await;
        match format {
            TokenFormat::Jwt => {
                assert_eq!(answer.member("issued_token_type"), token_type_uri::JWT);
                said.access_token();
            }
            _ => {
                answer.refused(400, "invalid_request");
                said.refused(400, "invalid_request");
            }
        }
    }
}

// spec-test: 8693-AS4
#[tokio::test]
async fn whatever_ends_the_subject_token_or_the_actor_ends_what_was_made_of_them() {
    for format in TokenFormat::ALL {
        for end in ["jti", "subject credential", "actor credential", "subject", "actor", "nothing"] {
            let chain = chain(format).await;
            let admin = chain.harness.server.admin();
            let first = chain.first().await;
            let second = chain.second(&first).await;
            let third = chain.by_orders(exchange(&second)).await.access_token();
            // Whoever asks hangs on none of them.
            let asking = chain.harness.secret("bills").await;
            let seen = async |token: &str| {
                chain
                    .harness
                    .post(INTROSPECT, Ask::about(token).basic("bills", &asking))
                    .await
                    .text()
                    .to_owned()
            };
            assert!(seen(&second).await.contains(r#""active":true"#));
            match end {
                "jti" => drop(chain.harness.post(REVOKE, Ask::about(&first).basic("app", &chain.app)).await),
                "subject credential" => drop(admin.revoke_credential(&chain.app_credential).await.unwrap()),
                "actor credential" => drop(admin.revoke_credential(&chain.orders_credential).await.unwrap()),
                "subject" => admin.delete_client(&client_id("app"), None).await.unwrap(),
                "actor" => drop(
                    admin
                        .set_client_status(&client_id("orders"), crate::registry::Status::Disabled)
                        .await
                        .unwrap(),
                ),
                _ => {}
            }
            for token in [&second, &third] {
                assert_eq!(seen(token).await == INACTIVE, end != "nothing", "{format:?}: {end}");
            }
            if ["jti", "subject credential", "subject"].contains(&end) {
                chain.by_orders(exchange(&first)).await.refused(400, "invalid_request");
                chain.by_orders(exchange(&second)).await.refused(400, "invalid_request");
            }
        }
    }
}

#[tokio::test]
async fn withdrawing_what_was_made_leaves_the_token_before() {
    let chain = chain(TokenFormat::Jwt).await;
    let first = chain.first().await;
    let second = chain.by_orders(exchange(&first)).await.access_token();
    chain.harness.post(REVOKE, Ask::about(&second).basic("orders", &chain.orders)).await;
    assert!(!chain.is_active(&second).await && chain.is_active(&first).await);
}

/// GHSA-v9xq-2mvm-x8xc: a binding that one of the paths forgets is none.
// spec-test: 8693-AS3
#[tokio::test]
async fn a_bound_token_is_worth_nothing_without_its_key() {
    let chain = chain(TokenFormat::Jwt).await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let proven = |mut ask: Ask, key: &SigningKey, jti: &str| {
        let proof = DpopProof {
            method: &http::Method::POST,
            uri: &"https://as.example/oauth2/token".parse().unwrap(),
            now: chain.harness.now(),
            jti,
            nonce: None,
            access_token: None,
        };
        ask.headers.insert(header::DPOP, proof.build(key).unwrap());
        ask
    };
    let ask = Ask::token().with(param::AUDIENCE, ORDERS).basic("app", &chain.app);
    let bound = chain.harness.post(TOKEN, proven(ask, &key, "one")).await.access_token();
    chain.by_orders(exchange(&bound)).await.refused(400, "invalid_request");
    let thief = SigningKey::generate(Algorithm::Es256).unwrap();
    chain.by_orders(proven(exchange(&bound), &thief, "two")).await.refused(400, "invalid_request");
    let answer =
        chain.harness.post(TOKEN, proven(exchange(&bound).basic("app", &chain.app), &key, "three")).await;
    assert_eq!(answer.member("token_type"), "DPoP");
    let claims = chain.harness.claims(&answer.access_token()).await;
    assert_eq!(claims.confirmation().unwrap().jkt(), Some(key.thumbprint()));
}

#[tokio::test]
async fn the_audit_tells_from_which_token() {
    let chain = chain(TokenFormat::Jwt).await;
    let first = chain.first().await;
    let jti = chain.seen(&first).await.member("jti");
    chain.second(&first).await;
    let query = Query { event: Some(Event::TokenIssued), limit: 1, ..Query::default() };
    let found = chain.harness.server.admin().audit(&query).await.unwrap();
    let record = &found[0].record;
    assert_eq!(record.subject.as_deref(), Some(jti.as_str()));
    assert_eq!(record.client_id, Some(client_id("orders")));
}
