//! The metadata of one authorization server, found by its issuer (RFC 8414 section 3).
//!
//! Enforces: the document's `issuer` equals the expected one by code point (in `ServerMetadata::decode`); it is asked
//! for at the issuer's own origin only.
//! Does not enforce: where the endpoints in the document lead: fetch them with [`RemoteMetadata::reach`].

use std::sync::Arc;

use ::http::StatusCode;
use m2m_proto::metadata::server::ServerMetadata;
use m2m_proto::metadata::well_known;
use m2m_proto::uri::{EndpointUri, Issuer};

use crate::remote::{Ask, Conditional, Fetch, Fetched, Knobs, Remote, RemoteError};
use crate::{BoxFuture, Clock, HttpClient, HttpError, Limits, Reach};

/// The metadata of one issuer, fetched when first asked for and kept fresh. Cloning gives another handle.
#[derive(Clone, Debug)]
pub struct RemoteMetadata {
    issuer: Issuer,
    reach: Reach,
    remote: Remote<ServerMetadata>,
}

impl RemoteMetadata {
    /// Discovery for `issuer`, which the operator configured.
    #[must_use]
    pub fn new(issuer: Issuer, http: Arc<dyn HttpClient>, clock: Arc<dyn Clock>) -> Self {
        Self::with_knobs(issuer, Reach::Configured, Knobs::default(), http, clock)
    }

    /// As [`Self::new`], with other times, or for an issuer that somebody else named.
    #[must_use]
    pub fn with_knobs(
        issuer: Issuer,
        reach: Reach,
        knobs: Knobs,
        http: Arc<dyn HttpClient>,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let limits = Limits { timeout: knobs.timeout, reach: reach.clone(), ..Limits::default() };
        let fetch = Box::new(Discovery { issuer: issuer.clone(), http, limits, held: Arc::default() });
        Self { issuer, reach, remote: Remote::new("server metadata", knobs, clock, fetch) }
    }

    /// Whose metadata this is.
    #[must_use]
    pub const fn issuer(&self) -> &Issuer {
        &self.issuer
    }

    /// What a URL found in this metadata may reach. Only an issuer that the operator configured may point at its own
    /// origin wherever that is: one that somebody registered could name a public address at the first request, and a
    /// private one by the second.
    #[must_use]
    pub fn reach(&self) -> Reach {
        match &self.reach {
            Reach::Configured => Reach::Discovered { origin: self.issuer.origin().clone() },
            followed => followed.clone(),
        }
    }

    /// The metadata.
    ///
    /// # Errors
    ///
    /// [`RemoteError`] when no well-known location has a usable document.
    pub async fn get(&self) -> Result<Arc<ServerMetadata>, RemoteError> {
        self.remote.get().await
    }

    /// The metadata if it is held and fresh enough to use without waiting.
    #[must_use]
    pub fn peek(&self) -> Option<Arc<ServerMetadata>> {
        self.remote.peek()
    }
}

#[derive(Clone)]
struct Discovery {
    issuer: Issuer,
    http: Arc<dyn HttpClient>,
    limits: Limits,
    held: Arc<Conditional<ServerMetadata>>,
}

impl Fetch<ServerMetadata> for Discovery {
    fn fetch(&self) -> BoxFuture<'static, Result<Fetched<ServerMetadata>, RemoteError>> {
        let this = self.clone();
        Box::pin(async move { this.anywhere().await })
    }
}

impl Discovery {
    /// RFC 8414's location, then OpenID Connect's, then what some services make of the two. The first failure is the
    /// one to report, unless it only says that there is no such document.
    async fn anywhere(&self) -> Result<Fetched<ServerMetadata>, RemoteError> {
        let mut failure = RemoteError::Status(StatusCode::NOT_FOUND);
        for place in well_known::places(&self.issuer) {
            let error = match self.at(&place).await {
                Ok(found) => return Ok(found),
                Err(error) => error,
            };
            let elsewhere = may_be_elsewhere(&error);
            if matches!(failure, RemoteError::Status(StatusCode::NOT_FOUND)) {
                failure = error;
            }
            if !elsewhere {
                break;
            }
        }
        Err(failure)
    }

    async fn at(&self, url: &EndpointUri) -> Result<Fetched<ServerMetadata>, RemoteError> {
        let decode = |body: &[u8]| {
            ServerMetadata::decode(body, &self.issuer)
                .map_err(|error| RemoteError::Document(error.to_string()))
        };
        self.held.get(&*self.http, (url, Ask::IfChanged), &self.limits, decode).await
    }
}

/// A server that cannot be reached cannot be reached at its other paths either.
fn may_be_elsewhere(error: &RemoteError) -> bool {
    match error {
        RemoteError::Http(error) => {
            !error.is_unreachable() && !matches!(error, HttpError::EgressDenied { .. })
        }
        _ => true,
    }
}

#[cfg(test)]
mod tests;
