//! What this server tells about itself, and it is true.
//!
//! Sections: RFC 8414 §2, §3; RFC 8705 §5; RFC 9449 §5.1
//! The document of OpenID discovery is the same one: clients look in either place.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State as Extracted;
use bytes::Bytes;
use http::HeaderMap;
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::dpop::proof::DEFAULT_ALGORITHMS as PROOF_ALGORITHMS;
use m2m_proto::jose::{Algorithm, base64url, crypto};
use m2m_proto::metadata::server::{EndpointAliases, ServerMetadata};
use m2m_proto::metadata::well_known;
use m2m_proto::names::{auth_method, grant_type, media_type};
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::uri::{EndpointUri, Issuer};

use super::token::jwt_bearer;
use super::{Served, path};
use crate::registry::{Named, Registry, Status, TrustedIssuer};
use crate::server::{State, under};

/// The paths under which the document is served.
// spec: 8414-AS2
pub(crate) fn paths(issuer: &Issuer) -> Vec<String> {
    well_known::urls(issuer).iter().map(|url| url.path().to_owned()).collect()
}

// spec: 8414-AS3
pub(crate) async fn answer(Extracted(state): Served, headers: HeaderMap) -> axum::response::Response {
    let body = document(&state);
    let etag = format!("\"{}\"", base64url::encode(crypto::sha256(&body)));
    super::cacheable(&headers, body, &etag, media_type::JSON, state.jwks_max_age).map(Body::from)
}

/// The document.
// spec: 8414-AS1, 9700-AS4, 7523-AS4, OIDF-AS1
pub(crate) fn document(state: &State) -> Bytes {
    let registry = state.store.registry().ok();
    let federated = registry.as_deref();
    let mut methods: Vec<String> =
        methods(state).into_iter().map(|method| method.as_str().to_owned()).collect();
    methods.extend(
        federated
            .filter(|registry| !state.profile.restricts() && takes_svids(registry))
            .map(|_| auth_method::SPIFFE_JWT.to_owned()),
    );
    let algorithms = assertion_algorithms(state);
    let mut metadata = ServerMetadata::new(state.issuer.clone());
    metadata.token_endpoint = Some(state.endpoints.token.clone());
    metadata.introspection_endpoint = Some(state.endpoints.introspection.clone());
    metadata.revocation_endpoint = Some(state.endpoints.revocation.clone());
    metadata.jwks_uri = Some(state.endpoints.jwks.clone());
    metadata.grant_types_supported = Some(grants(state.profile, federated));
    metadata.token_endpoint_auth_methods_supported = Some(methods.clone());
    metadata.introspection_endpoint_auth_methods_supported = Some(methods.clone());
    metadata.revocation_endpoint_auth_methods_supported = Some(methods);
    metadata.token_endpoint_auth_signing_alg_values_supported = algorithms.clone();
    metadata.introspection_endpoint_auth_signing_alg_values_supported = algorithms.clone();
    metadata.revocation_endpoint_auth_signing_alg_values_supported = algorithms;
    metadata.introspection_signing_alg_values_supported =
        names(&state.profile.allowed(&state.keys.algorithms()));
    metadata.dpop_signing_alg_values_supported = names(&state.profile.allowed(&PROOF_ALGORITHMS));
    metadata.tls_client_certificate_bound_access_tokens = state.mutual_tls.is_some();
    metadata.mtls_endpoint_aliases = aliases(state);
    metadata.encode()
}

/// The second only where somebody is trusted to make such a grant.
fn grants(profile: SecurityProfile, registry: Option<&Registry>) -> Vec<String> {
    let jwt_bearer =
        registry.filter(|registry| jwt_bearer::is_offered(profile, registry)).map(|_| grant_type::JWT_BEARER);
    [grant_type::CLIENT_CREDENTIALS, grant_type::TOKEN_EXCHANGE]
        .into_iter()
        .chain(jwt_bearer)
        .map(str::to_owned)
        .collect()
}

/// Whether a trust domain is registered, and active.
fn takes_svids(registry: &Registry) -> bool {
    let domain = |issuer: &&Arc<TrustedIssuer>| matches!(issuer.named, Named::TrustDomain(_));
    registry.issuers().filter(domain).any(|issuer| issuer.status == Status::Active)
}

fn names(algorithms: &[Algorithm]) -> Vec<String> {
    algorithms.iter().map(|algorithm| algorithm.name().to_owned()).collect()
}

/// Every algorithm that a client's key or secret may sign with.
fn assertion_algorithms(state: &State) -> Vec<String> {
    names(&state.profile.allowed(&Algorithm::ALL))
}

/// The methods that this server really takes.
// spec: 9700-AS2
fn methods(state: &State) -> Vec<ClientAuthMethod> {
    let authorities = state.mutual_tls.as_ref().map(|mutual_tls| &mutual_tls.authorities);
    let offered = |method: &ClientAuthMethod| match method {
        ClientAuthMethod::TlsClientAuth => authorities.is_some_and(|authorities| !authorities.is_empty()),
        ClientAuthMethod::SelfSignedTlsClientAuth => authorities.is_some(),
        _ => true,
    };
    let allowed = |method: &ClientAuthMethod| state.profile.method(*method).is_ok();
    ClientAuthMethod::ALL.into_iter().filter(offered).filter(allowed).collect()
}

fn aliases(state: &State) -> EndpointAliases {
    let base = state.mutual_tls.as_ref().and_then(|mutual_tls| mutual_tls.alias_base.as_ref());
    let at = |path: &str| -> Option<EndpointUri> { under(base?.as_str(), path).ok() };
    EndpointAliases {
        token_endpoint: at(path::TOKEN),
        introspection_endpoint: at(path::INTROSPECT),
        revocation_endpoint: at(path::REVOKE),
    }
}
