//! Secrets that change, and two that overlap.

use std::io::Write as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::secret::SecretString;

use crate::testing::{FakeServer, TestClock, builder, oauth_error, seconds, secret, settle, token_answer};
use crate::{Credentials, Error, ErrorKind, FileSecret, SecretFn, SecretSource, TokenSpec};

const POST: ClientAuthMethod = ClientAuthMethod::ClientSecretPost;

/// Accepts the secrets in the list.
fn accepting(secrets: &Arc<Mutex<Vec<&'static str>>>) -> Arc<FakeServer> {
    let secrets = Arc::clone(secrets);
    FakeServer::new(move |request, n| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        let good =
            secrets.lock().unwrap().iter().any(|secret| body.ends_with(&format!("client_secret={secret}")));
        Ok(if good { token_answer(&format!("t{n}"), "600") } else { oauth_error(401, "invalid_client") })
    })
}

fn list(secrets: &[&'static str]) -> Arc<Mutex<Vec<&'static str>>> {
    Arc::new(Mutex::new(secrets.to_vec()))
}

fn sent(server: &FakeServer) -> Vec<String> {
    (0..server.count()).map(|index| server.form(index).get("client_secret").unwrap().to_owned()).collect()
}

/// On `invalid_client` the next secret is tried once, promoted, and used first
/// from then on.
#[tokio::test]
async fn the_next_secret_is_tried_once_and_promoted() {
    let secrets = list(&["old"]);
    let server = accepting(&secrets);
    let credentials = Credentials::secret(secret("old"), Some(secret("new")), POST);
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server), ["old"]);
    *secrets.lock().unwrap() = vec!["new"];
    client.renew(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server)[1..], ["old", "new"]);
    client.renew(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server)[3..], ["new"], "promoted");
    // And back, should the operator have rotated back.
    *secrets.lock().unwrap() = vec!["old"];
    client.renew(&TokenSpec::default()).await.unwrap();
    client.renew(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server)[4..], ["new", "old", "old"]);
}

#[tokio::test]
async fn two_wrong_secrets_are_one_verdict() {
    let clock = TestClock::new();
    let server = accepting(&list(&[]));
    let credentials = Credentials::secret(secret("a"), Some(secret("b")), POST);
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    for _ in 0..50 {
        let error = client.token(&TokenSpec::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        clock.pass(1).await;
    }
    assert_eq!(sent(&server), ["a", "b"], "no storm: a wrong secret counts as a failed login");
}

/// Neither the same secret twice, nor another one for any other refusal.
#[tokio::test]
async fn the_next_secret_is_not_tried_without_reason() {
    let credentials = Credentials::secret(secret("same"), Some(secret("same")), POST);
    let server = accepting(&list(&[]));
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(sent(&server), ["same"]);
    let server = FakeServer::new(|_, _| Ok(oauth_error(400, "invalid_scope")));
    let credentials = Credentials::secret(secret("a"), Some(secret("b")), POST);
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(sent(&server), ["a"]);
}

/// The second secret is right, but something else is wrong: the credential was
/// accepted all the same.
#[tokio::test]
async fn a_secret_is_promoted_even_if_the_request_is_refused_for_another_reason() {
    let server = FakeServer::new(|request, _| {
        let body = String::from_utf8_lossy(request.body()).into_owned();
        Ok(oauth_error(400, if body.ends_with("=new") { "invalid_scope" } else { "invalid_client" }))
    });
    let credentials = Credentials::secret(secret("old"), Some(secret("new")), POST);
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.code().unwrap().as_str(), "invalid_scope");
    client.renew(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(sent(&server), ["old", "new", "new"]);
}

/// A refusal waits a minute, but not for a secret that has been replaced.
#[tokio::test]
async fn a_new_secret_in_its_file_is_tried_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("secret");
    let write = |text: &str| std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
    write("wrong\n");
    let server = accepting(&list(&["right"]));
    let credentials = Credentials::secret(Arc::new(FileSecret::new(&path)), None, POST);
    let clock = TestClock::new();
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    for _ in 0..3 {
        client.token(&TokenSpec::default()).await.unwrap_err();
    }
    assert_eq!(sent(&server), ["wrong"], "the newline is removed, and the verdict waits");
    write("right\n");
    clock.advance(seconds(1));
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server), ["wrong", "right"]);
}

#[tokio::test]
async fn a_secret_that_cannot_be_read_is_said_and_tried_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("missing");
    let server = accepting(&list(&["right"]));
    let credentials = Credentials::secret(Arc::new(FileSecret::new(&path)), None, POST);
    let clock = TestClock::new();
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SecretUnavailable);
    assert!(error.to_string().contains("missing") && error.is_transient());
    std::fs::write(&path, "right").unwrap();
    clock.advance(seconds(1));
    client.token(&TokenSpec::default()).await.unwrap();
}

/// A projected token read once locked four projects out of production: a source
/// is asked for every token request.
#[tokio::test]
async fn a_source_is_read_for_every_token_request_and_no_api_call() {
    let reads = Arc::new(AtomicUsize::new(0));
    let source = Arc::new(SecretFn::new({
        let reads = Arc::clone(&reads);
        move || {
            let read = reads.fetch_add(1, Ordering::SeqCst);
            async move { Ok(SecretString::from(if read == 0 { "first" } else { "second" })) }
        }
    }));
    let server = accepting(&list(&["first", "second"]));
    let clock = TestClock::new();
    let credentials = Credentials::secret(Arc::clone(&source) as Arc<dyn SecretSource>, None, POST);
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    for _ in 0..10 {
        client.token(&TokenSpec::default()).await.unwrap();
    }
    assert_eq!(reads.load(Ordering::SeqCst), 1);
    clock.advance(seconds(700));
    client.token(&TokenSpec::default()).await.unwrap();
    assert_eq!(sent(&server), ["first", "second"]);
    assert_eq!(source.version(), 1);
}

/// Counts how often it is looked at.
#[derive(Debug, Default)]
struct Looked(AtomicUsize);

impl SecretSource for Looked {
    fn read(&self) -> m2m_io::BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(async { Ok(SecretString::from("wrong")) })
    }
    fn look(&self) -> m2m_io::BoxFuture<'_, ()> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(async {})
    }
}

#[tokio::test]
async fn many_refused_callers_look_at_the_source_once_a_second() {
    let (source, clock) = (Arc::new(Looked::default()), TestClock::new());
    let credentials = Credentials::secret(Arc::clone(&source) as Arc<dyn SecretSource>, None, POST);
    let server = accepting(&list(&[]));
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    for _ in 0..10 {
        for _ in 0..100 {
            client.token(&TokenSpec::default()).await.unwrap_err();
        }
        clock.pass(1).await;
    }
    assert!((9..=12).contains(&source.0.load(Ordering::SeqCst)));
}

#[tokio::test]
async fn a_source_that_fails_is_the_secrets_fault() {
    let source = Arc::new(SecretFn::new(|| async { Err(Error::secret_unavailable("the vault is sealed")) }));
    let credentials = Credentials::secret(source, None, POST);
    let server = accepting(&list(&[]));
    let client = builder(&server, &TestClock::new()).credentials(credentials).build().unwrap();
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_eq!((error.kind(), server.count()), (ErrorKind::SecretUnavailable, 0));
    assert_eq!(error.to_string(), "the credential cannot be read: the vault is sealed");
}

/// Never answers the question whether it has changed.
#[derive(Debug)]
struct Stuck;

impl SecretSource for Stuck {
    fn read(&self) -> m2m_io::BoxFuture<'_, Result<SecretString, Error>> {
        Box::pin(async { Ok(SecretString::from("first")) })
    }
    fn look(&self) -> m2m_io::BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// A source on a dead file system: the cached token is served at once, and the
/// driver goes on.
#[tokio::test]
async fn a_source_that_hangs_holds_up_no_cached_token() {
    let (clock, server) = (TestClock::new(), accepting(&list(&["first"])));
    let credentials = Credentials::secret(Arc::new(Stuck), None, POST);
    let client = builder(&server, &clock).credentials(credentials).build().unwrap();
    let asking = crate::testing::spawned({
        let client = client.clone();
        async move { client.token(&TokenSpec::default()).await }
    });
    clock.pass(3).await;
    asking.await.unwrap().unwrap();
    server.becomes(|_, _| Ok(crate::testing::answer(503, "")));
    clock.advance(seconds(400));
    clock.pass(10).await;
    assert_eq!(client.snapshot(&TokenSpec::default()).state, crate::CacheState::UsableWhileFailing);
    let asking = crate::testing::spawned(async move { client.token(&TokenSpec::default()).await });
    settle().await;
    assert!(asking.is_finished(), "without waiting for the clock");
}
