//! The handle of a worker.

use crate::testing::{FakeServer, TestClock, builder, client, seconds, settle};
use crate::{ErrorKind, TokenSpec};

#[tokio::test]
async fn a_handle_follows_its_token() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(3600);
    let client = client(&server, &clock);
    let mut handle = client.handle(&TokenSpec::default());
    let error = handle.header().unwrap_err();
    assert_eq!((error.kind(), error.is_transient()), (ErrorKind::Unreachable, true));
    settle().await;
    assert_eq!(handle.header().unwrap(), "Bearer t1", "the first question started the request");
    assert!(handle.header().unwrap().is_sensitive());
    clock.advance(seconds(3300));
    settle().await;
    clock.pass(2).await;
    assert_eq!(handle.header().unwrap(), "Bearer t2");
    assert_eq!(handle.token().await.unwrap().access_token().expose(), "t2");
    assert_eq!(server.count(), 2);
}

/// While nothing changes, a handle asks nobody: its use is known once for each token.
#[tokio::test]
async fn a_handle_alone_keeps_its_token_in_use() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(3600);
    let client = client(&server, &clock);
    let mut handle = client.handle(&TokenSpec::default());
    handle.ready().await.unwrap();
    for _ in 0..5 {
        clock.advance(seconds(3300));
        settle().await;
        clock.pass(2).await;
        handle.header().unwrap();
    }
    assert_eq!(server.count(), 6, "renewed five times without ever being empty");
}

#[tokio::test]
async fn a_handles_header_shares_no_memory_with_another() {
    let server = FakeServer::issuing(3600);
    let client = client(&server, &TestClock::new());
    let mut one = client.handle(&TokenSpec::default());
    let mut two = one.clone();
    let at = one.ready().await.unwrap().as_bytes().as_ptr();
    assert_ne!(at, two.ready().await.unwrap().as_bytes().as_ptr());
    assert_eq!(at, one.header().unwrap().as_bytes().as_ptr(), "and is not copied again");
}

#[tokio::test]
async fn a_handle_outlives_the_eviction_of_its_key() {
    let clock = TestClock::new();
    let server = FakeServer::issuing(3600);
    let client = builder(&server, &clock).max_keys(1).build().unwrap();
    let mut handle = client.handle(&TokenSpec::default());
    assert_eq!(handle.ready().await.unwrap(), "Bearer t1");
    client.token(&TokenSpec::new().audience("https://b.example")).await.unwrap();
    assert_eq!(handle.ready().await.unwrap(), "Bearer t3");
    assert_eq!(client.cached_keys(), 1);
}

#[test]
fn a_handle_outside_of_a_runtime_says_so_instead_of_panicking() {
    let client = client(&FakeServer::issuing(600), &TestClock::new());
    let error = client.handle(&TokenSpec::default()).header().unwrap_err();
    assert!(error.is_transient());
}
