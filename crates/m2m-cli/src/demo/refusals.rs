//! What the API must refuse.

use http::{HeaderValue, Method, Response, StatusCode};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::error::{Challenge, ErrorCode};
use m2m_proto::jose::{Algorithm, HeaderFields, SigningKey, base64url, jws};
use m2m_proto::names::typ;

use super::methods::{expect, read, secret};
use super::stage::{Stage, Team};
use super::{API, OTHER_API, Step};

/// No token: 401, and a challenge that says what is wanted without an error code (RFC 6750 §3.1).
pub(super) async fn no_token(stage: &Stage) -> Result<String, String> {
    let answer = stage.call(Method::GET, None).await?;
    expect(answer.status(), StatusCode::UNAUTHORIZED)?;
    match error_of(&answer) {
        None => Ok("401".to_owned()),
        Some(code) => Err(format!("the challenge says {}, though nothing was tried", code.as_str())),
    }
}

/// The claims of a good token under a stranger's signature.
pub(super) async fn forged(stage: &Stage) -> Result<String, String> {
    let genuine = token(stage, Step::ForgedToken, API).await?;
    let payload = genuine.to_str().ok().and_then(|text| text.split('.').nth(1)).unwrap_or_default();
    let payload = base64url::decode(payload).map_err(|error| error.to_string())?;
    let stranger = SigningKey::generate(Algorithm::Es256).map_err(|error| error.to_string())?;
    let fields = HeaderFields { typ: Some(typ::AT_JWT), ..HeaderFields::default() };
    let forged = jws::sign(&fields, &payload, &stranger).map_err(|error| error.to_string())?;
    let value = HeaderValue::from_str(&format!("Bearer {forged}")).map_err(|error| error.to_string())?;
    refused(&stage.call(Method::GET, Some(&value)).await?, StatusCode::UNAUTHORIZED, &ErrorCode::InvalidToken)
}

/// A genuine token whose audience is another API.
pub(super) async fn wrong_audience(stage: &Stage) -> Result<String, String> {
    let other = token(stage, Step::WrongAudience, OTHER_API).await?;
    refused(&stage.call(Method::GET, Some(&other)).await?, StatusCode::UNAUTHORIZED, &ErrorCode::InvalidToken)
}

/// A token that may read, used to write; reading with it works.
pub(super) async fn small_scope(stage: &Stage) -> Result<String, String> {
    let narrow = token(stage, Step::SmallScope, API).await?;
    expect(stage.call(Method::GET, Some(&narrow)).await?.status(), StatusCode::OK)?;
    refused(
        &stage.call(Method::POST, Some(&narrow)).await?,
        StatusCode::FORBIDDEN,
        &ErrorCode::InsufficientScope,
    )
}

async fn token(stage: &Stage, step: Step, audience: &str) -> Result<HeaderValue, String> {
    let credentials = secret(stage, step, ClientAuthMethod::ClientSecretBasic).await?;
    let client = stage.client(step, stage.builder(Team::Billing, credentials))?;
    let token = client.token(&read(audience)).await.map_err(|error| error.to_string())?;
    Ok(token.authorization().clone())
}

/// Checks status and error code of a refusal.
pub(super) fn refused(
    answer: &Response<bytes::Bytes>,
    status: StatusCode,
    code: &ErrorCode,
) -> Result<String, String> {
    expect(answer.status(), status)?;
    match error_of(answer) {
        Some(found) if found == *code => Ok(format!("{} {}", status.as_u16(), found.as_str())),
        Some(found) => Err(format!("the API's challenge says {}, not {}", found.as_str(), code.as_str())),
        None => Err(format!("the API's challenge does not say {}", code.as_str())),
    }
}

fn error_of(answer: &Response<bytes::Bytes>) -> Option<ErrorCode> {
    let challenges = Challenge::parse_all(answer.headers());
    challenges.into_iter().find_map(|challenge| challenge.error)
}
