use serde_json::json;

use super::*;
use crate::json::JsonError;
use crate::uri::UriError;

fn issuer() -> Issuer {
    Issuer::parse("https://as.example").unwrap()
}

fn uri(text: &str) -> EndpointUri {
    EndpointUri::parse(text).unwrap()
}

fn decode(document: &Value) -> Result<ServerMetadata, MetadataError> {
    ServerMetadata::decode(document.to_string().as_bytes(), &issuer())
}

fn full() -> ServerMetadata {
    let texts = |list: &[&str]| list.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>();
    ServerMetadata {
        token_endpoint: Some(uri("https://as.example/token?tenant=1")),
        introspection_endpoint: Some(uri("https://as.example/introspect")),
        revocation_endpoint: Some(uri("https://as.example/revoke")),
        jwks_uri: Some(uri("https://as.example/jwks")),
        token_endpoint_auth_methods_supported: Some(texts(&["private_key_jwt", "tls_client_auth"])),
        token_endpoint_auth_signing_alg_values_supported: texts(&["ES256"]),
        introspection_endpoint_auth_methods_supported: Some(texts(&["client_secret_post"])),
        introspection_endpoint_auth_signing_alg_values_supported: texts(&["PS256"]),
        introspection_signing_alg_values_supported: texts(&["RS256"]),
        revocation_endpoint_auth_methods_supported: Some(texts(&["private_key_jwt"])),
        revocation_endpoint_auth_signing_alg_values_supported: texts(&["Ed25519"]),
        grant_types_supported: Some(texts(&["client_credentials"])),
        scopes_supported: texts(&["orders:read"]),
        dpop_signing_alg_values_supported: texts(&["ES256", "Ed25519"]),
        tls_client_certificate_bound_access_tokens: true,
        mtls_endpoint_aliases: EndpointAliases {
            token_endpoint: Some(uri("https://mtls.as.example/token")),
            ..EndpointAliases::default()
        },
        ..ServerMetadata::new(issuer())
    }
}

// spec-test: 8414-AS1
#[test]
fn golden_bytes() {
    let metadata = ServerMetadata {
        token_endpoint: Some(uri("https://as.example/token")),
        jwks_uri: Some(uri("https://as.example/jwks")),
        token_endpoint_auth_methods_supported: Some(vec!["client_secret_basic".into()]),
        mtls_endpoint_aliases: full().mtls_endpoint_aliases,
        ..ServerMetadata::new(issuer())
    };
    assert_eq!(
        metadata.encode(),
        r#"{"issuer":"https://as.example","token_endpoint":"https://as.example/token","jwks_uri":"https://as.example/jwks","response_types_supported":[],"token_endpoint_auth_methods_supported":["client_secret_basic"],"mtls_endpoint_aliases":{"token_endpoint":"https://mtls.as.example/token"}}"#
    );
}

#[test]
fn decode_of_encode_is_identity() {
    for metadata in [full(), ServerMetadata::new(issuer())] {
        assert_eq!(ServerMetadata::decode(&metadata.encode(), &issuer()), Ok(metadata));
    }
}

// spec-test: 8414-C2
#[test]
fn the_issuer_is_compared_code_point_for_code_point() {
    for found in
        ["https://as.example/", "https://AS.example", "https://as.example:443", "https://evil.example"]
    {
        assert_eq!(
            decode(&json!({"issuer": found, "token_endpoint": "https://as.example/token"})),
            Err(MetadataError::Mismatch {
                member: "issuer",
                expected: "https://as.example".into(),
                found: found.into()
            })
        );
    }
    assert_eq!(decode(&json!({})), Err(MetadataError::Missing("issuer")));
    assert_eq!(decode(&json!({"issuer": 1})), Err(MetadataError::MemberType("issuer")));
}

#[test]
fn a_foreign_document_is_not_read_further() {
    let document = json!({"issuer": "https://evil.example", "token_endpoint": 1});
    assert!(matches!(decode(&document), Err(MetadataError::Mismatch { .. })));
}

// spec-test: 8414-C3
#[test]
fn absent_methods_mean_basic_and_absent_grants_mean_nothing() {
    let metadata = decode(&json!({"issuer": "https://as.example"})).unwrap();
    for endpoint in [Endpoint::Token, Endpoint::Introspection, Endpoint::Revocation] {
        assert_eq!(metadata.auth_methods(endpoint).collect::<Vec<_>>(), ["client_secret_basic"]);
    }
    assert_eq!(metadata.grant_types_supported, None);
    assert_eq!(metadata.auth_methods(Endpoint::Resource).count(), 0);
}

#[test]
fn methods_per_endpoint() {
    let methods = |m: &ServerMetadata, e| m.auth_methods(e).map(str::to_owned).collect::<Vec<_>>();
    let metadata = full();
    assert_eq!(methods(&metadata, Endpoint::Token), ["private_key_jwt", "tls_client_auth"]);
    assert_eq!(methods(&metadata, Endpoint::Introspection), ["client_secret_post"]);
    let silent = ServerMetadata {
        introspection_endpoint_auth_methods_supported: None,
        revocation_endpoint_auth_methods_supported: None,
        ..full()
    };
    assert_eq!(methods(&silent, Endpoint::Introspection), ["private_key_jwt", "tls_client_auth"]);
    assert_eq!(methods(&silent, Endpoint::Revocation), ["client_secret_basic"]);
}

// spec-test: 8705-C2
#[test]
fn aliases_serve_certificates_only_and_fall_back_one_by_one() {
    let metadata = full();
    let at = |e, c| metadata.endpoint(e, c).map(EndpointUri::as_str);
    assert_eq!(at(Endpoint::Token, Connection::Ordinary), Some("https://as.example/token?tenant=1"));
    assert_eq!(at(Endpoint::Token, Connection::MutualTls), Some("https://mtls.as.example/token"));
    assert_eq!(at(Endpoint::Revocation, Connection::MutualTls), Some("https://as.example/revoke"));
    assert_eq!(at(Endpoint::Resource, Connection::MutualTls), None);
}

#[test]
fn null_and_empty_count_as_absent_and_unknown_members_are_left_out() {
    let metadata = decode(&json!({
        "issuer": "https://as.example",
        "token_endpoint": "https://as.example/token",
        "introspection_endpoint": null,
        "revocation_endpoint": "",
        "scopes_supported": null,
        "authorization_endpoint": "not a URI",
        "x": {"y": [1]},
    }))
    .unwrap();
    let expect = ServerMetadata {
        token_endpoint: Some(uri("https://as.example/token")),
        ..ServerMetadata::new(issuer())
    };
    assert_eq!(metadata, expect);
}

#[test]
fn wrong_types_and_uris() {
    let check = |member: &'static str, value: Value, expect: MetadataError| {
        assert_eq!(decode(&json!({"issuer": "https://as.example", member: value})), Err(expect));
    };
    let uri = |member, reason| MetadataError::Uri { member, reason };
    check("token_endpoint", json!(1), MetadataError::MemberType("token_endpoint"));
    check("token_endpoint", json!("/token"), uri("token_endpoint", UriError::NotAbsolute));
    check("jwks_uri", json!("file:///etc/passwd"), uri("jwks_uri", UriError::Scheme));
    check("token_endpoint", json!("https://a/#b"), uri("token_endpoint", UriError::Fragment));
    check("scopes_supported", json!("a b"), MetadataError::MemberType("scopes_supported"));
    check("scopes_supported", json!(["a", 1]), MetadataError::MemberType("scopes_supported"));
    check(
        "tls_client_certificate_bound_access_tokens",
        json!("true"),
        MetadataError::MemberType("tls_client_certificate_bound_access_tokens"),
    );
    check("mtls_endpoint_aliases", json!([]), MetadataError::MemberType("mtls_endpoint_aliases"));
    check(
        "mtls_endpoint_aliases",
        json!({"token_endpoint": "x"}),
        uri("token_endpoint", UriError::NotAbsolute),
    );
}

#[test]
fn suspicious_json() {
    let read = |text: &str| ServerMetadata::decode(text.as_bytes(), &issuer()).unwrap_err();
    assert!(matches!(
        read(r#"{"issuer":"https://as.example","issuer":"https://evil.example"}"#),
        MetadataError::Json(JsonError::DuplicateMember { .. })
    ));
    assert!(matches!(read("<html>"), MetadataError::Json(JsonError::Syntax { .. })));
    assert_eq!(read("[]"), MetadataError::Json(JsonError::NotObject));
}
