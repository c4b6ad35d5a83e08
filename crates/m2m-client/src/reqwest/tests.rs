use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;

use m2m_io::ReqwestHttp;
use m2m_proto::uri::Origin;
use reqwest_middleware::ClientBuilder;

use crate::TokenSpec;
use crate::testing::{FakeServer, TestClock, answer, builder, seconds};

/// An API on loopback that takes the second token only; answers `requests` times.
fn api(requests: usize) -> (String, std::thread::JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = move || {
        let mut seen = Vec::new();
        for _ in 0..requests {
            let (mut stream, _) = listener.accept().unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines().map(Result::unwrap);
            let head: Vec<String> = lines.take_while(|line| !line.is_empty()).collect();
            let authorization =
                head.iter().find(|line| line.to_lowercase().starts_with("authorization:")).unwrap();
            let status = if authorization.ends_with("t2") { "200 OK" } else { "401 Unauthorized" };
            seen.push(authorization.rsplit(' ').next().unwrap().to_owned());
            let answer = format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            stream.write_all(answer.as_bytes()).unwrap();
        }
        seen
    };
    (url, std::thread::spawn(serve))
}

#[tokio::test]
async fn a_401_renews_and_replays_and_a_foreign_origin_gets_nothing() {
    let (url, served) = api(3);
    let (server, clock) = (FakeServer::issuing(3600), TestClock::new());
    let client = builder(&server, &clock).destination(Origin::parse(&url).unwrap()).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    clock.advance(seconds(60));
    let plain = ReqwestHttp::builder().streaming_client().unwrap();
    let http = ClientBuilder::new(plain).with(client.middleware(&TokenSpec::default())).build();
    for _ in 0..2 {
        assert_eq!(http.get(format!("{url}/x")).send().await.unwrap().status(), 200);
    }
    let error = http.get("http://127.0.0.1:9/x").send().await.unwrap_err();
    assert!(error.to_string().contains("not a declared destination"), "{error}");
    clock.advance(seconds(4000));
    server.becomes(|_, _| Ok(answer(503, "")));
    let error = http.get(format!("{url}/x")).send().await.unwrap_err();
    assert!(error.to_string().contains("unavailable"), "{error}");
    assert_eq!(served.join().unwrap(), ["t1", "t2", "t2"]);
}
