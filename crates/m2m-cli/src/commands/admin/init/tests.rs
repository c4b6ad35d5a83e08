use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;

use m2m_io::{OsRandom, SystemClock};

use super::*;
use crate::args::{Global, ProfileFlags};
use crate::output::tests::Kept;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;
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

fn typed(out: &str) -> AdminInit {
    AdminInit {
        issuer: "https://login.example.com".to_owned(),
        database: "sqlite:m2m.db".to_owned(),
        sealing_key_file: "sealing.key".into(),
        out: out.into(),
    }
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn the_profile_is_one_that_can_administer() {
    let place = tempfile::tempdir().unwrap();
    let told = Kept::default();
    let around = around(place.path(), &told);
    let places = Places::free(&typed("admin.toml"), &around).unwrap();
    let issuer = Issuer::parse("https://login.example.com").unwrap();
    let prepared = Prepared { client_id: "admin".to_owned(), client_secret: SecretString::from("hunter2") };
    places.write(&issuer, &prepared, &around).unwrap();
    let (file, secret) = (place.path().join("admin.toml"), place.path().join("admin.secret"));
    assert_eq!((mode(&file), mode(&secret)), (0o600, 0o600));
    assert_eq!(std::fs::read_to_string(&secret).unwrap(), "hunter2\n");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(!text.contains("hunter2") && !told.text().contains("hunter2"), "{text}\n{}", told.text());
    let global = Global { config: Some(file), ..Global::default() };
    let (flags, environment) = (ProfileFlags::default(), Environment::default());
    let inputs =
        Inputs { global: &global, flags: &flags, environment: &environment, directory: place.path() };
    let settings = Settings::resolve_admin(inputs).unwrap();
    assert_eq!(settings.text(Field::Issuer), Some("https://login.example.com"));
    assert_eq!(settings.text(Field::ClientId), Some("admin"));
    assert_eq!(settings.text(Field::Audience), Some("https://login.example.com/admin/v1"));
    assert_eq!(settings.secret(Field::ClientSecret), Some(&SecretReference::File(secret)));
    assert!(Places::free(&typed("admin.toml"), &around).is_err(), "nothing is replaced");
    assert!(Places::free(&typed("nowhere/admin.toml"), &around).is_err());
    assert!(Places::free(&typed("admin2.secret"), &around).is_err());
}

#[tokio::test]
async fn a_sealing_key_is_made_once() {
    let place = tempfile::tempdir().unwrap();
    let told = Kept::default();
    let around = around(place.path(), &told);
    let path = place.path().join("sealing.key");
    let made = sealing_key(&path, &around).await.unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert_eq!((made.expose().as_slice(), mode(&path)), (text.trim_end().as_bytes(), 0o600));
    assert_eq!(base64url::decode(text.trim_end()).unwrap().len(), 32);
    assert!(told.text().contains("every node needs the same file"), "{}", told.text());
    assert!(!told.text().contains(text.trim_end()));
    assert!(sealing_key(&path, &around).await.unwrap() == made, "it is read again");
    for bad in ["", "short", "31 bytes are one byte too short"] {
        std::fs::write(&path, bad).unwrap();
        let failure = sealing_key(&path, &around).await.unwrap_err();
        assert_eq!(failure.exit(), Exit::SecretUnavailable, "{bad}");
        assert!(bad.is_empty() || !failure.message().contains(bad), "{failure:?}");
        assert_eq!(std::fs::read_to_string(&path).unwrap(), bad, "what is there stays");
    }
}

#[test]
fn a_database_outlives_the_command_and_its_password_is_not_typed() {
    for good in ["sqlite:m2m.db", "postgres://m2m@db/m2m", "postgresql:///m2m"] {
        assert_eq!(check_database(good), Ok(()), "{good}");
    }
    for bad in ["memory:", "sqlite:", "mysql://root:hunter2@db/", "m2m.db", "postgres://m2m:hunter2@db/m2m"] {
        let failure = check_database(bad).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage);
        assert!(!failure.to_json().to_string().contains("hunter2"), "{failure:?}");
    }
}
