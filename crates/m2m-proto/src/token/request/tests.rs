use bytes::Bytes;
use proptest::prelude::*;

use super::*;
use crate::names::media_type;

fn written(request: &TokenRequest) -> Bytes {
    let mut form = FormWriter::new();
    request.write(&mut form);
    form.finish()
}

fn decode(body: &str) -> Result<TokenRequest, TokenRequestError> {
    TokenRequest::decode(&Form::parse(Some(media_type::FORM), body.as_bytes()).unwrap())
}

fn full() -> TokenRequest {
    TokenRequest {
        grant: GrantKind::ClientCredentials,
        scope: Some(Scope::parse("read:data write:data").unwrap()),
        audience: vec!["https://api.example.com".into(), "orders".into()],
        resources: vec![
            ResourceUri::parse("https://a.example/x").unwrap(),
            ResourceUri::parse("urn:b").unwrap(),
        ],
        params: vec![("organization".into(), "org_1".into())],
    }
}

// spec-test: 6749-C3 8707-C1
#[test]
fn golden_bytes() {
    assert_eq!(written(&TokenRequest::new(GrantKind::ClientCredentials)), "grant_type=client_credentials");
    assert_eq!(
        written(&full()),
        "grant_type=client_credentials&scope=read%3Adata+write%3Adata\
         &audience=https%3A%2F%2Fapi.example.com&audience=orders\
         &resource=https%3A%2F%2Fa.example%2Fx&resource=urn%3Ab&organization=org_1"
    );
}

// spec-test: 6749-C4
#[test]
fn empty_parameters_are_not_sent() {
    let request = TokenRequest {
        scope: Some(Scope::empty()),
        audience: vec![String::new()],
        params: vec![("x".into(), String::new())],
        ..TokenRequest::new(GrantKind::ClientCredentials)
    };
    assert_eq!(written(&request), "grant_type=client_credentials");
}

// spec-test: 6749-C4
#[test]
fn extra_parameters_cannot_collide() {
    for name in RESERVED.into_iter().chain([""]) {
        assert!(TokenRequest::check_extra(name).is_err(), "{name}");
        let mut request = TokenRequest::new(GrantKind::ClientCredentials);
        request.params =
            vec![(name.to_owned(), "x".into()), ("ok".into(), "1".into()), ("ok".into(), "2".into())];
        assert_eq!(written(&request), "grant_type=client_credentials&ok=1", "{name}");
    }
    assert!(TokenRequest::check_extra("assertion").is_ok());
}

#[test]
fn decode_of_write_is_identity() {
    let body = written(&full());
    assert_eq!(decode(std::str::from_utf8(&body).unwrap()), Ok(full()));
}

#[test]
fn client_authentication_is_no_extra_parameter() {
    let request =
        decode("grant_type=client_credentials&client_id=a&client_secret=b&client_assertion=c&x=1").unwrap();
    assert_eq!(request.params, [("x".to_owned(), "1".to_owned())]);
}

#[test]
fn other_grants_are_named() {
    let request = decode("grant_type=Client_Credentials&assertion=x").unwrap();
    assert_eq!(request.grant, GrantKind::Other("Client_Credentials".into()));
    assert_eq!(request.grant.as_str(), "Client_Credentials");
}

// spec-test: GSA-1 8693-C1
#[test]
fn a_grant_keeps_its_parameters_to_itself() {
    let check = |grant: GrantKind, name: &str, own: &[&str]| {
        assert_eq!((grant.as_str(), &GrantKind::parse(name)), (name, &grant));
        assert_eq!(grant.parameters(), own);
        let fields: String = ["x"].iter().chain(own).map(|own| format!("&{own}=1")).collect();
        let request = decode(&format!("grant_type={name}{fields}")).unwrap();
        assert_eq!(request.params, [("x".to_owned(), "1".to_owned())], "{name}");
        let mut sent = TokenRequest::new(grant);
        sent.params = own.iter().map(|own| ((*own).to_owned(), "1".to_owned())).collect();
        assert_eq!(decode(std::str::from_utf8(&written(&sent)).unwrap()).unwrap().params, []);
    };
    let exchange = ["subject_token", "subject_token_type", "actor_token", "actor_token_type"];
    let exchange = [exchange.as_slice(), &["requested_token_type"]].concat();
    check(GrantKind::ClientCredentials, "client_credentials", &[]);
    check(GrantKind::JwtBearer, "urn:ietf:params:oauth:grant-type:jwt-bearer", &["assertion"]);
    check(GrantKind::TokenExchange, "urn:ietf:params:oauth:grant-type:token-exchange", &exchange);
    // A grant that we do not know may use any of these names.
    assert_eq!(decode("grant_type=x&assertion=1").unwrap().params.len(), 1);
}

#[test]
fn refused() {
    assert_eq!(decode("scope=a"), Err(TokenRequestError::MissingGrantType));
    assert_eq!(decode("grant_type=&scope=a"), Err(TokenRequestError::MissingGrantType));
    assert_eq!(decode("grant_type=x&scope=a++b"), Err(TokenRequestError::Scope(ScopeError::Empty)));
    assert_eq!(
        decode("grant_type=x&resource=https://a/%23f"),
        Err(TokenRequestError::Resource(UriError::Fragment))
    );
    assert_eq!(
        decode("grant_type=x&resource=orders"),
        Err(TokenRequestError::Resource(UriError::NotAbsolute))
    );
    assert_eq!(decode("grant_type=x&audience=a%0Ab"), Err(TokenRequestError::Audience));
    assert_eq!(
        decode(&format!("grant_type=x&audience={}", "a".repeat(2049))),
        Err(TokenRequestError::Audience)
    );
    for name in ["resource", "audience"] {
        let many = |n| format!("grant_type=x{}", format!("&{name}=urn:a").repeat(n));
        assert!(decode(&many(16)).is_ok());
        assert_eq!(decode(&many(17)), Err(TokenRequestError::TooManyTargets));
    }
}

#[test]
fn debug_shows_no_values_of_extra_parameters() {
    let request = decode("grant_type=x&assertion=canary").unwrap();
    let shown = format!("{request:?}");
    assert!(shown.contains("assertion") && !shown.contains("canary"), "{shown}");
}

proptest! {
    #[test]
    fn any_request_round_trips(
        scope in proptest::collection::vec("[!#-\\[\\]-~]{1,8}", 0..5),
        audience in proptest::collection::vec("[^\\p{Cc}]{1,12}", 0..3),
        resource in proptest::collection::vec("urn:[a-z0-9?&=+]{1,9}", 0..3),
        value in ".{1,12}",
    ) {
        let request = TokenRequest {
            grant: GrantKind::ClientCredentials,
            scope: (!scope.is_empty()).then(|| Scope::parse(&scope.join(" ")).unwrap()),
            audience,
            resources: resource.iter().map(|r| ResourceUri::parse(r).unwrap()).collect(),
            params: vec![("p".into(), value)],
        };
        let body = written(&request);
        prop_assert_eq!(decode(std::str::from_utf8(&body).unwrap()), Ok(request));
    }
}
