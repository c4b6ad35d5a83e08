//! Which server issues the tokens: [`Server`].

use m2m_proto::uri::{EndpointUri, Issuer};

/// Which server issues the tokens.
#[derive(Clone, Debug)]
pub struct Server(pub(crate) ServerKind);

#[derive(Clone, Debug)]
pub(crate) enum ServerKind {
    Issuer(Issuer),
    Endpoints(Box<Endpoints>),
}

impl Server {
    /// By its issuer identifier; endpoints come from its metadata (RFC 8414),
    /// which must name this very issuer.
    #[must_use]
    pub fn issuer(issuer: Issuer) -> Self {
        Self(ServerKind::Issuer(issuer))
    }

    /// By its endpoints, without discovery.
    #[must_use]
    pub fn endpoints(endpoints: Endpoints) -> Self {
        Self(ServerKind::Endpoints(Box::new(endpoints)))
    }

    /// What stands for the server in cache keys.
    pub(crate) fn identity(&self) -> &str {
        match &self.0 {
            ServerKind::Issuer(issuer) => issuer.as_str(),
            ServerKind::Endpoints(endpoints) => endpoints.token.as_str(),
        }
    }
}

impl From<Issuer> for Server {
    fn from(issuer: Issuer) -> Self {
        Self::issuer(issuer)
    }
}

impl From<Endpoints> for Server {
    fn from(endpoints: Endpoints) -> Self {
        Self::endpoints(endpoints)
    }
}

/// A server's endpoints, where they are configured one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoints {
    /// The token endpoint.
    pub token: EndpointUri,
    /// The introspection endpoint (RFC 7662).
    pub introspection: Option<EndpointUri>,
    /// The revocation endpoint (RFC 7009).
    pub revocation: Option<EndpointUri>,
}

impl Endpoints {
    /// A token endpoint and nothing else.
    #[must_use]
    pub fn token(token: EndpointUri) -> Self {
        Self { token, introspection: None, revocation: None }
    }
}
