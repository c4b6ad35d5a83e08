//! `m2m request`: calls an API with a token attached, and streams the answer.
//!
//! Without a token the API is not called. After a 401 the token is renewed, if that can help, and the request sent
//! once more.

mod body;
mod sink;

use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};
use m2m_client::{Client, Repeats, Review, TokenSpec};
use m2m_proto::uri::{EndpointUri, PlainHttp};
use reqwest::Response;

use crate::Surroundings;
use crate::args::Request;
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};
use crate::settings::Settings;
use crate::settings::field::Field;

/// A request that can be sent more than once.
struct Call {
    method: Method,
    target: EndpointUri,
    headers: HeaderMap,
    body: bytes::Bytes,
}

pub(crate) async fn run(typed: &Request, around: &Surroundings) -> Result<Exit, Failure> {
    let settings = connect::settings(&typed.profile, around)?;
    let call = body::prepare(typed)?;
    check_transport(&settings, &call)?;
    let origin = call.target.origin().clone();
    around.output.note(&format!("{origin} receives the token, because you typed it"));
    let keep = if typed.no_store { Keep::Nothing } else { Keep::Encrypted };
    let client =
        connect::client(&settings, around, &Need { destination: Some(origin), ..Need::kept(keep) }).await?;
    let http = connect::http_builder(&settings)?
        .streaming_client()
        .map_err(|error| connect::http_failure(&error))?;
    let sender = Sender { client: &client, http: &http, settings: &settings, around };
    let response = sender.send(&call).await?;
    let status = response.status();
    sink::write(typed, response, around).await?;
    if typed.fail && status.as_u16() >= 400 {
        return Err(refused(status));
    }
    Ok(Exit::Ok)
}

fn check_transport(settings: &Settings, call: &Call) -> Result<(), Failure> {
    let allowed = if settings.is_on(Field::AllowHttp) { PlainHttp::Allowed } else { PlainHttp::LoopbackOnly };
    call.target.check_transport(allowed).map_err(|error| {
        Failure::configuration(format!("{}: {error}", call.target.origin()))
            .hint("a token sent in the clear can be stolen on the way: use https, or allow_http = true in the profile")
    })
}

fn refused(status: StatusCode) -> Failure {
    Failure::of(Exit::ApiStatus, "api_status", format!("the API answered {status}"))
}

struct Sender<'a> {
    client: &'a Client,
    http: &'a reqwest::Client,
    settings: &'a Settings,
    around: &'a Surroundings,
}

impl Sender<'_> {
    /// The answer to the last attempt: one for a rejected token, one for a DPoP nonce.
    async fn send(&self, call: &Call) -> Result<Response, Failure> {
        let spec = TokenSpec::default();
        let mut token = self.client.token(&spec).await?;
        let mut repeats = Repeats::default();
        loop {
            let mut headers = call.headers.clone();
            self.client.attach(&spec, &token, &call.method, call.target.uri(), &mut headers)?;
            let response = self.attempt(call, headers).await?;
            let seen = (response.status(), response.headers());
            match self.client.review(&token, call.target.uri(), seen, &mut repeats).await {
                Review::Replay(newer) => {
                    self.around.output.detail("the API did not accept the request; trying once more");
                    token = Arc::clone(&newer);
                }
                Review::Failed(error) => {
                    self.around
                        .output
                        .warn(&format!("the API rejects the token, and there is no other: {error}"));
                    return Ok(response);
                }
                _ => return Ok(response),
            }
        }
    }

    async fn attempt(&self, call: &Call, headers: HeaderMap) -> Result<Response, Failure> {
        let request = self.http.request(call.method.clone(), call.target.as_str()).headers(headers);
        let sending = request.body(call.body.clone()).send();
        // Only a stated timeout: an API may think for as long as its caller lets it.
        let sent = match self.settings.time(Field::Timeout) {
            None => sending.await,
            Some(timeout) => tokio::select! {
                sent = sending => sent,
                () = self.around.clock.sleep(timeout) => return Err(unreachable("no answer in time")),
            },
        };
        sent.map_err(|error| failed(&error))
    }
}

fn unreachable(what: &str) -> Failure {
    Failure::of(Exit::Unreachable, "unreachable", format!("the API: {what}"))
}

/// A failure of the API's connection, by its innermost cause: outer ones name the URL, query and all.
fn failed(error: &reqwest::Error) -> Failure {
    let mut last = String::new();
    let mut garbled = false;
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(cause) = next {
        if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
            return Failure::of(Exit::Tls, "unreachable", format!("the API: TLS failed: {tls}"))
                .hint("if the API has a private certificate authority, name it with --ca-file");
        }
        garbled |= cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        // What is wrong inside a chunked body.
        garbled |= cause.downcast_ref::<std::io::Error>().is_some_and(|error| {
            matches!(error.kind(), std::io::ErrorKind::InvalidInput | std::io::ErrorKind::InvalidData)
        });
        last = cause.to_string();
        // An input/output error does not show what it carries as its source.
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(carried) => Some(carried),
            None => cause.source(),
        };
    }
    if garbled {
        let message = format!("the API does not speak HTTP as it should: {last}");
        return Failure::of(Exit::Malformed, "peer_misbehaved", message);
    }
    unreachable(&last).hint("is the URL right, and the API up? a proxy is taken from HTTPS_PROXY")
}
