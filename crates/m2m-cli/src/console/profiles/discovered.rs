//! What an issuer's metadata say (RFC 8414), for a form that is not yet a profile.
//!
//! The document is read as the client will read it: from the same places, by the same parser, through the same HTTP
//! client. Only what it names is kept.

use bytes::Bytes;
use http::Request;
use m2m_io::Limits;
use m2m_proto::metadata::server::ServerMetadata;
use m2m_proto::metadata::well_known;
use m2m_proto::uri::Issuer;

use crate::connect;
use crate::settings::Settings;

/// An issuer's metadata, and where they were.
#[derive(Debug)]
pub(crate) struct Discovered {
    pub(crate) url: String,
    pub(crate) metadata: ServerMetadata,
}

/// Asks the issuer.
///
/// # Errors
/// Why there are none, in a sentence for the one who typed the issuer.
pub(crate) async fn ask(issuer: &str, settings: &Settings) -> Result<Discovered, String> {
    let issuer = Issuer::parse(issuer).map_err(|error| error.to_string())?;
    let http = connect::http(settings).map_err(|failure| failure.message().to_owned())?;
    let limits = Limits { timeout: connect::timeout(settings), ..Limits::default() };
    let mut why = String::new();
    for url in well_known::places(&issuer) {
        let request = Request::get(url.as_str()).header("accept", "application/json").body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = match http.send(request, &limits).await {
            Ok(answer) => answer,
            Err(error) => {
                let failure = connect::http_failure(&error);
                let hint = failure.advice().map(|hint| format!(" ({hint})")).unwrap_or_default();
                return Err(format!(
                    "{url} cannot be reached: {}{hint}",
                    failure.message(),
                    url = url.as_str()
                ));
            }
        };
        if !answer.status().is_success() {
            why = format!("{} answers {}", url.as_str(), answer.status().as_u16());
            continue;
        }
        return match ServerMetadata::decode(answer.body(), &issuer) {
            Ok(metadata) => Ok(Discovered { url: url.as_str().to_owned(), metadata }),
            Err(error) => Err(format!("{}: {error}", url.as_str())),
        };
    }
    Err(why)
}

impl Discovered {
    /// Why the server does not take a method; `None` where it does. One that names none takes `client_secret_basic`
    /// (RFC 8414 section 2). A platform's token goes as `private_key_jwt` does.
    pub(crate) fn refuses(&self, method: &str) -> Option<String> {
        let offered = &self.metadata.token_endpoint_auth_methods_supported;
        let known: Vec<&str> = match offered {
            Some(methods) => methods.iter().map(String::as_str).collect(),
            None => vec!["client_secret_basic"],
        };
        let wanted = if method == "federated" { "private_key_jwt" } else { method };
        (!known.contains(&wanted)).then(|| "the server's metadata do not name it.".to_owned())
    }
}
