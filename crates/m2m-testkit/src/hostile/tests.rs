//! Both variants of every case, through HTTP and the decoder of the protocol core. What the client makes of them
//! beyond that (token type, scope, inspection) is tested where the client is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::reqwest::ProxyFrom;
use m2m_io::{HttpClient, HttpError, Limits, Reach, ReqwestHttp};
use m2m_proto::error::RetryAfter;
use m2m_proto::token::response::{ExpiresIn, TokenResponse, TokenResponseError};

use super::{Answer, Expect, HostileServer, Lifetime, cases};
use crate::{InMemoryHttp, ManualClock, settle};

fn seen(result: Result<Response<Bytes>, HttpError>) -> Expect {
    let response = match result {
        Ok(response) => response,
        Err(error) if error.is_unreachable() => return Expect::Unreachable { retry_after: None },
        Err(_) => return Expect::PeerMisbehaved,
    };
    match TokenResponse::decode(&response) {
        Ok(response) => Expect::Token(match response.expires_in {
            // Read by a dialect alone.
            ExpiresIn::Absent | ExpiresIn::Until(_) => Lifetime::Unsaid,
            ExpiresIn::Zero => Lifetime::Zero,
            ExpiresIn::In(life) if life == ExpiresIn::MAX => Lifetime::Absurd,
            ExpiresIn::In(life) => Lifetime::Seconds(life.as_secs()),
        }),
        Err(TokenResponseError::Refused { error, .. }) => {
            let codes = ["invalid_scope", "invalid_client", "access_denied", "use_dpop_nonce"];
            Expect::Refused(codes.into_iter().find(|code| *code == error.error.as_str()).unwrap_or("another"))
        }
        Err(TokenResponseError::Unavailable { retry_after, .. }) => {
            Expect::Unreachable { retry_after: retry_after.map(|after| seconds(&after)) }
        }
        Err(_) => Expect::PeerMisbehaved,
    }
}

fn seconds(after: &RetryAfter) -> u64 {
    let wait = match after {
        RetryAfter::After(wait) => *wait,
        RetryAfter::At(time) => time.since(ManualClock::START),
    };
    wait.min(RetryAfter::MAX).as_secs()
}

/// Without what only a client that knows its request can tell.
fn by_itself(name: &str, expect: Expect) -> Expect {
    match expect {
        Expect::Suspicious => Expect::Token(Lifetime::Seconds(3600)),
        Expect::PeerMisbehaved if name.starts_with("token_type") => Expect::Token(Lifetime::Seconds(3600)),
        expect => expect,
    }
}

async fn ask(http: &dyn HttpClient, url: &str, limits: &Limits) -> Result<Response<Bytes>, HttpError> {
    http.send(Request::post(url).body(Bytes::from("grant_type=client_credentials")).unwrap(), limits).await
}

#[tokio::test]
async fn over_a_socket() {
    let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap();
    for case in cases() {
        let server = HostileServer::start([case.answer.clone()]).await;
        let timeout = match case.answer {
            Answer::Drip | Answer::Hang => Duration::from_millis(100),
            _ => Duration::from_secs(10),
        };
        let limits = Limits { timeout, reach: Reach::Configured, ..Limits::default() };
        let found = seen(ask(&http, &server.url("/token"), &limits).await);
        assert_eq!(found, by_itself(case.name, case.expect), "{}", case.name);
        assert_eq!(server.record().count(), 1, "{}", case.name);
        assert_eq!(server.record().last().form("grant_type"), ["client_credentials"]);
    }
}

#[tokio::test]
async fn in_memory() {
    let clock = ManualClock::new();
    let http = InMemoryHttp::new(Arc::new(clock.clone()));
    for case in cases() {
        http.next("https://as.example", case.answer.fault());
        let limits = Limits::default();
        let (result, ()) = tokio::join!(ask(&http, "https://as.example/token", &limits), async {
            settle().await;
            clock.advance(Limits::default().timeout);
        });
        assert_eq!(seen(result), by_itself(case.name, case.expect), "{}", case.name);
    }
}

#[tokio::test]
async fn a_script_goes_on_with_its_last_answer() {
    let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap();
    let server = HostileServer::start([Answer::json(500, ""), Answer::json(200, "{}")]).await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        statuses.push(ask(&http, &server.url("/"), &Limits::default()).await.unwrap().status().as_u16());
    }
    assert_eq!(statuses, [500, 200, 200]);
}

#[test]
fn names_are_distinct() {
    let cases = cases();
    let names = cases.iter().map(|case| case.name).collect::<BTreeSet<_>>();
    assert_eq!(names.len(), cases.len());
}
