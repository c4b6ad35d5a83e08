//! Tokens that several clients share through a store.

use std::sync::Arc;
use std::time::Duration;

use m2m_io::{BoxFuture, OsRandom};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::grant::token_exchange::TokenTypeUri;
use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_proto::token::AccessToken;

use crate::testing::{FakeServer, TestClock, TestRandom, answer, builder, seconds, secret, settle};
use crate::{
    AssertionAudienceRule, CacheKey, Client, ClientBuilder, Credentials, Dpop, EncryptedFileStore, Grant,
    KeySource, MemoryStore, StoreLock, TokenOrigin, TokenSpec, TokenStore,
};

const BASIC: ClientAuthMethod = ClientAuthMethod::ClientSecretBasic;

fn files(clock: &TestClock) -> (tempfile::TempDir, Arc<EncryptedFileStore>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("tokens");
    let store = EncryptedFileStore::open(path, Arc::new(clock.clone()), Arc::new(OsRandom)).unwrap();
    (directory, Arc::new(store))
}

/// A client as another process would have it, with jitter of its own.
fn process(
    server: &Arc<FakeServer>,
    clock: &TestClock,
    store: &Arc<EncryptedFileStore>,
    seed: u64,
) -> ClientBuilder {
    builder(server, clock)
        .store(Arc::clone(store) as Arc<dyn TokenStore>)
        .random(Arc::new(TestRandom::seeded(seed)))
}

fn file_name(client: &Client, spec: &TokenSpec) -> String {
    format!("{}.token", &client.cache_key(spec).to_string()[..4])
}

async fn text(client: &Client) -> String {
    client.token(&TokenSpec::default()).await.unwrap().access_token().expose().to_owned()
}

#[tokio::test]
async fn the_second_process_asks_the_store_and_not_the_server() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    assert_eq!(text(&process(&server, &clock, &store, 1).build().unwrap()).await, "t1");
    clock.advance(seconds(60));
    let second = process(&server, &clock, &store, 2).build().unwrap();
    let token = second.token(&TokenSpec::default()).await.unwrap();
    assert_eq!((token.access_token().expose(), token.origin()), ("t1", TokenOrigin::Store));
    assert_eq!(token.expires_at(), crate::testing::at(600).wall, "its life goes on, it does not start anew");
    assert_eq!(server.count(), 1);
}

#[tokio::test]
async fn many_processes_at_once_cause_one_request() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let mut processes = tokio::task::JoinSet::new();
    for seed in 0..40 {
        let client = process(&server, &clock, &store, seed).build().unwrap();
        processes.spawn(async move { text(&client).await });
    }
    while !processes.is_empty() {
        while let Some(done) = processes.try_join_next() {
            assert_eq!(done.unwrap(), "t1");
        }
        settle().await;
        clock.advance(std::time::Duration::from_millis(1));
    }
    assert_eq!(server.count(), 1);
}

/// With the server dead, what another process got is used as long as it lives.
#[tokio::test]
async fn a_stored_token_that_is_due_serves_while_the_server_is_dead() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    text(&process(&server, &clock, &store, 1).build().unwrap()).await;
    server.becomes(|_, _| Ok(answer(503, "")));
    clock.advance(seconds(500));
    let second = process(&server, &clock, &store, 2).build().unwrap();
    assert_eq!(text(&second).await, "t1");
    assert_eq!(second.snapshot(&TokenSpec::default()).state, crate::CacheState::UsableWhileFailing);
    for _ in 0..100 {
        text(&second).await;
    }
    assert_eq!(server.count(), 2, "and the failed renewal backs off");
    clock.advance(seconds(96));
    second.token(&TokenSpec::default()).await.unwrap_err();
}

#[tokio::test]
async fn a_rotated_secret_starts_cold() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    text(&process(&server, &clock, &store, 1).build().unwrap()).await;
    let rotated = Credentials::secret(secret("another secret"), None, BASIC);
    let second = process(&server, &clock, &store, 2).credentials(rotated).build().unwrap();
    assert_eq!(text(&second).await, "t2");
}

#[tokio::test]
async fn a_rejected_token_is_not_brought_back_by_the_store() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let client = process(&server, &clock, &store, 1).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    clock.advance(seconds(20));
    client.reject(&token);
    assert_eq!(text(&client).await, "t2");
    assert_eq!(text(&process(&server, &clock, &store, 2).build().unwrap()).await, "t2");
}

#[tokio::test]
async fn a_forced_renewal_does_not_ask_the_store() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    text(&process(&server, &clock, &store, 1).build().unwrap()).await;
    let second = process(&server, &clock, &store, 2).build().unwrap();
    assert_eq!(second.renew(&TokenSpec::default()).await.unwrap().access_token().expose(), "t2");
    assert_eq!(text(&process(&server, &clock, &store, 3).build().unwrap()).await, "t2");
}

/// Nobody else has an ephemeral key, so nobody else can use its tokens.
#[tokio::test]
async fn tokens_bound_to_an_ephemeral_key_are_not_stored() {
    let clock = TestClock::new();
    let server = FakeServer::new(|_, _| {
        Ok(answer(200, r#"{"access_token":"t","token_type":"DPoP","expires_in":600}"#))
    });
    let (directory, store) = files(&clock);
    let client = process(&server, &clock, &store, 1).dpop(Dpop::Ephemeral(Algorithm::EdDsa)).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(std::fs::read_dir(directory.path().join("tokens")).unwrap().count(), 0);
}

#[tokio::test]
async fn revoke_cached_revokes_what_another_process_stored() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    text(&process(&server, &clock, &store, 1).build().unwrap()).await;
    server.becomes(|_, _| Ok(answer(200, "")));
    let second = process(&server, &clock, &store, 2).build().unwrap();
    assert!(second.revoke_cached(&TokenSpec::default()).await.unwrap());
    assert_eq!(server.form(1).get("token"), Some("t1"));
    assert!(!second.revoke_cached(&TokenSpec::default()).await.unwrap());
}

#[tokio::test]
async fn a_revoked_token_is_not_handed_out_again() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let first = process(&server, &clock, &store, 1).build().unwrap();
    let token = first.token(&TokenSpec::default()).await.unwrap();
    let second = process(&server, &clock, &store, 2).build().unwrap();
    second.revoke(&AccessToken::parse("another").unwrap()).await.unwrap();
    assert_eq!(text(&second).await, "t1", "another token was revoked");
    first.revoke(token.access_token()).await.unwrap();
    assert_ne!(text(&first).await, "t1", "from memory");
    let third = process(&server, &clock, &store, 3).build().unwrap();
    assert_ne!(text(&third).await, "t1", "from the store");
}

/// Whatever is in the file, the worst that happens is a token request.
#[tokio::test]
async fn a_damaged_file_is_a_cold_start() {
    use std::os::unix::fs::PermissionsExt as _;
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (directory, store) = files(&clock);
    let first = process(&server, &clock, &store, 1).build().unwrap();
    text(&first).await;
    let path = directory.path().join("tokens").join(file_name(&first, &TokenSpec::default()));
    let good = std::fs::read(&path).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!String::from_utf8_lossy(&good).contains("t1"), "sealed");
    let mut flipped = good.clone();
    *flipped.last_mut().unwrap() ^= 1;
    let mut version = good.clone();
    version[0] = 9;
    let damaged = [Vec::new(), b"{}".to_vec(), good[..20].to_vec(), flipped, version, vec![0; 100_000]];
    for (count, bytes) in damaged.into_iter().enumerate() {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(
            text(&process(&server, &clock, &store, 2).build().unwrap()).await,
            format!("t{}", count + 2)
        );
    }
    // A file of one key under the name of another does not open.
    let other = TokenSpec::new().audience("https://other.example");
    std::fs::copy(&path, path.with_file_name(file_name(&first, &other))).unwrap();
    let client = process(&server, &clock, &store, 3).build().unwrap();
    assert_eq!(client.token(&other).await.unwrap().access_token().expose(), "t8");
}

/// A store that fails, or whose lock somebody holds for good, costs a token
/// request and nothing else.
#[tokio::test]
async fn a_dead_store_costs_nothing_but_a_request() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (directory, store) = files(&clock);
    let client = process(&server, &clock, &store, 1).build().unwrap();
    let lock = store.lock(&client.cache_key(&TokenSpec::default()), seconds(1)).await.unwrap();
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { text(&client).await }
    });
    // The lock is polled in real files, which set the pace: a step of time may pass before somebody waits for it. It
    // takes five steps at least, and is not waited for for good.
    for _ in 0..60 {
        if asking.is_finished() {
            break;
        }
        for _ in 0..20 {
            settle().await;
        }
        tokio::task::spawn_blocking(|| {}).await.unwrap();
        clock.advance(seconds(1));
    }
    assert!(asking.is_finished(), "a lock that somebody holds for good keeps everybody waiting");
    assert_eq!(asking.await.unwrap(), "t1");
    drop(lock);
    let tokens = directory.path().join("tokens");
    // What was granted may be on its way there still, behind the answer.
    for _ in 0..200 {
        if std::fs::remove_dir_all(&tokens).is_ok() {
            break;
        }
        tokio::task::spawn_blocking(|| {}).await.unwrap();
    }
    assert!(!tokens.exists());
    assert_eq!(text(&process(&server, &clock, &store, 2).build().unwrap()).await, "t2");
}

#[tokio::test]
async fn a_memory_store_serves_the_clients_of_one_process() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let store: Arc<dyn TokenStore> = Arc::new(MemoryStore::new(Arc::new(clock.clone())));
    let client = || builder(&server, &clock).store(Arc::clone(&store)).build().unwrap();
    assert_eq!((text(&client()).await, text(&client()).await), ("t1".into(), "t1".into()));
    assert_eq!(server.count(), 1);
}

/// Two keys whose names are the same: each of them gets its own token, always.
#[tokio::test]
async fn keys_that_share_a_file_never_share_a_token() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (directory, store) = files(&clock);
    let client = process(&server, &clock, &store, 1).build().unwrap();
    let name = |spec: &TokenSpec| client.cache_key(spec).to_string()[..4].to_owned();
    let mut seen = std::collections::HashMap::new();
    let (one, two) = (0..)
        .map(|number| TokenSpec::new().audience(format!("https://{number}.example")))
        .find_map(|spec| seen.insert(name(&spec), spec.clone()).map(|other| (other, spec)))
        .unwrap();
    for (count, spec) in [&one, &two, &one].into_iter().enumerate() {
        let process = process(&server, &clock, &store, 2).build().unwrap();
        let token = process.token(spec).await.unwrap();
        assert_eq!(token.access_token().expose(), format!("t{}", count + 1));
    }
    let files = std::fs::read_dir(directory.path().join("tokens")).unwrap();
    assert_eq!(files.count(), 2, "one token and one lock");
}

/// Keeps everybody waiting for ever.
#[derive(Debug)]
struct Stuck;

impl TokenStore for Stuck {
    fn load(&self, _key: &CacheKey) -> BoxFuture<'_, std::io::Result<Option<Vec<u8>>>> {
        Box::pin(std::future::pending())
    }
    fn save(&self, _key: &CacheKey, _sealed: Vec<u8>) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(std::future::pending())
    }
    fn remove(&self, _key: &CacheKey) -> BoxFuture<'_, std::io::Result<()>> {
        Box::pin(std::future::pending())
    }
    fn lock(&self, _key: &CacheKey, _patience: Duration) -> BoxFuture<'_, std::io::Result<StoreLock>> {
        Box::pin(std::future::pending())
    }
}

#[tokio::test]
async fn a_store_that_hangs_costs_a_pause_and_no_token() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let client = builder(&server, &clock).store(Arc::new(Stuck)).build().unwrap();
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { text(&client).await }
    });
    clock.pass(9).await;
    assert!(asking.is_finished(), "within the deadline of the mint");
    assert_eq!(asking.await.unwrap(), "t1");
}

/// Another process has renewed the token meanwhile: neither of the two is left behind.
#[tokio::test]
async fn revoke_cached_revokes_what_is_cached_and_what_is_stored() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let first = process(&server, &clock, &store, 1).build().unwrap();
    assert_eq!(text(&first).await, "t1");
    process(&server, &clock, &store, 2).build().unwrap().renew(&TokenSpec::default()).await.unwrap();
    server.becomes(|_, _| Ok(answer(200, "")));
    assert!(first.revoke_cached(&TokenSpec::default()).await.unwrap());
    let mut revoked = [2, 3].map(|index| server.form(index).get("token").map(str::to_owned).unwrap());
    revoked.sort();
    assert_eq!(revoked, ["t1", "t2"]);
}

/// Whoever the shown token speaks for is not in the key: another run may show
/// another one's.
#[tokio::test]
async fn tokens_for_a_strangers_token_are_not_stored() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let grants: [fn(&str) -> Grant; 2] = [
        |text| Grant::assertion(secret(text)),
        |text| Grant::token_exchange(secret(text), TokenTypeUri::Jwt, None),
    ];
    for (number, grant) in grants.into_iter().enumerate() {
        for who in ["alice", "bob"] {
            text(&process(&server, &clock, &store, 1).grant(grant(who)).build().unwrap()).await;
        }
        assert_eq!(server.count(), 2 * (number + 1));
    }
}

/// A self-signed token is for the audience of its assertion.
#[tokio::test]
async fn a_self_signed_token_for_another_audience_is_another() {
    let (clock, server) = (TestClock::new(), FakeServer::issuing(600));
    let (_directory, store) = files(&clock);
    let key = Arc::new(SigningKey::generate(Algorithm::Es256).unwrap());
    let mut seen = Vec::new();
    for audience in ["https://a.example", "https://b.example", "https://a.example"] {
        let rule = AssertionAudienceRule::parse(audience);
        let settings = process(&server, &clock, &store, 1).assertion_audience(rule);
        let client = settings.grant(Grant::self_signed(KeySource::fixed(Arc::clone(&key)))).build().unwrap();
        seen.push(text(&client).await);
    }
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2], "kept");
    assert_eq!(server.count(), 0);
}
