use std::time::Duration;

use super::*;
use crate::settings::field::Field;
use crate::settings::file::Document;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Origin, Sourced, Value};

const PATH: &str = "/p/orders.json";

fn read(text: &str) -> Result<NamedProfile, String> {
    parse(Path::new(PATH), text).map_err(|failure| {
        assert_eq!(failure.exit(), crate::exit::Exit::Configuration);
        let hint = failure.advice().map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{}{hint}", failure.message())
    })
}

fn refuse(text: &str, expect: &str) {
    let message = read(text).unwrap_err();
    assert!(message.contains(expect), "{text}\n  gave {message}\n  not  {expect}");
}

#[test]
fn every_shape() {
    let read = read(
        r#"{
  "name": "orders",
  "issuer": "https://login.example.com",
  "client_id": "svc \"orders\" \\ ä",
  "client_secret": {"file": "s"},
  "next_client_secret": {"command": ["op", "read", "op://v/i"]},
  "dpop": "ephemeral",
  "scopes": ["orders:read", "orders:write"],
  "resource": "https://orders.example.com",
  "params": {"organization": "acme"},
  "timeout": 3, "refresh_lead": "5m",
  "ca_file": "ca.pem",
  "allow_http": true,
  "key_id": null
}"#,
    )
    .unwrap();
    assert_eq!(read.name.as_deref(), Some("orders"));
    let check = |field, value, line| {
        let origin = Origin::File { path: PATH.into(), line };
        assert_eq!(read.values.get(&field), Some(&Sourced { value, origin }), "{field}");
    };
    check(Field::ClientId, Value::Text(r#"svc "orders" \ ä"#.into()), 4);
    check(Field::ClientSecret, Value::Secret(SecretReference::File("/p/s".into())), 5);
    let command = ["op", "read", "op://v/i"].map(str::to_owned).to_vec();
    check(Field::NextClientSecret, Value::Secret(SecretReference::Command(command)), 6);
    check(Field::Dpop, Value::Text("ephemeral".into()), 7);
    check(Field::Scopes, Value::List(vec!["orders:read".into(), "orders:write".into()]), 8);
    check(Field::Resource, Value::List(vec!["https://orders.example.com".into()]), 9);
    check(Field::Params, Value::Pairs(vec![("organization".into(), "acme".into())]), 10);
    check(Field::Timeout, Value::Time(Duration::from_secs(3)), 11);
    check(Field::RefreshLead, Value::Time(Duration::from_secs(300)), 11);
    check(Field::CaFile, Value::Text("/p/ca.pem".into()), 12);
    check(Field::AllowHttp, Value::Switch(true), 13);
    assert_eq!(read.values.get(&Field::KeyId), None, "null counts as absent");
}

#[test]
fn the_same_words_as_the_file() {
    let pairs = [
        ("client_idd", "\"x\"", "\"x\""),
        ("clientId", "\"x\"", "\"x\""),
        ("client_secret", "\"hunter2\"", "\"hunter2\""),
        ("private_key", "{ vault = \"v\" }", "{\"vault\": \"v\"}"),
        ("client_secret", "{ env = \"A\", file = \"b\" }", "{\"env\": \"A\", \"file\": \"b\"}"),
        ("client_secret", "{ command = \"op read\" }", "{\"command\": \"op read\"}"),
        ("client_secret", "{  }", "{}"),
        ("scopes", "[1]", "[1]"),
        ("scopes", "1.5", "1.5"),
        ("timeout", "\"soon\"", "\"soon\""),
        ("timeout", "-1", "-1"),
        ("allow_http", "\"yes\"", "\"yes\""),
        ("params", "[]", "[]"),
        ("issuer", "\"\"", "\"\""),
    ];
    for (key, toml, json) in pairs {
        let file = Document::parse(Path::new(PATH), &format!("[profiles.a]\n{key} = {toml}\n")).unwrap_err();
        let ours = parse(Path::new(PATH), &format!("{{\n\"{key}\": {json}}}")).unwrap_err();
        assert_eq!(ours.message(), file.message().replace("profiles.a.", ""), "{key} = {toml}");
        assert_eq!(ours.advice(), file.advice(), "{key} = {toml}");
        assert!(!ours.message().contains("hunter2"));
    }
}

#[test]
fn the_line_is_the_members() {
    refuse("{\"a,{\\\"\": \"x\",\n \"b\":\n [\"}\"]}", "/p/orders.json:1: a,{\": unknown key");
    refuse(
        "{\n\"issuer\": \"x\",\n\n  \"client_idd\": {\"a\":\n1}}",
        "/p/orders.json:4: client_idd: unknown key | did",
    );
    refuse(
        "{\"issuer\": \"x\",\n\"scopes\": [\"a\",\n null]}",
        "/p/orders.json:2: scopes: expected a value, found null",
    );
    refuse("{\"issuer\": \"x\",\n\"name\": 1}", "/p/orders.json:2: name: expected a string");
    refuse("{\"name\": \" \"}", "/p/orders.json:1: name: expected a string");
}

#[test]
fn only_one_object_without_repetitions() {
    refuse("[]", "/p/orders.json: JSON value is not an object");
    refuse("{", "/p/orders.json: not valid JSON at line 1");
    refuse("", "/p/orders.json: ");
    refuse("{\"issuer\": \"a\", \"issuer\": \"b\"}", "/p/orders.json: member name repeated");
    refuse("{} {}", "/p/orders.json: not valid JSON");
    refuse(&format!("{{\"issuer\": \"{}\"}}", "a".repeat(300 * 1024)), "/p/orders.json: ");
    refuse("{\"a\nb\": 1}", "/p/orders.json: not valid JSON");
    refuse("{\"issuer = 'x'\\nclient_id\": \"x\"}", "unknown key");
    assert_eq!(read("{}"), Ok(NamedProfile::default()));
}
