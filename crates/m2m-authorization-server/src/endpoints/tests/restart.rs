//! A store whose replay memory began with the process: what may be older is not admitted.

use m2m_proto::dpop::DpopProof;

use super::assertions::Assertion;
use super::federation::{Federal, grant};
use super::*;
use serde_json::json;

use crate::registry::Reuse;
use crate::store::sql::{SqlOptions, SqlStore};

/// A server on a SQLite database that may have served before.
async fn restarted() -> Harness {
    let before = before().await;
    after(&before)
}

fn sealing_key() -> m2m_proto::secret::SecretBytes {
    m2m_proto::secret::Secret::new(vec![1; 32])
}

/// What it was: the client and its key are older than the process that follows.
async fn before() -> Harness {
    let clock = FixedClock::new();
    let store = SqlStore::open(SqlOptions::new("sqlite::memory:"), clock.clone()).await.unwrap();
    let server = settings(&clock).store(Arc::new(store)).sealing_key(sealing_key()).build().unwrap();
    server.prepare().await.unwrap();
    server.admin().create_api(api(ORDERS, &["orders:read", "orders:write"])).await.unwrap();
    let before = Harness { server, clock };
    before.create_client("app").await;
    before
}

fn after(before: &Harness) -> Harness {
    let clock = Arc::clone(&before.clock);
    clock.advance(Duration::from_secs(100));
    let store = Arc::clone(before.server.store());
    let server = settings(&clock).store(store).sealing_key(sealing_key()).build().unwrap();
    Harness { server, clock }
}

/// A token of a trusted issuer that is good once may have been used in the very second of the start, or before; one that
/// may come again does.
#[tokio::test]
async fn an_external_token_from_before_a_restart_is_not_admitted_where_it_is_good_once() {
    for (reuse, waits) in [(Reuse::Once, true), (Reuse::Allowed, false)] {
        let place = Federal::on(before().await, |issuer| issuer.reuse(reuse)).await;
        let harness = after(&place.harness);
        let ask = |jti: &str| grant(&place.token(&json!({"jti": jti})));
        let first = harness.post(TOKEN, ask("1")).await;
        if waits {
            first.refused(503, "temporarily_unavailable");
            harness.advance(1);
            harness.post(TOKEN, ask("2")).await.access_token();
        } else {
            first.access_token();
        }
    }
}

#[tokio::test]
async fn an_assertion_from_before_a_restart_is_not_admitted() {
    let harness = restarted().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let set = JwkSet::from_keys([key.public_jwk().unwrap()]);
    let mut credential = crate::fixture::credential("old");
    credential.material = crate::registry::Material::PublicKeys(Arc::new(set));
    harness.server.store().change(crate::registry::Change::CreateCredential(credential)).await.unwrap();
    let ask = |jti: &str| Ask::token().assertion(&Assertion::of("app").jti(jti).sign(&harness, &key));
    let refused = harness.post(TOKEN, ask("1")).await;
    refused.refused(503, "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    harness.advance(1);
    harness.post(TOKEN, ask("2")).await.access_token();
}

#[tokio::test]
async fn an_assertion_under_a_younger_credential_cannot_have_been_used() {
    let harness = restarted().await;
    harness.clock.advance(Duration::from_millis(10));
    let key = harness.key("app", Algorithm::Es256).await;
    let assertion = Assertion::of("app").sign(&harness, &key);
    harness.post(TOKEN, Ask::token().assertion(&assertion)).await.access_token();
}

#[tokio::test]
async fn a_proof_from_before_a_restart_is_not_admitted() {
    let harness = restarted().await;
    let secret = harness.secret("app").await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let ask = |jti: &str| {
        let uri = "https://as.example/oauth2/token".parse().unwrap();
        let (method, now) = (&http::Method::POST, harness.now());
        let proof = DpopProof { method, uri: &uri, now, jti, nonce: None, access_token: None };
        let mut ask = Ask::token().basic("app", &secret);
        ask.headers.insert(header::DPOP, proof.build(&key).unwrap());
        ask
    };
    harness.post(TOKEN, ask("1")).await.refused(503, "temporarily_unavailable");
    harness.advance(1);
    harness.post(TOKEN, ask("2")).await.access_token();
}

#[tokio::test]
async fn a_replayed_assertion_does_not_use_up_the_quota() {
    let harness = Harness::new().await;
    let client = Client::new(client_id("few")).grant(identifier(ORDERS), Scope::empty()).mint_quota(2);
    harness.server.admin().create_client(client).await.unwrap();
    let key = harness.key("few", Algorithm::Es256).await;
    let captured = Assertion::of("few").sign(&harness, &key);
    harness.post(TOKEN, Ask::token().assertion(&captured)).await.access_token();
    for _ in 0..5 {
        harness.post(TOKEN, Ask::token().assertion(&captured)).await.refused(400, "invalid_client");
    }
    let second = Assertion::of("few").jti("2").sign(&harness, &key);
    harness.post(TOKEN, Ask::token().assertion(&second)).await.access_token();
}
