//! The HTTP client of the settings, and its failures in the words of commands.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use m2m_io::reqwest::{ReqwestHttp, ReqwestHttpBuilder};
use m2m_io::{EgressRules, HttpClient, HttpError};

use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::settings::field::Field;

/// Time for one answer where nobody says anything.
pub(crate) const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// Time for one answer of the token service.
pub fn timeout(settings: &Settings) -> Duration {
    settings.time(Field::Timeout).unwrap_or(DEFAULT_TIMEOUT)
}

/// An HTTP client without a client certificate.
///
/// # Errors
/// As [`reqwest_http`].
pub fn http(settings: &Settings) -> Result<Arc<dyn HttpClient>, Failure> {
    Ok(reqwest_http(settings)?)
}

/// The same, for those who ask which proxy it uses.
///
/// # Errors
/// As [`http_builder`]; exit 5 or 6: a proxy or roots that cannot be used.
pub fn reqwest_http(settings: &Settings) -> Result<Arc<ReqwestHttp>, Failure> {
    http_builder(settings)?.build().map(Arc::new).map_err(|error| http_failure(&error))
}

/// The HTTP client's settings: roots of `ca_file`, egress rules.
///
/// # Errors
/// Exit 2 or 3 naming the setting.
pub fn http_builder(settings: &Settings) -> Result<ReqwestHttpBuilder, Failure> {
    let mut http = ReqwestHttp::builder();
    if let Some(path) = settings.text(Field::CaFile) {
        http = http.ca_file(&PathBuf::from(path)).map_err(|error| settings.wrong(Field::CaFile, error))?;
    }
    let mut egress = EgressRules::new();
    for rule in settings.egress() {
        egress =
            egress.allow(rule).map_err(|error| Failure::configuration(format!("egress.allow: {error}")))?;
    }
    Ok(http.egress(egress))
}

/// An HTTP failure outside the client library, as commands report it.
pub fn http_failure(error: &HttpError) -> Failure {
    if error.is_tls() {
        return Failure::of(Exit::Tls, "unreachable", error.to_string())
            .hint("if the server has a private certificate authority, name it with --ca-file");
    }
    match error {
        HttpError::Redirect { .. } | HttpError::TooLarge { .. } | HttpError::Protocol(_) => {
            Failure::of(Exit::Malformed, "peer_misbehaved", error.to_string())
        }
        HttpError::EgressDenied { .. } => Failure::of(Exit::Unreachable, "unreachable", error.to_string())
            .hint("the server's metadata points there; it may name public https addresses and the server's own origin"),
        _ => Failure::of(Exit::Unreachable, "unreachable", error.to_string())
            .hint("is the URL right, and the server up? a proxy is taken from HTTPS_PROXY"),
    }
}
