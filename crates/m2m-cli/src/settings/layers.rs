//! Flags and environment as profiles, so that merging is one loop over layers.

use std::path::Path;

use super::env::Environment;
use super::field::{Field, Shape};
use super::file::Profile;
use super::secret::{NOT_A_VARIABLE, SecretReference, is_variable_name, split_command};
use super::value::{Origin, Sourced, Value, parse_time};
use crate::args::ProfileFlags;
use crate::exit::Failure;

/// Variable that holds a path to the client secret rather than the secret.
const SECRET_FILE_VARIABLE: &str = "M2M_CLIENT_SECRET_FILE";

/// What was typed.
///
/// # Errors
/// Exit 2: a value that its flag cannot take.
pub(super) fn of_flags(flags: &ProfileFlags) -> Result<Profile, Failure> {
    let mut layer = Profile::new();
    let texts = [
        (Field::Provider, &flags.provider),
        (Field::Issuer, &flags.issuer),
        (Field::TokenUrl, &flags.token_url),
        (Field::IntrospectionUrl, &flags.introspection_url),
        (Field::RevocationUrl, &flags.revocation_url),
        (Field::ClientId, &flags.client_id),
        (Field::ClientAuthMethod, &flags.client_auth_method),
        (Field::KeyId, &flags.key_id),
        (Field::Algorithm, &flags.algorithm),
        (Field::Audience, &flags.audience),
        (Field::Grant, &flags.grant),
        (Field::BasicEncoding, &flags.basic_encoding),
        (Field::AssertionAudience, &flags.assertion_audience),
    ];
    for (field, text) in texts {
        put(&mut layer, field, text.clone().map(Value::Text));
    }
    put(&mut layer, Field::Scopes, words(&flags.scope));
    put(&mut layer, Field::Resource, list(&flags.resource));
    put(&mut layer, Field::Destinations, list(&flags.destination));
    put(&mut layer, Field::Params, pairs("--param", &flags.param)?);
    put(&mut layer, Field::Variables, pairs("--var", &flags.var)?);
    put(&mut layer, Field::CaFile, flags.ca_file.as_deref().map(path_text));
    put(
        &mut layer,
        Field::Timeout,
        flags.timeout.as_deref().map(|text| time("--timeout", text)).transpose()?,
    );
    put(&mut layer, Field::PrivateKey, file(flags.private_key_file.as_deref()));
    put(&mut layer, Field::Certificate, file(flags.certificate_file.as_deref()));
    put(&mut layer, Field::CertificateKey, file(flags.certificate_key_file.as_deref()));
    put(&mut layer, Field::WorkloadToken, file(flags.workload_token_file.as_deref()));
    put(&mut layer, Field::Dpop, flags.dpop.as_deref().map(key_or_ephemeral));
    if let Some((flag, reference)) = typed_secret(flags)? {
        let value = Value::Secret(reference);
        layer.insert(Field::ClientSecret, Sourced { value, origin: Origin::Flag(flag) });
    }
    Ok(layer)
}

/// What `M2M_*` says. A variable that is set but empty counts as not set.
///
/// # Errors
/// Exit 3: a value that cannot be, two places for one secret, or a variable for something not built in.
pub(super) fn of_environment(environment: &Environment) -> Result<Profile, Failure> {
    let mut layer = Profile::new();
    for field in Field::ALL.iter().copied().filter(|field| !field.env().is_empty()) {
        let Some(text) = environment.text(field.env()) else { continue };
        let value = match field.shape() {
            Shape::Text => Value::Text(text.to_owned()),
            Shape::Path => Value::Text(text.to_owned()),
            Shape::List => Value::List(text.split_whitespace().map(str::to_owned).collect()),
            Shape::Time => Value::Time(
                parse_time(text)
                    .map_err(|problem| Failure::configuration(format!("{}: {problem}", field.env())))?,
            ),
            Shape::Secret if field == Field::ClientSecret => {
                Value::Secret(SecretReference::Env(field.env().to_owned()))
            }
            Shape::Secret => Value::Secret(SecretReference::File(text.into())),
            Shape::KeyOrEphemeral => key_or_ephemeral(text),
            Shape::Pairs => {
                let words: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
                match pairs(field.env(), &words) {
                    Ok(Some(value)) => value,
                    Ok(None) => continue,
                    Err(failure) => return Err(Failure::configuration(failure.message())),
                }
            }
            Shape::Switch => continue,
        };
        layer.insert(field, Sourced { value, origin: Origin::Env(field.env()) });
    }
    if let Some(path) = environment.text(SECRET_FILE_VARIABLE) {
        let value = Value::Secret(SecretReference::File(path.into()));
        let origin = Origin::Env(SECRET_FILE_VARIABLE);
        if layer.insert(Field::ClientSecret, Sourced { value, origin }).is_some() {
            return Err(Failure::configuration("M2M_CLIENT_SECRET and M2M_CLIENT_SECRET_FILE are both set")
                .hint("unset one of them"));
        }
    }
    Ok(layer)
}

fn put(layer: &mut Profile, field: Field, value: Option<Value>) {
    if let Some(value) = value {
        layer.insert(field, Sourced { value, origin: Origin::Flag(field.flag()) });
    }
}

fn words(typed: &[String]) -> Option<Value> {
    // `--scope ''` states that no scope is asked for, whatever the profile says.
    (!typed.is_empty()).then(|| {
        Value::List(typed.iter().flat_map(|text| text.split_whitespace()).map(str::to_owned).collect())
    })
}

fn list(typed: &[String]) -> Option<Value> {
    (!typed.is_empty()).then(|| Value::List(typed.to_vec()))
}

fn pairs(from: &str, typed: &[String]) -> Result<Option<Value>, Failure> {
    let pair = |text: &String| match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(Failure::usage(format!("{from}: expected NAME=VALUE"))),
    };
    let pairs = typed.iter().map(pair).collect::<Result<Vec<_>, _>>()?;
    Ok((!pairs.is_empty()).then_some(Value::Pairs(pairs)))
}

fn time(flag: &str, text: &str) -> Result<Value, Failure> {
    parse_time(text).map(Value::Time).map_err(|problem| Failure::usage(format!("{flag}: {problem}")))
}

fn path_text(path: &Path) -> Value {
    Value::Text(path.to_string_lossy().into_owned())
}

fn file(path: Option<&Path>) -> Option<Value> {
    path.map(|path| Value::Secret(SecretReference::File(path.to_owned())))
}

fn key_or_ephemeral(text: &str) -> Value {
    match text {
        "ephemeral" => Value::Text(text.to_owned()),
        path => Value::Secret(SecretReference::File(path.into())),
    }
}

fn typed_secret(flags: &ProfileFlags) -> Result<Option<(&'static str, SecretReference)>, Failure> {
    if let Some(path) = &flags.secret_file {
        return Ok(Some(("--secret-file", SecretReference::File(path.clone()))));
    }
    if let Some(name) = &flags.secret_env {
        if !is_variable_name(name) {
            return Err(Failure::usage(format!("--secret-env: {NOT_A_VARIABLE}")));
        }
        return Ok(Some(("--secret-env", SecretReference::Env(name.clone()))));
    }
    if let Some(command) = &flags.secret_command {
        return Ok(Some(("--secret-command", SecretReference::Command(split_command(command)?))));
    }
    Ok(flags.secret_stdin.then_some(("--secret-stdin", SecretReference::Stdin)))
}

/// One sentence where variables of this shell are stronger than the profile that was asked for by its name.
pub(super) fn replaced(name: &str, profile: &Profile, merged: &Profile) -> Option<String> {
    let states = |field: Field| {
        profile.contains_key(&field) || {
            let group = field.group();
            group.is_some() && profile.keys().any(|stated| stated.group() == group)
        }
    };
    let is_own =
        |field: &Field, value: &Value| profile.get(field).is_some_and(|stated| stated.value == *value);
    let variables: Vec<String> = merged
        .iter()
        .filter(|(_, sourced)| matches!(sourced.origin, Origin::Env(_)))
        .filter(|(field, sourced)| states(**field) && !is_own(field, &sourced.value))
        .map(|(_, sourced)| sourced.origin.to_string())
        .collect();
    let variables = variables.join(", ");
    (!variables.is_empty())
        .then(|| format!("set in this shell, and stronger than what profile {name} says: {variables}"))
}
