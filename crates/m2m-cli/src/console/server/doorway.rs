//! Signing in and out.
//!
//! Enforces: who signs in gets a token from this server's own token endpoint, under its failure budget, or brings one
//! that the admin API accepts; a secret that was typed is sent there and nowhere else, and is in no answer. Afterwards
//! a browser is led to a page of the console and to nothing else. Signing out withdraws the token if it may write, and says so if it may not.

use axum::body::Body;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use m2m_authorization_server::ClientAddress;
use m2m_authorization_server::admin::{SCOPE_READ, SCOPE_WRITE};
use m2m_io::token as random_token;
use m2m_proto::client_auth::secret::{BasicEncoding, ClientSecret, encode_basic};
use m2m_proto::client_id::ClientId;
use m2m_proto::error::ErrorCode;
use m2m_proto::names::{grant_type, media_type, param};
use maud::{Markup, html};
use serde_json::Value;

use super::calls::{self, Call, Caller, Refusal, WithAddress as _};
use super::members::{number, segment, text};
use super::session::Session;
use super::visit::{TITLE, Visit};
use super::{Console, Shown};
use crate::console::door::{CSRF, Sent, Turned, cookie, csrf};
use crate::console::page::{Entry, Page, Problem, Tone, notice, problems};

pub(super) const SIGN_IN: &str = "sign-in";
/// Where to go afterwards.
const BACK: &str = "back";
const CLIENT: &str = "client_id";
const SECRET: &str = "client_secret";
const TOKEN: &str = "token";

/// A token, and the seconds that it lives as far as that is known.
type Granted = (String, Option<u64>);

/// Why nobody is signed in.
struct Denied {
    status: StatusCode,
    problem: Problem,
    retry_after: Option<u64>,
}

impl Denied {
    fn at(field: &str, status: StatusCode, text: &str) -> Self {
        let problem = Problem { field: field.to_owned(), text: text.to_owned() };
        Self { status, problem, retry_after: None }
    }
}

/// The form, and what becomes of it.
pub(super) async fn sign_in(console: &Console, request: Request<Body>) -> Response {
    let query = Sent::query(request.uri());
    let back = page_of(query.text(BACK)).to_owned();
    let before = cookie(request.headers(), console.cookies.before).unwrap_or_default().to_owned();
    if request.method() != Method::POST {
        let word = query.text("why").to_owned();
        return form(console, &before, (&back, &word), StatusCode::OK, &[], "");
    }
    let address = request.extensions().get::<ClientAddress>().copied();
    let sent = match Sent::form(request, console.clock.as_ref(), (&console.origin, &csrf(&before))).await {
        // Without the cookie anybody could know the token that goes with it.
        Ok(sent) if !before.is_empty() => sent,
        Ok(_) | Err(Turned::Foreign) => {
            return form(console, &before, (&back, "foreign"), StatusCode::FORBIDDEN, &[], "");
        }
        Err(Turned::Unreadable) => {
            return form(console, &before, (&back, "unreadable"), StatusCode::BAD_REQUEST, &[], "");
        }
    };
    match granted(console, &sent, address).await {
        Ok(granted) => signed_in(console, &granted, &back),
        Err(denied) => {
            let Denied { status, problem, retry_after } = denied;
            let mut response = form(console, &before, (&back, ""), status, &[problem], sent.text(CLIENT));
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            response
        }
    }
}

/// Leads to the form, and back here afterwards.
pub(super) fn to_sign_in(console: &Console, path: &str, query: Option<&str>) -> Response {
    Redirect::to(&sign_in_address(console, path, query, "")).into_response()
}

/// The same, for a session that has ended.
pub(super) fn ended(console: &Console, path: &str, query: Option<&str>) -> Response {
    let mut response = Redirect::to(&sign_in_address(console, path, query, "ended")).into_response();
    set(&mut response, console.cookies.clear(console.cookies.session));
    response
}

fn sign_in_address(console: &Console, path: &str, query: Option<&str>, why: &str) -> String {
    let back = query.map_or_else(|| path.to_owned(), |query| format!("{path}?{query}"));
    let why = if why.is_empty() { String::new() } else { format!("&why={why}") };
    format!("{}{SIGN_IN}?{BACK}={}{why}", console.root(), segment(page_of(&back)))
}

/// A page of the console with its query, or the first one: what is appended to the console's own path and cannot lead
/// out of it.
fn page_of(back: &str) -> &str {
    let page = back.split('?').next().unwrap_or_default();
    let named = page.bytes().all(|byte| byte.is_ascii_lowercase() || b"-/".contains(&byte));
    let plain = back.bytes().all(|byte| byte.is_ascii_graphic());
    let leads = page.starts_with('/') || page.starts_with(SIGN_IN) || page == "sign-out";
    if named && plain && !leads && back.len() <= 2048 { back } else { "" }
}

fn signed_in(console: &Console, (token, seconds): &Granted, back: &str) -> Response {
    let mut response = Redirect::to(&format!("{}{back}", console.root())).into_response();
    set(&mut response, console.cookies.set(console.cookies.session, token, *seconds));
    set(&mut response, console.cookies.clear(console.cookies.before));
    response
}

/// Sets a cookie; an answer with one is kept by nobody.
fn set(response: &mut Response, cookie: Option<HeaderValue>) {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Some(cookie) = cookie {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
}

async fn granted(console: &Console, sent: &Sent, address: Option<ClientAddress>) -> Result<Granted, Denied> {
    if !sent.text(TOKEN).is_empty() {
        return brought(console, sent.text(TOKEN), address).await;
    }
    let both = format!("{SCOPE_READ} {SCOPE_WRITE}");
    match asked(console, sent, &both, address).await? {
        (status, _, answer) if status.is_success() => Ok(made(&answer)),
        (_, _, answer) if text(&answer, "error") == ErrorCode::InvalidScope.as_str() => {
            match asked(console, sent, SCOPE_READ, address).await? {
                (status, _, answer) if status.is_success() => Ok(made(&answer)),
                refused => Err(denied(&refused)),
            }
        }
        refused => Err(denied(&refused)),
    }
}

fn made(answer: &Value) -> Granted {
    (text(answer, param::ACCESS_TOKEN).to_owned(), number(answer, param::EXPIRES_IN))
}

/// A token that somebody has: the admin API says whether it is one.
async fn brought(console: &Console, token: &str, address: Option<ClientAddress>) -> Result<Granted, Denied> {
    let not_one = "this is no access token: one line, as `m2m token -p admin -o bare` prints it";
    let session =
        Session::of(token).ok_or_else(|| Denied::at(TOKEN, StatusCode::UNPROCESSABLE_ENTITY, not_one))?;
    let caller =
        Caller { router: &console.router, base_path: &console.base_path, token: &session.token, address };
    match caller.send(Call::get("/keys?limit=1")).await {
        Ok(_) => {
            let now = console.clock.wall().seconds();
            Ok((token.to_owned(), session.expires_at.map(|end| end.saturating_sub(now))))
        }
        Err(refusal) => {
            let retry_after = refusal.retry_after;
            let status = if refusal.status == StatusCode::UNAUTHORIZED {
                StatusCode::FORBIDDEN
            } else {
                refusal.status
            };
            let text = format!("the admin API does not take this token: {}", refusal.detail);
            Err(Denied { retry_after, ..Denied::at(TOKEN, status, &text) })
        }
    }
}

type Answer = (StatusCode, HeaderMap, Value);

/// What the token endpoint answers to who signs in.
async fn asked(
    console: &Console,
    sent: &Sent,
    scope: &str,
    address: Option<ClientAddress>,
) -> Result<Answer, Denied> {
    let mut request = token_request(console, sent, scope)?;
    request.extensions_mut().extend_with(address);
    let failed = |refusal: Refusal| Denied::at("", refusal.status, &refusal.detail);
    calls::run(&console.router, request).await.map_err(failed)
}

fn token_request(console: &Console, sent: &Sent, scope: &str) -> Result<Request<Body>, Denied> {
    let missing = |field, text| Denied::at(field, StatusCode::UNPROCESSABLE_ENTITY, text);
    let client = ClientId::parse(sent.text(CLIENT)).map_err(|_| missing(CLIENT, "name a client"))?;
    let secret = ClientSecret::parse(sent.text(SECRET))
        .map_err(|_| missing(SECRET, "type its secret, or bring a token below"))?;
    let basic = encode_basic(&client, &secret, BasicEncoding::Form)
        .map_err(|_| missing(SECRET, "this is no secret of a client"))?;
    let mut body = form_urlencoded::Serializer::new(String::new());
    body.append_pair(param::GRANT_TYPE, grant_type::CLIENT_CREDENTIALS);
    body.append_pair(param::SCOPE, scope).append_pair(param::RESOURCE, &console.resource);
    Request::post(format!("{}/oauth2/token", console.base_path))
        .header(AUTHORIZATION, basic)
        .header(CONTENT_TYPE, media_type::FORM)
        .body(Body::from(body.finish()))
        .map_err(|_| missing(CLIENT, "this cannot be sent"))
}

fn denied((status, headers, answer): &Answer) -> Denied {
    let retry_after = headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    let code = ErrorCode::parse(text(answer, "error"));
    let (field, words) = match (status.as_u16(), code) {
        (429, _) => ("", format!("too many failures from here: try again in {} s", retry_after.unwrap_or(1))),
        (_, Some(ErrorCode::InvalidClient)) => {
            (SECRET, "the client and the secret do not belong together".to_owned())
        }
        (_, Some(ErrorCode::InvalidScope | ErrorCode::InvalidTarget)) => {
            (CLIENT, format!("this client may not administer: it needs {SCOPE_READ} at the admin API"))
        }
        _ => ("", format!("the server refuses: {}", text(answer, "error_description"))),
    };
    let status = if *status == StatusCode::UNAUTHORIZED { StatusCode::FORBIDDEN } else { *status };
    Denied { retry_after, ..Denied::at(field, status, &words) }
}

/// The page with the form; where the browser has no cookie for it yet, it gets one.
fn form(
    console: &Console,
    before: &str,
    (back, word): (&str, &str),
    status: StatusCode,
    wrong: &[Problem],
    client: &str,
) -> Response {
    let fresh = before.is_empty().then(|| random_token(console.random.as_ref()).to_string());
    let tie = fresh.as_deref().unwrap_or(before);
    let action = format!("{}{SIGN_IN}?{BACK}={}", console.root(), segment(back));
    let main = html! {
        (why(console, word))
        (problems(wrong))
        form method="post" action=(action) {
            input type="hidden" name=(CSRF) value=(csrf(tie));
            (fields(client, wrong))
        }
    };
    let page = Page {
        title: "Sign in".to_owned(),
        console: (TITLE, console.root()),
        links: Vec::new(),
        aside: html! { bdi { (console.origin) (console.base_path) } },
        actions: html! {},
        main,
    };
    let mut response = page.answer(status);
    if let Some(fresh) = &fresh {
        set(&mut response, console.cookies.set(console.cookies.before, fresh, None));
    }
    response
}

fn fields(client: &str, wrong: &[Problem]) -> Markup {
    let id = Entry {
        name: CLIENT,
        label: "Client",
        help: "A client that may administer. The first one is admin.",
        value: client,
        alternative: true,
        autocomplete: "username",
        ..Entry::default()
    };
    let secret = Entry {
        name: SECRET,
        label: "Secret",
        help: "On a new SQLite database it is in the file that ends with .admin.secret; m2m serve --dev --env-file F \
               writes it to F as M2M_ADMIN_CLIENT_SECRET.",
        kind: "password",
        alternative: true,
        autocomplete: "current-password",
        ..Entry::default()
    };
    let token = Entry {
        name: TOKEN,
        label: "Access token",
        help: "For a client with a key: the line that m2m token -p admin -o bare prints.",
        kind: "password",
        alternative: true,
        ..Entry::default()
    };
    html! {
        (id.markup(wrong))
        (secret.markup(wrong))
        details open[wrong.iter().any(|problem| problem.field == TOKEN)] {
            summary { "Bring an access token instead" }
            (token.markup(wrong))
        }
        div.row { button { "Sign in" } }
        p.faint { "The session is an access token of this server for its admin API. It ends when the token does." }
    }
}

fn why(console: &Console, word: &str) -> Markup {
    match word {
        "ended" => notice(
            Tone::Careful,
            "The session has ended",
            &html! { p { "Nothing was changed by the last step. Sign in to go on." } },
        ),
        "out" => notice(Tone::Good, "Signed out", &html! { p { "The token is withdrawn." } }),
        "kept" => notice(
            Tone::Careful,
            "Signed out of this browser",
            &html! {
                p { "The token could not be withdrawn just now; it ends by itself." }
            },
        ),
        "foreign" => notice(
            Tone::Bad,
            "This form is not from here",
            &html! {
                p { "The console is at " code { (console.origin) (console.root()) } ", and needs its cookies. Try again." }
            },
        ),
        "unreadable" => notice(Tone::Bad, "This form cannot be read", &html! {}),
        _ => html! {},
    }
}

/// Withdraws the token and forgets it.
pub(super) async fn sign_out(visit: &Visit<'_>) -> Shown {
    if visit.form.is_none() {
        return visit.go(&visit.to("", &[]));
    }
    let path = format!("/tokens/{}/revoke", segment(&visit.session.jti));
    let withdrawn = !visit.session.jti.is_empty()
        && visit.send(Call::post(&path, Value::Object(serde_json::Map::new()))).await.is_ok();
    let why = if withdrawn { "out" } else { "kept" };
    let mut response = Redirect::to(&format!("{}?why={why}", visit.to(SIGN_IN, &[]))).into_response();
    set(&mut response, visit.console.cookies.clear(visit.console.cookies.session));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::page_of;

    #[test]
    fn nothing_but_a_page_of_the_console_is_led_to() {
        for good in ["", "clients", "client?id=a%2Fb&sort=x", "issuers/explain"] {
            assert_eq!(page_of(good), good);
        }
        for bad in [
            "/",
            "//evil.example",
            "https://evil.example",
            "\\\\evil.example",
            "..",
            "../admin",
            "a b",
            "a\r\nb",
            "sign-in?back=x",
            "sign-out",
            "javascript:alert(1)",
            "cl\u{e4}",
        ] {
            assert_eq!(page_of(bad), "", "{bad}");
        }
    }
}
