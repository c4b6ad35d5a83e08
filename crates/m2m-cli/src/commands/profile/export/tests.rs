use std::collections::BTreeSet;
use std::process::Command;
use std::sync::Arc;

use m2m_io::{OsRandom, SystemClock};
use saphyr::{LoadableYamlNode as _, Yaml};

use super::*;
use crate::args::Global;
use crate::output::{Output, Stream, is_layout};
use crate::settings::Inputs;
use crate::settings::env::Environment;
use crate::settings::file::Profile;
use crate::settings::value::Sourced;

#[test]
fn labels_are_names_that_kubernetes_takes() {
    let check = |name: &str, expect: &str| {
        let document = format!("[profiles.\"{name}\"]\nclient_id = \"a\"\n");
        let directory = tempfile::tempdir().unwrap();
        let config = directory.path().join("m2m.toml");
        std::fs::write(&config, document).unwrap();
        let global = Global { config: Some(config), ..Global::default() };
        let flags = crate::args::ProfileFlags::default();
        let environment = crate::settings::env::Environment::default();
        let inputs =
            Inputs { global: &global, flags: &flags, environment: &environment, directory: directory.path() };
        let settings = Settings::resolve(inputs).unwrap();
        assert_eq!(Plan::of(&settings, directory.path()).label(), expect);
    };
    check("orders", "orders");
    check("Orders_API.v2", "orders-api-v2");
    check("-äö-", "m2m");
}

/// What must never run, nor begin a line where lines mean something. A shell needs no program for it.
const PAYLOAD: &str = "echo>pwned";

/// Texts that end a line, a quote or a comment.
fn hostile() -> Vec<String> {
    let ends = ["\n", "\r\n", "\u{85}", "\u{2028}", "\u{2029}", "'\n", "\"\n", "\\\n", "\n---\n", "*/\n"];
    let mut texts: Vec<String> = ends.iter().map(|end| format!("X{end}{PAYLOAD}{end}#")).collect();
    let expanded = [format!("X:-$({PAYLOAD})"), format!("X}}`{PAYLOAD}`"), format!("X'$({PAYLOAD})'")];
    texts.extend(expanded);
    texts.push("\u{1b}]0;title\u{7}".to_owned());
    texts
}

type At = fn(&str) -> (Field, Value);

/// Everywhere that a profile holds a text which some form writes.
const PLACES: &[At] = &[
    |text| (Field::ClientSecret, Value::Secret(SecretReference::Env(text.into()))),
    |text| (Field::ClientSecret, Value::Secret(SecretReference::File(format!("/{text}").into()))),
    |text| (Field::ClientSecret, Value::Secret(SecretReference::Keyring(text.into()))),
    |text| (Field::ClientSecret, Value::Secret(SecretReference::Systemd(text.into()))),
    |text| (Field::ClientSecret, Value::Secret(SecretReference::Command(vec!["/no".into(), text.into()]))),
    |text| (Field::PrivateKey, Value::Secret(SecretReference::Keyring(text.into()))),
    |text| (Field::PrivateKey, Value::Secret(SecretReference::Env(text.into()))),
    |text| (Field::PrivateKey, Value::Secret(SecretReference::File(format!("/{text}").into()))),
    |text| (Field::WorkloadToken, Value::Secret(SecretReference::GithubActions(text.into()))),
    |text| {
        (Field::WorkloadToken, Value::Secret(SecretReference::Kubernetes(format!("/{text}/{text}").into())))
    },
    |text| (Field::Dpop, Value::Secret(SecretReference::Keyring(text.into()))),
    |text| (Field::ClientId, Value::Text(text.into())),
    |text| (Field::Audience, Value::Text(text.into())),
    |text| (Field::CaFile, Value::Text(format!("/{text}"))),
    |text| (Field::Scopes, Value::List(vec![text.into()])),
    |text| (Field::Params, Value::Pairs(vec![(text.into(), text.into())])),
];

fn profile(stated: (Field, Value)) -> Profile {
    let mut values = vec![
        (Field::TokenUrl, Value::Text("https://as.example/token".into())),
        (Field::ClientId, Value::Text("c".into())),
    ];
    if stated.0.group() != Some(crate::settings::field::Group::Credential) {
        values.push((Field::ClientSecret, Value::Secret(SecretReference::Env("S".into()))));
    }
    values.push(stated);
    let sourced = |value| Sourced { value, origin: Origin::Default };
    values.into_iter().map(|(field, value)| (field, sourced(value))).collect()
}

/// Every form that this profile can take.
async fn forms(name: &str, profile: &Profile, around: &Surroundings) -> Vec<(&'static str, String)> {
    let settings = Settings::of(profile.clone()).unwrap();
    let plan = Plan::called(name, &settings, &around.directory);
    let mut forms = vec![
        ("cli", cli::write(&plan)),
        ("env", env::write(&plan)),
        ("toml", toml::write(&plan).unwrap()),
        ("kubernetes", kubernetes::write(&plan).unwrap()),
        ("compose", compose::write(&plan).unwrap()),
    ];
    forms.extend(rust::write(&plan).ok().map(|text| ("rust", text)));
    if let Ok(request) = request::capture(&settings, around).await {
        forms.extend(curl::write(&plan, &request).ok().map(|text| ("curl", text)));
        forms.extend(envoy::write(&plan, &request).ok().map(|text| ("envoy", text)));
    }
    forms
}

/// Keys of each document.
fn keys(text: &str) -> Vec<Vec<String>> {
    let documents = Yaml::load_from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let keys = |document: &Yaml<'_>| {
        let mapping = document.as_mapping().unwrap();
        mapping.keys().map(|key| key.as_str().unwrap().to_owned()).collect()
    };
    documents.iter().map(keys).collect()
}

fn stays_a_value(form: &str, harmless: &str, text: &str, directory: &Path) {
    match form {
        "cli" | "env" | "curl" => {
            let functions = "m2m() { :; }; curl() { :; }; cat() { echo secret; }; sed() { :; }\n";
            let mut shell = Command::new("/bin/sh");
            shell.args(["-c", &format!("{functions}{text}")]).current_dir(directory).env_clear();
            shell.output().unwrap();
            assert!(!directory.join("pwned").exists(), "--as {form} runs what a value says:\n{text}");
            return;
        }
        "toml" => {
            let table: ::toml::Table = text.parse().unwrap();
            let profiles = table["profiles"].as_table().unwrap();
            assert_eq!((table.len(), profiles.len()), (1, 1), "{text}");
        }
        "rust" => {}
        _ => assert_eq!(keys(text), keys(harmless), "--as {form}:\n{text}"),
    }
    let ends_lines = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    for line in text.split(ends_lines) {
        assert!(!line.trim_start().starts_with(PAYLOAD), "--as {form}:\n{text}");
    }
    let raw = |c: char| c != '\n' && (c.is_control() || is_layout(c));
    assert!(!text.contains(raw), "--as {form}: {text:?}");
}

#[tokio::test]
async fn a_strangers_values_stay_values() {
    let place = tempfile::tempdir().unwrap();
    let around = Surroundings {
        output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
        environment: Environment::default(),
        directory: place.path().to_owned(),
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    };
    let mut seen = BTreeSet::new();
    for at in PLACES {
        let harmless = forms("orders", &profile(at("X")), &around).await;
        for text in hostile() {
            for (form, text) in forms(&text, &profile(at(&text)), &around).await {
                let (_, harmless) = harmless.iter().find(|(other, _)| *other == form).unwrap();
                stays_a_value(form, harmless, &text, place.path());
                seen.insert(form);
            }
        }
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
}
