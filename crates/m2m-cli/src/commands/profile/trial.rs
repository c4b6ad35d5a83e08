//! One token request, told: what was sent (secrets blacked out), what came back, how long it took, what it means.
//!
//! The request is made by the same engine as every other; kept tokens are passed by.

use std::sync::Arc;
use std::time::Duration;

use m2m_client::{Error, Token, TokenSpec};
use serde_json::{Map, Value, json};

use crate::Surroundings;
use crate::connect::{self, Held};
use crate::exit::{Exit, Failure};
use crate::output::{Reader, printable};
use crate::settings::Settings;

use super::transcript::{Recorded, Recorder};

/// What came of a request.
#[derive(Clone, Debug)]
pub(crate) struct Trial {
    pub(crate) profile: Option<String>,
    pub(crate) requests: Vec<Recorded>,
    pub(crate) took: Duration,
    pub(crate) outcome: Result<Arc<Token>, Error>,
}

/// Asks for one token.
///
/// # Errors
/// What kept the request from being made: exit 2, 3 or 4.
pub(crate) async fn run(settings: &Settings, around: &Surroundings) -> Result<Trial, Failure> {
    with(settings, around, &Held::new(), Recorder::of(settings)).await
}

/// The same with secrets that have no place yet, told to this recorder.
///
/// # Errors
/// As [`run`].
pub(crate) async fn with(
    settings: &Settings,
    around: &Surroundings,
    held: &Held,
    recorder: Arc<Recorder>,
) -> Result<Trial, Failure> {
    let client = connect::held_client(settings, around, held, Arc::<Recorder>::clone(&recorder)).await?;
    let start = around.clock.monotonic();
    let outcome = client.renew(&TokenSpec::default()).await;
    let took = around.clock.monotonic().saturating_sub(start);
    Ok(Trial { profile: settings.profile().map(str::to_owned), requests: recorder.all(), took, outcome })
}

impl Trial {
    /// Writes it out; the failure is the caller's to end with.
    ///
    /// # Errors
    /// The failure of the request, or of standard output.
    pub(crate) fn tell(&self, around: &Surroundings) -> Result<Exit, Failure> {
        if around.output.reader() == Reader::Program {
            around.output.json(&self.as_json(around))?;
        } else {
            self.sentences(around)?;
        }
        self.exit()
    }

    /// How the command ends.
    ///
    /// # Errors
    /// The failure of the request.
    pub(crate) fn exit(&self) -> Result<Exit, Failure> {
        match &self.outcome {
            Ok(_) => Ok(Exit::Ok),
            Err(error) => Err(error.clone().into()),
        }
    }

    fn sentences(&self, around: &Surroundings) -> Result<(), Failure> {
        let line =
            |name: &str, value: &str| around.output.result(&format!("{name:<12} {}", printable(value)));
        if let Some(profile) = &self.profile {
            line("profile", profile)?;
        }
        for request in &self.requests {
            line("request", &format!("{} {}", request.method, request.url))?;
            for (name, value) in &request.headers {
                line("", &format!("{name}: {value}"))?;
            }
            for (name, value) in &request.parameters {
                line("", &format!("{name}={value}"))?;
            }
            let status = request.status.map_or("no answer".to_owned(), |status| status.to_string());
            let media = request.content_type.as_deref().map_or(String::new(), |media| format!(", {media}"));
            line("answer", &format!("{status}{media}, {} ms", request.took.as_millis()))?;
        }
        match &self.outcome {
            Ok(token) => {
                let left = token.expires_at().since(around.clock.wall()).as_secs();
                line("token", &format!("{}, expires in {left} s", token.token_type().as_str()))?;
                if let Some(scope) = token.scope() {
                    line("scope", &scope.to_string())?;
                }
            }
            Err(error) => {
                if let Some(code) = error.said() {
                    line("error", code.as_str())?;
                }
                if let Some(description) = error.description() {
                    line("description", description)?;
                }
            }
        }
        line("time", &format!("{} ms", self.took.as_millis()))
    }

    pub(crate) fn as_json(&self, around: &Surroundings) -> Value {
        let requests: Vec<Value> = self.requests.iter().map(request_json).collect();
        let error = self.outcome.as_ref().err();
        let token = self.outcome.as_ref().ok().map(|token| {
            json!({
                "token_type": token.token_type().as_str(),
                "expires_in": token.expires_at().since(around.clock.wall()).as_secs(),
                "scope": token.scope().map(ToString::to_string),
            })
        });
        json!({
            "profile": self.profile,
            "ok": error.is_none(),
            "request": requests.last(),
            "requests": requests,
            "status": self.requests.last().and_then(|request| request.status),
            "error": error.and_then(|error| error.said().map(|code| code.as_str().to_owned())),
            "error_description": error.and_then(Error::description),
            "error_uri": error.and_then(Error::uri),
            "explanation": error.map(Error::hint),
            "milliseconds": millis(self.took),
            "token": token,
        })
    }
}

fn request_json(request: &Recorded) -> Value {
    let headers: Map<String, Value> =
        request.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    let parameters: Vec<Value> =
        request.parameters.iter().map(|(name, value)| json!({"name": name, "value": value})).collect();
    json!({
        "method": request.method,
        "url": request.url,
        "headers": headers,
        "parameters": parameters,
        "status": request.status,
        "content_type": request.content_type,
        "milliseconds": millis(request.took),
    })
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
