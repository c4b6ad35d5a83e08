//! What offline verifiers read: status lists and the revocation feed; opaque tokens, which they cannot.

use m2m_proto::revocation_feed;
use m2m_proto::status_list::{self, Status as Bit, VerifiedStatusList};
use m2m_proto::token::access_token::StatusReference;

use super::*;
use crate::registry::{Api, TokenFormat};
use crate::store::TokenRef;

async fn get(harness: &Harness, path: &str) -> Answer {
    harness.send(Request::get(path).body(Body::empty()).unwrap()).await
}

async fn key_set(harness: &Harness) -> JwkSet {
    JwkSet::decode(&get(harness, "/oauth2/jwks").await.body).unwrap()
}

async fn list(harness: &Harness, uri: &str) -> VerifiedStatusList {
    let answer = get(harness, uri.strip_prefix(ISSUER).unwrap()).await;
    assert_eq!(answer.header("content-type"), media_type::STATUSLIST_JWT);
    let set = key_set(harness).await;
    let document = status_list::parse(answer.text()).unwrap();
    let key = set.find(document.key_hint(), document.algorithm()).next().unwrap();
    let issuer = issuer();
    let expect = status_list::Expect {
        uri,
        issuer: Some(&issuer),
        algorithms: &DEFAULT_ALGORITHMS,
        now: harness.now(),
        skew: Skew::NONE,
    };
    document.verify(key, &expect).unwrap()
}

/// The bit of the credential that a token came by.
async fn bit(harness: &Harness, token: &str) -> Option<Bit> {
    let claims = harness.claims(token).await;
    let reference = StatusReference::decode(claims.claims()).unwrap().unwrap();
    list(harness, reference.uri).await.get(reference.index)
}

// spec-test: TSL-AS1
#[tokio::test]
async fn a_withdrawn_credential_turns_its_bit_and_no_other() {
    let harness = Harness::new().await;
    let (first, secret) = harness.credential("app", Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let first_token = harness.token("app", secret.unwrap().expose()).await;
    let second = harness.secret("app").await;
    let second_token = harness.token("app", &second).await;
    assert_eq!(bit(&harness, &first_token).await, Some(Bit::Valid));
    harness.server.admin().revoke_credential(&first).await.unwrap();
    assert_eq!(bit(&harness, &first_token).await, Some(Bit::Invalid));
    assert_eq!(bit(&harness, &second_token).await, Some(Bit::Valid));
    harness.server.admin().revoke_client(&client_id("app")).await.unwrap();
    assert_eq!(bit(&harness, &second_token).await, Some(Bit::Invalid));
}

#[tokio::test]
async fn a_list_is_believed_for_as_long_as_the_bound_says() {
    let harness = Harness::with(|settings| settings.status_ttl(Duration::from_secs(20))).await;
    let secret = harness.secret("app").await;
    harness.token("app", &secret).await;
    let kept = list(&harness, "https://as.example/oauth2/status/0").await;
    assert_eq!(kept.ttl(), Some(Duration::from_secs(20)));
    assert_eq!(kept.expires_at().since(harness.now()), Duration::from_secs(40));
    assert_eq!(harness.server.admin().effective().offline, Duration::from_secs(40));
}

#[tokio::test]
async fn a_list_is_signed_again_when_something_changes_or_it_grows_old() {
    let harness = Harness::new().await;
    harness.secret("app").await;
    let read = async || get(&harness, "/oauth2/status/0").await.body;
    let first = read().await;
    assert_eq!(read().await, first, "nothing changed");
    harness.advance(8);
    let later = read().await;
    assert_ne!(later, first, "a quarter of its time passed");
    harness.secret("app").await;
    assert_ne!(read().await, later, "a credential more");
}

#[tokio::test]
async fn there_are_no_lists_of_places_that_were_never_given() {
    let harness = Harness::new().await;
    for path in
        ["/oauth2/status/0", "/oauth2/status/1", "/oauth2/status/00", "/oauth2/status/x", "/oauth2/status/-1"]
    {
        assert_eq!(get(&harness, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    harness.secret("app").await;
    assert_eq!(get(&harness, "/oauth2/status/0").await.status, StatusCode::OK);
    assert_eq!(get(&harness, "/oauth2/status/1").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn the_feed_names_revoked_tokens_until_they_expire() {
    let harness = Harness::new().await;
    let read = async || {
        let answer = get(&harness, "/oauth2/revocations").await;
        assert_eq!(answer.header("content-type"), media_type::M2M_REVOCATIONS_JWT);
        let set = key_set(&harness).await;
        let document = revocation_feed::parse(answer.text()).unwrap();
        let key = set.find(document.key_hint(), document.algorithm()).next().unwrap();
        let issuer = issuer();
        let now = harness.now();
        let algorithms = &DEFAULT_ALGORITHMS;
        let expect = revocation_feed::Expect { issuer: &issuer, algorithms, now, skew: Skew::NONE };
        let feed = document.verify(key, &expect).unwrap();
        feed.iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(read().await.is_empty());
    let token =
        TokenRef { jti: "t".to_owned(), expires_at: harness.now().saturating_add(Duration::from_secs(60)) };
    harness.server.store().revoke(&token, harness.now()).await.unwrap();
    assert_eq!(read().await, ["t"]);
    harness.advance(60);
    assert!(read().await.is_empty());
}

async fn opaque() -> (Harness, String, String) {
    let harness = Harness::new().await;
    let bills = identifier("https://bills.example");
    let api = Api::new(bills.clone()).format(TokenFormat::Opaque).resource_server(client_id("bills"));
    harness.server.admin().create_api(api).await.unwrap();
    for id in ["billed", "bills"] {
        let client = Client::new(client_id(id)).grant(bills.clone(), Scope::empty());
        harness.server.admin().create_client(client).await.unwrap();
    }
    let (billed, bills) = (harness.secret("billed").await, harness.secret("bills").await);
    (harness, billed, bills)
}

#[tokio::test]
async fn an_opaque_token_tells_nothing_and_is_introspected_like_any_other() {
    let (harness, billed, bills) = opaque().await;
    let token = harness.token("billed", &billed).await;
    assert!(token.starts_with("m2m_at_") && !token.contains('.'), "{token}");
    let seen = harness.post(INTROSPECT, Ask::about(&token).basic("bills", &bills)).await.json();
    assert_eq!((seen["active"].as_bool(), seen["client_id"].as_str()), (Some(true), Some("billed")));
    assert_eq!(seen["exp"], harness.now().seconds() + 600);
    harness.post(REVOKE, Ask::about(&token).basic("billed", &billed)).await;
    let seen = harness.post(INTROSPECT, Ask::about(&token).basic("bills", &bills)).await;
    assert_eq!(seen.text(), r#"{"active":false}"#);
}

#[tokio::test]
async fn an_opaque_token_ends_and_cannot_be_changed() {
    let (harness, billed, bills) = opaque().await;
    let token = harness.token("billed", &billed).await;
    let active = async |token: &str| {
        let answer = harness.post(INTROSPECT, Ask::about(token).basic("bills", &bills)).await;
        answer.json()["active"].as_bool().unwrap()
    };
    let mut changed = token.clone();
    let last = if changed.pop() == Some('A') { 'B' } else { 'A' };
    changed.push(last);
    assert!(active(&token).await && !active(&changed).await);
    harness.advance(600);
    assert!(!active(&token).await);
}
