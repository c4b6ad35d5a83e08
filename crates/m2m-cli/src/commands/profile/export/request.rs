//! The token request that the client would send, caught before it is sent: what a form repeats is then what the
//! client does, whatever the dialect of the server.
//!
//! A stand-in takes the secret's place, so that no secret is read. Of a profile with an issuer the metadata are
//! asked for, and nothing else leaves this process. Methods whose proof is made anew for every request cannot be
//! repeated by others and are refused.

use std::sync::{Arc, Mutex, PoisonError};

use ::http::{HeaderMap, Request, Response, Uri};
use bytes::Bytes;
use m2m_client::{FixedSecret, HttpFactory, TokenSpec};
use m2m_io::{BoxFuture, HttpClient, HttpError, Limits};
use m2m_proto::metadata::well_known::is_well_known;
use m2m_proto::secret::SecretString;

use crate::Surroundings;
use crate::connect::{self, Method};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;

/// Stands where the secret will be. Its tilde shows whether the place is form-encoded; the rest no encoding changes.
const MARK: &str = "m2m~the-secret-goes-here";
/// The same, form-encoded.
const ENCODED_MARK: &str = "m2m%7Ethe-secret-goes-here";

/// How the secret is written in its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    /// Form-encoded (RFC 6749 appendix B).
    Form,
    /// As it is.
    Raw,
}

/// Text around the place of the secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// What stands before it.
    pub(super) before: String,
    /// How it is written.
    pub(super) encoding: Encoding,
    /// What stands after it.
    pub(super) after: String,
}

impl Place {
    /// Finds the place of the secret in a text of the request.
    pub(super) fn find(text: &str) -> Option<Self> {
        let marks = [(MARK, Encoding::Raw), (ENCODED_MARK, Encoding::Form)];
        marks.into_iter().find_map(|(mark, encoding)| {
            let (before, after) = text.split_once(mark)?;
            Some(Self { before: before.to_owned(), encoding, after: after.to_owned() })
        })
    }
}

/// A request with a mark in the place of the secret ([`Place::find`]).
#[derive(Clone, Debug)]
pub(super) struct Captured {
    /// The method by which the client authenticates.
    pub(super) auth: Method,
    /// GET or POST.
    pub(super) method: ::http::Method,
    /// Where it would go.
    pub(super) uri: Uri,
    /// Its headers.
    pub(super) headers: HeaderMap,
    /// Its body.
    pub(super) body: String,
}

/// Lets the client make its request, and keeps it.
///
/// # Errors
/// Exit 3: a method that nobody else can repeat, or settings that make no client. Exit 5, 6 or 10: the issuer's
/// metadata cannot be had.
pub(super) async fn capture(settings: &Settings, around: &Surroundings) -> Result<Captured, Failure> {
    refuse_signatures(settings)?;
    let auth = connect::method(settings)?;
    let mark = Arc::new(FixedSecret::new(SecretString::from(MARK)));
    let interceptor = Arc::new(Interceptor { inner: connect::http(settings)?, seen: Mutex::default() });
    let http = Arc::clone(&interceptor);
    let factory = HttpFactory::new(move |_| Ok(Arc::clone(&http) as Arc<dyn HttpClient>));
    let builder = connect::with_stand_in(settings, around, mark).await?;
    connect::warn_of_plain_http(settings, around);
    let client = builder.http_factory(factory).build()?;
    let unsent = client.token(&TokenSpec::default()).await;
    let seen = interceptor.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    match (seen, unsent) {
        (Some(request), _) => Captured::of(auth, request),
        (None, Err(error)) => Err(error.into()),
        (None, Ok(_)) => Err(Failure::internal("a token without a request")),
    }
}

/// Where a request holds a signature, it is good once.
fn refuse_signatures(settings: &Settings) -> Result<(), Failure> {
    let bound = settings.values().any(|(field, _)| field == Field::Dpop);
    let (what, instead) = match connect::signs(settings)? {
        Some(what) => (what, "or choose client_secret_basic"),
        None if bound => (Field::Dpop.key(), "or leave dpop out, if the API takes bearer tokens"),
        None => return Ok(()),
    };
    Err(Failure::configuration(format!(
        "{what} makes a new proof for every request: no other program can repeat it"
    ))
    .hint(format!("m2m token -o curl-config | curl --config - URL calls an API with a token; {instead}")))
}

impl Captured {
    fn of(auth: Method, request: Request<Bytes>) -> Result<Self, Failure> {
        let (parts, body) = request.into_parts();
        let body =
            String::from_utf8(body.to_vec()).map_err(|_| Failure::internal("a request that is not text"))?;
        Ok(Self { auth, method: parts.method, uri: parts.uri, headers: parts.headers, body })
    }

    /// The value of a header, when it is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Sends what asks for metadata, keeps anything else.
#[derive(Debug)]
struct Interceptor {
    inner: Arc<dyn HttpClient>,
    seen: Mutex<Option<Request<Bytes>>>,
}

impl HttpClient for Interceptor {
    fn send(
        &self,
        request: Request<Bytes>,
        limits: &Limits,
    ) -> BoxFuture<'_, Result<Response<Bytes>, HttpError>> {
        if is_well_known(request.uri().path()) {
            return self.inner.send(request, limits);
        }
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(request);
        Box::pin(std::future::ready(Err(HttpError::Protocol("not sent".to_owned()))))
    }
}
