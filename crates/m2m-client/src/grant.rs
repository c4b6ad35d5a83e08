//! On what ground a token is asked for: [`Grant`].
//!
//! Sections: RFC 6749 sections 4.4 and 4.5, RFC 7523 section 2.1, RFC 8693

use std::fmt;
use std::sync::Arc;

use m2m_proto::grant::token_exchange::{SecurityToken, TokenExchange, TokenTypeUri};
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::names::{grant_type, param};
use m2m_proto::secret::SecretString;
use m2m_proto::token::GrantKind;

use crate::credentials::{KeySource, SecretSource};
use crate::error::Error;
use crate::provider::Preset;

/// The ground of a token request. The default is the client's own credentials.
pub struct Grant(Source);

enum Source {
    ClientCredentials,
    /// An assertion that we sign, or that somebody else has signed.
    Signed(KeySource),
    Assertion(Arc<dyn SecretSource>),
    Exchange(Exchange),
    /// No request: what we sign is the token.
    SelfSigned(KeySource),
    Named(String),
}

struct Exchange {
    source: Arc<dyn SecretSource>,
    token_type: TokenTypeUri,
    requested: Option<TokenTypeUri>,
}

impl Grant {
    /// The client's own credentials (RFC 6749 section 4.4).
    #[must_use]
    pub fn client_credentials() -> Self {
        Self(Source::ClientCredentials)
    }

    /// An assertion under this key (RFC 7523 section 2.1), new for every
    /// request. Without a preset it has `iss` and `sub` of the client id, or
    /// of the extra parameter `sub`.
    #[must_use]
    pub fn jwt_bearer(key: KeySource) -> Self {
        Self(Source::Signed(key))
    }

    /// An assertion that somebody else has signed, read for every request and
    /// sent as it is (RFC 7523 section 2.1).
    #[must_use]
    pub fn assertion(source: Arc<dyn SecretSource>) -> Self {
        Self(Source::Assertion(source))
    }

    /// A token for a token (RFC 8693): `subject_token`, read for every request,
    /// is of the type `subject_token_type`.
    #[must_use]
    pub fn token_exchange(
        subject_token: Arc<dyn SecretSource>,
        subject_token_type: TokenTypeUri,
        requested: Option<TokenTypeUri>,
    ) -> Self {
        let (source, token_type) = (subject_token, subject_token_type);
        Self(Source::Exchange(Exchange { source, token_type, requested }))
    }

    /// No request at all: the assertion itself is the token, for APIs that take
    /// it. Its life is that of the preset's assertions.
    #[must_use]
    pub fn self_signed(key: KeySource) -> Self {
        Self(Source::SelfSigned(key))
    }

    /// Any other, by its `grant_type`; what it needs goes into extra parameters.
    #[must_use]
    pub fn named(grant_type: impl Into<String>) -> Self {
        let name = grant_type.into();
        match name.as_str() {
            grant_type::CLIENT_CREDENTIALS => Self::client_credentials(),
            _ => Self(Source::Named(name)),
        }
    }

    /// The ground on which this service of the catalogue gives tokens: under
    /// `key` is signed what it wants signed, or `workload_token` is shown.
    ///
    /// # Errors
    /// `Misconfigured`: the grant needs one of them and there is none.
    pub fn of(
        preset: &Preset,
        key: Option<KeySource>,
        workload_token: Option<Arc<dyn SecretSource>>,
    ) -> Result<Self, Error> {
        let provider = preset.provider();
        let (request, assertion) = (&provider.request, &provider.assertion);
        let needs = |what: &str| Error::misconfigured(format!("{} needs {what}", provider.name));
        let of_type = |name: &str| {
            let stated = preset.params().iter().find(|(param, _)| param == name);
            stated.map(|(_, value)| TokenTypeUri::parse(value))
        };
        match request.grant.as_str() {
            _ if assertion.self_signed => key.map(Self::self_signed).ok_or_else(|| needs("a private key")),
            grant_type::JWT_BEARER => match (key, workload_token) {
                (Some(key), _) => Ok(Self::jwt_bearer(key)),
                (None, Some(token)) => Ok(Self::assertion(token)),
                (None, None) => Err(needs("a private key")),
            },
            grant_type::TOKEN_EXCHANGE => {
                let token = workload_token.ok_or_else(|| needs("a workload token"))?;
                let subject = of_type(param::SUBJECT_TOKEN_TYPE).unwrap_or(TokenTypeUri::Jwt);
                Ok(Self::token_exchange(token, subject, of_type(param::REQUESTED_TOKEN_TYPE)))
            }
            // The dialect sends none; what is asked for is a token for the client itself.
            "" => Ok(Self::client_credentials()),
            other => Ok(Self::named(other)),
        }
    }

    /// Its `grant_type`; `self_signed` for the one without request.
    #[must_use]
    pub fn name(&self) -> &str {
        match &self.0 {
            Source::ClientCredentials => grant_type::CLIENT_CREDENTIALS,
            Source::Signed(_) | Source::Assertion(_) => grant_type::JWT_BEARER,
            Source::Exchange(_) => grant_type::TOKEN_EXCHANGE,
            Source::SelfSigned(_) => "self_signed",
            Source::Named(name) => name,
        }
    }

    /// What the service takes of a key whose algorithm nobody has stated.
    pub(crate) fn accept(&mut self, algorithms: &[Algorithm]) {
        if let Source::Signed(key) | Source::SelfSigned(key) = &mut self.0 {
            key.accept(algorithms);
        }
    }

    pub(crate) fn kind(&self) -> GrantKind {
        GrantKind::parse(self.name())
    }

    pub(crate) fn is_self_signed(&self) -> bool {
        matches!(self.0, Source::SelfSigned(_))
    }

    /// Whether we sign something for it.
    pub(crate) fn is_signed(&self) -> bool {
        matches!(self.0, Source::Signed(_) | Source::SelfSigned(_))
    }

    /// Whether it is a token for a token.
    pub(crate) fn is_exchange(&self) -> bool {
        matches!(self.0, Source::Exchange(_))
    }

    /// Whether what is shown was made by somebody else, about whomever it says.
    pub(crate) fn is_foreign(&self) -> bool {
        matches!(self.0, Source::Assertion(_) | Source::Exchange(_))
    }

    /// Reads what the grant shows.
    pub(crate) async fn read(&self) -> Result<GrantProof, Error> {
        Ok(match &self.0 {
            Source::ClientCredentials | Source::Named(_) => GrantProof::Nothing,
            Source::Signed(key) | Source::SelfSigned(key) => GrantProof::Key(key.read().await?),
            Source::Assertion(source) => GrantProof::Assertion(source.read().await?),
            Source::Exchange(Exchange { source, token_type, requested }) => {
                let text = SecretString::from(source.read().await?.expose().trim());
                let subject = SecurityToken { text, token_type: token_type.clone() };
                let requested_token_type = requested.clone();
                GrantProof::SubjectToken(TokenExchange {
                    requested_token_type,
                    ..TokenExchange::new(subject)
                })
            }
        })
    }

    pub(crate) fn version(&self) -> u64 {
        match &self.0 {
            Source::ClientCredentials | Source::Named(_) => 0,
            Source::Signed(key) | Source::SelfSigned(key) => key.version(),
            Source::Assertion(source) => source.version(),
            Source::Exchange(exchange) => exchange.source.version(),
        }
    }

    pub(crate) async fn look(&self) {
        match &self.0 {
            Source::ClientCredentials | Source::Named(_) => {}
            Source::Signed(key) | Source::SelfSigned(key) => key.look().await,
            Source::Assertion(source) => source.look().await,
            Source::Exchange(exchange) => exchange.source.look().await,
        }
    }

    /// The thumbprint of a fixed key, for the cache key.
    pub(crate) fn thumbprint(&self) -> Option<String> {
        match &self.0 {
            Source::Signed(key) | Source::SelfSigned(key) => key.thumbprint(),
            _ => None,
        }
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self::client_credentials()
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Grant").field(&self.name()).finish()
    }
}

/// What a grant shows in one request.
pub(crate) enum GrantProof {
    Nothing,
    Key(Arc<SigningKey>),
    Assertion(SecretString),
    SubjectToken(TokenExchange),
}
