//! The store on SQLite in memory and in a file; PostgreSQL is tested by the testkit, which starts a real one.

use std::task::Poll;

use super::*;
use crate::fixture::{FixedClock, client_id};
use crate::registry::Client;
use crate::store::conformance;

async fn open(url: &str) -> SqlStore {
    SqlStore::open(SqlOptions::new(url), FixedClock::new()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_conformance_suite() {
    let make = || -> BoxFuture<'static, Arc<dyn Store>> {
        Box::pin(async { Arc::new(open("sqlite::memory:").await) as Arc<dyn Store> })
    };
    conformance::run(&make).await;
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("m2m.db").display());
    let create = |id: &str| Change::CreateClient(Client::new(client_id(id)));
    {
        let store = open(&url).await;
        store.change(create("app")).await.unwrap();
        let token = TokenRef { jti: "t".to_owned(), expires_at: UnixTime::from_seconds(u64::from(u32::MAX)) };
        store.revoke(&token, UnixTime::from_seconds(1)).await.unwrap();
        // No good-bye: the file is left as a crash would leave it.
        std::mem::forget(store);
    }
    let store = open(&url).await;
    assert!(store.registry().unwrap().registration(&client_id("app")).is_some());
    assert_eq!(store.status("t"), Ok(TokenStatus::Revoked));
    store.change(create("other")).await.unwrap();
    assert_eq!(store.registry().unwrap().clients(), 2);
}

/// The file and its log as they are while somebody writes, which is what a crash leaves.
#[tokio::test]
async fn a_file_that_nobody_closed_has_everything_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (own, path) = (directory.path(), |name: &str| directory.path().join(name));
    let store = open(&format!("sqlite:{}", path("m2m.db").display())).await;
    for number in 0..50 {
        let id = client_id(&format!("app{number}"));
        store.change(Change::CreateClient(Client::new(id))).await.unwrap();
        let left = tempfile::tempdir_in(own).unwrap();
        for name in ["m2m.db", "m2m.db-wal"] {
            std::fs::copy(path(name), left.path().join(name)).unwrap();
        }
        let left = open(&format!("sqlite:{}", left.path().join("m2m.db").display())).await;
        assert_eq!(left.registry().unwrap().clients(), number + 1);
    }
}

#[tokio::test]
async fn a_change_whose_end_nobody_heard_is_known_if_it_was_made() {
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("m2m.db").display());
    let options = SqlOptions { poll: Duration::from_millis(1), ..SqlOptions::new(&url) };
    let store = SqlStore::open(options, Arc::new(m2m_io::SystemClock)).await.unwrap();
    for steps in 0..40 {
        let id = client_id(&format!("app{steps}"));
        let mut change = store.change(Change::CreateClient(Client::new(id)));
        for _ in 0..steps {
            let done = std::future::poll_fn(|cx| Poll::Ready(change.as_mut().poll(cx).is_ready())).await;
            if done {
                break;
            }
            tokio::task::yield_now().await;
        }
        // The client hangs up, and nobody changes anything afterwards.
        drop(change);
        let stored = async || open(&url).await.registry().unwrap().clients();
        tokio::select! {
            () = store.work() => {}
            () = async {
                let mut looks = 0;
                while store.registry().unwrap().clients() != stored().await {
                    looks += 1;
                    assert!(looks < 200, "after {steps} steps");
                }
            } => {}
        }
    }
}

#[tokio::test]
async fn nothing_is_asked_of_the_database_on_the_way_of_a_token() {
    let store = open("sqlite::memory:").await;
    let before = store.statements();
    store.registry().unwrap();
    store.vouch().unwrap();
    store.status("t").unwrap();
    store
        .consume(&[ReplayKey::for_test("a", UnixTime::from_seconds(20))], UnixTime::from_seconds(10))
        .await
        .unwrap();
    assert_eq!(store.statements(), before);
}

#[tokio::test]
async fn a_url_that_is_none_says_what_is_expected() {
    let error = SqlStore::open(SqlOptions::new("mysql://x"), FixedClock::new()).await.unwrap_err();
    assert!(error.to_string().contains("sqlite:PATH"), "{error}");
}

#[tokio::test]
async fn a_shared_replay_memory_needs_postgresql() {
    let options = SqlOptions { replay: Some(ReplayScope::Shared), ..SqlOptions::new("sqlite::memory:") };
    let error = SqlStore::open(options, FixedClock::new()).await.unwrap_err();
    assert!(error.to_string().contains("PostgreSQL"), "{error}");
}
