//! Files that are read, and plans that are made of them, without a server.

use std::path::Path;

use super::plan::{Action, Extent, Plan};
use super::state::State;
use super::*;
use crate::exit::{Exit, Failure};

mod federation;

const ADMIN: &str = "https://as.example/admin/v1";

fn read(text: &str) -> Result<Estate, Failure> {
    file::parse(Path::new("estate.toml"), text, None)
}

fn estate(text: &str) -> Estate {
    read(text).unwrap_or_else(|failure| panic!("{failure:?}"))
}

/// What a server has, as it shows it.
fn there(apis: &Value, clients: &Value, credentials: &Value) -> State {
    let by = |list: &Value, name: &str| {
        let list = list.as_array().unwrap().clone();
        list.into_iter()
            .map(|one| (one[name].as_str().unwrap().to_owned(), one.as_object().unwrap().clone()))
            .collect()
    };
    let mut state = State { own: (ADMIN.to_owned(), "admin".to_owned()), ..State::default() };
    state.apis = by(apis, "identifier");
    state.clients = by(clients, "id");
    for credential in credentials.as_array().unwrap() {
        let list = state.credentials.entry(credential["client_id"].as_str().unwrap().to_owned()).or_default();
        list.push(credential.as_object().unwrap().clone());
    }
    state
}

fn nothing() -> State {
    there(&json!([]), &json!([]), &json!([]))
}

fn plan(estate: &Estate, state: &State, extent: Extent) -> Plan {
    Plan::of(estate, state, extent, 3600).unwrap_or_else(|failure| panic!("{failure:?}"))
}

fn steps(plan: &Plan) -> Vec<String> {
    plan.steps
        .iter()
        .map(|step| format!("{} {} {}", step.action.name(), step.name.0.name(), step.name.1))
        .collect()
}

#[test]
fn what_cannot_be_is_told_with_line_and_key() {
    let check = |text: &str, said: &str| {
        let failure = read(text).unwrap_err();
        assert_eq!(failure.exit(), Exit::Configuration, "{text}");
        assert_eq!(failure.message(), said, "{text}");
    };
    check("[[api]]\nscopes = []", "estate.toml:1: api.identifier: is missing");
    check("\n[[api]]\nidentifier = 7", "estate.toml:3: api.identifier: expected a string, found a number");
    check(
        "[[api]]\nidentifier = \"a\"\nformat = \"xml\"",
        "estate.toml:3: api.format: expected one of jwt, opaque",
    );
    check(
        "[[api]]\nidentifier = \"a\"\nlifetime = \"soon\"",
        "estate.toml:3: api.lifetime: expected a time such as 10s, 500ms, 5m or 1h, found \"soon\"",
    );
    check(
        "[[api]]\nidentifier = \"a\"\nlifetime = 0",
        "estate.toml:3: api.lifetime: expected a number from 1",
    );
    check(
        "[[api]]\nidentifier = \"a\"\nscopes = [\"r\", \"r\"]",
        "estate.toml:3: api.scopes: r is there twice",
    );
    check(
        "[[api]]\nidentifier = \"a\"\n[[api]]\nidentifier = \"a\"",
        "estate.toml:3: api.identifier: the API is there twice",
    );
    check("apis = []", "estate.toml:1: apis: unknown key");
    check("api = 1", "estate.toml:1: api: expected tables: [[api]], found a number");
    check(
        "[[client]]\nid = \"a\"\nreview_by = \"2027-02-30\"",
        "estate.toml:3: client.review_by: expected a date such as \"2027-06-01\"",
    );
    check("[[client]]\nid = \"a\\nb\"", "estate.toml:2: client.id: control characters are refused");
    check(
        "[[client]]\nid = \"a\"\n[[client.grant]]\nscopes = [\"r\"]",
        "estate.toml:3: client.grant.api: is missing",
    );
    check(
        "[[client]]\nid = \"a\"\n[[client.grant]]\napi = \"x\"\n[[client.grant]]\napi = \"x\"",
        "estate.toml:5: client.grant.api: the API is granted twice",
    );
    check(
        "[[client]]\nid = \"a\"\n[[client.credential]]\nlabel = \"x\"\njwks_uri = \"https://a.example\"\nmethod = \"client_secret\"",
        "estate.toml:6: client.credential.method: client_secret does not go with what the credential is made of; leave it out",
    );
    check(
        "[[client]]\nid = \"a\"\n[[client.credential]]\nlabel = \"x\"\njwks_uri = \"https://a.example\"\nsecret_file = \"f\"",
        "estate.toml:6: client.credential.secret_file: private_key_jwt has no secret to keep",
    );
    check(
        "[[client]]\nid = \"a\"\n[[client.credential]]\nlabel = \"x\"\nclient_secret = \"hunter2\"",
        "estate.toml:5: client.credential.client_secret: unknown key",
    );
    assert!(read("[[api]\n").unwrap_err().message().starts_with("estate.toml:1: "));
}

#[test]
fn no_value_makes_the_reader_stumble() {
    let values = [
        "1",
        "-1",
        "1.5",
        "true",
        "\"\"",
        "\"x\"",
        "[]",
        "[1]",
        "[[]]",
        "{}",
        "{ a = 1 }",
        "[{}]",
        "2027-01-01",
        "inf",
    ];
    let keys = [
        "secrets",
        "api",
        "client",
        "identifier",
        "scopes",
        "lifetime",
        "resource_servers",
        "id",
        "review_by",
        "grant",
        "credential",
        "mint_quota",
        "allowed_networks",
        "token_exchange",
        "label",
        "method",
        "not_before",
        "secret_use",
        "roles",
        "public_key_file",
        "accept_untyped_assertion",
        "subject",
        "issuer",
        "external_subject",
        "conditions",
        "keys_file",
        "single_use",
        "trust_domain",
    ];
    for (key, value) in keys.iter().flat_map(|key| values.iter().map(move |value| (key, value))) {
        for before in [
            "",
            "[[api]]\n",
            "[[issuer]]\n",
            "[[client]]\n",
            "[[client]]\nid = \"a\"\n[[client.grant]]\n",
            "[[client]]\nid = \"a\"\n[[client.credential]]\n",
        ] {
            if let Err(failure) = read(&format!("{before}{key} = {value}\n")) {
                assert!(failure.message().starts_with("estate.toml:"), "{}", failure.message());
            }
        }
    }
}

#[test]
fn json_is_read_as_toml_is() {
    let json = r#"{"secrets":"s","api":[{"identifier":"a","scopes":["r"],"lifetime":"5m"}],
        "client":[{"id":"c","grant":[{"api":"a","scopes":["r"]}],"credential":[{"label":"l"}]}]}"#;
    let json = file::parse(Path::new("d/estate.json"), json, None).unwrap();
    let toml = "secrets = \"s\"\n[[api]]\nidentifier = \"a\"\nscopes = [\"r\"]\nlifetime = 300\n[[client]]\nid = \"c\"\n\
                [[client.grant]]\napi = \"a\"\nscopes = [\"r\"]\n[[client.credential]]\nlabel = \"l\"";
    let toml = file::parse(Path::new("d/estate.toml"), toml, None).unwrap();
    assert_eq!(json.apis[0].members, toml.apis[0].members);
    let of = |estate: &Estate| {
        let client = &estate.clients[0];
        (client.members.clone(), client.credentials[0].secret_file.clone())
    };
    assert_eq!(of(&json), of(&toml));
    assert_eq!(of(&json).1.unwrap(), Path::new("d/s/c.l.secret"));
    let wrong =
        file::parse(Path::new("estate.json"), r#"{"client":[{"id":"c","ownr":"x"}]}"#, None).unwrap_err();
    assert_eq!(
        (wrong.message(), wrong.advice()),
        ("estate.json: client.ownr: unknown key", Some("did you mean owner"))
    );
}

const SMALL: &str = "[[api]]\nidentifier = \"a\"\nscopes = [\"r\", \"w\"]\n[[client]]\nid = \"c\"\n\
    [[client.grant]]\napi = \"a\"\nscopes = [\"r\"]\n[[client.credential]]\nlabel = \"k\"\njwks_uri = \"https://c.example/k\"\n";

fn small() -> State {
    there(
        &json!([{"identifier": "a", "name": "a", "scopes": [{"scope": "w", "description": ""}, {"scope": "r"}],
                "format": "jwt", "lifetime": 600, "alg": "ES256", "sender_constraint": "none",
                "resource_servers": [], "version": 3},
               {"identifier": ADMIN, "name": ADMIN, "scopes": [], "version": 1}]),
        &json!([{"id": "c", "name": "c", "owner": null, "status": "active", "version": 4, "lifetime_cap": null,
                "sender_constraint": "none", "mint_quota": null, "allowed_networks": [], "token_exchange": false,
                "grants": [{"api": "a", "scopes": ["r"], "default_scopes": ["r"], "roles": [], "permissions": []}]},
               {"id": "admin", "status": "active", "version": 1}]),
        &json!([{"id": "old", "client_id": "c", "label": "k", "method": "private_key_jwt", "status": "active",
                "replaced_by": "now", "jwks_uri": "https://c.example/old"},
               {"id": "now", "client_id": "c", "label": "k", "method": "private_key_jwt", "status": "active",
                "replaced_by": null, "jwks_uri": "https://c.example/k"}]),
    )
}

#[test]
fn what_is_as_it_shall_be_needs_nothing() {
    let made = plan(&estate(SMALL), &small(), Extent::Named);
    assert!(made.is_empty(), "{:?}", steps(&made));
    assert_eq!(made.unmanaged.len(), 2, "what administers, and its API");
    assert!(plan(&estate(SMALL), &small(), Extent::Whole).is_empty(), "neither of them is ever withdrawn");
}

#[test]
fn everything_is_made_before_it_is_needed() {
    assert_eq!(
        steps(&plan(&estate(SMALL), &nothing(), Extent::Named)),
        ["create api a", "create client c", "create credential c/k"]
    );
}

#[test]
fn a_change_names_the_version_that_it_was_decided_on() {
    let text =
        SMALL.replace("id = \"c\"", "id = \"c\"\nowner = \"team\"\nallowed_networks = [\"10.0.0.0/8\"]");
    let made = plan(&estate(&text), &small(), Extent::Named);
    assert_eq!(steps(&made), ["update client c"]);
    let step = &made.steps[0];
    assert_eq!(step.version.as_deref(), Some("4"));
    assert_eq!(step.body, Some(json!({"owner": "team", "allowed_networks": ["10.0.0.0/8"]})));
    assert_eq!(step.consequence.as_deref(), Some("callers from other networks are refused"));
}

/// Ids meet by chance or by intent: who is there keeps what he has, and nobody else gets into his place.
#[test]
fn an_import_gives_no_credential_to_a_client_that_others_made() {
    let mut there = small();
    there.credentials.clear();
    assert_eq!(
        steps(&plan(&estate(SMALL), &there, Extent::Added)),
        ["create credential c/k"],
        "a repeat goes on"
    );
    there.clients.get_mut("c").unwrap().insert("owner".to_owned(), json!("somebody else"));
    let made = plan(&estate(SMALL), &there, Extent::Added);
    assert!(made.is_empty(), "{:?}", steps(&made));
    assert!(made.notes[0].contains("stays as it is"), "{:?}", made.notes);

    let mut there = small();
    there.credentials.clear();
    let grants = there.clients.get_mut("c").unwrap().get_mut("grants").unwrap().as_array_mut().unwrap();
    grants.push(json!({"api": ADMIN, "scopes": ["m2m:write"]}));
    let made = plan(&estate(SMALL), &there, Extent::Added);
    assert!(made.is_empty() && made.notes[0].contains("administers"), "{:?}", made.notes);
}

#[test]
fn an_exchange_that_was_allowed_by_hand_is_drift() {
    let mut there = small();
    there.clients.get_mut("c").unwrap().insert("token_exchange".to_owned(), json!(true));
    let made = plan(&estate(SMALL), &there, Extent::Named);
    assert_eq!(steps(&made), ["update client c"]);
    assert_eq!(made.steps[0].body, Some(json!({"token_exchange": false})));
    let allowed = SMALL.replace("id = \"c\"", "id = \"c\"\ntoken_exchange = true");
    assert!(plan(&estate(&allowed), &there, Extent::Named).is_empty());
}

#[test]
fn a_scope_goes_after_the_clients_that_had_it() {
    let mut state = small();
    let grants = json!([{"api": "a", "scopes": ["r", "w"], "default_scopes": ["r", "w"]}]);
    state.clients.get_mut("c").unwrap().insert("grants".to_owned(), grants);
    let text = SMALL.replace("[\"r\", \"w\"]", "[\"r\", \"x\"]");
    let made = plan(&estate(&text), &state, Extent::Named);
    assert_eq!(steps(&made), ["update api a", "update client c", "update api a"]);
    let scopes =
        |index: usize| names(made.steps[index].body.as_ref().unwrap().get("scopes"), "scope").join(" ");
    assert_eq!((scopes(0), scopes(2)), ("r x w".to_owned(), "r x".to_owned()));
    assert_eq!(made.steps[1].consequence.as_deref(), Some("no more w at a"));
    assert_eq!(made.steps[2].consequence.as_deref(), Some("nobody gets w any more"));
}

#[test]
fn another_key_follows_the_one_in_use() {
    let text = SMALL.replace("c.example/k", "c.example/k2");
    let made = plan(&estate(&text), &small(), Extent::Named);
    assert_eq!(steps(&made), ["rotate credential c/k"]);
    assert_eq!(made.steps[0].path, "/credentials/now/rotate");
    assert_eq!(made.steps[0].body, Some(json!({"jwks_uri": "https://c.example/k2", "overlap": 3600})));
}

#[test]
fn a_credential_that_expired_is_made_again() {
    let mut state = small();
    state.credentials.get_mut("c").unwrap()[1].insert("expires_at".to_owned(), json!(1000));
    state.now = 999;
    assert!(plan(&estate(SMALL), &state, Extent::Named).is_empty());
    state.now = 1000;
    assert_eq!(steps(&plan(&estate(SMALL), &state, Extent::Named)), ["create credential c/k"]);
}

#[test]
fn a_method_cannot_follow_another() {
    let text = SMALL.replace("jwks_uri = \"https://c.example/k\"", "subject_dns = \"c.example\"");
    let failure = Plan::of(&estate(&text), &small(), Extent::Named, 1).unwrap_err();
    let said = "estate.toml:9: method of the credential c/k is \"private_key_jwt\" and cannot become \"tls_client_auth\"";
    assert_eq!(failure.message(), said);
    let text = format!("{SMALL}accept_untyped_assertion = true\n");
    assert!(
        Plan::of(&estate(&text), &small(), Extent::Named, 1)
            .unwrap_err()
            .message()
            .contains("accept_untyped")
    );
}

#[test]
fn withdrawing_is_asked_for_and_named() {
    let smaller = "[[client]]\nid = \"c\"\n";
    let state = small();
    let kept = plan(&estate(smaller), &state, Extent::Named);
    assert_eq!(steps(&kept), ["update client c"]);
    assert!(!kept.withdraws());
    let whole = plan(&estate(smaller), &state, Extent::Whole);
    assert_eq!(steps(&whole), ["update client c", "revoke credential c/k", "delete api a"]);
    assert!(whole.withdraws());
    assert!(
        whole
            .steps
            .iter()
            .filter(|step| step.action != Action::Update)
            .all(|step| step.consequence.is_some())
    );
}

#[test]
fn a_revoked_client_gets_no_credential() {
    let mut state = small();
    state.clients.get_mut("c").unwrap().insert("status".to_owned(), json!("revoked"));
    state.credentials.clear();
    assert!(Plan::of(&estate(SMALL), &state, Extent::Named, 1).unwrap_err().message().contains("is revoked"));
    state.clients.get_mut("c").unwrap().insert("status".to_owned(), json!("disabled"));
    let made = plan(&estate(SMALL), &state, Extent::Named);
    assert_eq!(made.notes, ["the client c is disabled, and stays so"]);
}

#[test]
fn what_is_added_changes_nothing_that_is_there() {
    let text = SMALL
        .replace("[\"r\", \"w\"]", "[\"r\", \"x\"]")
        .replace("id = \"c\"", "id = \"c\"\nowner = \"team\"");
    let made = plan(&estate(&text), &small(), Extent::Added);
    assert_eq!(steps(&made), ["update api a"]);
    assert_eq!(made.steps[0].body.as_ref().unwrap()["scopes"].as_array().unwrap().len(), 3);
    assert_eq!(made.notes, ["the client c is there with other owner, and stays as it is"]);
    let mut state = small();
    state.credentials.get_mut("c").unwrap().iter_mut().for_each(|one| {
        one.insert("status".to_owned(), json!("revoked"));
    });
    let made = plan(&estate(SMALL), &state, Extent::Added);
    assert!(made.is_empty(), "what was revoked does not come back: {:?}", steps(&made));
}

#[test]
fn no_secret_is_in_what_is_shown_of_a_plan() {
    let mut estate = estate(SMALL);
    estate.clients[0].credentials[0].given = Some(("client_secret", SecretString::from("tell-nobody")));
    let made = plan(&estate, &nothing(), Extent::Added);
    let all = format!("{made:?} {} {}", made.to_json(0), shown::lines(&made).join("\n"));
    assert!(!all.contains("tell-nobody"), "{all}");
    assert_eq!(made.steps[2].idempotency_key.as_ref().unwrap().len(), 64);
}
