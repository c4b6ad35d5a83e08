//! Secrets that another system made: right from the first request on, and kept as keyed hashes after it.

use m2m_proto::secret::Secret;

use super::*;
use crate::audit::{Batch, Entry, Event};
use crate::authenticate::imported::{MAX_SLOW, OF_ONE_CLIENT, PLACES};
use crate::limits::FailureBudget;
use crate::registry::{Change, ImportedHash, Material, Registry, SlowHash};
use crate::replay::ReplayKey;
use crate::store::memory::MemoryStore;
use crate::store::{Consumption, ReplayScope, Store, StoreError, TokenRef, TokenStatus, Usage};

const SECRET: &str = "hunter2-hunter2";
/// All of [`SECRET`], made by other programs; see `registry::imported`.
const HASHES: [&str; 3] = [
    "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e",
    "$pbkdf2-sha256$i=1000,l=32$MDEyMzQ1Njc4OWFiY2RlZg$zvHHzRHzCmIlBEWDYDHVrQkfHev0JJQWmtD4sBrwMKw",
    "$argon2id$v=19$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$jNeXPidxfwMOi1ySgk/Y8YYkY7FcVdSN+v+oITB42zU",
];

fn hashed(text: &str) -> Proof {
    Proof::ImportedHash(SlowHash::parse(text).unwrap(), SecretUse::BasicOrPost)
}

fn plain(text: &str) -> Proof {
    Proof::ImportedSecret(Secret::new(text.to_owned()), SecretUse::BasicOrPost)
}

fn kept(harness: &Harness, id: &CredentialId) -> ImportedHash {
    let registry = harness.server.store().registry().unwrap();
    match &registry.credential(id).unwrap().material {
        Material::ImportedSecret { hash, .. } => hash.clone(),
        other => panic!("{other:?}"),
    }
}

impl Answer {
    /// Refused as a client, in the status of where its secret was (RFC 6749 section 5.2).
    #[track_caller]
    fn not_believed(&self) {
        assert!([400, 401].contains(&self.status.as_u16()), "{}", self.text());
        assert_eq!(self.member("error"), "invalid_client");
    }
}

fn raw_basic(client: &str, secret: &str) -> Ask {
    let secret = ClientSecret::parse(secret).unwrap();
    let value = encode_basic(&client_id(client), &secret, BasicEncoding::Raw).unwrap();
    let mut ask = Ask::token();
    ask.headers.insert(header::AUTHORIZATION, value);
    ask
}

#[tokio::test]
async fn an_old_secret_works_and_its_slow_hash_is_gone_afterwards() {
    for (index, text) in HASHES.into_iter().enumerate() {
        let harness = Harness::new().await;
        let (id, made) = harness.credential("app", hashed(text)).await;
        assert!(made.is_none(), "nothing is made, so nothing is shown");
        let (basic, post) = (Ask::token().basic("app", SECRET), Ask::token().in_body("app", SECRET));
        let asks = if index % 2 == 0 { [basic, post] } else { [post, basic] };
        assert!(matches!(kept(&harness, &id), ImportedHash::Slow(_)));
        for ask in asks {
            let token = harness.post(TOKEN, ask).await.access_token();
            let claims = harness.claims(&token).await;
            assert_eq!(claims.credential(), Some(id.as_str()));
            let keyed = harness.server.state_for_test().vault().hash(&Secret::new(SECRET.to_owned()));
            assert_eq!(kept(&harness, &id), ImportedHash::Keyed(keyed), "{text}");
        }
        harness.server.drain().await.unwrap();
        let query = Query { event: Some(Event::CredentialRehashed), ..Query::default() };
        let found = harness.server.store().audit(&query).await.unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].record.credential.as_ref(), Some(&id));
    }
}

#[tokio::test]
async fn a_plain_secret_is_a_keyed_hash_from_the_beginning() {
    let harness = Harness::new().await;
    let (id, _) = harness.credential("app", plain(SECRET)).await;
    assert!(matches!(kept(&harness, &id), ImportedHash::Keyed(_)));
    harness.post(TOKEN, Ask::token().in_body("app", SECRET)).await.access_token();
    harness.post(TOKEN, Ask::token().basic("app", SECRET)).await.access_token();
}

#[tokio::test]
async fn a_secret_that_an_encoding_changes_is_read_both_ways() {
    let odd = "a+b%2Bc/d e".replace(' ', "%");
    let bcrypt_of_odd = {
        let salt = [7_u8; 16];
        let mut bytes = odd.clone().into_bytes();
        bytes.push(0);
        let made = bcrypt::bcrypt(4, salt, &bytes);
        format!("$2b$04${}{}", bcrypt_text(&salt, 22), bcrypt_text(&made[..23], 31))
    };
    // The first has one reading as it is, the second two, of which the wrong one is tried first.
    let both = "a+b%2Bc".to_owned();
    for (odd, proof) in [(&odd, plain(&odd)), (&odd, hashed(&bcrypt_of_odd)), (&both, plain(&both))] {
        for ask in [raw_basic("app", odd), Ask::token().basic("app", odd), Ask::token().in_body("app", odd)] {
            let harness = Harness::new().await;
            harness.credential("app", proof.clone()).await;
            harness.post(TOKEN, ask).await.access_token();
        }
    }
}

/// As bcrypt writes bytes.
fn bcrypt_text(bytes: &[u8], letters: usize) -> String {
    const ALPHABET: &[u8] = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let bit = |at: usize| bytes.get(at / 8).map_or(0, |byte| usize::from(byte >> (7 - at % 8) & 1));
    let letter = |index: usize| (0..6).fold(0, |value, at| value << 1 | bit(index * 6 + at));
    (0..letters).map(|index| char::from(ALPHABET[letter(index)])).collect()
}

#[tokio::test]
async fn a_wrong_secret_changes_nothing() {
    let harness = Harness::new().await;
    let (id, _) = harness.credential("app", hashed(HASHES[0])).await;
    harness.create_client("other").await;
    for ask in [
        Ask::token().basic("app", "hunter2-hunter3"),
        Ask::token().in_body("app", "hunter2"),
        Ask::token().basic("other", SECRET),
        Ask::token().basic("nobody", SECRET),
    ] {
        harness.post(TOKEN, ask).await.not_believed();
    }
    assert!(matches!(kept(&harness, &id), ImportedHash::Slow(_)));
}

#[tokio::test]
async fn what_bounds_other_secrets_bounds_imported_ones() {
    let harness = Harness::new().await;
    let proof = Proof::ImportedHash(SlowHash::parse(HASHES[0]).unwrap(), SecretUse::Post);
    let (id, _) = harness.credential("app", proof).await;
    let basic = || Ask::token().basic("app", SECRET);
    harness.post(TOKEN, basic()).await.not_believed();
    harness.post(TOKEN, Ask::token().in_body("app", SECRET)).await.access_token();
    harness.post(TOKEN, basic()).await.not_believed();
    harness.server.admin().revoke_credential(&id).await.unwrap();
    harness.post(TOKEN, Ask::token().in_body("app", SECRET)).await.not_believed();
}

#[tokio::test]
async fn one_keyed_hash_is_compared_whoever_asks() {
    use std::sync::atomic::Ordering;
    let harness = Harness::new().await;
    harness.credential("app", plain(SECRET)).await;
    let state = state_of(&harness.server);
    for (client, secret) in [("app", SECRET), ("app", "wrong"), ("nobody", "wrong")] {
        state.authenticator.vault.checks.swap(0, Ordering::SeqCst);
        harness.post(TOKEN, Ask::token().basic(client, secret)).await;
        assert_eq!(state.authenticator.vault.checks.swap(0, Ordering::SeqCst), 1, "{client} {secret}");
    }
}

#[tokio::test]
async fn two_first_uses_at_once_are_both_right() {
    let harness = Harness::new().await;
    let (id, _) = harness.credential("app", hashed(HASHES[0])).await;
    let ask = || harness.post(TOKEN, Ask::token().basic("app", SECRET));
    let (one, two) = tokio::join!(ask(), ask());
    one.access_token();
    two.access_token();
    assert!(matches!(kept(&harness, &id), ImportedHash::Keyed(_)));
}

#[tokio::test]
async fn of_many_instances_one_does_the_work() {
    let harness = Harness::new().await;
    harness.credential("app", hashed(HASHES[0])).await;
    let state = state_of(&harness.server);
    let slow_checks = &state.authenticator.slow_checks;
    // One worker is away for good, so that there is an order.
    slow_checks.bounds()[1].acquire().await.unwrap().forget();
    let ask = || harness.post(TOKEN, Ask::token().basic("app", SECRET));
    let three = tokio::join!(ask(), ask(), ask());
    for answer in [three.0, three.1, three.2] {
        answer.access_token();
    }
    assert_eq!(slow_checks.made.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn who_is_withdrawn_while_the_secret_is_checked_gets_nothing() {
    let harness = Harness::new().await;
    let (id, _) = harness.credential("app", hashed(HASHES[0])).await;
    let state = state_of(&harness.server);
    let [_, workers] = state.authenticator.slow_checks.bounds();
    let all = Arc::clone(workers).acquire_many_owned(2).await.unwrap();
    let (admin, ask) = (harness.server.admin(), Ask::token().basic("app", SECRET));
    let withdrawn = async {
        admin.revoke_credential(&id).await.unwrap();
        drop(all);
    };
    let (answer, ()) = tokio::join!(harness.post(TOKEN, ask), withdrawn);
    answer.not_believed();
    assert!(matches!(kept(&harness, &id), ImportedHash::Slow(_)));
}

// spec-test: 6749-AS3
#[tokio::test]
async fn whoever_is_over_the_budget_costs_nothing() {
    let budget = FailureBudget::default().per_client_and_address(2).per_address(100);
    let harness = Harness::with(|settings| settings.failure_budget(budget)).await;
    let (id, _) = harness.credential("app", hashed(HASHES[0])).await;
    let wrong = || Ask::token().basic("app", "wrong").from("192.0.2.1");
    // A burst: none of them has failed yet when the next one comes.
    let burst = tokio::join!(
        harness.post(TOKEN, wrong()),
        harness.post(TOKEN, wrong()),
        harness.post(TOKEN, wrong()),
    );
    let statuses = [burst.0.status, burst.1.status, burst.2.status].map(|status| status.as_u16());
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 2, "{statuses:?}");
    let late = harness.post(TOKEN, Ask::token().basic("app", SECRET).from("192.0.2.1")).await;
    late.refused(429, "slow_down");
    assert!(matches!(kept(&harness, &id), ImportedHash::Slow(_)), "it was not even compared");
    harness.post(TOKEN, Ask::token().basic("app", SECRET).from("192.0.2.2")).await.access_token();
    harness.post(TOKEN, Ask::token().basic("app", SECRET).from("192.0.2.1")).await.access_token();
}

#[tokio::test]
async fn a_success_is_no_failure() {
    let budget = FailureBudget::default().per_client_and_address(1).per_address(1);
    let harness = Harness::with(|settings| settings.failure_budget(budget)).await;
    for text in HASHES {
        harness.credential("app", hashed(text)).await;
    }
    harness.post(TOKEN, Ask::token().basic("app", SECRET)).await.access_token();
    harness.post(TOKEN, Ask::token().basic("app", "wrong")).await.not_believed();
}

#[tokio::test]
async fn when_too_many_are_checked_the_next_one_comes_back_later() {
    let harness = Harness::new().await;
    harness.credential("app", hashed(HASHES[0])).await;
    harness.create_client("other").await;
    let other = harness.secret("other").await;
    let state = state_of(&harness.server);
    let [places, _] = state.authenticator.slow_checks.bounds();
    let all = Arc::clone(places).acquire_many_owned(u32::try_from(PLACES).unwrap()).await.unwrap();
    let answer = harness.post(TOKEN, Ask::token().basic("app", SECRET)).await;
    answer.refused(503, "temporarily_unavailable");
    assert_eq!(answer.header("retry-after"), "1");
    harness.post(TOKEN, Ask::token().basic("other", &other)).await.access_token();
    harness.post(TOKEN, Ask::token().basic("other", "wrong")).await.not_believed();
    drop(all);
    harness.post(TOKEN, Ask::token().basic("app", SECRET)).await.access_token();
}

/// A client whose secret is guessed, or whose instances are many, leaves places for the others.
#[tokio::test]
async fn one_client_takes_no_more_than_its_part_of_the_places() {
    use std::future::{Future, poll_fn};
    use std::task::Poll;
    let budget = FailureBudget::default().per_client_and_address(1000).per_address(1000);
    let harness = Harness::with(|settings| settings.failure_budget(budget)).await;
    harness.create_client("other").await;
    for client in ["app", "other"] {
        harness.credential(client, hashed(HASHES[0])).await;
    }
    let state = state_of(&harness.server);
    let [_, workers] = state.authenticator.slow_checks.bounds();
    let all = Arc::clone(workers).acquire_many_owned(2).await.unwrap();
    let ask = |client| Box::pin(harness.post(TOKEN, Ask::token().basic(client, SECRET)));
    let mut waiting: Vec<_> = (0..OF_ONE_CLIENT).map(|_| ask("app")).chain([ask("other")]).collect();
    for request in &mut waiting {
        let polled = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_ready()));
        assert!(!polled.await, "it waits for a worker");
    }
    ask("app").await.refused(503, "temporarily_unavailable");
    drop(all);
    for request in waiting {
        request.await.access_token();
    }
    ask("app").await.access_token();
}

#[tokio::test]
async fn a_client_has_few_slow_hashes() {
    let harness = Harness::new().await;
    let spec = || CredentialSpec::new(client_id("app"), "old", hashed(HASHES[0]));
    for _ in 0..MAX_SLOW {
        harness.server.admin().create_credential(spec()).await.unwrap();
    }
    let error = harness.server.admin().create_credential(spec()).await.unwrap_err();
    assert!(error.to_string().contains("4 imported secrets"), "{error}");
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn a_restart_knows_the_keyed_hash() {
    use crate::store::sql::{SqlOptions, SqlStore};
    let directory = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", directory.path().join("m2m.db").display());
    let key = Secret::new(vec![1; 32]);
    let clock = FixedClock::new();
    let open = async || {
        let store = SqlStore::open(SqlOptions::new(&url), clock.clone()).await.unwrap();
        settings(&clock).store(Arc::new(store)).sealing_key(key.clone()).build().unwrap()
    };
    let server = open().await;
    server.prepare().await.unwrap();
    server.admin().create_api(api(ORDERS, &["orders:read", "orders:write"])).await.unwrap();
    let before = Harness { server, clock: Arc::clone(&clock) };
    before.create_client("app").await;
    let (id, _) = before.credential("app", hashed(HASHES[1])).await;
    drop(before);
    let unused = Harness { server: open().await, clock: Arc::clone(&clock) };
    assert!(matches!(kept(&unused, &id), ImportedHash::Slow(_)));
    unused.post(TOKEN, Ask::token().basic("app", SECRET)).await.access_token();
    drop(unused);
    let after = Harness { server: open().await, clock: Arc::clone(&clock) };
    assert!(matches!(kept(&after, &id), ImportedHash::Keyed(_)));
    after.post(TOKEN, Ask::token().in_body("app", SECRET)).await.access_token();
    after.post(TOKEN, Ask::token().in_body("app", "wrong")).await.not_believed();
}

#[tokio::test]
async fn a_store_that_cannot_write_lets_the_client_in() {
    let store = Arc::new(ReadOnly::default());
    let harness = Harness::with(|settings| settings.store(store.clone())).await;
    harness.server.prepare().await.unwrap();
    let (id, _) = harness.credential("app", hashed(HASHES[0])).await;
    store.1.store(true, std::sync::atomic::Ordering::SeqCst);
    for _ in 0..2 {
        harness.post(TOKEN, Ask::token().basic("app", SECRET)).await.access_token();
        assert!(matches!(kept(&harness, &id), ImportedHash::Slow(_)));
    }
}

/// A store that takes no changes once it is told so.
#[derive(Debug, Default)]
struct ReadOnly(MemoryStore, std::sync::atomic::AtomicBool);

impl Store for ReadOnly {
    fn registry(&self) -> Result<Arc<Registry>, StoreError> {
        self.0.registry()
    }
    fn vouch(&self) -> Result<(), StoreError> {
        self.0.vouch()
    }
    fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.0.changes()
    }
    fn change(&self, change: Change) -> m2m_io::BoxFuture<'_, Result<Arc<Registry>, StoreError>> {
        if self.1.load(std::sync::atomic::Ordering::SeqCst) {
            return Box::pin(async { Err(StoreError::Unavailable("read only".to_owned())) });
        }
        self.0.change(change)
    }
    fn consume<'a>(
        &'a self,
        keys: &'a [ReplayKey],
        now: UnixTime,
    ) -> m2m_io::BoxFuture<'a, Result<Consumption, StoreError>> {
        self.0.consume(keys, now)
    }
    fn replay_scope(&self) -> ReplayScope {
        self.0.replay_scope()
    }
    fn revoke<'a>(
        &'a self,
        token: &'a TokenRef,
        now: UnixTime,
    ) -> m2m_io::BoxFuture<'a, Result<(), StoreError>> {
        self.0.revoke(token, now)
    }
    fn status(&self, jti: &str) -> Result<TokenStatus, StoreError> {
        self.0.status(jti)
    }
    fn revoked(&self, now: UnixTime) -> Result<Vec<String>, StoreError> {
        self.0.revoked(now)
    }
    fn append<'a>(&'a self, batch: &'a mut Batch) -> m2m_io::BoxFuture<'a, Result<(), StoreError>> {
        self.0.append(batch)
    }
    fn audit<'a>(&'a self, query: &'a Query) -> m2m_io::BoxFuture<'a, Result<Vec<Entry>, StoreError>> {
        self.0.audit(query)
    }
    fn activity<'a>(
        &'a self,
        window: &'a crate::audit::Window,
    ) -> m2m_io::BoxFuture<'a, Result<crate::audit::Activity, StoreError>> {
        self.0.activity(window)
    }
    fn usage<'a>(
        &'a self,
        client: &'a m2m_proto::client_id::ClientId,
    ) -> m2m_io::BoxFuture<'a, Result<Usage, StoreError>> {
        self.0.usage(client)
    }
    fn last_uses<'a>(
        &'a self,
        credentials: &'a [crate::registry::CredentialId],
    ) -> m2m_io::BoxFuture<'a, Result<crate::store::LastUses, StoreError>> {
        self.0.last_uses(credentials)
    }
    fn claim<'a>(&'a self, fingerprint: &'a str) -> m2m_io::BoxFuture<'a, Result<(), StoreError>> {
        self.0.claim(fingerprint)
    }
    fn work(&self) -> m2m_io::BoxFuture<'_, ()> {
        self.0.work()
    }
    fn propagation(&self) -> Duration {
        self.0.propagation()
    }
    fn max_staleness(&self) -> Duration {
        self.0.max_staleness()
    }
}
