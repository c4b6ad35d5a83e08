use std::io::sink;

use m2m_io::{BoxFuture, Clock, OsRandom};
use m2m_proto::time::UnixTime;

use super::*;
use crate::args::Global;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;

/// A clock that is moved by hand.
#[derive(Debug, Default)]
struct Hand(Mutex<Duration>);

impl Clock for Hand {
    fn wall(&self) -> UnixTime {
        UnixTime::from_seconds(1_800_000_000)
    }
    fn monotonic(&self) -> Duration {
        *self.0.lock().unwrap()
    }
    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn around(clock: &Arc<Hand>, environment: Environment) -> Surroundings {
    Surroundings {
        output: Output::to(Box::new(sink()), Box::new(sink()), [Stream::Pipe; 2]),
        environment,
        directory: "/".into(),
        global: Global::default(),
        clock: Arc::clone(clock) as Arc<dyn Clock>,
        random: Arc::new(OsRandom),
    }
}

async fn source(around: &Surroundings, reference: SecretReference) -> Result<Source, Failure> {
    open(&Settings::default(), around, None, (Field::ClientSecret, &reference)).await
}

async fn read(source: &Source) -> String {
    source.read().await.unwrap().expose().clone()
}

#[tokio::test]
async fn a_file_is_read_for_every_request() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("secret");
    std::fs::write(&path, "old\n").unwrap();
    let around =
        around(&Arc::default(), Environment::of([("CREDENTIALS_DIRECTORY", place.path().to_str().unwrap())]));
    let file = source(&around, SecretReference::File(path.clone())).await.unwrap();
    let systemd = source(&around, SecretReference::Systemd("secret".into())).await.unwrap();
    assert_eq!([read(&file).await, read(&systemd).await], ["old", "old"]);
    std::fs::write(&path, "new\n").unwrap();
    assert_eq!([read(&file).await, read(&systemd).await], ["new", "new"]);
}

/// `--secret-file <(op read …)`: a second reading would find nothing.
#[tokio::test]
async fn a_pipe_is_read_once() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    let writer = std::process::Command::new("sh")
        .args(["-c", "printf secret > \"$1\"", "sh"])
        .arg(&path)
        .spawn()
        .unwrap();
    let around = around(&Arc::default(), Environment::default());
    let pipe = source(&around, SecretReference::File(path)).await.unwrap();
    assert_eq!([read(&pipe).await, read(&pipe).await], ["secret", "secret"]);
    assert!(writer.wait_with_output().unwrap().status.success());
}

#[tokio::test]
async fn a_command_runs_again_after_a_minute_and_not_before() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("secret");
    std::fs::write(&path, "old").unwrap();
    let clock = Arc::<Hand>::default();
    let around = around(&clock, Environment::default());
    let command = SecretReference::Command(vec!["cat".into(), path.display().to_string()]);
    let command = source(&around, command).await.unwrap();
    std::fs::write(&path, "new").unwrap();
    *clock.0.lock().unwrap() = HOLD - Duration::from_secs(1);
    assert_eq!(read(&command).await, "old");
    let version = command.version();
    *clock.0.lock().unwrap() = HOLD;
    assert_eq!(read(&command).await, "new");
    assert!(command.version() > version, "a refusal by the server is asked again at once");
    *clock.0.lock().unwrap() = HOLD * 3;
    std::fs::remove_file(&path).unwrap();
    assert_eq!(command.read().await.unwrap_err().kind(), m2m_client::ErrorKind::SecretUnavailable);
}

#[tokio::test]
async fn a_projected_token_must_be_there_and_be_a_jwt() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("token");
    let around = around(&Arc::default(), Environment::default());
    for reference in [SecretReference::Kubernetes(path.clone()), SecretReference::Spiffe(path.clone())] {
        let _gone = std::fs::remove_file(&path);
        let failure = source(&around, reference.clone()).await.unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::SecretUnavailable);
        std::fs::write(&path, "a.b.c\n").unwrap();
        let token = source(&around, reference).await.unwrap();
        std::fs::write(&path, "d.e.f\n").unwrap();
        assert_eq!(read(&token).await, "d.e.f");
    }
}

#[tokio::test]
async fn a_job_token_needs_the_jobs_variables() {
    let reference = || SecretReference::GithubActions("api://x".into());
    let failure = source(&around(&Arc::default(), Environment::default()), reference()).await.unwrap_err();
    assert_eq!(failure.exit(), crate::exit::Exit::SecretUnavailable);
    assert!(failure.message().ends_with("ACTIONS_ID_TOKEN_REQUEST_URL is not set"), "{}", failure.message());
    let job = Environment::of([
        ("ACTIONS_ID_TOKEN_REQUEST_URL", "https://job.example/t?v=1"),
        ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "canary"),
    ]);
    let source = source(&around(&Arc::default(), job), reference()).await.unwrap();
    assert!(!format!("{source:?}").contains("canary"));
}
