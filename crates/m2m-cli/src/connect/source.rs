//! References become sources: what a program that runs for long asks for its secret before every token request.
//!
//! A reference is read once when the client is made, so that a wrong one fails before anything is sent, with the exit
//! code and the words of [`SecretReference::read`]. After that a file is read again for every request, a command or a
//! keyring entry at most once a minute (a person may have to touch a key), and a variable or standard input never.

use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use m2m_client::{Error, FileSecret, FixedSecret, IdTokenRequest, ProjectedToken, SecretFn, SecretSource};
use m2m_io::file::TrailingNewline;
use m2m_proto::secret::SecretString;

use super::observer::Observer;
use crate::Surroundings;
use crate::exit::Failure;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

/// Where a secret comes from, again and again.
pub(super) type Source = Arc<dyn SecretSource>;

/// How long what a command printed is used before it runs again.
const HOLD: Duration = Duration::from_secs(60);

/// The variables by which GitHub Actions lets a job ask for its token.
const JOB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const JOB_BEARER: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

/// The source that a reference stands for.
///
/// # Errors
/// Exit 4: the secret cannot be read now.
pub(super) async fn open(
    settings: &Settings,
    around: &Surroundings,
    observer: Option<&dyn Observer>,
    (field, reference): (Field, &SecretReference),
) -> Result<Source, Failure> {
    let origin = settings.origin(field);
    let detail = |more: fmt::Arguments<'_>| {
        around.output.detail(&format!("{field} from {reference} ({origin}){more}"));
    };
    match reference {
        SecretReference::GithubActions(audience) => {
            detail(format_args!(", asked for with each token request"));
            return job_token(settings, around, audience);
        }
        SecretReference::Kubernetes(path) | SecretReference::Spiffe(path) => {
            detail(format_args!(", read for each token request"));
            let token = ProjectedToken::new(path);
            token.read().await?;
            return Ok(Arc::new(token));
        }
        _ => {}
    }
    let read = reference.read(&around.environment, around.clock.as_ref()).await?;
    if let Some(observer) = observer {
        observer.read(field, &read);
    }
    match read.trailing_newline {
        TrailingNewline::Removed => detail(format_args!(", without its trailing newline")),
        TrailingNewline::Absent => detail(format_args!("")),
    }
    Ok(match reference {
        SecretReference::File(path) => file(path, read.secret),
        SecretReference::Systemd(name) => match around.environment.directory("CREDENTIALS_DIRECTORY") {
            Some(directory) => file(&directory.join(name), read.secret),
            None => Arc::new(FixedSecret::new(read.secret)),
        },
        SecretReference::Command(_) | SecretReference::Keyring(_) => {
            Arc::new(held(reference.clone(), around, read.secret))
        }
        _ => Arc::new(FixedSecret::new(read.secret)),
    })
}

/// A pipe gives what it has once; a file can be read again.
fn file(path: &Path, secret: SecretString) -> Source {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.is_file() => Arc::new(FileSecret::new(path)),
        _ => Arc::new(FixedSecret::new(secret)),
    }
}

struct Held {
    secret: SecretString,
    until: Duration,
}

/// A command or a keyring entry, with what it gave just now.
fn held(reference: SecretReference, around: &Surroundings, secret: SecretString) -> SecretFn {
    let (environment, clock) = (around.environment.clone(), Arc::clone(&around.clock));
    let held = Arc::new(Mutex::new(Held { secret, until: clock.monotonic() + HOLD }));
    SecretFn::new(move || {
        let (reference, environment) = (reference.clone(), environment.clone());
        let (held, clock) = (Arc::clone(&held), Arc::clone(&clock));
        async move {
            {
                let held = held.lock().unwrap_or_else(PoisonError::into_inner);
                if clock.monotonic() < held.until {
                    return Ok(held.secret.clone());
                }
            }
            let read = reference.read(&environment, clock.as_ref()).await;
            let read = read.map_err(|failure| Error::secret_unavailable(failure.message()))?;
            let mut held = held.lock().unwrap_or_else(PoisonError::into_inner);
            *held = Held { secret: read.secret.clone(), until: clock.monotonic() + HOLD };
            Ok(read.secret)
        }
    })
}

fn job_token(settings: &Settings, around: &Surroundings, audience: &str) -> Result<Source, Failure> {
    let variable = |name: &str| {
        around.environment.text(name).ok_or_else(|| {
            Failure::secret(format!("cannot read the secret from GitHub Actions: {name} is not set")).hint(
                "this works inside a job that has `permissions: id-token: write`; elsewhere name another \
                 workload_token",
            )
        })
    };
    let (url, bearer) = (variable(JOB_URL)?, SecretString::from(variable(JOB_BEARER)?));
    Ok(Arc::new(IdTokenRequest::new(url, &bearer, audience, super::http(settings)?)?))
}

#[cfg(test)]
mod tests;
