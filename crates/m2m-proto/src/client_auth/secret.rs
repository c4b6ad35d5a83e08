//! `client_secret_basic` and `client_secret_post`: a client id and its secret
//! in the `Authorization` header or in the form.
//!
//! Sections: RFC 6749 section 2.3.1 and appendix B, RFC 7617
//!
//! Enforces, when decoding, in this order:
//! 1. the header is at most [`MAX_BASIC_BYTES`] long
//! 2. the scheme is `Basic`, without regard to case
//! 3. the credentials are standard base64 with its padding, and nothing else
//! 4. the decoded bytes are UTF-8 and hold a colon
//! 5. at least one reading, form-decoded or raw, has a well-formed client id
//!    and secret
//!
//! Does not enforce: that the secret is right (the caller compares keyed
//! hashes), nor that only one method is used (`Presented::from_request`).
//!
//! Limits: header 8 KiB; secret 1 to 2048 bytes without control characters;
//! client id as [`ClientId::parse`] says.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use zeroize::Zeroizing;

use crate::client_id::ClientId;
use crate::form::{self, FormWriter};
use crate::names::{auth_scheme, param};
use crate::secret::{Secret, SecretString};

/// The longest `Authorization` header that is looked at as Basic.
pub const MAX_BASIC_BYTES: usize = 8 * 1024;

/// The longest client secret.
pub const MAX_SECRET_BYTES: usize = 2048;

/// Why a client id and secret could not be written or read. Holds no part of
/// either.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// The secret is the empty string.
    #[error("the client secret is empty")]
    Empty,
    /// The secret exceeds [`MAX_SECRET_BYTES`].
    #[error("the client secret is longer than {MAX_SECRET_BYTES} bytes")]
    TooLong,
    /// The secret holds a control character, often the newline of a file.
    #[error("the client secret holds a control character")]
    ControlCharacter,
    /// A client id with a colon cannot be sent raw: the first colon ends it.
    #[error("a client id with a colon cannot be sent without form encoding")]
    ColonInClientId,
    /// The header exceeds [`MAX_BASIC_BYTES`].
    #[error("the Authorization header is longer than {MAX_BASIC_BYTES} bytes")]
    HeaderTooLong,
    /// The header is of another scheme, or has no credentials.
    #[error("the Authorization header is not of the scheme Basic")]
    NotBasic,
    /// The credentials are not padded standard base64.
    #[error("the Basic credentials are not base64")]
    NotBase64,
    /// The decoded credentials are not UTF-8.
    #[error("the Basic credentials are not UTF-8")]
    NotUtf8,
    /// The decoded credentials hold no colon.
    #[error("the Basic credentials hold no colon")]
    NoColon,
    /// Neither reading gives a usable client id and secret.
    #[error("the Basic credentials hold no usable client id and secret")]
    Unusable,
}

/// A client's shared secret. Never printed; equality takes constant time.
#[derive(Clone, PartialEq, Eq)]
pub struct ClientSecret(SecretString);

impl ClientSecret {
    /// Takes a secret of 1 to [`MAX_SECRET_BYTES`] bytes.
    ///
    /// Wider than the `VSCHAR` of RFC 6749 appendix A.2, since secrets issued
    /// elsewhere hold other characters; control characters are refused, as they
    /// are always an accident.
    ///
    /// # Errors
    /// `Empty`, `TooLong`, `ControlCharacter`.
    pub fn parse(secret: &str) -> Result<Self, SecretError> {
        if secret.is_empty() {
            return Err(SecretError::Empty);
        }
        if secret.len() > MAX_SECRET_BYTES {
            return Err(SecretError::TooLong);
        }
        if secret.chars().any(char::is_control) {
            return Err(SecretError::ControlCharacter);
        }
        Ok(Self(SecretString::from(secret)))
    }

    /// The secret itself; the caller answers for where it goes.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([redacted])")
    }
}

/// How the client id and the secret go into the Basic credentials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BasicEncoding {
    /// Each is form-encoded first (RFC 6749 section 2.3.1 and erratum 4749).
    #[default]
    Form,
    /// Each is sent as it is, for servers that never decode.
    Raw,
}

impl BasicEncoding {
    /// Both, the standard's own first.
    pub const ALL: [Self; 2] = [Self::Form, Self::Raw];

    /// Its name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Form => "form",
            Self::Raw => "raw",
        }
    }

    /// The encoding of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|encoding| encoding.as_str() == text)
    }
}

/// The `Authorization` header of `client_secret_basic`, marked sensitive.
///
/// # Errors
/// `ColonInClientId` for such a client id under [`BasicEncoding::Raw`].
// spec: 6749-C1
pub fn encode_basic(
    client_id: &ClientId,
    secret: &ClientSecret,
    encoding: BasicEncoding,
) -> Result<HeaderValue, SecretError> {
    let pair = Zeroizing::new(match encoding {
        BasicEncoding::Form => {
            let secret = Zeroizing::new(form::encode_component(secret.expose()));
            format!("{}:{}", form::encode_component(client_id.as_str()), secret.as_str())
        }
        BasicEncoding::Raw if client_id.as_str().contains(':') => {
            return Err(SecretError::ColonInClientId);
        }
        BasicEncoding::Raw => format!("{}:{}", client_id.as_str(), secret.expose()),
    });
    let encoded = Zeroizing::new(STANDARD.encode(pair.as_bytes()));
    let text = Zeroizing::new(format!("{} {}", auth_scheme::BASIC, encoded.as_str()));
    let mut value = HeaderValue::from_str(&text).map_err(|_| SecretError::Unusable)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Adds `client_id` and `client_secret` to the form (`client_secret_post`).
pub fn write_post(form: &mut FormWriter, client_id: &ClientId, secret: &ClientSecret) {
    form.push(param::CLIENT_ID, client_id.as_str());
    form.push(param::CLIENT_SECRET, secret.expose());
}

/// One reading of presented credentials: a client id and the secret that is
/// claimed to be its own.
#[derive(Clone, Debug)]
pub struct SecretPair {
    client_id: ClientId,
    secret: ClientSecret,
}

impl SecretPair {
    /// A pair of well-formed halves.
    #[must_use]
    pub fn new(client_id: ClientId, secret: ClientSecret) -> Self {
        Self { client_id, secret }
    }

    fn parse(client_id: &str, secret: &str) -> Option<Self> {
        Some(Self::new(ClientId::parse(client_id).ok()?, ClientSecret::parse(secret).ok()?))
    }

    /// Who the sender claims to be.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.client_id
    }

    /// The secret that was sent.
    #[must_use]
    pub fn secret(&self) -> &ClientSecret {
        &self.secret
    }
}

/// Decoded Basic credentials, in both readings.
///
/// The RFC's reading is form-decoded. Many clients send the pair raw; for
/// secrets that were made elsewhere the caller compares that reading too. The
/// two are the same text unless it holds `%` or `+`.
#[derive(Clone, Debug)]
pub struct BasicPair {
    first: SecretPair,
    second: Option<SecretPair>,
}

impl BasicPair {
    /// The client id of the preferred reading.
    #[must_use]
    pub fn client_id(&self) -> &ClientId {
        &self.first.client_id
    }

    /// The preferred reading: form-decoded, or raw where the text is not a
    /// form encoding.
    #[must_use]
    pub fn preferred(&self) -> &SecretPair {
        &self.first
    }

    /// The raw reading where it differs from the preferred one and is usable.
    #[must_use]
    pub fn raw(&self) -> Option<&SecretPair> {
        self.second.as_ref()
    }

    /// Both readings, the preferred one first; one where they do not differ.
    pub fn readings(&self) -> impl Iterator<Item = &SecretPair> {
        std::iter::once(&self.first).chain(self.second.as_ref())
    }
}

/// Reads an `Authorization: Basic` header. The checks and their order are in
/// the module's description.
///
/// # Errors
/// One variant per check; none tells anything about the secret.
// spec: 6749-AS2
pub fn decode_basic(header: &HeaderValue) -> Result<BasicPair, SecretError> {
    if header.len() > MAX_BASIC_BYTES {
        return Err(SecretError::HeaderTooLong);
    }
    let credentials = basic_credentials(header.as_bytes()).ok_or(SecretError::NotBasic)?;
    let bytes = Secret::new(STANDARD.decode(credentials).map_err(|_| SecretError::NotBase64)?);
    let text = std::str::from_utf8(bytes.expose()).map_err(|_| SecretError::NotUtf8)?;
    let (id, secret) = text.split_once(':').ok_or(SecretError::NoColon)?;
    let raw = SecretPair::parse(id, secret);
    if !text.contains(['%', '+']) {
        let first = raw.ok_or(SecretError::Unusable)?;
        return Ok(BasicPair { first, second: None });
    }
    match (form_decoded(id, secret), raw) {
        (Some(first), second) => Ok(BasicPair { first, second }),
        (None, Some(first)) => Ok(BasicPair { first, second: None }),
        (None, None) => Err(SecretError::Unusable),
    }
}

fn form_decoded(id: &str, secret: &str) -> Option<SecretPair> {
    let id = form::decode_component(id).ok()?;
    let secret = Zeroizing::new(form::decode_component(secret).ok()?.into_owned());
    SecretPair::parse(&id, &secret)
}

/// The part after `Basic` and its spaces.
fn basic_credentials(header: &[u8]) -> Option<&[u8]> {
    let (scheme, rest) = header.split_at_checked(auth_scheme::BASIC.len())?;
    if !scheme.eq_ignore_ascii_case(auth_scheme::BASIC.as_bytes()) || rest.first() != Some(&b' ') {
        return None;
    }
    Some(rest.trim_ascii())
}

#[cfg(test)]
mod tests;
