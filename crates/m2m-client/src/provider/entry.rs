//! The form of a catalogue file. Every key that is not here is an error; what
//! a file leaves out is what the standards say.

mod messages;

use serde::{Deserialize, Serialize};

pub use messages::{
    Assertion, AssertionPlace, Auth, BasicForm, GrantPlace, HttpMethod, KeyIdRule, Request, RequestPlace,
    Response, Unit,
};

/// One token service.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Provider {
    /// Its name in configuration; the file's name, too.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// Other names that find it.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Under which heading lists show it.
    pub kind: ProviderKind,
    /// One line.
    pub summary: String,
    /// The vendor's own page.
    pub docs: String,
    /// Where the facts were read, and when.
    pub source: String,
    /// How the facts are known.
    pub confidence: Confidence,
    /// Set where no token can be had from it, or not by this library: why, and
    /// what to do instead.
    pub reason: Option<String>,
    /// Paths of facts in this file that nobody has checked against a source.
    #[serde(default)]
    pub unverified: Vec<String>,
    /// What the URLs and parameters leave open.
    #[serde(default)]
    pub variables: Vec<Variable>,
    /// Templates of its URLs.
    #[serde(default)]
    pub endpoints: Endpoints,
    /// How clients prove who they are.
    #[serde(default)]
    pub auth: Auth,
    /// What a token request looks like.
    #[serde(default)]
    pub request: Request,
    /// What an assertion looks like.
    #[serde(default)]
    pub assertion: Assertion,
    /// What a token response looks like.
    #[serde(default)]
    pub response: Response,
    /// Error bodies that are not those of RFC 6749; the first that yields a
    /// code counts.
    #[serde(default)]
    pub errors: Vec<ErrorPointers>,
    /// The file in which it hands out a client and its key.
    pub key_file: Option<KeyFile>,
    /// How it tells quotas.
    #[serde(default)]
    pub quota: Quota,
    /// What its errors really mean; the first that fits counts.
    #[serde(default)]
    pub hints: Vec<Hint>,
    /// What people get wrong.
    #[serde(default)]
    pub traps: Vec<Trap>,
}

impl Provider {
    /// Under which names it is found: the id first.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.id).chain(&self.aliases).map(String::as_str)
    }

    /// Reads a catalogue file; for services that the catalogue does not have.
    ///
    /// # Errors
    /// What is wrong with the text, on one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|error| error.to_string().trim().replace('\n', " "))
    }

    /// Whether tokens can be had from it.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.reason.is_none()
    }

    /// Whether a key of the client signs the request itself: what it sends as the
    /// grant (RFC 7523 section 2.1), or the token.
    #[must_use]
    pub fn signs(&self) -> bool {
        self.assertion.grant || self.assertion.self_signed
    }

    /// Whether the fact at this path of the file is marked as unchecked.
    #[must_use]
    pub fn is_unverified(&self, path: &str) -> bool {
        self.unverified.iter().any(|unverified| unverified == path)
    }
}

/// The headings of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ProviderKind {
    /// Identity platforms.
    Identity,
    /// Enterprise and data platforms.
    Platform,
    /// Software as a service.
    Saas,
    /// Where workloads get tokens about themselves.
    Workload,
}

/// How facts are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Confidence {
    /// From the vendor's documentation, a specification or source code.
    Read,
    /// From other people's public code, configuration or texts.
    Secondary,
    /// From memory.
    Mem,
}

impl ProviderKind {
    /// Every heading, in the order in which lists show them.
    pub const ALL: [Self; 4] = [Self::Identity, Self::Platform, Self::Saas, Self::Workload];

    /// The heading for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::Identity => "Identity platforms",
            Self::Platform => "Enterprise and data platforms",
            Self::Saas => "Software as a service",
            Self::Workload => "Sources of workload tokens",
        }
    }
}

impl Confidence {
    /// What to tell people.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read at the source",
            Self::Secondary => "from other people's code and texts",
            Self::Mem => "unverified",
        }
    }
}

/// A gap in URLs and parameters.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Variable {
    /// Its key in a profile, and its placeholder.
    pub name: String,
    /// What kind of text.
    #[serde(default)]
    pub kind: VariableKind,
    /// A regular expression that the whole value matches.
    pub pattern: Option<String>,
    /// A value as it looks.
    pub example: String,
    /// What it is and where to find it.
    pub help: String,
    /// What stands for it where nobody says anything.
    pub default: Option<String>,
}

/// What kind of text a variable is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum VariableKind {
    /// Any.
    #[default]
    Text,
    /// A host name, with a port or without.
    Host,
}

/// Templates of URLs.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Endpoints {
    /// The issuer identifier, exactly.
    pub issuer: Option<String>,
    /// The token endpoint.
    pub token: Option<String>,
    /// The token endpoint for clients with certificates, where it is another.
    pub mtls_token: Option<String>,
    /// The introspection endpoint.
    pub introspection: Option<String>,
    /// The revocation endpoint.
    pub revocation: Option<String>,
    /// Where its metadata is.
    #[serde(default)]
    pub discovery: Vec<String>,
}

/// Where an error body that is not RFC 6749's holds what (JSON pointers, RFC 6901).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct ErrorPointers {
    /// The code, a string or a number.
    pub code: String,
    /// The text.
    pub description: Option<String>,
}

/// A JSON file that holds a client and its private key: which member is what.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct KeyFile {
    /// What its member `type` says. No two providers have the same.
    #[serde(rename = "type")]
    pub kind: String,
    /// The member that is the client id.
    pub client_id: String,
    /// The member that is the private key, PEM.
    pub private_key: String,
    /// The member that is the key's id.
    pub key_id: String,
    /// The member that is the token endpoint.
    pub token_url: String,
    /// Members that no client needs, `type` not counted.
    pub ignored: Vec<String>,
}

impl KeyFile {
    /// The members that a client needs.
    #[must_use]
    pub fn members(&self) -> [&str; 4] {
        [&self.client_id, &self.private_key, &self.key_id, &self.token_url]
    }
}

/// How quotas are told.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Quota {
    /// Header names.
    pub headers: Vec<String>,
}

/// What an error of this service really means. All conditions that are there
/// must hold.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Hint {
    /// The status.
    pub status: Option<u16>,
    /// The code as it was sent.
    pub code: Option<String>,
    /// A part of the description.
    pub contains: Option<String>,
    /// The RFC's code for this.
    pub means: Option<String>,
    /// Whether it passes by itself.
    #[serde(default)]
    pub transient: bool,
    /// The situation.
    #[serde(rename = "for")]
    pub situation: Option<Situation>,
    /// Why.
    pub cause: String,
    /// What to do, in the service's own words for its settings.
    pub fix: String,
}

/// What went wrong where a service sends an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Situation {
    /// The client is unknown, or its credential is not the one that the service
    /// knows.
    WrongSecret,
    /// The same of a key, where it is registered elsewhere than a secret.
    WrongKey,
    /// The request names no API, or one that the service does not know.
    MissingAudience,
    /// The request names no scope, or one that the service does not know.
    MissingScope,
    /// The client may not call the API.
    UnauthorizedApi,
    /// The clocks differ.
    Clock,
    /// None of these.
    Other,
}

/// What people get wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Trap {
    /// One sentence.
    pub text: String,
}
