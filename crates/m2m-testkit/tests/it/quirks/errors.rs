//! What errors look like and mean: other shapes, other codes, quotas.

use std::time::Duration;

use m2m_client::{Credentials, Error, ErrorKind, TokenSpec};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::error::ErrorCode;
use m2m_testkit::lab::{Answer, Behaviour, Lab, Place, Situation};
use serde_json::{Value, json};

use super::{SECRET, STANDARD_SERVICE, ask, does_not, gets, lab, named, secret, wants_parameters};

/// A service that says this to everybody.
async fn saying(answer: Answer) -> Lab {
    let behaviour = Behaviour { denies: Some(Situation::UnauthorizedApi), ..wants_parameters(Place::Form) };
    lab(behaviour.error(Situation::UnauthorizedApi, answer)).await
}

async fn error(answer: &Answer, says: &str) -> Error {
    let lab = saying(answer.clone()).await;
    does_not(says, &lab, named(&lab, says), &Situation::UnauthorizedApi).await
}

fn code(error: &Error) -> Option<&str> {
    error.code().map(ErrorCode::as_str)
}

#[tokio::test]
async fn errors_of_any_shape_are_read_where_the_catalogue_knows_it() {
    let shape = |code: &str, description: &str| {
        format!("[[errors]]\ncode = \"{code}\"\ndescription = \"{description}\"")
    };
    let check = async |body: Value, says: String, expect: &str, text: Option<&str>| {
        let answer = Answer::json(400, &body);
        let switched = error(&answer, &says).await;
        assert_eq!((switched.kind(), code(&switched)), (ErrorKind::Refused, Some(expect)), "{body}");
        assert_eq!(switched.description(), text, "{body}");
        let standard = error(&answer, STANDARD_SERVICE).await;
        assert_eq!((standard.kind(), code(&standard)), (ErrorKind::PeerMisbehaved, None), "{body}");
        assert!(standard.is_transient(), "{body}: no verdict");
    };
    check(
        json!({"errorCode": "invalid_client", "errorSummary": "Invalid value for 'client_id' parameter."}),
        shape("/errorCode", "/errorSummary"),
        "invalid_client",
        Some("Invalid value for 'client_id' parameter."),
    )
    .await;
    check(
        json!({"errors": [{"code": 99, "message": "no"}, {"code": 1}]}),
        shape("/errors/0/code", "/errors/0/message"),
        "99",
        Some("no"),
    )
    .await;
    check(
        json!({"response": {"errors": [{"code": "10401", "message": "ClientId is Invalid"}]}}),
        shape("/response/errors/0/code", "/response/errors/0/message"),
        "10401",
        Some("ClientId is Invalid"),
    )
    .await;
    // A sentence where others have a code is both.
    check(
        json!({"status": 403, "message": "invalid client \"secret\""}),
        "[[errors]]\ncode = \"/message\"".to_owned(),
        "invalid_client__secret_",
        Some("invalid client \"secret\""),
    )
    .await;
    // The first shape that has a code counts; the other is for another answer.
    let two = format!("{}\n{}", shape("/error/code", "/error/message"), shape("/errorCode", "/errorSummary"));
    check(json!({"errorCode": "E0000011", "errorSummary": "x"}), two, "E0000011", Some("x")).await;
}

/// What RFC 6749 has is read everywhere, whatever else the catalogue knows.
#[tokio::test]
async fn standard_errors_stay_standard() {
    let says = "[[errors]]\ncode = \"/errorCode\"";
    let mixed = json!({"error": "invalid_scope", "errorCode": "E1", "error_codes": [70011]});
    let elsewhere = error(&Answer::json(400, &mixed), says).await;
    assert_eq!(code(&elsewhere), Some("invalid_scope"));
    // Even with the status of success.
    for says in [says, STANDARD_SERVICE] {
        let refused = error(&Answer::oauth(200, "invalid_client", "no"), says).await;
        assert_eq!((refused.kind(), code(&refused)), (ErrorKind::Refused, Some("invalid_client")));
    }
}

const MEANS: &str = "[[hints]]\nstatus = 401\ncode = \"access_denied\"\nmeans = \"invalid_client\"\n\
                     cause = \"the secret is wrong\"\nfix = \"copy it from Settings\"";

#[tokio::test]
async fn a_code_that_means_another_counts_as_that() {
    let answer = Answer::oauth(401, "access_denied", "Unauthorized");
    let switched = error(&answer, MEANS).await;
    assert_eq!(switched.code(), Some(&ErrorCode::InvalidClient));
    assert_eq!(switched.hint(), "the secret is wrong: copy it from Settings");
    // What was sent is still told.
    assert!(switched.to_string().contains("access_denied"), "{switched}");
    assert_eq!(switched.description(), Some("Unauthorized"));
    let standard = error(&answer, STANDARD_SERVICE).await;
    assert_eq!(standard.code(), Some(&ErrorCode::AccessDenied));
    // Under another status it means itself.
    let elsewhere = error(&Answer::oauth(403, "access_denied", "no"), MEANS).await;
    assert_eq!(elsewhere.code(), Some(&ErrorCode::AccessDenied));
    // 400 invalid_grant for a bad secret.
    let says = "[[hints]]\ncode = \"invalid_grant\"\ncontains = \"credentials\"\nmeans = \"invalid_client\"\n\
                cause = \"c\"\nfix = \"f\"";
    let bad = error(&Answer::oauth(400, "invalid_grant", "The client credentials are invalid"), says).await;
    assert_eq!(bad.code(), Some(&ErrorCode::InvalidClient));
    let other = error(&Answer::oauth(400, "invalid_grant", "Please check the assertion"), says).await;
    assert_eq!(other.code(), Some(&ErrorCode::InvalidGrant));
}

/// During a rotation the other secret is tried when the first is refused, by whatever code the service says so.
#[tokio::test]
async fn the_next_secret_is_tried_where_the_code_means_that() {
    let wrong = Answer::oauth(401, "access_denied", "Unauthorized");
    let lab = lab(wants_parameters(Place::Form).error(Situation::WrongClient, wrong)).await;
    let rotating = |says: &str| {
        let (old, new) = (secret("canary-of-yesterday"), secret(SECRET));
        named(&lab, says).credentials(Credentials::secret(old, Some(new), ClientAuthMethod::ClientSecretPost))
    };
    gets("the next", &lab, rotating(MEANS)).await;
    assert_eq!(lab.record().count(), 2);
    does_not("no other", &lab, rotating(STANDARD_SERVICE), &Situation::WrongClient).await;
}

#[tokio::test]
async fn an_error_that_passes_by_itself_is_tried_again() {
    let answer = Answer::oauth(401, "invalid_client", "E70021: no such federated credential yet");
    let says = "[[hints]]\ncontains = \"E70021\"\ntransient = true\ncause = \"c\"\nfix = \"f\"";
    assert!(error(&answer, says).await.is_transient());
    assert!(!error(&answer, STANDARD_SERVICE).await.is_transient());
}

#[tokio::test]
async fn a_quota_is_no_verdict_and_tells_when_to_come_back() {
    let quota = "b=per_hour;q=10;r=0;t=1200";
    let answer = Answer::oauth(429, "too_many_requests", "Client quota exceeded")
        .header("retry-after", "30")
        .header("X-Client-Quota", quota);
    let lab = lab(Behaviour { allowance: Some(1), ..wants_parameters(Place::Form) }
        .error(Situation::RateLimited, answer))
    .await;
    let says = "[quota]\nheaders = [\"X-Client-Quota\"]\n[[hints]]\nstatus = 429\ntransient = true\n\
                cause = \"the quota is used up\"\nfix = \"raise it under Quotas\"";
    for (says, hint) in
        [(says, "raise it under Quotas"), (STANDARD_SERVICE, "share tokens between processes")]
    {
        lab.change(|behaviour| behaviour.allowance = Some(0));
        let limited = does_not("quota", &lab, named(&lab, says), &Situation::RateLimited).await;
        assert_eq!(limited.kind(), ErrorKind::Unreachable);
        assert!(limited.is_rate_limited() && limited.is_transient());
        assert_eq!(limited.retry_after(), Some(Duration::from_secs(30)));
        assert!(limited.hint().contains(hint), "{}", limited.hint());
    }
    // A token that is there outlives the quota.
    lab.change(|behaviour| behaviour.allowance = None);
    let client = named(&lab, says).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    lab.change(|behaviour| behaviour.allowance = Some(0));
    client.renew(&TokenSpec::default()).await.unwrap_err();
    let kept = client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(kept.access_token(), token.access_token());
    drop(ask(named(&lab, says)).await);
}
