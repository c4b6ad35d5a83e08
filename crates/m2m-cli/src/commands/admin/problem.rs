//! Problem details (RFC 9457) as failures: what happened, whose fault, what to do, which exit code.
//!
//! Exit codes: 401 is 7 (the client is not accepted), 403 and every other 4xx 8, 429 9, 5xx 5. Without a problem
//! document the status speaks for itself. Limits: 500 characters of `detail`.

use bytes::Bytes;
use http::{HeaderMap, Response, StatusCode};
use m2m_authorization_server::admin::ADMIN_PATH;
use m2m_proto::error::Challenge;
use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Map, Value};

use crate::exit::{Exit, Failure};

/// More of a server's text than this is no sentence.
const MAX_DETAIL: usize = 500;

/// What an answer that is no success means, where the call of `path` needed a token with the scope `needed`.
pub(super) fn failure(response: &Response<Bytes>, (path, needed): (&str, &str)) -> Failure {
    let status = response.status();
    let document = parse_object(response.body(), &JsonLimits::DOCUMENT).unwrap_or_default();
    let (exit, kind) = class(status);
    let said = text(&document, "detail").or_else(|| text(&document, "title"));
    let message = match said {
        Some(said) => format!("the admin API answered {}: {said}", status.as_u16()),
        None => format!("the admin API answered {status}"),
    };
    let code = code(&document, response.headers());
    let hint = hint((status, code.as_deref()), response.headers(), (path, needed));
    let failure = Failure::of(exit, kind, message).hint(hint);
    match code {
        Some(code) => failure.code(code),
        None => failure,
    }
}

fn class(status: StatusCode) -> (Exit, &'static str) {
    match status.as_u16() {
        401 => (Exit::ClientRefused, "refused"),
        429 => (Exit::RateLimited, "unreachable"),
        400..=499 => (Exit::RequestRefused, "refused"),
        500..=599 => (Exit::Unreachable, "unreachable"),
        _ => (Exit::Malformed, "peer_misbehaved"),
    }
}

fn text<'a>(document: &'a Map<String, Value>, member: &str) -> Option<&'a str> {
    let text = document.get(member)?.as_str()?.trim().trim_end_matches('.');
    let end = text.char_indices().nth(MAX_DETAIL).map_or(text.len(), |(index, _)| index);
    text.get(..end).filter(|text| !text.is_empty())
}

/// The problem's own code, else what the challenge says (RFC 6750 section 3).
fn code(document: &Map<String, Value>, headers: &HeaderMap) -> Option<String> {
    let challenged = || Challenge::parse_all(headers).into_iter().find_map(|challenge| challenge.error);
    text(document, "code").map(str::to_owned).or_else(|| challenged().map(|code| code.as_str().to_owned()))
}

fn hint(
    (status, code): (StatusCode, Option<&str>),
    headers: &HeaderMap,
    (path, needed): (&str, &str),
) -> String {
    let again = headers.get(http::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
    let seconds = again.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    let wait = |what: &str| match seconds {
        Some(seconds) => format!("{what}; try again in {seconds} s"),
        None => format!("{what}; try again later"),
    };
    match status.as_u16() {
        401 => "the token is not of this server, or was revoked: M2M_ADMIN_URL, or the profile's issuer, must be \
                the server that knows the client"
            .to_owned(),
        403 => format!("the client that administers needs the scope {needed} at ISSUER{ADMIN_PATH}"),
        404 => format!("list shows what there is: m2m admin {} list", noun(path)),
        409 if code == Some("exists") => "show tells what is there; update changes it".to_owned(),
        412 => "somebody changed it since: look at it with show, and give the version that it tells to --if-version"
            .to_owned(),
        413 => "the admin API takes bodies of up to 1 MiB".to_owned(),
        429 => wait("too many requests"),
        503 => wait("tokens go on meanwhile, but nothing can be changed"),
        _ => String::new(),
    }
}

/// The command for the objects of a path below the API: `client` for `/clients/a/credentials`.
fn noun(path: &str) -> &str {
    let collection = path.split(['/', '?']).nth(1).unwrap_or_default();
    collection.strip_suffix('s').unwrap_or(collection)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
        let mut response = Response::builder().status(status);
        for (name, value) in headers {
            response = response.header(*name, *value);
        }
        failure(&response.body(Bytes::from(body.to_owned())).unwrap(), ("/apis/a", "m2m:write"))
    }

    #[test]
    fn every_status_has_its_exit_code() {
        for (status, exit) in [
            (400, 8),
            (401, 7),
            (403, 8),
            (404, 8),
            (409, 8),
            (412, 8),
            (413, 8),
            (422, 8),
            (428, 8),
            (429, 9),
            (500, 5),
            (503, 5),
            (304, 10),
        ] {
            assert_eq!(answer(status, &[], "").exit().code(), exit, "{status}");
        }
    }

    #[test]
    fn the_problem_speaks() {
        let body = r#"{"type":"about:blank","title":"Conflict","status":409,
            "detail":"billing exists with other content.","code":"exists"}"#;
        let told = answer(409, &[("content-type", "application/problem+json")], body);
        assert_eq!(told.message(), "the admin API answered 409: billing exists with other content");
        assert_eq!(told.advice(), Some("show tells what is there; update changes it"));
        assert_eq!(told.to_json()["error"]["code"], "exists");
        let untold = answer(502, &[], "<html>");
        assert_eq!(untold.message(), "the admin API answered 502 Bad Gateway");
        let long = answer(400, &[], &format!(r#"{{"detail":"{}"}}"#, "ä".repeat(2_000)));
        assert!(long.message().chars().count() < 600);
    }

    #[test]
    fn a_challenge_gives_the_code() {
        let challenge = r#"Bearer error="insufficient_scope", scope="m2m:write""#;
        let told = answer(403, &[("www-authenticate", challenge)], "");
        assert_eq!(told.to_json()["error"]["code"], "insufficient_scope");
        assert_eq!(
            told.advice(),
            Some("the client that administers needs the scope m2m:write at ISSUER/admin/v1")
        );
    }

    #[test]
    fn what_is_missing_is_listed_by_its_own_command() {
        assert_eq!(answer(404, &[], "").advice(), Some("list shows what there is: m2m admin api list"));
        let check = |path: &str, expect: &str| assert_eq!(noun(path), expect);
        check("/clients/a/credentials", "client");
        check("/credentials/x/rotate", "credential");
        check("/tokens?limit=1", "token");
    }

    #[test]
    fn the_wait_is_told() {
        let told = answer(503, &[("retry-after", "7")], "");
        assert_eq!(
            told.advice(),
            Some("tokens go on meanwhile, but nothing can be changed; try again in 7 s")
        );
        let odd = answer(429, &[("retry-after", "soon")], "");
        assert_eq!(odd.advice(), Some("too many requests; try again later"));
    }
}
