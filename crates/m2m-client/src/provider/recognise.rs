//! From a token endpoint's URL to the provider behind it.

use regex_lite::Regex;

use super::all;
use super::entry::{Provider, VariableKind};
use crate::template::names;

/// A provider that has this token endpoint.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Recognised {
    /// The provider.
    pub provider: &'static Provider,
    /// What its variables must be.
    pub variables: Vec<(String, String)>,
}

/// The providers whose token endpoint this URL is, the most particular ones
/// only; several where a service has several grants at one endpoint.
///
/// Where a provider runs under any host name, only the vendor's own domain is
/// recognised: that of the variable's example.
#[must_use]
pub fn recognise(token_url: &str) -> Vec<Recognised> {
    let mut best = (0, Vec::new());
    for provider in all().iter().filter(|provider| provider.is_usable()) {
        let Some(template) = &provider.endpoints.token else { continue };
        let Some(variables) = matched(provider, template, token_url) else { continue };
        let weight = template.len() - names(template).map(|name| name.len() + 2).sum::<usize>();
        if weight > best.0 {
            best = (weight, Vec::new());
        }
        if weight == best.0 {
            best.1.push(Recognised { provider, variables });
        }
    }
    best.1
}

fn matched(provider: &Provider, template: &str, url: &str) -> Option<Vec<(String, String)>> {
    let mut pattern = String::from("^");
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (_, after) = after.split_once('}')?;
        pattern.push_str(&regex_lite::escape(before));
        pattern.push_str("([^/?#]+?)");
        rest = after;
    }
    pattern.push_str(&regex_lite::escape(rest));
    pattern.push_str("/?$");
    let captures = Regex::new(&pattern).ok()?.captures(url)?;
    let mut variables = Vec::new();
    for (index, name) in names(template).enumerate() {
        let value = captures.get(index + 1)?.as_str();
        let variable = provider.variables.iter().find(|variable| variable.name == name)?;
        // The vendor's own host may be the default and stand in no example.
        let hosts = std::iter::once(&variable.example).chain(&variable.default);
        if variable.kind == VariableKind::Host && !hosts.into_iter().any(|host| same_domain(value, host)) {
            return None;
        }
        variables.push((name.to_owned(), value.to_owned()));
    }
    Some(variables)
}

/// Whether two host names end in the same two labels.
fn same_domain(host: &str, example: &str) -> bool {
    let domain = |text: &str| {
        let labels: Vec<&str> = text.rsplit('.').take(2).collect();
        (labels.len() == 2).then(|| labels.join(".").to_ascii_lowercase())
    };
    domain(example).is_some_and(|ours| !ours.starts_with("com.example") && domain(host) == Some(ours))
}
