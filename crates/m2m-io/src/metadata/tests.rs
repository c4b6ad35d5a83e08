use std::sync::Arc;

use ::http::{Response, StatusCode, header};
use bytes::Bytes;
use m2m_proto::uri::{Issuer, Origin};

use super::RemoteMetadata;
use crate::remote::RemoteError;
use crate::testing::{ScriptedHttp, StillClock};
use crate::{HttpError, Reach};

const DOCUMENT: &str = r#"{"issuer":"https://as.example/t1","token_endpoint":"https://as.example/t1/token",
    "jwks_uri":"https://as.example/t1/jwks"}"#;
const FIRST: &str = "https://as.example/.well-known/oauth-authorization-server/t1";
const SECOND: &str = "https://as.example/t1/.well-known/openid-configuration";
const THIRD: &str = "https://as.example/t1/.well-known/oauth-authorization-server";

fn setup() -> (RemoteMetadata, Arc<ScriptedHttp>, StillClock) {
    let (http, clock) = (Arc::new(ScriptedHttp::default()), StillClock::new());
    let issuer = Issuer::parse("https://as.example/t1").unwrap();
    (RemoteMetadata::new(issuer, http.clone(), Arc::new(clock.clone())), http, clock)
}

#[tokio::test]
async fn the_first_location_is_enough() {
    let (metadata, http, _) = setup();
    http.answer(200, DOCUMENT);
    assert_eq!(metadata.get().await.unwrap().issuer.as_str(), "https://as.example/t1");
    assert_eq!(http.last_limits().reach, Reach::Configured);
    assert_eq!(http.asked(), [FIRST]);
    assert!(metadata.peek().is_some());
    let origin = Origin::parse("https://as.example").unwrap();
    assert_eq!(metadata.reach(), Reach::Discovered { origin });
}

#[tokio::test]
async fn the_second_location_is_tried_when_the_first_has_no_document() {
    for status in [400, 401, 404, 500] {
        let (metadata, http, _) = setup();
        http.answer(status, "");
        http.answer(200, DOCUMENT);
        metadata.get().await.unwrap();
        assert_eq!(http.asked(), [FIRST, SECOND]);
    }
    let (metadata, http, _) = setup();
    http.answer(200, "<html>");
    http.answer(200, DOCUMENT);
    metadata.get().await.unwrap();
}

#[tokio::test]
async fn the_third_location_is_that_of_services_that_mix_the_two() {
    let (metadata, http, _) = setup();
    http.answer(404, "");
    http.answer(404, "");
    http.answer(200, DOCUMENT);
    metadata.get().await.unwrap();
    assert_eq!(http.asked(), [FIRST, SECOND, THIRD]);
    let (metadata, http, _) = setup();
    http.answer(404, "");
    http.fail(HttpError::Timeout);
    assert_eq!(metadata.get().await.unwrap_err(), RemoteError::Http(HttpError::Timeout));
    assert_eq!(http.asked(), [FIRST, SECOND]);
}

#[tokio::test]
async fn an_issuer_that_differs_by_one_character_yields_nothing() {
    for other in ["https://as.example/t1/", "https://as.example/T1", "https://as.example/t2"] {
        let (metadata, http, _) = setup();
        let document = DOCUMENT.replacen("https://as.example/t1", other, 1);
        for _place in [FIRST, SECOND, THIRD] {
            http.answer(200, document.clone());
        }
        let error = metadata.get().await.unwrap_err();
        assert!(matches!(error, RemoteError::Document(_)), "{error}");
    }
}

#[tokio::test]
async fn the_more_telling_failure_is_reported() {
    let check = async |answers: [u16; 3], expect: u16| {
        let (metadata, http, _) = setup();
        for status in answers {
            http.answer(status, "");
        }
        let status = StatusCode::from_u16(expect).unwrap();
        assert_eq!(metadata.get().await.unwrap_err(), RemoteError::Status(status));
    };
    check([404, 404, 404], 404).await;
    check([404, 503, 404], 503).await;
    check([503, 404, 404], 503).await;
    check([404, 404, 503], 503).await;
    check([404, 401, 503], 401).await;
}

#[tokio::test]
async fn a_server_that_is_gone_is_asked_once() {
    for error in [HttpError::Timeout, HttpError::Connect("refused".into()), HttpError::Tls("expired".into())]
    {
        let (metadata, http, clock) = setup();
        http.fail(error.clone());
        assert_eq!(metadata.get().await.unwrap_err(), RemoteError::Http(error));
        metadata.get().await.unwrap_err();
        assert_eq!(http.asked(), [FIRST]);
        clock.advance(30);
        http.answer(200, DOCUMENT);
        metadata.get().await.unwrap();
    }
}

#[tokio::test]
async fn cache_control_shortens() {
    let (metadata, http, clock) = setup();
    let response = Response::builder().header(header::CACHE_CONTROL, "max-age=100");
    http.respond(response.body(Bytes::from(DOCUMENT)).unwrap());
    metadata.get().await.unwrap();
    clock.advance(100);
    assert!(metadata.peek().is_none());
}
