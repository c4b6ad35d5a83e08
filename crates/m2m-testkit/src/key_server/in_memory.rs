//! The key server without a socket: time limits pass on the server's clock.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::{Request, Response};
use m2m_io::{BoxFuture, HttpClient, HttpError, Limits};

use super::KeyServer;
use crate::hostile::Answer;
use crate::in_memory::{Fault, accept};

/// An [`HttpClient`] that reaches one key server and nothing else.
#[derive(Clone, Debug)]
pub struct InMemoryKeys(KeyServer);

impl KeyServer {
    /// This server as the network of a verifier.
    #[must_use]
    pub fn in_memory(&self) -> InMemoryKeys {
        InMemoryKeys(self.clone())
    }
}

impl InMemoryKeys {
    async fn exchange(&self, request: Request<Bytes>, limit: usize) -> Result<Response<Bytes>, HttpError> {
        let url = request.uri().clone();
        let own = url.to_string().starts_with(self.0.issuer());
        let given = own.then(|| self.0.give(url.path(), request.headers())).flatten();
        let Some(given) = given else {
            self.0.state().elsewhere.push(url.to_string());
            return Err(HttpError::Connect(format!("nothing at {url}")));
        };
        if given.after > Duration::ZERO {
            self.0.clock.sleep(given.after).await;
        }
        // A hundred megabytes are not made to be thrown away.
        let fault = match given.answer {
            Answer::Gzip(length) if length > limit => return Err(HttpError::TooLarge { limit }),
            answer => answer.fault(),
        };
        match fault {
            Fault::Fail(error) => Err(error),
            Fault::Answer(response) => accept(response.map(Body::from), &url, limit).await,
            _ => std::future::pending().await,
        }
    }
}

impl HttpClient for InMemoryKeys {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        Box::pin(async move {
            tokio::select! {
                biased;
                result = self.exchange(request, limits.max_body_bytes) => result,
                () = self.0.clock.sleep(limits.timeout) => Err(HttpError::Timeout),
            }
        })
    }
}
