//! What clients bring to the token endpoint besides the plain request, what servers sign of tokens, and how long they
//! ask to be left alone.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use m2m_proto::client_auth::Presented;
use m2m_proto::error::retry_after::{RetryAfter, http_date, retry_after};
use m2m_proto::form::FormWriter;
use m2m_proto::grant::jwt_bearer::{self, UnverifiedGrant};
use m2m_proto::grant::token_exchange::TokenExchange;
use m2m_proto::introspection::signed::{Expect, SignedIntrospection};
use m2m_proto::jose::{Algorithm, Kind};
use m2m_proto::time::Skew;
use m2m_proto::uri::EndpointUri;

use crate::{KEYS, NOW, read_form, signed};

/// An exchange that is read is written and read as itself.
pub fn token_exchange(data: &[u8]) {
    let Some(form) = read_form(data) else { return };
    let Ok(exchange) = TokenExchange::decode(&form) else { return };
    let mut writer = FormWriter::new();
    exchange.write(&mut writer);
    let written = writer.finish();
    let Some(form) = read_form(&written) else { return }; // encoding may make it too long
    let again = TokenExchange::decode(&form).expect("what was written is read");
    assert_eq!(again.subject.text.expose(), exchange.subject.text.expose());
    assert_eq!(again.subject.token_type, exchange.subject.token_type);
    assert_eq!(again.actor.is_some(), exchange.actor.is_some());
    assert_eq!(again.requested_token_type, exchange.requested_token_type);
}

/// A grant that is accepted is signed, of the trusted issuer and of this time.
pub fn authorization_grant(data: &[u8]) {
    let token_endpoint = EndpointUri::parse("https://login.example/token").expect("well-formed");
    let expect = jwt_bearer::Expect {
        trusted_issuer: "https://platform.example",
        issuer: &KEYS.issuer,
        token_endpoint: &token_endpoint,
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let key = KEYS.signing.verifying_key();
    let text = std::str::from_utf8(data).unwrap_or_default();
    if let Ok(grant) = UnverifiedGrant::parse(text) {
        assert!(grant.verify(&expect, [key.as_ref()]).is_err());
    }
    let Ok(grant) = UnverifiedGrant::parse(&signed(Kind::AuthorizationGrant, data)) else { return };
    if let Ok(verified) = grant.verify(&expect, [key.as_ref()]) {
        assert_eq!(verified.issuer(), expect.trusted_issuer);
        assert!(!verified.subject().is_empty());
        assert!(verified.expires_at().saturating_add(Skew::DEFAULT.get()) > NOW);
        let _ = verified.scope();
    }
}

/// What a stranger made says nothing of a token; what is signed says it of a token that is active or of none.
pub fn signed_introspection(data: &[u8]) {
    let expect = Expect {
        issuer: &KEYS.issuer,
        audience: "https://orders.example",
        algorithms: &[Algorithm::EdDsa],
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let key = KEYS.signing.verifying_key();
    let read = |body: Bytes| {
        let mut response = Response::new(body);
        let kind = HeaderValue::from_static("application/token-introspection+jwt");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        SignedIntrospection::read(&response).ok()
    };
    if let Some(answer) = read(Bytes::copy_from_slice(data)) {
        assert!(answer.verify(key, &expect).is_err());
    }
    if let Some(told) = read(signed(Kind::IntrospectionResponse, data).into()) {
        let _ = told.verify(key, &expect).map(|told| told.is_active());
    }
}

/// However a client presents itself, it is in one way or in none.
pub fn client_authentication(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (first, rest) = text.split_once('\n').unwrap_or(("", &text));
    let mut headers = HeaderMap::new();
    if let Ok(value) = HeaderValue::from_str(first)
        && !first.is_empty()
    {
        headers.insert(header::AUTHORIZATION, value);
    }
    let Some(form) = read_form(rest.as_bytes()) else { return };
    if Presented::from_request(&headers, &form, None).is_ok() {
        let ways = [
            headers.contains_key(header::AUTHORIZATION),
            form.get("client_secret").is_some(),
            form.get("client_assertion").is_some(),
        ];
        assert!(ways.into_iter().filter(|way| *way).count() <= 1, "{text}");
    }
}

/// However long a server asks for, nobody waits longer than an hour.
pub fn retry_delay(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    let _ = http_date(text);
    let mut headers = HeaderMap::new();
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    headers.insert(header::RETRY_AFTER, value);
    assert!(retry_after(&headers, NOW).is_none_or(|delay| delay <= RetryAfter::MAX));
}
