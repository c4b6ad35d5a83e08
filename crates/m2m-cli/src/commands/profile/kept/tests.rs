use std::path::Path;
use std::sync::Arc;

use m2m_io::{OsRandom, SystemClock};

use super::*;
use crate::args::Global;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;
use crate::settings::search::find;

fn around(place: &Path) -> Surroundings {
    let directory = place.join("work");
    std::fs::create_dir_all(directory.join(".git")).unwrap();
    Surroundings {
        output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
        environment: Environment::of([("XDG_CONFIG_HOME", place.to_str().unwrap())]),
        directory,
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    }
}

fn secret(text: &str) -> SecretString {
    SecretString::from(text)
}

fn content(reference: &SecretReference) -> String {
    let SecretReference::File(path) = reference else { panic!("{reference}") };
    std::fs::read_to_string(path).unwrap()
}

#[tokio::test]
async fn a_secret_is_replaced_and_removed_by_its_own_profile_only() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path());
    let turn = Turn::take(None, &around).await.unwrap();
    let prod = Owner::of(&place.path().join("m2m/m2m.toml"), "prod");
    let others = [
        Owner::of(&around.directory.join(FILE_NAME), "dev"),
        // The same name in another file, another name in the same file.
        Owner::of(&around.directory.join(FILE_NAME), "prod"),
        Owner::of(&place.path().join("m2m/m2m.toml"), "dev"),
    ];
    let keep = Keep { name: "prod", place: Place::File, owner: &prod, before: None };
    let kept = keep.put(&secret("of-prod"), &turn, &around).await.unwrap();
    for owner in &others {
        // Each of them says that its secret is the one of prod.
        let keep = Keep { owner, before: Some(&kept), ..keep };
        let own = keep.put(&secret("of-others"), &turn, &around).await.unwrap();
        assert_ne!(own, kept);
        assert_eq!((content(&kept).as_str(), content(&own).as_str()), ("of-prod", "of-others"));
        assert!(!remove(&kept, owner, &turn, &around).await.unwrap());
        assert_eq!(content(&kept), "of-prod");
        assert!(remove(&own, owner, &turn, &around).await.unwrap());
    }
    let again = Keep { before: Some(&kept), ..keep };
    assert_eq!(again.put(&secret("again"), &turn, &around).await.unwrap(), kept);
    assert_eq!(content(&kept), "again");
    let SecretReference::File(path) = &kept else { unreachable!() };
    let elsewhere = SecretReference::File(place.path().join("m2m/secrets/../secrets/prod"));
    assert!(!remove(&elsewhere, &prod, &turn, &around).await.unwrap());
    assert!(remove(&kept, &prod, &turn, &around).await.unwrap() && !path.exists());
    assert!(!remove(&kept, &prod, &turn, &around).await.unwrap(), "it is nobody's any more");
}

#[tokio::test]
async fn profiles_of_one_name_have_two_entries_in_the_keyring() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path());
    let turn = Turn::take(None, &around).await.unwrap();
    let entry = |name: &str, owner: &Owner, before: Option<&SecretReference>| {
        let reference = Keep { name, place: Place::Keyring, owner, before }.reference(&around).unwrap();
        Owners::add(&reference, owner, &turn, &around).unwrap();
        reference
    };
    let mine = Owner::of(&place.path().join("m2m/m2m.toml"), "orders");
    let theirs = Owner::of(&around.directory.join(FILE_NAME), "orders");
    let first = entry("orders", &mine, None);
    let second = entry("orders", &theirs, Some(&first));
    assert_ne!(first, second);
    assert_eq!(entry("orders", &mine, Some(&first)), first);
    assert_eq!(entry("orders", &theirs, Some(&first)), second);
    // The key of one profile is called as the secret of another one may be.
    let other = Owner::of(&place.path().join("m2m/m2m.toml"), "orders.key");
    assert_ne!(entry("orders.key", &mine, None), entry("orders.key", &other, None));
    assert!(!remove(&first, &theirs, &turn, &around).await.unwrap());
}

#[test]
fn the_users_own_file_is_looked_at_where_another_one_is_named() {
    let place = tempfile::tempdir().unwrap();
    let around = around(place.path());
    let (own, other) = (place.path().join("m2m/m2m.toml"), around.directory.join(FILE_NAME));
    let seen = |config: &Path| {
        let (directory, environment) = (around.directory.as_path(), &around.environment);
        find(Start { config: Some(config), directory, environment }).unwrap().located
    };
    std::fs::write(&other, "").unwrap();
    assert!(unseen(&seen(&other), &around).unwrap().is_none());
    std::fs::create_dir(place.path().join("m2m")).unwrap();
    std::fs::write(&own, "[profiles.user]\nclient_id = \"c\"\n").unwrap();
    let found = unseen(&seen(&other), &around).unwrap().unwrap();
    assert!(found.document.profiles.contains_key("user"));
    assert!(unseen(&seen(&place.path().join("work/../m2m/m2m.toml")), &around).unwrap().is_none());
    std::fs::write(&own, "broken").unwrap();
    assert!(unseen(&seen(&other), &around).is_err(), "what it uses is not known");
}
