//! What to ask a token for: [`TokenSpec`].

use m2m_proto::scope::Scope;
use m2m_proto::uri::{Origin, ResourceUri};

/// The part of a token request that differs between the APIs that one client
/// calls. What a spec leaves empty is filled from the client's own settings,
/// so `TokenSpec::default()` is the client's own token.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TokenSpec {
    /// The scope to ask for; `None`: the client's.
    pub scope: Option<Scope>,
    /// `audience` parameters, in this order; empty: the client's.
    pub audience: Vec<String>,
    /// `resource` parameters (RFC 8707), in this order; empty: the client's.
    pub resources: Vec<ResourceUri>,
    /// Further parameters. The client's are added unless a name is here too.
    pub params: Vec<(String, String)>,
    /// The name of this token in metrics and logs; empty: the client's label.
    pub label: String,
}

impl TokenSpec {
    /// A spec that leaves everything to the client.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks for this scope.
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Adds an `audience` parameter.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience.push(audience.into());
        self
    }

    /// Adds a `resource` parameter (RFC 8707).
    #[must_use]
    pub fn resource(mut self, resource: ResourceUri) -> Self {
        self.resources.push(resource);
        self
    }

    /// Adds any other parameter of the token request.
    #[must_use]
    pub fn param(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.params.push((name.into(), value.into()));
        self
    }

    /// Names this token in metrics and logs. Not part of the cache key.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// This spec with its gaps filled from `own`.
    pub(crate) fn over(&self, own: &Self) -> Self {
        let either =
            |mine: &str, theirs: &str| if mine.is_empty() { theirs.to_owned() } else { mine.to_owned() };
        let mut params = self.params.clone();
        params.extend(
            own.params.iter().filter(|(name, _)| self.params.iter().all(|(n, _)| n != name)).cloned(),
        );
        Self {
            scope: self.scope.clone().or_else(|| own.scope.clone()),
            audience: if self.audience.is_empty() { own.audience.clone() } else { self.audience.clone() },
            resources: if self.resources.is_empty() { own.resources.clone() } else { self.resources.clone() },
            params,
            label: either(&self.label, &own.label),
        }
    }

    /// The origins of those audiences and resources that are URLs.
    pub(crate) fn origins(&self) -> Vec<Origin> {
        let audiences = self.audience.iter().map(String::as_str);
        let resources = self.resources.iter().map(ResourceUri::as_str);
        audiences.chain(resources).filter_map(origin_of).collect()
    }
}

/// The origin of an http or https URL; `None` for anything else, for instance
/// an audience like `api://orders`.
pub(crate) fn origin_of(url: &str) -> Option<Origin> {
    ResourceUri::parse(url).ok()?.origin()
}
