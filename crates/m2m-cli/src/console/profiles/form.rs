//! The form of one profile: where tokens come from, who asks, what for, and where the profile goes.
//!
//! Labels, help and examples are those of the schema and the catalogue. Advanced fields are closed, unless one of them
//! is filled in, wrong, or demanded.

use std::path::PathBuf;

use http::StatusCode;
use m2m_client::provider::Provider;
use m2m_proto::uri::EndpointUri;
use maud::{Markup, html};

use super::credentials::Credential;
use super::discovered::Discovered;
use super::draft::{Draft, Standing, files};
use super::filled::{texts, title};
use super::typed::{Typed, param, variable};
use super::{Desk, short};
use crate::Surroundings;
use crate::args::Destination;
use crate::commands::profile::judged::demand;
use crate::commands::profile::written;
use crate::console::page::{Alternative, Choice, Entry, Problem, Tone, facts, isolated, notice, problems};
use crate::schema::capital;
use crate::settings::field::Field;
use crate::settings::method::Method;

/// Fields that stand in the open part of the form.
const OPEN: &[Field] = &[Field::ClientId, Field::Scopes, Field::Audience, Field::Resource];

/// The files that a new profile can go into: the user's own, and the `m2m.toml` that is in use.
pub(super) fn places(around: &Surroundings) -> Vec<PathBuf> {
    let own = written::path(&Destination::default(), around).ok();
    let found = files(around).map(|files| files.located).unwrap_or_default();
    let found = found.into_iter().map(|located| around.directory.join(located.document.path));
    let mut places: Vec<PathBuf> = Vec::new();
    for path in own.into_iter().chain(found) {
        if !places.contains(&path) {
            places.push(path);
        }
    }
    places
}

/// Why a method cannot be chosen.
pub(super) fn refusal(draft: &Draft, method: Method) -> Option<String> {
    match draft.provider() {
        Some(provider) => {
            let known = provider.auth.methods.iter().any(|name| name == method.as_str());
            (!known).then(|| format!("{} does not take it.", provider.name))
        }
        None => draft.metadata().and_then(|found| found.refuses(method.as_str())),
    }
}

/// The page.
pub(super) fn page(desk: &Desk, draft: &Draft, typed: &Typed, wrong: &[Problem]) -> axum::response::Response {
    let heading = match (draft.standing, draft.provider()) {
        (Standing::Kept, _) => format!("Change {}", short(&draft.name)),
        (Standing::New, Some(provider)) => format!("New profile for {}", provider.name),
        (Standing::New, None) => "New profile".to_owned(),
    };
    let status = if wrong.is_empty() { StatusCode::OK } else { StatusCode::UNPROCESSABLE_ENTITY };
    let form = Form { desk, draft, typed, wrong, check: format!("check?draft={}", draft.id) };
    desk.page(heading, html! {}, form.markup()).answer(status)
}

pub(super) struct Form<'a> {
    desk: &'a Desk,
    pub(super) draft: &'a Draft,
    pub(super) typed: &'a Typed,
    pub(super) wrong: &'a [Problem],
    /// Where fields are checked.
    pub(super) check: String,
}

impl Form<'_> {
    fn around(&self) -> &Surroundings {
        &self.desk.console.around
    }

    pub(super) fn provider(&self) -> Option<&'static Provider> {
        self.draft.provider()
    }

    fn method(&self) -> Option<Method> {
        Method::parse(self.typed.field(Field::ClientAuthMethod))
    }

    fn markup(&self) -> Markup {
        html! {
            (problems(self.wrong))
            (self.recognised())
            @if self.draft.tested.is_some() {
                p.quietly data-stale hidden { "Changed since the last test: its result does not speak of these settings." }
            }
            form method="post" action="form" novalidate data-busy="Under way: this can take as long as the server does" {
                (self.desk.csrf())
                input type="hidden" name="draft" value=(self.draft.id);
                // Enter in a field is this one, so that nothing is written by it.
                button.quiet tabindex="-1" aria-hidden="true" name="do" value="test" {}
                section { h2 { "Where tokens come from" } (self.server()) }
                section { h2 { "Who asks for them" } (self.entry(Field::ClientId)) (self.methods()) (self.credentials()) }
                section { h2 { "What to ask for" } (self.ask()) }
                (self.advanced())
                section { h2 { "Name" } (self.name()) }
                div.row.end {
                    button name="do" value="both" { "Save and test" }
                    button.second name="do" value="test" { "Test" }
                    button.second name="do" value="save" { "Save" }
                    a href={ @match self.draft.standing {
                        Standing::New => "./",
                        Standing::Kept => { "result?draft=" (self.draft.id) }
                    } } { "Cancel" }
                }
                p.help { "A test asks the server for one token, and saves nothing. What is saved need not be tested." }
            }
        }
    }

    /// A URL was typed, and the catalogue knows it.
    fn recognised(&self) -> Markup {
        let (Some(url), Some(provider)) = (&self.draft.recognised, self.provider()) else { return html! {} };
        let query = as_token_url(url);
        notice(
            Tone::Plain,
            &format!("This is the token endpoint of {}", provider.name),
            &html! {
                p { "What is known about it is filled in. Or " a href={ "new?" (query) } { "use the URL and nothing else" } "." }
            },
        )
    }

    fn server(&self) -> Markup {
        html! {
            @if let Some(provider) = self.provider() {
                p { (provider.summary) ". "
                    a href=(provider.docs) rel="noreferrer noopener" target="_blank" { "Documentation of " (provider.name) } " (another site)" }
                @for known in &provider.variables {
                    @let name = variable(&known.name);
                    (Entry {
                        name: &name,
                        label: &title(&known.name),
                        help: &variable_help(known),
                        value: self.typed.get(&name),
                        required: known.default.is_none(),
                        check: Some(&self.check),
                        ..Entry::default()
                    }.markup(self.wrong))
                }
                @if !provider.traps.is_empty() {
                    details { summary { "What people get wrong with " (provider.name) }
                        ul { @for trap in &provider.traps { li { (trap.text) } } } }
                }
            } @else if self.typed.field(Field::TokenUrl).is_empty() || !self.typed.field(Field::Issuer).is_empty() {
                (self.entry(Field::Issuer))
                (self.discovered())
            } @else {
                (self.entry(Field::TokenUrl))
            }
        }
    }

    fn discovered(&self) -> Markup {
        match &self.draft.discovered {
            None => html! {},
            Some(Err(why)) => {
                let issuer = self.typed.field(Field::Issuer);
                let query = as_token_url(issuer);
                notice(
                    Tone::Careful,
                    "No metadata were found there",
                    &html! {
                        p { (isolated(why)) }
                        p { "Is the issuer right, to the last slash? If this is the token endpoint itself: "
                            a href={ "new?" (query) } { "use it as the token URL" } "." }
                    },
                )
            }
            Some(Ok(found)) => html! {
                details open { summary { "What its metadata say" } (metadata(found)) }
            },
        }
    }

    fn methods(&self) -> Markup {
        let options: Vec<Alternative> = Method::ALL
            .into_iter()
            .map(|method| Alternative {
                value: method.as_str().to_owned(),
                label: method.as_str().to_owned(),
                help: format!("{}.", capital(method.title())),
                refused: refusal(self.draft, method),
            })
            .collect();
        let (possible, refused): (Vec<_>, Vec<_>) =
            options.into_iter().partition(|option| option.refused.is_none());
        let options: Vec<_> = possible.into_iter().chain(refused).collect();
        let chosen = [self.typed.field(Field::ClientAuthMethod).to_owned()];
        Choice {
            name: Field::ClientAuthMethod.key(),
            label: "How the client proves who it is",
            help: "",
            options: &options,
            chosen: &chosen,
            several: false,
        }
        .markup(self.wrong)
    }

    fn credentials(&self) -> Markup {
        let possible = |method: &Method| refusal(self.draft, *method).is_none();
        let usable = |credential: &Credential| {
            credential.methods.as_ref().is_none_or(|methods| methods.iter().any(possible))
        };
        let method = self.method();
        html! {
            @for credential in Credential::all(self.draft).into_iter().filter(usable) {
                @let beside = (credential.field == Field::PrivateKey).then(|| self.entry(Field::KeyId));
                (credential.markup(self.draft, self.typed, (method, beside), self.wrong, self.around()))
            }
        }
    }

    fn ask(&self) -> Markup {
        let asks = self.provider().map(|provider| &provider.request);
        html! {
            (self.entry(Field::Scopes))
            @if asks.is_none_or(|asks| !asks.audience.is_empty()) || !self.typed.field(Field::Audience).is_empty() {
                (self.entry(Field::Audience))
            }
            @for name in asks.into_iter().flat_map(|asks| &asks.required_params) {
                @let field = param(name);
                (Entry { name: &field, label: &title(name), help: "A parameter that this service demands.",
                    value: self.typed.get(&field), required: true, ..Entry::default() }.markup(self.wrong))
            }
            @if self.is_open(Field::Resource) { (self.entry(Field::Resource)) }
        }
    }

    /// Whether a field that is seldom needed stands in the open part.
    fn is_open(&self, field: Field) -> bool {
        demand(field, self.provider()).is_some() || self.provider().is_none()
    }

    fn advanced(&self) -> Markup {
        let first = if self.provider().is_some() { None } else { Some(Field::Issuer) };
        let url = self.typed.field(Field::Issuer).is_empty() && !self.typed.field(Field::TokenUrl).is_empty();
        let first = if url { Some(Field::TokenUrl) } else { first };
        let audience = self.provider().is_none_or(|provider| !provider.request.audience.is_empty());
        let is_here = |field: &Field| {
            first != Some(*field)
                && !(OPEN.contains(field) && (*field != Field::Resource || self.is_open(Field::Resource)))
                && !(*field == Field::Audience && audience)
                && *field != Field::KeyId
        };
        let fields: Vec<Field> = texts().filter(is_here).collect();
        let dpop = Credential::dpop();
        let is_filled = |field: &Field| !self.typed.field(*field).is_empty();
        let is_wrong = |field: &Field| self.wrong.iter().any(|problem| problem.field == field.key());
        let open = fields.iter().any(|field| is_filled(field) || is_wrong(field))
            || self.draft.wish.has(Field::Dpop);
        html! {
            details.advanced open[open] {
                summary { "Advanced" }
                div.grid { @for field in fields { (self.entry(field)) } }
                details.credential open[self.draft.wish.has(Field::Dpop)] { summary { (Field::Dpop.title()) span.optional { " (optional)" } }
                    (dpop.places(self.draft, (self.typed, None), self.wrong, self.around())) }
            }
        }
    }

    fn name(&self) -> Markup {
        if self.draft.standing == Standing::Kept {
            return html! { p { bdi { strong { (short(&self.draft.name)) } } " in " (isolated(&self.draft.file.display().to_string())) } };
        }
        let options: Vec<Alternative> = places(self.around())
            .iter()
            .map(|path| Alternative {
                value: path.display().to_string(),
                label: path.display().to_string(),
                help: if path.exists() {
                    "It is there; the rest of it stays as it is."
                } else {
                    "It is made."
                }
                .to_owned(),
                refused: None,
            })
            .collect();
        let chosen = [self.draft.file.display().to_string()];
        html! {
            (Entry { name: "name", label: "Name", help: "What you will call it: m2m token -p NAME. Letters, digits, - _ and . only.",
                value: self.typed.get("name"), required: true, check: Some(&self.check), ..Entry::default() }.markup(self.wrong))
            @if options.len() > 1 {
                (Choice { name: "file", label: "File", help: "", options: &options, chosen: &chosen, several: false }.markup(self.wrong))
            } @else { p.help { "It goes into " (isolated(&self.draft.file.display().to_string())) "." } }
        }
    }
}

/// What of the metadata concerns a client.
fn metadata(found: &Discovered) -> Markup {
    let metadata = &found.metadata;
    let url = |url: &Option<EndpointUri>| match url {
        Some(url) => isolated(url.as_str()),
        None => html! { span.faint { "none" } },
    };
    let list = |list: &[String]| match list {
        [] => html! { span.faint { "not said" } },
        list => isolated(&list.join(" ")),
    };
    let methods = metadata.token_endpoint_auth_methods_supported.as_deref().unwrap_or_default();
    facts([
        ("Read from", isolated(&found.url)),
        ("Token endpoint", url(&metadata.token_endpoint)),
        ("Introspection", url(&metadata.introspection_endpoint)),
        ("Revocation", url(&metadata.revocation_endpoint)),
        ("Keys", url(&metadata.jwks_uri)),
        ("Methods", list(methods)),
        ("Scopes", list(&metadata.scopes_supported)),
    ])
}

/// The address of a form for this token endpoint.
fn as_token_url(url: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.append_pair("url", url).append_pair("kind", Field::TokenUrl.key()).finish()
}

fn variable_help(known: &m2m_client::provider::Variable) -> String {
    let default = known.default.as_ref().map(|default| format!("; empty is {default}")).unwrap_or_default();
    format!("{}, such as {}{default}", capital(&known.help), known.example)
}
