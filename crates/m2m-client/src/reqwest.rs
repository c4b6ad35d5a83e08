//! A reqwest-middleware that attaches a token to every request.
//!
//! A request to an origin that may not receive the token is an error, and so
//! is a request for which there is no token: nothing goes out unauthenticated.
//! reqwest itself removes `Authorization` when it follows a redirect to another
//! origin; the clients that `m2m_io` makes follow none.

use std::sync::Arc;

use ::reqwest::{Request, Response};
use reqwest_middleware::{Error as MiddlewareError, Middleware, Next};

use crate::attach::{Repeats, Review};
use crate::client::Client;
use crate::error::Error;
use crate::spec::TokenSpec;
use crate::token::Token;

impl Client {
    /// A middleware that attaches this client's token for `spec`. A request
    /// whose body can be cloned is sent once more after a 401.
    #[must_use]
    pub fn middleware(&self, spec: &TokenSpec) -> AttachMiddleware {
        AttachMiddleware { client: self.clone(), spec: spec.clone() }
    }
}

/// Attaches tokens; made by [`Client::middleware`].
#[derive(Clone, Debug)]
pub struct AttachMiddleware {
    client: Client,
    spec: TokenSpec,
}

impl AttachMiddleware {
    fn attach(&self, request: &mut Request, token: &Arc<Token>) -> Result<(), Error> {
        let (method, uri) = (request.method().clone(), uri_of(request)?);
        self.client.attach(&self.spec, token, &method, &uri, request.headers_mut())
    }

    async fn run(
        &self,
        mut request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> Result<Response, MiddlewareError> {
        let uri = uri_of(&request).map_err(middleware_error)?;
        self.client.check_destination(&self.spec, &uri).map_err(middleware_error)?;
        let mut token = self.client.token(&self.spec).await.map_err(middleware_error)?;
        let mut repeats = Repeats::default();
        loop {
            let spare = request.try_clone();
            self.attach(&mut request, &token).map_err(middleware_error)?;
            let response = next.clone().run(request, extensions).await?;
            let seen = (response.status(), response.headers());
            match (self.client.review(&token, &uri, seen, &mut repeats).await, spare) {
                (Review::Replay(newer), Some(spare)) => (token, request) = (newer, spare),
                _ => return Ok(response),
            }
        }
    }
}

fn uri_of(request: &Request) -> Result<http::Uri, Error> {
    request.url().as_str().parse().map_err(|_| Error::misconfigured("the request's URL is not usable"))
}

fn middleware_error(error: Error) -> MiddlewareError {
    MiddlewareError::middleware(error)
}

#[async_trait::async_trait]
impl Middleware for AttachMiddleware {
    async fn handle(
        &self,
        request: Request,
        extensions: &mut http::Extensions,
        next: Next<'_>,
    ) -> reqwest_middleware::Result<Response> {
        self.run(request, extensions, next).await
    }
}

#[cfg(test)]
mod tests;
