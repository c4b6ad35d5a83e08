//! Pieces of pages that are no form and no table.

use maud::{Markup, html};

use crate::commands::admin::moment::rfc3339;

/// How a notice is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It was done.
    Good,
    /// To be known before going on.
    Careful,
    /// It failed.
    Bad,
    /// For information.
    Plain,
}

impl Tone {
    pub(crate) fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Careful => "careful",
            Self::Bad => "bad",
            Self::Plain => "plain",
        }
    }
}

/// A text apart, with a word before it that says how it is meant; colour is never the only sign.
pub(crate) fn notice(tone: Tone, title: &str, text: &Markup) -> Markup {
    let role = if tone == Tone::Bad { "alert" } else { "status" };
    html! {
        div class={ "notice " (tone.class()) } role=(role) {
            p.title { (title) }
            (text)
        }
    }
}

/// A point in time: UTC as it is sent; the script shows it in the reader's zone and keeps UTC as its title.
///
/// `seconds` since 1970.
pub(crate) fn moment(seconds: u64) -> Markup {
    let exact = rfc3339(seconds);
    let shown = exact.replace('T', " ").replace('Z', " UTC");
    html! { time datetime=(exact) title=(shown) { (shown) } }
}

/// A text that somebody else chose: its direction stays its own, and it breaks where it must.
pub(crate) fn isolated(text: &str) -> Markup {
    html! { bdi.foreign { (text) } }
}

/// Names and what stands for them.
pub(crate) fn facts<'a>(rows: impl IntoIterator<Item = (&'a str, Markup)>) -> Markup {
    html! {
        dl.facts {
            @for (name, value) in rows {
                div { dt { (name) } dd { (value) } }
            }
        }
    }
}

/// Nothing is here, and what to do next.
pub(crate) fn empty(text: &str, next: &Markup) -> Markup {
    html! { div.empty { p { (text) } (next) } }
}

/// A text to take away, with a button that copies it; without JavaScript the text is there to be marked.
///
/// `id` is unique on the page, `what` names the text for those who do not see where the button stands.
pub(crate) fn copyable(id: &str, what: &str, text: &str) -> Markup {
    html! {
        div.copyable {
            pre #(id) tabindex="0" role="region" aria-label=(what) { code { (text) } }
            button.small type="button" data-copy=(id) hidden { "Copy" span.quiet { " " (what) } }
        }
    }
}
