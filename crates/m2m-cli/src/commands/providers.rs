//! `m2m providers`: the catalogue of token services, and one entry of it explained.

use m2m_client::provider::{self, Hint, Provider, ProviderKind};
use serde_json::json;

use crate::Surroundings;
use crate::args::Providers;
use crate::exit::{Exit, Failure};
use crate::output::Reader;
use crate::settings::grant;
use crate::settings::method::{Method, needed};
use crate::settings::provider::find;

/// The width of explanations, in columns.
const WIDTH: usize = 80;

pub(crate) fn run(typed: &Providers, around: &Surroundings) -> Result<Exit, Failure> {
    let page = match typed.id.as_deref().map(find).transpose()? {
        None if around.output.reader() == Reader::Program => {
            let rows: Vec<_> = provider::all().iter().map(row).collect();
            around.output.json(&json!({"providers": rows}))?;
            return Ok(Exit::Ok);
        }
        Some(provider) if around.output.reader() == Reader::Program => {
            let value =
                serde_json::to_value(provider).map_err(|error| Failure::internal(error.to_string()))?;
            around.output.json(&value)?;
            return Ok(Exit::Ok);
        }
        None => list(),
        Some(provider) => explain(provider),
    };
    around.output.bytes(page.0.as_bytes())?;
    Ok(Exit::Ok)
}

fn row(provider: &Provider) -> serde_json::Value {
    json!({
        "id": provider.id,
        "name": provider.name,
        "aliases": provider.aliases,
        "kind": provider.kind,
        "summary": provider.summary,
        "docs": provider.docs,
        "methods": provider.auth.methods,
        "variables": provider.variables.iter().map(|variable| &variable.name).collect::<Vec<_>>(),
        "confidence": provider.confidence,
        "usable": provider.is_usable(),
    })
}

/// Lines of text.
#[derive(Default)]
struct Page(String);

impl Page {
    fn line(&mut self, text: &str) {
        self.0.push_str(text.trim_end());
        self.0.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.0.push('\n');
        self.line(text);
    }

    /// A command for a shell, on as many lines as it takes.
    fn command(&mut self, parts: &[String]) {
        let mut line = String::from(" ");
        for part in parts {
            if line.chars().count() + part.chars().count() > WIDTH - 3 {
                self.line(&format!("{line} \\"));
                line = "     ".to_owned();
            }
            line.push(' ');
            line.push_str(part);
        }
        self.line(&line);
    }

    /// `first` begins the first line; the others are indented as far.
    fn wrapped(&mut self, first: &str, text: &str) {
        let indent = " ".repeat(first.chars().count());
        let mut line = first.to_owned();
        for word in text.split_whitespace() {
            let fits = line.chars().count() + word.chars().count() < WIDTH;
            if !fits && line.trim() != first.trim() {
                self.line(&std::mem::replace(&mut line, indent.clone()));
            }
            if !line.ends_with(' ') && !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        self.line(&line);
    }
}

fn list() -> Page {
    let mut page = Page::default();
    let ids = provider::all().iter().map(|provider| provider.id.len());
    let width = ids.max().unwrap_or_default();
    for kind in ProviderKind::ALL {
        if !page.0.is_empty() {
            page.line("");
        }
        page.line(kind.title());
        for provider in provider::all().iter().filter(|provider| provider.kind == kind) {
            let aliases = match provider.aliases.as_slice() {
                [] => String::new(),
                aliases => format!(" ({})", aliases.join(", ")),
            };
            let mark = if provider.is_usable() { "" } else { "; gives no tokens here" };
            let first = format!("  {:<width$}  ", provider.id);
            page.wrapped(&first, &format!("{}{aliases}{mark}", provider.summary));
        }
    }
    page.heading("m2m providers ID explains one.");
    page
}

fn explain(provider: &Provider) -> Page {
    let mut page = Page::default();
    let also = match provider.aliases.as_slice() {
        [] => String::new(),
        aliases => format!(", also {}", aliases.join(", ")),
    };
    page.wrapped("", &format!("{} ({}{also})", provider.name, provider.id));
    page.wrapped("  ", &provider.summary);
    page.line(&format!("  {}", provider.docs));
    page.wrapped("  facts: ", &format!("{}: {}", provider.confidence.as_str(), provider.source));
    if let Some(reason) = &provider.reason {
        page.heading("No tokens from it");
        page.wrapped("  ", &format!("{reason}{}", marked(provider, "reason")));
    }
    variables(&mut page, provider);
    if provider.is_usable() {
        methods(&mut page, provider);
        asks(&mut page, provider);
        endpoints(&mut page, provider);
    }
    traps(&mut page, provider);
    errors(&mut page, provider);
    if provider.is_usable() {
        page.heading("To use it");
        page.command(&command(provider));
    }
    page
}

fn marked(provider: &Provider, path: &str) -> &'static str {
    if provider.is_unverified(path) { " (unverified)" } else { "" }
}

fn variables(page: &mut Page, provider: &Provider) {
    if provider.variables.is_empty() {
        return;
    }
    page.heading("Variables");
    let width = provider.variables.iter().map(|variable| variable.name.len()).max().unwrap_or_default();
    for (place, variable) in provider.variables.iter().enumerate() {
        let default = variable.default.as_ref().map_or_else(String::new, |default| match default.as_str() {
            "" => "; may be left out".to_owned(),
            default => format!("; default {default}"),
        });
        let mark = marked(provider, &format!("variables:{place}"));
        let text = format!("{}, such as {}{default}{mark}", variable.help, variable.example);
        page.wrapped(&format!("  {:<width$}  ", variable.name), &text);
    }
}

fn methods(page: &mut Page, provider: &Provider) {
    page.heading("Client authentication, the preferred way first");
    for method in &provider.auth.methods {
        let mark = marked(provider, &format!("auth.methods:{method}"));
        page.line(&format!("  {method}{mark}"));
    }
}

fn asks(page: &mut Page, provider: &Provider) {
    let request = &provider.request;
    let mut needs: Vec<String> = Vec::new();
    if request.audience_required {
        needs.push("audience".to_owned());
    }
    if request.scope_required {
        needs.push("scopes".to_owned());
    }
    if request.resource_required {
        needs.push("resource".to_owned());
    }
    needs.extend(request.required_params.iter().map(|name| format!("params.{name}")));
    page.heading("Request");
    let grant = if request.grant.is_empty() { "no grant_type is sent" } else { &request.grant };
    page.line(&format!("  grant      {grant}"));
    if !needs.is_empty() {
        page.line(&format!("  needs      {}", needs.join(", ")));
    }
    if !request.optional_params.is_empty() {
        page.wrapped("  may have   ", &request.optional_params.join(", "));
    }
    if !request.scopes.is_empty() {
        page.wrapped("  scopes     ", &format!("{} unless stated", request.scopes.join(" ")));
    }
    if let Some(lifetime) = provider.response.lifetime {
        page.line(&format!("  lifetime   {lifetime} s{}", marked(provider, "response.lifetime")));
    }
    if !provider.response.kept.is_empty() {
        page.line(&format!("  answers    {} too", provider.response.kept.join(", ")));
    }
}

fn endpoints(page: &mut Page, provider: &Provider) {
    let endpoints = &provider.endpoints;
    page.heading("Endpoints");
    let rows = [
        ("issuer", &endpoints.issuer),
        ("token", &endpoints.token),
        ("mtls_token", &endpoints.mtls_token),
        ("introspection", &endpoints.introspection),
        ("revocation", &endpoints.revocation),
    ];
    for (name, template) in rows.into_iter().filter_map(|(name, template)| Some((name, template.as_ref()?))) {
        let mark = marked(provider, &format!("endpoints.{name}"));
        page.line(&format!("  {name:<13}  {template}{mark}"));
    }
}

fn traps(page: &mut Page, provider: &Provider) {
    if provider.traps.is_empty() {
        return;
    }
    page.heading("Traps");
    for (place, trap) in provider.traps.iter().enumerate() {
        page.wrapped("  - ", &format!("{}{}", trap.text, marked(provider, &format!("traps:{place}"))));
    }
}

fn errors(page: &mut Page, provider: &Provider) {
    if provider.hints.is_empty() {
        return;
    }
    page.heading("What its errors mean");
    for (place, hint) in provider.hints.iter().enumerate() {
        page.wrapped("  - ", &format!("{}: {}", condition(hint), hint.cause));
        page.wrapped("    fix: ", &format!("{}{}", hint.fix, marked(provider, &format!("hints:{place}"))));
    }
}

fn condition(hint: &Hint) -> String {
    let parts = [
        hint.code.clone(),
        hint.contains.as_ref().map(|text| format!("\u{201c}{text}\u{201d}")),
        hint.status.map(|status| format!("status {status}")),
    ];
    parts.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// A command that makes a profile, with placeholders in capitals, in parts that stay on one line.
fn command(provider: &Provider) -> Vec<String> {
    let mut parts = vec![format!("m2m profile add NAME --provider {}", provider.id)];
    for variable in provider.variables.iter().filter(|variable| variable.default.is_none()) {
        parts.push(format!("--var {}={}", variable.name, variable.example));
    }
    let method =
        provider.auth.methods.first().and_then(|method| Method::parse(method)).unwrap_or(Method::None);
    if method != Method::None || provider.signs() {
        parts.push("--client-id ID".to_owned());
    }
    let credentials = needed(method, grant::of(provider), |_| false);
    parts.extend(credentials.into_iter().map(|(field, _)| format!("{} FILE", field.flag())));
    let request = &provider.request;
    let asked = [
        (request.audience_required, "--audience AUDIENCE"),
        (request.scope_required && request.scopes.is_empty(), "--scope SCOPE"),
        (request.resource_required, "--resource URI"),
    ];
    parts.extend(asked.into_iter().filter(|(is_required, _)| *is_required).map(|(_, part)| part.to_owned()));
    parts.extend(request.required_params.iter().map(|name| format!("--param {name}=VALUE")));
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_can_be_explained_within_the_width() {
        for provider in provider::all() {
            let page = explain(provider).0;
            for line in page.lines().filter(|line| line.contains(' ') && !line.contains("://")) {
                let width = line.chars().count();
                assert!(width <= WIDTH || line.trim().split(' ').count() < 4, "{}: {line}", provider.id);
            }
            assert!(page.contains(&provider.docs));
        }
    }

    #[test]
    fn the_command_names_what_the_method_and_the_grant_need() {
        let check = |id: &str, methods: &[&str], expect: &[&str]| {
            let mut provider = find(id).unwrap().clone();
            if !methods.is_empty() {
                provider.auth.methods = methods.iter().map(ToString::to_string).collect();
            }
            let parts = command(&provider);
            let credentials: Vec<&str> = parts
                .iter()
                .map(String::as_str)
                .filter(|part| part.starts_with("--client-id") || part.ends_with("-file FILE"))
                .collect();
            assert_eq!(credentials, expect, "{id} {methods:?}");
        };
        let (id, key) = ("--client-id ID", "--private-key-file FILE");
        check("auth0", &[], &[id, "--secret-file FILE"]);
        check("auth0", &["private_key_jwt"], &[id, key]);
        check("auth0", &["tls_client_auth"], &[id, "--certificate-file FILE", "--certificate-key-file FILE"]);
        check("entra", &["federated"], &[id, "--workload-token-file FILE"]);
        check("google-sts", &[], &["--workload-token-file FILE"]);
        check("auth0", &["none"], &[]);
        check("entra-managed-identity", &[], &[]);
        check("google-sa", &[], &[id, key]);
        check("box-jwt", &[], &[id, "--secret-file FILE", key]);
    }

    #[test]
    fn the_list_has_every_entry_once() {
        let page = list().0;
        for provider in provider::all() {
            let start = format!("\n  {} ", provider.id);
            assert_eq!(page.matches(&start).count(), 1, "{}", provider.id);
        }
    }
}
