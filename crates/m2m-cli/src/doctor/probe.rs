//! `--probe`: the same question asked in other plausible ways, when the server does not accept the client.
//!
//! Each try is a login that may count as failed, and some servers lock a client out after a few; so nothing here runs
//! unless it is asked for. Only secrets are tried differently; a key or a certificate has one spelling.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, Request};
use m2m_client::TokenSpec;
use m2m_io::{HttpClient, Limits};
use m2m_proto::client_auth::secret::{encode_basic, write_post};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod, ClientSecret};
use m2m_proto::client_id::ClientId;
use m2m_proto::error::{ErrorCode, ResponseError};
use m2m_proto::form::{FormWriter, decode_component};
use m2m_proto::names::{header, media_type};
use m2m_proto::token::{GrantKind, TokenRequest, TokenResponse};

use super::facts::{Taken, Variant};

/// What is tried, and how the client is configured.
pub(super) struct Probe<'a> {
    pub(super) http: Arc<dyn HttpClient>,
    pub(super) endpoint: &'a http::Uri,
    pub(super) limits: Limits,
    pub(super) client_id: &'a ClientId,
    pub(super) secret: &'a str,
    pub(super) method: ClientAuthMethod,
    pub(super) encoding: BasicEncoding,
    pub(super) spec: &'a TokenSpec,
}

/// One spelling of the credential.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Spelling {
    Basic(BasicEncoding, String),
    Post(String),
}

/// The plausible ways other than the configured one.
fn spellings(
    secret: &str,
    method: ClientAuthMethod,
    encoding: BasicEncoding,
) -> Vec<(&'static str, &'static str, Spelling)> {
    let plain = || secret.to_owned();
    let as_configured = |secret: String| match method {
        ClientAuthMethod::ClientSecretPost => Spelling::Post(secret),
        _ => Spelling::Basic(encoding, secret),
    };
    let mut all = Vec::new();
    // Sent as Basic, an encoded secret looks like the decoded one in the other encoding: this is the likelier reason.
    if let Ok(decoded) = decode_component(&secret.replace('+', "%2B")) {
        let fix = "store the secret decoded: it is kept in its percent-encoded form";
        all.push(("the secret decoded once", fix, as_configured(decoded)));
    }
    let fix = "store the secret without the white space around it";
    all.push(("the secret without white space", fix, as_configured(secret.trim().to_owned())));
    let basic = |encoding| Spelling::Basic(encoding, plain());
    let fix = "set client_auth_method = \"client_secret_basic\"";
    all.push(("client_secret_basic", fix, basic(BasicEncoding::Form)));
    let raw = match method {
        ClientAuthMethod::ClientSecretBasic => "set basic_encoding = \"raw\"",
        _ => "set client_auth_method = \"client_secret_basic\" and basic_encoding = \"raw\"",
    };
    all.push(("raw Basic", raw, basic(BasicEncoding::Raw)));
    let fix = "set client_auth_method = \"client_secret_post\"";
    all.push(("client_secret_post", fix, Spelling::Post(plain())));
    let configured = as_configured(plain());
    let mut seen = vec![configured];
    all.retain(|(_, _, spelling)| {
        let known = seen.contains(spelling);
        seen.push(spelling.clone());
        !known
    });
    all
}

impl Probe<'_> {
    /// Tries them one after the other, and stops at the first that is accepted.
    pub(super) async fn run(&self) -> Vec<Variant> {
        let mut tried = Vec::new();
        let mut sent = vec![self.request(&self.configured())];
        for (what, setting, spelling) in spellings(self.secret, self.method, self.encoding) {
            let request = self.request(&spelling);
            // Ids and secrets of plain characters look the same in both encodings.
            let Some((headers, body)) = request.clone().filter(|_| !sent.contains(&request)) else {
                continue;
            };
            sent.push(request);
            let taken = self.ask(headers, body).await;
            let accepted = taken == Taken::Accepted;
            tried.push(Variant { what, setting, taken });
            if accepted {
                break;
            }
        }
        tried
    }

    fn configured(&self) -> Spelling {
        match self.method {
            ClientAuthMethod::ClientSecretPost => Spelling::Post(self.secret.to_owned()),
            _ => Spelling::Basic(self.encoding, self.secret.to_owned()),
        }
    }

    fn request(&self, spelling: &Spelling) -> Option<(Option<HeaderValue>, Bytes)> {
        let mut form = FormWriter::new();
        let request = TokenRequest {
            grant: GrantKind::ClientCredentials,
            scope: self.spec.scope.clone(),
            audience: self.spec.audience.clone(),
            resources: self.spec.resources.clone(),
            params: self.spec.params.clone(),
        };
        request.write(&mut form);
        match spelling {
            Spelling::Basic(encoding, secret) => {
                let secret = ClientSecret::parse(secret).ok()?;
                let value = encode_basic(self.client_id, &secret, *encoding).ok()?;
                Some((Some(value), form.finish()))
            }
            Spelling::Post(secret) => {
                write_post(&mut form, self.client_id, &ClientSecret::parse(secret).ok()?);
                Some((None, form.finish()))
            }
        }
    }

    async fn ask(&self, authorization: Option<HeaderValue>, body: Bytes) -> Taken {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.endpoint.clone();
        let headers = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type::FORM));
        headers.insert(header::ACCEPT, HeaderValue::from_static(media_type::JSON));
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value);
        }
        let response = match self.http.send(request, &self.limits).await {
            Ok(response) => response,
            Err(error) => return Taken::Refused(error.to_string()),
        };
        match TokenResponse::decode(&response) {
            Ok(_) => Taken::Accepted,
            // Who is told that the scope is wrong has been let in.
            Err(ResponseError::Refused { error, .. })
                if matches!(error.error, ErrorCode::InvalidScope | ErrorCode::InvalidTarget) =>
            {
                Taken::Accepted
            }
            Err(ResponseError::Refused { error, .. }) => Taken::Refused(error.error.as_str().to_owned()),
            Err(_) => Taken::Refused(response.status().as_u16().to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configured_spelling_is_not_tried_again() {
        let check = |secret: &str, method, expect: &[&str]| {
            let tried = spellings(secret, method, BasicEncoding::Form);
            let names: Vec<&str> = tried.iter().map(|(what, ..)| *what).collect();
            assert_eq!(names, expect, "{secret}");
        };
        let (basic, post) = (ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost);
        check("plain", basic, &["raw Basic", "client_secret_post"]);
        check("plain", post, &["client_secret_basic", "raw Basic"]);
        let all =
            ["the secret decoded once", "the secret without white space", "raw Basic", "client_secret_post"];
        check("p%40ss ", basic, &all);
    }
}
