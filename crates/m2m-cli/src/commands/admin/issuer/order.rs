//! What is ordered of a trusted issuer: by flags, a new one or a change, and the keys that a file here holds.
//!
//! Enforces: of keys only public ones leave this machine. Keys are known in one place at a time, so that another place
//! takes that of the one before. What an issuer may be, the server judges.

use std::fmt::Display;
use std::path::Path;

use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Value, json};

use crate::args::admin::{IssuerCreate, IssuerFields};
use crate::commands::admin::typed::{self, Members};
use crate::commands::admin::{condition, moment};
use crate::exit::Failure;

/// The largest file of keys that is read.
const MAX_BYTES: u64 = 256 * 1024;

/// Members of a key that nobody else may know.
const PRIVATE: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// The body of a new issuer.
///
/// # Errors
/// Exit 2: something typed is not what it should be.
pub(super) fn created(typed: &IssuerCreate) -> Result<Members, Failure> {
    let mut members = changed(&typed.fields)?;
    members.retain(|_, value| !value.is_null());
    members.insert("id".to_owned(), Value::from(typed.id.as_str()));
    for (name, text) in [("issuer", &typed.iss), ("trust_domain", &typed.trust_domain)] {
        if let Some(text) = text {
            members.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    Ok(members)
}

/// What was typed, as a patch: `null` where something goes back to its default.
///
/// # Errors
/// As [`created`].
pub(super) fn changed(fields: &IssuerFields) -> Result<Members, Failure> {
    let mut members = place(fields)?;
    for (name, text) in
        [("name", &fields.name), ("ca_file", &fields.ca_file), ("bearer_file", &fields.bearer_file)]
    {
        typed::put_text(&mut members, name, text.as_ref());
    }
    typed::put(&mut members, "max_lifetime", fields.max_lifetime.as_ref(), |span| {
        moment::seconds("--max-lifetime", span, "1h")
    })?;
    if let Some(once) = fields.single_use {
        members.insert("single_use".to_owned(), Value::Bool(once));
    }
    let said =
        |list: &[String]| -> Vec<String> { list.iter().filter(|one| !one.is_empty()).cloned().collect() };
    if !fields.audience.is_empty() {
        members.insert("audiences".to_owned(), json!(said(&fields.audience)));
    }
    if !fields.condition.is_empty() {
        members.insert("conditions".to_owned(), condition::all(&said(&fields.condition))?);
    }
    Ok(members)
}

/// Where the keys are: nothing, or all of it.
fn place(fields: &IssuerFields) -> Result<Members, Failure> {
    let mut members = Members::new();
    if fields.jwks_url.is_none() && fields.jwks_file.is_none() && fields.keys_file.is_none() {
        return Ok(members);
    }
    for name in ["jwks_url", "jwks_file", "jwks", "discovery"] {
        members.insert(name.to_owned(), Value::Null);
    }
    typed::put_text(&mut members, "jwks_url", fields.jwks_url.as_ref());
    typed::put_text(&mut members, "jwks_file", fields.jwks_file.as_ref());
    if let Some(path) = &fields.keys_file {
        let wrong = |why: String| Failure::usage(format!("--keys-file {}: {why}", path.display()));
        members.insert("jwks".to_owned(), keys(path).map_err(wrong)?);
    }
    if fields.jwks_url.is_none() {
        // They are for keys that are fetched.
        members.insert("ca_file".to_owned(), Value::Null);
        members.insert("bearer_file".to_owned(), Value::Null);
    }
    Ok(members)
}

/// The key set or bundle of a file as it is, if nothing in it is private.
///
/// # Errors
/// Why it cannot be one. No part of the file is in it.
pub(in crate::commands::admin) fn keys(path: &Path) -> Result<Value, String> {
    let told = |error: &dyn Display| error.to_string();
    let bytes = m2m_io::file::read_file(path, MAX_BYTES).map_err(|error| told(&error))?;
    let object = parse_object(&bytes, &JsonLimits::DOCUMENT).map_err(|error| told(&error))?;
    let Some(Value::Array(keys)) = object.get("keys") else {
        return Err("expected a JWK set: an object with the member keys".to_owned());
    };
    if keys.iter().any(|key| PRIVATE.iter().any(|member| key.get(*member).is_some())) {
        return Err(
            "it holds a private key, which must not leave its machine; the public half is wanted".to_owned()
        );
    }
    // What else stands in a bundle is of no use here, and the server refuses what it does not know.
    Ok(json!({"keys": keys}))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn create(change: impl FnOnce(&mut IssuerCreate)) -> Result<Value, Failure> {
        let mut typed = IssuerCreate { id: "one".to_owned(), ..IssuerCreate::default() };
        change(&mut typed);
        created(&typed).map(Value::Object)
    }

    #[test]
    fn an_order_says_what_was_typed_and_nothing_else() {
        let iss = "https://token.actions.githubusercontent.com".to_owned();
        let body = create(|typed| typed.iss = Some(iss.clone())).unwrap();
        assert_eq!(body, json!({"id": "one", "issuer": iss}));
        let body = create(|typed| {
            typed.trust_domain = Some("prod.example".to_owned());
            typed.fields.jwks_url = Some("https://spire.example/bundle".to_owned());
            typed.fields.audience = vec!["a".to_owned()];
            typed.fields.max_lifetime = Some("10m".to_owned());
            typed.fields.single_use = Some(true);
            typed.fields.condition = vec!["/kubernetes.io/namespace=prod".to_owned()];
        });
        assert_eq!(
            body.unwrap(),
            json!({
                "id": "one", "trust_domain": "prod.example", "jwks_url": "https://spire.example/bundle",
                "audiences": ["a"], "max_lifetime": 600, "single_use": true,
                "conditions": [{"claim": "/kubernetes.io/namespace", "equals": "prod"}],
            })
        );
        let wrong = create(|typed| typed.fields.max_lifetime = Some("0".to_owned())).unwrap_err();
        assert_eq!(wrong.exit(), Exit::Usage);
    }

    #[test]
    fn a_change_says_what_was_typed_and_what_goes_with_it() {
        let check = |change: fn(&mut IssuerFields), expect: Value| {
            let mut fields = IssuerFields::default();
            change(&mut fields);
            assert_eq!(changed(&fields).map(Value::Object), Ok(expect));
        };
        check(|_| {}, json!({}));
        check(|typed| typed.name = Some(String::new()), json!({"name": null}));
        check(|typed| typed.condition = vec![String::new()], json!({"conditions": []}));
        check(|typed| typed.single_use = Some(false), json!({"single_use": false}));
        check(
            |typed| typed.jwks_url = Some("https://a.example".to_owned()),
            json!({"jwks_url": "https://a.example", "jwks_file": null, "jwks": null, "discovery": null}),
        );
        check(
            |typed| typed.jwks_url = Some(String::new()),
            json!({"jwks_url": null, "jwks_file": null, "jwks": null, "discovery": null}),
        );
        check(
            |typed| typed.jwks_file = Some("/keys".to_owned()),
            json!({"jwks_url": null, "jwks_file": "/keys", "jwks": null, "discovery": null,
                "ca_file": null, "bearer_file": null}),
        );
    }

    #[test]
    fn only_public_keys_leave_this_machine() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("keys.json");
        let check = |text: &str| {
            std::fs::write(&path, text).unwrap();
            keys(&path)
        };
        let bundle = r#"{"keys":[{"kty":"EC","use":"jwt-svid"}],"spiffe_refresh_hint":60}"#;
        assert_eq!(check(bundle).unwrap(), json!({"keys": [{"kty": "EC", "use": "jwt-svid"}]}));
        for bad in
            [r#"{"keys":[{"kty":"EC","d":"canary"}]}"#, r#"{"keys":[{"kty":"oct","k":"canary"}]}"#, "{}", ""]
        {
            let told = check(bad).unwrap_err();
            assert!(!told.contains("canary"), "{told}");
        }
    }
}
