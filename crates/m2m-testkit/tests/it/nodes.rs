//! Nodes of one authorization server on one PostgreSQL: what one does, the other knows; and what each does
//! while the database is away.

mod ask;
mod line;
mod outage;
pub(crate) mod place;

use std::time::Duration;

use http::StatusCode;
use m2m_authorization_server::admin::Roll;
use m2m_authorization_server::registry::{Client, CredentialSpec, Proof};
use m2m_authorization_server::store::Store as _;
use m2m_authorization_server::store::sql::SqlOptions;
use m2m_authorization_server::{ErrorKind, MutualTls, ServerBuilder};
use m2m_proto::jose::Algorithm;
use m2m_proto::status_list::StatusList;
use m2m_testkit::certificates::Identity;
use m2m_testkit::postgres::Postgres;

use self::ask::{Ask, claims, jti};
use self::place::{
    API, APP, FEED, JWKS, Node, Parties, REVOKE, STATUS_LIST, TOKEN, client_id, identifier, scope,
    sealing_key, slow_change, until, waiting,
};

/// How soon every node has to know.
const BOUND: Duration = Duration::from_secs(1);

/// Two nodes on one database, and who is registered at the first of them.
async fn two(postgres: &Postgres) -> (Node, Node, Parties) {
    let url = postgres.url();
    let (one, other) = (Node::start(&url).await, Node::start(&url).await);
    let parties = one.register().await;
    until("the registrations at the other node", async || {
        other.ask(APP, &parties.secret).await.status == StatusCode::OK
    })
    .await;
    (one, other, parties)
}

/// What the status list of that node says of the credential that a token came by.
async fn listed(node: &Node, token: &str) -> u8 {
    let answer = node.get(STATUS_LIST).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let list = &claims(answer.text())["status_list"];
    let bits = list["bits"].as_u64().unwrap();
    let list = StatusList::decode(bits, list["lst"].as_str().unwrap()).unwrap();
    let index = claims(token)["status"]["status_list"]["idx"].as_u64().unwrap();
    list.get(index).unwrap().value()
}

async fn feed(node: &Node) -> String {
    let answer = node.get(FEED).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    claims(answer.text()).to_string()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_withdraws_the_other_knows() {
    let Some(postgres) = Postgres::start() else { return };
    let (one, other, parties) = two(&postgres).await;
    let token = other.token(&parties).await;
    assert!(other.is_active(&parties, &token).await && one.is_active(&parties, &token).await);
    assert_eq!(listed(&other, &token).await, 0);

    one.server.admin().revoke_credential(&parties.credential).await.unwrap();
    assert!(!one.is_active(&parties, &token).await, "at once where it was done");
    let took = until("inactive", async || !other.is_active(&parties, &token).await).await;
    eprintln!("a revoked credential is known to the other node after {took:?}");
    assert!(took < BOUND, "{took:?}");
    assert_eq!(listed(&other, &token).await, 1);
    other.ask(APP, &parties.secret).await.refused(401, "invalid_client");

    let token = other.ask(APP, &parties.other_secret).await.access_token();
    assert!(other.is_active(&parties, &token).await);
    let revoked = one.post(REVOKE, Ask::about(&token).basic(APP, &parties.other_secret)).await;
    assert_eq!(revoked.status, StatusCode::OK);
    let took = until("inactive", async || !other.is_active(&parties, &token).await).await;
    eprintln!("a revoked token is known to the other node after {took:?}");
    assert!(took < BOUND, "{took:?}");
    for node in [&one, &other] {
        assert!(feed(node).await.contains(&jti(&token)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_node_registers_the_other_serves() {
    let Some(postgres) = Postgres::start() else { return };
    let (one, other, parties) = two(&postgres).await;
    let admin = one.server.admin();
    admin
        .create_client(Client::new(client_id("new")).grant(identifier(API), scope("orders:read")))
        .await
        .unwrap();
    let (_, secret) = one.secret("new").await;
    let took = until("a token", async || other.ask("new", &secret).await.status == StatusCode::OK).await;
    eprintln!("a new client gets a token of the other node after {took:?}");
    assert!(took < BOUND, "{took:?}");

    until("one key set", async || one.get(JWKS).await.body == other.get(JWKS).await.body).await;
    let token = one.token(&parties).await;
    assert!(other.is_active(&parties, &token).await, "a token of one is known to the other");

    // Used here is used there.
    let assertion = parties.assertion(&one, "once");
    one.post(TOKEN, assertion.clone()).await.access_token();
    other.post(TOKEN, assertion).await.refused(400, "invalid_client");
    let proven = parties.proven(&one, "once");
    other.post(TOKEN, proven.clone()).await.access_token();
    one.post(TOKEN, proven).await.refused(400, "invalid_dpop_proof");

    let before = other.get(JWKS).await.body;
    admin.roll_keys(Some(Algorithm::Es256), Roll::Emergency).await.unwrap();
    let took = until("the new key", async || {
        let set = other.get(JWKS).await.body;
        set != before && set == one.get(JWKS).await.body
    })
    .await;
    eprintln!("a new signing key is published by the other node after {took:?}");
    assert!(took < BOUND, "{took:?}");
    let token = other.token(&parties).await;
    assert!(one.is_active(&parties, &token).await, "and signs there");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_changes_at_both_nodes_none_is_lost() {
    let Some(postgres) = Postgres::start() else { return };
    let (one, other, _) = two(&postgres).await;
    let before = one.server.admin().registry().unwrap().clients();
    let mut changes = tokio::task::JoinSet::new();
    for number in 0..16 {
        let admin = if number % 2 == 0 { one.server.admin() } else { other.server.admin() };
        changes.spawn(async move {
            let id = client_id(&format!("client{number}"));
            admin.create_client(Client::new(id)).await.map(drop)
        });
    }
    assert!(changes.join_all().await.into_iter().all(|done| done.is_ok()));
    let took = until("all of them", async || {
        [&one, &other].iter().all(|node| node.server.admin().registry().unwrap().clients() == before + 16)
    })
    .await;
    assert!(took < BOUND, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_whose_changes_have_to_wait_hears_of_the_others() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let often = |options: &mut SqlOptions| {
        (options.poll, options.max_staleness) = (Duration::from_millis(100), Duration::from_secs(1));
    };
    let node = Node::with(&url, often, |server| server).await;
    let slow = slow_change(&url, 2).await;
    let admin = node.server.admin();
    let mut changes = tokio::task::JoinSet::new();
    changes.spawn(async move { admin.create_client(Client::new(client_id("app"))).await.map(drop) });
    until("the wait for the other", async || waiting(&url, "Lock") == 1).await;
    until("the end of it", async || {
        node.store.vouch().unwrap();
        slow.is_finished()
    })
    .await;
    assert!(changes.join_all().await.iter().all(Result::is_ok));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_another_sealing_key_does_not_start() {
    let Some(postgres) = Postgres::start() else { return };
    let url = postgres.url();
    let _first = Node::start(&url).await;
    let other = Node::idle(&url, |_| {}, |server| server.sealing_key(sealing_key(8))).await;
    let error = other.server.prepare().await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Misconfigured, "{error}");
    assert!(error.to_string().contains("sealing key"), "{error}");
}

#[tokio::test]
async fn a_token_by_secret_or_certificate_asks_nothing_of_the_database() {
    let Some(postgres) = Postgres::start() else { return };
    let offered = |server: ServerBuilder| server.mutual_tls(MutualTls::default());
    let node = Node::idle(&postgres.url(), |_| {}, offered).await;
    node.server.prepare().await.unwrap();
    let parties = node.register().await;
    let certificate = Identity::self_signed("app").peer();
    let proof = Proof::Certificate(certificate.thumbprint());
    let spec = CredentialSpec::new(client_id(APP), "certificate", proof);
    node.server.admin().create_credential(spec).await.unwrap();
    let before = node.store.statements();
    for _ in 0..100 {
        node.token(&parties).await;
        node.post(TOKEN, Ask::token().certificate(APP, &certificate)).await.access_token();
    }
    assert_eq!(node.store.statements(), before);
    // Nor does the store tell anybody how to get into its database.
    let told = format!("{:?} {:?}", node.store, node.server);
    assert!(told.contains("SqlStore") && !told.contains("postgres://"), "{told}");
}
