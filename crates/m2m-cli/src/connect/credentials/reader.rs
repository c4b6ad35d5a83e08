//! Credential and grant from what the settings refer to: each reference is opened, and becomes what the method shows.

use std::sync::Arc;

use m2m_client::{CertificateSource, Credentials, FixedSecret, Grant, KeySource};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::jose::Algorithm;
use m2m_proto::names::param;

use super::{Reading, algorithm, grant_name, missing, shows_svid};
use crate::Surroundings;
use crate::connect::source::{self, Source};
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::grant::{JWT_BEARER, SELF_SIGNED, TOKEN_EXCHANGE};
use crate::settings::method::Method;
use crate::settings::secret::SecretReference;
use crate::settings::value::Origin;

/// Opens what these settings refer to.
pub(super) struct Reader<'a> {
    pub(super) settings: &'a Settings,
    pub(super) around: &'a Surroundings,
    pub(super) method: Method,
    pub(super) reading: Reading<'a>,
}

impl Reader<'_> {
    pub(super) async fn registered(&self, method: ClientAuthMethod) -> Result<Credentials, Failure> {
        Ok(match method {
            ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
                let (secret, next) = self.secrets().await?;
                Credentials::secret(secret, next, method)
            }
            ClientAuthMethod::ClientSecretJwt => {
                let (secret, next) = self.secrets().await?;
                let algorithm = algorithm(self.settings)?.unwrap_or(Algorithm::Hs256);
                Credentials::client_secret_jwt(secret, next, algorithm)
            }
            ClientAuthMethod::PrivateKeyJwt if self.has_workload_token_only() => self.workload().await?,
            ClientAuthMethod::PrivateKeyJwt => match self.settings.secret(Field::Certificate) {
                Some(reference) => {
                    let certificate = self.read(Field::Certificate, reference).await?;
                    let credentials = Credentials::key_of_certificate(self.key().await?, certificate.clone());
                    match self.settings.secret(Field::CertificateKey) {
                        // With its key it is shown on every connection, and tokens can be bound to it.
                        Some(key) => {
                            let key = self.read(Field::CertificateKey, key).await?;
                            credentials.bound_to(CertificateSource::new(certificate, key))
                        }
                        None => credentials,
                    }
                }
                None => Credentials::key(self.key().await?),
            },
            ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth => {
                let chain = self.required(Field::Certificate).await?;
                let key = self.required(Field::CertificateKey).await?;
                Credentials::certificate(CertificateSource::new(chain, key), method)
            }
        })
    }

    fn has_workload_token_only(&self) -> bool {
        self.settings.secret(Field::WorkloadToken).is_some()
            && self.settings.secret(Field::PrivateKey).is_none()
    }

    pub(super) async fn workload(&self) -> Result<Credentials, Failure> {
        let token = self.required(Field::WorkloadToken).await?;
        Ok(match shows_svid(self.settings) {
            true => Credentials::jwt_svid(token),
            false => Credentials::assertion(token),
        })
    }

    async fn key(&self) -> Result<KeySource, Failure> {
        let key = self.required(Field::PrivateKey).await?;
        let key_id = self.settings.text(Field::KeyId).map(str::to_owned);
        Ok(KeySource::text(key, algorithm(self.settings)?, key_id))
    }

    pub(super) async fn grant(&self) -> Result<Grant, Failure> {
        let has = |field| self.settings.secret(field).is_some();
        let key = match has(Field::PrivateKey) {
            true => Some(self.key().await?),
            false => None,
        };
        let token = match self.settings.secret(Field::WorkloadToken) {
            Some(reference) if self.needs_workload_token() => {
                Some(self.read(Field::WorkloadToken, reference).await?)
            }
            _ => None,
        };
        let of_provider = matches!(self.settings.origin(Field::Grant), Origin::Provider(_));
        match (self.settings.preset().filter(|_| of_provider), grant_name(self.settings)) {
            (Some(preset), _) => Grant::of(preset, key, token).map_err(|error| {
                Failure::from(error)
                    .hint(format!("m2m providers {} tells what it needs", preset.provider().id))
            }),
            (None, JWT_BEARER) => match (key, token) {
                (Some(key), _) => Ok(Grant::jwt_bearer(key)),
                (None, Some(token)) => Ok(Grant::assertion(token)),
                (None, None) => Err(missing(Field::PrivateKey, JWT_BEARER)),
            },
            (None, TOKEN_EXCHANGE) => {
                let token = token.ok_or_else(|| missing(Field::WorkloadToken, TOKEN_EXCHANGE))?;
                let of_type = |name: &str| {
                    let stated = self.settings.pairs(Field::Params).iter().find(|(param, _)| param == name);
                    stated.map(|(_, value)| TokenTypeUri::parse(value))
                };
                let subject = of_type(param::SUBJECT_TOKEN_TYPE).unwrap_or(TokenTypeUri::Jwt);
                Ok(Grant::token_exchange(token, subject, of_type(param::REQUESTED_TOKEN_TYPE)))
            }
            (None, SELF_SIGNED) => {
                key.map(Grant::self_signed).ok_or_else(|| missing(Field::PrivateKey, SELF_SIGNED))
            }
            (None, other) => Ok(Grant::named(other)),
        }
    }

    fn needs_workload_token(&self) -> bool {
        matches!(grant_name(self.settings), JWT_BEARER | TOKEN_EXCHANGE)
    }

    async fn secrets(&self) -> Result<(Source, Option<Source>), Failure> {
        let secret = self.required(Field::ClientSecret).await?;
        let next = match self.settings.secret(Field::NextClientSecret) {
            Some(reference) => Some(self.read(Field::NextClientSecret, reference).await?),
            None => None,
        };
        Ok((secret, next))
    }

    async fn required(&self, field: Field) -> Result<Source, Failure> {
        match self.settings.secret(field) {
            Some(reference) => self.read(field, reference).await,
            None => Err(missing(field, self.method.as_str())),
        }
    }

    async fn read(&self, field: Field, reference: &SecretReference) -> Result<Source, Failure> {
        match &self.reading {
            Reading::Secrets(observer, held) => match held.get(&field) {
                Some(secret) => Ok(Arc::new(FixedSecret::new(secret.clone()))),
                None => source::open(self.settings, self.around, *observer, (field, reference)).await,
            },
            Reading::StandIn(source) => Ok(Source::clone(source)),
        }
    }
}
