//! Everything that a client does otherwise because a service wants it so. The
//! default is the standards; a [`Preset`] of the catalogue is the only other
//! source.

use http::{HeaderName, HeaderValue, Method};
use m2m_proto::jose::Algorithm;
use m2m_proto::names::{auth_method, claim, param};
use m2m_proto::token::{
    ErrorShape, GrantTypePlace, LifetimeUnit, ParameterPlace, RequestDialect, ResponseDialect,
};

use crate::error::Error;
use crate::provider::{
    AssertionPlace, GrantPlace, Hint, HttpMethod, KeyIdRule, Preset, RequestPlace, Response, Unit,
};

/// Where the client id is, besides in what the method says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum ClientIdParameter {
    /// Where the method has it.
    #[default]
    Usual,
    /// A parameter, whatever the method.
    Always,
    /// Nowhere but in Basic credentials and assertions.
    Never,
}

/// Whether a token may be of type DPoP without a key of ours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum DpopWithoutProof {
    /// Such a token is refused.
    #[default]
    Refused,
    /// The service says so of tokens that are bound to a certificate; they are
    /// presented as `DPoP`, without proof.
    OfCertificates,
}

/// Whether a secret may be a parameter where parameters go into the URL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum SecretInUrl {
    #[default]
    Refused,
    /// The catalogue says that this service takes it there.
    Known,
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dialect {
    pub(crate) request: RequestDialect,
    pub(crate) response: ResponseDialect,
    pub(crate) headers: Vec<(HeaderName, HeaderValue)>,
    /// Always sent, unless the request states them itself.
    pub(crate) params: Vec<(String, String)>,
    /// An endpoint that the catalogue itself knows as plain HTTP: a service of
    /// the machine's own network, under an address that no router passes on.
    pub(crate) plain_endpoint: Option<String>,
    /// Which preset this is, for cache keys.
    pub(crate) identity: String,
    /// The parameter for the secret; `None`: `client_secret`.
    pub(crate) secret_param: Option<String>,
    pub(crate) client_id: ClientIdParameter,
    pub(crate) secret_in_url: SecretInUrl,
    pub(crate) assertion: AssertionRules,
    pub(crate) dpop_without_proof: DpopWithoutProof,
    pub(crate) hints: Vec<Hint>,
    /// What every request names.
    pub(crate) required: Vec<Required>,
}

/// What a token can be asked for, where a service wants it named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Required {
    Audience,
    Scope,
}

/// What assertions hold, beyond what [`Tuning`](crate::config::Tuning) says.
/// Texts may have the placeholders `{client_id}`, `{subject}` (the extra
/// parameter `sub`) and `{param:NAME}`.
#[derive(Clone, Debug)]
pub(crate) struct AssertionRules {
    pub(crate) place: AssertionPlace,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) backdate_seconds: u64,
    pub(crate) longest_seconds: u64,
    pub(crate) jti: Jti,
    pub(crate) scope: ScopePlace,
    pub(crate) claims: Vec<(String, String)>,
    pub(crate) thumbprint: Thumbprint,
    /// What the service takes, the preferred one first; empty: anything.
    pub(crate) algorithms: Vec<Algorithm>,
    pub(crate) key_id: KeyIdRule,
}

/// Whether assertions have a `jti`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Jti {
    Fresh,
    Absent,
}

/// Where the scope is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ScopePlace {
    Parameter,
    Claim,
}

/// Whether the header names the certificate of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Thumbprint {
    Absent,
    Certificate,
}

const CLIENT_ID: &str = "{client_id}";

impl Default for AssertionRules {
    fn default() -> Self {
        Self {
            place: AssertionPlace::ClientAssertion,
            issuer: CLIENT_ID.to_owned(),
            subject: CLIENT_ID.to_owned(),
            backdate_seconds: 0,
            longest_seconds: 300,
            jti: Jti::Fresh,
            scope: ScopePlace::Parameter,
            claims: Vec::new(),
            thumbprint: Thumbprint::Absent,
            algorithms: Vec::new(),
            key_id: KeyIdRule::Optional,
        }
    }
}

impl AssertionRules {
    /// A subject only where the extra parameter `sub` names one.
    pub(crate) const OPTIONAL_SUBJECT: &'static str = "{subject}";

    /// Whether this extra parameter goes into the assertion, and so not into
    /// the request.
    pub(crate) fn takes(&self, param: &str) -> bool {
        let subject = param == claim::SUB;
        let placeholder = format!("{{param:{param}}}");
        subject || self.claims.iter().any(|(_, text)| text.contains(&placeholder))
    }
}

impl Dialect {
    /// What this preset wants.
    ///
    /// # Errors
    /// `Misconfigured`: a header of the catalogue entry is none.
    pub(crate) fn of(preset: &Preset) -> Result<Self, Error> {
        let provider = preset.provider();
        let request = &provider.request;
        let headers = preset.headers.iter().map(|(name, value)| {
            match (HeaderName::try_from(name), HeaderValue::try_from(value)) {
                (Ok(name), Ok(value)) => Ok((name, value)),
                _ => Err(Error::misconfigured(format!("{}: the header {name} is malformed", provider.id))),
            }
        });
        Ok(Self {
            request: request_dialect(preset),
            response: response_dialect(&provider.response, &provider.errors),
            params: preset.params.clone(),
            plain_endpoint: plain_endpoint(preset),
            identity: identity(preset),
            headers: headers.collect::<Result<_, _>>()?,
            secret_param: (request.secret_param != param::CLIENT_SECRET)
                .then(|| request.secret_param.clone()),
            client_id: match (provider.auth.client_id_in_body, request.client_id) {
                (true, _) => ClientIdParameter::Always,
                (false, true) => ClientIdParameter::Usual,
                (false, false) => ClientIdParameter::Never,
            },
            secret_in_url: match provider
                .auth
                .methods
                .iter()
                .any(|method| method == auth_method::CLIENT_SECRET_POST)
            {
                true => SecretInUrl::Known,
                false => SecretInUrl::Refused,
            },
            assertion: assertion_rules(preset),
            dpop_without_proof: match provider.response.dpop_without_proof {
                true => DpopWithoutProof::OfCertificates,
                false => DpopWithoutProof::Refused,
            },
            hints: provider.hints.clone(),
            required: [
                request.audience_required.then_some(Required::Audience),
                request.scope_required.then_some(Required::Scope),
            ]
            .into_iter()
            .flatten()
            .collect(),
        })
    }
}

fn plain_endpoint(preset: &Preset) -> Option<String> {
    let template = preset.provider().endpoints.token.as_deref()?;
    // No variable has a say in it.
    (template.starts_with("http://") && !template.contains('{')).then(|| template.to_owned())
}

/// Provider and variables: two presets that differ ask for different tokens.
fn identity(preset: &Preset) -> String {
    let variables = preset.variables().iter().map(|(name, value)| format!("\n{name}={value}"));
    std::iter::once(preset.provider().id.clone()).chain(variables).collect()
}

fn request_dialect(preset: &Preset) -> RequestDialect {
    let request = &preset.provider().request;
    RequestDialect {
        method: match request.http_method {
            HttpMethod::Post => Method::POST,
            HttpMethod::Get => Method::GET,
        },
        place: match request.place {
            RequestPlace::Form => ParameterPlace::Form,
            RequestPlace::Query => ParameterPlace::Query,
            RequestPlace::Json => ParameterPlace::Json,
        },
        grant_type: match request.grant_place {
            _ if request.grant.is_empty() => GrantTypePlace::Absent,
            GrantPlace::Body => GrantTypePlace::Parameters,
            GrantPlace::Query => GrantTypePlace::Query,
        },
        scope_separator: request.scope_separator.chars().next().unwrap_or(' '),
        audience: (!request.audience.is_empty()).then(|| request.audience.clone()),
    }
}

impl From<Unit> for LifetimeUnit {
    fn from(unit: Unit) -> Self {
        match unit {
            Unit::Seconds => Self::Seconds,
            Unit::Milliseconds => Self::Milliseconds,
        }
    }
}

fn response_dialect(response: &Response, errors: &[crate::provider::ErrorPointers]) -> ResponseDialect {
    let member = |name: &String| (!name.is_empty()).then(|| name.clone());
    ResponseDialect {
        token: response.token.clone(),
        expires_in: member(&response.expires_in),
        unit: response.unit.into(),
        expires_at: member(&response.expires_at),
        bearer_names: response.token_types.clone(),
        scope_separator: response.scope_separator.chars().next().unwrap_or(' '),
        errors: errors
            .iter()
            .map(|shape| ErrorShape { code: shape.code.clone(), description: shape.description.clone() })
            .collect(),
    }
}

fn assertion_rules(preset: &Preset) -> AssertionRules {
    let assertion = &preset.provider().assertion;
    AssertionRules {
        place: assertion.place,
        issuer: assertion.issuer.clone(),
        subject: assertion.subject.clone(),
        backdate_seconds: assertion.backdate,
        longest_seconds: assertion.max_lifetime,
        jti: if assertion.jti { Jti::Fresh } else { Jti::Absent },
        scope: if assertion.scope_claim { ScopePlace::Claim } else { ScopePlace::Parameter },
        claims: preset.claims.clone(),
        // Those that we do not know cannot be used either.
        algorithms: assertion.algorithms.iter().filter_map(|name| Algorithm::parse(name)).collect(),
        key_id: assertion.key_id,
        thumbprint: if assertion.x5t_s256 { Thumbprint::Certificate } else { Thumbprint::Absent },
    }
}
