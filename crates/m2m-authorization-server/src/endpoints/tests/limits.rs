use super::*;
use crate::FailureBudget;
use crate::audit::{Event, Query};

async fn harness() -> Harness {
    let budget =
        FailureBudget::default().per_client_and_address(3).per_address(5).window(Duration::from_secs(60));
    Harness::with(|settings| settings.failure_budget(budget)).await
}

const HERE: &str = "192.0.2.1";
const THERE: &str = "192.0.2.2";

async fn fail(harness: &Harness, client: &str, from: &str) -> Answer {
    harness.post(TOKEN, Ask::token().basic(client, "wrong").from(from)).await
}

// spec-test: 6749-AS3
#[tokio::test]
async fn guessing_is_throttled_per_client_and_address() {
    let harness = harness().await;
    for _ in 0..3 {
        fail(&harness, "app", HERE).await.refused(401, "invalid_client");
    }
    let over = fail(&harness, "app", HERE).await;
    over.refused(429, "slow_down");
    assert_eq!(over.header("retry-after"), "120");
    let recorded = harness.server.admin().audit(&Query::default()).await.unwrap();
    let refused = recorded.iter().filter(|entry| entry.record.event == Event::RequestRefused).count();
    assert_eq!(refused, 3, "what is over the budget is counted, not recorded");
    fail(&harness, "app", THERE).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn guessing_over_many_clients_is_throttled_per_address() {
    let harness = harness().await;
    for client in ["a", "b", "c", "d", "e"] {
        fail(&harness, client, HERE).await.refused(401, "invalid_client");
    }
    fail(&harness, "f", HERE).await.refused(429, "slow_down");
    fail(&harness, "f", THERE).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn a_right_secret_always_passes() {
    let harness = harness().await;
    let secret = harness.secret("app").await;
    for _ in 0..10 {
        fail(&harness, "app", HERE).await;
    }
    harness.post(TOKEN, Ask::token().basic("app", &secret).from(HERE)).await.access_token();
}

#[tokio::test]
async fn an_assertion_over_budget_is_refused_before_it_is_checked() {
    let harness = harness().await;
    let key = harness.key("app", Algorithm::Es256).await;
    for _ in 0..3 {
        fail(&harness, "app", HERE).await;
    }
    let good = super::assertions::Assertion::of("app").sign(&harness, &key);
    let ask = Ask::token().assertion(&good);
    harness.post(TOKEN, ask.clone().from(HERE)).await.refused(429, "slow_down");
    harness.post(TOKEN, ask.from(THERE)).await.access_token();
}

#[tokio::test]
async fn the_budget_comes_back() {
    let harness = harness().await;
    for _ in 0..4 {
        fail(&harness, "app", HERE).await;
    }
    harness.advance(120);
    fail(&harness, "app", HERE).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn other_endpoints_share_the_budget() {
    let harness = harness().await;
    for path in [INTROSPECT, REVOKE, TOKEN] {
        let ask = Ask::about("x").with("grant_type", "client_credentials").basic("app", "wrong").from(HERE);
        harness.post(path, ask).await.refused(401, "invalid_client");
    }
    fail(&harness, "app", HERE).await.refused(429, "slow_down");
}

#[tokio::test]
async fn malformed_requests_charge_nobody() {
    let harness = harness().await;
    for _ in 0..10 {
        harness.post(TOKEN, Ask::token().with("client_id", "app").from(HERE)).await;
    }
    fail(&harness, "app", HERE).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn a_credential_is_worth_nothing_outside_its_networks() {
    let harness = harness().await;
    let client = Client::new(client_id("bound"))
        .grant(identifier(ORDERS), Scope::empty())
        .allowed_network("192.0.2.0/30".parse().unwrap());
    harness.server.admin().create_client(client).await.unwrap();
    let secret = harness.secret("bound").await;
    let ask = Ask::token().basic("bound", &secret);
    harness.post(TOKEN, ask.clone().from(HERE)).await.access_token();
    let outside = harness.post(TOKEN, ask.clone().from("192.0.2.4")).await;
    assert!(outside.refused(401, "invalid_client").contains("this address"));
    harness.post(TOKEN, ask).await.refused(401, "invalid_client");
    let wrong = harness.post(TOKEN, Ask::token().basic("bound", "wrong").from("192.0.2.4")).await;
    assert!(!wrong.refused(401, "invalid_client").contains("address"), "told to who has the secret alone");
}

#[tokio::test]
async fn a_client_gets_its_quota_and_no_more() {
    let harness = harness().await;
    let client = Client::new(client_id("few")).grant(identifier(ORDERS), Scope::empty()).mint_quota(2);
    harness.server.admin().create_client(client).await.unwrap();
    let key = harness.key("few", Algorithm::Es256).await;
    let assertion = |jti: &str| super::assertions::Assertion::of("few").jti(jti);
    for jti in ["1", "2"] {
        harness
            .post(TOKEN, Ask::token().assertion(&assertion(jti).sign(&harness, &key)))
            .await
            .access_token();
    }
    let third = assertion("3").sign(&harness, &key);
    let over = harness.post(TOKEN, Ask::token().assertion(&third)).await;
    over.refused(429, "slow_down");
    let wait: u64 = over.header("retry-after").parse().unwrap();
    harness.advance(wait);
    // It was not consumed, but has expired meanwhile.
    let fourth = assertion("4").sign(&harness, &key);
    harness.post(TOKEN, Ask::token().assertion(&fourth)).await.access_token();
}
