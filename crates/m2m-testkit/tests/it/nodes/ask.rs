//! Requests as a client would make them, and answers as a test reads them.

use axum::body::Body;
use http::{HeaderMap, Request, StatusCode};
use m2m_proto::client_auth::PeerCertificate;
use m2m_proto::client_auth::secret::{BasicEncoding, ClientSecret, encode_basic};
use m2m_proto::form::FormWriter;
use m2m_proto::jose::base64url;
use m2m_proto::names::{assertion_type, header, media_type, param};
use serde_json::Value;

use super::place::client_id;

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("no JSON: {:?}", self.text()))
    }

    #[track_caller]
    pub(crate) fn access_token(&self) -> String {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text());
        self.json()["access_token"].as_str().unwrap().to_owned()
    }

    #[track_caller]
    pub(crate) fn refused(&self, status: u16, code: &str) {
        let found = (self.status.as_u16(), self.json()["error"].as_str().unwrap_or_default().to_owned());
        assert_eq!(found, (status, code.to_owned()), "{}", self.text());
    }

    /// 503 with a time to come back at.
    #[track_caller]
    pub(crate) fn comes_later(&self) {
        assert_eq!(self.status, StatusCode::SERVICE_UNAVAILABLE, "{}", self.text());
        assert!(self.headers.contains_key(header::RETRY_AFTER), "{:?}", self.headers);
    }
}

/// The claims of a signed document, unverified.
pub(crate) fn claims(document: &str) -> Value {
    let payload = document.split('.').nth(1).unwrap_or_else(|| panic!("no JWS: {document}"));
    serde_json::from_slice(&base64url::decode(payload).unwrap()).unwrap()
}

pub(crate) fn jti(token: &str) -> String {
    claims(token)["jti"].as_str().unwrap().to_owned()
}

/// A request being put together.
#[derive(Clone, Default)]
pub(crate) struct Ask {
    form: Vec<(String, String)>,
    pub(crate) headers: HeaderMap,
    certificate: Option<PeerCertificate>,
}

impl Ask {
    pub(crate) fn token() -> Self {
        Self::default().with(param::GRANT_TYPE, "client_credentials")
    }

    pub(crate) fn about(token: &str) -> Self {
        Self::default().with(param::TOKEN, token)
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.form.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn basic(mut self, client: &str, secret: &str) -> Self {
        let secret = ClientSecret::parse(secret).unwrap();
        let value = encode_basic(&client_id(client), &secret, BasicEncoding::Form).unwrap();
        self.headers.insert(header::AUTHORIZATION, value);
        self
    }

    pub(crate) fn assertion(self, text: &str) -> Self {
        self.with(param::CLIENT_ASSERTION_TYPE, assertion_type::JWT_BEARER)
            .with(param::CLIENT_ASSERTION, text)
    }

    /// From a connection with this certificate.
    pub(crate) fn certificate(self, client: &str, certificate: &PeerCertificate) -> Self {
        Self { certificate: Some(certificate.clone()), ..self.with(param::CLIENT_ID, client) }
    }

    pub(crate) fn request(self, path: &str) -> Request<Body> {
        let mut form = FormWriter::new();
        for (name, value) in &self.form {
            form.push(name, value);
        }
        let mut request = Request::post(path).body(Body::from(form.finish())).unwrap();
        *request.headers_mut() = self.headers;
        request.headers_mut().insert(header::CONTENT_TYPE, media_type::FORM.parse().unwrap());
        if let Some(certificate) = self.certificate {
            request.extensions_mut().insert(certificate);
        }
        request
    }
}
