//! Trusted issuers, mappings to them, and grants that cannot be.

use super::*;

const FEDERATED: &str = "[[issuer]]\nid = \"github\"\nissuer = \"https://github.example\"\n\
    conditions = [\"/owner=acme\"]\n[[client]]\nid = \"c\"\n[[client.credential]]\nlabel = \"ci\"\n\
    issuer = \"github\"\nexternal_subject = \"repo:acme/app\"\nconditions = [\"env:=[\\\"b\\\",\\\"a\\\"]\"]\n";

/// What a server shows after that was applied.
fn federated() -> State {
    let client = client_defaults("c");
    let mut client = json!(client);
    client["id"] = json!("c");
    client["status"] = json!("active");
    let mut state = there(
        &json!([]),
        &json!([client]),
        &json!([{"id": "m1", "client_id": "c", "label": "ci", "method": "federated", "status": "active",
            "issuer": "github", "external_subject": "repo:acme/app",
            "conditions": [{"claim": "env", "one_of": ["a", "b"]}]}]),
    );
    let issuer = json!({"id": "github", "name": "github", "issuer": "https://github.example", "discovery": true,
        "status": "active", "audiences": [], "max_lifetime": 3600, "single_use": false, "version": 2,
        "conditions": [{"claim": "owner", "equals": "acme"}]});
    state.issuers.insert("github".to_owned(), issuer.as_object().unwrap().clone());
    state
}

fn refused(estate: &Estate, state: &State, extent: Extent) -> (String, String) {
    let failure = Plan::of(estate, state, extent, 1).unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    (failure.message().to_owned(), failure.advice().unwrap_or_default().to_owned())
}

#[test]
fn an_issuer_is_trusted_before_anything_maps_to_it() {
    let made = plan(&estate(FEDERATED), &nothing(), Extent::Named);
    assert_eq!(steps(&made), ["create issuer github", "create client c", "create credential c/ci"]);
    let body = made.steps[2].body.as_ref().unwrap();
    assert_eq!((&body["method"], &body["external_subject"]), (&json!("federated"), &json!("repo:acme/app")));
    assert_eq!(made.steps[2].secret_file, None);
    assert!(made.steps[0].body.as_ref().unwrap().get("jwks").is_none(), "what is not said is not sent");
    let lines = shown::lines(&made).join("\n");
    assert!(lines.contains("conditions  /owner=acme") || lines.contains("conditions  owner=acme"), "{lines}");
}

/// The server writes `/owner` as `owner`, and the order of values means nothing.
#[test]
fn what_is_trusted_as_it_shall_be_needs_nothing() {
    let made = plan(&estate(FEDERATED), &federated(), Extent::Whole);
    assert!(made.is_empty(), "{:?}", shown::lines(&made));
}

#[test]
fn what_was_changed_of_an_issuer_by_hand_is_drift() {
    let mut state = federated();
    let issuer = state.issuers.get_mut("github").unwrap();
    issuer.insert("conditions".to_owned(), json!([]));
    issuer.insert("jwks_url".to_owned(), json!("https://evil.example"));
    issuer.remove("discovery");
    issuer.insert("status".to_owned(), json!("disabled"));
    let made = plan(&estate(FEDERATED), &state, Extent::Named);
    assert_eq!(steps(&made), ["update issuer github"]);
    let step = &made.steps[0];
    assert_eq!((step.path.as_str(), step.version.as_deref()), ("/issuers/github", Some("2")));
    assert_eq!(
        step.body,
        Some(
            json!({"conditions": [{"claim": "/owner", "equals": "acme"}], "jwks_url": null, "discovery": true})
        )
    );
    assert!(step.consequence.is_some());
    assert_eq!(made.notes, ["the issuer github is disabled, and stays so"]);
}

#[test]
fn an_issuer_keeps_its_name() {
    let text = FEDERATED.replace("https://github.example", "https://gitlab.example");
    let (told, hint) = refused(&estate(&text), &federated(), Extent::Named);
    assert_eq!(
        told,
        "estate.toml:1: issuer of the issuer github is \"https://github.example\" and cannot become \"https://gitlab.example\""
    );
    assert!(hint.contains("another id"), "{hint}");
}

#[test]
fn another_mapping_is_made_before_the_one_there_is_revoked() {
    let text = FEDERATED.replace("repo:acme/app", "repo:acme/other");
    let made = plan(&estate(&text), &federated(), Extent::Named);
    assert_eq!(steps(&made), ["create credential c/ci", "revoke credential c/ci"]);
    assert_eq!(made.steps[1].path, "/credentials/m1/revoke");
    assert!(made.withdraws(), "a person is asked");
    assert_eq!(made.steps[1].consequence.as_deref(), Some("repo:acme/app of github is refused at once"));
    // Whoever was stopped in between goes on.
    let mut state = federated();
    let mut second = state.credentials["c"][0].clone();
    second.insert("id".to_owned(), json!("m2"));
    second.insert("external_subject".to_owned(), json!("repo:acme/other"));
    state.credentials.get_mut("c").unwrap().push(second);
    assert_eq!(steps(&plan(&estate(&text), &state, Extent::Named)), ["revoke credential c/ci"]);
}

#[test]
fn an_issuer_goes_after_everything_that_maps_to_it() {
    let bare = "[[client]]\nid = \"c\"\n";
    let mut state = federated();
    let mut ended = state.credentials["c"][0].clone();
    ended.insert("id".to_owned(), json!("m0"));
    ended.insert("expires_at".to_owned(), json!(1));
    state.credentials.get_mut("c").unwrap().push(ended);
    state.now = 2;
    let named = plan(&estate(bare), &state, Extent::Named);
    assert!(named.is_empty() && named.unmanaged.len() == 2, "{:?}", shown::lines(&named));
    let whole = plan(&estate(bare), &state, Extent::Whole);
    assert_eq!(
        steps(&whole),
        ["revoke credential c/ci", "revoke credential c/ci", "delete issuer github"],
        "the one that has expired too"
    );
}

#[test]
fn an_issuer_that_is_needed_stays() {
    let without = FEDERATED.split_once("[[client]]").unwrap().1;
    let text = format!("[[client]]{without}");
    assert!(
        plan(&estate(&text), &federated(), Extent::Whole).is_empty(),
        "a credential of the file maps to it"
    );
    let mut state = federated();
    let own = state.credentials.remove("c").unwrap();
    state.credentials.insert("admin".to_owned(), own);
    let whole = plan(&estate("[[client]]\nid = \"c\"\n"), &state, Extent::Whole);
    assert!(whole.is_empty(), "who administers comes by it: {:?}", steps(&whole));
}

#[test]
fn a_mapping_to_nothing_is_refused_by_the_plan() {
    let without = FEDERATED.split_once("[[client]]").unwrap().1;
    let (told, _) = refused(&estate(&format!("[[client]]{without}")), &nothing(), Extent::Named);
    assert_eq!(told, "estate.toml:3: neither the file nor the server has the issuer github");
}

#[test]
fn a_grant_of_what_the_api_does_not_have_is_refused_by_the_plan() {
    let check = |text: &str, extent: Extent, told: &str, hint: &str| {
        assert_eq!(refused(&estate(text), &small(), extent), (told.to_owned(), hint.to_owned()));
    };
    let text =
        SMALL.replace("scopes = [\"r\"]", "scopes = [\"read\"]").replace("[\"r\", \"w\"]", "[\"raed\"]");
    let told = "estate.toml:4: the client c is granted read, which is no scope of a";
    check(&text, Extent::Named, told, "did you mean raed");
    let text = SMALL.replace("api = \"a\"", "api = \"b\"");
    let told = "estate.toml:4: the client c is granted the API b, which neither the file nor the server has";
    check(&text, Extent::Named, told, "did you mean a");
    let bare = format!("[[client]]{}", SMALL.split_once("[[client]]").unwrap().1);
    assert!(plan(&estate(&bare), &small(), Extent::Named).is_empty(), "the server has the API");
    let told = "estate.toml:1: the client c is granted the API a, which --prune would delete";
    check(&bare, Extent::Whole, told, "name it in the file, or take the grant away");
    let text = bare.replace("scopes = [\"r\"]", "scopes = [\"x\"]");
    let told = "estate.toml:1: the client c is granted x, which is no scope of a";
    check(&text, Extent::Named, told, "did you mean r");
}

#[test]
fn what_no_issuer_can_be_is_told_with_line_and_key() {
    let check = |text: &str, said: &str| {
        let failure = read(text).unwrap_err();
        assert_eq!((failure.exit(), failure.message()), (Exit::Configuration, said), "{text}");
    };
    check("[[issuer]]\nissuer = \"x\"", "estate.toml:1: issuer.id: is missing");
    check("[[issuer]]\nid = \"x\"", "estate.toml:1: issuer.issuer: is missing");
    check(
        "[[issuer]]\nid = \"x\"\nissuer = \"a\"\ntrust_domain = \"b\"",
        "estate.toml:1: issuer.trust_domain: an issuer is named by one of the two",
    );
    check(
        "[[issuer]]\nid = \"x\"\ntrust_domain = \"b\"",
        "estate.toml:1: issuer.jwks_url: a trust domain has its keys at jwks_url, in jwks_file or in keys_file",
    );
    check(
        "[[issuer]]\nid = \"x\"\nissuer = \"a\"\njwks_url = \"u\"\njwks_file = \"f\"",
        "estate.toml:5: issuer.jwks_file: the keys are in another place already",
    );
    check(
        "[[issuer]]\nid = \"x\"\nissuer = \"a\"\nconditions = [\"b\"]",
        "estate.toml:4: issuer.conditions: \"b\": expected CLAIM=TEXT, CLAIM~=PATTERN or CLAIM:=JSON",
    );
    check(
        "[[issuer]]\nid = \"x\"\nissuer = \"a\"\n[[issuer]]\nid = \"x\"\nissuer = \"b\"",
        "estate.toml:4: issuer.id: the issuer is there twice",
    );
    check(
        "[[client]]\nid = \"c\"\n[[client.credential]]\nlabel = \"x\"\nexternal_subject = \"s\"",
        "estate.toml:3: client.credential.issuer: is missing, and external_subject is there",
    );
    check(
        "[[client]]\nid = \"c\"\n[[client.credential]]\nlabel = \"x\"\nissuer = \"s\"",
        "estate.toml:3: client.credential.external_subject: is missing, and issuer is there",
    );
}

/// Of a bundle the server keeps what signs SVIDs, so only that is compared.
#[test]
fn keys_are_read_as_the_server_keeps_them() {
    let place = tempfile::tempdir().unwrap();
    let key = |kid: &str, usage: &str| {
        format!(
            r#"{{"kty":"EC","crv":"P-256","kid":"{kid}","use":"{usage}","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}}"#
        )
    };
    let bundle = format!(r#"{{"keys":[{},{}]}}"#, key("j", "jwt-svid"), key("x", "x509-svid"));
    std::fs::write(place.path().join("bundle.json"), bundle).unwrap();
    let text = "[[issuer]]\nid = \"s\"\ntrust_domain = \"prod.example\"\nkeys_file = \"bundle.json\"";
    let estate = file::parse(&place.path().join("estate.toml"), text, None).unwrap();
    let keys = estate.issuers[0].members["jwks"]["keys"].as_array().unwrap();
    assert_eq!(keys.len(), 1, "{keys:?}");
    assert_eq!(keys[0]["kid"], "j");
    std::fs::write(place.path().join("bundle.json"), r#"{"keys":[]}"#).unwrap();
    let failure = file::parse(&place.path().join("estate.toml"), text, None).unwrap_err();
    assert!(failure.message().contains("issuer.keys_file"), "{}", failure.message());
}
