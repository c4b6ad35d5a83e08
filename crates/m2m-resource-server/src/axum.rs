//! For axum: the verified token as an extractor, and scopes demanded per route.

use std::convert::Infallible;

use ::axum::body::Body;
use ::axum::extract::{FromRequestParts, Request};
use ::axum::middleware::{self, Next};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::MethodRouter;
use http::request::Parts;

use crate::error::Rejection;
use crate::require::Required;
use crate::verified::VerifiedAccessToken;
use crate::verifier::Verifier;

impl IntoResponse for Rejection {
    fn into_response(self) -> Response {
        self.to_response().map(Body::from)
    }
}

/// The token that the verifier's layer put there. Without that layer the answer is 500: a route
/// that forgot to be protected must not work.
impl<S: Send + Sync> FromRequestParts<S> for VerifiedAccessToken {
    type Rejection = Rejection;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        parts.extensions.get::<Self>().cloned().ok_or_else(unprotected)
    }
}

fn unprotected() -> Rejection {
    Verifier::misconfigured("no verifier in front of this route")
}

/// Demands scopes of a route: of the methods that were given to it before, not of those added after.
///
/// ```no_run
/// use axum::{Router, routing::get};
/// use m2m_resource_server::{RequireScope, Verifier};
///
/// fn app(verifier: &Verifier) -> Router {
///     Router::new()
///         .route("/orders", get(|| async { "[]" }).require_scope("orders:read"))
///         .layer(verifier.layer())
/// }
/// ```
pub trait RequireScope {
    /// Answers 403 `insufficient_scope` to tokens that lack one of `scopes`, which are separated by
    /// spaces; 500 to everybody when the text is no scope, or when no verifier is in front.
    #[must_use]
    fn require_scope(self, scopes: &str) -> Self;

    /// The same for everything that can be demanded, such as one of several audiences.
    #[must_use]
    fn require(self, required: Required) -> Self;
}

impl<S> RequireScope for MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    fn require_scope(self, scopes: &str) -> Self {
        demand(self, Required::parse(scopes).ok())
    }

    fn require(self, required: Required) -> Self {
        demand(self, Some(required))
    }
}

/// `None` is a demand that could not be read: nobody meets it.
fn demand<S>(route: MethodRouter<S, Infallible>, required: Option<Required>) -> MethodRouter<S, Infallible>
where
    S: Clone + Send + Sync + 'static,
{
    route.layer(middleware::from_fn(move |request: Request, next: Next| {
        let checked = check(required.as_ref(), &request);
        async move {
            match checked {
                Ok(()) => next.run(request).await,
                Err(rejection) => rejection.into_response(),
            }
        }
    }))
}

fn check(required: Option<&Required>, request: &Request) -> Result<(), Rejection> {
    let required = required.ok_or_else(|| Verifier::misconfigured("the required scope is malformed"))?;
    let token = request.extensions().get::<VerifiedAccessToken>().ok_or_else(unprotected)?;
    required.check(token)
}

#[cfg(test)]
mod tests;
