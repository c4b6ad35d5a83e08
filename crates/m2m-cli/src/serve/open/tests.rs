use std::path::Path;

use super::*;
use crate::args::Global;
use crate::output::{Output, Stream};
use crate::serve::database::Database;
use crate::serve::stated::Stated;
use crate::settings::env::Environment;
use crate::settings::secret::SecretReference;
use m2m_io::{OsRandom, SystemClock};

fn around(directory: &Path) -> Surroundings {
    let nowhere = || Box::new(std::io::sink());
    Surroundings {
        output: Output::to(nowhere(), nowhere(), [Stream::Pipe, Stream::Pipe]),
        environment: Environment::of([]),
        directory: directory.to_owned(),
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    }
}

/// A start of a server on this file, up to its first request.
async fn start(directory: &Path, database: &str) -> Result<Opened, Failure> {
    let around = around(directory);
    let database = Some(Database::Sqlite(database.into()));
    let settings = Settings::of(Stated { database, ..Stated::default() }).unwrap();
    let issuer = Issuer::parse("http://127.0.0.1:8400").unwrap();
    let opened = open(&settings, issuer, None, &around).await?;
    opened.prepare(LogFormat::Text, &around).await?;
    Ok(opened)
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.retain(|name| !name.ends_with("-wal") && !name.ends_with("-shm"));
    names.sort();
    names
}

#[tokio::test]
async fn a_deleted_administrator_stays_away() {
    let directory = tempfile::tempdir().unwrap();
    let files = ["m2m.db", "m2m.db.admin.secret", "m2m.db.admin.toml", "m2m.db.lock", "m2m.db.sealing-key"];
    let id = founding::admin_id().unwrap();
    let first = start(directory.path(), "m2m.db").await.unwrap();
    assert_eq!(names(directory.path()), files);
    first.server.admin().delete_client(&id, None).await.unwrap();
    first.drain().await.unwrap();
    drop(first);
    for file in ["m2m.db.admin.secret", "m2m.db.admin.toml"] {
        std::fs::remove_file(directory.path().join(file)).unwrap();
    }
    let second = start(directory.path(), "m2m.db").await.unwrap();
    assert!(second.server.admin().registry().unwrap().registration(&id).is_none());
    assert_eq!(names(directory.path()), ["m2m.db", "m2m.db.lock", "m2m.db.sealing-key"]);
}

/// What was left over stops the start before it makes what could not be used.
#[tokio::test]
async fn a_file_in_the_way_of_the_administrator_loses_nothing() {
    for left_over in ["m2m.db.admin.toml", "m2m.db.admin.secret"] {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(left_over), "theirs").unwrap();
        let failure = start(directory.path(), "m2m.db").await.map(drop).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().contains(left_over), "{}", failure.message());
        assert!(failure.advice().unwrap().contains("move the file away"));
        assert_eq!(std::fs::read(directory.path().join("m2m.db")).unwrap(), b"");
        assert_eq!(std::fs::read(directory.path().join(left_over)).unwrap(), b"theirs");
        std::fs::remove_file(directory.path().join(left_over)).unwrap();
        let opened = start(directory.path(), "m2m.db").await.unwrap();
        let registry = opened.server.admin().registry().unwrap();
        assert!(registry.registration(&founding::admin_id().unwrap()).is_some());
    }
}

#[tokio::test]
async fn what_is_locked_is_what_is_opened() {
    for name in ["m2m%41.db", "100%.db", "a b#c.db", "süß.db"] {
        let directory = tempfile::tempdir().unwrap();
        let opened = start(directory.path(), name).await.unwrap();
        let files = ["", ".admin.secret", ".admin.toml", ".lock", ".sealing-key"];
        assert_eq!(names(directory.path()), files.map(|suffix| format!("{name}{suffix}")));
        assert!(directory.path().join(name).metadata().unwrap().len() > 0);
        drop(opened);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_sealing_key_that_everybody_reads_is_refused() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    drop(start(directory.path(), "m2m.db").await.unwrap());
    let key = directory.path().join("m2m.db.sealing-key");
    let allow = |mode| std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    let beside = start(directory.path(), "m2m.db").await.map(drop).unwrap_err();
    let reference = SecretReference::File(key.clone());
    let named = founding::kept_sealing_key(&reference, &around(directory.path())).await.unwrap_err();
    for failure in [beside, named] {
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().contains("can be read by everybody"), "{}", failure.message());
        assert!(failure.advice().unwrap().contains("chmod 600"));
    }
    allow(0o640);
    start(directory.path(), "m2m.db").await.unwrap();
}

/// A new key would open nothing in a database that is there, and look like the right one.
#[tokio::test]
async fn a_sealing_key_is_made_with_a_new_database_alone() {
    let directory = tempfile::tempdir().unwrap();
    drop(start(directory.path(), "m2m.db").await.unwrap());
    let key = directory.path().join("m2m.db.sealing-key");
    std::fs::remove_file(&key).unwrap();
    let failure = start(directory.path(), "m2m.db").await.map(drop).unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    assert!(failure.message().contains("the database is not new"), "{}", failure.message());
    assert!(failure.advice().unwrap().contains("sealing_key = { file = "));
    assert!(!key.exists());
}

#[tokio::test]
async fn the_console_is_there_unless_it_is_switched_off() {
    use tower::ServiceExt as _;
    let place = tempfile::tempdir().unwrap();
    let mut opened = start(place.path(), "m2m.db").await.unwrap();
    let around = around(place.path());
    let ask = async |opened: &Opened| {
        let request = http::Request::get("/console/").body(axum::body::Body::empty()).unwrap();
        opened.console(&around).oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask(&opened).await, 303, "it leads to the sign-in page");
    opened.console = false;
    assert_eq!(ask(&opened).await, 404);
}
