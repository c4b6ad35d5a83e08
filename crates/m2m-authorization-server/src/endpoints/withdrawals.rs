//! Status lists and the revocation feed, for verifiers that do not ask about each token.
//!
//! Sections: Token Status List §8.1; the feed is our own
//! Public. Caches ask again every time: what they added would not be in the bound that is told.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, State as Extracted};
use axum::http::StatusCode;
use http::{HeaderMap, HeaderValue, Response};
use m2m_proto::jose::{base64url, crypto};
use m2m_proto::names::{header, media_type};

use super::Served;
use crate::lists::{Document, Unpublished};
use crate::server::State;

pub(crate) async fn status_list(
    Extracted(state): Served,
    Path(number): Path<String>,
    headers: HeaderMap,
) -> Response<Body> {
    // Digits alone: one list has one address.
    let parsed = number.parse::<u64>().ok().filter(|parsed| parsed.to_string() == number);
    match parsed {
        Some(number) => answer(&state, Document::StatusList(number), media_type::STATUSLIST_JWT, &headers),
        None => status_only(StatusCode::NOT_FOUND),
    }
}

pub(crate) async fn feed(Extracted(state): Served, headers: HeaderMap) -> Response<Body> {
    answer(&state, Document::Feed, media_type::M2M_REVOCATIONS_JWT, &headers)
}

fn answer(state: &State, which: Document, media: &'static str, headers: &HeaderMap) -> Response<Body> {
    let body = match state.lists.get(state, which, state.clock.wall()) {
        Ok(body) => body,
        Err(Unpublished::Unknown) => return status_only(StatusCode::NOT_FOUND),
        Err(error) => {
            tracing::warn!(%error, "a list of what was withdrawn cannot be published");
            let mut response = status_only(StatusCode::SERVICE_UNAVAILABLE);
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
            return response;
        }
    };
    let etag = format!("\"{}\"", base64url::encode(crypto::sha256(&body)));
    // What stands inside is older than nothing: a cache that adds its own time would break the bound.
    super::cacheable(headers, body, &etag, media, Duration::ZERO).map(Body::from)
}

fn status_only(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}
