use std::sync::atomic::Ordering;

use super::*;
use crate::server::State;

// spec-test: 6749-AS1, 6749-AS2
#[tokio::test]
async fn a_right_secret_gets_a_token_in_the_header_and_in_the_body() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    for ask in [Ask::token().basic("app", &secret), Ask::token().in_body("app", &secret)] {
        let answer = harness.post(TOKEN, ask).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        harness.claims(&answer.access_token()).await;
    }
}

// spec-test: 6749-AS5, 6749-AS6, 6749-AS7
#[tokio::test]
async fn the_answer_is_the_one_of_the_rfc() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let answer =
        harness.post(TOKEN, Ask::token().basic("app", &secret).scope("orders:write orders:read")).await;
    let mut json = answer.json();
    let members = json.as_object_mut().unwrap();
    members.remove("access_token").unwrap();
    let expect = serde_json::json!({
        "token_type": "Bearer",
        "expires_in": 600,
        "scope": "orders:write orders:read",
    });
    assert_eq!(json, expect);
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
}

// spec-test: 9068-AS1, 9068-AS2
#[tokio::test]
async fn the_token_says_who_what_and_until_when() {
    let harness = Harness::new().await;
    let (id, secret) = harness.credential("app", Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let token = harness.token("app", secret.unwrap().expose()).await;
    let claims = harness.claims(&token).await;
    assert_eq!(claims.issuer(), ISSUER);
    assert_eq!(claims.client_id(), Some("app"));
    assert_eq!(claims.subject(), Some("app"));
    assert_eq!(claims.audience().collect::<Vec<_>>(), [ORDERS]);
    assert_eq!(claims.scope().to_string(), "orders:read orders:write");
    assert_eq!(claims.credential(), Some(id.as_str()));
    assert_eq!(claims.issued_at(), Some(harness.now()));
    assert_eq!(claims.expires_at(), harness.now().saturating_add(Duration::from_secs(600)));
    assert!(claims.jti().unwrap().len() >= 22);
    assert_eq!(claims.confirmation(), None);
}

#[tokio::test]
async fn no_two_tokens_have_one_jti() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let first = harness.claims(&harness.token("app", &secret).await).await;
    let second = harness.claims(&harness.token("app", &secret).await).await;
    assert_ne!(first.jti(), second.jti());
}

#[tokio::test]
async fn a_pinned_secret_is_refused_elsewhere() {
    let harness = Harness::new().await;
    for (pinned, basic_works) in [(SecretUse::Basic, true), (SecretUse::Post, false)] {
        let (_, secret) = harness.credential("app", Proof::ClientSecret(pinned)).await;
        let secret = secret.unwrap();
        let basic = harness.post(TOKEN, Ask::token().basic("app", secret.expose())).await;
        let post = harness.post(TOKEN, Ask::token().in_body("app", secret.expose())).await;
        assert_eq!(basic.status == StatusCode::OK, basic_works);
        assert_eq!(post.status == StatusCode::OK, !basic_works);
    }
}

#[tokio::test]
async fn an_hmac_secret_is_no_password() {
    let harness = Harness::new().await;
    let (_, secret) = harness.credential("app", Proof::ClientSecretJwt).await;
    let answer = harness.post(TOKEN, Ask::token().basic("app", secret.unwrap().expose())).await;
    answer.refused(401, "invalid_client");
}

fn checks(state: &State) -> usize {
    state.authenticator.vault.checks.swap(0, Ordering::SeqCst)
}

/// Not a stopwatch but the structure: whoever is asking for whomever, one keyed hash is compared.
#[tokio::test]
async fn unknown_and_wrong_look_the_same_and_cost_the_same() {
    let harness = Harness::new().await;
    harness.create_client("other").await;
    let right = harness.secret("app").await;
    let of_another = harness.secret("other").await;
    let mut expired =
        CredentialSpec::new(client_id("app"), "late", Proof::ClientSecret(SecretUse::BasicOrPost));
    expired.not_before = Some(harness.now().saturating_add(Duration::from_secs(60)));
    let not_yet = harness.server.admin().create_credential(expired).await.unwrap();
    let not_yet = not_yet.client_secret.unwrap().expose().clone();
    let state = crate::endpoints::tests::state_of(&harness.server);

    let mut seen = Vec::new();
    for (client, secret) in [
        ("app", "hunter2"),
        ("app", "m2m_sk_"),
        ("app", of_another.as_str()),
        ("app", not_yet.as_str()),
        ("nobody", right.as_str()),
        ("nobody", "hunter2"),
    ] {
        checks(&state);
        let answer = harness.post(TOKEN, Ask::token().basic(client, secret)).await;
        assert_eq!(checks(&state), 1, "{client} {secret}");
        seen.push((answer.status, answer.text().to_owned(), answer.header("www-authenticate").to_owned()));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!(seen[0].0, StatusCode::UNAUTHORIZED);
    checks(&state);
    harness.token("app", &right).await;
    assert_eq!(checks(&state), 1, "and no more for a right one");
}

#[tokio::test]
async fn a_secret_works_from_its_first_to_its_last_moment() {
    let harness = Harness::new().await;
    let mut spec = CredentialSpec::new(client_id("app"), "soon", Proof::ClientSecret(SecretUse::BasicOrPost))
        .expires_in(Duration::from_secs(100));
    spec.not_before = Some(harness.now().saturating_add(Duration::from_secs(10)));
    let created = harness.server.admin().create_credential(spec).await.unwrap();
    let secret = created.client_secret.unwrap();
    let ask = || Ask::token().basic("app", secret.expose());
    harness.post(TOKEN, ask()).await.refused(401, "invalid_client");
    harness.advance(10);
    harness.post(TOKEN, ask()).await.access_token();
    harness.advance(99);
    let last = harness.post(TOKEN, ask()).await;
    assert_eq!(last.json()["expires_in"], 1, "a token never outlives its credential");
    harness.advance(1);
    harness.post(TOKEN, ask()).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn two_secrets_of_one_client_work_at_once_and_apart() {
    let harness = Harness::new().await;
    let (first, first_secret) = harness.credential("app", Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let second = harness.secret("app").await;
    let first_secret = first_secret.unwrap();
    harness.token("app", first_secret.expose()).await;
    harness.token("app", &second).await;
    harness.server.admin().revoke_credential(&first).await.unwrap();
    let gone = harness.post(TOKEN, Ask::token().basic("app", first_secret.expose())).await;
    gone.refused(401, "invalid_client");
    harness.token("app", &second).await;
}

#[test]
fn a_secret_is_never_shown_by_debug() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let harness = runtime.block_on(Harness::new());
    let spec = CredentialSpec::new(client_id("app"), "one", Proof::ClientSecret(SecretUse::BasicOrPost));
    let created = runtime.block_on(harness.server.admin().create_credential(spec)).unwrap();
    let secret = created.client_secret.clone().unwrap();
    let shown = format!("{created:?} {:?} {:?}", harness.server, harness.server.admin().registry());
    assert!(!shown.contains(secret.expose().as_str()));
}
