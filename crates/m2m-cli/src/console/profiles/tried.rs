//! A test: one token request by the engine of production, and what is to be seen of the token.
//!
//! Enforces: the token is looked at here and let go; its claims, its hash and the verdict on its signature stay.
//! Limits: claims are those of a JWT; an opaque token says nothing, and that is said.

use std::sync::Arc;
use std::time::Duration;

use m2m_client::{Error, Token};
use m2m_proto::jose::crypto::sha256;
use m2m_proto::scope::Scope;
use serde_json::{Map, Value};

use super::draft::Draft;
use super::verdict::{Verdict, verdict};
use crate::Surroundings;
use crate::commands::inspect;
use crate::commands::profile::said::Hides;
use crate::commands::profile::transcript::{Recorded, Recorder};
use crate::commands::profile::trial;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::keyring::hexadecimal;

/// What a test showed.
#[derive(Clone, Debug)]
pub(crate) struct Tried {
    /// When, in seconds since 1970.
    pub(crate) at: u64,
    pub(crate) took: Duration,
    /// What went over the wire, redacted, oldest first.
    pub(crate) requests: Vec<Recorded>,
    pub(crate) outcome: Result<Preview, Trouble>,
    pub(crate) asked: Vec<String>,
}

/// A token as it may be shown.
#[derive(Clone, Debug)]
pub(crate) struct Preview {
    pub(crate) token_type: String,
    /// The first 12 digits of its SHA-256.
    pub(crate) fingerprint: String,
    pub(crate) expires_at: u64,
    pub(crate) granted: Option<Scope>,
    /// Header and claims of a JWT.
    pub(crate) jwt: Option<(Map<String, Value>, Map<String, Value>)>,
    pub(crate) verdict: Verdict,
}

/// Why there is no token.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) message: String,
    pub(crate) hint: String,
    /// What the server said.
    pub(crate) code: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) uri: Option<String>,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Self {
        Self {
            message: failure.message().to_owned(),
            hint: failure.advice().unwrap_or_default().to_owned(),
            code: None,
            description: None,
            uri: None,
        }
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Self {
        Self {
            code: error.said().map(|code| code.as_str().to_owned()),
            description: error.description().map(str::to_owned),
            uri: error.uri().map(str::to_owned),
            ..Self::from(Failure::from(error))
        }
    }
}

/// Asks for one token with the settings of this draft.
pub(crate) async fn run(draft: &Draft, around: &Surroundings) -> Tried {
    let at = around.clock.wall().seconds();
    let none = |trouble: Trouble| Tried {
        at,
        took: Duration::ZERO,
        requests: Vec::new(),
        outcome: Err(trouble),
        asked: Vec::new(),
    };
    let settings = match draft.usable() {
        Ok(settings) => settings,
        Err(failure) => return none(failure.into()),
    };
    let hides = Hides::of(settings.preset().map(|preset| preset.provider().response.token.as_str()));
    draft.wish.secrets.values().for_each(|secret| hides.add(secret.expose()));
    let recorder = Recorder::with_answers(&settings, hides);
    let trial = match trial::with(&settings, around, &draft.wish.secrets, Arc::clone(&recorder)).await {
        Ok(trial) => trial,
        Err(failure) => return none(failure.into()),
    };
    let outcome = match trial.outcome {
        Ok(token) => Ok(preview(&token, &settings, &recorder).await),
        Err(error) => Err(Trouble::from(error)),
    };
    Tried {
        took: trial.took,
        requests: trial.requests,
        outcome,
        asked: settings.list(Field::Scopes).to_vec(),
        ..none(Trouble::from(Failure::internal("")))
    }
}

async fn preview(token: &Token, settings: &Settings, recorder: &Recorder) -> Preview {
    let text = token.access_token().expose();
    let opaque = settings.preset().is_some_and(|preset| preset.provider().response.opaque);
    let jwt = if opaque { None } else { inspect::decode(text).ok() };
    let digest = hexadecimal(&sha256(text.as_bytes()));
    Preview {
        token_type: token.token_type().as_str().to_owned(),
        fingerprint: digest.get(..12).unwrap_or_default().to_owned(),
        expires_at: token.expires_at().seconds(),
        granted: token.scope().cloned(),
        verdict: verdict(text, jwt.as_ref().map(|(_, claims)| claims), settings).await,
        jwt: jwt.map(|(header, claims)| (cleaned(header, recorder), cleaned(claims, recorder))),
    }
}

fn cleaned(members: Map<String, Value>, recorder: &Recorder) -> Map<String, Value> {
    match recorder.cleaned(Value::Object(members)) {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}
