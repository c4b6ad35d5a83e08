//! Tokens of trusted issuers in place of secrets: as assertion, and as grant.

mod attacks;
mod keys;

use m2m_proto::jose::{Audience, Claims};
use m2m_proto::names::grant_type;
use m2m_proto::spiffe::TrustDomain;
use m2m_proto::workload_token::WorkloadToken;
use serde_json::json;

use super::*;
use crate::FailureBudget;
use crate::federation::{ClaimPath, Condition, Literal, Pattern, Test};
use crate::registry::{
    ExternalSubject, Federated, IssuerId, IssuerKeys, Named, Reuse, Status, TrustedIssuer,
};

pub(super) const PLATFORM: &str = "https://platform.example";
const SUBJECT: &str = "repo:acme/app:ref:refs/heads/main";

pub(super) fn platform_id() -> IssuerId {
    IssuerId::parse("platform").unwrap()
}

pub(super) fn platform_key() -> SigningKey {
    SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("p1".to_owned())
}

fn set_of(key: &SigningKey) -> IssuerKeys {
    IssuerKeys::Set(Arc::new(JwkSet::from_keys([key.public_jwk().unwrap()])))
}

pub(super) fn condition(claim: &str, value: &str) -> Condition {
    let test = Test::Equals(Literal::Text(value.to_owned()));
    Condition::new(ClaimPath::parse(claim).unwrap(), test).unwrap()
}

fn exact(subject: &str) -> ExternalSubject {
    ExternalSubject::Exact(subject.to_owned())
}

/// A server that trusts a platform, whose `SUBJECT` is the client `app`.
pub(super) struct Federal {
    pub(super) harness: Harness,
    pub(super) key: SigningKey,
    credential: CredentialId,
}

impl Federal {
    pub(super) async fn new() -> Self {
        Self::with(|issuer| issuer).await
    }

    async fn with(change: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        // Refused often, so the budget must not be what refuses.
        let budget = FailureBudget::default().per_client_and_address(1000).per_address(1000);
        Self::on(Harness::with(|settings| settings.failure_budget(budget)).await, change).await
    }

    pub(super) async fn on(harness: Harness, change: impl FnOnce(TrustedIssuer) -> TrustedIssuer) -> Self {
        let (key, named) = (platform_key(), Named::issuer(PLATFORM).unwrap());
        let issuer = change(TrustedIssuer::new(platform_id(), named, set_of(&key)));
        harness.server.admin().create_issuer(issuer).await.unwrap();
        let mapping = Federated::new(platform_id(), exact(SUBJECT));
        let (credential, secret) = harness.credential("app", Proof::Federated(mapping)).await;
        assert!(secret.is_none(), "there is no secret");
        Self { harness, key, credential }
    }

    /// What the platform says, with some members changed; `null` leaves one out.
    pub(super) fn claims(&self, changes: &Value) -> Claims {
        let at = self.harness.now().seconds();
        let mut claims = json!({
            "iss": PLATFORM, "sub": SUBJECT, "aud": [ISSUER], "iat": at, "exp": at + 600, "jti": "j1",
            "repository": "acme/app", "environment": "production",
        });
        for (name, value) in changes.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(name)),
                value => claims[name] = value.clone(),
            }
        }
        Claims::parse(claims.to_string().as_bytes()).unwrap()
    }

    pub(super) fn token(&self, changes: &Value) -> String {
        let header = m2m_proto::jose::HeaderFields {
            typ: Some("JWT"),
            kid: self.key.key_id(),
            ..m2m_proto::jose::HeaderFields::default()
        };
        m2m_proto::jose::jws::sign(&header, &self.claims(changes).encode(), &self.key).unwrap()
    }

    /// As `client_assertion` of `app`.
    pub(super) async fn as_client(&self, token: &str) -> Answer {
        self.harness.post(TOKEN, Ask::token().assertion(token).with(param::CLIENT_ID, "app")).await
    }

    /// As the grant itself.
    pub(super) async fn as_grant(&self, token: &str) -> Answer {
        self.harness.post(TOKEN, grant(token)).await
    }

    /// Refused in each path, as a stranger is.
    pub(super) async fn is_refused(&self, token: &str) {
        let told = self.as_client(token).await.refused(400, "invalid_client");
        assert_eq!(told, "client authentication failed");
        let told = self.as_grant(token).await.refused(400, "invalid_grant");
        assert_eq!(told, "the assertion is not accepted");
        for path in [INTROSPECT, REVOKE] {
            let ask = Ask::about("x").assertion(token).with(param::CLIENT_ID, "app");
            self.harness.post(path, ask).await.refused(400, "invalid_client");
        }
    }

    async fn reasons(&self) -> Vec<String> {
        let found = self.harness.server.admin().audit(&Query::default()).await.unwrap();
        found.into_iter().filter_map(|entry| entry.record.reason).collect()
    }
}

pub(super) fn grant(token: &str) -> Ask {
    Ask::default().with(param::GRANT_TYPE, grant_type::JWT_BEARER).with(param::ASSERTION, token)
}

// spec-test: 7523-AS3, 7523-AS5
#[tokio::test]
async fn a_workload_gets_a_token_without_any_secret_in_both_ways() {
    let place = Federal::new().await;
    let token = place.token(&json!({}));
    let named = grant(&token).with(param::CLIENT_ID, "app");
    for answer in
        [place.as_client(&token).await, place.as_grant(&token).await, place.harness.post(TOKEN, named).await]
    {
        let claims = place.harness.claims(&answer.access_token()).await;
        assert_eq!(claims.client_id(), Some("app"));
        assert_eq!(claims.credential(), Some(place.credential.as_str()));
    }
    let ask = Ask::about("x").assertion(&token).with(param::CLIENT_ID, "app");
    assert_eq!(place.harness.post(INTROSPECT, ask).await.text(), r#"{"active":false}"#);
    let issued = place.harness.server.admin().live_tokens(Query::default()).await.unwrap();
    let told: Vec<_> = issued.iter().filter_map(|entry| entry.record.subject.as_deref()).collect();
    assert_eq!(told, vec![format!("platform {SUBJECT}"); 3], "the audit knows which workload it was");
}

#[tokio::test]
async fn scopes_and_targets_are_those_of_the_client() {
    let place = Federal::new().await;
    let token = place.token(&json!({}));
    let answer = place.harness.post(TOKEN, grant(&token).scope("orders:read")).await;
    assert_eq!(answer.json()["scope"], "orders:read");
    place.harness.post(TOKEN, grant(&token).scope("orders:delete")).await.refused(400, "invalid_scope");
    let other = grant(&token).with(param::AUDIENCE, "https://other.example");
    place.harness.post(TOKEN, other).await.refused(400, "invalid_target");
}

#[tokio::test]
async fn another_client_id_is_refused() {
    let place = Federal::new().await;
    place.harness.create_client("other").await;
    let token = place.token(&json!({}));
    for client in ["other", "nobody"] {
        let ask = Ask::token().assertion(&token).with(param::CLIENT_ID, client);
        let told = place.harness.post(TOKEN, ask).await.refused(400, "invalid_client");
        assert_eq!(told, "client authentication failed");
        let ask = grant(&token).with(param::CLIENT_ID, client);
        place.harness.post(TOKEN, ask).await.refused(400, "invalid_grant");
    }
    // Without a name nobody is guessed from the assertion.
    let ask = Ask::token().assertion(&token);
    place.harness.post(TOKEN, ask).await.refused(400, "invalid_request");
}

#[tokio::test]
async fn the_grant_takes_no_other_authentication_beside_it() {
    let place = Federal::new().await;
    let (token, secret) = (place.token(&json!({})), place.harness.secret("app").await);
    for ask in [
        grant(&token).basic("app", &secret),
        grant(&token).in_body("app", &secret),
        grant(&token).assertion(&token).with(param::CLIENT_ID, "app"),
    ] {
        place.harness.post(TOKEN, ask).await.refused(400, "invalid_request");
    }
    let nothing = Ask::default().with(param::GRANT_TYPE, grant_type::JWT_BEARER);
    let told = place.harness.post(TOKEN, nothing).await.refused(400, "invalid_request");
    assert_eq!(told, "assertion is missing");
}

#[tokio::test]
async fn conditions_of_issuer_and_mapping_must_hold() {
    let place = Federal::with(|issuer| issuer.condition(condition("repository", "acme/app"))).await;
    place.as_client(&place.token(&json!({}))).await.access_token();
    for changes in
        [json!({"repository": "acme/other"}), json!({"repository": null}), json!({"repository": 7})]
    {
        place.is_refused(&place.token(&changes)).await;
    }
    assert!(place.reasons().await.iter().any(|reason| reason.contains("condition on repository")));

    let pattern = ExternalSubject::Matching(Pattern::parse("repo:acme/tools:**").unwrap());
    let mapping = Federated::new(platform_id(), pattern).condition(condition("environment", "production"));
    place.harness.create_client("tools").await;
    place.harness.credential("tools", Proof::Federated(mapping)).await;
    let tools = |changes: Value| {
        let mut changes = changes;
        changes["sub"] = "repo:acme/tools:environment:production".into();
        place.token(&changes)
    };
    let answer = place.as_grant(&tools(json!({}))).await;
    assert_eq!(place.harness.claims(&answer.access_token()).await.client_id(), Some("tools"));
    place.as_grant(&tools(json!({"environment": "staging"}))).await.refused(400, "invalid_grant");
    place.as_grant(&tools(json!({"environment": null}))).await.refused(400, "invalid_grant");
}

#[tokio::test]
async fn several_mappings_are_none() {
    let place = Federal::new().await;
    place.harness.create_client("other").await;
    let mapping = Federated::new(platform_id(), exact(SUBJECT));
    let (second, _) = place.harness.credential("other", Proof::Federated(mapping)).await;
    let token = place.token(&json!({}));
    place.as_grant(&token).await.refused(400, "invalid_grant");
    assert!(place.reasons().await.iter().any(|reason| reason.contains("several credentials")));
    // Each client can say which one it is.
    place.as_client(&token).await.access_token();
    place.harness.server.admin().revoke_credential(&second).await.unwrap();
    place.as_grant(&token).await.access_token();
}

/// CVE-2026-1486: what is switched off is off in every grant.
#[tokio::test]
async fn whatever_is_switched_off_is_refused_in_every_path() {
    let place = Federal::new().await;
    let (token, admin) = (place.token(&json!({})), place.harness.server.admin());
    let issued = place.as_client(&token).await.access_token();
    let secret = place.harness.secret("app").await;
    let active = async || {
        let answer = place.harness.post(INTROSPECT, Ask::about(&issued).basic("app", &secret)).await;
        answer.json()["active"].as_bool().unwrap()
    };
    assert!(active().await);

    // A second issuer keeps the grant itself on offer.
    let other = TrustedIssuer::new(
        IssuerId::parse("other").unwrap(),
        Named::issuer("https://other.example").unwrap(),
        set_of(&platform_key()),
    );
    admin.create_issuer(other).await.unwrap();
    admin.set_issuer_status(&platform_id(), Status::Disabled).await.unwrap();
    place.is_refused(&token).await;
    assert!(!active().await, "what was issued for it is inactive, too");
    admin.set_issuer_status(&platform_id(), Status::Active).await.unwrap();
    place.as_client(&token).await.access_token();
    assert!(active().await);

    let app = client_id("app");
    admin.set_client_status(&app, Status::Disabled).await.unwrap();
    place.is_refused(&token).await;
    admin.set_client_status(&app, Status::Active).await.unwrap();
    place.as_grant(&token).await.access_token();

    admin.revoke_credential(&place.credential).await.unwrap();
    place.is_refused(&token).await;
    assert!(!active().await);
}

#[tokio::test]
async fn a_token_may_come_again_unless_its_issuer_says_once() {
    let place = Federal::new().await;
    let token = place.token(&json!({"jti": null}));
    for _ in 0..3 {
        place.as_client(&token).await.access_token();
    }
    let place = Federal::with(|issuer| issuer.reuse(Reuse::Once)).await;
    let token = place.token(&json!({}));
    // A refusal for another reason consumes nothing.
    place.harness.post(TOKEN, grant(&token).scope("orders:delete")).await.refused(400, "invalid_scope");
    place.as_grant(&token).await.access_token();
    let told = place.as_grant(&token).await.refused(400, "invalid_grant");
    assert_eq!(told, "the assertion was used before");
    place.as_client(&token).await.refused(400, "invalid_client");
    place.is_refused(&place.token(&json!({"jti": null}))).await;
    place.as_client(&place.token(&json!({"jti": "j2"}))).await.access_token();
}

/// The audit tells the operator whom a refused token names, which the answer does not.
#[tokio::test]
async fn the_audit_names_who_was_refused() {
    let place = Federal::new().await;
    place.as_client(&place.token(&json!({"sub": "repo:evil/app"}))).await.refused(400, "invalid_client");
    let late = json!({"sub": "repo:late/app", "exp": place.harness.now().seconds() - 600});
    place.as_client(&place.token(&late)).await.refused(400, "invalid_client");
    place.as_grant(&place.token(&json!({"iss": "https://evil.example"}))).await.refused(400, "invalid_grant");
    place.as_grant(&place.token(&json!({"iss": null}))).await.refused(400, "invalid_grant");
    let reasons = place.reasons().await;
    for named in ["repo:evil/app", "repo:late/app", "https://evil.example", "it names none"] {
        assert!(reasons.iter().any(|reason| reason.contains(named)), "{named}: {reasons:?}");
    }
}

#[tokio::test]
async fn another_audience_counts_where_it_was_set() {
    let place = Federal::with(|issuer| issuer.audience("sts.example")).await;
    place.as_client(&place.token(&json!({"aud": "sts.example"}))).await.access_token();
    place.is_refused(&place.token(&json!({}))).await;
}

#[tokio::test]
async fn metadata_tell_of_grant_and_method_while_somebody_is_trusted() {
    let harness = Harness::new().await;
    let told = || -> (Value, Value) {
        let text = harness.server.metadata();
        let mut metadata: Value = serde_json::from_slice(&text).unwrap();
        (metadata["grant_types_supported"].take(), metadata["token_endpoint_auth_methods_supported"].take())
    };
    let offers = |list: &Value, name: &str| list.as_array().unwrap().contains(&Value::from(name));
    assert!(!offers(&told().0, grant_type::JWT_BEARER) && !offers(&told().1, "spiffe_jwt"));
    let ask = grant("a.b.c");
    harness.post(TOKEN, ask).await.refused(400, "unsupported_grant_type");

    let admin = harness.server.admin();
    let domain = Named::TrustDomain(TrustDomain::parse("prod.example").unwrap());
    let issuer = TrustedIssuer::new(platform_id(), domain, set_of(&platform_key()));
    admin.create_issuer(issuer).await.unwrap();
    assert!(!offers(&told().0, grant_type::JWT_BEARER) && offers(&told().1, "spiffe_jwt"));
    let other = IssuerId::parse("other").unwrap();
    let named = Named::issuer(PLATFORM).unwrap();
    admin.create_issuer(TrustedIssuer::new(other.clone(), named, set_of(&platform_key()))).await.unwrap();
    assert!(offers(&told().0, grant_type::JWT_BEARER) && offers(&told().1, "spiffe_jwt"));
    for id in [&platform_id(), &other] {
        admin.set_issuer_status(id, Status::Disabled).await.unwrap();
    }
    assert!(!offers(&told().0, grant_type::JWT_BEARER) && !offers(&told().1, "spiffe_jwt"));
}

// spec-test: SPIFFE-AS1, SPIFFE-C1
#[tokio::test]
async fn a_svid_is_taken_by_its_trust_domain_and_by_nothing_else() {
    const SVID: &str = "spiffe://prod.example/ns/orders/sa/api";
    let (harness, key) = (Harness::new().await, platform_key());
    let domain = Named::TrustDomain(TrustDomain::parse("prod.example").unwrap());
    let issuer = TrustedIssuer::new(platform_id(), domain, set_of(&key));
    harness.server.admin().create_issuer(issuer).await.unwrap();
    let subject = ExternalSubject::Matching(Pattern::parse("spiffe://prod.example/ns/orders/**").unwrap());
    harness.credential("app", Proof::Federated(Federated::new(platform_id(), subject))).await;
    let svid = |sub: &str, audience: &[&str]| {
        let claims = Claims {
            sub: Some(sub.to_owned()),
            aud: Some(Audience::Many(audience.iter().map(|one| (*one).to_owned()).collect())),
            exp: Some(harness.now().saturating_add(Duration::from_secs(300))),
            ..Claims::default()
        };
        WorkloadToken { claims: &claims, typ: Some("JWT") }.build(&key).unwrap()
    };
    let ask = async |text: &str| {
        let ask = Ask::token()
            .with(param::CLIENT_ASSERTION_TYPE, assertion_type::JWT_SPIFFE)
            .with(param::CLIENT_ASSERTION, text)
            .with(param::CLIENT_ID, "app");
        harness.post(TOKEN, ask).await
    };
    ask(&svid(SVID, &[ISSUER])).await.access_token();
    for (sub, audience) in [
        (SVID, &[ISSUER, "https://other.example"][..]),
        (SVID, &["https://other.example"]),
        ("spiffe://other.example/ns/orders/sa/api", &[ISSUER]),
        ("spiffe://prod.example/ns/billing/sa/api", &[ISSUER]),
        ("spiffe://prod.example/ns/orders/../billing", &[ISSUER]),
        ("repo:acme/app", &[ISSUER]),
    ] {
        let told = ask(&svid(sub, audience)).await.refused(400, "invalid_client");
        assert_eq!(told, "client authentication failed", "{sub} {audience:?}");
    }
    // The other type, and the grant, go by `iss`, which it has not.
    let text = svid(SVID, &[ISSUER]);
    let other = Ask::token().assertion(&text).with(param::CLIENT_ID, "app");
    harness.post(TOKEN, other).await.refused(400, "invalid_client");
    harness.post(TOKEN, grant(&text)).await.refused(400, "unsupported_grant_type");
}

#[tokio::test]
async fn failures_have_a_budget() {
    let place = Federal::on(Harness::new().await, |issuer| issuer).await;
    let wrong = place.token(&json!({"sub": "repo:evil/app:ref:refs/heads/main"}));
    for _ in 0..20 {
        let ask = grant(&wrong).with(param::CLIENT_ID, "app").from("192.0.2.1");
        place.harness.post(TOKEN, ask).await.refused(400, "invalid_grant");
    }
    let right = grant(&place.token(&json!({}))).with(param::CLIENT_ID, "app");
    place.harness.post(TOKEN, right.clone().from("192.0.2.1")).await.refused(429, "slow_down");
    place.harness.post(TOKEN, right.from("192.0.2.2")).await.access_token();
}
