//! What goes over the wire.

use std::sync::Arc;

use m2m_io::Random as _;
use m2m_proto::client_auth::assertion::{Expect, TypRule, verify};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};
use m2m_proto::client_id::ClientId;
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::jose::{Algorithm, SigningKey, VerifyingKey};
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretBytes;
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::uri::{Issuer, ResourceUri};

use crate::testing::{
    FakeServer, START, TestClock, TestRandom, answer, builder, client, oauth_error, secret, token_answer,
};
use crate::{AssertionAudienceRule, Client, Credentials, ErrorKind, Grant, KeySource, Server, TokenSpec};

/// The exact bytes: a change here is a change for every server there is.
// spec-test: 6749-C1
// spec-test: 6749-C3
#[tokio::test]
async fn golden_client_secret_basic() {
    let server = FakeServer::issuing(600);
    let client = builder(&server, &TestClock::new())
        .scope(Scope::parse("read write").unwrap())
        .resource(ResourceUri::parse("https://api.example/orders").unwrap())
        .param("tenant", "a b&c")
        .build()
        .unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    let request = server.request(0);
    assert_eq!(
        (request.method().as_str(), request.uri().to_string().as_str()),
        ("POST", "https://as.example/token")
    );
    assert_eq!(
        request.body(),
        "grant_type=client_credentials&scope=read+write&audience=https%3A%2F%2Fapi.example&\
         resource=https%3A%2F%2Fapi.example%2Forders&tenant=a+b%26c"
    );
    let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "application/x-www-form-urlencoded");
    assert_eq!(header("accept"), "application/json");
    // c:canary-secret-7f3a%2Fwith%2Bodd%3Achars
    assert_eq!(header("authorization"), "Basic YzpjYW5hcnktc2VjcmV0LTdmM2ElMkZ3aXRoJTJCb2RkJTNBY2hhcnM=");
    assert!(request.headers()["authorization"].is_sensitive());
}

#[tokio::test]
async fn basic_can_be_raw_for_servers_that_never_decode() {
    let server = FakeServer::issuing(600);
    let client = builder(&server, &TestClock::new()).basic_encoding(BasicEncoding::Raw).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    // c:canary-secret-7f3a/with+odd:chars
    assert_eq!(
        server.request(0).headers()["authorization"],
        "Basic YzpjYW5hcnktc2VjcmV0LTdmM2Evd2l0aCtvZGQ6Y2hhcnM="
    );
}

// spec-test: 6749-C5
#[tokio::test]
async fn golden_client_secret_post() {
    let server = FakeServer::issuing(600);
    let credentials = Credentials::secret(secret("p@ss word"), None, ClientAuthMethod::ClientSecretPost);
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    let request = server.request(0);
    assert_eq!(
        request.body(),
        "grant_type=client_credentials&audience=https%3A%2F%2Fapi.example&client_id=c&client_secret=p%40ss+word"
    );
    assert!(!request.headers().contains_key("authorization"));
}

fn accepts(server: &FakeServer, index: usize, audience: &str, key: &VerifyingKey) -> String {
    let form = server.form(index);
    let issuer = Issuer::parse(audience).unwrap();
    let expect = Expect {
        client_id: &ClientId::parse("c").unwrap(),
        issuer: &issuer,
        token_endpoint_audience: None,
        typ: TypRule::Explicit,
        now: UnixTime::from_seconds(START),
        skew: Skew::NONE,
    };
    let assertion = form.get("client_assertion").unwrap();
    assert_eq!(
        form.get("client_assertion_type").unwrap(),
        "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    );
    assert!(!server.request(index).headers().contains_key("authorization"));
    verify(assertion, &expect, [key]).unwrap().jti().to_owned()
}

/// Without an issuer the token endpoint is the audience, and only then.
// spec-test: 7523-C1
#[tokio::test]
async fn private_key_jwt_is_accepted_by_our_own_verifier() {
    for algorithm in [Algorithm::Es256, Algorithm::Es384, Algorithm::EdDsa] {
        let key = Arc::new(SigningKey::generate(algorithm).unwrap());
        let server = FakeServer::issuing(600);
        let credentials = Credentials::key(KeySource::fixed(Arc::clone(&key)));
        let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
        client.token(&TokenSpec::default()).await.unwrap();
        accepts(&server, 0, "https://as.example/token", key.verifying_key());
    }
}

#[tokio::test]
async fn client_secret_jwt_is_accepted_by_our_own_verifier() {
    let text = "s".repeat(64);
    for algorithm in [Algorithm::Hs256, Algorithm::Hs384, Algorithm::Hs512] {
        let server = FakeServer::issuing(600);
        let credentials = Credentials::client_secret_jwt(secret(&text), None, algorithm);
        let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
        client.token(&TokenSpec::default()).await.unwrap();
        let key = VerifyingKey::hmac(&SecretBytes::from(text.as_bytes()), algorithm).unwrap();
        accepts(&server, 0, "https://as.example/token", &key);
    }
}

#[tokio::test]
async fn a_secret_too_short_for_its_hash_is_a_setting_that_cannot_work() {
    let server = FakeServer::issuing(600);
    let credentials = Credentials::client_secret_jwt(secret("short"), None, Algorithm::Hs256);
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::Misconfigured, 0));
}

/// A server consumes an assertion's `jti`: the same one twice is a replay.
#[tokio::test]
async fn every_attempt_has_an_assertion_of_its_own() {
    let key = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let clock = TestClock::new();
    let server = FakeServer::new(|_, _| Ok(answer(503, "")));
    let credentials = Credentials::key(KeySource::fixed(Arc::clone(&key)));
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap_err();
    clock.advance(crate::testing::seconds(1));
    client.token(&TokenSpec::default()).await.unwrap_err();
    let first = server.form(0).get("client_assertion").unwrap().to_owned();
    assert_ne!(first, server.form(1).get("client_assertion").unwrap());
    let mut bytes = [0; 16];
    TestRandom::seeded(1).fill(&mut bytes);
    assert_ne!(bytes, [0; 16]);
}

const METADATA: &str = r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/oauth2/token",
    "introspection_endpoint":"https://as.example/oauth2/introspect"}"#;

fn discovering(server: &Arc<FakeServer>, credentials: Credentials) -> Client {
    Client::builder(Server::issuer(Issuer::parse("https://as.example").unwrap()))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(credentials)
        .clock(Arc::new(TestClock::new()))
        .random(Arc::new(TestRandom::seeded(1)))
        .http(Arc::clone(server) as Arc<dyn m2m_io::HttpClient>)
        .build()
        .unwrap()
}

fn discovery() -> Arc<FakeServer> {
    FakeServer::new(|request, _| {
        Ok(match request.uri().path() {
            "/.well-known/oauth-authorization-server" => answer(200, METADATA),
            "/oauth2/token" => token_answer("t", "600"),
            _ => answer(404, ""),
        })
    })
}

/// The issuer out of validated metadata is the audience of assertions.
// spec-test: 7523-C2
// spec-test: 7523-C4, 9700-C1
#[tokio::test]
async fn discovery_finds_the_endpoint_and_the_issuer_is_the_audience() {
    let key = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let server = discovery();
    let client = discovering(&server, Credentials::key(KeySource::fixed(Arc::clone(&key))));
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(server.request(1).uri(), "https://as.example/oauth2/token");
    accepts(&server, 1, "https://as.example", key.verifying_key());
}

#[tokio::test]
async fn the_audience_of_assertions_can_be_set() {
    let key = Arc::new(SigningKey::generate(Algorithm::EdDsa).unwrap());
    let server = FakeServer::issuing(600);
    let client = builder(&server, &TestClock::new())
        .credentials(Credentials::key(KeySource::fixed(Arc::clone(&key))))
        .assertion_audience(AssertionAudienceRule::Literal("https://tenant.example".into()))
        .build()
        .unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    accepts(&server, 0, "https://tenant.example", key.verifying_key());
}

#[tokio::test]
async fn an_endpoint_that_metadata_does_not_name_is_said() {
    let server = discovery();
    let basic = Credentials::secret(secret("s"), None, ClientAuthMethod::ClientSecretBasic);
    let client = discovering(&server, basic);
    let token = client.token(&TokenSpec::default()).await.unwrap();
    let error = client.revoke(token.access_token()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured);
    assert_eq!(error.to_string(), "the server has no revocation endpoint");
}

#[tokio::test]
async fn metadata_of_another_issuer_is_not_used() {
    let other = METADATA.replace("\"https://as.example\"", "\"https://as.example/\"");
    let server = FakeServer::new(move |_, _| Ok(answer(200, other.clone())));
    let basic = Credentials::secret(secret("s"), None, ClientAuthMethod::ClientSecretBasic);
    let error = discovering(&server, basic).token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PeerMisbehaved);
    assert!(
        (0..server.count()).all(|index| server.request(index).method() == "GET"),
        "no credential was sent"
    );
}

#[tokio::test]
async fn introspection_and_revocation_authenticate_and_name_the_token() {
    let server = FakeServer::new(|request, _| {
        Ok(match request.uri().path() {
            "/introspect" => answer(200, r#"{"active":true,"client_id":"c","scope":"a"}"#),
            "/revoke" => answer(200, ""),
            _ => token_answer("t", "600"),
        })
    });
    let client = client(&server, &TestClock::new());
    let token = client.token(&TokenSpec::default()).await.unwrap();
    let introspection = client.introspect(token.access_token()).await.unwrap();
    assert!(introspection.is_active());
    client.revoke(token.access_token()).await.unwrap();
    for index in [1, 2] {
        assert_eq!(server.form(index).get("token"), Some("t"));
        assert_eq!(server.form(index).get("token_type_hint"), Some("access_token"));
        assert!(server.request(index).headers().contains_key("authorization"));
    }
}

#[tokio::test]
async fn revoke_cached_forgets_the_token_even_if_the_server_fails() {
    let server = FakeServer::new(|request, n| {
        Ok(match request.uri().path() {
            "/revoke" => answer(503, ""),
            _ => token_answer(&format!("t{n}"), "600"),
        })
    });
    let client = client(&server, &TestClock::new());
    assert!(!client.revoke_cached(&TokenSpec::default()).await.unwrap());
    client.token(&TokenSpec::default()).await.unwrap();
    client.revoke_cached(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(client.token(&TokenSpec::default()).await.unwrap().access_token().expose(), "t3");
}

#[test]
fn settings_that_cannot_work_are_refused_when_the_client_is_built() {
    let server = FakeServer::issuing(600);
    let check = |text: &str, change: fn(crate::ClientBuilder) -> crate::ClientBuilder| {
        let error = change(builder(&server, &TestClock::new())).build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Misconfigured);
        assert!(error.to_string().contains(text), "{error}");
    };
    check("client_id", |builder| builder.param("client_id", "x"));
    check("300 seconds", |builder| builder.assertion_lifetime(crate::testing::seconds(301)));
    check("does not fit", |builder| {
        builder.credentials(Credentials::secret(secret("s"), None, ClientAuthMethod::PrivateKeyJwt))
    });
    check("introspection endpoint", |builder| {
        builder.introspection_endpoint(m2m_proto::uri::EndpointUri::parse("http://as.example/i").unwrap())
    });
}

#[tokio::test]
async fn a_verdict_keeps_its_code_description_and_status() {
    let server = FakeServer::new(|_, _| Ok(oauth_error(400, "invalid_scope")));
    let error = client(&server, &TestClock::new()).token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert_eq!(error.code().unwrap().as_str(), "invalid_scope");
    assert_eq!(error.status(), Some(400));
    assert!(!error.is_transient());
}

/// The token under question is a secret too, should the server quote it.
#[tokio::test]
async fn a_token_that_the_server_quotes_is_not_in_the_error() {
    let server = FakeServer::new(|_, _| {
        let body = r#"{"error":"invalid_request","error_description":"token eyJ.quoted.token is unknown"}"#;
        Ok(answer(400, body))
    });
    let client = client(&server, &TestClock::new());
    let token = m2m_proto::token::AccessToken::parse("eyJ.quoted.token").unwrap();
    for error in [client.introspect(&token).await.unwrap_err(), client.revoke(&token).await.unwrap_err()] {
        assert!(error.to_string().contains("is unknown"), "{error}");
        assert!(!format!("{error} {error:?} {:?}", error.description()).contains("quoted"));
    }
}

/// An assertion says who signs; a made-up name in it would be a lie with a signature.
#[tokio::test]
async fn nobody_signs_in_the_name_of_nobody() {
    let server = FakeServer::issuing(600);
    let key = || KeySource::fixed(Arc::new(SigningKey::generate(Algorithm::Es256).unwrap()));
    let without = |grant| {
        let settings = builder(&server, &TestClock::new()).credentials(Credentials::none()).grant(grant);
        crate::ClientBuilder { client_id: None, ..settings }.build()
    };
    for grant in [Grant::jwt_bearer(key()), Grant::self_signed(key())] {
        let error = without(grant).unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string().as_str()),
            (ErrorKind::Misconfigured, "client_id is missing")
        );
    }
    let client = without(Grant::named("urn:example:where-i-am")).unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(server.form(0).get("client_id"), None);
}

/// Nothing of ours is a secret there, so a hint that sends people to look for one leads nowhere.
#[tokio::test]
async fn a_refusal_is_explained_by_what_was_shown() {
    let check = async |credentials: Credentials, grant: Option<Grant>, code: &'static str, expect: &str| {
        let server = FakeServer::new(move |_, _| Ok(oauth_error(400, code)));
        let mut builder = builder(&server, &TestClock::new()).credentials(credentials);
        if let Some(grant) = grant {
            builder = builder.grant(grant);
        }
        let error = builder.build().unwrap().token(&TokenSpec::default()).await.unwrap_err();
        let hint = error.hint();
        assert!(hint.contains(expect) && !hint.contains("secret"), "{code}: {hint}");
    };
    let jwt = || Credentials::assertion(secret("a.b.c"));
    let of_secret = || Credentials::secret(secret("s"), None, ClientAuthMethod::ClientSecretBasic);
    let exchange = || Some(Grant::token_exchange(secret("a.b.c"), TokenTypeUri::Jwt, None));
    check(jwt(), None, "invalid_client", "the platform's token").await;
    check(
        Credentials::none(),
        Some(Grant::assertion(secret("a.b.c"))),
        "invalid_grant",
        "the platform's token",
    )
    .await;
    check(of_secret(), exchange(), "invalid_request", "the subject token").await;
    check(of_secret(), exchange(), "unauthorized_client", "may not exchange").await;
    check(jwt(), exchange(), "invalid_client", "the platform's token").await;
    check(jwt(), exchange(), "invalid_target", "the subject token").await;
}
