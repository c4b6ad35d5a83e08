use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::{ServiceExt as _, service_fn};
use tower_layer::Layer as _;

use super::AttachLayer;
use crate::TokenSpec;
use crate::testing::{FakeServer, TestClock, answer, client, seconds};

type Seen = Arc<Mutex<Vec<String>>>;

/// Calls an API behind the layer that takes the second token only.
async fn call(layer: &AttachLayer, seen: &Seen, url: &str) -> Result<u16, String> {
    let seen = Arc::clone(seen);
    let api = service_fn(move |request: Request<Full<Bytes>>| {
        let authorization = request.headers()["authorization"].to_str().unwrap().to_owned();
        let status = if authorization == "Bearer t2" { 200 } else { 401 };
        seen.lock().unwrap().push(authorization);
        async move { Ok::<_, std::io::Error>(Response::builder().status(status).body(()).unwrap()) }
    });
    let request = Request::post(url).body(Full::new(Bytes::from_static(b"x"))).unwrap();
    let response = layer.layer(api).oneshot(request).await;
    response.map(|response| response.status().as_u16()).map_err(|error| error.to_string())
}

#[tokio::test]
async fn a_request_is_replayed_once_if_its_body_can_be() {
    let url = "https://api.example/x";
    for (replay, sent, status) in
        [(false, vec!["Bearer t1"], 401), (true, vec!["Bearer t1", "Bearer t2"], 200)]
    {
        let (server, clock, seen) = (FakeServer::issuing(3600), TestClock::new(), Seen::default());
        let client = client(&server, &clock);
        client.token(&TokenSpec::default()).await.unwrap();
        clock.advance(seconds(60));
        let mut layer = client.layer(&TokenSpec::default());
        if replay {
            layer = layer.replay_with(|body: &Full<Bytes>| Some(body.clone()));
        }
        assert_eq!(call(&layer, &seen, url).await.unwrap(), status);
        assert_eq!(*seen.lock().unwrap(), sent);
        // Replayed or not, the next request has the new token.
        assert_eq!(call(&layer, &seen, url).await.unwrap(), 200);
    }
}

#[tokio::test]
async fn nothing_passes_without_a_token_or_to_a_foreign_origin() {
    let (server, clock, seen) = (FakeServer::issuing(3600), TestClock::new(), Seen::default());
    let client = client(&server, &clock);
    let layer = client.layer(&TokenSpec::default());
    let error = call(&layer, &seen, "https://evil.example/x").await.unwrap_err();
    assert_eq!(error, "https://evil.example is not a declared destination of this token");
    server.becomes(|_, _| Ok(answer(503, "")));
    let error = call(&layer, &seen, "https://api.example/x").await.unwrap_err();
    assert_eq!(error, "the server is unavailable (503)");
    assert!(seen.lock().unwrap().is_empty());
}
