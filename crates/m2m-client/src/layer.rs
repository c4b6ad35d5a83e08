//! A tower layer that attaches a token to every request that passes.
//!
//! A request to an origin that may not receive the token is an error, and so
//! is a request for which there is no token: nothing goes out unauthenticated.

use std::any::Any;
use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response};
use tower_layer::Layer;
use tower_service::Service;

use crate::attach::{Repeats, Review};
use crate::client::Client;
use crate::error::Error;
use crate::spec::TokenSpec;

impl Client {
    /// A layer that attaches this client's token for `spec`.
    #[must_use]
    pub fn layer(&self, spec: &TokenSpec) -> AttachLayer {
        AttachLayer { client: self.clone(), spec: spec.clone(), replay: None }
    }
}

/// Attaches tokens; made by [`Client::layer`].
#[derive(Clone)]
pub struct AttachLayer {
    client: Client,
    spec: TokenSpec,
    replay: Option<Arc<dyn Any + Send + Sync>>,
}

/// How a body is copied for a second attempt; `None` if it cannot be.
type CopyBody<B> = fn(&B) -> Option<B>;

impl AttachLayer {
    /// Says how bodies of type `B` are copied, so that a request can be sent
    /// once more after a 401: `replay_with(|body: &Full<Bytes>| Some(body.clone()))`.
    /// Without it, rejected tokens are renewed for the next request only.
    #[must_use]
    pub fn replay_with<B: 'static>(mut self, copy: CopyBody<B>) -> Self {
        self.replay = Some(Arc::new(copy));
        self
    }
}

impl<S> Layer<S> for AttachLayer {
    type Service = Attach<S>;

    fn layer(&self, inner: S) -> Attach<S> {
        Attach { inner, layer: self.clone() }
    }
}

impl fmt::Debug for AttachLayer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AttachLayer")
            .field("client", &self.client)
            .field("spec", &self.spec)
            .finish_non_exhaustive()
    }
}

/// The service that [`AttachLayer`] makes.
#[derive(Clone, Debug)]
pub struct Attach<S> {
    inner: S,
    layer: AttachLayer,
}

type BoxError = Box<dyn StdError + Send + Sync>;

impl<S, B, R> Service<Request<B>> for Attach<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<BoxError>,
    B: Send + 'static,
    R: Send + 'static,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<R>, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        // The clone that is left behind has not been asked whether it is ready; the one taken has.
        let fresh = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, fresh);
        let layer = self.layer.clone();
        Box::pin(layer.call(inner, request))
    }
}

impl AttachLayer {
    async fn call<S, B, R>(self, mut inner: S, request: Request<B>) -> Result<Response<R>, BoxError>
    where
        S: Service<Request<B>, Response = Response<R>>,
        S::Error: Into<BoxError>,
        B: 'static,
    {
        let Self { client, spec, replay } = self;
        client.check_destination(&spec, request.uri())?;
        let mut token = client.token(&spec).await?;
        let copy = replay.as_deref().and_then(|copy| copy.downcast_ref::<CopyBody<B>>()).copied();
        let mut next = Some(request);
        let mut repeats = Repeats::default();
        while let Some(mut request) = next.take() {
            let spare = copy.and_then(|copy| copy_request(&request, copy));
            let (method, uri) = (request.method().clone(), request.uri().clone());
            client.attach(&spec, &token, &method, &uri, request.headers_mut())?;
            std::future::poll_fn(|context| inner.poll_ready(context)).await.map_err(Into::into)?;
            let response = inner.call(request).await.map_err(Into::into)?;
            let seen = (response.status(), response.headers());
            match (client.review(&token, &uri, seen, &mut repeats).await, spare) {
                (Review::Replay(newer), Some(spare)) => (token, next) = (newer, Some(spare)),
                _ => return Ok(response),
            }
        }
        Err(Error::internal("a request without attempt").into())
    }
}

fn copy_request<B>(request: &Request<B>, copy: CopyBody<B>) -> Option<Request<B>> {
    let mut spare = Request::new(copy(request.body())?);
    spare.method_mut().clone_from(request.method());
    spare.uri_mut().clone_from(request.uri());
    *spare.version_mut() = request.version();
    spare.headers_mut().clone_from(request.headers());
    spare.extensions_mut().clone_from(request.extensions());
    Some(spare)
}

#[cfg(test)]
mod tests;
