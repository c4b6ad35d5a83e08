//! Numbers and switches of a client, with their defaults.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::Limits;
use m2m_proto::client_auth::{AssertionType, BasicEncoding};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::PlainHttp;

use crate::dialect::Dialect;
use crate::provider::Preset;

/// How long before its end a token is renewed where nobody says otherwise: 5 min.
pub const DEFAULT_REFRESH_LEAD: Duration = Duration::from_secs(300);

/// How long a token whose life nobody states is taken to live: 5 min.
pub const DEFAULT_FALLBACK_LIFETIME: Duration = Duration::from_secs(300);

/// What happens when a fresh token is not what was asked for.
///
/// Compared: the granted scope; and of a token that is a JWT, its `aud`, `cnf`
/// and `exp`. (RFC 9068 section 6 would have clients treat tokens as opaque; a
/// readable one is looked at all the same, because the mistake shows here and
/// not as a puzzle at the API.)
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Inspect {
    /// `token_type` is checked, a narrowed scope is logged, and the token itself
    /// is not looked at.
    Off,
    /// Differences are logged.
    #[default]
    Warn,
    /// Differences are errors; the token is not used.
    Error,
}

impl Inspect {
    /// Every rule, the mildest first.
    pub const ALL: [Self; 3] = [Self::Off, Self::Warn, Self::Error];

    /// Its name in configuration.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }

    /// The rule of that name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.as_str() == text)
    }
}

/// What client assertions carry in `aud`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum AssertionAudienceRule {
    /// The issuer (RFC 10070); where only endpoints are configured, the token
    /// endpoint.
    #[default]
    Issuer,
    /// The endpoint that is called, for servers that know only this.
    Endpoint,
    /// This text.
    Literal(String),
    /// The host of the token endpoint, without scheme.
    Host,
}

impl AssertionAudienceRule {
    /// What this service of the catalogue wants.
    #[must_use]
    pub fn of(preset: &Preset) -> Self {
        Self::parse(match (preset.assertion_audience(), preset.issuer()) {
            ("issuer", Some(issuer)) => issuer,
            (audience, _) => audience,
        })
    }

    /// By its name: `issuer`, `token_endpoint`, `host`; anything else is the
    /// text itself.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        match text {
            "issuer" => Self::Issuer,
            "token_endpoint" => Self::Endpoint,
            "host" => Self::Host,
            text => Self::Literal(text.to_owned()),
        }
    }
}

/// What [`AssertionAudienceRule::parse`] reads.
impl std::fmt::Display for AssertionAudienceRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Issuer => "issuer",
            Self::Endpoint => "token_endpoint",
            Self::Host => "host",
            Self::Literal(text) => text,
        })
    }
}

/// Numbers and switches.
#[derive(Clone, Debug)]
pub(crate) struct Tuning {
    pub(crate) refresh_lead: Duration,
    pub(crate) fallback_lifetime: Duration,
    pub(crate) max_lifetime: Duration,
    pub(crate) mint_deadline: Duration,
    pub(crate) reject_floor: Duration,
    pub(crate) assertion_lifetime: Duration,
    pub(crate) max_keys: usize,
    pub(crate) limits: Limits,
    pub(crate) api_limits: Limits,
    pub(crate) inspect: Inspect,
    pub(crate) basic_encoding: BasicEncoding,
    pub(crate) assertion_audience: AssertionAudienceRule,
    pub(crate) assertion_type: AssertionType,
    pub(crate) plain_http: PlainHttp,
    pub(crate) security_profile: SecurityProfile,
    pub(crate) dialect: Arc<Dialect>,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            refresh_lead: DEFAULT_REFRESH_LEAD,
            fallback_lifetime: DEFAULT_FALLBACK_LIFETIME,
            max_lifetime: Duration::from_secs(30 * 24 * 3600),
            mint_deadline: Duration::from_secs(10),
            reject_floor: Duration::from_secs(10),
            assertion_lifetime: Duration::from_secs(60),
            max_keys: 10_000,
            limits: Limits::default(),
            api_limits: Limits {
                max_body_bytes: 16 * 1024 * 1024,
                timeout: Duration::from_secs(30),
                ..Limits::default()
            },
            inspect: Inspect::default(),
            basic_encoding: BasicEncoding::default(),
            assertion_audience: AssertionAudienceRule::default(),
            assertion_type: AssertionType::default(),
            plain_http: PlainHttp::LoopbackOnly,
            security_profile: SecurityProfile::Baseline,
            dialect: Arc::default(),
        }
    }
}
