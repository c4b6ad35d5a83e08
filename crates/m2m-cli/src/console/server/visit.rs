//! One request of somebody who is signed in, and the frame around every page.

use axum::response::{IntoResponse as _, Redirect, Response};
use http::StatusCode;
use m2m_authorization_server::ClientAddress;
use maud::{Markup, html};
use serde_json::Value;

use super::calls::{Call, Caller, Refusal};
use super::members::segment;
use super::session::Session;
use super::{Console, Shown};
use crate::console::door::{CSRF, Sent};
use crate::console::page::{Link, Page, Tone, View, moment, notice};

pub(super) const TITLE: &str = "m2m server";

/// Where the navigation leads: page, label, and how the addresses of its pages begin.
const PLACES: [(&str, &str, &str); 7] = [
    ("", "Overview", ""),
    ("clients", "Clients", "c"),
    ("apis", "APIs", "api"),
    ("issuers", "Trusted issuers", "issuer"),
    ("keys", "Keys", "key"),
    ("tokens", "Tokens", "token"),
    ("audit", "Audit", "audit"),
];

/// One request.
pub(super) struct Visit<'a> {
    pub(super) console: &'a Console,
    pub(super) session: Session,
    pub(super) query: Sent,
    /// What was sent, where it was.
    pub(super) form: Option<Sent>,
    /// Below the console's first page.
    pub(super) path: String,
    pub(super) address: Option<ClientAddress>,
    /// Seconds since 1970.
    pub(super) now: u64,
}

impl Visit<'_> {
    /// What the admin API answers to a call.
    ///
    /// # Errors
    /// Its problem.
    pub(super) async fn send(&self, call: Call<'_>) -> Result<Value, Refusal> {
        let caller = Caller {
            router: &self.console.router,
            base_path: &self.console.base_path,
            token: &self.session.token,
            address: self.address,
        };
        caller.send(call).await
    }

    /// The object at that path.
    pub(super) async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send(Call::get(path)).await
    }

    /// The address of a page, with a query.
    pub(super) fn to(&self, page: &str, query: &[(&str, &str)]) -> String {
        let pairs: Vec<String> =
            query.iter().map(|(name, value)| format!("{name}={}", segment(value))).collect();
        let mark = if pairs.is_empty() { "" } else { "?" };
        format!("{}{page}{mark}{}", self.console.root(), pairs.join("&"))
    }

    /// The address of a page about one thing.
    pub(super) fn of(&self, page: &str, id: &str) -> String {
        self.to(page, &[("id", id)])
    }

    /// Which thing the page is about.
    ///
    /// # Errors
    /// The address names none.
    pub(super) fn id(&self) -> Result<&str, Refusal> {
        match self.query.text("id") {
            "" => Err(Refusal::of(StatusCode::NOT_FOUND, "the address names nothing")),
            id => Ok(id),
        }
    }

    /// How the reader looks at the table of this page; what was done before is not said again.
    pub(super) fn view(&self) -> View {
        let rest = self.query.0.iter().filter(|(name, _)| name != "done");
        View::of(&rest.cloned().collect::<Vec<_>>(), "")
    }

    /// Leads to another page.
    pub(super) fn go(&self, to: &str) -> Shown {
        Ok(Redirect::to(to).into_response())
    }

    /// A form of this session that is sent to `to`.
    pub(super) fn form_to(&self, to: &str, fields: &Markup) -> Markup {
        html! {
            form method="post" action=(to) {
                input type="hidden" name=(CSRF) value=(self.session.csrf);
                (fields)
            }
        }
    }

    /// A link that looks like a button, for those who may change things.
    pub(super) fn button(&self, label: &str, to: &str, tone: Tone) -> Markup {
        let class = match tone {
            Tone::Good => "button",
            Tone::Bad => "button danger",
            _ => "button second",
        };
        html! { @if self.session.writes { a class=(class) href=(to) { (label) } } }
    }

    /// A page with the frame around it.
    pub(super) fn show(&self, title: &str, actions: Markup, main: &Markup) -> Shown {
        Ok(self.page(StatusCode::OK, title, actions, main))
    }

    /// The same with a status.
    pub(super) fn page(&self, status: StatusCode, title: &str, actions: Markup, main: &Markup) -> Response {
        let page = Page {
            title: title.to_owned(),
            console: (TITLE, self.console.root()),
            links: self.links(),
            aside: self.aside(),
            actions,
            main: html! { (self.said()) (main) },
        };
        page.answer(status)
    }

    fn links(&self) -> Vec<Link> {
        let link = |(page, label, begins): (&str, &'static str, &str)| Link {
            label,
            href: self.to(page, &[]),
            here: if begins.is_empty() { self.path.is_empty() } else { self.path.starts_with(begins) },
        };
        PLACES.into_iter().map(link).collect()
    }

    fn aside(&self) -> Markup {
        html! {
            @if !self.session.client.is_empty() { bdi { (self.session.client) } }
            @if !self.session.writes { span.word { "read only" } }
            @if let Some(end) = self.session.expires_at {
                span { "Session: " span data-until=(end) { "until " (moment(end)) } }
            }
            (self.form_to(&self.to("sign-out", &[]), &html! { button.small { "Sign out" } }))
        }
    }

    /// What the last step did, by a word in the address: only these are said.
    fn said(&self) -> Markup {
        let text = match self.query.text("done") {
            "added" => "Added.",
            "changed" => "Saved.",
            "enabled" => "Enabled.",
            "rolled" => "The next key is announced.",
            "deleted" => "Deleted.",
            _ => return html! {},
        };
        notice(Tone::Good, text, &html! {})
    }
}
