//! A tower layer that lets only verified requests through, with their token in the extensions.
//!
//! A request for the description of the API ([`Verifier::resource_metadata`]) is answered here, without a token.
//!
//! Enforces: no request reaches the inner service without a [`VerifiedAccessToken`](crate::VerifiedAccessToken); one that a
//! caller's own code put into the extensions before is replaced.
//! Does not enforce: scopes of single routes ([`crate::require`]).

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{HeaderValue, Request, Response, Uri};
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::names::header;
use tower_layer::Layer;
use tower_service::Service;

use crate::require::Required;
use crate::verifier::{RequestParts, Verifier};

/// Wraps services so that only verified requests reach them; [`Verifier::layer`] makes one.
#[derive(Debug, Clone)]
pub struct VerifyLayer {
    verifier: Verifier,
    required: Required,
}

/// A service behind a [`VerifyLayer`].
#[derive(Debug, Clone)]
pub struct Verified<S> {
    layer: VerifyLayer,
    inner: S,
}

impl Verifier {
    /// This verifier as a layer. The certificate of the connection, if the listener gives one, is
    /// read from the extensions of the request.
    #[must_use]
    pub fn layer(&self) -> VerifyLayer {
        VerifyLayer { verifier: self.clone(), required: Required::nothing() }
    }
}

impl VerifyLayer {
    /// Demands this of every request, besides a token that is good. Default: nothing.
    #[must_use]
    pub fn require(mut self, required: Required) -> Self {
        self.required = required;
        self
    }
}

impl<S> Layer<S> for VerifyLayer {
    type Service = Verified<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Verified { layer: self.clone(), inner }
    }
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for Verified<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: From<Infallible>,
    B: Send + 'static,
    R: From<Bytes>,
{
    type Response = Response<R>;
    type Error = S::Error;
    type Future = Answer<Response<R>, S::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone has not been polled ready; the one that was does the work.
        let clone = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, clone);
        let VerifyLayer { verifier, required } = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            // spec: 9728-RS1
            let path = asked_for(&parts).path();
            if let Some(document) = verifier.resource_metadata_response(&parts.method, path) {
                return Ok(document.map(R::from));
            }
            let asked = RequestParts {
                method: &parts.method,
                uri: asked_for(&parts),
                headers: &parts.headers,
                certificate: parts.extensions.get::<PeerCertificate>(),
            };
            let verified = verifier.verify(&asked).await;
            match verified.and_then(|token| required.check(&token).map(|()| token)) {
                Ok(token) => parts.extensions.insert(token),
                Err(rejection) => return Ok(rejection.to_response().map(R::from)),
            };
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            // spec: 9449-AS3
            if let Some(value) = verifier.next_nonce().and_then(|nonce| nonce.to_header().ok()) {
                response.headers_mut().insert(header::DPOP_NONCE, value);
                // A nonce out of a cache would be an old one (§8.2).
                let no_store = HeaderValue::from_static("no-store");
                response.headers_mut().entry(header::CACHE_CONTROL).or_insert(no_store);
            }
            Ok(response)
        })
    }
}

/// The target as the client wrote it: routers nested in others see it without its prefix.
fn asked_for(parts: &http::request::Parts) -> &Uri {
    #[cfg(feature = "axum")]
    if let Some(original) = parts.extensions.get::<::axum::extract::OriginalUri>() {
        return &original.0;
    }
    &parts.uri
}

#[cfg(test)]
mod tests;
