//! Interoperability with PyPI `authlib`, its Flask server run as a black box: a server
//! in another language, with habits that clients meet in practice. The library is
//! driven here, the binary in `binary.rs`. Where the peer is not fetched the tests say
//! so and pass; `cargo xtask test` fetches it and then requires it.
//!
//! Habits, each with a test:
//! - Basic is percent-decoded, but a plus sign stays one; so a secret with a blank needs
//!   the raw encoding, one with `%41` in it the form, and one with both neither.
//! - Tokens live ten days. Scopes that the client lacks are left out, which no error says.
//! - Assertions in algorithms that its JOSE library does not recommend are refused.
//! - Which audiences assertions may name is the deployment's choice.
//! - `invalid_client` comes with 401 or 400, by method.
//! - Revocation takes Basic only, unless told otherwise.

mod binary;

use m2m_client::{
    AssertionAudienceRule, Client, ClientBuilder, Credentials, Error, ErrorKind, Inspect, TokenSpec,
};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};
use m2m_proto::jose::Algorithm;
use m2m_proto::scope::Scope;
use m2m_proto::token::{AccessToken, TokenType};
use m2m_testkit::FixedKeys;
use m2m_testkit::peers::{self, Peer};
use serde_json::{Value, json};
use std::time::Duration;

use crate::peer::{client, code, key, public_jwk, secret};

/// Of every client that has one; 32 bytes, as HS256 needs.
const SECRET: &str = "plain-peer-secret-of-some-length";

const ALGORITHMS: &[Algorithm] =
    &[Algorithm::Rs256, Algorithm::Es256, Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Es384];

/// One client per method, and one per algorithm of private_key_jwt.
fn clients() -> Vec<Value> {
    let mut list = vec![
        with_secret("basic", "client_secret_basic", SECRET),
        with_secret("other", "client_secret_basic", SECRET),
        with_secret("post", "client_secret_post", SECRET),
        with_secret("secret-jwt", "client_assertion_jwt", SECRET),
        json!({ "client_id": "reader", "method": "client_secret_basic", "secret": SECRET, "scope": "orders:read" }),
    ];
    for algorithm in ALGORITHMS {
        let jwk = public_jwk(&FixedKeys::signing(*algorithm));
        let id = format!("private-key-jwt-{}", algorithm.name());
        list.push(json!({ "client_id": id, "method": "client_assertion_jwt", "jwk": jwk }));
    }
    list
}

fn with_secret(client_id: &str, method: &str, secret: &str) -> Value {
    json!({ "client_id": client_id, "method": method, "secret": secret })
}

fn start() -> Option<Peer> {
    Peer::start(peers::AUTHLIB, &json!({ "clients": clients() }))
}

fn by(method: ClientAuthMethod) -> Credentials {
    Credentials::secret(secret(SECRET), None, method)
}

fn built(builder: ClientBuilder) -> Client {
    builder.scope(Scope::parse("orders:read").unwrap()).build().unwrap()
}

#[track_caller]
fn refused(error: &Error, expect: &str, status: u16) {
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
    assert_eq!((code(error).as_deref(), error.status()), (Some(expect), Some(status)), "{error}");
    assert!(!error.is_transient());
}

#[tokio::test]
async fn authlib_gives_a_token_for_every_authentication_method() {
    let Some(server) = start() else { return };
    for (id, credentials) in [
        ("basic", by(ClientAuthMethod::ClientSecretBasic)),
        ("post", by(ClientAuthMethod::ClientSecretPost)),
        ("secret-jwt", by(ClientAuthMethod::ClientSecretJwt)),
        ("private-key-jwt-RS256", key(Algorithm::Rs256)),
        ("private-key-jwt-ES256", key(Algorithm::Es256)),
    ] {
        let client = built(client(&server, id, credentials));
        let token = client.token(&client.spec()).await.unwrap_or_else(|error| panic!("{id}: {error}"));
        assert_eq!(*token.token_type(), TokenType::Bearer);
        assert_eq!(token.scope().map(ToString::to_string).as_deref(), Some("orders:read"));
        assert_eq!(token.life(), Duration::from_secs(10 * 24 * 3600), "{id}");
        // The second request, with an assertion of its own.
        assert!(client.introspect(token.access_token()).await.unwrap().is_active(), "{id}");
    }
}

#[tokio::test]
async fn authlib_refuses_assertions_in_algorithms_that_it_does_not_recommend() {
    let Some(server) = start() else { return };
    for algorithm in [Algorithm::Ps256, Algorithm::EdDsa, Algorithm::Es384] {
        let id = format!("private-key-jwt-{}", algorithm.name());
        let client = built(client(&server, &id, key(algorithm)));
        let error = client.token(&client.spec()).await.unwrap_err();
        refused(&error, "invalid_client", 400);
        let said = error.description().unwrap_or_default();
        assert!(said.contains("not recommended"), "{said:?} names the reason");
    }
}

#[tokio::test]
async fn authlib_refuses_who_is_not_the_client() {
    let Some(server) = start() else { return };
    let wrong =
        |method| Credentials::secret(secret("not the secret of anybody who is registered"), None, method);
    for (id, credentials, status) in [
        ("basic", wrong(ClientAuthMethod::ClientSecretBasic), 401),
        ("post", wrong(ClientAuthMethod::ClientSecretPost), 401),
        ("secret-jwt", wrong(ClientAuthMethod::ClientSecretJwt), 400),
        ("private-key-jwt-RS256", key(Algorithm::Es256), 400),
        ("stranger", by(ClientAuthMethod::ClientSecretBasic), 401),
        ("stranger", by(ClientAuthMethod::ClientSecretPost), 400),
        ("stranger", by(ClientAuthMethod::ClientSecretJwt), 400),
        // The right secret by another method than the registered one.
        ("basic", by(ClientAuthMethod::ClientSecretPost), 401),
        ("post", by(ClientAuthMethod::ClientSecretBasic), 401),
    ] {
        let client = built(client(&server, id, credentials));
        refused(&client.token(&client.spec()).await.unwrap_err(), "invalid_client", status);
    }
}

/// Whether a secret is understood: in Basic form-encoded, in Basic as it is.
const SECRETS: &[(&str, bool, bool)] = &[
    ("letters-and_digits.1~", true, true),
    ("a colon:inside", false, true),
    ("colon:only", true, true),
    ("with blanks in it", false, true),
    ("plus+and/slash=&?", true, true),
    ("a%of-no-hex-digits", true, true),
    ("hex%41digits", true, false),
    ("blanks and %41", false, false),
];

// spec-test: 6749-C1
#[tokio::test]
async fn authlib_decodes_percent_but_not_plus_in_basic() {
    let listed = |(index, (secret, ..)): (usize, &(&str, bool, bool))| {
        [
            with_secret(&format!("basic-{index}"), "client_secret_basic", secret),
            with_secret(&format!("post-{index}"), "client_secret_post", secret),
        ]
    };
    let clients: Vec<_> = SECRETS.iter().enumerate().flat_map(listed).collect();
    let Some(server) = Peer::start(peers::AUTHLIB, &json!({ "clients": clients })) else { return };
    for (index, (text, form, raw)) in SECRETS.iter().enumerate() {
        for (encoding, expect) in [(BasicEncoding::Form, form), (BasicEncoding::Raw, raw)] {
            let basic = Credentials::secret(secret(text), None, ClientAuthMethod::ClientSecretBasic);
            let client = built(client(&server, &format!("basic-{index}"), basic).basic_encoding(encoding));
            let answer = client.token(&client.spec()).await;
            assert_eq!(answer.is_ok(), *expect, "{text:?} {encoding:?}: {:?}", answer.err());
        }
        // In the body there is but one encoding, and it is understood.
        let post = Credentials::secret(secret(text), None, ClientAuthMethod::ClientSecretPost);
        let client = built(client(&server, &format!("post-{index}"), post));
        client.token(&client.spec()).await.unwrap_or_else(|error| panic!("{text:?} in the body: {error}"));
    }
}

// spec-test: 7523-C4
#[tokio::test]
async fn authlib_takes_the_assertion_audiences_that_its_deployment_lists() {
    for (listed, issuer, endpoint) in [
        (json!(["issuer", "token_endpoint"]), true, true),
        (json!(["issuer"]), true, false),
        (json!(["token_endpoint"]), false, true),
    ] {
        let setup = json!({ "clients": clients(), "audiences": listed });
        let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
        for (rule, expect) in
            [(AssertionAudienceRule::Issuer, issuer), (AssertionAudienceRule::Endpoint, endpoint)]
        {
            for credentials in ["secret-jwt", "private-key-jwt-ES256"] {
                let proof = match credentials {
                    "secret-jwt" => by(ClientAuthMethod::ClientSecretJwt),
                    _ => key(Algorithm::Es256),
                };
                let client = built(client(&server, credentials, proof).assertion_audience(rule.clone()));
                match client.token(&client.spec()).await {
                    Ok(_) => assert!(expect, "{listed} takes {rule:?}"),
                    Err(error) => {
                        assert!(!expect, "{listed} {rule:?}: {error}");
                        refused(&error, "invalid_client", 400);
                    }
                }
            }
        }
    }
}

/// "The endpoint that is called" is the introspection endpoint here, which no deployment
/// lists; its token endpoint, spelt out, serves for both.
#[tokio::test]
async fn authlib_knows_no_introspection_endpoint_as_assertion_audience() {
    let setup = json!({ "clients": clients(), "audiences": ["token_endpoint"] });
    let Some(server) = Peer::start(peers::AUTHLIB, &setup) else { return };
    let told = AssertionAudienceRule::Literal(format!("{}/token", server.issuer()));
    for (rule, expect) in [(AssertionAudienceRule::Endpoint, false), (told, true)] {
        let proof = key(Algorithm::Es256);
        let client = built(client(&server, "private-key-jwt-ES256", proof).assertion_audience(rule));
        let token = client.token(&client.spec()).await.unwrap();
        let answer = client.introspect(token.access_token()).await;
        assert_eq!(answer.is_ok(), expect, "{answer:?}");
    }
}

// spec-test: 7662-RS2, 7009-C1
#[tokio::test]
async fn authlib_introspects_and_revokes() {
    let Some(server) = start() else { return };
    let client = |id| built(client(&server, id, by(ClientAuthMethod::ClientSecretBasic)));
    let (owner, other) = (client("basic"), client("other"));
    let token = owner.token(&owner.spec()).await.unwrap();
    let token = token.access_token();
    let answer = other.introspect(token).await.unwrap();
    assert!(answer.is_active());
    assert!(format!("{:?}", answer.claims()).contains("orders:read"));
    // Another client's token is an error, not a silence.
    refused(&other.revoke(token).await.unwrap_err(), "invalid_grant", 400);
    assert!(owner.introspect(token).await.unwrap().is_active());
    owner.revoke(token).await.unwrap();
    assert!(!owner.introspect(token).await.unwrap().is_active());
    // Revoking twice is no error, nor is asking about a token that never was.
    owner.revoke(token).await.unwrap();
    let unknown = AccessToken::parse("no-such-token").unwrap();
    owner.revoke(&unknown).await.unwrap();
    assert!(!owner.introspect(&unknown).await.unwrap().is_active());
}

#[tokio::test]
async fn authlib_revokes_for_basic_only() {
    let Some(server) = start() else { return };
    for (id, credentials) in
        [("post", by(ClientAuthMethod::ClientSecretPost)), ("private-key-jwt-ES256", key(Algorithm::Es256))]
    {
        let client = built(client(&server, id, credentials));
        let token = client.token(&client.spec()).await.unwrap();
        refused(&client.revoke(token.access_token()).await.unwrap_err(), "invalid_client", 401);
        assert!(client.introspect(token.access_token()).await.unwrap().is_active());
    }
}

#[tokio::test]
async fn authlib_leaves_out_scopes_that_the_client_lacks() {
    let Some(server) = start() else { return };
    let reader = |inspect| {
        let builder = client(&server, "reader", by(ClientAuthMethod::ClientSecretBasic)).inspect(inspect);
        built(builder)
    };
    let both = TokenSpec::new().scope(Scope::parse("orders:read orders:write").unwrap());
    let token = reader(Inspect::Warn).token(&both).await.unwrap();
    assert_eq!(token.scope().map(ToString::to_string).as_deref(), Some("orders:read"));
    let error = reader(Inspect::Error).token(&both).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PeerMisbehaved, "{error}");
    // A scope that the server does not know at all is an error.
    let unknown = TokenSpec::new().scope(Scope::parse("orders:delete").unwrap());
    refused(&reader(Inspect::Warn).token(&unknown).await.unwrap_err(), "invalid_scope", 400);
    // Nothing asked, nothing granted, and nothing said.
    let plain = client(&server, "reader", by(ClientAuthMethod::ClientSecretBasic)).build().unwrap();
    assert_eq!(plain.token(&plain.spec()).await.unwrap().scope(), None);
}
