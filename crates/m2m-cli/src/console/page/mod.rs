//! What a page looks like: one document, complete in one answer.
//!
//! Enforces: style and script stand in the page and are named by their hashes in the policy, so nothing else that
//! looks like style or script runs; nothing is fetched from anywhere else; no page is kept by a cache or shown in a
//! frame. Text is escaped by maud wherever it comes from. Limits: a page has no inline `style` attribute and no event
//! attribute, for the policy refuses both.

mod chart;
mod field;
mod part;
mod table;

use std::sync::LazyLock;

use axum::response::{IntoResponse as _, Response};
use http::header::{self, HeaderName};
use http::{HeaderValue, StatusCode};
use m2m_proto::jose::{base64url, crypto};
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use chart::{Chart, Series};
pub(crate) use field::{Alternative, Choice, Entry, Problem, problems};
pub(crate) use part::{Tone, copyable, empty, facts, isolated, moment, notice};
pub(crate) use table::{Cell, Column, Table, View};

const STYLE: &str = concat!(include_str!("style.css"), include_str!("profiles.css"));
const SCRIPT: &str = concat!(include_str!("script.js"), include_str!("profiles.js"));

/// What the browser may load and do for a page: the two texts above, and forms to where the page is from.
static POLICY: LazyLock<HeaderValue> = LazyLock::new(|| {
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; connect-src 'self'; form-action 'self'; \
         base-uri 'none'; frame-ancestors 'none'",
        digest(STYLE),
        digest(SCRIPT)
    );
    HeaderValue::try_from(policy).unwrap_or(HeaderValue::from_static("default-src 'none'"))
});

/// A text as a source of the policy (CSP 3, section 2.3.1): base64 with padding.
fn digest(text: &str) -> String {
    let digest = base64url::encode(crypto::sha256(text.as_bytes()));
    format!("sha256-{}=", digest.replace('-', "+").replace('_', "/"))
}

/// A link in the navigation.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) label: &'static str,
    pub(crate) href: String,
    /// It leads to where the reader is.
    pub(crate) here: bool,
}

/// One page.
pub(crate) struct Page {
    /// What it is about, for the title and the one `h1`.
    pub(crate) title: String,
    /// Which console this is, and where its first page is.
    pub(crate) console: (&'static str, String),
    pub(crate) links: Vec<Link>,
    /// At the end of the header: who is signed in, and the way out.
    pub(crate) aside: Markup,
    /// What can be done with the thing as a whole, beside the heading.
    pub(crate) actions: Markup,
    pub(crate) main: Markup,
}

impl Page {
    /// The page as an answer.
    pub(crate) fn answer(self, status: StatusCode) -> Response {
        document(status, &self.markup().into_string())
    }

    fn markup(&self) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (self.title) " – " (self.console.0) }
                    link rel="icon" href="data:,";
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    a.skip href="#main" { "Skip to content" }
                    header.top {
                        a.brand href=(self.console.1) { (self.console.0) }
                        @if !self.links.is_empty() {
                            nav aria-label="Console" {
                                ul {
                                    @for link in &self.links {
                                        li { a href=(link.href) aria-current=[link.here.then_some("page")] { (link.label) } }
                                    }
                                }
                            }
                        }
                        div.aside { (self.aside) }
                    }
                    main #main tabindex="-1" {
                        div.heading { h1 { bdi { (self.title) } } div.actions { (self.actions) } }
                        (self.main)
                    }
                    // What the script says aloud: copied, checked, under way.
                    div #said.quiet role="status" aria-live="polite" {}
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        }
    }
}

/// A document under the policy.
fn document(status: StatusCode, text: &str) -> Response {
    let mut response = (status, text.to_owned()).into_response();
    let fixed: [(HeaderName, &str); 7] = [
        (header::CONTENT_TYPE, "text/html; charset=utf-8"),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not no-referrer: then browsers send `Origin: null` with our own forms.
        (header::REFERRER_POLICY, "same-origin"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    ];
    let headers = response.headers_mut();
    for (name, value) in fixed {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY.clone());
    response
}

#[cfg(test)]
mod tests;
