//! How the client proves who it is, from settings: one method, never by trial.

use m2m_client::{CertificateSource, ClientBuilder, Credentials, KeySource};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::{Algorithm, Jwk, SigningKey};
use m2m_proto::secret::SecretString;

use super::observer::Observer;
use super::source::{self, Source};
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

/// Adds the credential that the settings name.
///
/// # Errors
/// Exit 2 or 3: no credential, or one that does not fit the method. Exit 4: it cannot be read.
pub(super) async fn attach(
    settings: &Settings,
    around: &Surroundings,
    observer: Option<&dyn Observer>,
    builder: ClientBuilder,
) -> Result<ClientBuilder, Failure> {
    let method = method(settings)?;
    let read = Reader { settings, around, observer, method };
    let credentials = match method {
        ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost => {
            let (secret, next) = read.secrets().await?;
            Credentials::secret(secret, next, method)
        }
        ClientAuthMethod::ClientSecretJwt => {
            let (secret, next) = read.secrets().await?;
            Credentials::client_secret_jwt(secret, next, algorithm(settings)?.unwrap_or(Algorithm::Hs256))
        }
        ClientAuthMethod::PrivateKeyJwt if settings.secret(Field::WorkloadToken).is_some() => {
            Credentials::assertion(read.required(Field::WorkloadToken).await?)
        }
        ClientAuthMethod::PrivateKeyJwt => {
            let key = read.required(Field::PrivateKey).await?;
            let key_id = settings.text(Field::KeyId).map(str::to_owned);
            Credentials::key(KeySource::text(key, algorithm(settings)?, key_id))
        }
        ClientAuthMethod::TlsClientAuth | ClientAuthMethod::SelfSignedTlsClientAuth => {
            let chain = read.required(Field::Certificate).await?;
            let key = read.required(Field::CertificateKey).await?;
            Credentials::certificate(CertificateSource::new(chain, key), method)
        }
    };
    Ok(builder.credentials(credentials))
}

/// The stated method; else `private_key_jwt` when there is a key or a workload token; else `client_secret_basic`.
///
/// # Errors
/// Exit 2 or 3: no such method, or a certificate whose method nobody named.
pub(crate) fn method(settings: &Settings) -> Result<ClientAuthMethod, Failure> {
    let names = ClientAuthMethod::ALL.map(ClientAuthMethod::as_str).join(", ");
    if let Some(text) = settings.text(Field::ClientAuthMethod) {
        return ClientAuthMethod::parse(text).ok_or_else(|| {
            settings
                .wrong(Field::ClientAuthMethod, format!("unknown method {text:?}"))
                .hint(format!("one of {names}"))
        });
    }
    let given = |field| settings.secret(field).is_some();
    if given(Field::PrivateKey) || given(Field::WorkloadToken) {
        return Ok(ClientAuthMethod::PrivateKeyJwt);
    }
    if given(Field::Certificate) && !given(Field::ClientSecret) {
        return Err(Failure::configuration("a certificate alone does not say which method to use").hint(
            "set client_auth_method to tls_client_auth (issued by an authority that the server trusts) or \
             self_signed_tls_client_auth (registered itself)",
        ));
    }
    Ok(ClientAuthMethod::ClientSecretBasic)
}

/// The stated algorithm of assertions.
///
/// # Errors
/// Exit 2 or 3: no such algorithm.
pub(crate) fn algorithm(settings: &Settings) -> Result<Option<Algorithm>, Failure> {
    let Some(name) = settings.text(Field::Algorithm) else { return Ok(None) };
    let unknown = || settings.wrong(Field::Algorithm, format!("unknown algorithm {name:?}"));
    Algorithm::parse(name).map(Some).ok_or_else(unknown)
}

struct Reader<'a> {
    settings: &'a Settings,
    around: &'a Surroundings,
    observer: Option<&'a dyn Observer>,
    method: ClientAuthMethod,
}

impl Reader<'_> {
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
            None => Err(missing(field, self.method)),
        }
    }

    async fn read(&self, field: Field, reference: &SecretReference) -> Result<Source, Failure> {
        source::open(self.settings, self.around, self.observer, (field, reference)).await
    }
}

fn missing(field: Field, method: ClientAuthMethod) -> Failure {
    let ways = match field {
        Field::ClientSecret => {
            "--secret-file, --secret-env, --secret-stdin or --secret-command; M2M_CLIENT_SECRET or \
             M2M_CLIENT_SECRET_FILE; or client_secret = { env = \"…\" } in the profile"
        }
        Field::PrivateKey => "--private-key-file, M2M_PRIVATE_KEY_FILE or private_key = { file = \"…\" }",
        Field::Certificate => "--certificate-file or certificate = { file = \"…\" }",
        _ => "--certificate-key-file or certificate_key = { file = \"…\" }",
    };
    Failure::configuration(format!("{} needs {field}, and none is named", method.as_str()))
        .hint(format!("name one by {ways}"))
}

/// A private key from PEM or JWK text.
///
/// # Errors
/// Exit 4: it cannot be read. Exit 3: it is no private key; its text is not repeated.
pub(super) async fn signing_key(
    reference: &SecretReference,
    around: &Surroundings,
    observer: Option<&dyn Observer>,
) -> Result<SigningKey, Failure> {
    let read = reference.read(&around.environment, around.clock.as_ref()).await?;
    if let Some(observer) = observer {
        observer.read(Field::Dpop, &read);
    }
    parse_key(&read.secret, None)
        .map_err(|why| Failure::configuration(format!("the key in {reference} cannot be used: {why}")))
}

/// A private key from PEM or JWK text, for this algorithm or the key's own first.
///
/// # Errors
/// Why it cannot be used; its text is not repeated.
pub(crate) fn parse_key(text: &SecretString, algorithm: Option<Algorithm>) -> Result<SigningKey, String> {
    let text = text.expose().trim();
    if text.starts_with('{') {
        let jwk = Jwk::parse(text.as_bytes()).map_err(|_| "not a usable JWK".to_owned())?;
        return SigningKey::from_jwk(&jwk).map_err(|error| error.to_string());
    }
    SigningKey::from_pkcs8_pem(text.as_bytes(), algorithm).map_err(|error| error.to_string())
}
