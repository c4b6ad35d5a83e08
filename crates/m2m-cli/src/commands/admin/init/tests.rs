use m2m_authorization_server::registry::Client;
use m2m_io::file::FileLock;
use m2m_io::{OsRandom, SystemClock};

use super::*;
use crate::args::{Global, ProfileFlags};
use crate::output::tests::Kept;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;
use crate::settings::field::Field;
use crate::settings::secret::SecretReference;
use crate::settings::{Inputs, Settings};

fn around(place: &Path, told: &Kept) -> Surroundings {
    Surroundings {
        output: Output::to(Box::new(told.clone()), Box::new(told.clone()), [Stream::Pipe; 2]),
        environment: Environment::default(),
        directory: place.to_owned(),
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    }
}

fn typed(out: &str, key: &str) -> AdminInit {
    AdminInit {
        issuer: "https://login.example.com".to_owned(),
        database: "sqlite:m2m.db".to_owned(),
        sealing_key_file: key.into(),
        out: out.into(),
        with_key: false,
        client_id: ADMIN.to_owned(),
    }
}

#[tokio::test]
async fn the_profile_is_one_that_can_administer() {
    let place = tempfile::tempdir().unwrap();
    let told = Kept::default();
    let around = around(place.path(), &told);
    run(&typed("admin.toml", "sealing.key"), &around).await.unwrap();
    let (file, secret) = (place.path().join("admin.toml"), place.path().join("admin.secret"));
    let text = std::fs::read_to_string(&secret).unwrap();
    assert!(text.starts_with("m2m_sk_") && !told.text().contains(text.trim_end()), "{}", told.text());
    let global = Global { config: Some(file), ..Global::default() };
    let (flags, environment) = (ProfileFlags::default(), Environment::default());
    let inputs =
        Inputs { global: &global, flags: &flags, environment: &environment, directory: place.path() };
    let settings = Settings::resolve_admin(inputs).unwrap();
    assert_eq!(settings.text(Field::Issuer), Some("https://login.example.com"));
    assert_eq!(settings.text(Field::ClientId), Some("admin"));
    assert_eq!(settings.secret(Field::ClientSecret), Some(&SecretReference::File(secret)));
    for taken in ["admin.toml", "nowhere/admin.toml", "admin2.secret"] {
        let failure = run(&typed(taken, "sealing.key"), &around).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{taken}");
    }
}

/// What a server under a security profile lets in: no secret, and tokens that are bound.
#[tokio::test]
async fn an_administrator_can_have_a_key() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path(), &Kept::default());
    for out in ["admin.toml", "second.toml"] {
        run(&AdminInit { with_key: true, ..typed(out, "sealing.key") }, &around).await.unwrap();
        let text = std::fs::read_to_string(place.path().join(out)).unwrap();
        assert!(text.contains("private_key = {") && text.contains("dpop = \"ephemeral\""), "{text}");
        let key = std::fs::read_to_string(place.path().join(out).with_extension("secret")).unwrap();
        assert!(
            key.starts_with("-----BEGIN PRIVATE KEY-----\n") && key.ends_with("-----END PRIVATE KEY-----\n")
        );
    }
}

#[tokio::test]
async fn a_second_run_gives_one_more_secret_and_another_key_none() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path(), &Kept::default());
    run(&typed("first.toml", "sealing.key"), &around).await.unwrap();
    run(&typed("second.toml", "sealing.key"), &around).await.unwrap();
    let secret = |name: &str| std::fs::read_to_string(place.path().join(name)).unwrap();
    assert_ne!(secret("first.secret"), secret("second.secret"));
    let failure = run(&typed("third.toml", "other.key"), &around).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    assert!(failure.message().contains("another sealing key"), "{}", failure.message());
    assert!(!place.path().join("third.toml").exists() && !place.path().join("other.key").exists());
    let database = Database::Sqlite("m2m.db".into()).claim(&around).await.unwrap();
    let store = open::store(&database, &Tuning::default(), Arc::new(SystemClock)).await.unwrap().unwrap();
    let registry = store.registry().unwrap();
    let admin = registry.registration(&ClientId::parse(ADMIN).unwrap()).unwrap();
    let labels: Vec<&str> = admin.credentials().iter().map(|credential| credential.label.as_str()).collect();
    assert_eq!(labels, ["first", LABEL]);
    let grants = admin.client().grants.iter().map(|(api, grant)| format!("{api} {}", grant.scopes));
    assert_eq!(grants.collect::<Vec<_>>(), ["https://login.example.com/admin/v1 m2m:read m2m:write"]);
}

#[tokio::test]
async fn a_file_that_a_server_uses_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path(), &Kept::default());
    let held = FileLock::try_acquire(&place.path().join("m2m.db.lock")).unwrap().unwrap();
    let failure = run(&typed("admin.toml", "sealing.key"), &around).await.unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    assert!(!place.path().join("m2m.db").exists() && !place.path().join("sealing.key").exists());
    drop(held);
    run(&typed("admin.toml", "sealing.key"), &around).await.unwrap();
}

#[test]
fn a_database_outlives_the_command() {
    let around = around(Path::new("/"), &Kept::default());
    for good in ["sqlite:m2m.db", "postgres://m2m@db/m2m"] {
        assert!(database(good, &around).is_ok(), "{good}");
    }
    for bad in ["memory:", "sqlite:", "m2m.db", "postgres://m2m:hunter2@db/m2m"] {
        let failure = database(bad, &around).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(!failure.to_json().to_string().contains("hunter2"), "{failure:?}");
    }
}

#[tokio::test]
async fn a_client_that_cannot_administer_gets_no_secret() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path(), &Kept::default());
    run(&typed("first.toml", "sealing.key"), &around).await.unwrap();
    let admin = founding::admin_id().unwrap();
    let change = async |change: fn(&mut Client)| {
        let server = server(&around).await;
        let registration = server.admin().registry().unwrap().registration(&admin).unwrap().clone();
        let mut client = registration.client().clone();
        change(&mut client);
        server.admin().update_client(client, None).await.unwrap();
        server.drain().await.unwrap();
    };
    let check = async |expect: &str| {
        let failure = run(&typed("second.toml", "sealing.key"), &around).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration);
        assert!(failure.message().contains(expect), "{}", failure.message());
        assert!(failure.advice().unwrap().contains("--client-id"), "{failure:?}");
        assert!(!place.path().join("second.toml").exists());
    };
    change(|client| client.grants.clear()).await;
    check("admin is not granted m2m:read m2m:write at https://login.example.com/admin/v1").await;
    server(&around).await.admin().set_client_status(&admin, Status::Disabled).await.unwrap();
    check("admin is disabled").await;
    server(&around).await.admin().set_client_status(&admin, Status::Revoked).await.unwrap();
    check("admin is revoked").await;
    let another = AdminInit { client_id: "admin2".to_owned(), ..typed("second.toml", "sealing.key") };
    run(&another, &around).await.unwrap();
    let profile = std::fs::read_to_string(place.path().join("second.toml")).unwrap();
    assert!(profile.contains("[profiles.admin]") && profile.contains("client_id = \"admin2\""), "{profile}");
    let bad = AdminInit { client_id: "no id\n".to_owned(), ..typed("third.toml", "sealing.key") };
    assert_eq!(run(&bad, &around).await.unwrap_err().exit(), Exit::Usage);
}

/// A server on the database of the test. The lock is given back at once: nobody else is here.
async fn server(around: &Surroundings) -> Server {
    let database = Database::Sqlite("m2m.db".into()).claim(around).await.unwrap();
    let store = open::store(&database, &Tuning::default(), Arc::new(SystemClock)).await.unwrap().unwrap();
    let path = around.directory.join("sealing.key");
    let key = founding::sealing_key(&path, &database, LogFormat::Text, around).await.unwrap();
    let issuer = Issuer::parse("https://login.example.com").unwrap();
    Server::builder(issuer).sealing_key(key).store(store).build().unwrap()
}
