//! The store on SQLite in memory and in a file; PostgreSQL is tested by the testkit, which starts a real one.

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
