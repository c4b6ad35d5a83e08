//! Protected resource metadata.
//!
//! Sections: RFC 9728 sections 2, 3.2, 3.3
//! Enforces: `resource` equal to the identifier asked for, code point for code
//!   point, before anything else is read; types and URIs of the members we know.
//! Does not enforce: that the authorization servers named may be trusted, or
//!   that addresses may be fetched (egress rules).
//! Limits: 256 KiB, 16 levels.

use bytes::Bytes;

use super::{MetadataError, Reader, Writer};
use crate::names::metadata;
use crate::uri::{EndpointUri, Issuer, ResourceUri};

/// What a protected resource says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceMetadata {
    /// `resource`.
    pub resource: ResourceUri,
    /// `authorization_servers`.
    pub authorization_servers: Vec<Issuer>,
    /// `jwks_uri`.
    pub jwks_uri: Option<EndpointUri>,
    /// `scopes_supported`.
    pub scopes_supported: Vec<String>,
    /// `bearer_methods_supported`.
    pub bearer_methods_supported: Vec<String>,
    /// `resource_name`.
    pub resource_name: Option<String>,
    /// `dpop_signing_alg_values_supported`.
    pub dpop_signing_alg_values_supported: Vec<String>,
    /// `dpop_bound_access_tokens_required`.
    pub dpop_bound_access_tokens_required: bool,
    /// `tls_client_certificate_bound_access_tokens`.
    pub tls_client_certificate_bound_access_tokens: bool,
}

impl ResourceMetadata {
    /// Metadata that names the resource alone.
    #[must_use]
    pub fn new(resource: ResourceUri) -> Self {
        Self {
            resource,
            authorization_servers: Vec::new(),
            jwks_uri: None,
            scopes_supported: Vec::new(),
            bearer_methods_supported: Vec::new(),
            resource_name: None,
            dpop_signing_alg_values_supported: Vec::new(),
            dpop_bound_access_tokens_required: false,
            tls_client_certificate_bound_access_tokens: false,
        }
    }

    /// Reads the document of the resource `expected`.
    ///
    /// # Errors
    /// [`MetadataError`]; a [`MetadataError::Mismatch`] means that the whole
    /// document must be discarded.
    // spec: 9728-C1
    pub fn decode(document: &[u8], expected: &ResourceUri) -> Result<Self, MetadataError> {
        use metadata as m;
        let reader = Reader::new(document)?;
        reader.identity(m::RESOURCE, expected.as_str())?;
        let list = |member| reader.list(member).map(Option::unwrap_or_default);
        let issuer = |text: &String| {
            Issuer::parse(text)
                .map_err(|reason| MetadataError::Uri { member: m::AUTHORIZATION_SERVERS, reason })
        };
        Ok(Self {
            resource: expected.clone(),
            authorization_servers: list(m::AUTHORIZATION_SERVERS)?
                .iter()
                .map(issuer)
                .collect::<Result<_, _>>()?,
            jwks_uri: reader.endpoint(m::JWKS_URI)?,
            scopes_supported: list(m::SCOPES_SUPPORTED)?,
            bearer_methods_supported: list(m::BEARER_METHODS_SUPPORTED)?,
            resource_name: reader.text(m::RESOURCE_NAME)?.map(str::to_owned),
            dpop_signing_alg_values_supported: list(m::DPOP_SIGNING_ALG_VALUES_SUPPORTED)?,
            dpop_bound_access_tokens_required: reader.flag(m::DPOP_BOUND_ACCESS_TOKENS_REQUIRED)?,
            tls_client_certificate_bound_access_tokens: reader
                .flag(m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS)?,
        })
    }

    /// Writes the document, empty members left out.
    // spec: 9728-RS1
    #[must_use]
    pub fn encode(&self) -> Bytes {
        use metadata as m;
        let mut out = Writer::default();
        out.text(m::RESOURCE, Some(self.resource.as_str()));
        let servers: Vec<String> = self.authorization_servers.iter().map(|i| i.as_str().to_owned()).collect();
        out.list(m::AUTHORIZATION_SERVERS, &servers);
        out.endpoint(m::JWKS_URI, self.jwks_uri.as_ref());
        out.list(m::SCOPES_SUPPORTED, &self.scopes_supported);
        out.list(m::BEARER_METHODS_SUPPORTED, &self.bearer_methods_supported);
        out.text(m::RESOURCE_NAME, self.resource_name.as_deref());
        out.list(m::DPOP_SIGNING_ALG_VALUES_SUPPORTED, &self.dpop_signing_alg_values_supported);
        out.flags(&[
            (m::DPOP_BOUND_ACCESS_TOKENS_REQUIRED, self.dpop_bound_access_tokens_required),
            (m::TLS_CLIENT_CERTIFICATE_BOUND_ACCESS_TOKENS, self.tls_client_certificate_bound_access_tokens),
        ]);
        out.finish().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::uri::UriError;

    fn resource() -> ResourceUri {
        ResourceUri::parse("https://rs.example/orders").unwrap()
    }

    // spec-test: 9728-RS1
    #[test]
    fn golden_bytes() {
        let metadata = ResourceMetadata {
            authorization_servers: vec![Issuer::parse("https://as.example").unwrap()],
            bearer_methods_supported: vec!["header".into()],
            dpop_bound_access_tokens_required: true,
            ..ResourceMetadata::new(resource())
        };
        assert_eq!(
            metadata.encode(),
            r#"{"resource":"https://rs.example/orders","authorization_servers":["https://as.example"],"bearer_methods_supported":["header"],"dpop_bound_access_tokens_required":true}"#
        );
        assert_eq!(ResourceMetadata::decode(&metadata.encode(), &resource()), Ok(metadata));
    }

    // spec-test: 9728-C1
    #[test]
    fn the_resource_is_compared_code_point_for_code_point() {
        for found in ["https://rs.example/orders/", "https://rs.example", "https://RS.example/orders"] {
            let document = format!(r#"{{"resource":"{found}"}}"#);
            assert!(matches!(
                ResourceMetadata::decode(document.as_bytes(), &resource()),
                Err(MetadataError::Mismatch { member: "resource", .. })
            ));
        }
        assert_eq!(ResourceMetadata::decode(b"{}", &resource()), Err(MetadataError::Missing("resource")));
    }

    #[test]
    fn an_authorization_server_is_an_issuer() {
        let document = br#"{"resource":"https://rs.example/orders","authorization_servers":["as"]}"#;
        assert_eq!(
            ResourceMetadata::decode(document, &resource()),
            Err(MetadataError::Uri { member: "authorization_servers", reason: UriError::NotAbsolute })
        );
    }
}
