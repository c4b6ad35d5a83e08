//! For axum: the verified token as an extractor, and scopes demanded per route.
//!
//! Enforces: a route whose handler takes the token, or that demands something, answers 500 where no verifier is in
//! front.
//! Does not enforce: anything about routes and fallbacks that are added to a router after `layer`, which axum leaves
//! unprotected: the layer comes last. Nor about methods that are added to a route after [`RequireScope::require_scope`],
//! a fallback of methods among them: the demand comes last, too. In a nested router, or under `route_layer`, the layer does
//! not see the place of the description (RFC 9728): merge [`Verifier::resource_metadata_router`] outside.

use std::convert::Infallible;

use ::axum::Router;
use ::axum::body::Body;
use ::axum::extract::{FromRequestParts, Request};
use ::axum::middleware::{self, Next};
use ::axum::response::{IntoResponse, Response};
use ::axum::routing::{MethodRouter, any};
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

impl Verifier {
    /// The description of the API ([`Verifier::resource_metadata`]) as a router of its own, public, to be merged into the
    /// outermost router after every layer: for routers that are nested, or whose layer is a `route_layer`. Empty where
    /// nothing is described.
    ///
    /// ```no_run
    /// use axum::{Router, routing::get};
    /// use m2m_resource_server::Verifier;
    ///
    /// fn app(verifier: &Verifier) -> Router {
    ///     let orders = Router::new().route("/orders", get(|| async { "[]" })).layer(verifier.layer());
    ///     Router::new().nest("/v1", orders).merge(verifier.resource_metadata_router())
    /// }
    /// ```
    // spec: 9728-RS1
    pub fn resource_metadata_router<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        let Some(path) = self.resource_metadata_path() else { return Router::new() };
        let (verifier, place) = (self.clone(), path.to_owned());
        let answer = move |request: Request| {
            let document = verifier.resource_metadata_response(request.method(), &place);
            let response = document.unwrap_or_default().map(Body::from);
            async move { response }
        };
        // A path with braces or colons would be a pattern to axum; such a description is left to the layer.
        if path.contains(['{', '}', '*']) || path.contains("/:") {
            return Router::new();
        }
        Router::new().route(path, any(answer))
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
