//! What a node does while its database is away, and afterwards.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use http::StatusCode;
use m2m_authorization_server::AuditMode;
use m2m_authorization_server::registry::{Change, Client};
use m2m_authorization_server::replay::ReplayKey;
use m2m_authorization_server::store::{Consumption, Store as _, TokenRef};
use m2m_io::task::spawn_detached;
use m2m_io::{BoxFuture, Clock as _, SystemClock};
use m2m_proto::names::header;
use m2m_testkit::postgres::Postgres;

use super::ask::{Answer, jti};
use super::line::{Line, On};
use super::place::{
    ADMIN, APP, FEED, Node, Parties, STATUS_LIST, TOKEN, client_id, new_client, slow_change, until, waiting,
};
use crate::postgres::query;

/// How soon a node works again after its database does.
const RECOVERY: Duration = Duration::from_secs(5);

/// The records of issued tokens, counted by `jti`.
fn recorded(url: &str) -> HashMap<String, usize> {
    let rows = query(url, "SELECT jti FROM m2m_audit WHERE event = 'token_issued'").unwrap();
    let mut counts = HashMap::new();
    for jti in rows.lines() {
        *counts.entry(jti.to_owned()).or_default() += 1;
    }
    counts
}

async fn is_ready(node: &Node) -> (StatusCode, String) {
    let answer = node.get("/readyz").await;
    (answer.status, answer.json()["checks"]["database"].as_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_goes_on_without_its_database_for_as_long_as_it_may() {
    let Some(mut postgres) = Postgres::start() else { return };
    let node = Node::start(&postgres.url()).await;
    let parties = node.register().await;
    let administrator = node.ask(ADMIN, &parties.admin_secret).await.access_token();
    let token = node.token(&parties).await;
    assert!(node.is_active(&parties, &token).await);
    let mut issued = vec![jti(&token)];
    postgres.kill();
    let until_known = until("that the database is away", async || {
        // Whoever asks before that is known waits for an answer.
        let began = SystemClock.monotonic();
        node.post(TOKEN, parties.assertion(&node, "a")).await.comes_later();
        SystemClock.monotonic() - began < Duration::from_millis(500)
    })
    .await;
    eprintln!("nobody waits for the database any more after {until_known:?}");

    for _ in 0..20 {
        issued.push(jti(&node.token(&parties).await));
    }
    node.post(TOKEN, parties.assertion(&node, "b")).await.comes_later();
    node.post(TOKEN, parties.proven(&node, "b")).await.comes_later();
    let refused = node.administer(&administrator, "/clients", new_client("later")).await;
    refused.comes_later();
    assert_eq!(refused.headers[header::CONTENT_TYPE], "application/problem+json");
    assert!(node.is_active(&parties, &token).await);

    // Cut off for longer than it may say what stands.
    node.clock.by(Duration::from_secs(11));
    node.introspect(&parties, &token).await.comes_later();
    for path in [STATUS_LIST, FEED] {
        assert_eq!(node.get(path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    let (status, database) = is_ready(&node).await;
    assert_eq!(status, StatusCode::OK);
    assert!(database.contains("does not answer"), "{database}");
    issued.push(jti(&node.token(&parties).await));

    // And for longer than it may issue tokens.
    node.clock.by(Duration::from_secs(60 * 60));
    node.ask(APP, &parties.secret).await.comes_later();
    assert_eq!(is_ready(&node).await.0, StatusCode::SERVICE_UNAVAILABLE);

    postgres.restart();
    let took = until("a token", async || node.ask(APP, &parties.secret).await.status.is_success()).await;
    eprintln!("a node issues tokens {took:?} after its database came back");
    assert!(took < RECOVERY, "{took:?}");
    let token = node.token(&parties).await;
    assert!(node.is_active(&parties, &token).await);
    assert_eq!(is_ready(&node).await, (StatusCode::OK, "ok".to_owned()));
    until("an assertion", async || node.post(TOKEN, parties.assertion(&node, "c")).await.status.is_success())
        .await;
    let administrator = node.ask(ADMIN, &parties.admin_secret).await.access_token();
    let made = node.administer(&administrator, "/clients", new_client("later")).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.text());

    issued.push(jti(&token));
    node.server.drain().await.unwrap();
    let recorded = recorded(&postgres.url());
    for jti in &issued {
        assert_eq!(recorded.get(jti), Some(&1), "{jti} among {} records", recorded.len());
    }
    assert!(recorded.values().all(|count| *count == 1), "none twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_tokens_issued_while_it_falls_are_stored_once() {
    let Some(mut postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let node = Arc::new(Node::start(&url).await);
    let parties = Arc::new(node.register().await);
    let stop = Arc::new(AtomicBool::new(false));
    let issued = Arc::new(std::sync::Mutex::new(Vec::new()));
    let traffic = {
        let (node, parties) = (Arc::clone(&node), Arc::clone(&parties));
        let (stop, issued) = (Arc::clone(&stop), Arc::clone(&issued));
        spawn_detached("traffic", async move {
            while !stop.load(Ordering::SeqCst) {
                let token = node.token(&parties).await;
                issued.lock().unwrap().push(jti(&token));
                tokio::task::yield_now().await;
            }
        })
    };
    for _ in 0..2 {
        let before = issued.lock().unwrap().len();
        until("some tokens", async || issued.lock().unwrap().len() > before + 300).await;
        tokio::task::block_in_place(|| postgres.kill());
        let before = issued.lock().unwrap().len();
        until("some tokens without a database", async || issued.lock().unwrap().len() > before + 300).await;
        tokio::task::block_in_place(|| postgres.restart());
        until("the database is known to be back", async || node.server.drain().await.is_ok()).await;
    }
    stop.store(true, Ordering::SeqCst);
    traffic.join().await;
    until("the last records", async || node.server.drain().await.is_ok()).await;
    let recorded = recorded(&url);
    let issued = issued.lock().unwrap();
    assert_eq!(recorded.len(), issued.len(), "as many records as tokens");
    assert!(issued.iter().all(|jti| recorded.get(jti) == Some(&1)), "each once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_durable_node_issues_nothing_that_it_cannot_record() {
    let Some(mut postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let mut node = Node::with(&url, |_| {}, |server| server.audit(AuditMode::Durable)).await;
    let parties = node.register().await;
    let token = node.token(&parties).await;
    assert_eq!(recorded(&url), [(jti(&token), 1)].into(), "before it is handed out");
    postgres.kill();
    node.ask(APP, &parties.secret).await.comes_later();
    postgres.restart();
    until("a token", async || node.ask(APP, &parties.secret).await.status.is_success()).await;
    query(&url, "DELETE FROM m2m_audit").unwrap();

    // Clients that hang up while their record is stored take nobody's record with them.
    node.stop_background().await;
    for round in 0..10 {
        let ask = || -> BoxFuture<'_, Answer> { Box::pin(node.ask(APP, &parties.secret)) };
        let [mut first, mut second, mut third] = [ask(), ask(), ask()];
        // The first writes its record; the others wait, and the second will write both.
        if begun(&mut first).await {
            continue; // The database was so quick that there was nothing to wait for.
        }
        assert!(!begun(&mut second).await && !begun(&mut third).await);
        first.await.access_token();
        begun(&mut second).await;
        drop(second);
        let token = third.await.access_token();
        assert_eq!(recorded(&url).get(&jti(&token)), Some(&1), "round {round}");
    }
    node.server.drain().await.unwrap();
    assert!(recorded(&url).values().all(|count| *count == 1), "none twice");
}

async fn registered(url: &str) -> Parties {
    Node::start(url).await.register().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_falls_silent_is_noticed_and_survived() {
    let Some(postgres) = Postgres::start() else { return };
    let parties = registered(&postgres.url()).await;
    let line = Line::to(&postgres.url(), On::Silence("INSERT INTO m2m_revoked")).await;
    let node = Node::start(line.url()).await;
    let token = node.token(&parties).await;
    assert!(node.is_active(&parties, &token).await);
    // As many as the pool has connections, and more, all halfway: none of them keeps one for good.
    let slow = slow_change(&postgres.url(), 1).await;
    let mut changes = tokio::task::JoinSet::new();
    for number in 0..12 {
        let (store, now) = (Arc::clone(&node.store), SystemClock.wall());
        let token = TokenRef { jti: format!("t{number}"), expires_at: now.saturating_add(RECOVERY) };
        changes.spawn(async move { store.revoke(&token, now).await.is_err() });
    }
    until("changes that wait", async || waiting(&postgres.url(), "Lock") == 8).await;
    until("the silence", async || line.is_silent()).await;
    slow.await.unwrap().unwrap();
    node.token(&parties).await;
    assert!(changes.join_all().await.into_iter().all(|failed| failed));
    node.clock.by(Duration::from_secs(11));
    node.introspect(&parties, &token).await.comes_later();
    line.heal();
    let took = until("an answer", async || node.introspect(&parties, &token).await.status.is_success()).await;
    eprintln!("a node recovers {took:?} after its network did");
    // The session of the old connection is still there, and nobody hears it.
    let listens = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'LISTEN%'";
    until("it listens again", async || query(&postgres.url(), listens).unwrap() == "2").await;
    until("an assertion", async || node.post(TOKEN, parties.assertion(&node, "a")).await.status.is_success())
        .await;
}

/// Lets it do one step; whether it was the last one.
async fn begun<T>(future: &mut BoxFuture<'_, T>) -> bool {
    std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx).is_ready())).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stops_in_the_middle_of_a_change_does_not_hold_up_the_others() {
    let Some(postgres) = Postgres::start() else { return };
    let other = Node::start(&postgres.url()).await;
    // All that a change does but telling of it and the commit.
    let line = Line::to(&postgres.url(), On::Silence("pg_notify")).await;
    let node = Node::idle(line.url(), |_| {}, |server| server).await;
    let create = |id: &str| Change::CreateClient(Client::new(client_id(id)));
    let stuck = {
        let (store, change) = (Arc::clone(&node.store), create("stuck"));
        spawn_detached("stuck", async move { drop(store.change(change).await) })
    };
    until("the middle of a change", async || line.is_silent()).await;
    other.store.change(create("other")).await.unwrap();
    stuck.abort();
    let registry = other.store.registry().unwrap();
    assert!(registry.registration(&client_id("stuck")).is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_cannot_listen_asks() {
    let Some(postgres) = Postgres::start() else { return };
    let one = Node::start(&postgres.url()).await;
    let parties = one.register().await;
    let line = Line::to(&postgres.url(), On::Cut("LISTEN")).await;
    let deaf = Node::start(line.url()).await;
    let token = deaf.token(&parties).await;
    one.server.admin().revoke_credential(&parties.credential).await.unwrap();
    let took = until("inactive", async || !deaf.is_active(&parties, &token).await).await;
    eprintln!("a node that cannot listen knows of a revoked credential after {took:?}");
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_hangs_up_takes_nobody_with_him() {
    let Some(postgres) = Postgres::start() else { return };
    let node = Node::start(&postgres.url()).await;
    let expires_at = SystemClock.wall().saturating_add(Duration::from_secs(60));
    let now = SystemClock.wall();
    for round in 0..20 {
        let key = |name: &str| [ReplayKey::for_test(&format!("{name} {round}"), expires_at)];
        let keys = [key("first"), key("second"), key("third")];
        let [mut first, mut second, mut third] = keys.each_ref().map(|key| node.store.consume(key, now));
        // The first writes; the others wait, and the second will write for both.
        if begun(&mut first).await {
            continue; // The database was so quick that there was nothing to wait for.
        }
        assert!(!begun(&mut second).await && !begun(&mut third).await);
        assert_eq!(first.await, Ok(Consumption::Recorded));
        begun(&mut second).await;
        drop(second);
        assert_eq!(third.await, Ok(Consumption::Recorded), "round {round}");
        // Changes of which nobody heard the end are known here all the same, if they were made.
        let create = Change::CreateClient(Client::new(client_id(&format!("client{round}"))));
        let mut change = node.store.change(create);
        for _ in 0..round {
            if begun(&mut change).await {
                break;
            }
            SystemClock.sleep(Duration::from_micros(300)).await;
        }
    }
    until("one view", async || {
        let count =
            query(&postgres.url(), "SELECT count(*) FROM m2m_registry WHERE kind = 'client'").unwrap();
        node.store.registry().unwrap().clients().to_string() == count
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_back_in_time_is_read_again() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let node = Node::start(&url).await;
    let create = |id: &str| Change::CreateClient(Client::new(client_id(id)));
    node.store.change(create("kept")).await.unwrap();
    let latest = query(&url, "SELECT latest FROM m2m_revision").unwrap();
    node.store.change(create("lost")).await.unwrap();
    // As when a replica takes over that had not heard of the last change.
    let restore = format!(
        "UPDATE m2m_revision SET latest = {latest}; DELETE FROM m2m_registry WHERE revision > {latest}"
    );
    query(&url, &restore).unwrap();
    until("what is there", async || {
        let registry = node.store.registry().unwrap();
        registry.registration(&client_id("lost")).is_none()
    })
    .await;
    let registry = node.store.registry().unwrap();
    assert!(registry.registration(&client_id("kept")).is_some());
}
