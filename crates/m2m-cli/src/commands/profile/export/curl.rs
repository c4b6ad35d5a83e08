//! `--as curl`: the client's own request, with the secret on curl's standard input.
//!
//! `printf` is part of the shell, so the secret is in no program's arguments; the parentheses keep it from the shell
//! that reads the text, and without a secret nothing is sent. `encoded` writes every byte as `%XX`, which any reader of
//! forms takes back; `escaped` is for the quotes of curl's configuration, and of JSON.

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_auth::secret::decode_basic;
use m2m_proto::form::decode_component;
use m2m_proto::names::header;

use super::Plan;
use super::request::{Captured, Encoding, Place};
use crate::connect::Method;
use crate::exit::Failure;
use crate::quote::{shell, shell_word};
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;

const FORM: &str = "application/x-www-form-urlencoded";
const ENCODED: &str = "encoded() { od -An -v -tx1 | tr -d ' \\n' | sed 's/../%&/g'; }\n";
const ESCAPED: &str = "escaped() { sed 's/[\\\\\"]/\\\\&/g'; }\n";

/// The command while it is put together.
struct Curl {
    auth: Method,
    arguments: Vec<String>,
    /// The line of curl's configuration that holds the secret.
    secret: Option<Line>,
}

/// An option of curl's configuration file, and what the secret passes through on its way into it.
struct Line {
    option: &'static str,
    place: Place,
    filter: &'static str,
}

pub(super) fn write(plan: &Plan<'_>, request: &Captured) -> Result<String, Failure> {
    let mut curl = Curl {
        auth: request.auth,
        arguments: vec!["curl --silent --show-error --fail-with-body".into()],
        secret: None,
    };
    curl.connection(plan);
    curl.headers(request)?;
    let is_form = request.header(header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.starts_with(FORM));
    if is_form {
        curl.form(&request.body)?;
    } else {
        curl.body(request);
    }
    if request.method != ::http::Method::GET && request.body.is_empty() {
        curl.arguments.push(format!("--request {}", request.method));
    }
    let url = request.uri.to_string();
    match Place::find(&url) {
        Some(place) => curl.keep("url", place),
        None => curl.arguments.push(shell_word(&url)),
    }
    curl.finish(plan)
}

impl Curl {
    fn connection(&mut self, plan: &Plan<'_>) {
        for (field, option) in
            [(Field::CaFile, "--cacert"), (Field::Certificate, "--cert"), (Field::CertificateKey, "--key")]
        {
            let path = match plan.settings.secret(field) {
                Some(SecretReference::File(path)) => {
                    Some(plan.directory.join(path).to_string_lossy().into_owned())
                }
                Some(_) => Some(format!("/path/to/{field}")),
                None if field == Field::CaFile => plan.settings.text(field).map(str::to_owned),
                None => None,
            };
            self.arguments.extend(path.map(|path| format!("{option} {}", shell_word(&path))));
        }
    }

    fn headers(&mut self, request: &Captured) -> Result<(), Failure> {
        for (name, value) in &request.headers {
            let text = value.to_str().unwrap_or_default();
            if name == header::AUTHORIZATION && text.starts_with("Basic ") {
                let pair = decode_basic(value).map_err(|error| Failure::internal(error.to_string()))?;
                // Not decoded: as it is sent.
                let sent = pair.raw().unwrap_or(pair.preferred());
                let user = format!("{}:{}", sent.client_id().as_str(), sent.secret().expose());
                self.keep("user", Place::find(&user).ok_or_else(lost)?);
            } else if let Some(place) = Place::find(text) {
                let before = format!("{name}: {}", place.before);
                self.keep("header", Place { before, ..place });
            } else if !(name == header::CONTENT_TYPE && text.starts_with(FORM)) {
                self.arguments.push(format!("--header {}", shell(&format!("{name}: {text}"))));
            }
        }
        Ok(())
    }

    fn form(&mut self, body: &str) -> Result<(), Failure> {
        for pair in body.split('&').filter(|pair| !pair.is_empty()) {
            if let Some(place) = Place::find(pair) {
                self.keep("data", place);
                continue;
            }
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = decode_component(value).map_err(|error| Failure::internal(error.to_string()))?;
            self.arguments.push(format!("--data-urlencode {}", shell_word(&format!("{name}={value}"))));
        }
        Ok(())
    }

    fn body(&mut self, request: &Captured) {
        match Place::find(&request.body) {
            // A quote in the secret is escaped for JSON first and for curl then.
            Some(place) => {
                self.secret = Some(Line { option: "data", place, filter: "escaped | escaped" });
            }
            None if request.body.is_empty() => {}
            None => self.arguments.push(format!("--data-raw {}", shell(&request.body))),
        }
    }

    fn keep(&mut self, option: &'static str, place: Place) {
        let filter = match place.encoding {
            Encoding::Form => "encoded",
            Encoding::Raw => "escaped",
        };
        self.secret = Some(Line { option, place, filter });
    }

    fn finish(mut self, plan: &Plan<'_>) -> Result<String, Failure> {
        let Some(line) = self.secret.take() else {
            return Ok(format!("{}\n", self.arguments.join(" \\\n    ")));
        };
        self.arguments.insert(1, "--config -".to_owned());
        let field = match self.auth {
            Method::Registered(ClientAuthMethod::ClientSecretBasic | ClientAuthMethod::ClientSecretPost) => {
                Field::ClientSecret
            }
            _ => Field::WorkloadToken,
        };
        let reference = plan.settings.secret(field).ok_or_else(|| {
            Failure::configuration(format!("no {field} is named"))
                .hint("name it in the profile, or by a flag such as --secret-env VAR")
        })?;
        let functions = if line.filter == "encoded" { ENCODED } else { ESCAPED };
        let Place { before, after, .. } = &line.place;
        let format = shell(&format!("{} = \"{}%s{}\"\\n", line.option, printf(before), printf(after)));
        Ok(format!(
            "# the secret reaches curl on standard input: no argument shows it\n{functions}(m2m_secret={}\n\
             [ -n \"$m2m_secret\" ] && printf {format} \"$(printf %s \"$m2m_secret\" | {})\" |\n  {})\n",
            plan.shell(reference).unwrap_or_else(|| "\"$(cat)\"".to_owned()),
            line.filter,
            self.arguments.join(" \\\n    ")
        ))
    }
}

fn lost() -> Failure {
    Failure::internal("the request holds no secret")
}

/// Text within quotes of curl's configuration, within the format of `printf`.
fn printf(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\\', "\\\\").replace('%', "%%")
}
