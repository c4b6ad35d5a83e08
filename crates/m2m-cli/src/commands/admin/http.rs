//! Calls of the admin API: who asks, where, with which token, and what comes back.
//!
//! Enforces: the token is for this API alone (its `aud`), goes to the issuer's origin alone, and carries `m2m:read`
//! for a GET, `m2m:write` for everything else; it is renewed and the call repeated once after a 401, by
//! [`Client::execute`]. Limits: answers of 16 MiB; lists are followed to their end, a page of 1000 at a time.

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE, IF_MATCH};
use http::{HeaderValue, Method, Request, Response, StatusCode};
use m2m_authorization_server::admin::{ADMIN_PATH, SCOPE_READ, SCOPE_WRITE};
use m2m_client::{Client, TokenOrigin, TokenSpec};
use m2m_proto::error::ErrorCode;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::scope::Scope;
use m2m_proto::uri::Issuer;
use serde_json::{Map, Value};

use super::problem;
use crate::Surroundings;
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};
use crate::settings::field::Field;

/// How many objects a page of a list may have.
pub(super) const PAGE: u64 = 1000;

/// A repeat with the same key makes nothing anew.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Below [`ADMIN_PATH`], percent-encoded.
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// Only if the object has this version.
    pub(super) if_version: Option<String>,
    pub(super) idempotency_key: Option<String>,
}

impl Call {
    pub(super) fn of(method: Method, path: String) -> Self {
        Self { method, path, body: None, if_version: None, idempotency_key: None }
    }

    /// A POST with this body.
    pub(super) fn post(path: String, body: Value) -> Self {
        Self { body: Some(body), ..Self::of(Method::POST, path) }
    }

    /// A merge patch (RFC 7396).
    pub(super) fn patch(path: String, body: Value, if_version: Option<String>) -> Self {
        Self { body: Some(body), if_version, ..Self::of(Method::PATCH, path) }
    }
}

/// An answer that is no problem.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    /// Empty where the answer has no body.
    pub(super) object: Map<String, Value>,
}

/// Somebody who may administer.
pub(super) struct Caller {
    client: Client,
    /// Where the API is; also its audience.
    address: String,
    /// The client that administers, and where its secret is.
    who: String,
    secret: Option<String>,
}

impl Caller {
    /// Reads settings and secrets; sends nothing.
    ///
    /// # Errors
    /// Exit 3: who may administer is not said, or a setting cannot be. Exit 4: the secret cannot be read.
    pub(super) async fn open(around: &Surroundings) -> Result<Self, Failure> {
        let settings = connect::admin_settings(around)?;
        let issuer = settings.text(Field::Issuer).ok_or_else(|| {
            Failure::configuration("the profile has no issuer, and the admin API is below it")
                .hint("write issuer = \"https://…\" into the profile")
        })?;
        let issuer = Issuer::parse(issuer).map_err(|error| {
            settings
                .wrong(Field::Issuer, error)
                .hint("the server's URL, for example https://login.example.com")
        })?;
        let address = format!("{}{ADMIN_PATH}", issuer.as_str().trim_end_matches('/'));
        let need = Need { destination: Some(issuer.origin().clone()), ..Need::kept(Keep::Encrypted) };
        let client = connect::client(&settings, around, &need).await?;
        around.output.detail(&format!("the admin API is {address}"));
        let who = settings.text(Field::ClientId).unwrap_or_default().to_owned();
        let secret = settings.secret(Field::ClientSecret).map(ToString::to_string);
        Ok(Self { client, address, who, secret })
    }

    /// The API that is administered through, and the client that administers.
    pub(super) fn own(&self) -> (String, String) {
        (self.address.clone(), self.who.clone())
    }

    /// One object.
    ///
    /// # Errors
    /// As [`Caller::send`].
    pub(super) async fn get(&self, path: String) -> Result<Map<String, Value>, Failure> {
        Ok(self.send(Call::of(Method::GET, path)).await?.object)
    }

    /// Every object of a list, pages followed.
    ///
    /// # Errors
    /// As [`Caller::send`].
    pub(super) async fn list(&self, path: &str, query: &[(&str, &str)]) -> Result<Vec<Value>, Failure> {
        let mut all = Vec::new();
        let mut cursor = None;
        loop {
            let (items, next) = self.page((path, PAGE), query, cursor.as_deref()).await?;
            all.extend(items);
            match next {
                Some(next) => cursor = Some(next),
                None => return Ok(all),
            }
        }
    }

    /// One page of a list, of so many objects at most, and where the next one begins.
    ///
    /// # Errors
    /// As [`Caller::send`].
    pub(super) async fn page(
        &self,
        (path, most): (&str, u64),
        query: &[(&str, &str)],
        cursor: Option<&str>,
    ) -> Result<(Vec<Value>, Option<String>), Failure> {
        let mut address = format!("{path}?limit={most}");
        for (name, value) in query.iter().copied().chain(cursor.map(|cursor| ("cursor", cursor))) {
            address.extend(["&", name, "=", &segment(value)]);
        }
        let mut object = self.get(address).await?;
        let next = match object.remove("next") {
            Some(Value::String(next)) if Some(next.as_str()) == cursor => {
                return Err(malformed("a list that leads to itself"));
            }
            Some(Value::String(next)) => Some(next),
            _ => None,
        };
        match object.remove("items") {
            Some(Value::Array(items)) => Ok((items, next)),
            _ => Err(malformed("a list without items")),
        }
    }

    /// Sends one call.
    ///
    /// # Errors
    /// What [`Client::token`] says, and then nothing is sent; exit 5, 6 or 10 of the connection; and what the answer's
    /// problem means ([`problem::failure`]).
    pub(super) async fn send(&self, call: Call) -> Result<Answer, Failure> {
        let needed = if call.method == Method::GET { SCOPE_READ } else { SCOPE_WRITE };
        let scope = Scope::parse(needed).map_err(|error| Failure::internal(error.to_string()))?;
        let spec = TokenSpec::new().scope(scope).audience(&self.address);
        let request = self.request(&call)?;
        let refused = |error| self.refused(error, needed);
        let mut executed = self.client.execute(&spec, request.clone()).await.map_err(refused)?;
        if executed.response.status() == StatusCode::UNAUTHORIZED && self.uses_kept_token(&spec).await {
            self.client.renew(&spec).await.map_err(refused)?;
            executed = self.client.execute(&spec, request).await.map_err(refused)?;
        }
        let response = executed.response;
        if !response.status().is_success() {
            if let Some(error) = executed.renewal_error {
                return Err(error.into());
            }
            return Err(problem::failure(&response, (&call.path, needed)));
        }
        Ok(Answer { status: response.status(), object: object(&response)? })
    }

    /// No token: who asked whom for what.
    fn refused(&self, error: m2m_client::Error, needed: &str) -> Failure {
        let (who, address) = (&self.who, &self.address);
        let hint = match (error.code(), &self.secret) {
            (Some(ErrorCode::InvalidTarget | ErrorCode::InvalidScope), _) => Some(format!(
                "the client {who} needs the grant {address}={needed}; another one that may administer gives it, or \
                 m2m admin init makes one"
            )),
            (Some(ErrorCode::InvalidClient), Some(secret)) => Some(format!(
                "the server behind {address} does not take {who} with the secret from {secret}; is it another \
                 server's, or revoked? m2m admin init gives a new one"
            )),
            _ => None,
        };
        let failure = Failure::from(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// Whether the token is one that another run got. The client takes a young token for good, and would not replace it
    /// so soon; but the run in between may have withdrawn the key that it is signed with.
    async fn uses_kept_token(&self, spec: &TokenSpec) -> bool {
        self.client.token(spec).await.is_ok_and(|token| token.origin() == TokenOrigin::Store)
    }

    fn request(&self, call: &Call) -> Result<Request<Bytes>, Failure> {
        let address = format!("{}{}", self.address, call.path);
        let mut request = Request::builder().method(call.method.clone()).uri(address);
        request = request.header(ACCEPT, "application/json");
        if let Some(version) = &call.if_version {
            request = request.header(IF_MATCH, header("--if-version", &format!("\"{version}\""))?);
        }
        if let Some(key) = &call.idempotency_key {
            request = request.header(IDEMPOTENCY_KEY, header("--idempotency-key", key)?);
        }
        let body = match &call.body {
            Some(body) => {
                let merge = call.method == Method::PATCH;
                let form = if merge { "application/merge-patch+json" } else { "application/json" };
                request = request.header(CONTENT_TYPE, form);
                Bytes::from(body.to_string())
            }
            None => Bytes::new(),
        };
        request.body(body).map_err(|error| Failure::usage(format!("this cannot be a URL: {error}")))
    }
}

fn header(flag: &str, text: &str) -> Result<HeaderValue, Failure> {
    let printable = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    let value = HeaderValue::from_str(text).ok().filter(|_| printable && text.len() <= 128);
    value.ok_or_else(|| {
        Failure::usage(format!("{flag}: expected 1 to 128 printable ASCII characters without spaces"))
    })
}

fn object(response: &Response<Bytes>) -> Result<Map<String, Value>, Failure> {
    if response.body().is_empty() {
        return Ok(Map::new());
    }
    let limits = JsonLimits { max_bytes: 16 * 1024 * 1024, ..JsonLimits::DOCUMENT };
    parse_object(response.body(), &limits).map_err(|error| malformed(&format!("no JSON object: {error}")))
}

fn malformed(what: &str) -> Failure {
    Failure::of(Exit::Malformed, "peer_misbehaved", format!("the admin API answers {what}"))
        .hint("is M2M_ADMIN_URL, or the profile's issuer, an authorization server of m2m?")
}

/// A text as one segment of a path, or as a value in a query (RFC 3986 section 2.3).
pub(crate) fn segment(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

/// The path of one object of a collection, and of what is below it.
///
/// # Errors
/// Exit 2: an identifier that no path can name.
pub(super) fn object_path(collection: &str, id: &str, below: &str) -> Result<String, Failure> {
    // Whoever reads a URL takes these for the folder and the one above it.
    if matches!(id, "" | "." | "..") {
        return Err(Failure::usage("an identifier is at least one character, and neither . nor .."));
    }
    Ok(format!("/{collection}/{}{below}", segment(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_one_segment() {
        let path = |id| object_path("apis", id, "").map_err(|failure| failure.exit());
        assert_eq!(
            path("https://a.example/x?y=%").as_deref(),
            Ok("/apis/https%3A%2F%2Fa.example%2Fx%3Fy%3D%25")
        );
        assert_eq!(path("a-b._~9").as_deref(), Ok("/apis/a-b._~9"));
        assert_eq!(path("ä").as_deref(), Ok("/apis/%C3%A4"));
        for bad in ["", ".", ".."] {
            assert_eq!(path(bad), Err(Exit::Usage), "{bad}");
        }
        assert_eq!(object_path("clients", "a", "/disable").as_deref(), Ok("/clients/a/disable"));
    }

    #[test]
    fn no_header_is_smuggled_in() {
        for bad in ["", "a b", "a\r\nb", "a\0", "ä", &"a".repeat(129)] {
            assert_eq!(header("--if-version", bad).unwrap_err().exit(), Exit::Usage, "{bad:?}");
        }
        assert_eq!(header("--if-version", "\"7\"").unwrap(), "\"7\"");
    }
}
