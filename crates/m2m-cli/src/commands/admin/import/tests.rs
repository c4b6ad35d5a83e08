//! Exports as each product writes them, and texts that nobody wrote.

use m2m_proto::time::UnixTime;
use serde_json::{Value, json};

use super::drawn::{Drawn, Told};
use super::{auth0, hydra, keycloak};
use crate::commands::admin::estate::Estate;

const PRODUCTS: [(&str, super::Product); 3] =
    [("hydra", hydra::draw), ("keycloak", keycloak::draw), ("auth0", auth0::draw)];

fn drawn(product: super::Product, exports: &[Value], api: Option<&str>) -> (Estate, Told) {
    let mut drawn = Drawn::of("there", api, UnixTime::from_seconds(1_800_000_000)).unwrap();
    product(exports, &mut drawn).unwrap();
    drawn.finish()
}

fn lost(told: &Told) -> Vec<&str> {
    told.lost.iter().map(|remark| remark.text.as_str()).collect()
}

fn hydra_row(members: &Value) -> Value {
    let mut row = json!({"id": "a", "grant_types": "client_credentials", "client_secret": BCRYPT});
    row.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    json!([row])
}

const BCRYPT: &str = "$2a$04$4UXH2yo3acLBuLi28TjRwepu4iONyhv8CuZY32I.XXBbe3mLxx05e";

#[test]
fn lists_of_a_row_are_read_in_every_form_that_hydra_had() {
    for audience in [json!(["x", "y"]), json!("[\"x\",\"y\"]"), json!("x|y")] {
        let (estate, _) =
            drawn(hydra::draw, &[hydra_row(&json!({"audience": audience, "scope": "r w"}))], None);
        let apis: Vec<&str> = estate.apis.iter().map(|api| api.identifier.as_str()).collect();
        assert_eq!(apis, ["x", "y"]);
        assert_eq!(estate.clients[0].members["grants"][1]["scopes"], json!(["r", "w"]));
        assert_eq!(estate.clients[0].members["grants"][1]["default_scopes"], json!([]));
    }
}

/// Whoever can write into an export must not become who administers this server.
#[test]
fn nobody_administers_by_an_import() {
    let admin = "https://as.example/admin/v1";
    let row = hydra_row(&json!({"audience": ["x", admin], "scope": "r m2m:write"}));
    let (estate, mut told) = drawn(hydra::draw, &[row], None);
    assert_eq!(estate.apis.len(), 2);
    let estate = super::without_admin(estate, admin, &mut told);
    let apis: Vec<&str> = estate.apis.iter().map(|api| api.identifier.as_str()).collect();
    assert_eq!(apis, ["x"]);
    let grants = estate.clients[0].members["grants"].as_array().unwrap();
    assert_eq!((grants.len(), &grants[0]["api"]), (1, &json!("x")));
    assert_eq!(lost(&told).iter().filter(|text| text.contains("admin API")).count(), 2);
}

#[test]
fn a_page_of_the_api_of_hydra_has_no_hashes_and_says_so() {
    let page =
        json!({"items": [{"client_id": "a", "grant_types": ["client_credentials"], "audience": ["x"]}]});
    let (estate, told) = drawn(hydra::draw, &[page], None);
    assert_eq!(estate.clients[0].credentials.len(), 0);
    assert!(lost(&told).iter().any(|text| text.contains("export the rows of hydra_client")), "{told:?}");
}

#[test]
fn spans_of_hydra_are_nanoseconds_or_words() {
    let member = "client_credentials_grant_access_token_lifespan";
    for (span, expect) in [
        (json!(90_000_000_000_u64), json!(90)),
        (json!("1h0m5s"), json!(3605)),
        (json!("48h0m0s"), json!(86_400)),
        (json!("soon"), json!(null)),
    ] {
        let (estate, _) = drawn(hydra::draw, &[hydra_row(&json!({member: span}))], None);
        assert_eq!(estate.clients[0].members["lifetime_cap"], expect, "{span}");
    }
}

#[test]
fn a_secret_that_expires_still_does() {
    let of = |at: u64| drawn(hydra::draw, &[hydra_row(&json!({"client_secret_expires_at": at}))], None);
    assert_eq!(of(1_800_000_060).0.clients[0].credentials[0].members["expires_in"], 60);
    assert!(of(0).0.clients[0].credentials[0].members.is_empty());
    let (estate, told) = of(1_799_999_999);
    assert!(estate.clients[0].credentials.is_empty());
    assert!(lost(&told).contains(&"its secret has expired"));
}

#[test]
fn what_names_no_audience_goes_to_the_api_that_was_named() {
    let (estate, told) = drawn(hydra::draw, &[hydra_row(&json!({"scope": "r"}))], None);
    assert_eq!(estate.clients[0].members["grants"], json!([]));
    assert!(lost(&told)[0].contains("--api IDENTIFIER"));
    let (estate, told) =
        drawn(hydra::draw, &[hydra_row(&json!({"scope": "r"}))], Some("https://api.example"));
    assert_eq!(estate.clients[0].members["grants"][0]["api"], "https://api.example");
    assert!(told.lost.is_empty(), "{told:?}");
    assert!(Drawn::of("there", Some("a b"), UnixTime::from_seconds(0)).is_err());
}

#[test]
fn a_member_that_nobody_knows_is_told_if_it_says_something() {
    let row = hydra_row(&json!({"audience": "x", "new_member": "on", "metadata": "{}", "contacts": "[]"}));
    assert_eq!(lost(&drawn(hydra::draw, &[row], None).1), ["new_member has no place here"]);
}

#[test]
fn users_of_keycloak_may_be_in_a_file_of_their_own() {
    let realm = json!({"realm": "r", "clients": [{"clientId": "a", "serviceAccountsEnabled": true,
        "secret": "a-secret-that-is-long", "attributes": {}}]});
    let users = json!({"realm": "r", "users": [{"username": "service-account-a", "serviceAccountClientId": "a",
        "clientRoles": {"stock-api": ["reader"], "account": ["view-profile"]}}]});
    let (estate, told) = drawn(keycloak::draw, &[realm, users], None);
    assert_eq!(estate.clients[0].members["grants"][0]["roles"], json!(["reader"]));
    assert_eq!(estate.clients[0].members["grants"][0]["api"], "stock-api");
    assert_eq!(lost(&told), ["its roles at account: view-profile"]);
}

#[test]
fn a_certificate_of_keycloak_gives_its_key() {
    let made = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
    let base64: String = made.cert.pem().lines().filter(|line| !line.starts_with("-----")).collect();
    let realm = |certificate: &str| {
        json!({"clients": [{"clientId": "a", "serviceAccountsEnabled": true, "clientAuthenticatorType": "client-jwt",
            "attributes": {"jwt.credential.certificate": certificate}}]})
    };
    let (estate, _) = drawn(keycloak::draw, &[realm(&base64)], None);
    let credential = &estate.clients[0].credentials[0];
    assert_eq!(
        (credential.method.as_str(), &credential.members["jwks"]["keys"][0]["kty"]),
        ("private_key_jwt", &json!("EC"))
    );
    let (estate, told) = drawn(keycloak::draw, &[realm("AAAA")], None);
    assert!(estate.clients[0].credentials.is_empty());
    assert!(lost(&told).iter().any(|text| text.contains("no key")));
}

#[test]
fn auth0_is_read_from_the_files_of_its_tools_too() {
    let clients =
        json!([{"client_id": "a", "name": "A", "app_type": "non_interactive", "client_secret": "short"}]);
    let apis = json!([{"identifier": "https://x.example", "scopes": [{"value": "r"}],
        "proof_of_possession": {"mechanism": "dpop", "required": true}}]);
    let grants = json!([{"id": "cgr_1", "client_id": "a", "audience": "https://x.example", "scope": ["r"]}]);
    let (estate, told) = drawn(auth0::draw, &[grants, apis, clients], None);
    assert_eq!(estate.clients[0].members["grants"][0]["default_scopes"], json!(["r"]));
    assert_eq!(estate.apis[0].members["sender_constraint"], "dpop");
    assert_eq!(lost(&told), ["its secret is short enough to be guessed: rotate it soon"]);
}

#[test]
fn no_export_makes_an_importer_stumble() {
    let odd = [
        json!(null),
        json!(7),
        json!(""),
        json!([]),
        json!({}),
        json!([[]]),
        json!({"a": [1]}),
        json!("[1]"),
    ];
    let members = [
        "id",
        "client_id",
        "clientId",
        "grant_types",
        "scope",
        "audience",
        "jwks",
        "attributes",
        "clients",
        "users",
        "clientScopes",
        "protocolMappers",
        "client_secret",
        "secret",
        "clientGrants",
        "resourceServers",
        "identifier",
        "serviceAccountsEnabled",
        "client_authentication_methods",
        "clientRoles",
    ];
    for (_, product) in PRODUCTS {
        for member in members {
            for value in &odd {
                let one = json!({"client_id": "a", "clientId": "a", "grant_types": ["client_credentials"],
                    "serviceAccountsEnabled": true, "serviceAccountClientId": "a", "scopes": value, member: value});
                let all = json!({"clients": [one], "users": [one], "clientScopes": [one], "clientGrants": [one],
                    "resourceServers": [one], member: value});
                let mut drawn = Drawn::of("there", None, UnixTime::from_seconds(0)).unwrap();
                let _refused = product(&[all, json!([one]), value.clone()], &mut drawn);
            }
        }
    }
}

#[test]
fn what_is_no_export_is_refused_with_the_command_that_makes_one() {
    for (name, product) in PRODUCTS {
        let mut drawn = Drawn::of("there", None, UnixTime::from_seconds(0)).unwrap();
        let failure = product(&[json!({"x": 1})], &mut drawn).unwrap_err();
        assert!(failure.advice().is_some(), "{name}");
    }
}
