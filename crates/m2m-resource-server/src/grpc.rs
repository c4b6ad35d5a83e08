//! For gRPC services: a tower layer that lets only verified calls through and refuses in gRPC's own form, and
//! rejections as [`tonic::Status`].
//!
//! Enforces: as [`crate::layer`]; and per method what it requires. A demand whose path is that of no service and no
//! method lets no call through: all are answered `INTERNAL`.
//! A refusal is an answer 200 with `grpc-status` and no message: `UNAUTHENTICATED` for 400 and 401,
//! `PERMISSION_DENIED` for 403, `UNAVAILABLE` for 503, `INTERNAL` for 500. What HTTP says in headers stands in the
//! metadata: `www-authenticate`, `dpop-nonce`, `retry-after`.
//! Does not enforce: that a path which is well formed is that of a service behind the layer; anything about streams
//! that are open when their token expires.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{Request, Response, StatusCode};
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::names::header;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};
use tower_layer::Layer;
use tower_service::Service;

use crate::error::Rejection;
use crate::require::Required;
use crate::verifier::{RequestParts, Verifier};

impl From<Rejection> for Status {
    fn from(rejection: Rejection) -> Self {
        let mut response = rejection.to_response();
        let code = match response.status() {
            StatusCode::BAD_REQUEST | StatusCode::UNAUTHORIZED => Code::Unauthenticated,
            StatusCode::FORBIDDEN => Code::PermissionDenied,
            StatusCode::SERVICE_UNAVAILABLE => Code::Unavailable,
            _ => Code::Internal,
        };
        response.headers_mut().remove(header::CACHE_CONTROL);
        // What strangers may read; the rest is in the log.
        let message = rejection.reason().description().unwrap_or_default();
        let metadata = MetadataMap::from_headers(std::mem::take(response.headers_mut()));
        Self::with_metadata(code, message, metadata)
    }
}

/// Wraps gRPC services so that only verified calls reach them; [`Verifier::grpc_layer`] makes one.
///
/// ```no_run
/// # fn run(verifier: m2m_resource_server::Verifier) -> Result<(), Box<dyn std::error::Error>> {
/// use m2m_resource_server::Required;
///
/// let layer = verifier
///     .grpc_layer()
///     .require("/shop.Orders/", Required::parse("orders:read")?)
///     .require("/shop.Orders/Cancel", Required::parse("orders:write")?);
/// // tonic::transport::Server::builder().layer(layer).add_service(…)
/// # drop(layer);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct GrpcVerifyLayer {
    verifier: Verifier,
    rules: Arc<Vec<(String, Required)>>,
    /// A demand could not be read: nobody meets it.
    is_misconfigured: bool,
}

/// A service behind a [`GrpcVerifyLayer`].
#[derive(Debug, Clone)]
pub struct GrpcVerified<S> {
    inner: S,
    layer: GrpcVerifyLayer,
}

impl Verifier {
    /// This verifier as a layer for gRPC. Calls come with their token in the extensions of the request.
    #[must_use]
    pub fn grpc_layer(&self) -> GrpcVerifyLayer {
        GrpcVerifyLayer { verifier: self.clone(), rules: Arc::default(), is_misconfigured: false }
    }
}

impl GrpcVerifyLayer {
    /// Demands this of a method, `/package.Service/Method`, or with a slash at the end of all methods of a service.
    /// All that fit a call count. A path of any other form makes every call `INTERNAL`, as a demand that fits nothing
    /// would protect nothing.
    #[must_use]
    pub fn require(mut self, path: impl Into<String>, required: Required) -> Self {
        let path = path.into();
        self.is_misconfigured |= !is_service_or_method(&path);
        Arc::make_mut(&mut self.rules).push((path, required));
        self
    }

    /// Lets a call through with its token, or says why not.
    async fn admit(&self, parts: &mut http::request::Parts) -> Result<(), Rejection> {
        if self.is_misconfigured {
            return Err(Verifier::misconfigured("a demand names no gRPC service or method"));
        }
        let asked = RequestParts {
            method: &parts.method,
            uri: &parts.uri,
            headers: &parts.headers,
            certificate: parts.extensions.get::<PeerCertificate>(),
        };
        let token = self.verifier.verify(&asked).await?;
        let path = parts.uri.path();
        let fits = |rule: &&(String, Required)| {
            rule.0 == path || (rule.0.ends_with('/') && path.starts_with(rule.0.as_str()))
        };
        for (_, required) in self.rules.iter().filter(fits) {
            required.check(&token)?;
        }
        parts.extensions.insert(token);
        Ok(())
    }
}

/// `/package.Service/` or `/package.Service/Method`.
fn is_service_or_method(path: &str) -> bool {
    let name = |text: &str, more: &[u8]| {
        text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_' || more.contains(&byte))
    };
    let parts = path.strip_prefix('/').and_then(|path| path.split_once('/'));
    parts.is_some_and(|(service, method)| !service.is_empty() && name(service, b".") && name(method, b""))
}

impl<S> Layer<S> for GrpcVerifyLayer {
    type Service = GrpcVerified<S>;

    fn layer(&self, inner: S) -> Self::Service {
        GrpcVerified { inner, layer: self.clone() }
    }
}

type Answer<R, E> = Pin<Box<dyn Future<Output = Result<R, E>> + Send>>;

impl<S, B, R> Service<Request<B>> for GrpcVerified<S>
where
    S: Service<Request<B>, Response = Response<R>> + Clone + Send + 'static,
    S::Future: Send,
    S::Error: From<Infallible>,
    B: Send + 'static,
    R: Default,
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
        let layer = self.layer.clone();
        Box::pin(async move {
            let (mut parts, body) = request.into_parts();
            if let Err(rejection) = layer.admit(&mut parts).await {
                return Ok(Status::from(rejection).into_http());
            }
            let mut response = inner.call(Request::from_parts(parts, body)).await?;
            // spec: 9449-AS3
            if let Some(value) = layer.verifier.next_nonce().and_then(|nonce| nonce.to_header().ok()) {
                response.headers_mut().insert(header::DPOP_NONCE, value);
            }
            Ok(response)
        })
    }
}

#[cfg(test)]
mod tests;
