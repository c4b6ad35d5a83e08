//! All three roles together: what works, what is refused, and what time does to it.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use m2m_authorization_server::ServerNonce;
use m2m_authorization_server::audit::Query;
use m2m_authorization_server::registry::{Proof, SecretUse};
use m2m_client::{Client, Credentials, Dpop, ErrorKind, FixedSecret, TokenSpec};
use m2m_io::{HttpClient as _, HttpError, Limits};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::error::ErrorCode;
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::token::TokenType;
use m2m_testkit::fixture::{API, ISSUER};
use m2m_testkit::{Fault, Fixture};

const METHODS: [ClientAuthMethod; 6] = [
    ClientAuthMethod::ClientSecretBasic,
    ClientAuthMethod::ClientSecretPost,
    ClientAuthMethod::ClientSecretJwt,
    ClientAuthMethod::PrivateKeyJwt,
    ClientAuthMethod::TlsClientAuth,
    ClientAuthMethod::SelfSignedTlsClientAuth,
];
const TOKEN: &str = "/oauth2/token";

fn orders() -> Request<Bytes> {
    Request::get(format!("{API}/orders")).body(Bytes::new()).unwrap()
}

async fn call(client: &Client) -> (StatusCode, String) {
    let executed = client.execute(&TokenSpec::default(), orders()).await;
    let executed = executed.unwrap_or_else(|error| panic!("{client:?}: {error}"));
    let status = executed.response.status();
    (status, String::from_utf8(executed.response.into_body().to_vec()).unwrap())
}

fn welcome() -> (StatusCode, String) {
    (StatusCode::OK, "app".to_owned())
}

/// A request that carries this header and nothing of a client.
async fn bare(fixture: &Fixture, authorization: &str) -> http::Response<Bytes> {
    let mut request = orders();
    if !authorization.is_empty() {
        request.headers_mut().insert(http::header::AUTHORIZATION, authorization.parse().unwrap());
    }
    fixture.http.send(request, &Limits::default()).await.unwrap()
}

#[tokio::test]
async fn every_method_leads_to_the_api() {
    for method in METHODS {
        let fixture = Fixture::start().await;
        let client = fixture.client(method).await.build().unwrap();
        assert_eq!(call(&client).await, welcome(), "{}", method.as_str());
        assert_eq!(call(&client).await, welcome(), "{}", method.as_str());
        assert_eq!(fixture.http.count(TOKEN), 1, "{}: the token is used again", method.as_str());
    }
}

#[tokio::test]
async fn every_method_leads_to_the_api_with_dpop() {
    for method in METHODS {
        for nonce in [ServerNonce::Off, ServerNonce::Required] {
            let fixture = Fixture::with(|server| server.dpop_nonce(nonce), |verifier| verifier).await;
            let builder = fixture.client(method).await.dpop(Dpop::Ephemeral(Algorithm::Es256));
            let client = builder.build().unwrap();
            assert_eq!(call(&client).await, welcome(), "{} {nonce:?}", method.as_str());
            let token = client.token(&TokenSpec::default()).await.unwrap();
            assert_eq!(*token.token_type(), TokenType::Dpop);
        }
    }
}

#[tokio::test]
async fn the_token_request_is_these_bytes() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    let request = fixture.http.record().last();
    let credentials = request.header("authorization").unwrap().to_owned();
    assert!(credentials.starts_with("Basic "));
    let expect = "POST https://as.example/oauth2/token\naccept: application/json\nauthorization: CREDENTIALS\n\
        content-type: application/x-www-form-urlencoded\n\n\
        grant_type=client_credentials&scope=orders%3Aread+orders%3Awrite&audience=https%3A%2F%2Forders.example";
    assert_eq!(request.wire().replace(&credentials, "CREDENTIALS"), expect);
}

#[tokio::test]
async fn a_thousand_callers_make_one_request() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
    let calls = (0..1000).map(|_| {
        let client = client.clone();
        async move { client.token(&TokenSpec::default()).await.unwrap() }
    });
    let mut tokens = tokio::task::JoinSet::new();
    for call in calls {
        tokens.spawn(call);
    }
    let tokens = tokens.join_all().await;
    assert!(tokens.iter().all(|token| token.access_token() == tokens[0].access_token()));
    assert_eq!(fixture.http.count(TOKEN), 1);
}

#[tokio::test]
async fn a_token_is_renewed_before_it_ends_and_the_old_one_dies() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::PrivateKeyJwt).await.build().unwrap();
    let first = client.token(&TokenSpec::default()).await.unwrap();
    for _ in 0..120 {
        fixture.clock.pass(Duration::from_secs(10)).await;
        assert_eq!(call(&client).await, welcome());
    }
    let now = client.token(&TokenSpec::default()).await.unwrap();
    assert_ne!(now.access_token(), first.access_token());
    let mints = fixture.http.count(TOKEN);
    assert!((3..=6).contains(&mints), "{mints} tokens of 600 s in 1200 s");
    let response = bare(&fixture, &format!("Bearer {}", first.access_token().expose())).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("invalid_token"));
}

#[tokio::test]
async fn an_outage_is_survived_until_the_token_ends() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
    assert_eq!(call(&client).await, welcome());
    fixture.http.always(ISSUER, Fault::Fail(HttpError::Connect("down".to_owned())));
    fixture.clock.pass(Duration::from_secs(580)).await;
    assert_eq!(call(&client).await, welcome());
    fixture.clock.pass(Duration::from_secs(30)).await;
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Unreachable, true));
    fixture.http.recover(ISSUER);
    fixture.clock.pass(Duration::from_secs(60)).await;
    assert_eq!(call(&client).await, welcome());
}

#[tokio::test]
async fn a_wrong_secret_is_refused_and_told_nowhere() {
    let fixture = Fixture::start().await;
    fixture.credential(Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let wrong = Arc::new(FixedSecret::new(SecretString::from("canary-wrong-secret")));
    let credentials = Credentials::secret(wrong, None, ClientAuthMethod::ClientSecretBasic);
    let client = fixture.builder(credentials).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code().map(ErrorCode::as_str)),
        (ErrorKind::Refused, Some("invalid_client"))
    );
    let audit = fixture.server.admin().audit(&Query::default()).await.unwrap();
    assert!(!format!("{error} {error:?} {client:?} {audit:?}").contains("canary"));
}

#[tokio::test]
async fn a_revoked_credential_gets_no_token_and_its_tokens_are_inactive() {
    let fixture = Fixture::start().await;
    let made = fixture.credential(Proof::ClientSecret(SecretUse::BasicOrPost)).await;
    let other = fixture.client(ClientAuthMethod::PrivateKeyJwt).await.build().unwrap();
    let secret = Arc::new(FixedSecret::new(made.client_secret.unwrap()));
    let credentials = Credentials::secret(secret, None, ClientAuthMethod::ClientSecretPost);
    let client = fixture.builder(credentials).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    assert!(other.introspect(token.access_token()).await.unwrap().is_active());
    fixture.server.admin().revoke_credential(&made.id).await.unwrap();
    assert!(!other.introspect(token.access_token()).await.unwrap().is_active());
    let error = client.renew(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.code().map(ErrorCode::as_str), Some("invalid_client"));
}

#[tokio::test]
async fn the_api_refuses_what_it_must() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    let text = token.access_token().expose().to_owned();
    let check = async |authorization: String, status: StatusCode, challenge: &str| {
        let response = bare(&fixture, &authorization).await;
        assert_eq!(response.status(), status, "{challenge}");
        let found = response.headers()["www-authenticate"].to_str().unwrap();
        assert!(found.contains(challenge), "{found}");
    };
    assert_eq!(bare(&fixture, &format!("Bearer {text}")).await.status(), StatusCode::OK);
    check(String::new(), StatusCode::UNAUTHORIZED, "Bearer").await;
    check("Bearer nonsense".to_owned(), StatusCode::UNAUTHORIZED, "invalid_token").await;
    let (head, signature) = text.rsplit_once('.').unwrap();
    let other = if signature.starts_with('A') { "B" } else { "A" };
    let broken = format!("Bearer {head}.{other}{}", &signature[1..]);
    check(broken, StatusCode::UNAUTHORIZED, "invalid_token").await;
}

#[tokio::test]
async fn a_token_without_the_scope_is_not_enough() {
    let fixture = Fixture::start().await;
    let client = fixture.client(ClientAuthMethod::ClientSecretBasic).await.build().unwrap();
    let spec = TokenSpec::new().scope(Scope::parse("orders:read").unwrap());
    let write = Request::post(format!("{API}/orders")).body(Bytes::new()).unwrap();
    assert_eq!(client.execute(&spec, orders()).await.unwrap().response.status(), StatusCode::OK);
    let response = client.execute(&spec, write).await.unwrap().response;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(response.headers()["www-authenticate"].to_str().unwrap().contains("insufficient_scope"));
}

#[tokio::test]
async fn a_stolen_bound_token_is_worthless() {
    let fixture = Fixture::start().await;
    let builder = fixture.client(ClientAuthMethod::ClientSecretBasic).await;
    let client = builder.dpop(Dpop::Ephemeral(Algorithm::Es256)).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    for scheme in ["Bearer", "DPoP"] {
        let response = bare(&fixture, &format!("{scheme} {}", token.access_token().expose())).await;
        assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{scheme}");
    }
}
