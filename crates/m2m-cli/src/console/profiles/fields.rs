//! One field of the form: its label, help and example are those of the schema, and what holds where it is left empty
//! is said by the catalogue.

use m2m_client::provider::Provider;
use maud::{Markup, html};

use super::form::Form;
use crate::commands::profile::judged::{demand, has_lines};
use crate::console::page::Entry;
use crate::schema::{choices, example};
use crate::settings::field::{Field, Shape};

impl Form<'_> {
    /// One field with what the schema and the catalogue say of it.
    pub(super) fn entry(&self, field: Field) -> Markup {
        let help = help(field, self.provider());
        let known = choices(field);
        if field.shape() == Shape::Switch || !known.is_empty() {
            return self.select(field, &help, &known);
        }
        let offers = match (field, self.draft.metadata()) {
            (Field::Scopes, Some(found)) => found.metadata.scopes_supported.as_slice(),
            _ => &[],
        };
        let kind = if has_lines(field) { "area" } else { "" };
        Entry {
            name: field.key(),
            label: &field.title(),
            help: &help,
            value: self.typed.field(field),
            kind,
            required: demand(field, self.provider()).is_some()
                || matches!(field, Field::Issuer | Field::TokenUrl)
                    && self.provider().is_none()
                    && !help.contains("Leave"),
            check: Some(&self.check),
            chips: field == Field::Scopes,
            offers,
            ..Entry::default()
        }
        .markup(self.wrong)
    }

    fn select(&self, field: Field, help: &str, known: &[String]) -> Markup {
        let chosen = self.typed.field(field);
        let switch = [("true", "yes")];
        let options: Vec<(&str, &str)> = match field.shape() {
            Shape::Switch => switch.to_vec(),
            _ => known.iter().map(|text| (text.as_str(), text.as_str())).collect(),
        };
        let stated = !chosen.is_empty() && options.iter().all(|(value, _)| *value != chosen);
        let none = if field.shape() == Shape::Switch { "no" } else { "the default" };
        html! {
            div.field {
                label for=(field.key()) { (field.title()) span.optional { " (optional)" } }
                p.help #{ (field.key()) "-help" } { (help) }
                select #(field.key()) name=(field.key()) aria-describedby={ (field.key()) "-help" } {
                    option value="" { (none) }
                    @if stated { option value=(chosen) selected { (chosen) } }
                    @for (value, text) in options { option value=(value) selected[value == chosen] { (text) } }
                }
            }
        }
    }
}

/// The sentence of the field, an example, and what the provider does where it is left empty.
fn help(field: Field, provider: Option<&Provider>) -> String {
    let mut help = field.help().to_owned();
    let scopes = provider.map(|provider| provider.request.scopes.join(" ")).unwrap_or_default();
    match field {
        Field::Scopes if !scopes.is_empty() => help = format!("{help} Empty: {scopes}"),
        Field::Scopes => help.push_str(" With spaces between."),
        Field::Params => help.push_str(" NAME=VALUE, one on a line."),
        Field::Resource | Field::Destinations => help.push_str(" One on a line."),
        Field::Issuer | Field::TokenUrl if provider.is_some() => {
            help.push_str(" Leave it empty: the provider's own is known.");
        }
        _ => {}
    }
    match example(field) {
        Some(text) if !text.starts_with("Default") && field != Field::Scopes => {
            format!("{help} For example {text}")
        }
        _ => help,
    }
}
