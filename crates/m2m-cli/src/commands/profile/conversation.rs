//! The conversation of `m2m profile add`: it asks for what the flags leave open, and nothing else.
//!
//! Where tokens come from (a provider by search, or an issuer, or a token endpoint), the provider's variables, the
//! client, how it proves who it is (one line of consequences each), where its secret is (references before any typing),
//! what to ask for. A wrong answer is asked again with the reason.

use m2m_client::provider::{self, Provider};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::names::grant_type;
use m2m_proto::uri::PlainHttp;

use super::asker::{Asker, until};
use super::wish::Wish;
use super::{credential, judged};
use crate::args::Destination;
use crate::exit::Failure;
use crate::settings::field::{Field, nearest};
use crate::settings::grant;
use crate::settings::method::{Method, fitting, needed};
use crate::settings::value::Value;

/// Asks until a client can be made of the wish.
///
/// # Errors
/// Exit 2: the answers end, or the provider cannot be used. Exit 3: a variable that was typed as a flag is wrong.
pub(super) fn run(
    asker: &mut dyn Asker,
    wish: &mut Wish,
    destination: &mut Destination,
) -> Result<(), Failure> {
    let provider = server(asker, wish)?;
    if let Some(provider) = provider {
        variables(asker, wish, provider)?;
    }
    if !wish.has(Field::ClientId) {
        client(asker, wish, provider)?;
    }
    let needs = method(asker, wish, provider)?;
    credential::ask(asker, wish, destination, &needs)?;
    request(asker, wish, provider)
}

/// A service that goes by where we are, or by a token that we show, needs no client id.
fn client(asker: &mut dyn Asker, wish: &mut Wish, provider: Option<&Provider>) -> Result<(), Failure> {
    let question = if judged::goes_without_client(provider) { "client id [none]" } else { "client id" };
    state(asker, wish, provider, (Field::ClientId, question))
}

/// Asks for a field until the judge takes the answer.
fn state(
    asker: &mut dyn Asker,
    wish: &mut Wish,
    provider: Option<&Provider>,
    (field, question): (Field, &str),
) -> Result<(), Failure> {
    let value = until(asker, question, |text| match judged::value(field, text, PlainHttp::LoopbackOnly)? {
        Some(value) => Ok(Some(value)),
        None => judged::demand(field, provider).map_or(Ok(None), |why| Err(why.to_owned())),
    })?;
    if let Some(value) = value {
        wish.set(field, value);
    }
    Ok(())
}

fn server(asker: &mut dyn Asker, wish: &mut Wish) -> Result<Option<&'static Provider>, Failure> {
    if let Some(name) = wish.text(Field::Provider) {
        return Ok(provider::find(name));
    }
    if wish.has(Field::Issuer) || wish.has(Field::TokenUrl) {
        return Ok(None);
    }
    asker.say("where do tokens come from? part of a provider's name (auth0, azure, salesforce …), or a URL:");
    asker.say("the issuer's, whose metadata names the rest, or that of a token endpoint");
    loop {
        let answer = asker.ask("provider or URL")?;
        if answer.contains("://") {
            match url(asker, wish, &answer)? {
                Place::Known(provider) => return Ok(Some(provider)),
                Place::Elsewhere => return Ok(None),
                Place::Unclear => continue,
            }
        }
        if let Some(provider) = search(asker, &answer)? {
            wish.set(Field::Provider, Value::Text(provider.id.clone()));
            return Ok(Some(provider));
        }
    }
}

/// Where a URL leads.
enum Place {
    /// To this provider.
    Known(&'static Provider),
    /// To a server of which nothing is known.
    Elsewhere,
    /// Another answer is needed.
    Unclear,
}

fn url(asker: &mut dyn Asker, wish: &mut Wish, text: &str) -> Result<Place, Failure> {
    if let Err(error) = judged::url(text, PlainHttp::LoopbackOnly) {
        asker.say(&format!("  {error}"));
        return Ok(Place::Unclear);
    }
    if let Some(found) = provider::recognise(text).into_iter().next() {
        let question = format!("this is the token endpoint of {}", found.provider.name);
        let choices = ["use what is known about it", "use the URL and nothing else"];
        if asker.choose(&question, &choices.map(str::to_owned))? == 0 {
            wish.set(Field::Provider, Value::Text(found.provider.id.clone()));
            wish.set(Field::Variables, Value::Pairs(found.variables));
            return Ok(Place::Known(found.provider));
        }
        wish.set(Field::TokenUrl, Value::Text(text.to_owned()));
        return Ok(Place::Elsewhere);
    }
    let choices = ["the issuer: its metadata names the endpoints", "the token endpoint itself"];
    let field = match asker.choose("that URL is", &choices.map(str::to_owned))? {
        0 => Field::Issuer,
        _ => Field::TokenUrl,
    };
    match judged::value(field, text, PlainHttp::LoopbackOnly) {
        Ok(Some(value)) => wish.set(field, value),
        Ok(None) => return Ok(Place::Unclear),
        Err(error) => {
            asker.say(&format!("  {error}"));
            return Ok(Place::Unclear);
        }
    }
    Ok(Place::Elsewhere)
}

fn search(asker: &mut dyn Asker, text: &str) -> Result<Option<&'static Provider>, Failure> {
    let found = matching(text);
    let chosen = match found.as_slice() {
        [] => {
            asker.say("  no provider has that in its name; m2m providers lists them");
            return Ok(None);
        }
        [only] => *only,
        several => {
            let mut choices: Vec<String> =
                several.iter().map(|provider| format!("{} ({})", provider.name, provider.id)).collect();
            choices.push("none of these".to_owned());
            match several.get(asker.choose("which one?", &choices)?) {
                Some(provider) => provider,
                None => return Ok(None),
            }
        }
    };
    if let Some(reason) = &chosen.reason {
        asker.say(&format!("  {}: {reason}", chosen.name));
        return Ok(None);
    }
    asker.say(&format!("  {}: {}", chosen.name, chosen.summary));
    for trap in chosen.traps.iter().take(3) {
        asker.say(&format!("  - {}", trap.text));
    }
    Ok(Some(chosen))
}

/// The provider of that id or alias; else all that have the text in id, name or alias.
pub(crate) fn matching(text: &str) -> Vec<&'static Provider> {
    let text = text.to_lowercase();
    if text.is_empty() {
        return Vec::new();
    }
    if let Some(provider) = provider::find(&text) {
        let kin = |other: &&Provider| other.id != provider.id && other.id.starts_with(&provider.id);
        return std::iter::once(provider).chain(provider::all().iter().filter(kin)).collect();
    }
    let has = |provider: &&Provider| {
        let mut names = provider.aliases.iter().chain([&provider.id, &provider.name]);
        names.any(|name| name.to_lowercase().contains(&text))
    };
    // What a slip of the finger makes of a name goes before longer names that happen to hold it.
    let near = nearest(&text, provider::all().iter().flat_map(Provider::names)).and_then(provider::find);
    let found =
        provider::all().iter().filter(has).filter(|provider| near.is_none_or(|near| near.id != provider.id));
    near.into_iter().chain(found).collect()
}

fn variables(asker: &mut dyn Asker, wish: &mut Wish, provider: &Provider) -> Result<(), Failure> {
    // With a URL of their own choice, people need no variables that only make the URL.
    let stated = wish.has(Field::Issuer) || wish.has(Field::TokenUrl);
    for variable in &provider.variables {
        let mut given = wish.pairs(Field::Variables);
        if given.iter().any(|(name, _)| *name == variable.name) || (stated && variable.pattern.is_none()) {
            continue;
        }
        let (name, help, example) = (&variable.name, &variable.help, &variable.example);
        let default = variable.default.as_deref();
        let end = default.map_or_else(|| format!("such as {example}"), |default| format!("[{default}]"));
        let value = until(asker, &format!("{name} ({help}) {end}"), |text| {
            judged::variable(provider, variable, &given, text)
        })?;
        if let Some(value) = value {
            given.push((name.clone(), value));
            wish.set(Field::Variables, Value::Pairs(given));
        }
    }
    Ok(())
}

/// How the client proves who it is: what that needs, and what the grant needs.
fn method(
    asker: &mut dyn Asker,
    wish: &mut Wish,
    provider: Option<&Provider>,
) -> Result<Vec<Field>, Failure> {
    if let Some(method) = wish.text(Field::ClientAuthMethod) {
        return Ok(needs(wish, provider, Method::parse(method)));
    }
    let methods = provider.map(|provider| provider.auth.methods.as_slice());
    let credentials = [Field::ClientSecret, Field::PrivateKey, Field::WorkloadToken];
    if let Some(field) = credentials.into_iter().find(|field| wish.has(*field)) {
        // The settings choose by what is there, as they will when the profile is read.
        let method = methods.and_then(|methods| fitting(methods, |field| wish.has(field)));
        let mut needs = needs(wish, provider, method.and_then(Method::parse));
        if !needs.contains(&field) {
            needs.insert(0, field);
        }
        return Ok(needs);
    }
    let known = ClientAuthMethod::ALL.map(|method| method.as_str().to_owned());
    let methods = methods.unwrap_or(&known);
    let chosen = match methods {
        [] | [_] => methods.first(),
        several => {
            let choices: Vec<String> = several.iter().map(|method| line(method)).collect();
            several.get(asker.choose("how does the client prove who it is?", &choices)?)
        }
    };
    let needs = needs(wish, provider, chosen.and_then(|chosen| Method::parse(chosen)));
    // What holds anyway need not be written down.
    if let Some(chosen) = chosen.filter(|chosen| methods.first() != Some(*chosen)) {
        wish.set(Field::ClientAuthMethod, Value::Text(chosen.clone()));
    }
    Ok(needs)
}

/// What has to be named for the method, and for the grant that is stated or the provider's.
pub(crate) fn needs(wish: &Wish, provider: Option<&Provider>, method: Option<Method>) -> Vec<Field> {
    let stated = wish.text(Field::Grant).map(grant::name_of);
    let grant = stated.or(provider.map(grant::of)).unwrap_or(grant_type::CLIENT_CREDENTIALS);
    let needed = needed(method.unwrap_or(Method::None), grant, |field| wish.has(field));
    needed.into_iter().map(|(field, _)| field).collect()
}

/// One line for who has to choose.
fn line(method: &str) -> String {
    let title = Method::parse(method).map_or("as the provider's documentation says", Method::title);
    format!("{method}: {title}")
}

fn request(asker: &mut dyn Asker, wish: &mut Wish, provider: Option<&Provider>) -> Result<(), Failure> {
    let asks = provider.map(|provider| &provider.request);
    let needed = |is: bool| if is { "" } else { " [none]" };
    if !wish.has(Field::Scopes) {
        let required = judged::demand(Field::Scopes, provider).is_some();
        let default = asks.map(|asks| asks.scopes.join(" ")).filter(|scopes| !scopes.is_empty());
        let end = default.map_or_else(|| needed(required).to_owned(), |scopes| format!(" [{scopes}]"));
        state(asker, wish, provider, (Field::Scopes, &format!("scopes, with spaces between{end}")))?;
    }
    if !wish.has(Field::Audience) && asks.is_none_or(|asks| !asks.audience.is_empty()) {
        let required = judged::demand(Field::Audience, provider).is_some();
        let question = format!("audience: the API that tokens are for{}", needed(required));
        state(asker, wish, provider, (Field::Audience, &question))?;
    }
    if !wish.has(Field::Resource) && judged::demand(Field::Resource, provider).is_some() {
        state(asker, wish, provider, (Field::Resource, "resource: the API as a URI"))?;
    }
    for name in asks.into_iter().flat_map(|asks| &asks.required_params) {
        let mut params = wish.pairs(Field::Params);
        if params.iter().all(|(known, _)| known != name) {
            let value = until(asker, &format!("{name}: this provider wants it as a parameter"), |text| {
                if text.is_empty() { Err("it is needed".to_owned()) } else { Ok(text.to_owned()) }
            })?;
            params.push((name.clone(), value));
            wish.set(Field::Params, Value::Pairs(params));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
