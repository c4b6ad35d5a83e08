use bytes::Bytes;
use http::Response;
use proptest::prelude::*;

use super::*;
use crate::names::media_type;
use crate::token::{GrantKind, TokenRequest};

const PREFIX: &str = "urn:ietf:params:oauth:token-type:";

fn read(body: &str) -> Form<'_> {
    Form::parse(Some(media_type::FORM), body.as_bytes()).unwrap()
}

fn decode(body: &str) -> Result<TokenExchange, TokenExchangeError> {
    TokenExchange::decode(&read(body))
}

fn written(exchange: &TokenExchange) -> String {
    let mut form = FormWriter::new();
    exchange.write(&mut form);
    String::from_utf8(form.finish().to_vec()).unwrap()
}

fn token(text: &str, token_type: TokenTypeUri) -> SecurityToken {
    SecurityToken { text: SecretString::from(text), token_type }
}

fn full() -> TokenExchange {
    TokenExchange {
        subject: token("a.b.c", TokenTypeUri::Jwt),
        actor: Some(token("x", TokenTypeUri::AccessToken)),
        requested_token_type: Some(TokenTypeUri::Other("urn:example:t".to_owned())),
    }
}

// Bytes on the wire: these change only by decision.
// spec-test: 8693-C1
#[test]
fn golden_bytes() {
    let request = TokenRequest {
        audience: vec!["//iam.example/pools/p".to_owned()],
        ..TokenRequest::new(GrantKind::TokenExchange)
    };
    let mut form = FormWriter::new();
    request.write(&mut form);
    full().write(&mut form);
    let body = String::from_utf8(form.finish().to_vec()).unwrap();
    assert_eq!(
        body,
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Atoken-exchange\
         &audience=%2F%2Fiam.example%2Fpools%2Fp\
         &subject_token=a.b.c&subject_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Ajwt\
         &actor_token=x&actor_token_type=urn%3Aietf%3Aparams%3Aoauth%3Atoken-type%3Aaccess_token\
         &requested_token_type=urn%3Aexample%3At"
    );
    // Both halves of the request, each read by its own module.
    assert_eq!(TokenRequest::decode(&read(&body)), Ok(request));
    assert_eq!(decode(&body), Ok(full()));
    let least = TokenExchange::new(token("t", TokenTypeUri::IdToken));
    assert_eq!(
        written(&least),
        format!("subject_token=t&subject_token_type={}id_token", PREFIX.replace(':', "%3A"))
    );
}

#[test]
fn token_types() {
    let check = |kind: TokenTypeUri, name: &str| {
        let uri = format!("{PREFIX}{name}");
        assert_eq!((kind.to_string(), TokenTypeUri::parse(&uri)), (uri, kind));
    };
    check(TokenTypeUri::AccessToken, "access_token");
    check(TokenTypeUri::RefreshToken, "refresh_token");
    check(TokenTypeUri::IdToken, "id_token");
    check(TokenTypeUri::Saml1, "saml1");
    check(TokenTypeUri::Saml2, "saml2");
    check(TokenTypeUri::Jwt, "jwt");
    let other = format!("{PREFIX}JWT");
    assert_eq!(TokenTypeUri::parse(&other), TokenTypeUri::Other(other));
}

// spec-test: 8693-C1
#[test]
fn what_must_be_there_and_in_pairs() {
    use TokenExchangeError as E;
    let check = |body: &str, expect: E| assert_eq!(decode(body), Err(expect), "{body}");
    check("", E::SubjectToken);
    check("subject_token=&subject_token_type=urn:a", E::SubjectToken);
    check("subject_token=t", E::SubjectTokenType);
    check("subject_token=t&subject_token_type=", E::SubjectTokenType);
    check("subject_token=t&subject_token_type=urn:a&actor_token=t", E::ActorTokenType);
    check("subject_token=t&subject_token_type=urn:a&actor_token=t&actor_token_type=", E::ActorTokenType);
    check("subject_token=t&subject_token_type=urn:a&actor_token_type=urn:a", E::ActorToken);
    assert!(decode("subject_token=t&subject_token_type=urn:a").is_ok());
    assert!(decode("subject_token=t&subject_token_type=urn:a&actor_token=t&actor_token_type=urn:a").is_ok());
}

#[test]
fn token_types_in_requests_are_bounded() {
    let check = |name: &'static str, value: &str, expect: bool| {
        let subject = if name == "subject_token_type" { "" } else { "&subject_token_type=urn:a" };
        let actor = if name == "actor_token_type" { "&actor_token=t" } else { "" };
        let result = decode(&format!("subject_token=t{subject}{actor}&{name}={value}"));
        let refused = (!expect).then_some(TokenExchangeError::TokenType(name));
        assert_eq!(result.err(), refused, "{name} {value}");
    };
    for name in ["subject_token_type", "actor_token_type", "requested_token_type"] {
        check(name, &"u".repeat(TokenTypeUri::MAX_BYTES), true);
        check(name, &"u".repeat(TokenTypeUri::MAX_BYTES + 1), false);
        check(name, "a+b", false);
        check(name, "a%0Ab", false);
        check(name, "%C3%A9", false);
    }
}

// spec-test: 8693-C2
#[test]
fn what_an_answer_issued() {
    let check = |members: &str, expect: Result<TokenTypeUri, IssuedTokenError>| {
        let body = format!(r#"{{"access_token":"t",{members}}}"#);
        let response = TokenResponse::decode(&Response::new(Bytes::from(body))).unwrap();
        assert_eq!(check_response(&response).cloned(), expect, "{members}");
    };
    let issued = |kind: &str| format!(r#""issued_token_type":"{PREFIX}{kind}""#);
    check(&format!(r#"{},"token_type":"Bearer""#, issued("access_token")), Ok(TokenTypeUri::AccessToken));
    check(&format!(r#"{},"token_type":"Bearer""#, issued("jwt")), Ok(TokenTypeUri::Jwt));
    check(&format!(r#"{},"token_type":"N_A""#, issued("jwt")), Err(IssuedTokenError::NotApplicable));
    check(&format!(r#"{},"token_type":"n_a""#, issued("access_token")), Err(IssuedTokenError::NotApplicable));
    check(r#""token_type":"Bearer""#, Err(IssuedTokenError::TypeMissing));
}

#[test]
fn no_token_is_shown() {
    let shown = format!("{:?}", TokenExchange::new(token("canary", TokenTypeUri::Jwt)));
    assert!(!shown.contains("canary"), "{shown}");
    let refused = decode("subject_token=canary&subject_token_type=can%20ary").unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("canary"));
}

proptest! {
    #[test]
    fn any_exchange_round_trips(
        subject in ".{1,40}", actor in proptest::option::of(".{1,40}"),
        kind in "[!-~]{1,40}", requested in proptest::option::of("[!-~]{1,40}"),
    ) {
        let kind = TokenTypeUri::parse(&kind);
        let exchange = TokenExchange {
            subject: token(&subject, kind.clone()),
            actor: actor.map(|text| token(&text, kind)),
            requested_token_type: requested.as_deref().map(TokenTypeUri::parse),
        };
        prop_assert_eq!(decode(&written(&exchange)), Ok(exchange));
    }
}
