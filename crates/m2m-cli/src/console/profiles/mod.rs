//! The console of profiles (`m2m console`): start, form, result.
//!
//! It decides nothing of its own: values are judged, written, tested and exported by what `m2m profile` uses. Enforces:
//! requests are for the very address that it listens on (DNS rebinding ends in 421); pages are for those who came in by
//! a ticket ([`entry`]), below a path that nobody can guess, so that no other port of this address is sent the cookie; what changes something is a form of our own pages ([`door`]). Limits: HTTP without TLS, on
//! loopback only; whoever reads this user's memory or browser reads along.

mod bench;
mod copies;
mod credentials;
mod discovered;
mod draft;
mod entry;
mod fields;
mod filled;
mod form;
mod pasted;
mod result;
mod start;
mod steps;
#[cfg(test)]
mod tests;
mod tried;
mod typed;
mod verdict;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse as _, Response};
use http::{HeaderMap, Method, Request, StatusCode, header};
use maud::{Markup, html};

use crate::Surroundings;
use crate::console::door::{self, CSRF, Sent, Turned};
use crate::console::page::{Link, Page, isolated};
use entry::{Entry, Session};

/// The cookie that a session is.
const COOKIE: &str = "m2m_console";

/// The console of one process.
#[derive(Debug)]
pub(crate) struct Console {
    pub(crate) around: Arc<Surroundings>,
    /// The address that requests must be for.
    authority: String,
    /// The path that its pages are below, with a slash at both ends: nobody can guess it. Browsers send cookies to every
    /// port of an address, so the cookie is for this path alone, and a server at another port never gets it.
    home: String,
    entry: Entry,
}

/// One who came in, and the console.
pub(crate) struct Desk {
    pub(crate) console: Arc<Console>,
    pub(crate) session: Arc<Session>,
}

impl Console {
    /// A console that listens there.
    pub(crate) fn new(around: Arc<Surroundings>, address: SocketAddr) -> Self {
        let home = format!("/{}/", entry::bits(around.random.as_ref()));
        Self { around, authority: address.to_string(), home, entry: Entry::default() }
    }

    /// Its first address, with a slash at the end.
    pub(crate) fn url(&self) -> String {
        format!("http://{}{}", self.authority, self.home)
    }

    /// What lets somebody in, once, within ten minutes.
    pub(crate) fn ticket(&self) -> String {
        self.entry.ticket(self.around.clock.as_ref(), self.around.random.as_ref())
    }

    /// Its pages.
    pub(crate) fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(answer).with_state(self)
    }

    fn is_for_us(&self, request: &Request<Body>) -> bool {
        let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
        let named = request.uri().authority().map(http::uri::Authority::as_str);
        [host, named].into_iter().flatten().all(|host| host == self.authority)
            && (host.is_some() || named.is_some())
    }

    fn session(&self, headers: &HeaderMap) -> Option<Arc<Session>> {
        self.entry.session(door::cookie(headers, COOKIE)?, self.around.clock.as_ref())
    }

    /// A ticket becomes a session. From a file that the browser was sent to, the way goes on over a page of ours: what
    /// another site leads to is not sent a strict cookie.
    fn admit(&self, request: &Request<Body>) -> Response {
        let sent = Sent::query(request.uri());
        let (clock, random) = (self.around.clock.as_ref(), self.around.random.as_ref());
        let Some(id) = self.entry.exchange(sent.text("token"), clock, random) else {
            return stranger("This address was used already, or is older than ten minutes.");
        };
        let to = if sent.text("from") == "file" { "entered" } else { "./" };
        let cookie = format!("{COOKIE}={id}; HttpOnly; SameSite=Strict; Path={}", self.home);
        let mut response = redirect(to);
        if let Ok(cookie) = cookie.parse() {
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
        response
    }
}

async fn answer(State(console): State<Arc<Console>>, request: Request<Body>) -> Response {
    if !console.is_for_us(&request) {
        return plain(
            StatusCode::MISDIRECTED_REQUEST,
            "Not here",
            "This console answers to its own address only.",
        );
    }
    let Some(path) = request.uri().path().strip_prefix(&console.home).map(str::to_owned) else {
        return stranger("This is not the address that the console printed.");
    };
    match (request.method(), path.as_str()) {
        (&Method::GET, "start") => return console.admit(&request),
        (&Method::GET, "entered") => return entered(),
        _ => {}
    }
    if door::is_led_here(request.headers()) {
        return plain(
            StatusCode::FORBIDDEN,
            "Not from here",
            "Another site led here; open the page yourself.",
        );
    }
    let Some(session) = console.session(request.headers()) else {
        return stranger("You have not come in yet, or your session is over: it lasts twelve hours.");
    };
    let desk = Desk { console, session };
    match *request.method() {
        Method::GET => steps::get(&desk, &path, &Sent::query(request.uri())).await,
        Method::POST => {
            let origin = format!("http://{}", desk.console.authority);
            let clock = Arc::clone(&desk.console.around.clock);
            match Sent::form(request, clock.as_ref(), (&origin, &desk.session.csrf)).await {
                Ok(sent) => steps::post(&desk, &path, &sent).await,
                Err(Turned::Foreign) => plain(
                    StatusCode::FORBIDDEN,
                    "Not from here",
                    "This form was not sent by a page of this session. Go back, load the page again, and send it again.",
                ),
                Err(Turned::Unreadable) => plain(
                    StatusCode::BAD_REQUEST,
                    "Not readable",
                    "What was sent is no form, is larger than 256 KiB, or took longer than 10 s.",
                ),
            }
        }
        _ => plain(StatusCode::METHOD_NOT_ALLOWED, "Not possible", "Pages are read, and forms are sent."),
    }
}

impl Desk {
    /// A page of this console.
    pub(crate) fn page(&self, title: String, actions: Markup, main: Markup) -> Page {
        Page { actions, ..framed(title, main) }
    }

    /// What shows that a form is ours.
    pub(crate) fn csrf(&self) -> Markup {
        html! { input type="hidden" name=(CSRF) value=(self.session.csrf); }
    }
}

fn framed(title: String, main: Markup) -> Page {
    Page {
        title,
        console: ("m2m console", "./".to_owned()),
        links: vec![Link { label: "Profiles", href: "./".to_owned(), here: false }],
        aside: html! { span { "on this machine only" } },
        actions: html! {},
        main,
    }
}

/// A text that somebody else chose, on one line, cut after 120 characters, with nothing in it that reorders.
fn short(text: &str) -> String {
    let text = crate::output::printable(text);
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

/// A page that is one sentence.
fn plain(status: StatusCode, title: &str, text: &str) -> Response {
    framed(title.to_owned(), html! { p { (isolated(text)) } p { a href="./" { "To the profiles" } } })
        .answer(status)
}

fn stranger(why: &str) -> Response {
    let main = html! {
        p { (why) }
        p { "Use the address that " code { "m2m console" } " printed when it started. It works once; start " code { "m2m console" } " again for another." }
    };
    let page = Page { links: Vec::new(), ..framed("Not signed in".to_owned(), main) };
    page.answer(StatusCode::UNAUTHORIZED)
}

fn entered() -> Response {
    let main =
        html! { meta http-equiv="refresh" content="0;url=./"; p { a href="./" { "Go on to the profiles" } } };
    framed("Signed in".to_owned(), main).answer(StatusCode::OK)
}

fn redirect(to: &str) -> Response {
    let headers = [
        (header::LOCATION, to),
        (header::CACHE_CONTROL, "no-store"),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    (StatusCode::SEE_OTHER, headers).into_response()
}
