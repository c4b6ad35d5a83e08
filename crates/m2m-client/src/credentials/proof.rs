//! A credential as it was read for one request, and its way into that request.

use std::sync::Arc;

use http::HeaderMap;
use m2m_proto::client_auth::secret::{encode_basic, write_post};
use m2m_proto::client_auth::{CertificateThumbprint, ClientAuthMethod, ClientSecret};
use m2m_proto::client_id::ClientId;
use m2m_proto::grant::jwt_bearer;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::names::{assertion_type, header, param};
use m2m_proto::secret::{Redaction, SecretBytes, SecretString, constant_time_eq};
use m2m_proto::token::{AccessToken, Parameters, TokenType, presentation};

use super::signing::ProofInput;
use crate::dialect::ClientIdParameter;
use crate::error::Error;
use crate::grant::GrantProof;
use crate::provider::AssertionPlace;

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
    Key {
        key: Arc<SigningKey>,
        /// Of the certificate that belongs to the key, where the service wants it.
        certificate: Option<CertificateThumbprint>,
    },
    Assertion {
        text: SecretString,
        /// `client_assertion_type`.
        kind: &'static str,
    },
    /// The grant says it all.
    Nothing,
    /// Shown in the TLS handshake; key and chain only serve to seal stored tokens.
    Certificate(SecretBytes),
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
    // spec: 6749-C5, 6749-C2
    pub(crate) fn apply(&self, input: &ProofInput<'_>, out: &mut Outgoing) -> Result<(), Error> {
        match self {
            Self::Secret { secret, method: ClientAuthMethod::ClientSecretPost } => out.post(input, secret),
            Self::Secret { secret, .. } => out.basic(input, secret)?,
            Self::Hmac { secret, key } => {
                out.show(secret.expose());
                let assertion = input.client_assertion(key, None)?;
                out.assertion(input.client_id, assertion_type::JWT_BEARER, &assertion);
            }
            Self::Key { key, .. } if input.dialect.assertion.place == AssertionPlace::Bearer => {
                out.bearer(&input.grant_assertion(key)?)?;
            }
            Self::Key { key, certificate } => {
                let assertion = input.client_assertion(key, *certificate)?;
                out.assertion(input.client_id, assertion_type::JWT_BEARER, &assertion);
            }
            Self::Assertion { text, kind } => out.assertion(input.client_id, kind, text.expose().trim()),
            // spec: 8705-C1
            Self::Certificate(_) => out.client_id(input.client_id),
            Self::Nothing if input.dialect.client_id == ClientIdParameter::Always => {
                out.client_id(input.client_id);
            }
            Self::Nothing => {}
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
            Self::Key { key, .. } => key.to_pkcs8_der().ok(),
            Self::Assertion { .. } | Self::Nothing => None,
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

/// A request under construction, and the secrets that it shows.
#[derive(Default)]
pub(crate) struct Outgoing {
    pub(crate) parameters: Parameters,
    pub(crate) headers: HeaderMap,
    shown: Redaction,
}

impl Outgoing {
    fn client_id(&mut self, client_id: &ClientId) {
        self.parameters.form.push(param::CLIENT_ID, client_id.as_str());
    }

    /// `client_secret_post`, the secret under the service's own name where it has one.
    fn post(&mut self, input: &ProofInput<'_>, secret: &ClientSecret) {
        match (&input.dialect.secret_param, input.dialect.client_id) {
            (None, ClientIdParameter::Usual | ClientIdParameter::Always) => {
                write_post(&mut self.parameters.form, input.client_id, secret);
            }
            (name, client_id) => {
                if client_id != ClientIdParameter::Never {
                    self.client_id(input.client_id);
                }
                let name = name.as_deref().unwrap_or(param::CLIENT_SECRET);
                self.parameters.form.push(name, secret.expose());
            }
        }
        self.show(secret.expose());
    }

    /// `client_secret_basic`. The peer sees the secret by itself and encoded with the client's name.
    fn basic(&mut self, input: &ProofInput<'_>, secret: &ClientSecret) -> Result<(), Error> {
        let value = encode_basic(input.client_id, secret, input.basic_encoding)
            .map_err(|error| Error::misconfigured(error.to_string()))?;
        self.show(secret.expose());
        self.show(value.to_str().ok().and_then(|text| text.split_once(' ')).map_or("", |(_, text)| text));
        self.headers.insert(header::AUTHORIZATION, value);
        if input.dialect.client_id == ClientIdParameter::Always {
            self.client_id(input.client_id);
        }
        Ok(())
    }

    fn assertion(&mut self, client_id: &ClientId, kind: &str, assertion: &str) {
        self.client_id(client_id);
        self.parameters.form.push(param::CLIENT_ASSERTION_TYPE, kind);
        self.parameters.form.push(param::CLIENT_ASSERTION, assertion);
        self.show(assertion);
    }

    /// For services that take an assertion as if it were an access token.
    fn bearer(&mut self, assertion: &str) -> Result<(), Error> {
        self.show(assertion);
        let token = AccessToken::parse(assertion).map_err(|error| Error::misconfigured(error.to_string()))?;
        let value = presentation::authorization(&token, &TokenType::Bearer)
            .map_err(|error| Error::misconfigured(error.to_string()))?;
        self.headers.insert(header::AUTHORIZATION, value);
        Ok(())
    }

    /// What a grant shows, as its parameters.
    pub(crate) fn grant(&mut self, proof: &GrantProof, input: &ProofInput<'_>) -> Result<(), Error> {
        let form = &mut self.parameters.form;
        match proof {
            GrantProof::Nothing => {}
            GrantProof::Key(key) => {
                let assertion = input.grant_assertion(key)?;
                jwt_bearer::write(form, &assertion);
                self.show(&assertion);
            }
            GrantProof::Assertion(text) => {
                jwt_bearer::write(form, text.expose().trim());
                self.show(text.expose().trim());
            }
            GrantProof::SubjectToken(exchange) => {
                exchange.write(form);
                self.show(exchange.subject.text.expose());
            }
        }
        Ok(())
    }

    /// Remembers a secret that the peer will see.
    pub(crate) fn show(&mut self, secret: &str) {
        self.shown.add(secret);
    }

    /// The parts, and the secrets to black out of what the peer answers.
    pub(crate) fn take(self) -> (Parameters, HeaderMap, Redaction) {
        (self.parameters, self.headers, self.shown)
    }
}
