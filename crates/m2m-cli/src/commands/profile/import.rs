//! `m2m profile import`: a profile of JSON that others write: the camelCase of JavaScript programs, our own, and key
//! files of service accounts.
//!
//! The provider is recognised by the token endpoint. A secret that stands in the file goes to a place of its own, and
//! that is said; the file itself is not touched.

mod literal;
mod members;

use std::io::Read as _;
use std::path::Path;

use m2m_client::provider::{self, Provider, Recognised};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::uri::EndpointUri;

use self::members::Imported;
use super::powers::{self, Word};
use super::wish::Wish;
use super::{add, written};
use crate::Surroundings;
use crate::args::ProfileImport;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::settings;
use crate::settings::field::{Field, Group};
use crate::settings::file::Profile;
use crate::settings::grant;
use crate::settings::value::Value;

const MAX_BYTES: u64 = 256 * 1024;
const STDIN: &str = "-";

pub(super) async fn run(typed: &ProfileImport, around: &Surroundings) -> Result<Exit, Failure> {
    if typed.file == Path::new(STDIN) && typed.profile.secret_stdin {
        return Err(Failure::usage("standard input holds the JSON; it cannot hold the secret too"));
    }
    let flags = Wish::stated(settings::typed(&typed.profile)?, around).await?;
    let path = match typed.file == Path::new(STDIN) {
        true => around.directory.join("standard input"),
        false => around.directory.join(&typed.file),
    };
    let text = read(&typed.file, &path)?;
    let read =
        members::read(&path, &text, &flags.values).map_err(|failure| renamed(failure, typed, &path))?;
    let Imported { name, mut wish, ignored, token_url } = read;
    let told = Told { ignored, holds_secret: !wish.secrets.is_empty() };
    recognise(&mut wish, token_url.as_deref(), &flags, around);
    let typed_fields: Vec<Field> = flags.values.keys().copied().collect();
    overlay(&mut wish, flags);
    settle_grant(&mut wish);
    let name = typed.name.clone().or(name).or_else(|| around.global.profile.clone());
    let name = name.unwrap_or_else(|| default_name(&wish, &path));
    let target = written::target(&typed.destination, &name, around).map_err(|failure| match typed.name {
        Some(_) => failure,
        None => failure.hint("--force replaces it; or choose another name: --name NAME"),
    })?;
    wish.check()?;
    let mut theirs = wish.values.clone();
    theirs.retain(|field, _| !typed_fields.contains(field));
    allow(typed, &name, &theirs, around)?;
    let written = wish.write(&name, target, &typed.destination, around).await?;
    told.tell(typed, &path, around);
    add::warn_of_variables(around)?;
    if around.output.reader() == Reader::Person {
        around.output.note(&format!("try it: m2m profile test {name}"));
    }
    add::tell(&name, &written, None, around)?;
    Ok(Exit::Ok)
}

/// What a person has to know of the file.
struct Told {
    /// What was passed over.
    ignored: Vec<String>,
    /// Whether a secret stands in it.
    holds_secret: bool,
}

impl Told {
    fn tell(self, typed: &ProfileImport, path: &Path, around: &Surroundings) {
        for member in self.ignored {
            around.output.note(&format!("{member} is passed over: it is no setting"));
        }
        if self.holds_secret && typed.file != Path::new(STDIN) {
            around
                .output
                .warn(&format!("{} still holds the secret: take it out or delete the file", path.display()));
        }
    }
}

/// Says what somebody else's file does from our own, and asks about what it runs, before anything is written.
fn allow(typed: &ProfileImport, name: &str, theirs: &Profile, around: &Surroundings) -> Result<(), Failure> {
    for sentence in powers::sentences(name, theirs) {
        around.output.warn(&sentence);
    }
    let word = match typed.file == Path::new(STDIN) {
        _ if typed.allow_command => Word::Given,
        true => Word::Missing,
        false => Word::of_terminal(),
    };
    powers::allow(theirs, word)
}

/// Standard input has no path.
fn renamed(failure: Failure, typed: &ProfileImport, path: &Path) -> Failure {
    if typed.file != Path::new(STDIN) {
        return failure;
    }
    let message = failure.message().replace(&path.display().to_string(), "standard input");
    Failure::configuration(message).hint(failure.advice().unwrap_or_default())
}

fn read(file: &Path, path: &Path) -> Result<String, Failure> {
    let failed = |why: String| Failure::configuration(format!("{}: {why}", path.display()));
    let bytes = if file == Path::new(STDIN) {
        let mut bytes = Vec::new();
        let read = std::io::stdin().lock().take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|error| failed(error.to_string()))?;
        bytes
    } else {
        m2m_io::file::read_file(path, MAX_BYTES).map_err(|error| failed(error.to_string()))?
    };
    String::from_utf8(bytes).map_err(|_| failed("not UTF-8 text".to_owned()))
}

/// What flags say wins; one credential, one server.
fn overlay(wish: &mut Wish, flags: Wish) {
    for group in [Group::Server, Group::Credential] {
        let is = |field: &Field| field.group() == Some(group) && *field != Field::Provider;
        if flags.values.keys().any(is) {
            wish.values.retain(|field, _| !is(field));
            wish.secrets.retain(|field, _| !is(field));
        }
    }
    let mut variables = wish.pairs(Field::Variables);
    let typed = flags.pairs(Field::Variables);
    let known = wish.text(Field::Provider).or(flags.text(Field::Provider)).and_then(provider::find);
    // A variable that only filled a placeholder is done with.
    let of_provider = |name: &str| {
        known.is_none_or(|provider| provider.variables.iter().any(|variable| variable.name == name))
    };
    variables.retain(|(name, _)| typed.iter().all(|(other, _)| other != name));
    variables.extend(typed.into_iter().filter(|(name, _)| of_provider(name)));
    wish.values.extend(flags.values.into_iter().filter(|(field, _)| *field != Field::Variables));
    wish.secrets.extend(flags.secrets);
    if known.is_some() && !variables.is_empty() {
        wish.set(Field::Variables, Value::Pairs(variables));
    }
}

/// The provider behind the token endpoint, where nobody named one.
fn recognise(wish: &mut Wish, written: Option<&str>, flags: &Wish, around: &Surroundings) {
    let Some(url) = wish.text(Field::TokenUrl).map(str::to_owned) else { return };
    let mut found = provider::recognise(&url);
    if let (true, Some(written)) = (found.is_empty(), written) {
        found = by_examples(written);
    }
    if let Some(name) = flags.text(Field::Provider).or(wish.text(Field::Provider)) {
        // The provider's own endpoint need not be stated.
        let named = provider::find(name);
        if let Some(same) =
            found.iter().find(|found| Some(&found.provider.id) == named.map(|named| &named.id))
        {
            take(wish, same);
        }
        return;
    }
    let Some(chosen) = choose(&found, wish) else { return };
    take(wish, chosen);
    let typed = flags.pairs(Field::Variables);
    let variables = wish.pairs(Field::Variables).into_iter();
    let variables: Vec<String> = variables
        .filter(|(name, _)| typed.iter().all(|(known, _)| known != name))
        .map(|(name, value)| format!(", {name} {value}"))
        .collect();
    around.output.note(&format!("recognised {}{}", chosen.provider.name, variables.concat()));
}

/// The providers whose token endpoint this is when its `{placeholders}` are the examples of their variables. What fills
/// them really is known by the flags.
fn by_examples(written: &str) -> Vec<Recognised> {
    let mut all = Vec::new();
    for provider in provider::all().iter().filter(|provider| provider.is_usable()) {
        let filled = provider.variables.iter().fold(written.to_owned(), |text, variable| {
            text.replace(&format!("{{{}}}", variable.name), &variable.example)
        });
        if filled != written {
            let own = |found: &Recognised| found.provider.id == provider.id;
            all.extend(provider::recognise(&filled).into_iter().filter(own));
        }
    }
    all
}

fn take(wish: &mut Wish, found: &Recognised) {
    let is_default = |name: &str, value: &str| {
        let mut variables = found.provider.variables.iter();
        variables.any(|variable| variable.name == name && variable.default.as_deref() == Some(value))
    };
    let mut variables = wish.pairs(Field::Variables);
    for (name, value) in &found.variables {
        if !is_default(name, value) && variables.iter().all(|(known, _)| known != name) {
            variables.push((name.clone(), value.clone()));
        }
    }
    wish.values.remove(&Field::TokenUrl);
    wish.set(Field::Provider, Value::Text(found.provider.id.clone()));
    if !variables.is_empty() {
        wish.set(Field::Variables, Value::Pairs(variables));
    }
}

/// Of several grants at one endpoint, the one that the credential is for.
fn choose<'a>(found: &'a [Recognised], wish: &Wish) -> Option<&'a Recognised> {
    let key = ClientAuthMethod::PrivateKeyJwt.as_str();
    let method = wish.text(Field::ClientAuthMethod).or_else(|| wish.has(Field::PrivateKey).then_some(key));
    let takes = |provider: &Provider, method: &str| provider.auth.methods.iter().any(|known| known == method);
    let by_method = method.and_then(|method| found.iter().find(|found| takes(found.provider, method)));
    let by_key = || found.iter().find(|found| wish.has(Field::PrivateKey) && found.provider.assertion.grant);
    by_method.or_else(by_key).or_else(|| found.first())
}

/// Where a provider's key signs the grant and not the client, what others call `private_key_jwt` is that.
fn settle_grant(wish: &mut Wish) {
    let provider = wish.text(Field::Provider).and_then(provider::find);
    let signs = provider.is_some_and(|provider| provider.assertion.grant);
    let method = wish.text(Field::ClientAuthMethod);
    if signs
        && wish.has(Field::PrivateKey)
        && method.is_none_or(|method| method == ClientAuthMethod::PrivateKeyJwt.as_str())
    {
        wish.values.remove(&Field::ClientAuthMethod);
        if !wish.has(Field::Grant) {
            wish.set(Field::Grant, Value::Text(grant::JWT_BEARER.to_owned()));
        }
    }
}

/// After the provider, the server's host, or the file.
fn default_name(wish: &Wish, path: &Path) -> String {
    let host = || {
        let url = wish.text(Field::TokenUrl).or(wish.text(Field::Issuer))?;
        let uri = EndpointUri::parse(url).ok()?;
        let host = uri.uri().host()?.to_owned();
        host.split('.').next().filter(|label| label.parse::<u8>().is_err()).map(str::to_owned)
    };
    let stem = || path.file_stem().and_then(|stem| stem.to_str()).map(str::to_owned);
    let named = wish.text(Field::Provider).map(str::to_owned).or_else(host).or_else(stem);
    let name: String = named
        .unwrap_or_default()
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' })
        .collect();
    if super::check_name(&name).is_ok() { name } else { "imported".to_owned() }
}
