//! What revocation takes away, and what it leaves.

use http::{HeaderValue, Method, StatusCode};
use m2m_authorization_server::registry::{CredentialId, Proof, SecretUse};
use m2m_client::{Client, Credentials};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::error::ErrorCode;
use m2m_proto::secret::SecretString;

use super::methods::{expect, fixed, read};
use super::refusals::refused;
use super::stage::{Stage, Team};
use super::{API, Step};

/// One instance of the service: its credential and its running process.
struct Instance {
    id: CredentialId,
    secret: SecretString,
    client: Client,
}

impl Instance {
    async fn start(stage: &Stage, step: Step, label: &str) -> Result<Self, String> {
        let created =
            stage.credential(Team::Billing, label, Proof::ClientSecret(SecretUse::BasicOrPost)).await?;
        let secret = created.client_secret.ok_or("the server made no secret")?;
        let client = Self::process(stage, step, &secret)?;
        Ok(Self { id: created.id, secret, client })
    }

    fn process(stage: &Stage, step: Step, secret: &SecretString) -> Result<Client, String> {
        let credentials =
            Credentials::secret(fixed(secret.clone()), None, ClientAuthMethod::ClientSecretBasic);
        stage.client(step, stage.builder(Team::Billing, credentials))
    }

    /// The same instance after a restart, which holds no token.
    fn restarted(&self, stage: &Stage, step: Step) -> Result<Client, String> {
        Self::process(stage, step, &self.secret)
    }

    async fn token(&self) -> Result<HeaderValue, String> {
        token_of(&self.client).await
    }
}

async fn token_of(client: &Client) -> Result<HeaderValue, String> {
    let token = client.token(&read(API)).await.map_err(|error| error.to_string())?;
    Ok(token.authorization().clone())
}

/// A token works, is revoked by its owner (RFC 7009), and works no more, though its signature and dates are good. The
/// same client gets another at once.
pub(super) async fn token(stage: &Stage) -> Result<String, String> {
    let instance = Instance::start(stage, Step::RevokedToken, "revokes its token").await?;
    let before = instance.token().await?;
    expect(stage.call(Method::GET, Some(&before)).await?.status(), StatusCode::OK)?;
    instance.client.revoke_cached(&read(API)).await.map_err(|error| error.to_string())?;
    let outcome = refused(
        &stage.call(Method::GET, Some(&before)).await?,
        StatusCode::UNAUTHORIZED,
        &ErrorCode::InvalidToken,
    )?;
    let after = instance.token().await?;
    expect(stage.call(Method::GET, Some(&after)).await?.status(), StatusCode::OK)?;
    Ok(format!("{outcome}; with the next token 200"))
}

/// Two instances of one client; the operator revokes the credential of one.
pub(super) async fn instance(stage: &Stage) -> Result<String, String> {
    let lost = Instance::start(stage, Step::RevokedInstance, "instance 1").await?;
    let good = Instance::start(stage, Step::RevokedInstance, "instance 2").await?;
    let (lost_token, good_token) = (lost.token().await?, good.token().await?);
    expect(stage.call(Method::GET, Some(&lost_token)).await?.status(), StatusCode::OK)?;
    (stage.parties.operator)(stage.server.admin(), lost.id.clone()).await?;
    let outcome = refused(
        &stage.call(Method::GET, Some(&lost_token)).await?,
        StatusCode::UNAUTHORIZED,
        &ErrorCode::InvalidToken,
    )?;
    expect(stage.call(Method::GET, Some(&good_token)).await?.status(), StatusCode::OK)?;
    refuses_new_token(&lost.restarted(stage, Step::RevokedInstance)?).await?;
    let fresh = token_of(&good.restarted(stage, Step::RevokedInstance)?).await?;
    expect(stage.call(Method::GET, Some(&fresh)).await?.status(), StatusCode::OK)?;
    Ok(format!("{outcome} for one, 200 for the other"))
}

/// The revoked instance gets no new token either.
async fn refuses_new_token(lost: &Client) -> Result<(), String> {
    match lost.token(&read(API)).await {
        Err(error) if error.code() == Some(&ErrorCode::InvalidClient) => Ok(()),
        Err(error) => Err(format!("the revoked instance was told {error}, not invalid_client")),
        Ok(_) => Err("the revoked instance got another token".to_owned()),
    }
}
