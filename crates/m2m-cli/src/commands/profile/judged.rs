//! What may stand in a field of a profile, from the text that a person typed: the one judge of the conversation and of
//! the console's form.
//!
//! Enforces: one line, at most 4096 characters, and what the library will want of that field. Does not enforce what
//! fields must be to each other ([`Wish::check`](super::wish::Wish::check)), and never sees a secret.

use m2m_client::Inspect;
use m2m_client::provider::{PresetError, Provider, Variable};
use m2m_proto::client_auth::BasicEncoding;
use m2m_proto::client_id::ClientId;
use m2m_proto::jose::Algorithm;
use m2m_proto::names::auth_method;
use m2m_proto::scope::Scope;
use m2m_proto::security_profile::SecurityProfile;
use m2m_proto::token::TokenRequest;
use m2m_proto::uri::{EndpointUri, Issuer, Origin, PlainHttp, ResourceUri};

use crate::settings::field::{Field, Shape};
use crate::settings::method::Method;
use crate::settings::secret::SecretReference;
use crate::settings::value::{Value, is_one_line, parse_time};

/// The longest text, in characters.
pub(crate) const LONGEST: usize = 4096;

/// What is said where nothing stands and something must.
pub(crate) const NEEDED: &str = "it is needed";

/// The value that a text is; `None` where nothing stands. Several resources, destinations and parameters stand on
/// lines of their own, scopes with spaces between. Of secrets only the key of DPoP is judged, as the path of a file.
///
/// # Errors
/// Why it cannot be, in a sentence without a capital.
pub(crate) fn value(field: Field, text: &str, plain: PlainHttp) -> Result<Option<Value>, String> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    length(text)?;
    if !text.lines().all(is_one_line) || (text.lines().count() > 1 && !has_lines(field)) {
        return Err("control characters and line separators are refused".to_owned());
    }
    judge(field, text, plain).map(Some)
}

/// Whether its values stand on lines of their own.
pub(crate) fn has_lines(field: Field) -> bool {
    matches!(field.shape(), Shape::Pairs) || matches!(field, Field::Resource | Field::Destinations)
}

fn length(text: &str) -> Result<(), String> {
    match text.chars().count() {
        0..=LONGEST => Ok(()),
        count => Err(format!("it has {count} characters, and {LONGEST} is the most")),
    }
}

fn judge(field: Field, text: &str, plain: PlainHttp) -> Result<Value, String> {
    let same = || Value::Text(text.to_owned());
    let one_of = |known: bool, names: &[&str]| match known {
        true => Ok(same()),
        false => Err(format!("expected one of {}", names.join(", "))),
    };
    match field {
        Field::Issuer => url(text, plain).and_then(|_| said(Issuer::parse(text))).map(|_| same()),
        Field::TokenUrl | Field::IntrospectionUrl | Field::RevocationUrl => url(text, plain).map(|_| same()),
        Field::ClientId => said(ClientId::parse(text)).map(|id| Value::Text(id.as_str().to_owned())),
        Field::Scopes => said(Scope::parse(&words(text).join(" "))).map(|_| Value::List(words(text))),
        Field::Resource => list(text, |line| said(ResourceUri::parse(line)).map(|_| ())),
        Field::Destinations => list(text, |line| said(Origin::parse(line)).map(|_| ())),
        Field::ClientAuthMethod => one_of(Method::parse(text).is_some(), &Method::ALL.map(Method::as_str)),
        Field::Algorithm => one_of(Algorithm::parse(text).is_some(), &Algorithm::ALL.map(Algorithm::name)),
        Field::BasicEncoding => {
            one_of(BasicEncoding::parse(text).is_some(), &BasicEncoding::ALL.map(BasicEncoding::as_str))
        }
        Field::Inspect => one_of(Inspect::parse(text).is_some(), &Inspect::ALL.map(Inspect::as_str)),
        Field::SecurityProfile => {
            one_of(SecurityProfile::parse(text).is_some(), &SecurityProfile::ALL.map(SecurityProfile::name))
        }
        Field::Params => pairs(text),
        Field::CaFile => absolute(text).map(|path| Value::Text(path.to_string_lossy().into_owned())),
        Field::Dpop if text == "ephemeral" => Ok(same()),
        Field::Dpop => absolute(text).map(|path| Value::Secret(SecretReference::File(path))),
        _ if field.shape() == Shape::Time => parse_time(text).map(Value::Time),
        _ if field.shape() == Shape::Switch => Ok(Value::Switch(text == "true")),
        _ => Ok(same()),
    }
}

/// The URL of an endpoint, whose transport is safe or allowed.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn url(text: &str, plain: PlainHttp) -> Result<EndpointUri, String> {
    let endpoint = said(EndpointUri::parse(text))?;
    said(endpoint.check_transport(plain)).map(|()| endpoint)
}

fn said<T>(parsed: Result<T, impl std::fmt::Display>) -> Result<T, String> {
    parsed.map_err(|error| error.to_string())
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

fn list(text: &str, check: impl Fn(&str) -> Result<(), String>) -> Result<Value, String> {
    let lines: Vec<String> = words(text);
    lines.iter().try_for_each(|line| check(line))?;
    Ok(Value::List(lines))
}

fn pairs(text: &str) -> Result<Value, String> {
    let pair = |line: &str| match line.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() && !value.trim().is_empty() => {
            said(TokenRequest::check_extra(name.trim()))?;
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err("expected NAME=VALUE on each line".to_owned()),
    };
    text.lines().filter(|line| !line.trim().is_empty()).map(pair).collect::<Result<_, _>>().map(Value::Pairs)
}

/// A relative path would lead elsewhere from another directory.
fn absolute(text: &str) -> Result<std::path::PathBuf, String> {
    said(std::path::absolute(text))
}

/// A variable of a provider beside those that are given; `None` where its default holds.
///
/// # Errors
/// Why it cannot be.
pub(crate) fn variable(
    provider: &Provider,
    variable: &Variable,
    given: &[(String, String)],
    text: &str,
) -> Result<Option<String>, String> {
    if text.is_empty() {
        return if variable.default.is_some() { Ok(None) } else { Err(NEEDED.to_owned()) };
    }
    length(text)?;
    let mut given = given.to_vec();
    given.push((variable.name.clone(), text.to_owned()));
    match provider.resolve(&given) {
        Err(error @ PresetError::Invalid { .. }) => Err(error.to_string()),
        _ => Ok(Some(text.to_owned())),
    }
}

/// Whether the provider goes by where we are, or by a token that we show: then no client id is needed.
pub(crate) fn goes_without_client(provider: Option<&Provider>) -> bool {
    provider.is_some_and(|provider| provider.auth.methods == [auth_method::NONE] && !provider.signs())
}

/// Why this field may not be left empty with that provider; `None` where it may.
pub(crate) fn demand(field: Field, provider: Option<&Provider>) -> Option<&'static str> {
    let asks = provider.map(|provider| &provider.request);
    match field {
        Field::ClientId => (!goes_without_client(provider)).then_some(NEEDED),
        Field::Scopes => asks
            .is_some_and(|asks| asks.scope_required && asks.scopes.is_empty())
            .then_some("this provider wants at least one"),
        Field::Audience => {
            asks.is_some_and(|asks| asks.audience_required).then_some("this provider wants one")
        }
        Field::Resource => {
            asks.is_some_and(|asks| asks.resource_required).then_some("this provider wants one")
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use m2m_client::provider;

    use super::*;

    #[test]
    fn each_field_is_judged_as_the_library_will() {
        let good = |field, text: &str| value(field, text, PlainHttp::LoopbackOnly).unwrap().unwrap();
        let bad = |field, text: &str| {
            assert!(value(field, text, PlainHttp::LoopbackOnly).is_err(), "{field} takes {text:?}");
        };
        let text = |text: &str| Value::Text(text.to_owned());
        assert_eq!(good(Field::Issuer, " https://as.example "), text("https://as.example"));
        assert_eq!(good(Field::Scopes, "a  b"), Value::List(vec!["a".into(), "b".into()]));
        assert_eq!(
            good(Field::Params, "a=b=c\n\n d = e "),
            Value::Pairs(vec![("a".into(), "b=c".into()), ("d".into(), "e".into()),])
        );
        assert_eq!(good(Field::AllowHttp, "true"), Value::Switch(true));
        assert_eq!(good(Field::Dpop, "ephemeral"), text("ephemeral"));
        assert!(matches!(good(Field::Timeout, "5s"), Value::Time(_)));
        assert!(matches!(good(Field::Resource, "https://a https://b"), Value::List(list) if list.len() == 2));
        bad(Field::Issuer, "http://as.example");
        bad(Field::Issuer, "https://as.example?x=1");
        bad(Field::TokenUrl, "as.example");
        bad(Field::Scopes, "a\"b");
        bad(Field::Params, "client_secret=x");
        bad(Field::Params, "no pair");
        bad(Field::Timeout, "soon");
        bad(Field::ClientAuthMethod, "basic");
        bad(Field::Algorithm, "none");
        bad(Field::Destinations, "https://a/path");
        bad(Field::Audience, "a\nb");
        bad(Field::Audience, "a\u{2028}b");
        bad(Field::Audience, &"a".repeat(LONGEST + 1));
        assert_eq!(value(Field::Audience, "  ", PlainHttp::LoopbackOnly), Ok(None));
        assert!(value(Field::Issuer, "http://as.example", PlainHttp::Allowed).is_ok());
    }

    #[test]
    fn a_provider_says_what_it_wants() {
        let auth0 = provider::find("auth0").unwrap();
        let domain = &auth0.variables[0];
        assert_eq!(
            variable(auth0, domain, &[], "acme.eu.auth0.com"),
            Ok(Some("acme.eu.auth0.com".to_owned()))
        );
        assert!(variable(auth0, domain, &[], "acme evil").is_err());
        assert_eq!(variable(auth0, domain, &[], ""), Err(NEEDED.to_owned()));
        assert_eq!(demand(Field::Audience, Some(auth0)), Some("this provider wants one"));
        assert_eq!(demand(Field::Audience, None), None);
        assert_eq!(demand(Field::ClientId, None), Some(NEEDED));
    }
}
