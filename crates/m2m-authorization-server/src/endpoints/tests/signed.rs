//! Signed answers of introspection (RFC 9701).

use m2m_proto::introspection::Introspection;
use m2m_proto::introspection::signed::{self, SignedIntrospection};
use m2m_proto::metadata::server::ServerMetadata;

use super::*;
use crate::registry::{Api, TokenFormat};

const BILLS: &str = "https://bills.example";

/// `app` may get a token for BILLS, which has such tokens and `orders` as resource server.
async fn parties(format: TokenFormat, algorithm: Algorithm) -> (Harness, String, String) {
    let harness = Harness::new().await;
    let admin = harness.server.admin();
    let bills = Api::new(identifier(BILLS)).format(format).algorithm(algorithm);
    admin.create_api(bills.resource_server(client_id("orders"))).await.unwrap();
    for id in ["payer", "orders"] {
        let client = Client::new(client_id(id)).grant(identifier(BILLS), Scope::empty());
        admin.create_client(client).await.unwrap();
    }
    let token = harness.token("payer", &harness.secret("payer").await).await;
    let orders = harness.secret("orders").await;
    (harness, token, orders)
}

fn asking(token: &str, secret: &str) -> Ask {
    let mut ask = Ask::about(token).basic("orders", secret);
    ask.headers.insert(header::ACCEPT, media_type::TOKEN_INTROSPECTION_JWT.parse().unwrap());
    ask
}

async fn believed(harness: &Harness, answer: &Answer) -> (Introspection, Algorithm) {
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    assert_eq!(answer.header("cache-control"), "no-store");
    let mut response = http::Response::new(bytes::Bytes::copy_from_slice(&answer.body));
    *response.headers_mut() = answer.headers.clone();
    let read = SignedIntrospection::read(&response).unwrap();
    let keys = harness.send(Request::get("/oauth2/jwks").body(Body::empty()).unwrap()).await;
    let keys = JwkSet::decode(&keys.body).unwrap();
    let key = keys.find(read.key_hint(), read.algorithm()).next().unwrap();
    let issuer = issuer();
    let expect = signed::Expect {
        issuer: &issuer,
        audience: "orders",
        algorithms: &DEFAULT_ALGORITHMS,
        now: harness.now(),
        skew: Skew::NONE,
    };
    (read.verify(key, &expect).unwrap(), read.algorithm())
}

// spec-test: 9701-AS1
#[tokio::test]
async fn who_asks_for_it_gets_the_same_answer_signed() {
    for (format, algorithm) in [
        (TokenFormat::Jwt, Algorithm::Es256),
        (TokenFormat::Jwt, Algorithm::EdDsa),
        (TokenFormat::Opaque, Algorithm::Es256),
    ] {
        let (harness, token, secret) = parties(format, algorithm).await;
        let plain = harness.post(INTROSPECT, Ask::about(&token).basic("orders", &secret)).await;
        assert_eq!(plain.header("content-type"), "application/json");
        let answer = harness.post(INTROSPECT, asking(&token, &secret)).await;
        let (said, signed_with) = believed(&harness, &answer).await;
        assert_eq!(signed_with, algorithm, "that of the API");
        assert_eq!(Value::Object(said.to_members()), plain.json());
        let payload = answer.text().split('.').nth(1).unwrap().to_owned();
        let payload = m2m_proto::jose::base64url::decode(&payload).unwrap();
        let payload: Value = serde_json::from_slice(&payload).unwrap();
        let mut names: Vec<&str> = payload.as_object().unwrap().keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["aud", "iat", "iss", "token_introspection"], "no sub and no exp at the top");
        // It is no access token, whoever presents it.
        let again = harness.post(INTROSPECT, Ask::about(answer.text()).basic("orders", &secret)).await;
        assert_eq!(again.text(), r#"{"active":false}"#);
    }
}

// spec-test: 9701-AS1
#[tokio::test]
async fn an_inactive_token_gets_a_signed_no_that_tells_nothing() {
    let (harness, token, secret) = parties(TokenFormat::Jwt, Algorithm::EdDsa).await;
    harness.server.admin().create_client(Client::new(client_id("stranger"))).await.unwrap();
    let app = harness.secret("app").await;
    let foreign = harness.token("app", &app).await;
    harness.advance(600);
    for token in [token.as_str(), foreign.as_str(), "garbage", ""] {
        if token.is_empty() {
            harness.post(INTROSPECT, asking(token, &secret)).await.refused(400, "invalid_request");
            continue;
        }
        let answer = harness.post(INTROSPECT, asking(token, &secret)).await;
        let (said, signed_with) = believed(&harness, &answer).await;
        assert_eq!(said, Introspection::inactive());
        assert_eq!(signed_with, Algorithm::Es256, "whatever API it was for");
    }
    harness.post(INTROSPECT, asking("x", "wrong")).await.refused(401, "invalid_client");
}

#[tokio::test]
async fn metadata_tells_what_answers_are_signed_with() {
    let harness = Harness::new().await;
    let metadata = ServerMetadata::decode(&harness.server.metadata(), &issuer()).unwrap();
    assert_eq!(metadata.introspection_signing_alg_values_supported, ["ES256", "RS256"]);
}
