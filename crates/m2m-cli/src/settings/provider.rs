//! The lowest layer but the defaults: what the provider catalogue fills in for a profile that names a provider.

use m2m_client::AssertionAudienceRule;
use m2m_client::provider::{self, Preset, Provider, Urls};
use m2m_proto::client_auth::{BasicEncoding, ClientAuthMethod};

use super::Settings;
use super::field::{Field, nearest};
use super::grant;
use super::method::{Method, fitting};
use super::value::{Origin, Profile, Sourced, Value};
use crate::exit::Failure;

/// The provider of that name.
///
/// # Errors
/// Exit 3: there is none; the hint names the nearest.
pub fn find(name: &str) -> Result<&'static Provider, Failure> {
    provider::find(name).ok_or_else(|| {
        let known = provider::all().iter().flat_map(Provider::names);
        let hint = match nearest(name, known) {
            Some(near) => format!("did you mean {near}? m2m providers lists them all"),
            None => "m2m providers lists them all; without one, state issuer or token_url".to_owned(),
        };
        Failure::configuration(format!("there is no provider {name:?}")).hint(hint)
    })
}

/// What the named provider adds to what was stated; nothing where none is named.
///
/// # Errors
/// Exit 3: no such provider, or a variable is missing or cannot be.
pub(super) fn layer(settings: &Settings) -> Result<Option<(Preset, Profile)>, Failure> {
    let Some(name) = settings.text(Field::Provider) else {
        return match settings.pairs(Field::Variables).first() {
            Some((name, _)) => Err(settings
                .wrong(Field::Variables, format!("{name} is a variable of a provider, and none is named"))
                .hint("name one: --provider or provider = \"…\"")),
            None => Ok(None),
        };
    };
    let provider = find(name).map_err(|failure| {
        let hint = failure.advice().unwrap_or_default().to_owned();
        settings.wrong(Field::Provider, failure.message()).hint(hint)
    })?;
    let stated = |field| settings.text(field).is_some();
    let urls = match stated(Field::Issuer) || stated(Field::TokenUrl) {
        true => Urls::Stated,
        false => Urls::OfProvider,
    };
    let preset = provider.resolve_with(settings.pairs(Field::Variables), urls).map_err(|error| {
        settings
            .wrong(Field::Provider, format!("{}: {error}", provider.id))
            .hint(format!("m2m providers {} explains its variables", provider.id))
    })?;
    let values = values(settings, &preset, urls);
    Ok(Some((preset, values)))
}

fn values(settings: &Settings, preset: &Preset, urls: Urls) -> Profile {
    let provider = preset.provider();
    let mut layer = Profile::new();
    let mut put = |field: Field, value: Value| {
        layer.insert(field, Sourced { value, origin: Origin::Provider(provider.id.clone()) });
    };
    let method = method(settings, preset);
    if urls == Urls::OfProvider {
        let certificate = ClientAuthMethod::parse(&method).is_some_and(ClientAuthMethod::uses_certificate);
        // With a certificate the endpoint may be another; only metadata tells (RFC 8705 section 5).
        let discovered = certificate && provider.endpoints.mtls_token.is_none();
        let issuer = preset.issuer().filter(|_| discovered && !preset.discovery_urls().is_empty());
        match (issuer, preset.token_url_for(ClientAuthMethod::parse(&method))) {
            (Some(issuer), _) => put(Field::Issuer, text(issuer)),
            (None, Some(url)) => put(Field::TokenUrl, text(url)),
            (None, None) => {}
        }
        let endpoints = [
            (Field::IntrospectionUrl, preset.introspection_url()),
            (Field::RevocationUrl, preset.revocation_url()),
        ];
        for (field, url) in endpoints.into_iter().filter_map(|(field, url)| Some((field, url?))) {
            put(field, text(url));
        }
    }
    put(Field::ClientAuthMethod, Value::Text(method));
    put(Field::Grant, text(grant::of(provider)));
    let scopes = &provider.request.scopes;
    if !scopes.is_empty() {
        put(Field::Scopes, Value::List(scopes.clone()));
    }
    if let Some(lifetime) = preset.lifetime() {
        put(Field::FallbackLifetime, Value::Time(lifetime));
    }
    if provider.auth.basic_encoding == provider::BasicForm::Raw {
        put(Field::BasicEncoding, text(BasicEncoding::Raw.as_str()));
    }
    put(Field::AssertionAudience, text(&AssertionAudienceRule::of(preset).to_string()));
    layer
}

fn text(text: &str) -> Value {
    Value::Text(text.to_owned())
}

/// The first method of the provider for which the profile has what it takes; else its first.
fn method(settings: &Settings, preset: &Preset) -> String {
    let has = |field| settings.secret(field).is_some();
    fitting(preset.methods(), has).unwrap_or(Method::None.as_str()).to_owned()
}
