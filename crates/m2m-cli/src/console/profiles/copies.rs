//! "Copy as": the eight forms of `m2m profile export`, one behind the other. A radio group chooses, so that it works by
//! keyboard and without JavaScript.
//!
//! Enforces: to look at a profile of a file that was only found calls nobody.

use maud::{Markup, html};

use super::draft::Draft;
use crate::Surroundings;
use crate::args::ExportForm;
use crate::commands::profile::export;
use crate::console::page::{Tone, copyable, isolated, notice};
use crate::exit::Failure;
use crate::settings::field::Field;

/// Each form with its name in addresses and its label.
const FORMS: [(ExportForm, &str, &str); 8] = [
    (ExportForm::Cli, "cli", "CLI"),
    (ExportForm::Curl, "curl", "curl"),
    (ExportForm::Env, "env", "env"),
    (ExportForm::Rust, "rust", "Rust"),
    (ExportForm::Toml, "toml", "TOML"),
    (ExportForm::Kubernetes, "kubernetes", "Kubernetes"),
    (ExportForm::Envoy, "envoy", "Envoy"),
    (ExportForm::Compose, "compose", "docker compose"),
];

/// The profile in every form.
pub(crate) async fn markup(draft: &Draft, around: &Surroundings) -> Markup {
    if !draft.wish.secrets.is_empty() {
        return html! { p { "The secret that was pasted has no place yet that a copy could name. Save the profile first." } };
    }
    let mut copies = Vec::new();
    for (form, name, label) in FORMS {
        copies.push((name, label, copy(form, draft, around).await));
    }
    html! {
        p { "A secret is named, never written: each copy can be committed." }
        div.tabs {
            fieldset.tabbar {
                legend.quiet { "Form" }
                @for (index, (name, label, _)) in copies.iter().enumerate() {
                    span.tab {
                        input #{ "copy-" (name) } type="radio" name="copy" value=(name) checked[index == 0];
                        label for={ "copy-" (name) } { (label) }
                    }
                }
            }
            @for (name, label, text) in &copies {
                div class={ "panel of-" (name) } {
                    @match text {
                        Ok(text) => (copyable(&format!("text-{name}"), label, text)),
                        Err(failure) => (notice(Tone::Careful, &format!("Not as {label}"), &html! {
                            p { (isolated(failure.message())) }
                            @if let Some(hint) = failure.advice() { p { (isolated(hint)) } }
                        }))
                    }
                }
            }
        }
    }
}

async fn copy(form: ExportForm, draft: &Draft, around: &Surroundings) -> Result<String, Failure> {
    let name = if draft.name.is_empty() { "m2m" } else { &draft.name };
    let settings = draft.settings()?;
    let asks = matches!(form, ExportForm::Curl | ExportForm::Envoy) && settings.text(Field::Issuer).is_some();
    if let (true, Some(why)) = (asks, &draft.commands) {
        return Err(Failure::configuration("this form asks the issuer for its metadata").hint(why));
    }
    export::text(form, name, &settings, around).await
}
