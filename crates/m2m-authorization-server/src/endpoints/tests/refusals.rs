//! Golden answers: the bytes that a client sees for each way of asking wrongly.

use super::*;
use crate::registry::{Api, Status};

const FORM: &str = media_type::FORM;

async fn raw(harness: &Harness, content_type: &str, body: impl Into<Body>) -> Answer {
    let request = Request::post(TOKEN).header("content-type", content_type).body(body.into()).unwrap();
    harness.send(request).await
}

async fn with_secret(harness: &Harness, ask: Ask) -> Answer {
    let secret = harness.secret("app").await;
    harness.post(TOKEN, ask.basic("app", &secret)).await
}

// spec-test: 6749-AS8
#[tokio::test]
async fn wrong_secret_in_the_header_is_401_with_a_challenge() {
    let harness = Harness::new().await;
    let answer = harness.post(TOKEN, Ask::token().basic("app", "wrong")).await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
    assert_eq!(answer.header("www-authenticate"), "Basic realm=\"oauth2\"");
    assert_eq!(
        answer.text(),
        r#"{"error":"invalid_client","error_description":"client authentication failed"}"#
    );
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.header("pragma"), "no-cache");
    assert_eq!(answer.header("content-type"), "application/json");
}

// spec-test: 6749-AS8
#[tokio::test]
async fn wrong_secret_in_the_body_is_400_without_a_challenge() {
    let harness = Harness::new().await;
    let answer = harness.post(TOKEN, Ask::token().in_body("app", "wrong")).await;
    assert_eq!(answer.refused(400, "invalid_client"), "client authentication failed");
    assert_eq!(answer.header("www-authenticate"), "");
}

// spec-test: 6749-AS4
#[tokio::test]
async fn a_repeated_parameter_is_refused() {
    let harness = Harness::new().await;
    let body = "grant_type=client_credentials&grant_type=client_credentials";
    let answer = raw(&harness, FORM, body).await;
    assert_eq!(answer.refused(400, "invalid_request"), "a parameter is repeated");
}

// spec-test: 6749-AS2
#[tokio::test]
async fn two_methods_at_once_are_refused() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let answer = harness.post(TOKEN, Ask::token().basic("app", &secret).in_body("app", &secret)).await;
    assert_eq!(answer.refused(400, "invalid_request"), "more than one client authentication method");
}

#[tokio::test]
async fn unknown_parameters_are_ignored() {
    let harness = Harness::new().await;
    with_secret(&harness, Ask::token().with("foo", "bar")).await.access_token();
}

#[tokio::test]
async fn no_authentication_at_all_is_refused() {
    let harness = Harness::new().await;
    harness.post(TOKEN, Ask::token()).await.refused(400, "invalid_client");
    harness.post(TOKEN, Ask::token().with("client_id", "app")).await.refused(400, "invalid_client");
}

#[tokio::test]
async fn an_oversized_body_is_413_and_left_unread() {
    let harness = Harness::new().await;
    let answer = raw(&harness, FORM, vec![b'a'; 64 * 1024 + 1]).await;
    answer.refused(413, "invalid_request");
}

/// Every sleep is over at once.
#[derive(Debug)]
struct Impatient(Arc<FixedClock>);

impl m2m_io::Clock for Impatient {
    fn wall(&self) -> UnixTime {
        self.0.wall()
    }

    fn monotonic(&self) -> Duration {
        self.0.monotonic()
    }

    fn sleep(&self, _: Duration) -> m2m_io::BoxFuture<'static, ()> {
        Box::pin(std::future::ready(()))
    }
}

struct Endless;

impl hyper::body::Body for Endless {
    type Data = bytes::Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        self: std::pin::Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<hyper::body::Frame<bytes::Bytes>, Self::Error>>> {
        std::task::Poll::Pending
    }
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let harness = Harness::with(|settings| settings.clock(Arc::new(Impatient(FixedClock::new())))).await;
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let request =
            Request::post(path).header(header::CONTENT_TYPE, FORM).body(Body::new(Endless)).unwrap();
        harness.send(request).await.refused(408, "invalid_request");
    }
    // What is there already needs no patience.
    let secret = harness.secret("app").await;
    harness.token("app", &secret).await;
}

#[tokio::test]
async fn another_content_type_is_415() {
    let harness = Harness::new().await;
    let body = r#"{"grant_type":"client_credentials"}"#;
    raw(&harness, "application/json", body).await.refused(415, "invalid_request");
    let request = Request::post(TOKEN).body(Body::from("grant_type=client_credentials")).unwrap();
    harness.send(request).await.refused(415, "invalid_request");
}

#[tokio::test]
async fn another_method_is_405() {
    let harness = Harness::new().await;
    for path in [TOKEN, INTROSPECT, REVOKE] {
        let answer = harness.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), "POST", "{path}");
    }
    let answer = harness.send(Request::post("/oauth2/jwks").body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
}

#[tokio::test]
async fn grant_types() {
    let harness = Harness::new().await;
    let missing = with_secret(&harness, Ask::default().scope("orders:read")).await;
    assert_eq!(missing.refused(400, "invalid_request"), "grant_type is missing");
    for name in ["password", "urn:ietf:params:oauth:grant-type:jwt-bearer"] {
        let other = with_secret(&harness, Ask::default().with("grant_type", name)).await;
        assert_eq!(other.refused(400, "unsupported_grant_type"), "the grant type is not supported");
    }
}

#[tokio::test]
async fn scopes() {
    let harness = Harness::new().await;
    let beyond = with_secret(&harness, Ask::token().scope("orders:read orders:admin")).await;
    assert_eq!(
        beyond.refused(400, "invalid_scope"),
        "a requested scope is not granted to this client at this API"
    );
    with_secret(&harness, Ask::token().scope("a\"b")).await.refused(400, "invalid_scope");
}

// spec-test: 8707-AS1
#[tokio::test]
async fn targets() {
    let harness = Harness::new().await;
    with_secret(&harness, Ask::token().with("resource", ORDERS)).await.access_token();
    with_secret(&harness, Ask::token().with("audience", ORDERS)).await.access_token();
    for (name, value) in
        [("resource", "https://else.example"), ("audience", "else"), ("resource", "/relative")]
    {
        with_secret(&harness, Ask::token().with(name, value)).await.refused(400, "invalid_target");
    }
}

#[tokio::test]
async fn a_client_without_grants_is_unauthorized() {
    let harness = Harness::new().await;
    harness.server.admin().create_client(Client::new(client_id("idle"))).await.unwrap();
    let secret = harness.secret("idle").await;
    let answer = harness.post(TOKEN, Ask::token().basic("idle", &secret)).await;
    answer.refused(400, "unauthorized_client");
}

#[tokio::test]
async fn a_client_switched_off_looks_like_an_unknown_one() {
    let harness = Harness::new().await;
    let secret = harness.secret("app").await;
    let admin = harness.server.admin();
    for (status, works) in [(Status::Disabled, false), (Status::Active, true), (Status::Revoked, false)] {
        admin.set_client_status(&client_id("app"), status).await.unwrap();
        let answer = harness.post(TOKEN, Ask::token().basic("app", &secret)).await;
        assert_eq!(answer.status == StatusCode::OK, works, "{status:?}");
        if !works {
            assert_eq!(answer.refused(401, "invalid_client"), "client authentication failed");
        }
    }
}

/// The RS256 key is made after the server is ready: who comes too early is told to come back.
#[tokio::test]
async fn a_key_still_being_made_is_503_and_consumes_nothing() {
    let harness = Harness::new().await;
    let slow = Api::new(identifier("https://slow.example")).algorithm(Algorithm::Rs256);
    let store = harness.server.store();
    store.change(crate::registry::Change::CreateApi(slow)).await.unwrap();
    let client = Client::new(client_id("slow")).grant(identifier("https://slow.example"), Scope::empty());
    harness.server.admin().create_client(client).await.unwrap();
    let secret = harness.secret("slow").await;
    let answer = harness.post(TOKEN, Ask::token().basic("slow", &secret)).await;
    answer.refused(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
}

#[tokio::test]
async fn every_refusal_is_on_record_with_its_reason_and_without_secrets() {
    let harness = Harness::new().await;
    harness.post(TOKEN, Ask::token().basic("app", "canary")).await;
    let records = harness.server.admin().audit(&Query::default()).await.unwrap();
    let shown = format!("{records:?}");
    assert!(shown.contains("client authentication failed"), "{shown}");
    assert!(shown.contains("ClientId(\"app\")"), "{shown}");
    assert!(!shown.contains("canary"), "{shown}");
}
