//! A token is renewed while the one before it still works, so that no caller ever waits for the token endpoint.

use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use m2m_authorization_server::registry::{Proof, SecretUse};
use m2m_client::{Credentials, Token};
use m2m_proto::client_auth::ClientAuthMethod;

use super::methods::{expect, fixed, read};
use super::stage::{SHORT_LIFE, Stage, Team};
use super::{API, Step};

/// Between two calls of the API.
const PACE: Duration = Duration::from_millis(50);

/// A renewal later than this before the end is late: a slow server would have made callers wait.
const EARLY_ENOUGH: Duration = Duration::from_millis(750);

/// Calls the API again and again until another token comes, and compares when with when the first would have ended.
pub(super) async fn perform(stage: &Stage) -> Result<String, String> {
    let proof = Proof::ClientSecret(SecretUse::BasicOrPost);
    let created = stage.credential(Team::Reporting, Step::Renewal.name(), proof).await?;
    let secret = created.client_secret.ok_or("the server made no secret")?;
    let credentials = Credentials::secret(fixed(secret), None, ClientAuthMethod::ClientSecretBasic);
    let client = stage.client(Step::Renewal, stage.builder(Team::Reporting, credentials))?;
    let first = client.token(&read(API)).await.map_err(|error| error.to_string())?;
    let deadline = stage.clock.monotonic().saturating_add(SHORT_LIFE * 2);
    while stage.clock.monotonic() < deadline {
        let token = client.token(&read(API)).await.map_err(|error| error.to_string())?;
        expect(stage.call(Method::GET, Some(token.authorization())).await?.status(), StatusCode::OK)?;
        if token.access_token() != first.access_token() {
            return compare(&first, &token);
        }
        stage.clock.sleep(PACE).await;
    }
    Err("the same token all along".to_owned())
}

fn compare(first: &Arc<Token>, second: &Arc<Token>) -> Result<String, String> {
    let ahead = first.expires_at().since(second.obtained_at());
    let text = format!("renewed {} ms before its end", ahead.as_millis());
    if ahead >= EARLY_ENOUGH { Ok(text) } else { Err(format!("{text}: late")) }
}
