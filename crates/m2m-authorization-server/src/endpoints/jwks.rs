//! The key set (RFC 7517 §5): public keys only, cacheable for less than a key is announced.

use axum::body::Body;
use axum::extract::State as Extracted;
use http::HeaderMap;
use m2m_proto::names::media_type;

use super::Served;

// spec: JOSE-V9
pub(crate) async fn answer(Extracted(state): Served, headers: HeaderMap) -> axum::response::Response {
    let set = state.keys.published();
    super::cacheable(&headers, set.body, &set.etag, media_type::JWK_SET, state.jwks_max_age).map(Body::from)
}
