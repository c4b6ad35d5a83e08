//! A value and where it came from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::field::Field;
use super::secret::SecretReference;

/// Where a value came from, so that messages and `doctor` can say so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag that was typed.
    Flag(&'static str),
    /// An environment variable.
    Env(&'static str),
    /// A line of a file.
    File {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// This entry of the provider catalogue.
    Provider(String),
    /// Nobody said anything.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Env(name) => f.write_str(name),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Provider(id) => write!(f, "provider {id}"),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value with its origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// The values that one profile states.
pub type Profile = BTreeMap<Field, Sourced<Value>>;

/// A value in the shape that its field has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// A string, or a path.
    Text(String),
    /// Several strings.
    List(Vec<String>),
    /// Names and strings.
    Pairs(Vec<(String, String)>),
    /// A time span.
    Time(Duration),
    /// Yes or no.
    Switch(bool),
    /// Where a secret is; never the secret.
    Secret(SecretReference),
}

/// Whether a text can stand on one line everywhere: no control characters, and no separators of lines and paragraphs
/// (U+2028 and U+2029 end a line of YAML 1.1).
pub(crate) fn is_one_line(text: &str) -> bool {
    !text.contains(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'))
}

impl Value {
    /// Whether each text in it can stand on one line everywhere; `m2m.toml` takes no other.
    pub(crate) fn is_one_line(&self) -> bool {
        use SecretReference as R;
        let path = |path: &Path| is_one_line(&path.to_string_lossy());
        match self {
            Self::Text(text) => is_one_line(text),
            Self::List(list) => list.iter().all(|text| is_one_line(text)),
            Self::Pairs(pairs) => pairs.iter().all(|(name, text)| is_one_line(name) && is_one_line(text)),
            Self::Time(_) | Self::Switch(_) | Self::Secret(R::Stdin) => true,
            Self::Secret(R::Command(argv)) => argv.iter().all(|word| is_one_line(word)),
            Self::Secret(R::File(file) | R::Kubernetes(file) | R::Spiffe(file)) => path(file),
            Self::Secret(R::Env(text) | R::Systemd(text) | R::Keyring(text) | R::GithubActions(text)) => {
                is_one_line(text)
            }
        }
    }

    /// A path, made absolute from the directory it is relative to.
    pub fn path(text: &str, from: Option<&Path>) -> Self {
        let path = from.map_or_else(|| PathBuf::from(text), |from| from.join(text));
        Self::Text(path.to_string_lossy().into_owned())
    }
}

/// A time span as people write it: `10`, `10s`, `500ms`, `5m`, `1h`. At most a year.
///
/// # Errors
/// What is expected, when the text is something else.
pub fn parse_time(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as 10s, 500ms, 5m or 1h, found {text:?}");
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| expected())?;
    let millis = match unit.trim() {
        "ms" => 1,
        "" | "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(expected()),
    };
    let year = 366 * 86_400_000;
    number.checked_mul(millis).filter(|span| *span <= year).map(Duration::from_millis).ok_or_else(expected)
}

/// A time span as [`parse_time`] reads it back.
pub fn time_text(time: Duration) -> String {
    match (time.as_millis(), time.as_secs()) {
        (millis, _) if !millis.is_multiple_of(1_000) => format!("{millis}ms"),
        (_, seconds) if seconds > 0 && seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        (_, seconds) if seconds > 0 && seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        (_, seconds) => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_back() {
        for text in ["10s", "500ms", "5m", "1h", "90s", "0s", "24h"] {
            assert_eq!(time_text(parse_time(text).unwrap()), text);
        }
    }

    #[test]
    fn times() {
        let check =
            |text, expect: Option<u64>| assert_eq!(parse_time(text).ok(), expect.map(Duration::from_millis));
        check("10", Some(10_000));
        check("10s", Some(10_000));
        check("500ms", Some(500));
        check("5m", Some(300_000));
        check("1h", Some(3_600_000));
        check("", None);
        check("-1", None);
        check("1.5s", None);
        check("5 weeks", None);
        check("99999999999999999999", None);
        check("9999999999d", None);
    }
}
