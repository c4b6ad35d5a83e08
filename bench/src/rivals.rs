//! What others do between "I have a token" and "the header is ready".

use anyhow::{Context as _, Result, anyhow};
use http::{HeaderValue, Method, Uri};
use huskarl::authorizer::HttpAuthorizer;
use huskarl::cache::{InMemoryTokenCache, TokenError, TokenSource};
use huskarl::core::platform::MaybeSendBoxFuture;
use huskarl::grant::core::{RawTokenResponse, TokenResponse};
use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, SystemTime};

/// A source that has its token already: only the cache in front of it is measured.
struct Issued(Arc<TokenResponse>);

impl TokenSource for Issued {
    fn token(&self) -> MaybeSendBoxFuture<'_, Result<Arc<TokenResponse>, TokenError>> {
        let token = Arc::clone(&self.0);
        Box::pin(async move { Ok(token) })
    }
}

/// huskarl's `HttpAuthorizer` over its `InMemoryTokenCache`, warm.
pub struct Huskarl {
    authorizer: HttpAuthorizer,
    uri: Uri,
}

impl Huskarl {
    /// A cache that holds `token` for an hour.
    pub fn new(token: &str) -> Result<Self> {
        let response = RawTokenResponse::builder()
            .access_token(token)
            .token_type("Bearer")
            .expires_in(3600)
            .build()
            .into_token_response(None, SystemTime::now())
            .map_err(|error| anyhow!("{error}"))?;
        let cache = InMemoryTokenCache::builder().source(Issued(Arc::new(response))).build();
        let authorizer = HttpAuthorizer::builder().cache(cache).build();
        Ok(Self { authorizer, uri: Uri::from_static("https://orders.example/") })
    }

    /// The headers of one request; always ready at once when warm.
    pub fn headers(&self) -> Option<http::HeaderMap> {
        ready(self.authorizer.get_headers(&Method::GET, &self.uri))?.ok()
    }
}

/// Polls once, with no runtime in between.
pub fn ready<F: Future>(future: F) -> Option<F::Output> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// Go's `ReuseTokenSource`: a mutex around the token and its expiry, and a look at
/// the clock for each use. Kinder than Go's: the header value is made once.
pub struct MutexToken {
    token: Mutex<(HeaderValue, SystemTime)>,
}

impl MutexToken {
    /// Holds `token` for an hour.
    pub fn new(token: &str) -> Result<Self> {
        let value = HeaderValue::from_str(&format!("Bearer {token}")).context("token")?;
        Ok(Self { token: Mutex::new((value, SystemTime::now() + Duration::from_secs(3600))) })
    }

    /// The header, unless it is about to expire.
    pub fn header(&self) -> Option<HeaderValue> {
        let token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        let early = token.1.checked_sub(Duration::from_secs(10))?;
        (SystemTime::now() < early).then(|| token.0.clone())
    }
}
