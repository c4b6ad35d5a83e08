use m2m_proto::client_auth::assertion::TypRule;
use m2m_proto::client_auth::{AssertionAudience, AssertionType, ClientAssertion};
use m2m_proto::secret::Secret;
use m2m_proto::uri::EndpointUri;

use super::*;
use crate::registry::AcceptedAudience;

const TOKEN_URL: &str = "https://as.example/oauth2/token";

/// An assertion as a client would make it, with one thing changed.
pub(super) struct Assertion {
    client: String,
    audience: String,
    jti: String,
    age: u64,
    lifetime: u64,
    typ: AssertionType,
}

impl Assertion {
    pub(super) fn of(client: &str) -> Self {
        Self {
            client: client.to_owned(),
            audience: ISSUER.to_owned(),
            jti: "jti-1".to_owned(),
            age: 0,
            lifetime: 60,
            typ: AssertionType::ClientAuthentication,
        }
    }

    fn audience(mut self, audience: &str) -> Self {
        self.audience = audience.to_owned();
        self
    }

    pub(super) fn jti(mut self, jti: &str) -> Self {
        self.jti = jti.to_owned();
        self
    }

    fn age(mut self, seconds: u64) -> Self {
        self.age = seconds;
        self
    }

    fn typ(mut self, typ: AssertionType) -> Self {
        self.typ = typ;
        self
    }

    pub(super) fn sign(&self, harness: &Harness, key: &SigningKey) -> String {
        let (client_id, audience) =
            (client_id(&self.client), AssertionAudience::Literal(self.audience.clone()));
        let then = harness.now().saturating_sub(Duration::from_secs(self.age));
        let assertion = ClientAssertion {
            lifetime: Duration::from_secs(self.lifetime),
            typ: self.typ,
            ..ClientAssertion::new(&client_id, &audience, &self.jti, then)
        };
        assertion.build(key).unwrap()
    }
}

async fn ask(harness: &Harness, assertion: &str) -> Answer {
    harness.post(TOKEN, Ask::token().assertion(assertion)).await
}

#[tokio::test]
async fn every_algorithm_of_a_registered_key_works() {
    let harness = Harness::new().await;
    for algorithm in
        [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa, Algorithm::Ps256, Algorithm::Rs256]
    {
        let key = harness.key("app", algorithm).await;
        let text = Assertion::of("app").jti(algorithm.name()).sign(&harness, &key);
        ask(&harness, &text).await.access_token();
    }
}

#[tokio::test]
async fn a_shared_secret_signs_with_every_hash() {
    let harness = Harness::new().await;
    let (_, secret) = harness.credential("app", Proof::ClientSecretJwt).await;
    let bytes = Secret::new(secret.unwrap().expose().clone().into_bytes());
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let key = SigningKey::hmac(&bytes, algorithm).unwrap();
        let text = Assertion::of("app").jti(algorithm.name()).sign(&harness, &key);
        ask(&harness, &text).await.access_token();
    }
    let wrong = SigningKey::hmac(&Secret::new(vec![7; 64]), Algorithm::Hs256).unwrap();
    let text = Assertion::of("app").jti("wrong").sign(&harness, &wrong);
    ask(&harness, &text).await.refused(400, "invalid_client");
}

/// A public key of the client, taken for a shared secret, opens nothing.
#[tokio::test]
async fn a_public_key_is_no_shared_secret() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    let public = serde_json::to_vec(&key.public_jwk().unwrap().to_public_json()).unwrap();
    let confused = SigningKey::hmac(&Secret::new(public), Algorithm::Hs256).unwrap();
    let text = Assertion::of("app").sign(&harness, &confused);
    ask(&harness, &text).await.refused(400, "invalid_client");
}

#[tokio::test]
async fn an_assertion_is_good_once() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &key);
    ask(&harness, &text).await.access_token();
    let again = ask(&harness, &text).await;
    assert_eq!(again.refused(400, "invalid_client"), "the client assertion was used before");
    let issued = harness.server.admin().live_tokens(Query::default()).await.unwrap();
    assert_eq!(issued.len(), 1, "the second made nothing");
}

#[tokio::test]
async fn an_assertion_is_good_once_at_all_endpoints_together() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &key);
    let first = harness.post(INTROSPECT, Ask::about("x").assertion(&text)).await;
    assert_eq!(first.text(), r#"{"active":false}"#);
    ask(&harness, &text).await.refused(400, "invalid_client");
    harness.post(REVOKE, Ask::about("x").assertion(&text)).await.refused(400, "invalid_client");
}

#[tokio::test]
async fn of_many_at_once_one_gets_a_token() {
    let harness = Arc::new(Harness::new().await);
    let key = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &key);
    let mut racers = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let (harness, text) = (Arc::clone(&harness), text.clone());
        racers.spawn(async move { ask(&harness, &text).await.status });
    }
    let statuses = racers.join_all().await;
    assert_eq!(statuses.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{statuses:?}");
}

/// A refusal for another reason must not burn the assertion: the client corrects and sends it again.
#[tokio::test]
async fn a_refused_request_leaves_the_assertion_unused() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &key);
    let typo = harness.post(TOKEN, Ask::token().assertion(&text).scope("orders:raed")).await;
    typo.refused(400, "invalid_scope");
    ask(&harness, &text).await.access_token();
}

// spec-test: 7523-AS1
#[tokio::test]
async fn another_audience_is_refused_and_the_answer_names_ours() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    for audience in [TOKEN_URL, "https://as.example/", "https://other.example", "as.example"] {
        let text = Assertion::of("app").audience(audience).sign(&harness, &key);
        let told = ask(&harness, &text).await.refused(400, "invalid_client");
        assert!(told.ends_with("aud must be https://as.example"), "{told}");
    }
    for path in [INTROSPECT, REVOKE] {
        let text = Assertion::of("app").audience(TOKEN_URL).sign(&harness, &key);
        harness.post(path, Ask::about("x").assertion(&text)).await.refused(400, "invalid_client");
    }
}

/// What is wrong with an assertion is told only to who holds the key.
#[tokio::test]
async fn a_stranger_learns_nothing_from_a_wrong_audience() {
    let harness = Harness::new().await;
    harness.key("app", Algorithm::Es256).await;
    let stranger = SigningKey::generate(Algorithm::Es256).unwrap();
    let mut told = Vec::new();
    for client in ["app", "nobody"] {
        for audience in [ISSUER, TOKEN_URL] {
            let text = Assertion::of(client).audience(audience).sign(&harness, &stranger);
            told.push(ask(&harness, &text).await.refused(400, "invalid_client"));
        }
    }
    assert!(told.iter().all(|one| one == "client authentication failed"), "{told:?}");
}

#[tokio::test]
async fn the_token_endpoint_as_audience_is_a_setting_per_credential() {
    let harness = Harness::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let set = JwkSet::from_keys([key.public_jwk().unwrap()]);
    let spec = CredentialSpec::new(client_id("app"), "old", Proof::PublicKeys(set))
        .accepted_audience(AcceptedAudience::IssuerOrTokenEndpoint);
    harness.server.admin().create_credential(spec).await.unwrap();
    let sign =
        |audience: &str, jti: &str| Assertion::of("app").audience(audience).jti(jti).sign(&harness, &key);
    ask(&harness, &sign(TOKEN_URL, "1")).await.access_token();
    ask(&harness, &sign(ISSUER, "2")).await.access_token();
    ask(&harness, &sign("https://other.example", "3")).await.refused(400, "invalid_client");
}

// spec-test: 7523-AS2
#[tokio::test]
async fn an_older_typ_is_a_setting_per_credential() {
    let harness = Harness::new().await;
    let strict = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").typ(AssertionType::Jwt).sign(&harness, &strict);
    ask(&harness, &text).await.refused(400, "invalid_client");

    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let set = JwkSet::from_keys([key.public_jwk().unwrap()]);
    let spec =
        CredentialSpec::new(client_id("app"), "old", Proof::PublicKeys(set)).accepted_typ(TypRule::OrUntyped);
    harness.server.admin().create_credential(spec).await.unwrap();
    for (typ, jti) in [(AssertionType::Jwt, "1"), (AssertionType::Absent, "2")] {
        let text = Assertion::of("app").typ(typ).jti(jti).sign(&harness, &key);
        ask(&harness, &text).await.access_token();
    }
}

// spec-test: 7523-AS3
#[tokio::test]
async fn an_expired_assertion_is_refused_and_told_so() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    // 60 s of life, 30 s of skew.
    let text = Assertion::of("app").age(91).sign(&harness, &key);
    let told = ask(&harness, &text).await.refused(400, "invalid_client");
    assert_ne!(told, "client authentication failed");
    let text = Assertion::of("app").age(85).sign(&harness, &key);
    ask(&harness, &text).await.access_token();
}

#[tokio::test]
async fn a_key_of_another_client_is_refused() {
    let harness = Harness::new().await;
    harness.create_client("other").await;
    harness.key("app", Algorithm::Es256).await;
    let other = harness.key("other", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &other);
    ask(&harness, &text).await.refused(400, "invalid_client");
}

#[tokio::test]
async fn a_client_id_that_is_not_the_signer_is_refused() {
    let harness = Harness::new().await;
    let key = harness.key("app", Algorithm::Es256).await;
    let text = Assertion::of("app").sign(&harness, &key);
    let answer = harness.post(TOKEN, Ask::token().assertion(&text).with("client_id", "other")).await;
    answer.refused(400, "invalid_request");
    let answer = harness.post(TOKEN, Ask::token().assertion(&text).with("client_id", "app")).await;
    answer.access_token();
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_the_other_goes_on() {
    let harness = Harness::new().await;
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    let set = JwkSet::from_keys([key.public_jwk().unwrap()]);
    let (id, _) = harness.credential("app", Proof::PublicKeys(set)).await;
    let other = harness.key("app", Algorithm::Es256).await;
    harness.server.admin().revoke_credential(&id).await.unwrap();
    let text = Assertion::of("app").sign(&harness, &key);
    ask(&harness, &text).await.refused(400, "invalid_client");
    let text = Assertion::of("app").sign(&harness, &other);
    ask(&harness, &text).await.access_token();
}

mod published {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use bytes::Bytes;
    use http::Response;
    use m2m_io::{BoxFuture, EgressRules, HttpClient, HttpError, Limits, egress::Dial};

    use super::*;

    #[derive(Debug, Clone, Copy, PartialEq)]
    enum Reachable {
        Yes,
        No,
    }

    /// Serves one document, counts, and fails when told to.
    #[derive(Debug)]
    struct OneDocument {
        body: Bytes,
        fetches: AtomicUsize,
        reachable: Reachable,
    }

    impl HttpClient for OneDocument {
        fn send(
            &self,
            request: Request<Bytes>,
            limits: &Limits,
        ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
            assert_eq!(request.uri(), "https://app.example/jwks");
            let dial = EgressRules::new().check(request.uri(), &limits.reach);
            assert_eq!(dial, Ok(Dial::Checked), "a client's URL does not choose our addresses");
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let answer = if self.reachable == Reachable::No {
                Err(HttpError::Timeout)
            } else {
                Ok(Response::new(self.body.clone()))
            };
            Box::pin(async move { answer })
        }
    }

    async fn harness(key: &SigningKey, reachable: Reachable) -> (Harness, Arc<OneDocument>) {
        let body = JwkSet::encode([key.verifying_key().as_ref()]).into();
        let http = Arc::new(OneDocument { body, fetches: AtomicUsize::new(0), reachable });
        let given: Arc<dyn HttpClient> = Arc::clone(&http) as _;
        let harness = Harness::with(|settings| settings.http(given)).await;
        let url = EndpointUri::parse("https://app.example/jwks").unwrap();
        harness.credential("app", Proof::JwksUri(url)).await;
        (harness, http)
    }

    #[tokio::test]
    async fn keys_at_a_jwks_uri_are_fetched_once() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
        let (harness, http) = harness(&key, Reachable::Yes).await;
        for jti in ["1", "2", "3"] {
            let text = Assertion::of("app").jti(jti).sign(&harness, &key);
            ask(&harness, &text).await.access_token();
        }
        assert_eq!(http.fetches.load(Ordering::SeqCst), 1);
    }

    /// Nothing there can be a shared secret, so a stranger does not make us ask for it.
    #[tokio::test]
    async fn for_an_assertion_by_secret_nothing_is_fetched() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let (harness, http) = harness(&key, Reachable::No).await;
        let secret = SigningKey::hmac(&Secret::new(vec![7; 64]), Algorithm::Hs256).unwrap();
        let text = Assertion::of("app").sign(&harness, &secret);
        ask(&harness, &text).await.refused(400, "invalid_client");
        assert_eq!(http.fetches.load(Ordering::SeqCst), 0);
    }

    #[tokio::test]
    async fn unreachable_keys_are_503_and_nobody_is_to_blame() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let (harness, _) = harness(&key, Reachable::No).await;
        let text = Assertion::of("app").sign(&harness, &key);
        let answer = ask(&harness, &text).await;
        answer.refused(503, "temporarily_unavailable");
        assert_eq!(answer.header("retry-after"), "1");
    }

    #[tokio::test]
    async fn unreachable_keys_of_one_instance_do_not_lock_out_another() {
        let elsewhere = SigningKey::generate(Algorithm::Es256).unwrap();
        let (harness, _) = harness(&elsewhere, Reachable::No).await;
        let key = harness.key("app", Algorithm::Es256).await;
        let text = Assertion::of("app").sign(&harness, &key);
        ask(&harness, &text).await.access_token();
        let text = Assertion::of("app").sign(&harness, &elsewhere);
        ask(&harness, &text).await.refused(503, "temporarily_unavailable");
    }

    #[tokio::test]
    async fn without_an_http_client_such_a_credential_is_refused_at_creation() {
        let harness = Harness::new().await;
        let url = EndpointUri::parse("https://app.example/jwks").unwrap();
        let spec = CredentialSpec::new(client_id("app"), "one", Proof::JwksUri(url));
        let error = harness.server.admin().create_credential(spec).await.unwrap_err();
        assert_eq!(error.kind(), crate::ErrorKind::Misconfigured);
    }
}
