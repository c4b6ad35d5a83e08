use std::collections::BTreeSet;

use super::*;
use crate::settings::field::Shape;

/// Every `properties` object anywhere in the schema, but those of the definitions.
fn properties(schema: &Value) -> Vec<(String, Value)> {
    let mut found = Vec::new();
    if let Value::Object(members) = schema {
        for (key, value) in members {
            match (key.as_str(), value) {
                ("definitions", _) => {}
                ("properties", Value::Object(of)) => found.extend(of.clone()),
                ("if", condition) if condition.get("if").is_none() => {}
                _ => found.extend(properties(value)),
            }
        }
    } else if let Value::Array(items) = schema {
        found.extend(items.iter().flat_map(properties));
    }
    found
}

#[test]
fn every_field_is_there_with_title_and_sentence() {
    let schema = schema();
    let names: BTreeSet<String> = Field::ALL.iter().map(|field| field.key().to_owned()).collect();
    let mut described = BTreeSet::new();
    for (key, schema) in properties(&schema) {
        if schema.get("description").is_some()
            && schema["title"].as_str().is_some_and(|title| !title.is_empty())
        {
            described.insert(key);
        }
    }
    assert!(described.remove(NAME));
    assert_eq!(described, names);
    let known: BTreeSet<String> = serde_json::from_value(schema["propertyNames"]["enum"].clone()).unwrap();
    assert_eq!(known, names.into_iter().chain([NAME.to_owned()]).collect());
}

#[test]
fn a_secret_is_a_reference_and_nothing_else() {
    let secrets: Vec<&Field> = Field::ALL.iter().filter(|field| field.shape() == Shape::Secret).collect();
    let mut seen = 0;
    for (key, schema) in properties(&schema()) {
        if !secrets.iter().any(|field| field.key() == key) {
            continue;
        }
        seen += 1;
        for choice in schema["oneOf"].as_array().unwrap() {
            let reference = choice["$ref"].as_str().is_some_and(|to| to.starts_with("#/definitions/"));
            assert!(reference || choice["type"] == "null", "{key}: {choice}");
        }
    }
    assert!(seen >= secrets.len());
    for (place, schema) in field::definitions().as_object().unwrap() {
        assert_eq!(schema["properties"].as_object().unwrap().len(), 1, "{place}");
        assert_eq!(schema["additionalProperties"], false, "{place}");
    }
}

/// What the schema names as choices is what the settings accept.
#[test]
fn choices_are_those_of_the_settings() {
    use m2m_proto::client_auth::ClientAuthMethod;
    let schema = schema();
    let methods = schema["properties"]["client_auth_method"]["oneOf"].as_array().unwrap();
    let methods: Vec<_> = methods.iter().map(|choice| choice["const"].as_str().unwrap()).collect();
    assert_eq!(methods, ClientAuthMethod::ALL.map(ClientAuthMethod::as_str));
    let conditions = schema["allOf"].as_array().unwrap().iter();
    let conditions: Vec<_> = conditions
        .filter_map(|one| one["if"]["properties"]["client_auth_method"]["const"].as_str())
        .collect();
    assert_eq!(conditions, methods);
}

#[test]
fn every_field_is_in_one_group_and_in_the_order() {
    let ui = ui_schema();
    let mut grouped: Vec<&str> = ui["ui:options"]["groups"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|group| group["fields"].as_array().unwrap())
        .map(|key| key.as_str().unwrap())
        .collect();
    let order: Vec<&str> =
        ui["ui:order"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()).collect();
    assert_eq!([grouped.clone(), vec!["*"]].concat(), order);
    grouped.sort_unstable();
    let mut names: Vec<&str> = Field::ALL.iter().map(|field| field.key()).chain([NAME]).collect();
    names.sort_unstable();
    assert_eq!(grouped, names);
}
