//! Authorization server metadata.
//!
//! Sections: RFC 8414 sections 2, 3.2, 3.3; RFC 8705 section 5 (aliases);
//!   RFC 9449 section 5.1
//! Enforces: one JSON object; `issuer` equal to the one asked for, code point
//!   for code point, before anything else is read; types and URIs of the members
//!   that we know.
//! Does not enforce: where the document came from (`m2m-io` fetches it from the
//!   well-known place only); transport and egress rules of the endpoints named.
//! Limits: 256 KiB, 16 levels.

use bytes::Bytes;
use serde_json::Value;

use super::{MetadataError, Reader, Writer};
use crate::error::Endpoint;
use crate::names::{auth_method, metadata};
use crate::uri::{EndpointUri, Issuer};

/// What an authorization server says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerMetadata {
    /// `issuer`.
    pub issuer: Issuer,
    /// `token_endpoint`.
    pub token_endpoint: Option<EndpointUri>,
    /// `introspection_endpoint`.
    pub introspection_endpoint: Option<EndpointUri>,
    /// `revocation_endpoint`.
    pub revocation_endpoint: Option<EndpointUri>,
    /// `jwks_uri`.
    pub jwks_uri: Option<EndpointUri>,
    /// `token_endpoint_auth_methods_supported`, as written; read it through
    /// [`ServerMetadata::auth_methods`], which knows the default.
    pub token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// `token_endpoint_auth_signing_alg_values_supported`.
    pub token_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `introspection_endpoint_auth_methods_supported`.
    pub introspection_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// `introspection_endpoint_auth_signing_alg_values_supported`.
    pub introspection_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `introspection_signing_alg_values_supported` (RFC 9701); empty if answers are not signed.
    pub introspection_signing_alg_values_supported: Vec<String>,
    /// `revocation_endpoint_auth_methods_supported`.
    pub revocation_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// `revocation_endpoint_auth_signing_alg_values_supported`.
    pub revocation_endpoint_auth_signing_alg_values_supported: Vec<String>,
    /// `grant_types_supported`. Absence means nothing for client credentials:
    /// RFC 8414's default is that of browsers, and many servers leave it out.
    pub grant_types_supported: Option<Vec<String>>,
    /// `scopes_supported`; a server may keep scopes to itself.
    pub scopes_supported: Vec<String>,
    /// `dpop_signing_alg_values_supported`; empty if DPoP is not announced.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// `tls_client_certificate_bound_access_tokens`.
    pub tls_client_certificate_bound_access_tokens: bool,
    /// `mtls_endpoint_aliases`.
    pub mtls_endpoint_aliases: EndpointAliases,
}

/// Endpoints for connections with a client certificate (RFC 8705 section 5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndpointAliases {
    /// `token_endpoint`.
    pub token_endpoint: Option<EndpointUri>,
    /// `introspection_endpoint`.
    pub introspection_endpoint: Option<EndpointUri>,
    /// `revocation_endpoint`.
    pub revocation_endpoint: Option<EndpointUri>,
}

/// How a client connects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// Without a client certificate.
    Ordinary,
    /// With one, to authenticate or to bind tokens to it.
    MutualTls,
}

impl ServerMetadata {
    /// Metadata of a server that offers nothing yet.
    #[must_use]
    pub fn new(issuer: Issuer) -> Self {
        Self {
            issuer,
            token_endpoint: None,
            introspection_endpoint: None,
            revocation_endpoint: None,
            jwks_uri: None,
            token_endpoint_auth_methods_supported: None,
            token_endpoint_auth_signing_alg_values_supported: Vec::new(),
            introspection_endpoint_auth_methods_supported: None,
            introspection_endpoint_auth_signing_alg_values_supported: Vec::new(),
            introspection_signing_alg_values_supported: Vec::new(),
            revocation_endpoint_auth_methods_supported: None,
            revocation_endpoint_auth_signing_alg_values_supported: Vec::new(),
            grant_types_supported: None,
            scopes_supported: Vec::new(),
            dpop_signing_alg_values_supported: Vec::new(),
            tls_client_certificate_bound_access_tokens: false,
            mtls_endpoint_aliases: EndpointAliases::default(),
        }
    }

    /// Reads the document of the issuer `expected`.
    ///
    /// # Errors
    /// [`MetadataError`]; a [`MetadataError::Mismatch`] means that the whole
    /// document must be discarded, whoever served it.
    // spec: 8414-C2
    pub fn decode(document: &[u8], expected: &Issuer) -> Result<Self, MetadataError> {
        use metadata as m;
        let reader = Reader::new(document)?;
        reader.identity(m::ISSUER, expected.as_str())?;
        let list = |member| reader.list(member).map(Option::unwrap_or_default);
        Ok(Self {
            issuer: expected.clone(),
            token_endpoint: reader.endpoint(m::TOKEN_ENDPOINT)?,
            introspection_endpoint: reader.endpoint(m::INTROSPECTION_ENDPOINT)?,
            revocation_endpoint: reader.endpoint(m::REVOCATION_ENDPOINT)?,
            jwks_uri: reader.endpoint(m::JWKS_URI)?,
            token_endpoint_auth_methods_supported: reader.list(m::TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED)?,
            token_endpoint_auth_signing_alg_values_supported: list(
                m::TOKEN_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
            )?,
            introspection_endpoint_auth_methods_supported: reader
                .list(m::INTROSPECTION_ENDPOINT_AUTH_METHODS_SUPPORTED)?,
            introspection_endpoint_auth_signing_alg_values_supported: list(
                m::INTROSPECTION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
            )?,
            introspection_signing_alg_values_supported: list(m::INTROSPECTION_SIGNING_ALG_VALUES_SUPPORTED)?,
            revocation_endpoint_auth_methods_supported: reader
                .list(m::REVOCATION_ENDPOINT_AUTH_METHODS_SUPPORTED)?,
            revocation_endpoint_auth_signing_alg_values_supported: list(
                m::REVOCATION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
            )?,
            grant_types_supported: reader.list(m::GRANT_TYPES_SUPPORTED)?,
            scopes_supported: list(m::SCOPES_SUPPORTED)?,
            dpop_signing_alg_values_supported: list(m::DPOP_SIGNING_ALG_VALUES_SUPPORTED)?,
            tls_client_certificate_bound_access_tokens: reader
                .flag(m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS)?,
            mtls_endpoint_aliases: EndpointAliases::read(&reader.object(m::MTLS_ENDPOINT_ALIASES)?)?,
        })
    }

    /// Where to send requests: with a client certificate the alias, if there is
    /// one, else the ordinary endpoint (RFC 8705 section 5). `None` if the
    /// server names neither; always for [`Endpoint::Resource`].
    // spec: 8705-C2
    #[must_use]
    pub fn endpoint(&self, endpoint: Endpoint, connection: Connection) -> Option<&EndpointUri> {
        let aliases = &self.mtls_endpoint_aliases;
        let (ordinary, alias) = match endpoint {
            Endpoint::Token => (&self.token_endpoint, &aliases.token_endpoint),
            Endpoint::Introspection => (&self.introspection_endpoint, &aliases.introspection_endpoint),
            Endpoint::Revocation => (&self.revocation_endpoint, &aliases.revocation_endpoint),
            Endpoint::Resource => return None,
        };
        match connection {
            Connection::Ordinary => ordinary.as_ref(),
            Connection::MutualTls => alias.as_ref().or(ordinary.as_ref()),
        }
    }

    /// The names of the client authentication methods that an endpoint takes.
    /// If the document does not say, `client_secret_basic` (RFC 8414 section
    /// 2); for introspection, what the token endpoint takes, because there
    /// RFC 8414 leaves it open and servers treat them alike.
    // spec: 8414-C3
    pub fn auth_methods(&self, endpoint: Endpoint) -> impl Iterator<Item = &str> {
        let token = self.token_endpoint_auth_methods_supported.as_deref();
        let stated = match endpoint {
            Endpoint::Token => token,
            Endpoint::Introspection => {
                self.introspection_endpoint_auth_methods_supported.as_deref().or(token)
            }
            Endpoint::Revocation => self.revocation_endpoint_auth_methods_supported.as_deref(),
            Endpoint::Resource => Some(&[][..]),
        };
        let default = stated.is_none().then_some(auth_method::CLIENT_SECRET_BASIC);
        stated.unwrap_or_default().iter().map(String::as_str).chain(default)
    }

    /// Writes the document. `response_types_supported`, which RFC 8414 demands,
    /// is empty: this is for servers without an authorization endpoint.
    // spec: 8414-AS1
    #[must_use]
    pub fn encode(&self) -> Bytes {
        use metadata as m;
        let mut out = Writer::default();
        out.text(m::ISSUER, Some(self.issuer.as_str()));
        out.endpoint(m::TOKEN_ENDPOINT, self.token_endpoint.as_ref());
        out.endpoint(m::INTROSPECTION_ENDPOINT, self.introspection_endpoint.as_ref());
        out.endpoint(m::REVOCATION_ENDPOINT, self.revocation_endpoint.as_ref());
        out.endpoint(m::JWKS_URI, self.jwks_uri.as_ref());
        out.0.push((m::RESPONSE_TYPES_SUPPORTED, Value::Array(Vec::new())));
        self.write_lists(&mut out);
        out.flags(&[(
            m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS,
            self.tls_client_certificate_bound_access_tokens,
        )]);
        self.mtls_endpoint_aliases.write(&mut out);
        out.finish().into()
    }

    fn write_lists(&self, out: &mut Writer) {
        use metadata as m;
        let optional = |list: &Option<Vec<String>>| list.clone().unwrap_or_default();
        for (member, items) in [
            (m::GRANT_TYPES_SUPPORTED, &optional(&self.grant_types_supported)),
            (m::SCOPES_SUPPORTED, &self.scopes_supported),
            (
                m::TOKEN_ENDPOINT_AUTH_METHODS_SUPPORTED,
                &optional(&self.token_endpoint_auth_methods_supported),
            ),
            (
                m::TOKEN_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
                &self.token_endpoint_auth_signing_alg_values_supported,
            ),
            (
                m::INTROSPECTION_ENDPOINT_AUTH_METHODS_SUPPORTED,
                &optional(&self.introspection_endpoint_auth_methods_supported),
            ),
            (
                m::INTROSPECTION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
                &self.introspection_endpoint_auth_signing_alg_values_supported,
            ),
            (m::INTROSPECTION_SIGNING_ALG_VALUES_SUPPORTED, &self.introspection_signing_alg_values_supported),
            (
                m::REVOCATION_ENDPOINT_AUTH_METHODS_SUPPORTED,
                &optional(&self.revocation_endpoint_auth_methods_supported),
            ),
            (
                m::REVOCATION_ENDPOINT_AUTH_SIGNING_ALG_VALUES_SUPPORTED,
                &self.revocation_endpoint_auth_signing_alg_values_supported,
            ),
            (m::DPOP_SIGNING_ALG_VALUES_SUPPORTED, &self.dpop_signing_alg_values_supported),
        ] {
            out.list(member, items);
        }
    }
}

impl EndpointAliases {
    fn read(members: &Reader) -> Result<Self, MetadataError> {
        Ok(Self {
            token_endpoint: members.endpoint(metadata::TOKEN_ENDPOINT)?,
            introspection_endpoint: members.endpoint(metadata::INTROSPECTION_ENDPOINT)?,
            revocation_endpoint: members.endpoint(metadata::REVOCATION_ENDPOINT)?,
        })
    }

    fn write(&self, out: &mut Writer) {
        let members: serde_json::Map<String, Value> = [
            (metadata::INTROSPECTION_ENDPOINT, &self.introspection_endpoint),
            (metadata::REVOCATION_ENDPOINT, &self.revocation_endpoint),
            (metadata::TOKEN_ENDPOINT, &self.token_endpoint),
        ]
        .into_iter()
        .filter_map(|(member, uri)| Some((member.to_owned(), uri.as_ref()?.as_str().into())))
        .collect();
        if !members.is_empty() {
            out.0.push((metadata::MTLS_ENDPOINT_ALIASES, Value::Object(members)));
        }
    }
}

#[cfg(test)]
mod tests;
