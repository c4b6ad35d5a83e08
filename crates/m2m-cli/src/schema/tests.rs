use std::collections::BTreeSet;

use super::*;
use crate::settings::field::Shape;
use crate::settings::method::Method;

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
    let fields = Field::ALL.iter().filter(|field| **field != Field::Variables).map(|field| field.key());
    let names: BTreeSet<String> = fields.chain(server::variables()).map(str::to_owned).collect();
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

/// The schema of one provider.
fn with(id: &str) -> Value {
    let schema = schema();
    let mut conditions = schema["allOf"].as_array().unwrap().iter();
    conditions.find(|one| one["if"]["properties"]["provider"]["const"] == id).unwrap()["then"].clone()
}

#[test]
fn every_usable_provider_can_be_chosen_and_brings_its_own() {
    let schema = schema();
    let choices = schema["properties"]["provider"]["enum"].as_array().unwrap();
    let chosen: BTreeSet<&str> = choices.iter().map(|choice| choice.as_str().unwrap()).collect();
    let titles = ui_schema()["provider"]["ui:enumNames"].as_array().unwrap().clone();
    assert_eq!(choices.iter().position(|id| id == "auth0"), titles.iter().position(|title| title == "Auth0"));
    let all = m2m_client::provider::all();
    let usable = all.iter().filter(|provider| provider.is_usable());
    assert_eq!(chosen, usable.map(|provider| provider.id.as_str()).collect());
    let auth0 = with("auth0");
    assert_eq!(auth0["properties"]["client_auth_method"]["default"], "client_secret_post");
    let required = auth0["required"].as_array().unwrap();
    assert!(["domain", "client_id"].iter().all(|key| required.contains(&(*key).into())), "{auth0}");
    let google = with("google-sa");
    assert!(google["required"].as_array().unwrap().contains(&"private_key".into()), "{google}");
}

/// Every method that stands in the schema is one that settings take.
#[test]
fn methods_are_those_of_the_settings() {
    for (key, schema) in properties(&schema()) {
        for choice in schema["oneOf"].as_array().into_iter().flatten().filter(|_| key == "client_auth_method")
        {
            let method = choice["const"].as_str().unwrap();
            assert!(Method::parse(method).is_some(), "{method}");
        }
    }
    let conditions = method::conditions();
    let stated = conditions.iter().map(|one| one["if"]["properties"]["client_auth_method"]["const"].as_str());
    assert_eq!(stated.collect::<Option<Vec<_>>>().unwrap(), Method::ALL.map(Method::as_str));
}

#[test]
fn variables_say_what_they_look_like() {
    for provider in m2m_client::provider::all().iter().filter(|provider| provider.is_usable()) {
        let schema = with(&provider.id);
        for variable in &provider.variables {
            let gap = &schema["properties"][&variable.name];
            assert!(gap["description"].as_str().unwrap().contains(&variable.example), "{gap}");
            assert_eq!(gap.get("pattern").is_some(), variable.pattern.is_some(), "{gap}");
        }
    }
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
    let mut names = names();
    names.sort_unstable();
    assert_eq!(grouped, names);
}

/// What the form demands with a provider is enough: the reader takes it, and a client can be made of it.
#[test]
fn what_is_required_is_enough() {
    let methods = method::conditions();
    for provider in m2m_client::provider::all().iter().filter(|provider| provider.is_usable()) {
        let own = with(&provider.id);
        let method = own["properties"]["client_auth_method"]["default"].clone();
        let is_this = |one: &&Value| one["if"]["properties"]["client_auth_method"]["const"] == method;
        let of_method = &methods.iter().find(is_this).unwrap()["then"];
        let mut filled = json!({"provider": provider.id, "client_auth_method": method});
        for schema in [&own, of_method] {
            for key in schema["required"].as_array().unwrap().iter().map(|key| key.as_str().unwrap()) {
                filled[key] = an_answer(provider, key);
            }
        }
        let path = std::path::Path::new("/p/form.json");
        let read = crate::settings::json::parse(path, &filled.to_string());
        let settings = read.and_then(|read| crate::settings::Settings::of(read.values));
        let checked = settings.and_then(|settings| crate::connect::check(&settings));
        assert_eq!(checked, Ok(()), "{}: {filled}", provider.id);
    }
}

/// What a person would type.
fn an_answer(provider: &m2m_client::provider::Provider, key: &str) -> Value {
    let variable = provider.variables.iter().find(|variable| variable.name == key);
    match Field::of_key(key).map(|field| (field, field.shape())) {
        None => variable.unwrap().example.as_str().into(),
        Some((_, Shape::Secret)) => json!({"file": "/run/secrets/orders"}),
        Some((_, Shape::List)) => json!(["https://api.example.com"]),
        Some((_, Shape::Pairs)) => {
            provider.request.required_params.iter().map(|name| (name.clone(), json!("1"))).collect()
        }
        Some(_) => "https://api.example.com".into(),
    }
}
