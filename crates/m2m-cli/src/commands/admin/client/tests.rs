use clap::Parser as _;

use super::*;
use crate::args::admin::AdminCommand;
use crate::args::{Cli, Command};

fn parse(words: &[&str]) -> ClientCommand {
    let words = ["m2m", "admin", "client"].iter().chain(words);
    let Command::Admin(admin) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
    let AdminCommand::Client(client) = admin.command else { unreachable!() };
    client.command
}

fn create(words: &[&str]) -> Result<String, Failure> {
    let words: Vec<&str> = ["create", "billing"].iter().chain(words).copied().collect();
    let ClientCommand::Create(typed) = parse(&words) else { unreachable!() };
    Ok(Value::Object(created(&typed)?).to_string())
}

#[test]
fn what_is_typed_becomes_the_body() {
    assert_eq!(
        create(&["--grant=https://a.example=r,w"]).unwrap(),
        r#"{"grants":[{"api":"https://a.example","scopes":["r","w"]}],"id":"billing"}"#
    );
    let all = [
        "--grant=https://a.example=r,w",
        "--grant=b=x",
        "--grant=b=y",
        "--default-scope=https://a.example=r",
        "--role=https://a.example=clerk",
        "--role=https://a.example=boss=yes",
        "--permission=b=refund",
        "--name=Billing",
        "--owner=team-money",
        "--purpose=invoices",
        "--review-by=2027-06-01",
        "--lifetime-cap=5m",
        "--sender-constraint=mtls",
        "--mint-quota=60",
        "--allowed-network=10.0.0.0/8",
        "--token-exchange",
    ];
    assert_eq!(
        create(&all).unwrap(),
        "{\"allowed_networks\":[\"10.0.0.0/8\"],\
         \"grants\":[{\"api\":\"https://a.example\",\"default_scopes\":[\"r\"],\"roles\":[\"clerk\",\"boss=yes\"],\
         \"scopes\":[\"r\",\"w\"]},{\"api\":\"b\",\"permissions\":[\"refund\"],\"scopes\":[\"x\",\"y\"]}],\
         \"id\":\"billing\",\"lifetime_cap\":300,\"mint_quota\":60,\"name\":\"Billing\",\"owner\":\"team-money\",\
         \"purpose\":\"invoices\",\"review_by\":\"2027-06-01\",\"sender_constraint\":\"mtls\",\
         \"token_exchange\":true}"
    );
}

#[test]
fn what_is_malformed_is_refused_with_advice() {
    for bad in [
        "--grant=orders",
        "--grant=orders=",
        "--role=orders=clerk",
        "--permission=clerk",
        "--default-scope=orders=r",
        "--review-by=tomorrow",
        "--lifetime-cap=0",
        "--mint-quota=many",
    ] {
        let failure = create(&[bad]).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{bad}");
        assert!(failure.advice().is_some(), "{bad}");
    }
}

fn change(words: &[&str]) -> Result<Value, Failure> {
    let words: Vec<&str> = ["update", "billing"].iter().chain(words).copied().collect();
    let ClientCommand::Update(typed) = parse(&words) else { unreachable!() };
    let current = json!([
        {"api": "a", "scopes": ["r", "w"], "default_scopes": ["r", "w"], "roles": ["clerk"], "permissions": []},
        {"api": "b", "scopes": ["x", "y"], "default_scopes": ["x"]},
    ]);
    let grants = current.as_array().unwrap().clone();
    changed_grants(&typed.fields, &typed.no_grant, grants).map(Value::Array)
}

#[test]
fn an_update_of_one_grant_keeps_the_others() {
    let check = |words: &[&str], expect: Value| assert_eq!(change(words).unwrap(), expect, "{words:?}");
    let a = json!({"api": "a", "scopes": ["r", "w"], "default_scopes": ["r", "w"], "roles": ["clerk"], "permissions": []});
    let b = json!({"api": "b", "scopes": ["x", "y"], "default_scopes": ["x"]});
    check(&["--grant=a=r"], json!([{"api": "a", "scopes": ["r"], "roles": ["clerk"], "permissions": []}, b]));
    check(&["--grant=b=x,z"], json!([a, {"api": "b", "scopes": ["x", "z"], "default_scopes": ["x"]}]));
    check(&["--grant=b=z"], json!([a, {"api": "b", "scopes": ["z"], "default_scopes": []}]));
    check(&["--grant=c=q"], json!([a, b, {"api": "c", "scopes": ["q"]}]));
    check(&["--no-grant=a"], json!([b]));
    let mut without_roles = a.clone();
    without_roles["roles"] = json!([]);
    check(&["--role=a="], json!([without_roles, b]));
    let mut with_permission = b.clone();
    with_permission["permissions"] = json!(["p"]);
    check(&["--permission=b=p"], json!([a, with_permission]));
    assert!(change(&["--no-grant=z"]).is_err());
    assert!(change(&["--role=z=x"]).is_err());
}

/// Without the member, a grant that gave nothing unasked would give every scope.
#[test]
fn a_grant_without_defaults_stays_without() {
    let check = |before: Value, expect: Value| {
        let ClientCommand::Update(typed) = parse(&["update", "billing", "--grant=a=r,z"]) else {
            unreachable!()
        };
        assert_eq!(changed_grants(&typed.fields, &[], vec![before]).unwrap(), [expect]);
    };
    check(
        json!({"api": "a", "scopes": ["r", "w"], "default_scopes": []}),
        json!({"api": "a", "scopes": ["r", "z"], "default_scopes": []}),
    );
    check(
        json!({"api": "a", "scopes": ["r", "w"], "default_scopes": ["w"]}),
        json!({"api": "a", "scopes": ["r", "z"], "default_scopes": []}),
    );
    check(
        json!({"api": "a", "scopes": ["r", "w"], "default_scopes": ["w", "r"]}),
        json!({"api": "a", "scopes": ["r", "z"]}),
    );
    check(json!({"api": "a", "scopes": ["r"]}), json!({"api": "a", "scopes": ["r", "z"]}));
}

#[test]
fn an_empty_text_goes_back_to_the_default() {
    let ClientCommand::Update(typed) =
        parse(&["update", "billing", "--owner=", "--lifetime-cap=", "--review-by=", "--allowed-network="])
    else {
        unreachable!()
    };
    assert_eq!(
        Value::Object(stated(&typed.fields).unwrap()).to_string(),
        r#"{"allowed_networks":[],"lifetime_cap":null,"owner":null,"review_by":null}"#
    );
}
