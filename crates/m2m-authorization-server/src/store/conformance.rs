//! The tests that every [`Store`] must pass, whatever it is made of.
//!
//! Test-only: it panics with the sentence that was broken.

mod activity;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use m2m_io::BoxFuture;
use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::time::UnixTime;

use super::{Consumption, Store, StoreError, TokenRef, TokenStatus};
use crate::audit::{Batch, Event, LastUse, Place, Query, Record};
use crate::registry::{
    ApiIdentifier, Change, Client, Conflict, Credential, CredentialId, ExternalSubject, Federated,
    FetchFiles, IssuerId, IssuerKeys, Material, Named, SecretUse, Status, TrustedIssuer,
};
use crate::replay::ReplayKey;

/// Makes an empty store.
pub type Make<'a> = dyn Fn() -> BoxFuture<'static, Arc<dyn Store>> + Sync + 'a;

fn at(seconds: u64) -> UnixTime {
    UnixTime::from_seconds(seconds)
}

fn key(name: &str, expires_at: u64) -> ReplayKey {
    ReplayKey::for_test(name, at(expires_at))
}

/// Runs every test, each on a store of its own from `make`.
///
/// # Panics
/// When the store breaks one of the rules.
pub async fn run(make: &Make<'_>) {
    consumes_once(&*make().await).await;
    consumes_all_or_none(&*make().await).await;
    refuses_a_key_given_twice_in_one_call(&*make().await).await;
    forgets_at_expiry_and_not_before(&*make().await).await;
    admits_one_of_many_at_once(make().await).await;
    revokes_for_the_rest_of_the_life(&*make().await).await;
    changes_are_seen_at_once_and_whole(&*make().await).await;
    of_many_changes_at_once_none_is_lost(make().await).await;
    tells_of_changes(&*make().await).await;
    keeps_issuers_and_who_maps_to_them(&*make().await).await;
    records_are_found_by_every_condition(&*make().await).await;
    pages_lead_through_all_records_once(&*make().await).await;
    activity::is_counted(&*make().await).await;
    uses_and_scopes_are_remembered(&*make().await).await;
    belongs_to_one_sealing_key(&*make().await).await;
}

async fn consumes_once(store: &dyn Store) {
    let once = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(once, Ok(Consumption::Recorded), "a fresh key is recorded");
    let again = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(again, Ok(Consumption::Replayed(0)), "a known key is a replay");
    let nothing = store.consume(&[], at(10)).await;
    assert_eq!(nothing, Ok(Consumption::Recorded), "no key, no replay");
}

async fn consumes_all_or_none(store: &dyn Store) {
    let first = store.consume(&[key("proof", 20)], at(10)).await;
    assert_eq!(first, Ok(Consumption::Recorded), "a fresh key is recorded");
    let mixed = store.consume(&[key("assertion", 20), key("proof", 20)], at(10)).await;
    assert_eq!(mixed, Ok(Consumption::Replayed(1)), "one known key refuses all");
    let left = store.consume(&[key("assertion", 20)], at(10)).await;
    assert_eq!(left, Ok(Consumption::Recorded), "the other key of a refused call was not recorded");
}

async fn refuses_a_key_given_twice_in_one_call(store: &dyn Store) {
    let twice = store.consume(&[key("a", 20), key("a", 20)], at(10)).await;
    assert_eq!(twice, Ok(Consumption::Replayed(1)), "one key for two purposes is a replay");
}

async fn forgets_at_expiry_and_not_before(store: &dyn Store) {
    let first = store.consume(&[key("a", 20)], at(10)).await;
    assert_eq!(first, Ok(Consumption::Recorded), "a fresh key is recorded");
    let last_moment = UnixTime::from_millis(19_999);
    let still = store.consume(&[key("a", 40)], last_moment).await;
    assert_eq!(still, Ok(Consumption::Replayed(0)), "remembered until the expiry");
    let free = store.consume(&[key("a", 40)], at(20)).await;
    assert_eq!(free, Ok(Consumption::Recorded), "forgotten from the expiry on");
}

async fn admits_one_of_many_at_once(store: Arc<dyn Store>) {
    let recorded = Arc::new(AtomicUsize::new(0));
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..64 {
        let (store, recorded) = (Arc::clone(&store), Arc::clone(&recorded));
        racers.spawn(async move {
            let own = key(&format!("own {racer}"), 20);
            let keys = [own, key("shared", 20)];
            if store.consume(&keys, at(10)).await == Ok(Consumption::Recorded) {
                recorded.fetch_add(1, Ordering::SeqCst);
            }
        });
    }
    while racers.join_next().await.is_some() {}
    assert_eq!(recorded.load(Ordering::SeqCst), 1, "of 64 at once with one shared key, one is admitted");
}

async fn revokes_for_the_rest_of_the_life(store: &dyn Store) {
    let token = TokenRef { jti: "t".to_owned(), expires_at: at(20) };
    assert_eq!(store.status("t"), Ok(TokenStatus::Standing), "unknown tokens stand");
    for attempt in ["first", "second"] {
        assert_eq!(store.revoke(&token, at(10)).await, Ok(()), "{attempt} revocation succeeds");
    }
    assert_eq!(store.status("t"), Ok(TokenStatus::Revoked), "a revoked token is revoked");
    assert_eq!(store.status("u"), Ok(TokenStatus::Standing), "and no other");
    let other = TokenRef { jti: "u".to_owned(), expires_at: at(20) };
    assert_eq!(store.revoke(&other, at(15)).await, Ok(()), "others can be revoked later");
    assert_eq!(store.status("t"), Ok(TokenStatus::Revoked), "which forgets nothing unexpired");
}

async fn changes_are_seen_at_once_and_whole(store: &dyn Store) {
    let Ok(id) = ClientId::parse("app") else { panic!("a client id") };
    let create = || Change::CreateClient(Client::new(id.clone()));
    assert!(store.change(create()).await.is_ok(), "a client is created");
    let seen = store.registry().is_ok_and(|registry| registry.registration(&id).is_some());
    assert!(seen, "the next snapshot has the change");
    let again = store.change(create()).await.err();
    let expect = StoreError::Conflict(Conflict::Exists("app".to_owned()));
    assert_eq!(again, Some(expect), "a name is taken once");
    let before = store.registry();
    let revoked = store.change(Change::SetClientStatus(id.clone(), Status::Revoked)).await;
    assert!(revoked.is_ok(), "a client is revoked");
    let status = |registry: &crate::registry::Registry| registry.registration(&id).map(|r| r.client().status);
    let held = before.as_deref().ok().and_then(status);
    assert_eq!(held, Some(Status::Active), "a snapshot in hand does not change");
    let now = store.registry().ok().as_deref().and_then(status);
    assert_eq!(now, Some(Status::Revoked), "the next one does");
}

async fn of_many_changes_at_once_none_is_lost(store: Arc<dyn Store>) {
    let mut racers = tokio::task::JoinSet::new();
    for racer in 0..16 {
        let store = Arc::clone(&store);
        racers.spawn(async move {
            let Ok(id) = ClientId::parse(&format!("app{racer}")) else { panic!("a client id") };
            store.change(Change::CreateClient(Client::new(id))).await.is_ok()
        });
    }
    while let Some(done) = racers.join_next().await {
        assert_eq!(done.ok(), Some(true), "each of 16 changes at once is acknowledged");
    }
    let kept = store.registry().map(|registry| registry.clients());
    assert_eq!(kept, Ok(16), "and is kept");
}

async fn tells_of_changes(store: &dyn Store) {
    let mut changes = store.changes();
    let Ok(id) = ClientId::parse("app") else { panic!("a client id") };
    assert!(store.change(Change::CreateClient(Client::new(id))).await.is_ok(), "a client is created");
    assert_eq!(changes.has_changed().ok(), Some(true), "a change is told");
    changes.mark_unchanged();
    let token = TokenRef { jti: "t".to_owned(), expires_at: at(20) };
    assert_eq!(store.revoke(&token, at(10)).await, Ok(()), "a token is revoked");
    assert_eq!(changes.has_changed().ok(), Some(true), "a revoked token is told");
    assert_eq!(store.revoked(at(10)), Ok(vec!["t".to_owned()]), "and is listed");
    assert_eq!(store.revoked(at(20)), Ok(Vec::new()), "until it expires");
}

async fn keeps_issuers_and_who_maps_to_them(store: &dyn Store) {
    let Some(issuer) = IssuerId::parse("platform") else { panic!("an issuer id") };
    let Some(named) = Named::issuer("https://platform.example") else { panic!("an issuer") };
    let keys = IssuerKeys::Discovery(FetchFiles::default());
    let create = Change::CreateIssuer(TrustedIssuer::new(issuer.clone(), named, keys));
    assert!(store.change(create).await.is_ok(), "an issuer is trusted");
    let create = Change::CreateClient(Client::new(client("app")));
    assert!(store.change(create).await.is_ok(), "a client is created");
    let subject = ExternalSubject::Exact("workload".to_owned());
    let material = Material::Federated(Arc::new(Federated::new(issuer.clone(), subject)));
    let credential = Credential::new(id("one"), client("app"), material, at(1));
    assert!(store.change(Change::CreateCredential(credential)).await.is_ok(), "a mapping is created");
    let mapped = || store.registry().map(|registry| registry.mapped_to(&issuer).count());
    assert_eq!(mapped(), Ok(1), "and is found by its issuer");
    let delete = || Change::DeleteIssuer(issuer.clone(), None);
    let refused = store.change(delete()).await.err();
    assert!(matches!(refused, Some(StoreError::Conflict(Conflict::Mapped { .. }))), "an issuer in use stays");
    let disable = Change::SetIssuerStatus(issuer.clone(), Status::Disabled);
    assert!(store.change(disable).await.is_ok(), "an issuer is switched off");
    let status = store.registry().ok().and_then(|registry| Some(registry.issuer("platform")?.status));
    assert_eq!(status, Some(Status::Disabled), "and is off in the next snapshot");
    assert!(store.change(Change::DeleteClient(client("app"), None)).await.is_ok(), "the client goes");
    assert_eq!(mapped(), Ok(0), "its mapping goes with it");
    assert!(store.change(delete()).await.is_ok(), "then the issuer can go");
    let gone = store.registry().map(|registry| registry.issuer("platform").is_none());
    assert_eq!(gone, Ok(true), "and is gone");
}

fn id(text: &str) -> CredentialId {
    let Some(id) = CredentialId::parse(text) else { panic!("a credential id") };
    id
}

fn client(text: &str) -> ClientId {
    let Ok(id) = ClientId::parse(text) else { panic!("a client id") };
    id
}

fn issued(jti: &str, second: u64, scope: &str) -> Record {
    Record {
        jti: Some(jti.into()),
        client_id: Some(client("app")),
        credential: Some(id("one")),
        api: ApiIdentifier::parse("https://orders.example").ok(),
        scope: Some(scope.into()),
        expires_at: Some(at(second + 600)),
        address: "192.0.2.7".parse().ok(),
        ..Record::new(at(second), Event::TokenIssued)
    }
}

async fn records_are_found_by_every_condition(store: &dyn Store) {
    let refused = Record {
        client_id: Some(client("app")),
        ..Record::refused(at(30), ErrorCode::InvalidClient, "wrong \u{fc} secret".to_owned())
    };
    let rolled = Record {
        actor: Some(client("admin")),
        subject: Some("ES256".to_owned()),
        ..Record::new(at(40), Event::KeyRolled)
    };
    let records = vec![issued("t", 10, "read write"), issued("u", 20, ""), refused, rolled];
    let mut batch = Batch::of(0, records.clone());
    assert_eq!(store.append(&mut batch).await, Ok(()), "records are appended");
    let check = async |query: Query, expect: &[usize]| {
        let found = store.audit(&query).await.unwrap_or_default();
        let found: Vec<Record> = found.into_iter().map(|entry| entry.record).collect();
        let mut expected: Vec<Record> = expect.iter().filter_map(|at| records.get(*at)).cloned().collect();
        expected.iter_mut().for_each(|record| record.scope = record.scope.take().filter(|s| !s.is_empty()));
        let found: Vec<Record> = found
            .into_iter()
            .map(|record| Record { scope: record.scope.filter(|scope| !scope.is_empty()), ..record })
            .collect();
        assert_eq!(found, expected, "{query:?}");
    };
    check(Query::default(), &[3, 2, 1, 0]).await;
    check(Query { limit: 2, ..Query::default() }, &[3, 2]).await;
    check(Query { jti: Some("t".to_owned()), ..Query::default() }, &[0]).await;
    check(Query { client_id: Some(client("app")), ..Query::default() }, &[2, 1, 0]).await;
    check(Query { credential: Some(id("one")), ..Query::default() }, &[1, 0]).await;
    check(Query { event: Some(Event::RequestRefused), ..Query::default() }, &[2]).await;
    check(Query { since: Some(at(20)), until: Some(at(40)), ..Query::default() }, &[2, 1]).await;
    check(Query { live_at: Some(at(610)), ..Query::default() }, &[1]).await;
    check(Query { jti: Some("t' OR '1'='1".to_owned()), ..Query::default() }, &[]).await;
}

async fn pages_lead_through_all_records_once(store: &dyn Store) {
    let records: Vec<Record> =
        (0..25).map(|number| issued(&format!("t{number}"), 10 + number % 3, "")).collect();
    assert_eq!(store.append(&mut Batch::of(0, records)).await, Ok(()), "records are appended");
    let mut found: Vec<Place> = Vec::new();
    loop {
        let query = Query { limit: 4, before: found.last().cloned(), ..Query::default() };
        let page = store.audit(&query).await.unwrap_or_default();
        if page.is_empty() {
            break;
        }
        found.extend(page.into_iter().map(|entry| entry.place));
    }
    assert_eq!(found.len(), 25, "every record is on one page");
    assert!(found.is_sorted_by(|a, b| a > b), "newest first, none twice");
}

async fn uses_and_scopes_are_remembered(store: &dyn Store) {
    let material = || Material::SecretHash { hash: [1; 32], accepted: SecretUse::BasicOrPost };
    let create = Change::CreateClient(Client::new(client("app")));
    assert!(store.change(create).await.is_ok(), "a client is created");
    let credential = Credential::new(id("one"), client("app"), material(), at(1));
    assert!(store.change(Change::CreateCredential(credential)).await.is_ok(), "a credential is created");
    let used =
        |second: u64, from: &str| (client("app"), LastUse { at: at(second), address: from.parse().ok() });
    for (second, scope) in [(10, "read"), (20, "write read")] {
        let mut batch = Batch::of(second, [issued(&format!("t{second}"), second, scope)]);
        batch.uses.insert(id("one"), used(second, "192.0.2.7"));
        assert_eq!(store.append(&mut batch).await, Ok(()), "a use is recorded");
    }
    let usage = store.usage(&client("app")).await.unwrap_or_default();
    let expect = LastUse { at: at(20), address: "192.0.2.7".parse().ok() };
    assert_eq!(usage.credentials.get(&id("one")), Some(&expect), "the last use counts");
    let scope = |scope: &str| ("https://orders.example".to_owned(), scope.to_owned());
    assert_eq!(usage.scopes, [scope("read"), scope("write")].into(), "each scope once");
    let other = store.usage(&client("other")).await;
    assert_eq!(other, Ok(super::Usage::default()), "of its own client only");
    // Some hundreds of names, of which one was used.
    let mut asked: Vec<_> = (0..600).map(|number| id(&format!("unused{number}"))).collect();
    asked.insert(300, id("one"));
    let last = store.last_uses(&asked).await;
    assert_eq!(last, Ok([(id("one"), expect)].into()), "the last uses of many credentials at once");
    assert_eq!(store.last_uses(&[]).await, Ok([].into()), "and of none");
    let delete = Change::DeleteClient(client("app"), None);
    assert!(store.change(delete).await.is_ok(), "the client goes");
    assert_eq!(store.last_uses(&[id("one")]).await, Ok([].into()), "and its uses");
    let gone = store.usage(&client("app")).await;
    assert_eq!(gone, Ok(super::Usage::default()), "and what it used with it");
}

async fn belongs_to_one_sealing_key(store: &dyn Store) {
    assert_eq!(store.claim("one").await, Ok(()), "the first key is remembered");
    assert_eq!(store.claim("one").await, Ok(()), "and known again");
    assert_eq!(store.claim("other").await, Err(StoreError::OtherSealingKey), "another one is refused");
}
