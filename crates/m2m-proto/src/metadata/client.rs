//! Client metadata, as far as machines have any.
//!
//! Sections: RFC 7591 section 2; RFC 8705 section 3.4; RFC 9449 section 5.2
//! Enforces: one JSON object; types; never both `jwks` and `jwks_uri`.
//! Does not enforce: that a server supports what is asked for, or that
//!   `jwks_uri` may be fetched (egress rules).
//! Limits: 256 KiB, 16 levels.
//!
//! Defaults of RFC 7591 are applied by the accessors, not stored, so that what
//! is written again is what was read.

use bytes::Bytes;
use serde_json::Value;

use super::{MetadataError, Reader, Writer};
use crate::names::{auth_method, metadata};
use crate::scope::Scope;
use crate::uri::EndpointUri;

/// What a client says, or has registered, about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientMetadata {
    /// `client_name`.
    pub client_name: Option<String>,
    /// `token_endpoint_auth_method`; see [`ClientMetadata::auth_method`].
    pub token_endpoint_auth_method: Option<String>,
    /// `token_endpoint_auth_signing_alg`.
    pub token_endpoint_auth_signing_alg: Option<String>,
    /// `grant_types`. RFC 7591's default, the authorization code, is of no use
    /// to machines.
    pub grant_types: Vec<String>,
    /// `scope`.
    pub scope: Option<Scope>,
    /// `jwks_uri`.
    pub jwks_uri: Option<EndpointUri>,
    /// `jwks`, for `jose::JwkSet` to read.
    pub jwks: Option<Value>,
    /// `dpop_bound_access_tokens`.
    pub dpop_bound_access_tokens: bool,
    /// `tls_client_certificate_bound_access_tokens`.
    pub tls_client_certificate_bound_access_tokens: bool,
}

impl ClientMetadata {
    /// Reads a registration request or response; members about secrets and
    /// registration itself are not part of the metadata.
    ///
    /// # Errors
    /// [`MetadataError`], naming the first rule broken.
    // spec: 7591-AS1
    pub fn decode(document: &[u8]) -> Result<Self, MetadataError> {
        use metadata as m;
        let reader = Reader::new(document)?;
        let text = |member| reader.text(member).map(|t| t.map(str::to_owned));
        let jwks = match reader.0.get(m::JWKS) {
            None | Some(Value::Null) => None,
            Some(set @ Value::Object(_)) => Some(set.clone()),
            Some(_) => return Err(MetadataError::MemberType(m::JWKS)),
        };
        let jwks_uri = reader.endpoint(m::JWKS_URI)?;
        if jwks.is_some() && jwks_uri.is_some() {
            return Err(MetadataError::Both(m::JWKS, m::JWKS_URI));
        }
        let scope = reader.text(m::SCOPE)?.map(Scope::parse).transpose();
        Ok(Self {
            client_name: text(m::CLIENT_NAME)?,
            token_endpoint_auth_method: text(m::TOKEN_ENDPOINT_AUTH_METHOD)?,
            token_endpoint_auth_signing_alg: text(m::TOKEN_ENDPOINT_AUTH_SIGNING_ALG)?,
            grant_types: reader.list(m::GRANT_TYPES)?.unwrap_or_default(),
            scope: scope.map_err(|_| MetadataError::MemberType(m::SCOPE))?,
            jwks_uri,
            jwks,
            dpop_bound_access_tokens: reader.flag(m::DPOP_BOUND_ACCESS_TOKENS)?,
            tls_client_certificate_bound_access_tokens: reader
                .flag(m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS)?,
        })
    }

    /// The authentication method, `client_secret_basic` if none is named.
    #[must_use]
    pub fn auth_method(&self) -> &str {
        self.token_endpoint_auth_method.as_deref().unwrap_or(auth_method::CLIENT_SECRET_BASIC)
    }

    /// Writes the document, empty members left out.
    #[must_use]
    pub fn encode(&self) -> Bytes {
        use metadata as m;
        let mut out = Writer::default();
        out.text(m::CLIENT_NAME, self.client_name.as_deref());
        out.text(m::TOKEN_ENDPOINT_AUTH_METHOD, self.token_endpoint_auth_method.as_deref());
        out.text(m::TOKEN_ENDPOINT_AUTH_SIGNING_ALG, self.token_endpoint_auth_signing_alg.as_deref());
        out.list(m::GRANT_TYPES, &self.grant_types);
        let scope = self.scope.as_ref().filter(|s| !s.is_empty()).map(ToString::to_string);
        out.text(m::SCOPE, scope.as_deref());
        out.endpoint(m::JWKS_URI, self.jwks_uri.as_ref());
        if let Some(jwks) = &self.jwks {
            out.0.push((m::JWKS, jwks.clone()));
        }
        out.flags(&[
            (m::DPOP_BOUND_ACCESS_TOKENS, self.dpop_bound_access_tokens),
            (m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS, self.tls_client_certificate_bound_access_tokens),
        ]);
        out.finish().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let metadata = ClientMetadata {
            client_name: Some("orders".into()),
            token_endpoint_auth_method: Some("private_key_jwt".into()),
            token_endpoint_auth_signing_alg: Some("ES256".into()),
            grant_types: vec!["client_credentials".into()],
            scope: Some(Scope::parse("b a").unwrap()),
            jwks_uri: Some(EndpointUri::parse("https://c.example/jwks").unwrap()),
            dpop_bound_access_tokens: true,
            ..ClientMetadata::default()
        };
        assert_eq!(
            metadata.encode(),
            r#"{"client_name":"orders","token_endpoint_auth_method":"private_key_jwt","token_endpoint_auth_signing_alg":"ES256","grant_types":["client_credentials"],"scope":"b a","jwks_uri":"https://c.example/jwks","dpop_bound_access_tokens":true}"#
        );
        assert_eq!(ClientMetadata::decode(&metadata.encode()), Ok(metadata));
    }

    // spec-test: 7591-AS1
    #[test]
    fn the_default_method_is_basic_and_keys_come_one_way() {
        let read = |text: &str| ClientMetadata::decode(text.as_bytes());
        assert_eq!(read("{}").unwrap().auth_method(), "client_secret_basic");
        assert_eq!(
            read(r#"{"jwks":{"keys":[]},"jwks_uri":"https://c.example/jwks"}"#),
            Err(MetadataError::Both("jwks", "jwks_uri"))
        );
        assert_eq!(read(r#"{"jwks":[]}"#), Err(MetadataError::MemberType("jwks")));
        assert_eq!(read(r#"{"scope":"a  b"}"#), Err(MetadataError::MemberType("scope")));
        assert!(read(r#"{"jwks":{"keys":[]}}"#).unwrap().jwks.is_some());
    }
}
