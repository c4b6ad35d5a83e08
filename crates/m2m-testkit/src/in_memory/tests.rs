use std::sync::Arc;

use axum::Router;
use axum::extract::Request as Arrived;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect};
use axum::routing::{get, post};
use bytes::Bytes;
use http::{Request, Response};
use m2m_io::{HttpClient as _, HttpError, Limits, Reach};
use m2m_proto::uri::Origin;

use super::{Fault, InMemoryHttp};
use crate::{ManualClock, settle};

fn network() -> (InMemoryHttp, ManualClock) {
    let clock = ManualClock::new();
    let http = InMemoryHttp::new(Arc::new(clock.clone()));
    let echo = async |request: Arrived| {
        let host = request.headers()["host"].to_str().unwrap().to_owned();
        let mark = request.extensions().get::<&str>().copied().unwrap_or_default();
        format!("{} {} {host} {mark}", request.method(), request.uri())
    };
    let router = Router::new()
        .route("/echo", post(echo))
        .route("/hang", get(async || std::future::pending::<()>().await))
        .route("/long", get(async || "x".repeat(100)))
        .route("/away", get(async || Redirect::to("https://other.example/x").into_response()))
        .route("/here", get(async || Redirect::to("/x").into_response()));
    http.route("https://as.example", router);
    (http, clock)
}

async fn ask(http: &InMemoryHttp, url: &str) -> Result<Response<Bytes>, HttpError> {
    http.send(Request::get(url).body(Bytes::new()).unwrap(), &Limits::default()).await
}

async fn echo(http: &InMemoryHttp) -> String {
    let request = Request::post("https://as.example:443/echo?a=b").body(Bytes::new()).unwrap();
    let response = http.send(request, &Limits::default()).await.unwrap();
    String::from_utf8(response.into_body().to_vec()).unwrap()
}

#[tokio::test]
async fn a_router_sees_a_path_and_a_host() {
    let (http, _) = network();
    assert_eq!(echo(&http).await, "POST /echo?a=b as.example:443 ");
    let marked = http.arriving_with(|request| {
        request.extensions_mut().insert("mark");
    });
    assert_eq!(echo(&marked).await, "POST /echo?a=b as.example:443 mark");
    assert_eq!((http.count("/echo"), http.record().count()), (2, 2));
}

#[tokio::test]
async fn who_is_not_there_refuses() {
    let (http, _) = network();
    assert!(matches!(ask(&http, "https://as.example:8443/").await, Err(HttpError::Connect(_))));
    assert_eq!(ask(&http, "https://as.example/none").await.unwrap().status(), StatusCode::NOT_FOUND);
    http.unroute("https://as.example");
    assert!(matches!(ask(&http, "https://as.example/").await, Err(HttpError::Connect(_))));
}

#[tokio::test]
async fn the_clients_contract_is_kept() {
    let (http, clock) = network();
    let away = ask(&http, "https://as.example/away").await.unwrap_err();
    let origin = |text| Some(Origin::parse(text).unwrap());
    let status = StatusCode::SEE_OTHER;
    assert_eq!(away, HttpError::Redirect { status, location_origin: origin("https://other.example") });
    let here = ask(&http, "https://as.example/here").await.unwrap_err();
    assert_eq!(here, HttpError::Redirect { status, location_origin: origin("https://as.example") });

    let limits = Limits { max_body_bytes: 99, ..Limits::default() };
    let long = Request::get("https://as.example/long").body(Bytes::new()).unwrap();
    assert_eq!(http.send(long, &limits).await.unwrap_err(), HttpError::TooLarge { limit: 99 });

    let reach = Reach::Discovered { origin: Origin::parse("https://rs.example").unwrap() };
    let limits = Limits { reach, ..Limits::default() };
    let inside = Request::get("https://127.0.0.1/").body(Bytes::new()).unwrap();
    assert!(matches!(http.send(inside, &limits).await, Err(HttpError::EgressDenied { .. })));

    let (hanging, later) = tokio::join!(ask(&http, "https://as.example/hang"), async {
        settle().await;
        clock.advance(Limits::default().timeout);
    });
    assert_eq!((hanging.unwrap_err(), later), (HttpError::Timeout, ()));
}

#[tokio::test]
async fn faults_queue_then_stay_then_go() {
    let (http, _) = network();
    let at = "https://as.example";
    let teapot = Response::builder().status(418).body(Bytes::new()).unwrap();
    http.next(at, Fault::Pass);
    http.next(at, Fault::Fail(HttpError::Timeout));
    http.always(at, Fault::Answer(teapot));
    let mut seen = Vec::new();
    for _ in 0..4 {
        seen.push(ask(&http, "https://as.example/long").await.map(|response| response.status().as_u16()));
    }
    assert_eq!(seen, [Ok(200), Err(HttpError::Timeout), Ok(418), Ok(418)]);
    http.recover(at);
    assert_eq!(ask(&http, "https://as.example/long").await.unwrap().status(), StatusCode::OK);
    http.next(at, Fault::Hang);
    let hung = ask(&http, "https://as.example/long");
    let gave_up = tokio::select! { biased; _ = hung => false, () = settle() => true };
    assert!(gave_up);
    assert_eq!(http.record().count(), 6);
}
