//! `m2m profile show`: every resolved value with its origin. A secret is shown as its reference, whether it is there,
//! who may read it and how old it is; it is not read.

use std::path::Path;

use m2m_proto::time::UnixTime;
use serde_json::{Map, Value as Json, json};

use super::named;
use crate::Surroundings;
use crate::args::ProfileShow;
use crate::connect;
use crate::exit::{Exit, Failure};
use crate::output::{Reader, printable};
use crate::settings::Settings;
use crate::settings::env::Environment;
use crate::settings::field::Field;
use crate::settings::secret::{Entry, SecretReference};
use crate::settings::value::{Origin, Sourced, Value};

/// What holds where nobody says anything.
const DEFAULTS: &[(Field, &str)] = &[
    (Field::Grant, "client_credentials"),
    (Field::BasicEncoding, "form"),
    (Field::AssertionAudience, "issuer"),
    (Field::RefreshLead, "300s"),
    (Field::FallbackLifetime, "300s"),
    (Field::Timeout, "10s"),
    (Field::Inspect, "warn"),
    (Field::SecurityProfile, "baseline"),
];

pub(super) fn run(typed: &ProfileShow, around: &Surroundings) -> Result<Exit, Failure> {
    let global = named(&around.global, typed.name.as_deref());
    let settings = connect::settings_to_show(&global, &typed.profile, around)?;
    let rows = rows(&settings, around);
    if around.output.reader() == Reader::Program {
        let values: Map<String, Json> = rows.iter().map(|row| (row.key.clone(), row.as_json())).collect();
        let file = settings.file();
        around.output.json(&json!({
            "profile": settings.profile(),
            "file": file.map(|(path, _)| path.display().to_string()),
            "trust": file.map(|(_, trust)| trust.as_str()),
            "values": values,
        }))?;
        return Ok(Exit::Ok);
    }
    if let (Some(profile), Some((path, _))) = (settings.profile(), settings.file()) {
        around.output.note(&format!("profile {profile} of {}", path.display()));
    }
    let width = rows.iter().map(|row| row.key.len()).max().unwrap_or(0);
    for row in &rows {
        let (key, text, origin) = (&row.key, &row.text, &row.origin);
        around.output.result(&printable(&format!("{key:<width$}  {text}  ({origin})")))?;
    }
    Ok(Exit::Ok)
}

struct Row {
    key: String,
    /// For a person.
    text: String,
    /// For a program.
    value: Json,
    origin: Origin,
    secret: Option<Standing>,
}

impl Row {
    fn as_json(&self) -> Json {
        let from = match &self.origin {
            Origin::Flag(_) => "flag",
            Origin::Env(_) => "variable",
            Origin::File { .. } => "file",
            Origin::Provider(_) => "provider",
            Origin::Default => "default",
        };
        let mut row = json!({"value": self.value, "from": from, "origin": self.origin.to_string()});
        if let (Some(secret), Some(row)) = (&self.secret, row.as_object_mut()) {
            row.insert("present".to_owned(), json!(secret.present));
            row.insert("mode".to_owned(), json!(secret.mode));
            row.insert("age_seconds".to_owned(), json!(secret.age));
        }
        row
    }
}

fn rows(settings: &Settings, around: &Surroundings) -> Vec<Row> {
    let mut rows: Vec<Row> =
        settings.values().map(|(field, sourced)| stated(field, sourced, around)).collect();
    for (field, text) in DEFAULTS {
        if settings.values().all(|(stated, _)| stated != *field) {
            rows.push(default(field.key(), text));
        }
    }
    if settings.text(Field::ClientAuthMethod).is_none()
        && let Ok(method) = connect::method(settings)
    {
        rows.push(default(Field::ClientAuthMethod.key(), method.as_str()));
    }
    rows
}

fn default(key: &str, text: &str) -> Row {
    Row {
        key: key.to_owned(),
        text: text.to_owned(),
        value: json!(text),
        origin: Origin::Default,
        secret: None,
    }
}

fn stated(field: Field, sourced: &Sourced<Value>, around: &Surroundings) -> Row {
    let mut secret = None;
    let (text, value) = match &sourced.value {
        Value::Text(text) => (text.clone(), json!(text)),
        Value::List(list) => (list.join(" "), json!(list)),
        Value::Pairs(pairs) => {
            let text: Vec<_> = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let object: Map<String, Json> =
                pairs.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
            (text.join(" "), Json::Object(object))
        }
        Value::Time(time) => (format!("{}s", time.as_secs_f64()), json!(time.as_secs_f64())),
        Value::Switch(on) => (on.to_string(), json!(on)),
        Value::Secret(reference) => {
            let standing = Standing::of(reference, &around.environment, around.clock.wall());
            let (text, value) = (format!("{reference}{}", standing.words()), shown(reference));
            secret = Some(standing);
            (text, value)
        }
    };
    Row { key: field.key().to_owned(), text, value, origin: sourced.origin.clone(), secret }
}

/// The reference as it stands in a file. Of a command only the program: its arguments may name what is nobody's
/// business.
pub(crate) fn shown(reference: &SecretReference) -> Json {
    match reference.entry() {
        Some((place, Entry::Text(text))) => json!({place: text}),
        Some((place, Entry::Path(path))) => json!({place: path.display().to_string()}),
        Some((place, Entry::Argv(argv))) => json!({place: argv.first()}),
        None => json!(reference.to_string()),
    }
}

/// What is known about a secret without reading it.
pub(crate) struct Standing {
    /// `None`: only reading it would tell.
    present: Option<bool>,
    mode: Option<String>,
    age: Option<u64>,
}

impl Standing {
    pub(crate) fn of(reference: &SecretReference, environment: &Environment, now: UnixTime) -> Self {
        let only = |present| Self { present, mode: None, age: None };
        match reference {
            SecretReference::Env(name) => only(Some(environment.is_set(name))),
            SecretReference::File(path)
            | SecretReference::Kubernetes(path)
            | SecretReference::Spiffe(path) => Self::of_file(path, now),
            SecretReference::Systemd(name) => match environment.directory("CREDENTIALS_DIRECTORY") {
                Some(directory) => Self::of_file(&directory.join(name), now),
                None => only(Some(false)),
            },
            SecretReference::GithubActions(_) => {
                only(Some(environment.is_set("ACTIONS_ID_TOKEN_REQUEST_URL")))
            }
            SecretReference::Command(_) | SecretReference::Keyring(_) | SecretReference::Stdin => only(None),
        }
    }

    fn of_file(path: &Path, now: UnixTime) -> Self {
        let Ok(metadata) = std::fs::metadata(path) else {
            return Self { present: Some(false), mode: None, age: None };
        };
        let modified = metadata.modified().ok();
        let since = modified.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
        Self {
            present: Some(true),
            mode: mode(&metadata),
            age: since.map(|since| now.seconds().saturating_sub(since.as_secs())),
        }
    }

    /// What follows the reference: `, present, mode 0600, 3 h old`.
    pub(crate) fn words(&self) -> String {
        let mut words = match self.present {
            Some(true) => ", present".to_owned(),
            Some(false) => ", missing".to_owned(),
            None => ", not looked at".to_owned(),
        };
        if let Some(mode) = &self.mode {
            words.push_str(&format!(", mode {mode}"));
        }
        if let Some(age) = self.age {
            words.push_str(&format!(", {} old", span(age)));
        }
        words
    }
}

/// The largest unit that fits.
pub(crate) fn span(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(unix)]
fn mode(metadata: &std::fs::Metadata) -> Option<String> {
    use std::os::unix::fs::MetadataExt as _;
    Some(format!("{:04o}", metadata.mode() & 0o7777))
}

#[cfg(not(unix))]
fn mode(_: &std::fs::Metadata) -> Option<String> {
    None
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use m2m_client::{
        AssertionAudienceRule, DEFAULT_FALLBACK_LIFETIME, DEFAULT_REFRESH_LEAD, Grant, Inspect,
    };
    use m2m_io::Limits;
    use m2m_proto::client_auth::BasicEncoding;
    use m2m_proto::security_profile::SecurityProfile;

    use super::*;

    #[test]
    fn ages_are_said_in_the_largest_unit() {
        let check = |seconds, expect: &str| assert_eq!(span(seconds), expect);
        check(5, "5 s");
        check(300, "5 min");
        check(10_000, "2 h");
        check(864_000, "10 days");
    }

    #[test]
    fn defaults_are_those_of_the_client() {
        let seconds = |time: Duration| format!("{}s", time.as_secs_f64());
        for (field, shown) in DEFAULTS {
            let library = match field {
                Field::Grant => Grant::default().name().to_owned(),
                Field::BasicEncoding => format!("{:?}", BasicEncoding::default()).to_lowercase(),
                Field::AssertionAudience => AssertionAudienceRule::default().to_string(),
                Field::RefreshLead => seconds(DEFAULT_REFRESH_LEAD),
                Field::FallbackLifetime => seconds(DEFAULT_FALLBACK_LIFETIME),
                Field::Timeout => seconds(connect::DEFAULT_TIMEOUT),
                Field::Inspect => format!("{:?}", Inspect::default()).to_lowercase(),
                Field::SecurityProfile => SecurityProfile::default().name().to_owned(),
                other => panic!("what is the default of {other}?"),
            };
            assert_eq!(*shown, library, "{field}");
        }
        assert_eq!(connect::DEFAULT_TIMEOUT, Limits::default().timeout);
    }

    #[test]
    fn a_secret_is_described_and_not_read() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("secret");
        std::fs::write(&path, "canary").unwrap();
        let environment = Environment::of([("A", "canary")]);
        let check = |reference: SecretReference, present| {
            let standing =
                Standing::of(&reference, &environment, UnixTime::from_seconds(u64::from(u32::MAX)));
            assert_eq!(standing.present, present, "{reference}");
            let text = format!("{}{}", standing.words(), shown(&reference));
            assert!(!text.contains("canary"), "{text}");
            standing
        };
        let file = check(SecretReference::File(path.clone()), Some(true));
        assert!(file.mode.is_some() && file.age.is_some_and(|age| age > 0));
        check(SecretReference::Kubernetes(path.join("x")), Some(false));
        check(SecretReference::Env("A".into()), Some(true));
        check(SecretReference::Env("B".into()), Some(false));
        check(SecretReference::Systemd("s".into()), Some(false));
        check(SecretReference::GithubActions("x".into()), Some(false));
        check(SecretReference::Command(vec!["op".into(), "canary".into()]), None);
        check(SecretReference::Keyring("k".into()), None);
    }
}
