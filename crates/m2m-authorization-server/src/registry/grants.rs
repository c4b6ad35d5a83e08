//! What a client may do, API by API: a short sorted list, because most clients have one grant and the
//! smallest tree takes a kilobyte.

use std::sync::Arc;

use m2m_proto::scope::{Scope, ScopeToken};

use super::api::{Api, ApiIdentifier};

/// What a client may do at one API.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ApiGrant {
    /// The scopes it may ask for.
    pub scopes: Arc<Scope>,
    /// The scopes it gets when it asks for none. Default: all of `scopes`.
    pub defaults: Arc<Scope>,
    /// Carried in the claim `roles`.
    pub roles: Vec<String>,
    /// Carried in the claim `permissions`.
    pub permissions: Vec<String>,
}

impl ApiGrant {
    /// Grants `scopes`, all of them by default, without roles and permissions.
    #[must_use]
    pub fn new(scopes: Scope) -> Self {
        let scopes = Arc::new(scopes);
        Self { defaults: Arc::clone(&scopes), scopes, roles: Vec::new(), permissions: Vec::new() }
    }

    /// The same grant, its names shared with those of `api`.
    fn sharing(mut self, api: &Api) -> Self {
        let shared = |scope: &Scope| {
            let name = |token: &ScopeToken| {
                api.scopes.iter().map(|own| &own.token).find(|own| *own == token).unwrap_or(token).clone()
            };
            // As many as before, and no fewer: names that are equal stay equal.
            Scope::from_tokens(scope.iter().map(name)).unwrap_or_else(|_| scope.clone())
        };
        let same = self.defaults == self.scopes;
        self.scopes = Arc::new(shared(&self.scopes));
        self.defaults = if same { Arc::clone(&self.scopes) } else { Arc::new(shared(&self.defaults)) };
        self
    }
}

/// The grants of a client, by API.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grants(Vec<(ApiIdentifier, ApiGrant)>);

impl Grants {
    fn place(&self, api: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(own, _)| own.as_str().cmp(api))
    }

    /// The grant at that API.
    #[must_use]
    pub fn get(&self, api: &str) -> Option<&ApiGrant> {
        self.place(api).ok().and_then(|place| self.0.get(place)).map(|(_, grant)| grant)
    }

    /// Whether there is a grant at that API.
    #[must_use]
    pub fn contains(&self, api: &str) -> bool {
        self.place(api).is_ok()
    }

    /// Adds a grant; what was granted there before is returned.
    pub fn insert(&mut self, api: ApiIdentifier, grant: ApiGrant) -> Option<ApiGrant> {
        match self.place(api.as_str()) {
            Ok(place) => self.0.get_mut(place).map(|(_, own)| std::mem::replace(own, grant)),
            Err(place) => {
                self.0.reserve_exact(1);
                self.0.insert(place, (api, grant));
                None
            }
        }
    }

    /// Takes all grants away.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Every grant with its API, by identifier.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&ApiIdentifier, &ApiGrant)> {
        self.0.iter().map(|(api, grant)| (api, grant))
    }

    /// The APIs, by identifier.
    pub fn apis(&self) -> impl ExactSizeIterator<Item = &ApiIdentifier> {
        self.0.iter().map(|(api, _)| api)
    }

    /// Every grant, to be changed.
    pub fn iter_mut(&mut self) -> impl ExactSizeIterator<Item = (&ApiIdentifier, &mut ApiGrant)> {
        self.0.iter_mut().map(|(api, grant)| (&*api, grant))
    }

    /// The same grants, their names shared with those of the APIs, so that 10,000 clients of one API keep
    /// one copy of them.
    pub(super) fn sharing<'a>(self, api: impl Fn(&str) -> Option<&'a Arc<Api>>) -> Self {
        let shared = |(identifier, grant): (ApiIdentifier, ApiGrant)| match api(identifier.as_str()) {
            Some(api) => (api.identifier.clone(), grant.sharing(api)),
            None => (identifier, grant),
        };
        Self(self.0.into_iter().map(shared).collect())
    }
}

impl FromIterator<(ApiIdentifier, ApiGrant)> for Grants {
    /// Of two grants at one API the later one counts.
    fn from_iter<I: IntoIterator<Item = (ApiIdentifier, ApiGrant)>>(grants: I) -> Self {
        let mut all = Self::default();
        for (api, grant) in grants {
            all.insert(api, grant);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identifier(text: &str) -> ApiIdentifier {
        ApiIdentifier::parse(text).unwrap()
    }

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    #[test]
    fn one_grant_per_api_in_the_order_of_their_names() {
        let mut grants: Grants =
            ["b", "c", "a"].map(|api| (identifier(api), ApiGrant::new(scope(api)))).into_iter().collect();
        let before = grants.insert(identifier("b"), ApiGrant::new(scope("x")));
        assert_eq!(before, Some(ApiGrant::new(scope("b"))));
        let shown: Vec<String> =
            grants.iter().map(|(api, grant)| format!("{api} {}", grant.scopes)).collect();
        assert_eq!(shown, ["a a", "b x", "c c"]);
        assert!(grants.contains("c") && !grants.contains("d") && grants.get("d").is_none());
        grants.clear();
        assert_eq!(grants, Grants::default());
    }

    #[test]
    fn names_are_shared_and_stay_what_they_were() {
        let api = Api::new(identifier("api"))
            .scope(ScopeToken::parse("orders.archive:read_everything").unwrap(), "");
        let api = Arc::new(api.scope(ScopeToken::parse("write").unwrap(), ""));
        let mut narrow = ApiGrant::new(scope("write orders.archive:read_everything"));
        narrow.defaults = Arc::new(scope("orders.archive:read_everything"));
        let own: Grants = [(identifier("api"), narrow)].into_iter().collect();
        let shared = own.clone().sharing(|name| Some(&api).filter(|api| api.identifier.as_str() == name));
        assert_eq!(shared, own);
        assert_eq!(
            shared.get("api").unwrap().scopes.to_string(),
            "write orders.archive:read_everything",
            "in their own order"
        );
        // Short names are kept where they stand; only a long one has a place of its own.
        let token = |grant: &ApiGrant| grant.defaults.iter().next().unwrap().as_str().as_ptr();
        assert_eq!(token(shared.get("api").unwrap()), api.scopes[0].token.as_str().as_ptr());
    }
}
