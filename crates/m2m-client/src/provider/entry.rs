//! The form of a catalogue file. Every key that is not here is an error; what
//! a file leaves out is what the standards say.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// How clients prove who they are.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Auth {
    /// In order of preference: names of RFC 7591, `none`, or `federated` (a
    /// workload token as client assertion).
    pub methods: Vec<String>,
    /// How Basic carries id and secret.
    pub basic_encoding: BasicForm,
    /// The client id is a parameter, too, whatever the method.
    pub client_id_in_body: bool,
}

/// How Basic carries id and secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum BasicForm {
    /// Form-encoded (RFC 6749 section 2.3.1).
    #[default]
    Form,
    /// As they are.
    Raw,
}

/// What a token request looks like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Request {
    /// `grant_type` as it is sent; empty: none is.
    pub grant: String,
    /// The method.
    pub http_method: HttpMethod,
    /// Where parameters go.
    pub place: RequestPlace,
    /// Where `grant_type` goes.
    pub grant_place: GrantPlace,
    /// What stands between two scopes.
    pub scope_separator: String,
    /// Asked for where a profile names none.
    pub scopes: Vec<String>,
    /// Whether a scope must be named.
    pub scope_required: bool,
    /// The parameter for the audience; empty: there is none.
    pub audience: String,
    /// Whether an audience must be named.
    pub audience_required: bool,
    /// Whether a resource must be named.
    pub resource_required: bool,
    /// Always sent.
    pub params: BTreeMap<String, String>,
    /// What a profile's `params` must have.
    pub required_params: Vec<String>,
    /// What they may have.
    pub optional_params: Vec<String>,
    /// Headers, always sent.
    pub headers: BTreeMap<String, String>,
    /// The parameter for the secret with `client_secret_post`.
    pub secret_param: String,
    /// Whether the client id is a parameter with `client_secret_post`.
    pub client_id: bool,
}

impl Default for Request {
    fn default() -> Self {
        Self {
            grant: m2m_proto::names::grant_type::CLIENT_CREDENTIALS.to_owned(),
            http_method: HttpMethod::Post,
            place: RequestPlace::Form,
            grant_place: GrantPlace::Body,
            scope_separator: " ".to_owned(),
            scopes: Vec::new(),
            scope_required: false,
            audience: m2m_proto::names::param::AUDIENCE.to_owned(),
            audience_required: false,
            resource_required: false,
            params: BTreeMap::new(),
            required_params: Vec::new(),
            optional_params: Vec::new(),
            headers: BTreeMap::new(),
            secret_param: m2m_proto::names::param::CLIENT_SECRET.to_owned(),
            client_id: true,
        }
    }
}

/// The method of a token request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum HttpMethod {
    /// POST.
    Post,
    /// GET.
    Get,
}

/// Where parameters go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RequestPlace {
    /// Into a form.
    Form,
    /// Into the URL's query.
    Query,
    /// Into a JSON object.
    Json,
}

/// Where `grant_type` goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GrantPlace {
    /// To the other parameters.
    Body,
    /// Into the URL's query.
    Query,
}

/// What an assertion looks like: the client's own, or that of a grant.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Assertion {
    /// The key signs the grant (RFC 7523 section 2.1) and not the client.
    pub grant: bool,
    /// Nothing is asked for: the signed assertion is the token.
    pub self_signed: bool,
    /// Where it goes.
    pub place: AssertionPlace,
    /// `aud`: `issuer`, `token_endpoint`, `host`, or a text.
    pub audience: String,
    /// `iss`.
    pub issuer: String,
    /// `sub`; empty: none.
    pub subject: String,
    /// Seconds from now to `exp`.
    pub lifetime: u64,
    /// Seconds that the service allows.
    pub max_lifetime: u64,
    /// Seconds that `iat` lies in the past.
    pub backdate: u64,
    /// Accepted algorithms, the preferred one first; empty: any.
    pub algorithms: Vec<String>,
    /// `typ`; empty: none.
    pub typ: String,
    /// Whether there is a `jti`.
    pub jti: bool,
    /// Scopes go into the claim `scope` and not into the form.
    pub scope_claim: bool,
    /// Further claims.
    pub claims: BTreeMap<String, String>,
    /// Header `x5t#S256`, from the profile's certificate.
    pub x5t_s256: bool,
    /// Whether a key id is needed.
    pub key_id: KeyIdRule,
}

impl Default for Assertion {
    fn default() -> Self {
        Self {
            grant: false,
            self_signed: false,
            place: AssertionPlace::ClientAssertion,
            audience: "issuer".to_owned(),
            issuer: "{client_id}".to_owned(),
            subject: "{client_id}".to_owned(),
            lifetime: 60,
            max_lifetime: 300,
            backdate: 0,
            algorithms: Vec::new(),
            typ: m2m_proto::names::typ::CLIENT_AUTHENTICATION_JWT.to_owned(),
            jti: true,
            scope_claim: false,
            claims: BTreeMap::new(),
            x5t_s256: false,
            key_id: KeyIdRule::Optional,
        }
    }
}

/// Where an assertion goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AssertionPlace {
    /// `client_assertion` (RFC 7521 section 4.2).
    ClientAssertion,
    /// `assertion` (RFC 7521 section 4.1).
    Assertion,
    /// The `Authorization` header, as a bearer token.
    Bearer,
}

/// Whether a key id is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyIdRule {
    /// It helps.
    Optional,
    /// Without it the service finds no key.
    Required,
}

/// What a token response looks like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[non_exhaustive]
pub struct Response {
    /// The member that holds the token.
    pub token: String,
    /// The member that holds its life; empty: there is none.
    pub expires_in: String,
    /// The unit of that.
    pub unit: Unit,
    /// The member that holds the moment of its end; empty: there is none.
    pub expires_at: String,
    /// Seconds to assume where the answer says nothing.
    pub lifetime: Option<u64>,
    /// Values of `token_type` that mean Bearer.
    pub token_types: Vec<String>,
    /// `DPoP` is said of tokens that are bound to a certificate.
    pub dpop_without_proof: bool,
    /// All who ask get one token, with what is left of its life.
    pub shared: bool,
    /// Tokens are not to be looked into.
    pub opaque: bool,
    /// Members that callers need.
    pub kept: Vec<String>,
    /// What stands between two scopes.
    pub scope_separator: String,
}

impl Default for Response {
    fn default() -> Self {
        Self {
            token: m2m_proto::names::param::ACCESS_TOKEN.to_owned(),
            expires_in: m2m_proto::names::param::EXPIRES_IN.to_owned(),
            unit: Unit::Seconds,
            expires_at: String::new(),
            lifetime: None,
            token_types: Vec::new(),
            dpop_without_proof: false,
            shared: false,
            opaque: false,
            kept: Vec::new(),
            scope_separator: " ".to_owned(),
        }
    }
}

/// The unit of a life.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Unit {
    /// As RFC 6749 says.
    Seconds,
    /// A thousandth of that.
    Milliseconds,
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
    /// The situation: `wrong_secret`, `missing_audience`, `missing_scope`,
    /// `unauthorized_api`, `clock`, `other`.
    #[serde(rename = "for")]
    pub situation: Option<String>,
    /// Why.
    pub cause: String,
    /// What to do, in the service's own words for its settings.
    pub fix: String,
}

/// What people get wrong.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Trap {
    /// One sentence.
    pub text: String,
}
