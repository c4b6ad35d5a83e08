use std::collections::VecDeque;

use m2m_proto::secret::SecretString;

use super::*;
use crate::commands::profile::asker::no_answer;
use crate::settings::secret::SecretReference;

/// Answers by a list; what it was told is kept.
#[derive(Default)]
struct Script {
    answers: VecDeque<&'static str>,
    heard: Vec<String>,
}

impl Asker for Script {
    fn say(&mut self, text: &str) {
        self.heard.push(text.to_owned());
    }

    fn ask(&mut self, question: &str) -> Result<String, Failure> {
        self.heard.push(question.to_owned());
        self.answers.pop_front().map(str::to_owned).ok_or_else(|| no_answer("the input ended"))
    }

    fn ask_secret(&mut self, question: &str) -> Result<SecretString, Failure> {
        self.ask(question).map(SecretString::new)
    }
}

fn converse(wish: &mut Wish, answers: &[&'static str]) -> (Result<(), Failure>, Destination, Vec<String>) {
    let mut script = Script { answers: answers.iter().copied().collect(), heard: Vec::new() };
    let mut destination = Destination::default();
    let result = run(&mut script, wish, &mut destination);
    assert!(script.answers.is_empty(), "not asked for: {:?}; heard {:#?}", script.answers, script.heard);
    (result, destination, script.heard)
}

fn text(wish: &Wish, field: Field) -> &str {
    wish.text(field).unwrap_or_default()
}

#[test]
fn a_provider_by_a_part_of_its_name() {
    let mut wish = Wish::default();
    let answers = [
        "nothing like it", // asked again
        "auth0",
        "acme.eu.auth0.com",
        "svc-orders",
        "7", // no such method
        "",  // the first: client_secret_post
        "4", // typed
        "",  // nothing typed: asked again
        "hunter2",
        "read:data  write:data",
        "", // no audience: this provider wants one
        "https://api.example.com",
    ];
    let (result, destination, heard) = converse(&mut wish, &answers);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())), "{heard:#?}");
    assert_eq!(text(&wish, Field::Provider), "auth0");
    assert_eq!(wish.pairs(Field::Variables), [("domain".to_owned(), "acme.eu.auth0.com".to_owned())]);
    assert_eq!(text(&wish, Field::ClientId), "svc-orders");
    assert_eq!(text(&wish, Field::ClientAuthMethod), "", "the provider's first need not be written");
    assert_eq!(wish.secret(Field::ClientSecret), Some(&SecretReference::Stdin));
    assert_eq!(wish.secrets[&Field::ClientSecret].expose(), "hunter2");
    assert_eq!(text(&wish, Field::Audience), "https://api.example.com");
    assert!(!destination.keyring);
    let shown = heard.join("\n");
    assert!(
        shown.contains("the secret goes to the server, in the body") && !shown.contains("hunter2"),
        "{shown}"
    );
}

#[test]
fn an_issuer_and_a_key() {
    let mut wish = Wish::default();
    let answers = [
        "http://login.example.com", // not encrypted
        "https://login.example.com",
        "", // the issuer
        "svc-billing",
        "4",
        "1",
        "/run/secrets/billing.pem",
        "2026-11",
        "",
        "",
    ];
    let (result, _, heard) = converse(&mut wish, &answers);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())), "{heard:#?}");
    assert_eq!(text(&wish, Field::Issuer), "https://login.example.com");
    assert_eq!(text(&wish, Field::ClientAuthMethod), "private_key_jwt");
    assert_eq!(text(&wish, Field::KeyId), "2026-11");
    let key = SecretReference::File("/run/secrets/billing.pem".into());
    assert_eq!(wish.secret(Field::PrivateKey), Some(&key));
    assert!(!wish.has(Field::Scopes) && !wish.has(Field::Audience));
}

#[test]
fn a_pasted_token_url_is_recognised() {
    let mut wish = Wish::default();
    let answers =
        ["https://acme.okta.com/oauth2/default/v1/token", "", "id", "", "1", "MY SECRET", "MY_SECRET", "a"];
    let (result, _, heard) = converse(&mut wish, &answers);
    assert_eq!(result, Ok(()), "{heard:#?}");
    assert_eq!(text(&wish, Field::Provider), "okta-custom");
    assert_eq!(wish.pairs(Field::Variables)[0].1, "acme.okta.com");
    assert_eq!(wish.secret(Field::ClientSecret), Some(&SecretReference::Env("MY_SECRET".into())));
}

#[test]
fn a_key_that_signs_the_grant_is_asked_for() {
    let mut wish = Wish::default();
    let answers =
        ["google-sa", "1", "robot@p.iam.gserviceaccount.com", "1", "/key.pem", "", "https://scope.example/x"];
    let (result, _, heard) = converse(&mut wish, &answers);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())), "{heard:#?}");
    assert!(wish.has(Field::PrivateKey) && !wish.has(Field::ClientSecret));
}

#[test]
fn a_place_in_the_network_is_proof_enough() {
    let mut wish = Wish::default();
    let answers = ["entra-managed-identity", "", "", "https://vault.example/"];
    let (result, _, heard) = converse(&mut wish, &answers);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())), "{heard:#?}");
    assert!(!wish.has(Field::ClientId));
}

#[test]
fn what_flags_say_is_not_asked() {
    let mut wish = Wish::default();
    wish.set(Field::TokenUrl, Value::Text("https://t.example/token".into()));
    wish.set(Field::ClientSecret, Value::Secret(SecretReference::Env("S".into())));
    wish.set(Field::Scopes, Value::List(Vec::new()));
    let (result, ..) = converse(&mut wish, &["id", ""]);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())));
    assert_eq!(text(&wish, Field::ClientId), "id");
}

#[test]
fn a_conversation_that_ends_early_leaves_nothing() {
    let (result, ..) = converse(&mut Wish::default(), &["auth0"]);
    assert_eq!(result.unwrap_err().exit(), crate::exit::Exit::Usage);
}

#[test]
fn a_secret_and_a_key_where_both_are_needed() {
    let mut wish = Wish::default();
    let answers = ["box-jwt", "id", "1", "SECRET", "1", "/key.pem", "", "", "1", "enterprise"];
    let (result, _, heard) = converse(&mut wish, &answers);
    assert_eq!((result, wish.check()), (Ok(()), Ok(())), "{heard:#?}");
    assert!(wish.has(Field::ClientSecret) && wish.has(Field::PrivateKey));
}

/// Nobody is led into a profile that cannot work.
#[test]
fn every_provider_has_a_conversation() {
    let asked = |provider: &Provider, method: &str| {
        let mut wish = Wish::default();
        wish.set(Field::ClientAuthMethod, Value::Text(method.to_owned()));
        super::method(&mut Script::default(), &mut wish, Some(provider)).unwrap()
    };
    for provider in provider::all().iter().filter(|provider| provider.is_usable()) {
        let needs = provider.auth.methods.first().map_or(Vec::new(), |method| asked(provider, method));
        assert!(!provider.signs() || needs.contains(&Field::PrivateKey), "{}", provider.id);
        for method in &provider.auth.methods {
            assert!(!line(method).contains(": as the"), "{}: {method}", provider.id);
            let mut wish = Wish::default();
            wish.set(Field::Provider, Value::Text(provider.id.clone()));
            let example = |gap: &provider::Variable| (gap.name.clone(), gap.example.clone());
            wish.set(Field::Variables, Value::Pairs(provider.variables.iter().map(example).collect()));
            wish.set(Field::ClientId, Value::Text("id".to_owned()));
            wish.set(Field::ClientAuthMethod, Value::Text(method.clone()));
            for field in asked(provider, method) {
                wish.set(field, Value::Secret(SecretReference::File("/run/secrets/x".into())));
            }
            assert_eq!(wish.check(), Ok(()), "{}: {method}", provider.id);
        }
    }
}
