//! A provider with its gaps filled: [`Preset`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::uri::Origin;
use regex_lite::Regex;

use super::entry::{Hint, Provider, Variable, VariableKind};
use crate::template::{fill, names};

/// Placeholders that are filled when a request is made, not from variables.
const LATE: [&str; 2] = ["client_id", "subject"];

/// Why a provider cannot be used with what was given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PresetError {
    /// No token can be had from it.
    #[error("{name} gives no tokens here: {reason}")]
    Unusable {
        /// The provider.
        name: String,
        /// Why, and what to do instead.
        reason: String,
    },
    /// A variable has no value.
    #[error("{name} is missing: {help}, such as {example}")]
    Missing {
        /// The variable.
        name: String,
        /// What it is.
        help: String,
        /// A value as it looks.
        example: String,
    },
    /// A value was given for something that the provider does not have.
    #[error("{name} is no variable of {provider}; it has {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The provider.
        provider: String,
        /// Those that it has.
        known: String,
    },
    /// A value cannot be.
    #[error("{name}: {value:?} is not {help}, such as {example}")]
    Invalid {
        /// The variable.
        name: String,
        /// The value.
        value: String,
        /// What it should be.
        help: String,
        /// A value as it looks.
        example: String,
    },
}

/// One service, ready to be spoken to: its endpoints, and what it wants done
/// otherwise than the standards say. See
/// [`ClientBuilder::preset`](crate::ClientBuilder::preset).
#[derive(Clone, Debug)]
pub struct Preset {
    pub(crate) provider: Provider,
    pub(crate) variables: BTreeMap<String, String>,
    pub(crate) claims: Vec<(String, String)>,
    pub(crate) params: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    issuer: Option<String>,
    token: Option<String>,
    mtls_token: Option<String>,
    introspection: Option<String>,
    revocation: Option<String>,
    discovery: Vec<String>,
    audience: String,
}

/// Whose URLs count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urls {
    /// The provider's own; each variable that they need is needed.
    OfProvider,
    /// Those that a profile states itself: variables that only URLs need may be
    /// absent, and the URLs that need them are.
    Stated,
}

impl Provider {
    /// Fills in the variables.
    ///
    /// A host may be given as a URL; `http://` counts on loopback, for tests.
    ///
    /// # Errors
    /// [`PresetError`], naming the variable.
    pub fn resolve(&self, given: &[(String, String)]) -> Result<Preset, PresetError> {
        self.resolve_with(given, Urls::OfProvider)
    }

    /// As [`Provider::resolve`] for a profile that states the server's URLs
    /// itself: [`Urls::Stated`].
    ///
    /// # Errors
    /// [`PresetError`], naming the variable.
    pub fn resolve_elsewhere(&self, given: &[(String, String)]) -> Result<Preset, PresetError> {
        self.resolve_with(given, Urls::Stated)
    }

    /// Fills in the variables, for a profile with such URLs.
    ///
    /// # Errors
    /// [`PresetError`], naming the variable.
    pub fn resolve_with(&self, given: &[(String, String)], urls: Urls) -> Result<Preset, PresetError> {
        if let Some(reason) = &self.reason {
            return Err(PresetError::Unusable { name: self.name.clone(), reason: reason.clone() });
        }
        let values = Values::of(self, given)?;
        let url = |template: &Option<String>| match template {
            Some(template) => values.url(template, urls),
            None => Ok(None),
        };
        let pairs = |pairs: &BTreeMap<String, String>| -> Result<Vec<(String, String)>, PresetError> {
            pairs.iter().map(|(name, text)| Ok((name.clone(), values.text(text)?))).collect()
        };
        let endpoints = &self.endpoints;
        let mut discovery = Vec::new();
        for template in &endpoints.discovery {
            discovery.extend(values.url(template, urls)?);
        }
        Ok(Preset {
            claims: pairs(&self.assertion.claims)?,
            params: pairs(&self.request.params)?,
            headers: pairs(&self.request.headers)?,
            issuer: url(&endpoints.issuer)?,
            token: url(&endpoints.token)?,
            mtls_token: url(&endpoints.mtls_token)?,
            introspection: url(&endpoints.introspection)?,
            revocation: url(&endpoints.revocation)?,
            discovery,
            audience: values.text(&self.assertion.audience)?,
            provider: self.clone(),
            variables: values.shown(),
        })
    }
}

impl Preset {
    /// What the catalogue says.
    #[must_use]
    pub fn provider(&self) -> &Provider {
        &self.provider
    }

    /// The variables, defaults included.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    /// The issuer identifier, where it is known.
    #[must_use]
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// The token endpoint.
    #[must_use]
    pub fn token_url(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// The token endpoint for a client that authenticates by `method`: with a
    /// certificate it may be another.
    #[must_use]
    pub fn token_url_for(&self, method: Option<ClientAuthMethod>) -> Option<&str> {
        let mtls = method.is_some_and(ClientAuthMethod::uses_certificate);
        self.mtls_token.as_deref().filter(|_| mtls).or(self.token.as_deref())
    }

    /// Parameters that are always sent, variables filled in.
    #[must_use]
    pub fn params(&self) -> &[(String, String)] {
        &self.params
    }

    /// The introspection endpoint.
    #[must_use]
    pub fn introspection_url(&self) -> Option<&str> {
        self.introspection.as_deref()
    }

    /// The revocation endpoint.
    #[must_use]
    pub fn revocation_url(&self) -> Option<&str> {
        self.revocation.as_deref()
    }

    /// Where its metadata is.
    #[must_use]
    pub fn discovery_urls(&self) -> &[String] {
        &self.discovery
    }

    /// What assertions carry in `aud`: `issuer`, `token_endpoint`, `host`, or a
    /// text.
    #[must_use]
    pub fn assertion_audience(&self) -> &str {
        &self.audience
    }

    /// How clients prove who they are, the preferred way first.
    #[must_use]
    pub fn methods(&self) -> &[String] {
        &self.provider.auth.methods
    }

    /// The life of tokens whose answer says nothing.
    #[must_use]
    pub fn lifetime(&self) -> Option<Duration> {
        self.provider.response.lifetime.map(Duration::from_secs)
    }

    /// What the service's errors mean.
    #[must_use]
    pub fn hints(&self) -> &[Hint] {
        &self.provider.hints
    }
}

/// Values of variables, checked.
struct Values<'p> {
    provider: &'p Provider,
    values: BTreeMap<&'p str, String>,
    /// Hosts that were given with `http://`.
    plain: Vec<String>,
}

impl<'p> Values<'p> {
    fn of(provider: &'p Provider, given: &[(String, String)]) -> Result<Self, PresetError> {
        let known = |name: &str| provider.variables.iter().any(|variable| variable.name == name);
        if let Some((name, _)) = given.iter().find(|(name, _)| !known(name)) {
            let known: Vec<&str> = provider.variables.iter().map(|variable| variable.name.as_str()).collect();
            return Err(PresetError::Unknown {
                name: name.clone(),
                provider: provider.name.clone(),
                known: if known.is_empty() { "none".to_owned() } else { known.join(", ") },
            });
        }
        let mut values = Self { provider, values: BTreeMap::new(), plain: Vec::new() };
        for variable in &provider.variables {
            let stated = given.iter().find(|(name, _)| *name == variable.name).map(|(_, value)| value);
            if let Some(value) = stated.or(variable.default.as_ref()) {
                let value = values.checked(variable, value)?;
                values.values.insert(&variable.name, value);
            }
        }
        Ok(values)
    }

    fn shown(&self) -> BTreeMap<String, String> {
        self.values.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    }

    fn checked(&mut self, variable: &Variable, value: &str) -> Result<String, PresetError> {
        let invalid = || PresetError::Invalid {
            name: variable.name.clone(),
            value: value.to_owned(),
            help: variable.help.clone(),
            example: variable.example.clone(),
        };
        let text = value.trim();
        let loopback = match variable.kind {
            VariableKind::Host => is_loopback(text),
            VariableKind::Text => false,
        };
        let host = match variable.kind {
            VariableKind::Text => text,
            VariableKind::Host => {
                let host = text.strip_prefix("https://").unwrap_or(text);
                let host = match host.strip_prefix("http://") {
                    Some(host) if loopback => {
                        self.plain.push(host.trim_end_matches('/').to_owned());
                        host
                    }
                    _ => host,
                };
                host.trim_end_matches('/')
            }
        };
        let origin = Origin::parse(&format!("https://{host}"));
        let name = match (variable.kind, &origin) {
            (VariableKind::Host, Ok(origin)) => origin.host(),
            _ => host,
        };
        let fits = match variable.kind {
            VariableKind::Host => origin.is_ok(),
            // Empty only where the provider's own default is.
            VariableKind::Text => {
                (!host.is_empty() || variable.default.as_deref() == Some(""))
                    && !host.chars().any(char::is_control)
            }
        };
        let pattern = variable.pattern.as_ref().filter(|_| !loopback);
        let matches = pattern.is_none_or(|pattern| whole(pattern).is_some_and(|regex| regex.is_match(name)));
        if fits && matches { Ok(host.to_owned()) } else { Err(invalid()) }
    }

    fn missing(&self, name: &str) -> PresetError {
        let variable = self.provider.variables.iter().find(|variable| variable.name == name);
        PresetError::Missing {
            name: name.to_owned(),
            help: variable.map_or_else(String::new, |variable| variable.help.clone()),
            example: variable.map_or_else(String::new, |variable| variable.example.clone()),
        }
    }

    /// Variables filled in; what belongs to a single request stays a placeholder.
    fn text(&self, template: &str) -> Result<String, PresetError> {
        fill(template, |name| {
            if LATE.contains(&name) || name.starts_with("param:") {
                return Some(Cow::Owned(format!("{{{name}}}")));
            }
            self.values.get(name).map(|value| Cow::Borrowed(value.as_str()))
        })
        .map_err(|name| self.missing(&name))
    }

    /// A URL, or none where it needs a variable that may be absent.
    fn url(&self, template: &str, urls: Urls) -> Result<Option<String>, PresetError> {
        if urls == Urls::Stated && names(template).any(|name| !self.values.contains_key(name)) {
            return Ok(None);
        }
        for name in names(template) {
            self.fit_for_url(name)?;
        }
        let url = self.text(template)?;
        let plain = self.plain.iter().find(|host| url.starts_with(&format!("https://{host}")));
        Ok(Some(if plain.is_some() { url.replacen("https://", "http://", 1) } else { url }))
    }

    /// A value must not leave its place in a URL: what a profile calls a region
    /// is no path, query or other host.
    fn fit_for_url(&self, name: &str) -> Result<(), PresetError> {
        let Some(value) = self.values.get(name) else { return Err(self.missing(name)) };
        let Some(variable) = self.provider.variables.iter().find(|variable| variable.name == name) else {
            return Err(self.missing(name));
        };
        // A pattern has said what it may hold, a path among it.
        let path = variable.pattern.is_some();
        let fine = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c) || (c == '/' && path);
        let climbs = value.split('/').any(|segment| segment == ".." || segment == ".");
        if variable.kind == VariableKind::Host || (value.chars().all(fine) && !climbs) {
            return Ok(());
        }
        Err(PresetError::Invalid {
            name: name.to_owned(),
            value: value.clone(),
            help: variable.help.clone(),
            example: variable.example.clone(),
        })
    }
}

/// The pattern for the whole text.
pub(super) fn whole(pattern: &str) -> Option<Regex> {
    Regex::new(&format!("^(?:{pattern})$")).ok()
}

fn is_loopback(text: &str) -> bool {
    let url = if text.contains("://") { text.to_owned() } else { format!("https://{text}") };
    Origin::parse(url.trim_end_matches('/')).is_ok_and(|origin| origin.is_loopback())
}
