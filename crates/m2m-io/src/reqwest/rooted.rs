//! An HTTP client that trusts the root certificates in a file, read again for every request.
//!
//! Enforces: a replaced file counts from the next request on; connections made under the old roots are not used then.
//! Limits: 1 MiB a file.

use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use ::http::{Request, Response};
use bytes::Bytes;

use super::builder::MAX_CA_BYTES;
use super::{ReqwestHttp, ReqwestHttpBuilder};
use crate::{BoxFuture, HttpClient, HttpError, Limits, file, task};

/// How the client is set up, but for the roots.
type Begin = dyn Fn() -> ReqwestHttpBuilder + Send + Sync;

/// A [`ReqwestHttp`] that follows a file of root certificates. Meant for rare requests: each reads the file.
pub struct RootedHttp {
    path: PathBuf,
    begin: Box<Begin>,
    /// The certificates as they were, and the client that trusts them.
    held: Mutex<Option<(Vec<u8>, Arc<ReqwestHttp>)>>,
}

impl RootedHttp {
    /// Trusts the certificates in `path` besides those of the settings that `begin` makes. Nothing is read yet.
    #[must_use]
    pub fn new(path: PathBuf, begin: impl Fn() -> ReqwestHttpBuilder + Send + Sync + 'static) -> Self {
        Self { path, begin: Box::new(begin), held: Mutex::default() }
    }

    async fn client(&self) -> Result<Arc<ReqwestHttp>, HttpError> {
        let path = self.path.clone();
        let read = task::blocking("root certificates", move || file::read_file(&path, MAX_CA_BYTES)).await;
        let failed =
            |why: String| HttpError::Tls(format!("root certificates {}: {why}", self.path.display()));
        let pem = read.ok_or_else(|| failed("not read".to_owned()))?;
        let pem = pem.map_err(|error| failed(error.to_string()))?;
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((known, client)) = &*held
            && *known == pem
        {
            return Ok(Arc::clone(client));
        }
        let client = Arc::new((self.begin)().ca_pem(&pem)?.build()?);
        *held = Some((pem, Arc::clone(&client)));
        Ok(client)
    }
}

impl HttpClient for RootedHttp {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        let limits = limits.clone();
        Box::pin(async move { self.client().await?.send(request, &limits).await })
    }
}

impl Debug for RootedHttp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("RootedHttp").field("path", &self.path).finish_non_exhaustive()
    }
}
