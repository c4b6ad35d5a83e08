use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use m2m_io::OsRandom;

use super::*;
use crate::settings::value::{Origin, Sourced};

const COMMENTED: &str = "\
# Our profiles.
# Ask the platform team.

default = \"b\" # for now

# the shop
[profiles.b]
client_id = 'b' # as registered
issuer = \"https://b\"

[egress]
allow = [
  \"10.0.0.0/8\", # the office
]

[profiles.a]
client_id = \"a\"
";

fn profile(values: &[(Field, Value)]) -> Profile {
    let sourced = |value: &Value| Sourced { value: value.clone(), origin: Origin::Default };
    values.iter().map(|(field, value)| (*field, sourced(value))).collect()
}

fn changed(text: &str, change: impl FnOnce(&mut Draft)) -> String {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("m2m.toml");
    std::fs::write(&path, text).unwrap();
    let mut draft = Draft::open(&path).unwrap();
    change(&mut draft);
    draft.save(&OsRandom).unwrap();
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn what_is_not_changed_stays_as_it_was() {
    let one = profile(&[(Field::ClientId, Value::Text("c".into()))]);
    let added = changed(COMMENTED, |draft| draft.put("c", &one).unwrap());
    assert_eq!(added.replace("\n[profiles.c]\nclient_id = \"c\"\n", ""), COMMENTED, "{added}");
    assert_eq!(changed(&added, |draft| assert!(draft.remove("c"))), COMMENTED);
    let replaced = changed(COMMENTED, |draft| draft.put("a", &one).unwrap());
    assert_eq!(replaced, COMMENTED.replace("client_id = \"a\"", "client_id = \"c\""));
    let removed = changed(COMMENTED, |draft| assert!(draft.remove("b")));
    assert!(removed.starts_with("# Our profiles.") && removed.contains("# the office"), "{removed}");
    assert!(!removed.contains("default") && !removed.contains("the shop"), "{removed}");
    assert_eq!(changed(COMMENTED, |draft| assert!(!draft.remove("x"))), COMMENTED);
}

#[test]
fn the_head_of_a_file_is_not_its_first_profiles() {
    let text = "# Ours.\n\n# the shop\n[profiles.a]\nclient_id = \"a\"\n\n[profiles.b]\nclient_id = \"b\"\n";
    let removed = changed(text, |draft| assert!(draft.remove("a")));
    assert_eq!(removed, "# Ours.\n\n[profiles.b]\nclient_id = \"b\"\n");
}

#[test]
fn every_value_is_read_back() {
    let reference = |reference| Value::Secret(reference);
    let all = profile(&[
        (Field::Provider, Value::Text("auth0".into())),
        (Field::Variables, Value::Pairs(vec![("domain".into(), "a.example".into())])),
        (Field::Issuer, Value::Text("https://i/\"ä".into())),
        (Field::ClientSecret, reference(SecretReference::Env("A".into()))),
        (Field::NextClientSecret, reference(SecretReference::Keyring("k".into()))),
        (Field::PrivateKey, reference(SecretReference::File("/k ey".into()))),
        (Field::Certificate, reference(SecretReference::Command(vec!["op".into(), "a b".into()]))),
        (Field::CertificateKey, reference(SecretReference::Systemd("s".into()))),
        (Field::WorkloadToken, reference(SecretReference::GithubActions("api://x".into()))),
        (Field::Scopes, Value::List(vec!["a".into(), "b".into()])),
        (Field::Params, Value::Pairs(vec![("k.x".into(), "v=w".into())])),
        (Field::Dpop, Value::Text("ephemeral".into())),
        (Field::RefreshLead, Value::Time(Duration::from_millis(1500))),
        (Field::Timeout, Value::Time(Duration::from_secs(90))),
        (Field::CaFile, Value::Text("/ca.pem".into())),
        (Field::AllowHttp, Value::Switch(true)),
    ]);
    let others = profile(&[(Field::WorkloadToken, reference(SecretReference::Kubernetes("/var/t".into())))]);
    let third = profile(&[(Field::WorkloadToken, reference(SecretReference::Spiffe("/svid".into())))]);
    let text = changed("", |draft| {
        draft.put("all", &all).unwrap();
        draft.put("other", &others).unwrap();
        draft.put("a.b", &third).unwrap();
    });
    let read = Document::parse(Path::new("/m2m.toml"), &text).unwrap();
    let values = |profile: &Profile| -> Vec<_> {
        profile.iter().map(|(field, sourced)| (*field, sourced.value.clone())).collect()
    };
    for (name, written) in [("all", &all), ("other", &others), ("a.b", &third)] {
        assert_eq!(values(&read.profiles[name]), values(written), "{text}");
    }
    let stdin = profile(&[(Field::ClientSecret, reference(SecretReference::Stdin))]);
    let place = tempfile::tempdir().unwrap();
    assert!(Draft::open(&place.path().join("m2m.toml")).unwrap().put("x", &stdin).is_err());
}

#[test]
fn times_are_written_as_everywhere() {
    let spans = [(1500, "1500ms"), (90_000, "90s"), (120_000, "2m"), (3_600_000, "1h")];
    for (millis, expect) in spans {
        let value = Value::Time(Duration::from_millis(millis));
        let written = table([(Field::Timeout, &value)].into_iter()).unwrap().to_string();
        assert_eq!(written, format!("timeout = \"{expect}\"\n"));
    }
}

#[test]
fn our_files_are_private_and_others_keep_their_mode_and_their_link() {
    let place = tempfile::tempdir().unwrap();
    let (file, link) = (place.path().join("real.toml"), place.path().join("m2m.toml"));
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let one = profile(&[(Field::ClientId, Value::Text("c".into()))]);
    let put = |path: &Path| {
        let mut draft = Draft::open(path).unwrap();
        draft.put("c", &one).unwrap();
        draft.save(&OsRandom).unwrap();
    };
    put(&file);
    assert_eq!(mode(&file), 0o600);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    put(&link);
    assert_eq!(mode(&file), 0o644);
    assert!(std::fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn a_broken_file_is_not_changed() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("m2m.toml");
    for text in ["[profiles.a", "[profiles.a]\nclient_idd = \"x\"\n"] {
        std::fs::write(&path, text).unwrap();
        let failure = Draft::open(&path).unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::Configuration, "{text}");
    }
}

#[test]
fn profiles_in_one_line_are_understood() {
    let one = profile(&[(Field::ClientId, Value::Text("c".into()))]);
    let text = changed("profiles = { a = { client_id = \"a\" } }\n", |draft| {
        draft.put("c", &one).unwrap();
        assert!(draft.contains("a") && draft.names().len() == 2);
    });
    assert_eq!(Document::parse(Path::new("/m2m.toml"), &text).unwrap().profiles.len(), 2);
}
