use m2m_proto::dpop::{DpopNonce, DpopProof};
use m2m_proto::token::confirmation::Confirmation;

use super::*;
use crate::ServerNonce;
use crate::registry::{Api, SenderConstraint};

const URL: &str = "https://as.example/oauth2/token";

/// A proof as a client would make it, with one thing changed.
struct Proved<'k> {
    key: &'k SigningKey,
    url: String,
    jti: String,
    age: u64,
    nonce: Option<DpopNonce>,
}

impl<'k> Proved<'k> {
    fn by(key: &'k SigningKey) -> Self {
        Self { key, url: URL.to_owned(), jti: "proof-1".to_owned(), age: 0, nonce: None }
    }

    fn onto(&self, harness: &Harness, mut ask: Ask) -> Ask {
        let proof = DpopProof {
            method: &http::Method::POST,
            uri: &self.url.parse().unwrap(),
            now: harness.now().saturating_sub(Duration::from_secs(self.age)),
            jti: &self.jti,
            nonce: self.nonce.as_ref(),
            access_token: None,
        };
        ask.headers.append(header::DPOP, proof.build(self.key).unwrap());
        ask
    }
}

fn key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap()
}

// spec-test: 9449-AS1
#[tokio::test]
async fn a_proof_binds_the_token_to_its_key() {
    let harness = Harness::new().await;
    let (secret, key) = (harness.secret("app").await, key());
    let answer =
        harness.post(TOKEN, Proved::by(&key).onto(&harness, Ask::token().basic("app", &secret))).await;
    assert_eq!(answer.member("token_type"), "DPoP");
    let claims = harness.claims(&answer.access_token()).await;
    assert_eq!(claims.confirmation(), Some(&Confirmation::key(key.thumbprint().clone())));
}

// spec-test: 9449-AS1
#[tokio::test]
async fn a_bad_proof_is_refused_even_where_none_is_needed() {
    let harness = Harness::new().await;
    let (secret, key) = (harness.secret("app").await, key());
    let ask = || Ask::token().basic("app", &secret);
    let elsewhere = Proved { url: "https://as.example/oauth2/introspect".to_owned(), ..Proved::by(&key) };
    let old = Proved { age: 120, ..Proved::by(&key) };
    for proof in [elsewhere, old] {
        harness.post(TOKEN, proof.onto(&harness, ask())).await.refused(400, "invalid_dpop_proof");
    }
    let twice = Proved::by(&key).onto(&harness, Proved::by(&key).onto(&harness, ask()));
    harness.post(TOKEN, twice).await.refused(400, "invalid_dpop_proof");
}

#[tokio::test]
async fn a_proof_is_good_once() {
    let harness = Harness::new().await;
    let (secret, key) = (harness.secret("app").await, key());
    let ask = || Proved::by(&key).onto(&harness, Ask::token().basic("app", &secret));
    harness.post(TOKEN, ask()).await.access_token();
    let again = harness.post(TOKEN, ask()).await;
    assert_eq!(again.refused(400, "invalid_dpop_proof"), "the DPoP proof was used before");
}

/// Assertion and proof stand or fall together: a used proof leaves the assertion unused.
#[tokio::test]
async fn a_replayed_proof_does_not_burn_the_assertion() {
    let harness = Harness::new().await;
    let (client_key, key) = (harness.key("app", Algorithm::Es256).await, key());
    let secret = harness.secret("app").await;
    harness
        .post(TOKEN, Proved::by(&key).onto(&harness, Ask::token().basic("app", &secret)))
        .await
        .access_token();

    let assertion = super::assertions::Assertion::of("app").sign(&harness, &client_key);
    let ask = || Ask::token().assertion(&assertion);
    harness.post(TOKEN, Proved::by(&key).onto(&harness, ask())).await.refused(400, "invalid_dpop_proof");
    let fresh = Proved { jti: "proof-2".to_owned(), ..Proved::by(&key) };
    harness.post(TOKEN, fresh.onto(&harness, ask())).await.access_token();
}

// spec-test: 9449-AS2
#[tokio::test]
async fn an_api_can_demand_a_proof() {
    let harness = Harness::new().await;
    let admin = harness.server.admin();
    let vault = Api::new(identifier("https://vault.example")).sender_constraint(SenderConstraint::Dpop);
    admin.create_api(vault).await.unwrap();
    let client = Client::new(client_id("guard")).grant(identifier("https://vault.example"), Scope::empty());
    admin.create_client(client).await.unwrap();
    let (secret, key) = (harness.secret("guard").await, key());
    let ask = || Ask::token().basic("guard", &secret);
    let bare = harness.post(TOKEN, ask()).await;
    assert_eq!(bare.refused(400, "invalid_dpop_proof"), "a DPoP proof is required");
    let proved = harness.post(TOKEN, Proved::by(&key).onto(&harness, ask())).await;
    assert_eq!(proved.member("token_type"), "DPoP");
}

// spec-test: 9449-AS3
#[tokio::test]
async fn a_demanded_nonce_comes_with_the_refusal_and_makes_the_next_proof_good() {
    let harness = Harness::with(|settings| settings.dpop_nonce(ServerNonce::Required)).await;
    let (client_key, key) = (harness.key("app", Algorithm::Es256).await, key());
    let assertion = super::assertions::Assertion::of("app").sign(&harness, &client_key);
    let ask = || Ask::token().assertion(&assertion);

    let first = harness.post(TOKEN, Proved::by(&key).onto(&harness, ask())).await;
    first.refused(400, "use_dpop_nonce");
    assert_eq!(first.headers.get_all(header::DPOP_NONCE).iter().count(), 1);
    assert_eq!(first.header("cache-control"), "no-store");
    let nonce = DpopNonce::from_headers(&first.headers);
    assert!(nonce.is_some());
    // The same assertion and the same jti: nothing was consumed by the refusal.
    let second = Proved { nonce, ..Proved::by(&key) };
    let answer = harness.post(TOKEN, second.onto(&harness, ask())).await;
    answer.access_token();
    assert!(DpopNonce::from_headers(&answer.headers).is_some(), "success brings the next nonce along");
}

#[tokio::test]
async fn a_strangers_nonce_is_refused() {
    let harness = Harness::with(|settings| settings.dpop_nonce(ServerNonce::Required)).await;
    let (secret, key) = (harness.secret("app").await, key());
    let nonce = DpopNonce::parse("made-up").ok();
    let ask = Proved { nonce, ..Proved::by(&key) }.onto(&harness, Ask::token().basic("app", &secret));
    harness.post(TOKEN, ask).await.refused(400, "use_dpop_nonce");
}

/// Authentication comes first: whoever cannot authenticate is told nothing about proofs.
#[tokio::test]
async fn a_bad_proof_of_a_stranger_is_a_failed_authentication() {
    let harness = Harness::new().await;
    let key = key();
    let ask = Proved { age: 999, ..Proved::by(&key) }.onto(&harness, Ask::token().basic("app", "wrong"));
    harness.post(TOKEN, ask).await.refused(401, "invalid_client");
}
