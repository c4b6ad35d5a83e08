//! How the client proves who it is, from settings: one method, never by trial.

mod reader;

use m2m_client::{ClientBuilder, Credentials};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::jose::{Algorithm, Jwk, SigningKey};
use m2m_proto::names::grant_type;
use m2m_proto::secret::SecretString;

use self::reader::Reader;
use super::Held;
use super::observer::Observer;
use super::source::Source;
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::grant::{self, JWT_BEARER, SELF_SIGNED, TOKEN_EXCHANGE};
use crate::settings::method::needed;
use crate::settings::secret::SecretReference;

pub use crate::settings::method::Method;

/// What is read where the settings refer to a secret.
pub(super) enum Reading<'a> {
    /// The secret, and this one is told; these are there already.
    Secrets(Option<&'a dyn Observer>, &'a Held),
    /// Nothing: this stands for each.
    StandIn(Source),
}

/// Adds credential and grant, as the settings name them. With a stand-in no secret is read: it takes the place of
/// each.
///
/// # Errors
/// Exit 2 or 3: no credential, or one that does not fit method or grant. Exit 4: it cannot be read.
pub(super) async fn attach(
    settings: &Settings,
    around: &Surroundings,
    reading: Reading<'_>,
    builder: ClientBuilder,
) -> Result<ClientBuilder, Failure> {
    let method = method(settings)?;
    let read = Reader { settings, around, method, reading };
    let credentials = match method {
        Method::None => Credentials::none(),
        Method::Federated => read.workload().await?,
        Method::Registered(method) => read.registered(method).await?,
    };
    Ok(builder.credentials(credentials).grant(read.grant().await?))
}

/// Whether the credentials that method and grant need are named.
///
/// # Errors
/// Exit 2 or 3: one is not, or the method is unknown.
pub(super) fn check(settings: &Settings) -> Result<(), Failure> {
    let method = method(settings)?;
    algorithm(settings)?;
    let has = |field| settings.secret(field).is_some();
    match needed(method, grant_name(settings), has).into_iter().find(|(field, _)| !has(*field)) {
        Some((field, what)) => Err(missing(field, what)),
        None => Ok(()),
    }
}

/// The stated method, or the provider's; else what the grant leaves open; else `private_key_jwt` when there is a key
/// or a workload token; else `client_secret_basic`.
///
/// # Errors
/// Exit 2 or 3: no such method, or a certificate alone, which fits two.
pub fn method(settings: &Settings) -> Result<Method, Failure> {
    if let Some(text) = settings.text(Field::ClientAuthMethod) {
        return Method::parse(text).ok_or_else(|| {
            let names = Method::ALL.map(Method::as_str).join(", ");
            settings
                .wrong(Field::ClientAuthMethod, format!("unknown method {text:?}"))
                .hint(format!("one of {names}"))
        });
    }
    let given = |field| settings.secret(field).is_some();
    if matches!(grant_name(settings), JWT_BEARER | TOKEN_EXCHANGE | SELF_SIGNED) {
        // Key and workload token belong to the grant.
        return Ok(match given(Field::ClientSecret) {
            true => Method::Registered(ClientAuthMethod::ClientSecretBasic),
            false => Method::None,
        });
    }
    if given(Field::PrivateKey) {
        return Ok(Method::Registered(ClientAuthMethod::PrivateKeyJwt));
    }
    if given(Field::WorkloadToken) {
        return Ok(Method::Federated);
    }
    if given(Field::Certificate) && !given(Field::ClientSecret) {
        return Err(Failure::configuration("a certificate alone does not say which method to use").hint(
            "set client_auth_method to tls_client_auth (issued by an authority that the server trusts) or \
             self_signed_tls_client_auth (registered itself)",
        ));
    }
    Ok(Method::Registered(ClientAuthMethod::ClientSecretBasic))
}

/// The grant in the words of a profile, whether it was stated so or by its `grant_type`.
fn grant_name(settings: &Settings) -> &str {
    settings.text(Field::Grant).map_or(grant_type::CLIENT_CREDENTIALS, grant::name_of)
}

/// Whether the assertion itself is the token.
pub(super) fn is_self_signed(settings: &Settings) -> bool {
    grant_name(settings) == SELF_SIGNED
}

/// What makes a signature of ours part of every request: the method, or else the grant. `None` when nothing does.
///
/// # Errors
/// As [`method`].
pub fn signs(settings: &Settings) -> Result<Option<&str>, Failure> {
    let has = |field| settings.secret(field).is_some();
    let method = method(settings)?;
    Ok(match method {
        Method::Registered(ClientAuthMethod::ClientSecretJwt) => Some(method.as_str()),
        Method::Registered(ClientAuthMethod::PrivateKeyJwt)
            if has(Field::PrivateKey) || !has(Field::WorkloadToken) =>
        {
            Some(method.as_str())
        }
        _ => Some(grant_name(settings))
            .filter(|grant| matches!(*grant, JWT_BEARER | SELF_SIGNED) && has(Field::PrivateKey)),
    })
}

/// Whether nothing in the request or in an assertion of ours names the client.
pub(super) fn goes_without_client(settings: &Settings) -> Result<bool, Failure> {
    let signs = matches!(grant_name(settings), JWT_BEARER | SELF_SIGNED)
        && settings.secret(Field::PrivateKey).is_some();
    Ok(method(settings)? == Method::None && !signs)
}

/// Whether the workload token goes as the JWT-SVID that it is (draft-ietf-oauth-spiffe-client-auth). Services of the
/// catalogue know it as any other assertion (RFC 7523 section 2.2).
pub(crate) fn shows_svid(settings: &Settings) -> bool {
    let is_svid = matches!(settings.secret(Field::WorkloadToken), Some(SecretReference::Spiffe(_)));
    is_svid && settings.preset().is_none()
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

fn missing(field: Field, what: &str) -> Failure {
    let ways = match field {
        Field::ClientSecret => {
            "--secret-file, --secret-env, --secret-stdin or --secret-command; M2M_CLIENT_SECRET or \
             M2M_CLIENT_SECRET_FILE; or client_secret = { env = \"…\" } in the profile"
        }
        Field::PrivateKey => "--private-key-file, M2M_PRIVATE_KEY_FILE or private_key = { file = \"…\" }",
        Field::WorkloadToken => {
            "--workload-token-file, M2M_WORKLOAD_TOKEN_FILE or workload_token = { file = \"…\" }, \
             { kubernetes = \"…\" }, { github_actions = \"AUDIENCE\" }, { spiffe = \"…\" }"
        }
        Field::Certificate => "--certificate-file or certificate = { file = \"…\" }",
        _ => "--certificate-key-file or certificate_key = { file = \"…\" }",
    };
    Failure::configuration(format!("{what} needs {field}, and none is named"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::value::{Origin, Profile, Sourced, Value};

    #[test]
    fn services_of_the_catalogue_take_an_svid_as_any_assertion() {
        let of = |stated: Vec<(Field, Value)>| {
            let token = (Field::WorkloadToken, Value::Secret(SecretReference::Spiffe("api".into())));
            let sourced = |value| Sourced { value, origin: Origin::Default };
            let values = stated.into_iter().chain([token]);
            let profile: Profile = values.map(|(field, value)| (field, sourced(value))).collect();
            Settings::of(profile).unwrap()
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert!(shows_svid(&of(vec![(Field::Issuer, text("https://as.example"))])));
        let variables = Value::Pairs(vec![("tenant".into(), "contoso.example".into())]);
        let entra = vec![
            (Field::Provider, text("azure")),
            (Field::Variables, variables),
            (Field::ClientAuthMethod, text("federated")),
        ];
        assert!(!shows_svid(&of(entra)));
    }
}
