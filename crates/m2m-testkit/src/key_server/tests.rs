//! The server itself: what each dial does, in memory and on a socket.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use m2m_io::reqwest::ProxyFrom;
use m2m_io::{HttpClient, HttpError, Limits, ReqwestHttp};
use m2m_proto::jose::JwkSet;

use super::{Caching, Document, KeyServer, Poison, Reply, Tag, weak_keys, weak_tokens};
use crate::{ManualClock, settle};

const ISSUER: &str = "https://as.example";

fn server() -> (KeyServer, ManualClock) {
    let clock = ManualClock::new();
    (KeyServer::new(ISSUER, Arc::new(clock.clone())), clock)
}

async fn get(http: &dyn HttpClient, url: &str, limits: &Limits) -> Result<Response<Bytes>, HttpError> {
    http.send(Request::get(url).body(Bytes::new()).unwrap(), limits).await
}

/// The number of usable keys, or why there are none.
fn read(result: Result<Response<Bytes>, HttpError>) -> Result<usize, String> {
    let response = result.map_err(|error| error.to_string())?;
    if response.status() != 200 {
        return Err(response.status().as_str().to_owned());
    }
    JwkSet::decode(response.body()).map(|set| set.keys().len()).map_err(|error| error.to_string())
}

/// What a client that keeps its limits makes of each position.
const EXPECTED: [(Reply, Result<usize, &str>); 21] = [
    (Reply::Good, Ok(2)),
    (Reply::Down, Err("cannot connect")),
    (Reply::Unavailable, Err("503")),
    (Reply::Missing, Err("404")),
    (Reply::Html, Err("not a JWK set")),
    (Reply::Redirect, Err("a redirect to https://elsewhere.example")),
    (Reply::Hang, Err("in time")),
    (Reply::Drip, Err("in time")),
    (Reply::Slow, Ok(2)),
    (Reply::Cut, Err("cannot connect")),
    (Reply::Oversized, Err("longer than")),
    (Reply::Bomb, Err("longer than")),
    (Reply::Crowd, Err("200 keys")),
    (Reply::Unparsable, Err("not a JWK set")),
    (Reply::Repeated, Err("not a JWK set")),
    (Reply::Deep, Err("not a JWK set")),
    (Reply::WrongType, Ok(2)),
    (Reply::Empty, Ok(0)),
    (Reply::Nothing, Err("not a JWK set")),
    (Reply::Lagging, Ok(1)),
    (Reply::NotModified, Err("304")),
];

#[track_caller]
fn is_as_expected(reply: Reply, found: &Result<usize, String>, expect: Result<usize, &str>) {
    let fits = match (found, expect) {
        (Ok(found), Ok(expect)) => *found == expect,
        (Err(found), Err(expect)) => found.contains(expect),
        _ => false,
    };
    assert!(fits, "{reply:?}: {found:?}, expected {expect:?}");
}

#[tokio::test]
async fn every_reply_is_what_it_says_in_memory() {
    let (server, clock) = server();
    server.rotate();
    for (reply, expect) in EXPECTED {
        server.reply(reply);
        let (http, limits) = (server.in_memory(), Limits::default());
        let asked = get(&http, "https://as.example/jwks", &limits);
        let (result, ()) = tokio::join!(asked, async {
            settle().await;
            clock.pass(Duration::from_secs(10)).await;
        });
        is_as_expected(reply, &read(result), expect);
    }
    assert_eq!(server.count(Document::Keys), EXPECTED.len());
}

#[tokio::test]
async fn every_reply_is_what_it_says_on_a_socket() {
    let listening = KeyServer::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = listening.server();
    server.rotate();
    let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap();
    for (reply, expect) in EXPECTED {
        server.reply(reply);
        let waits = matches!(reply, Reply::Hang | Reply::Drip);
        let timeout = if waits { Duration::from_millis(100) } else { Duration::from_secs(10) };
        let limits = Limits { timeout, ..Limits::default() };
        is_as_expected(reply, &read(get(&http, &format!("{}/jwks", server.issuer()), &limits).await), expect);
    }
}

#[tokio::test]
async fn of_the_poison_nothing_is_usable() {
    let (server, _) = server();
    let usable = async |poison| {
        server.poison(poison);
        read(get(&server.in_memory(), "https://as.example/jwks", &Limits::default()).await).unwrap()
    };
    assert_eq!(usable(Poison::Beside).await, 1);
    assert_eq!(usable(Poison::Only).await, 0);
    assert_eq!(usable(Poison::Twins).await, 0, "nobody can tell which of two is meant");
    let names: BTreeSet<_> = weak_keys().iter().map(|key| key["kid"].to_string()).collect();
    assert!(names.contains("\"weak-512\"") && names.contains("\"weak-1024\""));
    assert!(weak_tokens().iter().all(|token| token.split('.').count() == 3));
}

#[tokio::test]
async fn whoever_has_the_tag_gets_304() {
    let (server, _) = server();
    let http = server.in_memory();
    let ask = async |tag: &str| {
        let request = Request::get("https://as.example/jwks").header("if-none-match", tag);
        let response = http.send(request.body(Bytes::new()).unwrap(), &Limits::default()).await.unwrap();
        let tag = response.headers().get("etag").map(|tag| tag.to_str().unwrap().to_owned());
        (response.status().as_u16(), tag)
    };
    let (status, tag) = ask("\"x\"").await;
    let tag = tag.unwrap();
    assert_eq!((status, ask(&tag).await.0), (200, 304));
    server.rotate();
    assert_eq!(ask(&tag).await.0, 200);
    server.tag(Tag::Lying);
    let lie = ask("\"x\"").await.1.unwrap();
    server.rotate();
    assert_eq!(ask(&lie).await.0, 304);
    server.tag(Tag::Absent);
    assert_eq!(ask(&lie).await, (200, None));
    assert_eq!((server.count(Document::Keys), server.unchanged(Document::Keys)), (6, 2));
}

#[tokio::test]
async fn the_dials_turn_by_http() {
    let listening = KeyServer::listen("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let server = listening.server();
    let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere).build().unwrap();
    let limits = Limits { max_body_bytes: 1 << 24, ..Limits::default() };
    let order = async |path: &str| {
        let response = get(&http, &format!("{}{path}", server.issuer()), &limits).await.unwrap();
        (response.status().as_u16(), String::from_utf8(response.body().to_vec()).unwrap())
    };
    for (dial, names) in [
        ("reply", Reply::ALL.map(|(name, _)| name).to_vec()),
        ("poison", Poison::ALL.map(|(name, _)| name).to_vec()),
        ("caching", Caching::ALL.map(|(name, _)| name).to_vec()),
        ("tag", Tag::ALL.map(|(name, _)| name).to_vec()),
    ] {
        for name in names {
            assert_eq!(order(&format!("/hell/{dial}/{name}")).await.0, 200, "{dial} {name}");
            assert!(order("/").await.1.contains(name), "{name} is told");
        }
    }
    assert_eq!(order("/hell/reply/nice").await.0, 404);
    assert_eq!(order("/hell/rotate").await.0, 200);
    assert_eq!(server.newest(), 1);
    assert_eq!(order("/hell/publish/1").await.0, 200);
    assert_eq!(order("/hell/publish/2").await.0, 404);
    assert_eq!(order("/hell/token/0").await.1.split('.').count(), 3);
    assert_eq!(order("/hell/token/2").await.0, 404);
    let flood: BTreeSet<_> = order("/hell/flood/1000").await.1.lines().map(str::to_owned).collect();
    assert_eq!(flood.len(), 1000);
    assert!(order("/hell/counts").await.1.contains("\"keys\":0"));
}
