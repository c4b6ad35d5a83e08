//! Workloads of real platforms at our authorization server, with our client and without: no secret anywhere.

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, StatusCode};
use m2m_authorization_server::TrustingHttp;
use m2m_authorization_server::federation::{ClaimPath, Condition, Explanation, Literal, Pattern, Test};
use m2m_authorization_server::registry::{
    ExternalSubject, Federated, FetchFiles, IssuerId, IssuerKeys, Named, Proof, TrustedIssuer,
};
use m2m_client::{Client, Credentials, Dpop, FixedSecret, TokenSpec};
use m2m_io::{Clock as _, HttpClient};
use m2m_proto::jose::Algorithm;
use m2m_proto::secret::SecretString;
use m2m_proto::spiffe::TrustDomain;
use m2m_proto::time::UnixTime;
use m2m_proto::token::TokenType;
use m2m_proto::uri::EndpointUri;
use m2m_testkit::Fixture;
use m2m_testkit::fixture::API;
use m2m_testkit::workloads::{CLUSTER_BEARER, Platform};
use serde_json::{Value, json};

/// A system that trusts one platform.
struct Place {
    fixture: Fixture,
    platform: Platform,
    /// Where the files of the cluster are.
    _files: tempfile::TempDir,
}

fn id() -> IssuerId {
    IssuerId::parse("platform").unwrap()
}

fn equals(claim: &str, value: &str) -> Condition {
    Condition::new(ClaimPath::parse(claim).unwrap(), Test::Equals(Literal::Text(value.to_owned()))).unwrap()
}

fn matching(pattern: &str) -> ExternalSubject {
    ExternalSubject::Matching(Pattern::parse(pattern).unwrap())
}

fn exact(subject: &str) -> ExternalSubject {
    ExternalSubject::Exact(subject.to_owned())
}

impl Place {
    /// With conditions of the issuer, and the mapping of the client.
    async fn new(platform: Platform, issuers: Vec<Condition>, mapping: Federated) -> Self {
        let files = tempfile::tempdir().unwrap();
        let (ca_file, bearer_file) = (files.path().join("ca.crt"), files.path().join("token"));
        std::fs::write(&bearer_file, format!("{CLUSTER_BEARER}\n")).unwrap();
        let root = files.path().to_path_buf();
        // The network that trusts the cluster's authority is known when the fixture is there.
        let network: Arc<std::sync::OnceLock<Arc<dyn HttpClient>>> = Arc::default();
        let later = Arc::clone(&network);
        let trusting = TrustingHttp::new(move |_| Arc::clone(later.get().unwrap()));
        let fixture =
            Fixture::with(|server| server.trusting_http(trusting).issuer_files(root), |verifier| verifier)
                .await;
        assert!(network.set(Arc::new(fixture.http.clone())).is_ok());
        let url = EndpointUri::parse(platform.jwks_url).unwrap();
        fixture.http.route(&url.origin().to_string(), platform.router());
        let cluster = platform.jwks_url.contains("kubernetes");
        let mut fetch = FetchFiles::default();
        if cluster {
            (fetch.ca_file, fetch.bearer_file) = (Some(ca_file), Some(bearer_file));
        }
        let (named, keys) = match Named::issuer(platform.issuer) {
            Some(named) if platform.issuer.starts_with("https://") && cluster => {
                (named, IssuerKeys::Url(url, fetch))
            }
            Some(named) if platform.issuer.starts_with("https://") => (named, IssuerKeys::Discovery(fetch)),
            _ => {
                let domain = TrustDomain::parse(platform.issuer).unwrap();
                (Named::TrustDomain(domain), IssuerKeys::Url(url, fetch))
            }
        };
        let issuer = TrustedIssuer::new(id(), named, keys);
        let issuer = issuers.into_iter().fold(issuer, TrustedIssuer::condition);
        fixture.server.admin().create_issuer(issuer).await.unwrap();
        fixture.credential(Proof::Federated(mapping)).await;
        Self { fixture, platform, _files: files }
    }

    fn now(&self) -> UnixTime {
        self.fixture.clock.wall()
    }

    fn token(&self, changes: &Value) -> String {
        self.platform.token(self.now(), changes)
    }

    /// Our client with this token, as it would run on the platform.
    fn client(&self, token: &str) -> Client {
        let source = Arc::new(FixedSecret::new(SecretString::from(token)));
        let credentials = match self.platform.issuer.starts_with("https://") {
            true => Credentials::assertion(source),
            false => Credentials::jwt_svid(source),
        };
        self.fixture.builder(credentials).build().unwrap()
    }

    async fn is_welcome(&self, token: &str) {
        let client = self.client(token);
        let request = Request::get(format!("{API}/orders")).body(Bytes::new()).unwrap();
        let executed = client.execute(&TokenSpec::default(), request).await.unwrap();
        assert_eq!(
            (executed.response.status(), executed.response.body().as_ref()),
            (StatusCode::OK, &b"app"[..])
        );
    }

    async fn explained(&self, token: &str) -> Explanation {
        self.fixture.server.admin().explain(token, None).await.unwrap()
    }

    /// Gets a token as it is, and with each change none, for the one reason that explain names.
    async fn check(&self, refused: &[(Value, &str)]) {
        let token = self.token(&json!({}));
        self.is_welcome(&token).await;
        let explained = self.explained(&token).await;
        assert!(explained.stands_for.is_some() && explained.failed.is_empty(), "{explained:?}");
        for (changes, reason) in refused {
            let token = self.token(changes);
            let error = self.client(&token).token(&TokenSpec::default()).await.unwrap_err();
            assert!(error.to_string().contains("client authentication failed"), "{changes}: {error}");
            let explained = self.explained(&token).await;
            assert_eq!(explained.failed, [*reason], "{changes}: {explained:?}");
            assert!(!format!("{explained:?}").contains(&token), "the token is not repeated");
        }
    }
}

#[tokio::test]
async fn a_pod_gets_a_token_and_the_wrong_namespace_is_named() {
    let mapping = Federated::new(id(), matching("system:serviceaccount:*:orders"))
        .condition(equals("/kubernetes.io/namespace", "prod"))
        .condition(equals("/kubernetes.io/serviceaccount/name", "orders"));
    let place = Place::new(Platform::kubernetes(), Vec::new(), mapping).await;
    let namespace = "condition /kubernetes.io/namespace";
    place
        .check(&[
            (json!({"kubernetes.io": {"namespace": "dev"}}), namespace),
            (json!({"kubernetes.io": {"namespace": null}}), namespace),
            (json!({"kubernetes.io": {"namespace": ["prod"]}}), namespace),
            (
                json!({"kubernetes.io": {"serviceaccount": {"name": "billing"}}}),
                "condition /kubernetes.io/serviceaccount/name",
            ),
            (json!({"sub": "system:serviceaccount:prod:billing"}), "external_subject"),
            (json!({"aud": ["https://kubernetes.default.svc"]}), "audience"),
            (json!({"iat": null}), "required_claims"),
        ])
        .await;
    assert_eq!(place.fixture.http.count("/openid/v1/jwks"), 1, "its keys are fetched once");
    // A token that is got without a secret can be bound to a key all the same.
    let source = Arc::new(FixedSecret::new(SecretString::from(place.token(&json!({})).as_str())));
    let builder = place.fixture.builder(Credentials::assertion(source));
    let client = builder.dpop(Dpop::Ephemeral(Algorithm::Es256)).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(*token.token_type(), TokenType::Dpop);
}

#[tokio::test]
async fn a_job_gets_a_token_and_the_wrong_repository_is_named() {
    let mapping = Federated::new(id(), matching("repo:acme/*:environment:production"))
        .condition(equals("repository", "acme/orders"))
        .condition(equals("environment", "production"));
    let owner = vec![equals("repository_owner", "acme")];
    let place = Place::new(Platform::github(), owner, mapping).await;
    place
        .check(&[
            (json!({"repository": "acme/other"}), "condition repository"),
            (json!({"repository_owner": "evil"}), "condition repository_owner"),
            (json!({"environment": null}), "condition environment"),
            (json!({"sub": "repo:acme-evil/orders:environment:production"}), "external_subject"),
            (json!({"sub": "repo:acme/orders:ref:refs/heads/main"}), "external_subject"),
            (json!({"iss": "https://token.actions.githubusercontent.com/acme"}), "issuer"),
        ])
        .await;
}

// spec-test: SPIFFE-C1, SPIFFE-AS1
#[tokio::test]
async fn a_workload_with_a_svid_gets_a_token_and_another_trust_domain_is_named() {
    let mapping = Federated::new(id(), exact("spiffe://prod.example/ns/prod/sa/orders"));
    let place = Place::new(Platform::spiffe(), Vec::new(), mapping).await;
    place
        .check(&[
            (json!({"sub": "spiffe://dev.example/ns/prod/sa/orders"}), "issuer"),
            (json!({"sub": "spiffe://prod.example/ns/prod/sa/billing"}), "external_subject"),
            (json!({"aud": ["https://as.example", "https://other.example"]}), "audience"),
        ])
        .await;
}

#[tokio::test]
async fn a_role_gets_a_token_and_the_wrong_account_is_named() {
    let account = "/https:~1~1sts.amazonaws.com~1/aws_account";
    let mapping = Federated::new(id(), exact("arn:aws:iam::123456789012:role/orders"));
    let place = Place::new(Platform::aws(), vec![equals(account, "123456789012")], mapping).await;
    place
        .check(&[
            (
                json!({"https://sts.amazonaws.com/": {"aws_account": "210987654321"}}),
                "condition /https:~1~1sts.amazonaws.com~1/aws_account",
            ),
            (
                json!({"https://sts.amazonaws.com/": null}),
                "condition /https:~1~1sts.amazonaws.com~1/aws_account",
            ),
            (json!({"sub": "arn:aws:iam::123456789012:role/billing"}), "external_subject"),
        ])
        .await;
}

#[tokio::test]
async fn explain_tells_of_signature_times_and_who_is_switched_off() {
    let mapping = Federated::new(id(), exact("repo:acme/orders:environment:production"));
    let place = Place::new(Platform::github(), Vec::new(), mapping).await;
    let failed = async |token: &str| place.explained(token).await.failed;
    let token = place.token(&json!({}));
    let (signed, _) = token.rsplit_once('.').unwrap();
    let other = place.token(&json!({"actor": "somebody"}));
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_eq!(failed(&format!("{signed}.{signature}")).await, ["signature"]);
    assert_eq!(failed("hunter2").await, ["shape"]);
    assert_eq!(failed(&place.token(&json!({"cnf": {"jkt": "x"}}))).await, ["confirmation"]);
    assert_eq!(failed(&place.token(&json!({"exp": 7, "iat": 6, "nbf": 6}))).await, ["time"]);
    let far = place.now().seconds() + 80_000;
    assert_eq!(failed(&place.token(&json!({"exp": far}))).await, ["max_lifetime"]);
    let admin = place.fixture.server.admin();
    admin.set_issuer_status(&id(), m2m_authorization_server::registry::Status::Disabled).await.unwrap();
    assert_eq!(failed(&token).await, ["issuer_status"]);
}
