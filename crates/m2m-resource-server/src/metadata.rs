//! How this API describes itself (RFC 9728), so that clients find out where its tokens come from.
//!
//! Sections: RFC 9728 §2, §3, §5.1
//! Enforces: the document stands at the well-known place of its identifier, and every challenge leads to it; what was
//! not set follows from the settings of the verifier.
//! Does not enforce: that the identifier is an audience that tokens name; many issuers use another one.
//! Public: it is answered without a token.

use bytes::Bytes;
use http::{HeaderValue, Method, Response, StatusCode};
use m2m_proto::jose::Algorithm;
use m2m_proto::metadata::{ResourceMetadata, well_known};
use m2m_proto::names::{header, media_type};
use m2m_proto::uri::{EndpointUri, PlainHttp};

use crate::error::Error;
use crate::issuers::Issuers;
use crate::verifier::Verifier;

/// The document, ready to be sent.
#[derive(Debug)]
pub(crate) struct Described {
    url: EndpointUri,
    document: ResourceMetadata,
    body: Bytes,
}

impl Described {
    /// Fills in what was left open: the trusted issuers, that tokens come in the header, the algorithms of proofs.
    // spec: 9728-RS1
    pub(crate) fn new(
        mut document: ResourceMetadata,
        issuers: &Issuers,
        dpop: Option<&[Algorithm]>,
    ) -> Result<Self, Error> {
        let unplaced = || Error::Resource(document.resource.as_str().to_owned());
        let url = well_known::protected_resource(&document.resource).ok_or_else(unplaced)?;
        // RFC 9728 §1.2: https; another one for this machine alone.
        url.check_transport(PlainHttp::LoopbackOnly).map_err(|_| unplaced())?;
        if document.authorization_servers.is_empty() {
            document.authorization_servers = issuers.iter().map(|trust| trust.issuer.clone()).collect();
        }
        if document.bearer_methods_supported.is_empty() {
            document.bearer_methods_supported = vec!["header".to_owned()];
        }
        if document.dpop_signing_alg_values_supported.is_empty() {
            let names = dpop.unwrap_or_default().iter().map(|algorithm| algorithm.name().to_owned());
            document.dpop_signing_alg_values_supported = names.collect();
        }
        let body = document.encode();
        Ok(Self { url, document, body })
    }

    pub(crate) fn url(&self) -> &EndpointUri {
        &self.url
    }

    fn response(&self) -> Response<Bytes> {
        let mut response = Response::new(self.body.clone());
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::JSON));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
        response
    }
}

impl Verifier {
    /// What this API says about itself, where that was set ([`VerifierBuilder::resource`](crate::VerifierBuilder::resource)).
    #[must_use]
    pub fn resource_metadata(&self) -> Option<&ResourceMetadata> {
        self.described().map(|described| &described.document)
    }

    /// The path at which [`Verifier::resource_metadata`] is to be served:
    /// `/.well-known/oauth-protected-resource`, and the path of the identifier if it has one.
    #[must_use]
    pub fn resource_metadata_path(&self) -> Option<&str> {
        self.described().map(|described| described.url.path())
    }

    /// The answer to a request for the document, for servers that have no layer of ours: `None` for every other
    /// request. A method other than `GET` and `HEAD` is 405.
    // spec: 9728-RS1
    #[must_use]
    pub fn resource_metadata_response(&self, method: &Method, path: &str) -> Option<Response<Bytes>> {
        let described = self.described().filter(|described| described.url.path() == path)?;
        Some(match *method {
            Method::GET => described.response(),
            Method::HEAD => described.response().map(|_| Bytes::new()),
            _ => {
                let mut response = Response::new(Bytes::new());
                *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
                response.headers_mut().insert(http::header::ALLOW, HeaderValue::from_static("GET, HEAD"));
                response
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::Algorithm;
    use m2m_proto::uri::{Origin, ResourceUri};

    use super::*;
    use crate::fixture::*;
    use crate::{Dpop, Error};

    fn describing(resource: &str) -> Result<Verifier, Error> {
        let resource = ResourceUri::parse(resource).unwrap();
        let builder = Verifier::builder().trust(issuer(), AUDIENCE).http(Documents::of(&[]));
        let builder = builder.dpop(Dpop::new(Origin::parse("https://orders.example").unwrap()));
        builder.resource(ResourceMetadata::new(resource)).build()
    }

    // spec-test: 9728-RS1
    #[test]
    fn the_document_is_complete_and_at_its_place() {
        let verifier = describing("https://orders.example/v1").unwrap();
        let path = "/.well-known/oauth-protected-resource/v1";
        assert_eq!(verifier.resource_metadata_path(), Some(path));
        let response = verifier.resource_metadata_response(&Method::GET, path).unwrap();
        assert_eq!(response.headers()["content-type"], "application/json");
        assert_eq!(
            response.body(),
            concat!(
                r#"{"resource":"https://orders.example/v1","authorization_servers":["https://as.example"],"#,
                r#""bearer_methods_supported":["header"],"#,
                r#""dpop_signing_alg_values_supported":["ES256","ES384","EdDSA","Ed25519","PS256"]}"#
            )
        );
        assert!(verifier.resource_metadata_response(&Method::GET, "/v1").is_none());
        let status = |method| verifier.resource_metadata_response(&method, path).unwrap().status().as_u16();
        assert_eq!((status(Method::HEAD), status(Method::POST)), (200, 405));
    }

    // spec-test: 9728-RS1
    #[tokio::test]
    async fn a_challenge_leads_to_the_document() {
        let verifier = describing("https://orders.example").unwrap();
        let rejection = verifier.verify(&Asked::bare().parts()).await.unwrap_err();
        let response = rejection.to_response();
        let challenges: Vec<_> = response.headers().get_all("www-authenticate").iter().collect();
        let place = r#"resource_metadata="https://orders.example/.well-known/oauth-protected-resource""#;
        assert!(!challenges.is_empty());
        assert!(
            challenges.iter().all(|challenge| challenge.to_str().unwrap().contains(place)),
            "{challenges:?}"
        );
    }

    #[test]
    fn what_has_no_place_cannot_be_described() {
        for resource in ["urn:example:orders", "http://orders.example", "http://orders.example/v1"] {
            assert_eq!(describing(resource).map(drop).unwrap_err(), Error::Resource(resource.to_owned()));
        }
        assert!(describing("http://127.0.0.1:3000").is_ok());
    }

    #[test]
    fn nothing_is_said_where_nothing_was_set() {
        let verifier = verifier(&key(Algorithm::Es256, "k1"), |builder| builder);
        let path = "/.well-known/oauth-protected-resource";
        assert!(verifier.resource_metadata_response(&Method::GET, path).is_none());
        assert_eq!((verifier.resource_metadata(), verifier.resource_metadata_path()), (None, None));
    }
}
