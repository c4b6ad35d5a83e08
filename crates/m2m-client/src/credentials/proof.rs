//! A credential as it was read for one request, and its way into that request.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use m2m_proto::client_auth::secret::{encode_basic, write_post};
use m2m_proto::client_auth::{
    AssertionAudience, AssertionType, BasicEncoding, ClientAssertion, ClientAuthMethod, ClientSecret,
};
use m2m_proto::client_id::ClientId;
use m2m_proto::form::{FormWriter, encode_component};
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::names::{assertion_type, header, param};
use m2m_proto::secret::{SecretBytes, SecretString, constant_time_eq};
use m2m_proto::time::UnixTime;

use crate::error::{Error, Fault};

/// What is shown in one request.
pub(crate) enum Proof {
    Secret {
        secret: ClientSecret,
        method: ClientAuthMethod,
    },
    Hmac {
        secret: ClientSecret,
        key: SigningKey,
    },
    Key(Arc<SigningKey>),
    Assertion(SecretString),
    /// Shown in the TLS handshake; key and chain only serve to seal stored tokens.
    Certificate(SecretBytes),
}

/// What a proof depends on besides the credential. Fresh for every attempt.
pub(crate) struct ProofInput<'a> {
    pub(crate) client_id: &'a ClientId,
    pub(crate) audience: &'a AssertionAudience,
    pub(crate) basic_encoding: BasicEncoding,
    pub(crate) assertion_type: AssertionType,
    pub(crate) assertion_lifetime: Duration,
    pub(crate) now: UnixTime,
    pub(crate) jti: String,
}

impl Proof {
    /// A key made of the secret.
    pub(super) fn hmac(secret: ClientSecret, algorithm: Algorithm) -> Result<Self, Error> {
        let bytes = SecretBytes::from(secret.expose().as_bytes());
        let key = SigningKey::hmac(&bytes, algorithm)
            .map_err(|error| Error::misconfigured(format!("client_secret_jwt: {error}")))?;
        Ok(Self::Hmac { secret, key })
    }

    /// Writes exactly one method into the request (RFC 6749 section 2.3).
    // spec: 6749-C5
    pub(crate) fn apply(&self, input: &ProofInput<'_>, out: &mut Outgoing) -> Result<(), Error> {
        match self {
            Self::Secret { secret, method: ClientAuthMethod::ClientSecretPost } => {
                write_post(&mut out.form, input.client_id, secret);
                out.show(secret.expose());
            }
            Self::Secret { secret, .. } => {
                let value = encode_basic(input.client_id, secret, input.basic_encoding)
                    .map_err(|error| Error::misconfigured(error.to_string()))?;
                out.show(secret.expose());
                out.show(
                    value.to_str().ok().and_then(|text| text.split_once(' ')).map_or("", |(_, text)| text),
                );
                out.headers.insert(header::AUTHORIZATION, value);
            }
            Self::Hmac { secret, key } => {
                out.show(secret.expose());
                out.assertion(input.client_id, &input.sign(key)?);
            }
            Self::Key(key) => out.assertion(input.client_id, &input.sign(key)?),
            Self::Assertion(text) => out.assertion(input.client_id, text.expose().trim()),
            // spec: 8705-C1
            Self::Certificate(_) => out.form.push(param::CLIENT_ID, input.client_id.as_str()),
        }
        Ok(())
    }

    /// What seals tokens that this credential obtained; `None` where nothing
    /// lasting is known.
    pub(crate) fn sealing_material(&self) -> Option<SecretBytes> {
        match self {
            Self::Secret { secret, .. } | Self::Hmac { secret, .. } => {
                Some(SecretBytes::from(secret.expose().as_bytes()))
            }
            Self::Key(key) => key.to_pkcs8_der().ok(),
            Self::Assertion(_) => None,
            Self::Certificate(key) => Some(key.clone()),
        }
    }

    /// Whether trying `other` after this one would be the same attempt again.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Secret { secret: a, .. } | Self::Hmac { secret: a, .. },
                Self::Secret { secret: b, .. } | Self::Hmac { secret: b, .. },
            ) => constant_time_eq(a.expose().as_bytes(), b.expose().as_bytes()),
            _ => false,
        }
    }
}

impl ProofInput<'_> {
    // spec: 7523-C1
    // spec: 7523-C2
    fn sign(&self, key: &SigningKey) -> Result<String, Error> {
        let assertion = ClientAssertion {
            lifetime: self.assertion_lifetime,
            typ: self.assertion_type,
            ..ClientAssertion::new(self.client_id, self.audience, &self.jti, self.now)
        };
        assertion
            .build(key)
            .map_err(|error| Error::caused(Fault::Internal { what: "the assertion cannot be signed" }, error))
    }
}

/// A request under construction, and the secrets that it shows.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) form: FormWriter,
    pub(crate) headers: HeaderMap,
    shown: Vec<SecretString>,
}

impl Outgoing {
    fn assertion(&mut self, client_id: &ClientId, assertion: &str) {
        self.form.push(param::CLIENT_ID, client_id.as_str());
        self.form.push(param::CLIENT_ASSERTION_TYPE, assertion_type::JWT_BEARER);
        self.form.push(param::CLIENT_ASSERTION, assertion);
        self.show(assertion);
    }

    /// Remembers a secret that the peer will see.
    pub(crate) fn show(&mut self, secret: &str) {
        if !secret.is_empty() {
            self.shown.push(SecretString::from(encode_component(secret).as_str()));
            self.shown.push(SecretString::from(secret));
        }
    }

    /// The peer's text with our secrets blacked out, should it echo them.
    pub(crate) fn take_shown(&mut self) -> Shown {
        Shown(std::mem::take(&mut self.shown))
    }
}

/// Secrets that the peer has seen.
pub(crate) struct Shown(Vec<SecretString>);

impl Shown {
    /// `text` of the peer with those secrets blacked out.
    pub(crate) fn scrub(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, secret| text.replace(secret.expose().as_str(), "[redacted]"))
    }
}
