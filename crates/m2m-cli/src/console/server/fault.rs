//! Pages that say why there is no other page.

use axum::response::Response;
use http::header::RETRY_AFTER;
use http::{HeaderValue, StatusCode};
use m2m_authorization_server::admin::SCOPE_WRITE;
use maud::{Markup, html};

use super::Turned;
use super::calls::Refusal;
use super::visit::Visit;
use crate::console::page::{Tone, notice};

/// Why the admin API refuses, and what to do.
pub(super) fn page(visit: &Visit<'_>, refusal: &Refusal) -> Response {
    let (title, advice) = words(refusal);
    let detail = html! { @if !refusal.detail.is_empty() { p { bdi { (refusal.detail) } "." } } };
    let main = html! {
        (notice(Tone::Bad, title, &html! { (detail) p { (advice) } }))
        div.row { a.button.second href=(visit.to("", &[])) { "Overview" } }
    };
    let mut response = visit.page(refusal.status, title, html! {}, &main);
    if let Some(seconds) = refusal.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn words(refusal: &Refusal) -> (&'static str, Markup) {
    match refusal.status.as_u16() {
        403 => (
            "Not allowed",
            html! {
                "The token of this session may not do this. Changing anything needs " code { (SCOPE_WRITE) }
                ": sign out, and sign in as a client that has it."
            },
        ),
        404 => ("Not there", html! { "It was deleted, or the address is mistyped." }),
        409 => ("It cannot be done as things are", html! { "Look at it again, then decide." }),
        412 => {
            ("Somebody was faster", html! { "It was changed since this page was shown. Look at it again." })
        }
        429 => (
            "Too many calls",
            html! { "Wait for " (refusal.retry_after.unwrap_or(1)) " s, then load the page again." },
        ),
        503 => (
            "Not now",
            html! {
                "The server cannot do it at the moment. Look whether a change was made before you repeat it."
            },
        ),
        400 | 422 => ("The server refuses this", html! { "Go back and mend it." }),
        _ => ("The server failed", html! { "Its log says why." }),
    }
}

/// A form that is none of this session's.
pub(super) fn turned(visit: &Visit<'_>, turned: Turned) -> Response {
    let (status, title) = match turned {
        Turned::Foreign => (StatusCode::FORBIDDEN, "This form is not of this session"),
        Turned::Unreadable => (StatusCode::BAD_REQUEST, "This form cannot be read"),
    };
    let main = notice(
        Tone::Bad,
        title,
        &html! {
            p { "Nothing was changed. The console is at " code { (visit.console.origin) (visit.console.root()) }
                "; load the page there again, then send it." }
        },
    );
    visit.page(status, title, html! {}, &main)
}
