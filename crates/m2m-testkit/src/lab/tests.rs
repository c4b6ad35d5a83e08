//! The lab over its sockets. Each way of asking has its good request and the requests that must not pass for it.

mod answers;
mod assertions;
mod proofs;
mod published;
mod requests;
mod six;
mod tunnels;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response, request};
use m2m_io::reqwest::{ProxyFrom, ReqwestHttpBuilder};
use m2m_io::{Clock as _, HttpClient as _, HttpError, Limits, ReqwestHttp, SystemClock};
use m2m_proto::jose::{Algorithm, VerifyingKey, base64url};
use serde_json::{Value, json};

use super::{AssertionRule, Behaviour, ClientProof, Lab, Outcome, Situation};
use crate::FixedKeys;

const FORM: &str = "application/x-www-form-urlencoded";
const SECRET: &str = "client_id=app&client_secret=s3cret";

fn direct() -> ReqwestHttpBuilder {
    ReqwestHttp::builder().proxy(ProxyFrom::Nowhere)
}

async fn send(request: request::Builder, body: &str) -> Result<Response<Bytes>, HttpError> {
    let request = request.body(Bytes::copy_from_slice(body.as_bytes())).unwrap();
    direct().build().unwrap().send(request, &Limits::default()).await
}

/// Asks for a token with this form and these headers; what the lab makes of it.
async fn ask(lab: &Lab, headers: &[(&str, &str)], form: &str) -> (Outcome, Response<Bytes>) {
    ask_at(lab, "", headers, &format!("grant_type=client_credentials&{form}")).await
}

/// The same with a query, and the whole form.
async fn ask_at(lab: &Lab, query: &str, headers: &[(&str, &str)], form: &str) -> (Outcome, Response<Bytes>) {
    let request = Request::post(lab.token_url() + query).header("content-type", FORM);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    let response = send(request, form).await.unwrap();
    (lab.outcomes().pop().unwrap(), response)
}

fn body(response: &Response<Bytes>) -> Value {
    serde_json::from_slice(response.body()).unwrap()
}

fn refused(situation: Situation) -> Outcome {
    Outcome::Refused(situation)
}

fn missing(name: &str) -> Outcome {
    refused(Situation::MissingParameter(name.to_owned()))
}

fn public(algorithm: Algorithm) -> Arc<VerifyingKey> {
    Arc::clone(FixedKeys::signing(algorithm).verifying_key())
}

fn key_rule() -> AssertionRule {
    AssertionRule::private_key_jwt("app", public(Algorithm::Rs256), "https://as.example/")
}

fn with_key(rule: AssertionRule) -> Behaviour {
    Behaviour::new(ClientProof::Assertion(rule))
}

fn now() -> u64 {
    SystemClock.wall().seconds()
}

/// Good claims for [`key_rule`].
fn claims(jti: &str) -> Value {
    claims_at(jti, now())
}

fn claims_at(jti: &str, now: u64) -> Value {
    json!({
        "iss": "app", "sub": "app", "aud": "https://as.example/", "jti": jti, "iat": now, "exp": now + 60,
    })
}

/// A JWS with any header, signed by the fixed RSA key.
fn signed(header: &Value, claims: &Value) -> String {
    let (header, claims) = (base64url::encode(header.to_string()), base64url::encode(claims.to_string()));
    let input = format!("{header}.{claims}");
    let signature = FixedKeys::signing(Algorithm::Rs256).sign(input.as_bytes()).unwrap();
    format!("{input}.{}", base64url::encode(signature))
}

fn jwt(claims: &Value) -> String {
    signed(&json!({"alg": "RS256", "typ": "JWT"}), claims)
}
