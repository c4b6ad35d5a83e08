//! A token by each client authentication method, and a token bound to a key.

use std::sync::Arc;

use http::{HeaderValue, Method, StatusCode};
use m2m_authorization_server::registry::{Proof, SecretUse};
use m2m_client::{
    CertificateSource, Client, Credentials, Dpop, FixedSecret, KeySource, SecretSource, TokenSpec,
};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::mutual_tls::{CertificateThumbprint, SubjectName};
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey};
use m2m_proto::scope::Scope;
use m2m_proto::secret::SecretString;
use m2m_proto::token::TokenType;

use super::stage::{Stage, Team, wish};
use super::{API, Step};
use crate::certificate::{Certified, self_signed};

/// The DNS name in the certificate that the demo's authority vouches for.
const SERVICE_NAME: &str = "billing-1.internal.example";

/// Registers a credential for the method, gets a token with it, calls the API.
pub(super) async fn perform(step: Step, stage: &Stage) -> Result<String, String> {
    let credentials = match step {
        Step::ClientSecretPost => secret(stage, step, ClientAuthMethod::ClientSecretPost).await?,
        Step::ClientSecretJwt => secret(stage, step, ClientAuthMethod::ClientSecretJwt).await?,
        Step::PrivateKeyJwt => key(stage, step).await?,
        Step::TlsClientAuth => issued_certificate(stage, step).await?,
        Step::SelfSignedTlsClientAuth => own_certificate(stage, step).await?,
        _ => secret(stage, step, ClientAuthMethod::ClientSecretBasic).await?,
    };
    let client = stage.client(step, stage.builder(Team::Billing, credentials))?;
    let token = client.token(&read(API)).await.map_err(|error| error.to_string())?;
    expect(stage.call(Method::GET, Some(token.authorization())).await?.status(), StatusCode::OK)
}

/// What every step asks for.
pub(super) fn read(audience: &str) -> TokenSpec {
    let spec = TokenSpec::new().audience(audience);
    match Scope::parse("orders:read") {
        Ok(scope) if audience == API => spec.scope(scope),
        _ => spec,
    }
}

pub(super) fn expect(found: StatusCode, expected: StatusCode) -> Result<String, String> {
    if found == expected {
        return Ok(found.as_u16().to_string());
    }
    Err(format!("the API answered {}, not {}", found.as_u16(), expected.as_u16()))
}

/// Credentials with a secret that the server just made.
pub(super) async fn secret(
    stage: &Stage,
    step: Step,
    method: ClientAuthMethod,
) -> Result<Credentials, String> {
    let proof = match method {
        ClientAuthMethod::ClientSecretJwt => Proof::ClientSecretJwt,
        _ => Proof::ClientSecret(SecretUse::BasicOrPost),
    };
    let created = stage.credential(Team::Billing, step.name(), proof).await?;
    let secret = created.client_secret.ok_or("the server made no secret")?;
    Ok(Credentials::secret(fixed(secret), None, method))
}

async fn key(stage: &Stage, step: Step) -> Result<Credentials, String> {
    let key = SigningKey::generate(Algorithm::Es256).map_err(|error| error.to_string())?;
    let public = key.public_jwk().ok_or("the key has no public half")?;
    stage.credential(Team::Billing, step.name(), Proof::PublicKeys(JwkSet::from_keys([public]))).await?;
    Ok(Credentials::key(KeySource::fixed(Arc::new(key))))
}

async fn issued_certificate(stage: &Stage, step: Step) -> Result<Credentials, String> {
    let wish = wish(&stage.clock, "billing", vec![SERVICE_NAME.to_owned()]);
    let certified = stage.authority.issue(&wish).map_err(|failure| failure.message().to_owned())?;
    let proof = Proof::CertificateSubject(SubjectName::Dns(SERVICE_NAME.to_owned()));
    stage.credential(Team::Billing, step.name(), proof).await?;
    Ok(certificate(certified, ClientAuthMethod::TlsClientAuth))
}

async fn own_certificate(stage: &Stage, step: Step) -> Result<Credentials, String> {
    let key = SigningKey::generate(Algorithm::Es256).map_err(|error| error.to_string())?;
    let wish = wish(&stage.clock, "billing", Vec::new());
    let certified = self_signed(&wish, &key).map_err(|failure| failure.message().to_owned())?;
    let proof = Proof::Certificate(CertificateThumbprint::of(&certified.certificate_der));
    stage.credential(Team::Billing, step.name(), proof).await?;
    Ok(certificate(certified, ClientAuthMethod::SelfSignedTlsClientAuth))
}

fn certificate(certified: Certified, method: ClientAuthMethod) -> Credentials {
    let chain = fixed(SecretString::new(certified.certificate_pem));
    Credentials::certificate(CertificateSource::new(chain, fixed(certified.key_pem)), method)
}

pub(super) fn fixed(secret: SecretString) -> Arc<dyn SecretSource> {
    Arc::new(FixedSecret::new(secret))
}

/// A DPoP token works with its proof and not as a bearer token, which is how a thief would use it.
pub(super) async fn dpop(stage: &Stage) -> Result<String, String> {
    let credentials = secret(stage, Step::Dpop, ClientAuthMethod::ClientSecretBasic).await?;
    let builder = stage.builder(Team::Billing, credentials).dpop(Dpop::Ephemeral(Algorithm::Es256));
    let client: Client = stage.client(Step::Dpop, builder)?;
    let token = client.token(&read(API)).await.map_err(|error| error.to_string())?;
    if *token.token_type() != TokenType::Dpop {
        return Err(format!("the token's type is {}, not DPoP", token.token_type().as_str()));
    }
    let request = http::Request::get(stage.api_url()).body(bytes::Bytes::new()).map_err(|e| e.to_string())?;
    let executed = client.execute(&read(API), request).await.map_err(|error| error.to_string())?;
    expect(executed.response.status(), StatusCode::OK)?;
    let stolen = HeaderValue::from_str(&format!("Bearer {}", token.access_token().expose()));
    let stolen = stolen.map_err(|error| error.to_string())?;
    expect(stage.call(Method::GET, Some(&stolen)).await?.status(), StatusCode::UNAUTHORIZED)?;
    Ok("200, and 401 for the thief".to_owned())
}
