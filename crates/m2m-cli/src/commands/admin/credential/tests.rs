use clap::Parser as _;
use std::sync::Arc;

use m2m_io::{OsRandom, SystemClock};

use serde_json::json;

use super::*;
use crate::args::admin::AdminCommand;
use crate::args::{Cli, Command, Global};
use crate::output::Output;
use crate::output::tests::Kept;
use crate::settings::env::Environment;

fn body(words: &[&str]) -> Result<String, Failure> {
    let words = ["m2m", "admin", "credential", "create", "billing", "--label", "eu-1"].iter().chain(words);
    let Command::Admin(admin) = Cli::try_parse_from(words).unwrap().command else { unreachable!() };
    let AdminCommand::Credential(credential) = admin.command else { unreachable!() };
    let CredentialCommand::Create(typed) = credential.command else { unreachable!() };
    Ok(Value::Object(ordered(&typed)?).to_string())
}

#[test]
fn what_is_typed_becomes_the_body() {
    let check = |words: &[&str], expect: &str| assert_eq!(body(words).unwrap(), expect, "{words:?}");
    check(&[], r#"{"label":"eu-1","method":"client_secret"}"#);
    check(
        &["--method=client_secret_jwt", "--expires-in=90d", "--accept-token-endpoint-audience"],
        "{\"accept_token_endpoint_audience\":true,\"expires_in\":7776000,\"label\":\"eu-1\",\
         \"method\":\"client_secret_jwt\"}",
    );
    check(
        &["--jwks-url=https://b.example/jwks.json", "--accept-untyped-assertion"],
        "{\"accept_untyped_assertion\":true,\"jwks_uri\":\"https://b.example/jwks.json\",\"label\":\"eu-1\",\
         \"method\":\"private_key_jwt\"}",
    );
    check(
        &["--subject=CN=billing,O=Acme", "--not-before=2027-01-15T08:00:00Z"],
        "{\"label\":\"eu-1\",\"method\":\"tls_client_auth\",\"not_before\":1800000000,\
         \"subject\":\"CN=billing,O=Acme\"}",
    );
    check(
        &["--method=client_secret", "--secret-use=basic"],
        r#"{"label":"eu-1","method":"client_secret","secret_use":"basic"}"#,
    );
}

#[test]
fn files_become_public_material() {
    let place = tempfile::tempdir().unwrap();
    let certificate = place.path().join("c.pem");
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    std::fs::write(&certificate, pem).unwrap();
    let sent = body(&["--certificate-file", certificate.to_str().unwrap()]).unwrap();
    let expect = json!({"certificate": pem, "label": "eu-1", "method": "self_signed_tls_client_auth"});
    assert_eq!(sent, expect.to_string());
    let key = place.path().join("k.json");
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    std::fs::write(&key, jwk).unwrap();
    let sent = body(&["--public-key-file", key.to_str().unwrap()]).unwrap();
    let jwk: Value = serde_json::from_str(jwk).unwrap();
    let expect = json!({"jwks": {"keys": [jwk]}, "label": "eu-1", "method": "private_key_jwt"});
    assert_eq!(sent, expect.to_string());
}

#[test]
fn method_and_material_belong_together() {
    for bad in [
        &["--method=private_key_jwt"][..],
        &["--method=tls_client_auth"],
        &["--method=self_signed_tls_client_auth"],
        &["--method=client_secret", "--jwks-url=https://b.example/"],
        &["--method=tls_client_auth", "--jwks-url=https://b.example/"],
        &["--expires-in=soon"],
        &["--not-before=soon"],
        &["--public-key-file=/nowhere"],
    ] {
        let failure = body(bad).unwrap_err();
        assert_eq!(failure.exit(), Exit::Usage, "{bad:?}");
    }
}

/// What `made` writes: standard output, standard error, and how it ends.
fn print(stdout: Stream, status: u16, object: &Value) -> (String, String, Result<(), Exit>) {
    let (out, err) = (Kept::default(), Kept::default());
    let around = Surroundings {
        output: Output::to(Box::new(out.clone()), Box::new(err.clone()), [stdout, Stream::Pipe]),
        environment: Environment::default(),
        directory: std::path::PathBuf::new(),
        global: Global::default(),
        clock: Arc::new(SystemClock),
        random: Arc::new(OsRandom),
    };
    let object = object.as_object().unwrap().clone();
    let answer = Answer { status: StatusCode::from_u16(status).unwrap(), object };
    let ended = made(&answer, &around).map_err(|failure| failure.exit());
    (out.text(), err.text(), ended)
}

#[test]
fn a_secret_is_printed_once_and_alone_on_a_pipe() {
    let credential = json!({
        "id": "c1", "client_id": "billing", "label": "eu-1", "method": "client_secret", "client_secret": "hunter2",
    });
    let (out, err, ended) = print(Stream::Pipe, 201, &credential);
    assert_eq!((out.as_str(), ended), ("hunter2\n", Ok(())));
    assert_eq!(err, "m2m: the secret of credential c1 (eu-1) of billing; it cannot be read again\n");
    let (out, err, ended) = print(Stream::Terminal, 201, &credential);
    assert_eq!(out.matches("hunter2").count(), 1);
    assert!(out.starts_with("id             c1\n"), "{out}");
    assert_eq!((err.as_str(), ended), ("m2m: keep client_secret now: it cannot be read again\n", Ok(())));
}

#[test]
fn a_repeat_leaves_no_empty_file_behind_unnoticed() {
    let again = json!({"id": "c1", "client_id": "billing", "label": "eu-1", "method": "client_secret"});
    let (out, _, ended) = print(Stream::Pipe, 200, &again);
    assert_eq!((out.as_str(), ended), ("", Err(Exit::RequestRefused)));
    let key = json!({"id": "c2", "client_id": "billing", "label": "eu-2", "method": "private_key_jwt"});
    let (out, _, ended) = print(Stream::Pipe, 200, &key);
    assert_eq!(ended, Ok(()));
    assert!(out.contains("method     private_key_jwt"), "{out}");
}
