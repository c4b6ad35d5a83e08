//! The SQL store on a real PostgreSQL: what every store must do, two nodes at once, and what it forgets.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use m2m_authorization_server::audit::{Batch, Event, Query, Record};
use m2m_authorization_server::registry::{Change, Client};
use m2m_authorization_server::replay::ReplayKey;
use m2m_authorization_server::store::sql::{SqlOptions, SqlStore};
use m2m_authorization_server::store::{
    Consumption, ReplayScope, Store, StoreError, TokenRef, TokenStatus, conformance,
};
use m2m_io::{BoxFuture, Clock, SystemClock};
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;
use m2m_testkit::ManualClock;
use m2m_testkit::postgres::Postgres;

use crate::nodes::place::{client_id, slow_change, until, waiting};
use crate::postgres::query;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn key(name: &str, expires_at: u64) -> ReplayKey {
    ReplayKey::for_test(name, at(expires_at))
}

async fn open(url: &str) -> Arc<SqlStore> {
    Arc::new(SqlStore::open(SqlOptions::new(url), Arc::new(SystemClock)).await.unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passes_the_conformance_suite() {
    let Some(postgres) = Postgres::start() else { return };
    let postgres = Arc::new(postgres);
    let count = Arc::new(AtomicUsize::new(0));
    for scope in [ReplayScope::Shared, ReplayScope::Node] {
        let make = || -> BoxFuture<'static, Arc<dyn Store>> {
            let (postgres, count) = (Arc::clone(&postgres), Arc::clone(&count));
            Box::pin(async move {
                let name = format!("conformance{}", count.fetch_add(1, Ordering::SeqCst));
                let mut options = SqlOptions::new(&postgres.database(&name));
                options.replay = Some(scope);
                let store = SqlStore::open(options, Arc::new(SystemClock)).await.unwrap();
                assert_eq!(store.replay_scope(), scope);
                Arc::new(store) as Arc<dyn Store>
            })
        };
        conformance::run(&make).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_make_one_schema() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.database("both");
    let (one, other) = tokio::join!(open(&url), open(&url));
    one.change(Change::CreateClient(Client::new(client_id("app")))).await.unwrap();
    assert_eq!(other.registry().unwrap().clients(), 0, "the other follows in its work");
    // A change is made of what all nodes did, known here or not.
    let again = other.change(Change::CreateClient(Client::new(client_id("app")))).await.unwrap_err();
    assert!(matches!(again, StoreError::Conflict(_)), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_at_two_nodes_with_one_key_one_is_admitted() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let nodes = [open(&url).await, open(&url).await];
    for round in 0..8 {
        let mut racers = tokio::task::JoinSet::new();
        for racer in 0..64 {
            let node = Arc::clone(&nodes[racer % 2]);
            racers.spawn(async move {
                let own = key(&format!("own {round} {racer}"), 20);
                let shared = key(&format!("shared {round}"), 20);
                // In both orders: two nodes must not wait for each other.
                let keys = if racer % 4 < 2 { [own, shared] } else { [shared, own] };
                let position = keys.iter().position(|one| *one == key(&format!("shared {round}"), 20));
                let consumed = node.consume(&keys, at(10)).await.unwrap();
                match consumed {
                    Consumption::Replayed(found) => assert_eq!(Some(found), position),
                    other => assert_eq!(other, Consumption::Recorded),
                }
                consumed == Consumption::Recorded
            });
        }
        let admitted = racers.join_all().await.into_iter().filter(|admitted| *admitted).count();
        assert_eq!(admitted, 1, "round {round}");
    }
    // Nothing is left of the 63 that were refused.
    assert_eq!(query(&url, "SELECT count(*) FROM m2m_replay").unwrap(), "16");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn requests_that_wait_together_are_written_together() {
    let Some(postgres) = Postgres::start() else { return };
    let store = open(&postgres.url()).await;
    let before = store.statements();
    let mut requests = tokio::task::JoinSet::new();
    for number in 0..1000 {
        let store = Arc::clone(&store);
        requests.spawn(async move { store.consume(&[key(&format!("{number}"), 20)], at(10)).await });
    }
    let all = requests.join_all().await;
    assert!(all.iter().all(|one| *one == Ok(Consumption::Recorded)));
    let statements = store.statements() - before;
    assert!(statements <= 250, "{statements} statements for 1000 requests");
    assert_eq!(query(&postgres.url(), "SELECT count(*) FROM m2m_replay").unwrap(), "1000");
}

#[tokio::test]
async fn a_refused_request_leaves_no_key_behind_for_any_node() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let (one, other) = (open(&url).await, open(&url).await);
    assert_eq!(one.consume(&[key("proof", 20)], at(10)).await, Ok(Consumption::Recorded));
    let mixed = other.consume(&[key("assertion", 20), key("proof", 20)], at(10)).await;
    assert_eq!(mixed, Ok(Consumption::Replayed(1)));
    assert_eq!(one.consume(&[key("assertion", 20)], at(10)).await, Ok(Consumption::Recorded));
    // At its expiry a key is free, and taken once again.
    assert_eq!(other.consume(&[key("proof", 40)], at(19)).await, Ok(Consumption::Replayed(0)));
    assert_eq!(other.consume(&[key("proof", 40)], at(20)).await, Ok(Consumption::Recorded));
    assert_eq!(one.consume(&[key("proof", 40)], at(20)).await, Ok(Consumption::Replayed(0)));
}

#[tokio::test]
async fn what_is_past_its_time_goes_and_everything_else_stays() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let clock = ManualClock::new();
    let store = Arc::new(SqlStore::open(SqlOptions::new(&url), Arc::new(clock.clone())).await.unwrap());
    let day = Duration::from_secs(24 * 60 * 60);
    let now = clock.wall();
    let in_days = |days: u32| now.saturating_add(day * days);
    for (name, days) in [("short", 1), ("long", 80)] {
        let key = ReplayKey::for_test(name, in_days(days));
        assert_eq!(store.consume(&[key], now).await, Ok(Consumption::Recorded));
        store.revoke(&TokenRef { jti: name.to_owned(), expires_at: in_days(days) }, now).await.unwrap();
        let record = Record::new(in_days(days - 1), Event::TokenRevoked);
        store.append(&mut Batch::of(u64::from(days), [record])).await.unwrap();
    }
    // More than one statement takes.
    let many = "INSERT INTO m2m_replay SELECT 'many' || n, 1000 FROM generate_series(1, 12000) AS n";
    query(&url, many).unwrap();
    let count = |table: &str| query(&url, &format!("SELECT count(*) FROM {table}")).unwrap();
    assert_eq!(count("m2m_replay"), "12002");
    // What the audit holds after 90 days is the younger record.
    clock.advance(day * 79 + day * 12);
    let work = async {
        tokio::select! {
            // It lies down before the clock moves.
            biased;
            () = store.work() => {}
            () = async {
                clock.advance(Duration::from_secs(60));
                until("less", async || count("m2m_audit") == "1").await;
            } => {}
        }
    };
    work.await;
    assert_eq!(count("m2m_replay"), "0");
    assert_eq!(count("m2m_revoked"), "0");
    assert_eq!(store.audit(&Query::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_clock_that_is_ahead_takes_nothing_from_the_others() {
    let Some(postgres) = Postgres::start() else { return };
    let (right, ahead) = (ManualClock::new(), ManualClock::new());
    let open = async |clock: &ManualClock| {
        SqlStore::open(SqlOptions::new(&postgres.url()), Arc::new(clock.clone())).await.unwrap()
    };
    let (one, other) = (open(&right).await, open(&ahead).await);
    let now = right.wall();
    let end = now.saturating_add(Duration::from_secs(120));
    let used = [ReplayKey::for_test("used", end)];
    assert_eq!(one.consume(&used, now).await, Ok(Consumption::Recorded));
    let old = [ReplayKey::for_test("old", now)];
    assert_eq!(one.consume(&old, now).await, Ok(Consumption::Recorded));
    ahead.advance(Duration::from_secs(301));
    tokio::select! {
        // It lies down before the clock moves.
        biased;
        () = other.work() => {}
        () = async {
            ahead.advance(Duration::from_secs(60));
            let count = || query(&postgres.url(), "SELECT count(*) FROM m2m_replay").unwrap();
            until("the old one is gone", async || count() == "1").await;
        } => {}
    }
    assert_eq!(one.consume(&used, now).await, Ok(Consumption::Replayed(0)));
}

#[tokio::test]
async fn a_record_that_is_offered_again_is_stored_once() {
    let Some(postgres) = Postgres::start() else { return };
    let store = open(&postgres.url()).await;
    let record = |second: u64| Record::new(at(second), Event::TokenRevoked);
    let batch = |first, count| Batch::of(first, (0..count).map(|_| record(1)));
    store.append(&mut batch(0, 2)).await.unwrap();
    // The end of that was not heard; meanwhile one more came.
    store.append(&mut batch(0, 3)).await.unwrap();
    store.append(&mut batch(3, 1)).await.unwrap();
    assert_eq!(store.audit(&Query::default()).await.unwrap().len(), 4);
    // As many as after a long outage, and a text that PostgreSQL does not take as it is.
    let odd = |second| Record::refused(at(second), ErrorCode::InvalidClient, "a\0b".to_owned());
    store.append(&mut Batch::of(4, (0..3000).map(odd))).await.unwrap();
    let rows = query(&postgres.url(), "SELECT count(*), count(DISTINCT number) FROM m2m_audit").unwrap();
    assert_eq!(rows, "3004|3004");
}

#[tokio::test]
async fn errors_and_shown_settings_hold_no_password() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    for wrong in [
        url.replace("m2m@", "m2m:canary-password@").replace("/postgres", "/absent"),
        url.replace("m2m@", "nobody:canary-password@"),
        url.replace("m2m@127.0.0.1", "m2m:canary-password@[").replace("postgres://", "postgresql://"),
        "postgres://m2m:canary-password@127.0.0.1:1/postgres".to_owned(),
    ] {
        let options = SqlOptions::new(&wrong);
        assert!(!format!("{options:?}").contains("canary"));
        let error = SqlStore::open(options, Arc::new(SystemClock)).await.unwrap_err();
        let told = format!("{error} {error:?}");
        eprintln!("{told}");
        assert!(!told.contains("canary"), "{told}");
    }
}

/// Not a measurement to rely on: a debug build, beside other tests.
#[tokio::test]
async fn a_change_takes_milliseconds() {
    let directory = tempfile::tempdir().unwrap();
    let file = format!("sqlite:{}", directory.path().join("m2m.db").display());
    let postgres = Postgres::durable();
    let urls = std::iter::once(file).chain(postgres.iter().map(Postgres::url));
    for url in urls {
        let store = open(&url).await;
        let began = SystemClock.monotonic();
        for number in 0..100 {
            let client = Client::new(client_id(&format!("app{number}")));
            store.change(Change::CreateClient(client)).await.unwrap();
        }
        let each = (SystemClock.monotonic() - began) / 100;
        eprintln!("a change takes {each:?} on {}", url.split(':').next().unwrap());
        assert!(each < Duration::from_millis(500), "{each:?}");
        assert_eq!(store.status("t"), Ok(TokenStatus::Standing));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_others_did_is_news_and_as_old_as_the_question() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let clock = ManualClock::new();
    let mut options = SqlOptions::new(&url);
    options.max_staleness = Duration::from_secs(2);
    let store = Arc::new(SqlStore::open(options, Arc::new(clock.clone())).await.unwrap());
    let longer = Duration::from_secs(3);
    clock.advance(longer);
    assert!(store.vouch().is_err());
    let token = TokenRef { jti: "t".to_owned(), expires_at: clock.wall().saturating_add(longer) };
    store.revoke(&token, clock.wall()).await.unwrap();
    assert!(store.vouch().is_err(), "nothing was heard of what others withdrew");
    let create = |id: &str| Change::CreateClient(Client::new(client_id(id)));
    store.change(create("one")).await.unwrap();
    store.vouch().unwrap();

    // Another node is slow, and this one waits for it.
    let slow = slow_change(&url, 1).await;
    let mut changes = tokio::task::JoinSet::new();
    changes.spawn({
        let store = Arc::clone(&store);
        async move { store.change(create("two")).await.map(drop) }
    });
    until("the wait for it", async || waiting(&url, "Lock") == 1).await;
    clock.advance(longer);
    assert!(changes.join_all().await.iter().all(Result::is_ok));
    assert!(store.vouch().is_err(), "who waited for so long is behind");
    slow.await.unwrap().unwrap();
}

/// Not a measurement to rely on: a debug build, beside other tests.
#[tokio::test]
async fn a_node_with_many_clients_starts_soon() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let store = open(&url).await;
    store.change(Change::CreateClient(Client::new(client_id("app")))).await.unwrap();
    let many = "INSERT INTO m2m_registry (kind, id, revision, document) \
         SELECT kind, 'app' || n, 1, replace(document, '\"app\"', '\"app' || n || '\"') \
         FROM m2m_registry, generate_series(1, 99999) AS n WHERE kind = 'client'";
    query(&url, many).unwrap();
    let began = SystemClock.monotonic();
    let other = open(&url).await;
    eprintln!("a node with 100,000 clients is open after {:?}", SystemClock.monotonic() - began);
    assert_eq!(other.registry().unwrap().clients(), 100_000);
}
