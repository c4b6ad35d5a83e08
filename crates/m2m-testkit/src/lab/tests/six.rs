//! Every one of the six: a token for a good request, and its own words for each thing that goes wrong.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, Response};
use m2m_proto::form::FormWriter;
use m2m_proto::jose::base64url;
use serde_json::{Value, json};

use super::{FORM, body, direct, now, send, signed};
use crate::lab::six::{self, Provider, SECRET};
use crate::lab::{Lab, Outcome, ProxyManner, Situation, Tunnel};

/// What a client sends; tests change one thing.
#[derive(Clone)]
struct Sent {
    secret: &'static str,
    scopes: Vec<&'static str>,
    audience: Option<&'static str>,
    thumbprint: String,
    issued: u64,
}

impl Sent {
    fn good(service: &Provider) -> Self {
        Self {
            secret: SECRET,
            scopes: service.scopes.clone(),
            audience: service.audience,
            thumbprint: six::certificate_thumbprint(),
            issued: now(),
        }
    }

    /// As the service's documentation says, written by hand.
    fn request(&self, service: &Provider, origin: &str) -> (Vec<(String, String)>, Bytes) {
        let url = format!("{origin}{}", service.behaviour.token_path);
        let google = service.id == "google-sa";
        let mut form = FormWriter::new();
        let mut headers = vec![("content-type".to_owned(), FORM.to_owned())];
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        form.push("grant_type", if google { grant } else { "client_credentials" });
        if !google {
            form.push("scope", &self.scopes.join(" "));
            form.push("audience", self.audience.unwrap_or_default());
        }
        match service.method {
            "client_secret_basic" => {
                let pair = STANDARD.encode(format!("{}:{}", service.client_id, self.secret));
                headers.push(("authorization".to_owned(), format!("Basic {pair}")));
            }
            "client_secret_post" => {
                form.push("client_id", service.client_id);
                form.push("client_secret", self.secret);
            }
            "private_key_jwt" => {
                form.push("client_id", service.client_id);
                form.push("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer");
                form.push("client_assertion", &self.client_assertion(service, origin, &url));
            }
            _ => form.push("assertion", &self.grant_assertion(service, &url)),
        }
        (headers, form.finish())
    }

    fn client_assertion(&self, service: &Provider, origin: &str, url: &str) -> String {
        let audience = if service.id == "auth0" { format!("{origin}/") } else { url.to_owned() };
        self.sign(&json!({
            "iss": service.client_id, "sub": service.client_id, "aud": audience, "iat": self.issued,
            "exp": self.issued + 60, "jti": self.issued.to_string(),
        }))
    }

    fn grant_assertion(&self, service: &Provider, url: &str) -> String {
        let mut claims =
            json!({"iss": service.client_id, "aud": url, "iat": self.issued, "exp": self.issued + 3600});
        if !self.scopes.is_empty() {
            claims["scope"] = self.scopes.join(" ").into();
        }
        self.sign(&claims)
    }

    /// The wrong secret of a key is the wrong signature.
    fn sign(&self, claims: &Value) -> String {
        let token = signed(&json!({"alg": "RS256", "typ": "JWT", "x5t#S256": self.thumbprint}), claims);
        if self.secret == SECRET {
            return token;
        }
        let (input, _) = token.rsplit_once('.').unwrap();
        format!("{input}.{}", base64url::encode([1; 256]))
    }
}

async fn ask(service: Provider, sent: &Sent) -> (Outcome, Response<Bytes>) {
    let lab = Lab::start(service.behaviour.clone()).await;
    let (headers, form) = sent.request(&service, &lab.http_origin());
    let request = headers
        .iter()
        .fold(Request::post(lab.token_url()), |request, (name, value)| request.header(name, value));
    let response = send(request, std::str::from_utf8(&form).unwrap()).await.unwrap();
    (lab.outcomes().pop().unwrap(), response)
}

fn refused(situation: Situation) -> Outcome {
    Outcome::Refused(situation)
}

#[tokio::test]
async fn a_good_request_gets_a_token() {
    let mut ids = BTreeSet::new();
    for service in six::all() {
        let name = format!("{} {}", service.id, service.method);
        let (outcome, response) = ask(service.clone(), &Sent::good(&service)).await;
        assert_eq!(outcome, Outcome::Granted, "{name}: {response:?}");
        let body = body(&response);
        let lives = body.get("expires_in").and_then(Value::as_u64);
        let expect = match service.id {
            "auth0" => Some(86_400),
            "entra" => Some(3920),
            "google-sa" => Some(3599),
            "salesforce-cc" => None,
            _ => Some(3600),
        };
        assert_eq!((lives, &body["token_type"]), (expect, &json!("Bearer")), "{name}");
        assert_eq!(response.headers().contains_key("auth0-client-quota-limit"), service.id == "auth0");
        if service.id == "salesforce-cc" {
            assert!(body["instance_url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
            assert!(body["access_token"].as_str().unwrap().contains('!'));
            assert!(body["issued_at"].as_str().unwrap().parse::<u64>().unwrap() / 1000 >= now() - 60);
        }
        assert_eq!(service.key_pem().is_some(), service.algorithm.is_some());
        ids.insert(service.id);
    }
    assert_eq!(ids.len(), 7, "Okta has two servers");
}

/// The body's error and its description, or the envelope's.
fn said(response: &Response<Bytes>) -> (String, String) {
    let body = body(response);
    let text =
        |names: [&str; 2]| names.iter().find_map(|name| body[*name].as_str()).unwrap_or_default().to_owned();
    (text(["error", "errorCode"]), text(["error_description", "errorSummary"]))
}

async fn check(service: Provider, sent: Sent, situation: Situation, (status, code, text): (u16, &str, &str)) {
    let name = format!("{} {} {situation:?}", service.id, service.method);
    let (outcome, response) = ask(service, &sent).await;
    assert_eq!(outcome, refused(situation), "{name}");
    let (error, description) = said(&response);
    assert_eq!((response.status().as_u16(), error.as_str()), (status, code), "{name}");
    assert!(description.contains(text), "{name}: {description}");
}

#[tokio::test]
async fn a_wrong_secret_or_key_is_refused_in_own_words() {
    for (id, method, expect) in [
        ("auth0", "client_secret_post", (401, "access_denied", "Unauthorized")),
        ("auth0", "private_key_jwt", (401, "invalid_client", "")),
        ("okta-custom", "client_secret_basic", (401, "invalid_client", "")),
        ("okta-custom", "private_key_jwt", (401, "invalid_client", "")),
        ("okta-org", "private_key_jwt", (401, "invalid_client", "")),
        ("entra", "client_secret_post", (401, "invalid_client", "AADSTS7000215: ")),
        ("entra", "private_key_jwt", (401, "invalid_client", "\r\nTrace ID: ")),
        ("cognito", "client_secret_basic", (400, "invalid_client", "")),
        ("salesforce-cc", "client_secret_post", (400, "invalid_client", "")),
    ] {
        let service = six::find(id, method);
        let sent = Sent { secret: "other", ..Sent::good(&service) };
        check(service, sent, Situation::WrongClient, expect).await;
    }
    let google = six::find("google-sa", "none");
    let sent = Sent { secret: "other", ..Sent::good(&google) };
    check(google, sent, Situation::WrongGrant, (400, "invalid_grant", "")).await;
    let entra = six::find("entra", "private_key_jwt");
    let sent = Sent { thumbprint: "of another certificate".to_owned(), ..Sent::good(&entra) };
    check(entra, sent, Situation::WrongClient, (401, "invalid_client", "")).await;
    let okta = Provider { client_id: "0oanobody", ..six::find("okta-custom", "client_secret_basic") };
    let sent = Sent::good(&okta);
    check(okta, sent, Situation::UnknownClient, (401, "invalid_client", "'client_id' parameter")).await;
}

#[tokio::test]
async fn a_missing_audience_or_scope_is_refused_in_own_words() {
    let auth0 = six::find("auth0", "client_secret_post");
    let sent = Sent { audience: None, ..Sent::good(&auth0) };
    let missing = |name: &str| Situation::MissingParameter(name.to_owned());
    check(auth0, sent, missing("audience"), (400, "invalid_request", "audience")).await;
    for (id, method, expect) in [
        ("okta-custom", "client_secret_basic", (400, "invalid_scope", "'scope' must be provided")),
        ("okta-org", "private_key_jwt", (400, "invalid_scope", "'scope' must be provided")),
        ("entra", "client_secret_post", (400, "invalid_request", "'scope'")),
        ("google-sa", "none", (400, "invalid_scope", "")),
    ] {
        let service = six::find(id, method);
        let sent = Sent { scopes: Vec::new(), ..Sent::good(&service) };
        check(service, sent, missing("scope"), expect).await;
    }
    let two = vec!["api://orders.example.com/.default", "api://other/.default"];
    for (id, method, scopes, text) in [
        ("entra", "client_secret_post", two, "AADSTS70011: "),
        ("cognito", "client_secret_basic", vec!["orders/delete"], ""),
    ] {
        let service = six::find(id, method);
        let sent = Sent { scopes, ..Sent::good(&service) };
        check(service, sent, Situation::UnknownScope, (400, "invalid_scope", text)).await;
    }
}

#[tokio::test]
async fn an_unauthorized_api_is_refused_in_own_words() {
    for (id, method, expect) in [
        ("auth0", "client_secret_post", (403, "access_denied", "not authorized to access resource server")),
        ("okta-custom", "client_secret_basic", (400, "access_denied", "no matching policy")),
        ("okta-org", "private_key_jwt", (400, "invalid_scope", "")),
        ("entra", "client_secret_post", (400, "unauthorized_client", "Trace ID")),
        ("google-sa", "none", (401, "unauthorized_client", "")),
        ("cognito", "client_secret_basic", (400, "unauthorized_client", "")),
        ("salesforce-cc", "client_secret_post", (400, "invalid_grant", "no client credentials user enabled")),
    ] {
        let service = six::find(id, method).unauthorized();
        let sent = Sent::good(&service);
        check(service, sent, Situation::UnauthorizedApi, expect).await;
    }
    let auth0 = six::find("auth0", "client_secret_post");
    let sent = Sent { audience: Some("https://api.example.com/"), ..Sent::good(&auth0) };
    check(
        auth0,
        sent,
        Situation::UnauthorizedApi,
        (403, "access_denied", "server https://api.example.com/."),
    )
    .await;
}

#[tokio::test]
async fn a_clock_five_minutes_off_is_noticed_where_something_is_signed() {
    for service in six::all() {
        let sent = Sent::good(&service);
        let expect = match service.id {
            "google-sa" => (400, "invalid_grant", "Token must be a short-lived token (60 minutes)"),
            _ => (401, "invalid_client", ""),
        };
        if service.algorithm.is_some() {
            check(service.clock_off(), sent, Situation::Clock, expect).await;
        } else {
            assert_eq!(ask(service.clock_off(), &sent).await.0, Outcome::Granted);
        }
    }
}

const RECORDED: &str = r#"
    [profile]
    method = "client_secret_post"
    [[answers]]
    name = "success"
    status = 200
    body = '{"access_token":"recorded"}'
    [[answers]]
    name = "wrong_secret"
    status = 499
    headers = { content-type = "application/json" }
    body = '{"error":"recorded"}'
    [[answers]]
    name = "clock"
    status = 499
    headers = { content-type = "application/json" }
    body = '{"error":"clock"}'
"#;

#[tokio::test]
async fn recorded_answers_are_said_instead() {
    let service = six::find("auth0", "client_secret_post").with_recorded(RECORDED);
    let wrong = Sent { secret: "other", ..Sent::good(&service) };
    check(service.clone(), wrong, Situation::WrongClient, (499, "recorded", "")).await;
    let (_, response) = ask(service.clone(), &Sent::good(&service)).await;
    assert_ne!(body(&response)["access_token"], "recorded", "tokens are still made");
    assert_eq!(service.behaviour.named["success"].body, r#"{"access_token":"recorded"}"#);
    let google =
        six::find("google-sa", "none").with_recorded(&RECORDED.replace("client_secret_post", "none"));
    let wrong = Sent { secret: "other", ..Sent::good(&google) };
    check(google, wrong, Situation::WrongGrant, (499, "recorded", "")).await;
}

#[tokio::test]
async fn what_was_said_to_a_secret_is_not_said_to_a_key() {
    let service = six::find("auth0", "private_key_jwt").with_recorded(RECORDED);
    let wrong = Sent { secret: "other", ..Sent::good(&service) };
    check(service.clone(), wrong.clone(), Situation::WrongClient, (401, "invalid_client", "")).await;
    check(service.clone().clock_off(), Sent::good(&service), Situation::Clock, (499, "clock", "")).await;
    assert_eq!(service.behaviour.named["wrong_secret"].status, 499);
    let service = service.with_recorded(&RECORDED.replace("\"wrong_secret\"", "\"wrong_key\""));
    check(service, wrong.clone(), Situation::WrongClient, (499, "recorded", "")).await;
    let by_key = RECORDED.replace("client_secret_post", "private_key_jwt");
    let service = six::find("okta-org", "private_key_jwt").with_recorded(&by_key);
    check(service, wrong, Situation::WrongClient, (499, "recorded", "")).await;
}

#[tokio::test]
async fn quotas_are_told() {
    let mut service = six::find("auth0", "client_secret_post");
    service.behaviour.allowance = Some(0);
    let sent = Sent::good(&service);
    check(service, sent, Situation::RateLimited, (429, "too_many_requests", "Client quota exceeded")).await;
}

#[tokio::test]
async fn each_is_reached_under_its_own_name() {
    for service in six::all() {
        let lab = Lab::start(service.behaviour.clone()).await;
        let tunnel = Tunnel::start(&lab, ProxyManner::Tunnels).await;
        let proxy = m2m_io::reqwest::ProxyFrom::Url(tunnel.proxy_url());
        let http = direct().proxy(proxy).ca_file(&tunnel.ca_file()).unwrap().build().unwrap();
        let sent = Sent::good(&service);
        let (headers, form) = sent.request(&service, &format!("https://{}", service.host));
        let request = headers
            .iter()
            .fold(Request::post(service.token_url()), |request, (name, value)| request.header(name, value));
        let request = request.body(form).unwrap();
        let response = m2m_io::HttpClient::send(&http, request, &m2m_io::Limits::default()).await.unwrap();
        assert_eq!(response.status(), 200, "{} {}", service.id, service.method);
        assert_eq!(tunnel.targets(), [format!("{}:443", service.host)]);
    }
}

#[test]
fn the_certificate_is_the_keys_and_the_same_each_time() {
    assert!(six::certificate_pem().starts_with("-----BEGIN CERTIFICATE-----"));
    assert_eq!(six::certificate_thumbprint().len(), 43);
}
