//! One function per parser: bytes from a stranger, and an invariant that holds
//! whatever they are. A function panics when its invariant is broken.

mod federation;
mod grants;
mod proofs;

use std::sync::LazyLock;

pub use federation::{spiffe, workload_token};
pub use grants::{
    authorization_grant, client_authentication, retry_delay, signed_introspection, token_exchange,
};
pub use proofs::{certificate, client_assertion, dpop_proof, introspection, other_metadata};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use m2m_proto::client_auth::secret::{BasicEncoding, decode_basic, encode_basic};
use m2m_proto::error::{Challenge, ErrorCode, ErrorResponse, ResponseError};
use m2m_proto::form::{Form, FormWriter};
use m2m_proto::jose::{Algorithm, Compact, HeaderFields, Jwk, JwkSet, Kind, SigningKey, base64url, jws};
use m2m_proto::json::{self, JsonLimits};
use m2m_proto::metadata::ServerMetadata;
use m2m_proto::names::{header as names, media_type};
use m2m_proto::revocation_feed::{self, RevocationFeedClaims};
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretBytes;
use m2m_proto::status_list::{self, StatusList};
use m2m_proto::time::{Skew, UnixTime};
use m2m_proto::token::presentation::{Presentation, authorization};
use m2m_proto::token::{ErrorShape, LifetimeUnit, ResponseDialect};
use m2m_proto::token::{TokenRequest, TokenResponse, TokenSeal, TokenType, access_token, sealed};
use m2m_proto::token_profile::TokenProfile;
use m2m_proto::uri::{EndpointUri, Issuer, Origin, ResourceUri};

/// A target with its name, which is also its file in `fuzz_targets/`.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("form", form),
    ("basic_header", basic_header),
    ("authorization_header", authorization_header),
    ("challenge", challenge),
    ("json", json),
    ("jws", jws),
    ("access_token", access_token),
    ("jwk_set", jwk_set),
    ("server_metadata", server_metadata),
    ("token_request", token_request),
    ("token_response", token_response),
    ("token_response_dialect", token_response_dialect),
    ("uri", uri),
    ("scope", scope),
    ("status_list", status_list),
    ("revocation_feed", revocation_feed),
    ("sealed_token", sealed_token),
    ("client_assertion", client_assertion),
    ("dpop_proof", dpop_proof),
    ("certificate", certificate),
    ("introspection", introspection),
    ("other_metadata", other_metadata),
    ("workload_token", workload_token),
    ("spiffe", spiffe),
    ("token_exchange", token_exchange),
    ("authorization_grant", authorization_grant),
    ("signed_introspection", signed_introspection),
    ("client_authentication", client_authentication),
    ("retry_delay", retry_delay),
];

/// What the targets sign and seal with.
struct Keys {
    signing: SigningKey,
    seal: TokenSeal,
    issuer: Issuer,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let issuer = Issuer::parse("https://login.example").expect("well-formed");
    let signing = SigningKey::generate(Algorithm::EdDsa).expect("a key");
    let seal = TokenSeal::new(&SecretBytes::new(vec![1; 32]), &issuer).expect("long enough");
    Keys { signing, seal, issuer }
});

/// Ten minutes into the life of the seeds.
const NOW: UnixTime = UnixTime::from_seconds(1_800_000_600);

/// What a stranger writes, signed all the same, so that the claims are reached.
fn signed(kind: Kind, payload: &[u8]) -> String {
    let fields = HeaderFields { typ: kind.typ(), ..HeaderFields::default() };
    jws::sign(&fields, payload, &KEYS.signing).unwrap_or_default()
}

fn read_form(body: &[u8]) -> Option<Form<'_>> {
    Form::parse(Some(media_type::FORM), body).ok()
}

fn write_form<'a>(parameters: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut writer = FormWriter::new();
    parameters.for_each(|(name, value)| writer.push(name, value));
    writer.finish()
}

/// What was read is read again from what is written.
pub fn form(data: &[u8]) {
    let Some(read) = read_form(data) else { return };
    let written = write_form(read.iter());
    // Encoding may make it longer than what is read back.
    if let Some(again) = read_form(&written) {
        assert!(read.iter().eq(again.iter()));
    } else {
        assert!(written.len() > Form::MAX_BYTES);
    }
}

/// The preferred reading, encoded, is read as itself.
pub fn basic_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let Ok(pair) = decode_basic(&value) else { return };
    for reading in pair.readings() {
        let written =
            encode_basic(reading.client_id(), reading.secret(), BasicEncoding::Form).expect("well-formed");
        // Encoding may make it longer than what is read back.
        if let Ok(again) = decode_basic(&written) {
            assert_eq!(again.preferred().client_id(), reading.client_id());
            assert_eq!(again.preferred().secret().expose(), reading.secret().expose());
        }
    }
}

/// A token that is read can be presented, and is read as itself.
pub fn authorization_header(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let headers: HeaderMap = [(header::AUTHORIZATION, value)].into_iter().collect();
    let Ok(Some(presented)) = Presentation::from_headers(&headers) else { return };
    let written = authorization(presented.token(), &TokenType::Bearer).expect("a token fits a header");
    let headers: HeaderMap = [(header::AUTHORIZATION, written)].into_iter().collect();
    let again = Presentation::from_headers(&headers).expect("well-formed").expect("present");
    assert_eq!(again.token().expose(), presented.token().expose());
}

/// Reading is bounded, and what is written is read as one challenge.
pub fn challenge(data: &[u8]) {
    let Ok(value) = HeaderValue::from_bytes(data) else { return };
    let headers: HeaderMap = [(header::WWW_AUTHENTICATE, value)].into_iter().collect();
    for challenge in Challenge::parse_all(&headers) {
        let headers: HeaderMap = [(header::WWW_AUTHENTICATE, challenge.encode())].into_iter().collect();
        assert_eq!(Challenge::parse_all(&headers).len(), 1, "{challenge:?}");
    }
}

/// What is read, written by serde_json, is read as itself.
pub fn json(data: &[u8]) {
    for limits in [JsonLimits::DOCUMENT, JsonLimits::CLAIMS] {
        let Ok(object) = json::parse_object(data, &limits) else { continue };
        assert!(data.len() <= limits.max_bytes);
        let text = serde_json::to_string(&object).expect("a value");
        if text.len() <= limits.max_bytes {
            assert_eq!(json::parse_object(text.as_bytes(), &limits).expect("own output"), object);
        }
    }
}

/// Nothing but the compact form is a token, and an access token is a token.
pub fn jws(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let token = Compact::parse(text);
    if access_token::parse(text).is_ok() {
        assert!(token.is_ok());
    }
    if token.is_ok() {
        assert_eq!(text.split('.').count(), 3);
        assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)));
    }
}

/// Keys are read one by one; what is published holds nothing private.
pub fn jwk_set(data: &[u8]) {
    if let Ok(jwk) = Jwk::parse(data) {
        let public = jwk.to_public_json();
        assert!(["d", "p", "q", "dp", "dq", "qi", "k"].iter().all(|name| !public.contains_key(*name)));
    }
    let Ok(set) = JwkSet::decode(data) else { return };
    let published = JwkSet::encode(set.keys().iter().map(AsRef::as_ref));
    let again = JwkSet::decode(&published).expect("own output");
    assert!(again.keys().len() <= set.keys().len());
}

/// Metadata is of the issuer that was asked, or of nobody.
pub fn server_metadata(data: &[u8]) {
    let issuer = Issuer::parse("https://login.example").expect("well-formed");
    if let Ok(metadata) = ServerMetadata::decode(data, &issuer) {
        assert_eq!(metadata.issuer, issuer);
    }
}

/// What was asked is asked again by what is written.
pub fn token_request(data: &[u8]) {
    let Some(Ok(request)) = read_form(data).map(|form| TokenRequest::decode(&form)) else { return };
    let mut writer = FormWriter::new();
    request.write(&mut writer);
    let body = writer.finish();
    let Some(form) = read_form(&body) else { return };
    let again = TokenRequest::decode(&form).expect("own output");
    assert_eq!(format!("{again:?}"), format!("{request:?}"));
}

/// Never a token and an error at once; what is written is read as itself.
pub fn token_response(data: &[u8]) {
    for status in [200, 201, 400, 401, 429, 503] {
        let mut response = Response::new(Bytes::copy_from_slice(data));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        response.headers_mut().insert(names::DPOP_NONCE, HeaderValue::from_static("nonce"));
        let Ok(token) = TokenResponse::decode(&response) else { continue };
        assert!(ErrorResponse::decode(&response).is_none());
        let again = TokenResponse::decode(&token.encode()).expect("own output");
        assert_eq!(again.access_token.expose(), token.access_token.expose());
    }
}

/// A service that says everything otherwise changes no verdict into a success,
/// and makes a code of any text only where it is one.
pub fn token_response_dialect(data: &[u8]) {
    let shape = |code: &str, description: &str| ErrorShape {
        code: code.to_owned(),
        description: Some(description.to_owned()),
    };
    let dialect = ResponseDialect {
        token: "token".to_owned(),
        expires_in: Some("life".to_owned()),
        unit: LifetimeUnit::Milliseconds,
        expires_at: Some("end".to_owned()),
        bearer_names: vec!["Odd".to_owned()],
        scope_separator: ',',
        errors: vec![shape("/code", "/text"), shape("/errors/0/code", "/errors/0/message")],
    };
    for status in [200, 400, 429] {
        let mut response = Response::new(Bytes::copy_from_slice(data));
        *response.status_mut() = http::StatusCode::from_u16(status).expect("a status");
        match TokenResponse::decode_as(&response, &dialect) {
            Ok(token) => assert!(status == 200 && token.access_token.expose().is_ascii()),
            Err(ResponseError::Refused { error, .. }) => {
                let code = error.error.as_str();
                assert!(status != 429 && !code.is_empty() && code.len() <= ErrorCode::MAX_BYTES);
                assert!(error.error_description.is_none_or(|text| text.len() <= 1024));
            }
            Err(_) => {}
        }
    }
}

/// What is read is kept to the letter.
pub fn uri(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(issuer) = Issuer::parse(text) {
        assert_eq!(issuer.as_str(), text);
    }
    if let Ok(endpoint) = EndpointUri::parse(text) {
        assert_eq!(endpoint.as_str(), text);
        let origin = endpoint.origin().to_string();
        assert_eq!(&Origin::parse(&origin).expect("own output"), endpoint.origin());
    }
    if let Ok(resource) = ResourceUri::parse(text) {
        assert_eq!(resource.as_str(), text);
    }
}

/// A scope is a set, whatever its order.
pub fn scope(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let Ok(scope) = Scope::parse(text) else { return };
    let canonical = Scope::parse(&scope.canonical()).expect("own output");
    assert_eq!(scope, canonical);
    assert!(scope.is_subset(&canonical) && scope.difference(&canonical).is_empty());
}

/// A list is as long as its bytes say, and is read as itself.
pub fn status_list(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    let _ = status_list::parse(text);
    let encoded = base64url::encode(data);
    for (bits, lst) in [1, 2, 4, 8].into_iter().flat_map(|bits| [(bits, text), (bits, &encoded)]) {
        let Ok(list) = StatusList::decode(bits, lst) else { continue };
        assert!(list.len() * bits <= 8 * status_list::MAX_LIST_BYTES as u64);
        assert!(list.get(list.len()).is_none());
        let again = StatusList::decode(bits, &list.encode().expect("memory only")).expect("own output");
        assert_eq!(again, list);
    }
    if !data.starts_with(b"{") {
        return;
    }
    let expect = status_list::Expect {
        uri: "https://login.example/status/1",
        issuer: None,
        algorithms: &[Algorithm::EdDsa],
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let document = signed(Kind::StatusList, data);
    let Ok(unverified) = status_list::parse(&document) else { return };
    if let Ok(verified) = unverified.verify(KEYS.signing.verifying_key(), &expect) {
        assert!(verified.expires_at().saturating_add(Skew::DEFAULT.get()) > NOW);
        assert_eq!(verified.get(0).is_none(), verified.list().is_empty());
        assert!(verified.ttl().is_none_or(|ttl| !ttl.is_zero()));
    }
}

/// A feed holds what it lists and nothing else, and is read as itself.
pub fn revocation_feed(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = revocation_feed::parse(text);
    }
    if !data.starts_with(b"{") {
        return;
    }
    let Keys { signing, issuer, .. } = &*KEYS;
    let expect =
        revocation_feed::Expect { issuer, algorithms: &[Algorithm::EdDsa], now: NOW, skew: Skew::DEFAULT };
    let verify =
        |document: &str| revocation_feed::parse(document).ok()?.verify(signing.verifying_key(), &expect).ok();
    let Some(feed) = verify(&signed(Kind::RevocationFeed, data)) else { return };
    assert!(feed.iter().all(|jti| feed.contains(jti)) && !feed.contains(""));
    let revoked: Vec<_> = feed.iter().collect();
    let claims = RevocationFeedClaims {
        issuer,
        issued_at: NOW,
        expires_at: NOW.saturating_add(feed.ttl()),
        ttl: feed.ttl(),
        revoked: &revoked,
    };
    let Ok(document) = claims.sign(&RevocationFeedClaims::header(signing), signing) else { return };
    if let Some(again) = verify(&document) {
        assert!(again.iter().eq(feed.iter()));
    }
}

/// What is accepted is of that issuer, for that audience, of that time and signed, whatever its profile; and a token
/// that was changed in one bit is not.
pub fn access_token(data: &[u8]) {
    let Keys { signing, issuer, .. } = &*KEYS;
    let profile = TokenProfile::rfc9068();
    let expect = access_token::Expect {
        issuer,
        audience: "https://orders.example",
        algorithms: &[Algorithm::EdDsa],
        now: NOW,
        skew: Skew::DEFAULT,
    };
    let verify = |token: &str| {
        let unverified = access_token::parse(token).ok()?;
        access_token::verify(unverified, signing.verifying_key(), &profile, &expect).ok()
    };
    // What a stranger made is never signed by the key.
    let text = std::str::from_utf8(data).unwrap_or_default();
    assert!(verify(text).is_none());
    let token = signed(Kind::AccessToken, data);
    let Some(claims) = verify(&token) else { return };
    assert_eq!(claims.issuer(), issuer.as_str());
    assert!(claims.audience().any(|one| one == expect.audience));
    assert!(claims.expires_at().saturating_add(Skew::DEFAULT.get()) > NOW);
    assert!(claims.client_id().is_some_and(|id| !id.is_empty()) && claims.jti().is_some());
    let mut changed = token.into_bytes();
    let at = data.len() % changed.len();
    changed[at] ^= 1;
    if let Ok(changed) = std::str::from_utf8(&changed) {
        assert!(verify(changed).is_none());
    }
}

/// Nothing that was not sealed here opens, and no token is both sealed and signed.
pub fn sealed_token(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    assert!(KEYS.seal.open(text).is_err());
    let encoded = format!("{}{}", sealed::PREFIX, base64url::encode(data));
    assert!(sealed::is_sealed(&encoded) && KEYS.seal.open(&encoded).is_err());
    assert!(!sealed::is_sealed(text) || access_token::parse(text).is_err());
}
