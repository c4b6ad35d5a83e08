//! The OpenAPI document of the admin API, held together: what it refers to is there, and every operation says what it
//! needs, what it answers and how it refuses.

use serde_json::Value;

const DOCUMENT: &str = include_str!("../../../m2m-authorization-server/src/endpoints/admin/openapi.json");
const METHODS: [&str; 4] = ["get", "post", "patch", "delete"];

fn document() -> Value {
    serde_json::from_str(DOCUMENT).unwrap()
}

/// Every operation with its path and method.
fn operations(document: &Value) -> Vec<(String, &'static str, &Value, &Value)> {
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for method in METHODS {
            if let Some(operation) = item.get(method) {
                all.push((path.clone(), method, operation, item));
            }
        }
    }
    all
}

fn each(value: &Value, visit: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                visit(name, value);
                each(value, visit);
            }
        }
        Value::Array(list) => list.iter().for_each(|value| each(value, visit)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere_and_everything_is_referred_to() {
    let document = document();
    let mut seen = Vec::new();
    each(&document, &mut |name, value| {
        if name == "$ref" {
            seen.push(value.as_str().unwrap().to_owned());
        }
    });
    for reference in &seen {
        assert!(document.pointer(reference.strip_prefix('#').unwrap()).is_some(), "{reference}");
    }
    for kind in ["schemas", "responses", "parameters", "headers"] {
        for name in document["components"][kind].as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(seen.contains(&reference), "nobody refers to {reference}");
        }
    }
}

#[test]
fn the_paths_are_those_of_the_admin_api() {
    let document = document();
    let all: Vec<String> =
        operations(&document).into_iter().map(|(path, method, ..)| format!("{method} {path}")).collect();
    assert_eq!(
        all,
        [
            "get /activity",
            "get /apis",
            "post /apis",
            "get /apis/{identifier}",
            "patch /apis/{identifier}",
            "delete /apis/{identifier}",
            "get /audit",
            "get /clients",
            "post /clients",
            "get /clients/{id}",
            "patch /clients/{id}",
            "delete /clients/{id}",
            "get /clients/{id}/credentials",
            "post /clients/{id}/credentials",
            "post /clients/{id}/disable",
            "post /clients/{id}/enable",
            "post /clients/{id}/revoke",
            "get /credentials",
            "get /credentials/{id}",
            "post /credentials/{id}/revoke",
            "post /credentials/{id}/rotate",
            "get /issuers",
            "post /issuers",
            "post /issuers/explain",
            "get /issuers/{id}",
            "patch /issuers/{id}",
            "delete /issuers/{id}",
            "post /issuers/{id}/disable",
            "post /issuers/{id}/enable",
            "get /keys",
            "post /keys/roll",
            "get /openapi.json",
            "get /tokens",
            "post /tokens/{jti}/revoke",
        ]
    );
}

#[test]
fn every_operation_says_what_it_needs_and_how_it_refuses() {
    let document = document();
    let mut names = Vec::new();
    for (path, method, operation, item) in operations(&document) {
        let place = format!("{method} {path}");
        names.push(operation["operationId"].as_str().unwrap().to_owned());
        let responses = operation["responses"].as_object().unwrap();
        assert!(responses.keys().any(|status| status.starts_with('2')), "{place}");
        if path == "/openapi.json" {
            assert_eq!(operation["security"], serde_json::json!([]), "{place} needs no token");
            continue;
        }
        let scopes = match (method, path.as_str()) {
            // Whoever may only read ends no token but its own.
            (_, "/tokens/{jti}/revoke") => vec!["m2m:write", "m2m:read"],
            ("get", _) => vec!["m2m:read"],
            _ => vec!["m2m:write"],
        };
        let ways: Vec<_> = scopes.into_iter().map(|scope| serde_json::json!({"oauth2": [scope]})).collect();
        assert_eq!(operation["security"], serde_json::json!(ways), "{place}");
        let mut refusals = vec!["400", "401", "403", "429", "503", "default"];
        let templated = path.contains('{');
        refusals.extend(templated.then_some("404"));
        let parameters = operation["parameters"].to_string();
        refusals.extend(parameters.contains("/IfMatch").then_some("412"));
        refusals.extend(operation.get("requestBody").is_some().then_some("422"));
        for status in refusals {
            assert!(responses.contains_key(status), "{place} {status}");
        }
        let of_item = item["parameters"].as_array().map_or(0, Vec::len);
        assert_eq!(of_item, path.matches('{').count(), "{place}");
        // What exists is changed only as it was read; a token has no version.
        let acts = path.starts_with("/clients/{id}/") || path.starts_with("/credentials/");
        let versioned = matches!(method, "patch" | "delete")
            || (method == "post" && acts && !path.ends_with("/credentials"));
        assert_eq!(versioned, parameters.contains("/IfMatch"), "{place}");
    }
    let count = names.len();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), count, "an operationId stands twice");
}

#[test]
fn requests_are_closed_and_problems_are_problems() {
    let document = document();
    for (path, method, operation, _) in operations(&document) {
        if let Some(content) = operation["requestBody"]["content"].as_object() {
            let (form, body) = content.iter().next().unwrap();
            let merge = if method == "patch" { "application/merge-patch+json" } else { "application/json" };
            assert_eq!(form, merge, "{path}");
            let reference = body["schema"]["$ref"].as_str().unwrap().trim_start_matches('#');
            let schema = document.pointer(reference).unwrap();
            assert_eq!(schema["additionalProperties"], false, "{path}");
            assert!(schema["examples"].as_array().is_some_and(|examples| !examples.is_empty()), "{path}");
        }
    }
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let problem = &response["content"]["application/problem+json"];
        assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{name}");
        assert!(problem["example"]["detail"].is_string(), "{name}");
    }
    let flow = &document["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"];
    assert_eq!(flow["tokenUrl"], "/oauth2/token");
    assert_eq!(
        (&document["openapi"], &document["servers"][0]["url"]),
        (&"3.1.0".into(), &"/admin/v1".into())
    );
}
