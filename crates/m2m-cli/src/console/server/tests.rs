//! The console over a whole server in this process, asked as a browser asks.

use std::net::{IpAddr, Ipv4Addr};

use axum::body::to_bytes;
use http::HeaderMap;
use http::header::{CONTENT_TYPE, COOKIE, LOCATION, RETRY_AFTER, SET_COOKIE};
use m2m_authorization_server::Server;
use m2m_authorization_server::registry::{Api, ApiIdentifier, Client, CredentialSpec, Proof, SecretUse};
use m2m_io::{OsRandom, SystemClock};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::{Scope, ScopeToken};
use tower::ServiceExt as _;

use super::*;
use crate::console::door;

const ISSUER: &str = "https://as.example/t1";
const ORIGIN: &str = "https://as.example";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}&\"'";

/// A console, and the secrets of who may read and of who may change.
struct Office {
    pages: Router,
    reader: String,
    writer: String,
}

/// What a browser gets.
struct Got {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
}

impl Got {
    fn header(&self, name: http::header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The value of a cookie that is set, and its attributes.
    fn cookie(&self, name: &str) -> Option<(&str, &str)> {
        let all = self.headers.get_all(SET_COOKIE).iter().map(|value| value.to_str().unwrap());
        all.filter_map(|line| line.split_once(';'))
            .find_map(|(pair, rest)| Some((pair.strip_prefix(name)?.strip_prefix('=')?, rest)))
    }

    /// The value of a hidden field.
    fn hidden(&self, name: &str) -> &str {
        let rest = self.text.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
        rest.split_once('"').unwrap().0
    }
}

async fn office() -> Office {
    office_at(Arc::new(SystemClock)).await
}

/// The same with another clock for the pages.
async fn office_at(clock: Arc<dyn Clock>) -> Office {
    let server = Server::builder(Issuer::parse(ISSUER).unwrap()).build().unwrap();
    server.prepare().await.unwrap();
    let own = server.admin_api().unwrap();
    let mut secrets = Vec::new();
    for (id, scope) in [("reader", "m2m:read"), ("writer", "m2m:read m2m:write")] {
        let id = ClientId::parse(id).unwrap();
        let client = Client::new(id.clone()).grant(own.clone(), Scope::parse(scope).unwrap());
        server.admin().create_client(client).await.unwrap();
        let spec = CredentialSpec::new(id, "one", Proof::ClientSecret(SecretUse::BasicOrPost));
        let made = server.admin().create_credential(spec).await.unwrap();
        secrets.push(made.client_secret.unwrap().expose().clone());
    }
    let identifier = ApiIdentifier::parse("https://orders.example").unwrap();
    let api = Api::new(identifier).scope(ScopeToken::parse("orders:read").unwrap(), HOSTILE);
    server.admin().create_api(api).await.unwrap();
    let issuer = Issuer::parse(ISSUER).unwrap();
    let console = Console::new(server.router(), &issuer, clock, Arc::new(OsRandom));
    let writer = secrets.pop().unwrap();
    Office { pages: console.routes(), reader: secrets.pop().unwrap(), writer }
}

const COOKIE_NAME: &str = "__Secure-m2m-console";
const BEFORE: &str = "__Secure-m2m-sign-in";

fn encoded(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl Office {
    async fn send(&self, request: Request<Body>) -> Got {
        let (mut parts, body) = request.into_parts();
        parts.extensions.insert(ClientAddress(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))));
        let answer = self.pages.clone().oneshot(Request::from_parts(parts, body)).await.unwrap();
        let (parts, body) = answer.into_parts();
        let bytes = to_bytes(body, 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Got { status: parts.status, headers: parts.headers, text }
    }

    async fn get(&self, page: &str, session: &str) -> Got {
        let request = Request::get(format!("/t1/console/{page}"));
        self.send(request.header(COOKIE, format!("{COOKIE_NAME}={session}")).body(Body::empty()).unwrap())
            .await
    }

    async fn post(&self, page: &str, cookie: &str, origin: &str, fields: &[(&str, &str)]) -> Got {
        let request = Request::post(format!("/t1/console/{page}"))
            .header(COOKIE, cookie)
            .header("origin", origin)
            .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(encoded(fields))).unwrap()).await
    }

    /// Sends a form of a session.
    async fn submit(&self, page: &str, session: &str, fields: &[(&str, &str)]) -> Got {
        let token = door::csrf(session);
        let mut all = vec![("csrf", token.as_str())];
        all.extend(fields);
        self.post(page, &format!("{COOKIE_NAME}={session}"), ORIGIN, &all).await
    }

    async fn sign_in(&self, page: &str, fields: &[(&str, &str)]) -> Got {
        let form = self.get("sign-in", "").await;
        let before = form.cookie(BEFORE).unwrap().0.to_owned();
        let mut all = vec![("csrf", form.hidden("csrf"))];
        all.extend(fields);
        self.post(page, &format!("{BEFORE}={before}"), ORIGIN, &all).await
    }

    /// The session of a client.
    async fn session(&self, client: &str, secret: &str) -> String {
        let got = self.sign_in("sign-in", &[("client_id", client), ("client_secret", secret)]).await;
        assert_eq!(got.status, StatusCode::SEE_OTHER, "{}", got.text);
        got.cookie(COOKIE_NAME).unwrap().0.to_owned()
    }

    async fn writer(&self) -> String {
        self.session("writer", &self.writer).await
    }
}

#[tokio::test]
async fn a_session_is_a_token_in_a_cookie_for_the_console_alone() {
    let office = office().await;
    let fields = [("client_id", "writer"), ("client_secret", office.writer.as_str())];
    let got = office.sign_in("sign-in?back=clients%3Ffind%3Da", &fields).await;
    assert_eq!((got.status, got.header(LOCATION)), (StatusCode::SEE_OTHER, "/t1/console/clients?find=a"));
    let (token, attributes) = got.cookie(COOKIE_NAME).unwrap();
    assert_eq!(token.split('.').count(), 3);
    assert_eq!(attributes, " HttpOnly; SameSite=Strict; Path=/t1/console/; Secure; Max-Age=600");
    assert_eq!(got.header(http::header::CACHE_CONTROL), "no-store");
    let page = office.get("clients", token).await;
    assert_eq!(page.status, StatusCode::OK);
    assert!(!page.text.contains(token) && !page.text.contains(&office.writer));
    assert_eq!(office.get("clients", "e30.e30.x").await.status, StatusCode::SEE_OTHER, "nobody's token");
    let out = office.submit("sign-out", token, &[]).await;
    assert_eq!(out.header(LOCATION), "/t1/console/sign-in?why=out");
    assert_eq!(
        out.cookie(COOKIE_NAME).unwrap(),
        ("", " HttpOnly; SameSite=Strict; Path=/t1/console/; Secure; Max-Age=0")
    );
    assert_eq!(office.get("clients", token).await.status, StatusCode::SEE_OTHER, "the token is withdrawn");
}

#[tokio::test]
async fn nobody_is_led_elsewhere() {
    let office = office().await;
    let fields = [("client_id", "writer"), ("client_secret", office.writer.as_str())];
    for back in ["https://evil.example", "//evil.example", "/\\evil.example", "..%2F..%2Fadmin", "a%0D%0Ab"] {
        let got = office.sign_in(&format!("sign-in?back={back}"), &fields).await;
        assert_eq!(got.header(LOCATION), "/t1/console/", "{back}");
    }
    let asked = office.get("client?id=https%3A%2F%2Fevil", "").await;
    assert_eq!(asked.header(LOCATION), "/t1/console/sign-in?back=client%3Fid%3Dhttps%253A%252F%252Fevil");
}

#[tokio::test]
async fn forms_of_others_are_refused() {
    let office = office().await;
    let session = office.writer().await;
    let cookie = format!("{COOKIE_NAME}={session}");
    let token = door::csrf(&session);
    let field = ("identifier", "https://a.example");
    let refused = |origin: &'static str, token: String| {
        let (office, cookie) = (&office, &cookie);
        async move { office.post("apis/add", cookie, origin, &[("csrf", &token), field]).await.status }
    };
    assert_eq!(refused("https://evil.example", token.clone()).await, StatusCode::FORBIDDEN);
    assert_eq!(refused(ORIGIN, door::csrf("another session")).await, StatusCode::FORBIDDEN);
    assert_eq!(refused(ORIGIN, String::new()).await, StatusCode::FORBIDDEN);
    let unsigned = office.post("sign-in", "", ORIGIN, &[("csrf", &door::csrf(""))]).await;
    assert_eq!(unsigned.status, StatusCode::FORBIDDEN, "a sign-in form without its cookie");
    let made = office
        .post(
            "apis/add",
            &cookie,
            ORIGIN,
            &[("csrf", &token), field, ("alg", "ES256"), ("format", "jwt"), ("sender_constraint", "none")],
        )
        .await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
}

#[tokio::test]
async fn failures_are_counted_and_secrets_are_not_given_back() {
    let office = office().await;
    let wrong = [("client_id", "writer"), ("client_secret", "m2m_canary_secret")];
    let mut last = None;
    for _ in 0..40 {
        let got = office.sign_in("sign-in", &wrong).await;
        assert!(!got.text.contains("m2m_canary_secret"));
        let over = got.status == StatusCode::TOO_MANY_REQUESTS;
        last = Some(got);
        if over {
            break;
        }
        assert_eq!(last.as_ref().unwrap().status, StatusCode::FORBIDDEN);
    }
    let last = last.unwrap();
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert!(last.header(RETRY_AFTER).parse::<u64>().unwrap() >= 1);
    assert!(last.text.contains("too many failures"));
    office.writer().await;
}

#[tokio::test]
async fn a_token_can_be_brought_instead() {
    let office = office().await;
    let token = office.writer().await;
    let got = office.sign_in("sign-in", &[("token", &token)]).await;
    assert_eq!(got.cookie(COOKIE_NAME).unwrap().0, token);
    let refused = office.sign_in("sign-in", &[("token", "e30.e30.x")]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.text.contains("does not take this token"), "{}", refused.text);
}

#[tokio::test]
async fn who_may_read_alone_changes_nothing() {
    let office = office().await;
    let session = office.session("reader", &office.reader).await;
    let page = office.get("clients", &session).await;
    assert!(page.text.contains("read only") && !page.text.contains("Add a client"));
    let fields = [
        ("id", "x"),
        ("identifier", "https://x.example"),
        ("alg", "ES256"),
        ("format", "jwt"),
        ("sender_constraint", "none"),
        ("label", "l"),
        ("method", "client_secret"),
        ("name", "writer"),
        ("overlap", "1h"),
        ("token", "x"),
    ];
    for page in [
        "apis/add",
        "clients/add",
        "api/change?id=https%3A%2F%2Forders.example",
        "client/change?id=writer",
        "client/disable?id=writer",
        "client/revoke?id=writer",
        "client/delete?id=writer",
        "client/credentials/add?id=writer",
        "issuers/explain",
        "keys/roll",
        "token/revoke?id=jti",
    ] {
        let got = office.submit(page, &session, &fields).await;
        assert_eq!(got.status, StatusCode::FORBIDDEN, "{page}: {}", got.text);
        assert!(got.text.contains("Not allowed"), "{page}");
    }
    let emergency = office.submit("keys/emergency", &session, &[("name", "emergency")]).await;
    assert_eq!(emergency.status, StatusCode::FORBIDDEN);
    let out = office.submit("sign-out", &session, &[]).await;
    assert_eq!(out.header(LOCATION), "/t1/console/sign-in?why=out");
    assert_eq!(office.get("clients", &session).await.status, StatusCode::SEE_OTHER, "the token is withdrawn");
}

#[tokio::test]
async fn a_secret_is_shown_once_and_a_repeat_makes_no_second_one() {
    let office = office().await;
    let session = office.writer().await;
    let form = office.get("client/credentials/add?id=writer", &session).await;
    let fields = [("label", "eu-1"), ("method", "client_secret"), ("once", form.hidden("once"))];
    let made = office.submit("client/credentials/add?id=writer", &session, &fields).await;
    let secret = made.text.split_once("m2m_sk_").map(|(_, rest)| rest.split_once('<').unwrap().0.to_owned());
    let secret = secret.unwrap();
    let again = office.submit("client/credentials/add?id=writer", &session, &fields).await;
    assert!(again.text.contains("This was sent before") && !again.text.contains(&secret));
    let page = office.get("client?id=writer", &session).await;
    assert_eq!(page.text.matches("eu-1").count(), 1, "{}", page.text);
    assert!(!page.text.contains(&secret));
}

#[tokio::test]
async fn a_private_key_that_was_pasted_is_not_shown_back() {
    let office = office().await;
    let session = office.writer().await;
    let key = m2m_proto::jose::SigningKey::generate(m2m_proto::jose::Algorithm::Es256).unwrap();
    let pem = key.to_pkcs8_pem().unwrap();
    let line = pem.expose().lines().nth(1).unwrap().to_owned();
    let fields = [("label", "eu-1"), ("method", "private_key_jwt"), ("keys", pem.expose().as_str())];
    let got = office.submit("client/credentials/add?id=writer", &session, &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(got.text.contains("private key") && !got.text.contains(&line));
}

#[tokio::test]
async fn whoever_was_slower_sees_who_was_faster() {
    let office = office().await;
    let session = office.writer().await;
    let page = "client/change?id=reader";
    let version = office.get(page, &session).await.hidden("version").to_owned();
    let change = |owner: &'static str| {
        let (office, session, version) = (&office, &session, &version);
        let fields =
            [("version", version.as_str()), ("owner", owner)].map(|(name, value)| (name, value.to_owned()));
        async move {
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
            office.submit(page, session, &fields).await
        }
    };
    assert_eq!(change("first").await.status, StatusCode::SEE_OTHER);
    let late = change("second").await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED);
    assert!(
        late.text.contains("Somebody was faster")
            && late.text.contains("first")
            && late.text.contains("second")
    );
    assert!(late.text.contains("Look at it again"));
}

#[tokio::test]
async fn what_cannot_be_undone_wants_the_name() {
    let office = office().await;
    let session = office.writer().await;
    let page = "client/delete?id=reader";
    let asked = office.get(page, &session).await;
    let version = asked.hidden("version").to_owned();
    let wrong = office.submit(page, &session, &[("version", &version), ("name", "writer")]).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(office.get("client?id=reader", &session).await.status, StatusCode::OK);
    for outdated in ["", "99"] {
        let refused = office.submit(page, &session, &[("version", outdated), ("name", "reader")]).await;
        assert_ne!(
            refused.status,
            StatusCode::SEE_OTHER,
            "{outdated:?} is not the version that was looked at"
        );
    }
    let done = office.submit(page, &session, &[("version", &version), ("name", "reader")]).await;
    assert_eq!(done.status, StatusCode::SEE_OTHER);
    assert_eq!(office.get("client?id=reader", &session).await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn hostile_names_are_shown_and_do_nothing() {
    let office = office().await;
    let session = office.writer().await;
    let long = "x".repeat(200);
    let fields = [("id", "evil"), ("name", HOSTILE), ("owner", long.as_str()), ("purpose", HOSTILE)];
    let made = office.submit("clients/add", &session, &fields).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    for page in [
        "clients",
        "client?id=evil",
        "client/change?id=evil",
        "clients?find=%3Cscript%3E",
        "api?id=https%3A%2F%2Forders.example",
        "client?id=%3Cscript%3Ealert(1)%3C%2Fscript%3E",
        "audit?jti=%3Cscript%3E",
        "nowhere%3Cscript%3E",
    ] {
        let got = office.get(page, &session).await;
        assert_eq!(got.text.matches("<script>").count(), 1, "{page}");
        assert!(!got.text.contains("alert(1)</script>"), "{page}");
    }
    let refused =
        office.submit("apis/add", &session, &[("identifier", HOSTILE), ("lifetime", HOSTILE)]).await;
    assert_eq!(refused.text.matches("<script>").count(), 1);
}

#[tokio::test]
async fn a_refusal_stands_at_its_field_and_what_was_typed_stays() {
    let office = office().await;
    let session = office.writer().await;
    let fields = [
        ("identifier", "https://x.example"),
        ("alg", "HS256"),
        ("format", "jwt"),
        ("sender_constraint", "none"),
        ("name", "kept"),
    ];
    let got = office.submit("apis/add", &session, &fields).await;
    assert_eq!(got.status, StatusCode::UNPROCESSABLE_ENTITY);
    let odd = [("identifier", "https://y.example"), ("lifetime", "soon"), ("alg", "ES256")];
    let soon = office.submit("apis/add", &session, &odd).await;
    assert!(
        soon.text.contains("href=\"#lifetime\"") && soon.text.contains("value=\"soon\""),
        "{}",
        soon.text
    );
    let trusted = [
        ("id", "p"),
        ("named", "https://p.example"),
        ("keys", "jwks"),
        ("jwks", r#"{"keys":[{"d":"canary"}]}"#),
        ("conditions", "no condition"),
    ];
    let issuer = office.submit("issuers/add", &session, &trusted).await;
    assert!(
        !issuer.text.contains("canary") && issuer.text.contains(">no condition</textarea>"),
        "{}",
        issuer.text
    );
    assert!(got.text.contains("href=\"#alg\"") && got.text.contains("value=\"kept\""), "{}", got.text);
}

/// A clock that is ahead by a number of seconds.
#[derive(Debug)]
struct Ahead(u64);

impl Clock for Ahead {
    fn wall(&self) -> m2m_proto::time::UnixTime {
        SystemClock.wall().saturating_add(std::time::Duration::from_secs(self.0))
    }

    fn monotonic(&self) -> std::time::Duration {
        SystemClock.monotonic()
    }

    fn sleep(&self, duration: std::time::Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(duration)
    }
}

#[tokio::test]
async fn what_needs_somebody_is_on_the_first_page() {
    const DAY: u64 = 24 * 60 * 60;
    let office = office_at(Arc::new(Ahead(40 * DAY))).await;
    let session = office.writer().await;
    let calm = office.get("", &session).await;
    assert!(!calm.text.contains("expire within"), "{}", calm.text);
    office.submit("clients/add", &session, &[("id", "late"), ("review_by", "2020-01-01")]).await;
    for (label, life) in [("ends-soon", "60d"), ("ends-later", "90d"), ("ended", "30d")] {
        let fields = [("label", label), ("method", "client_secret"), ("expires_in", life)];
        let made = office.submit("client/credentials/add?id=late", &session, &fields).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.text);
    }
    let page = office.get("", &session).await.text;
    let card = |title: &str| page.split_once(title).map(|(_, rest)| rest.split_once("</section>").unwrap().0);
    let expiring = card("expire within 30 days</h2>").unwrap();
    assert!(
        expiring.contains("ends-soon") && !expiring.contains("ends-later") && !expiring.contains("ended")
    );
    let unused = card("nobody used for 30 days</h2>").unwrap();
    assert!(unused.contains("ends-later") && unused.contains("one"), "{unused}");
    assert!(card("Reviews that are overdue</h2>").unwrap().contains("late"));
    assert!(page.contains("Tokens issued: <strong>"), "the charts are there");
}

#[tokio::test]
async fn pages_of_a_list_lead_there_and_back() {
    let office = office().await;
    let session = office.writer().await;
    for number in 0..205 {
        office.submit("clients/add", &session, &[("id", &format!("c{number:03}"))]).await;
    }
    let hrefs = |got: &Got, rel: &str| {
        let tag = got.text.split("<a ").find(|tag| tag.contains(&format!("rel=\"{rel}\"")))?;
        let address = tag.split_once("href=\"/t1/console/").unwrap().1.split_once('"').unwrap().0;
        Some(address.replace("&amp;", "&"))
    };
    let first = office.get("clients", &session).await;
    assert!(
        first.text.contains(">c000<") && !first.text.contains(">c100<") && hrefs(&first, "prev").is_none()
    );
    let second = office.get(&hrefs(&first, "next").unwrap(), &session).await;
    assert!(second.text.contains(">c150<"));
    let third = office.get(&hrefs(&second, "next").unwrap(), &session).await;
    assert!(third.text.contains(">c204<") && hrefs(&third, "next").is_none());
    let back = office.get(&hrefs(&third, "prev").unwrap(), &session).await;
    assert!(back.text.contains(">c150<") && !back.text.contains(">c204<"));
    assert!(office.get(&hrefs(&back, "prev").unwrap(), &session).await.text.contains(">c000<"));
    let found = office.get("clients?find=C204", &session).await;
    assert!(found.text.contains(">c204<") && !found.text.contains(">c000<"), "on whatever page it is");
    assert!([&first, &second].iter().all(|page| page.text.len() < 100_000), "{}", first.text.len());
}

#[tokio::test]
async fn what_is_granted_stays_when_something_else_is_saved() {
    let office = office().await;
    let session = office.writer().await;
    let grant = [
        ("id", "svc"),
        ("api-0", "https://orders.example"),
        ("scopes-0", "orders:read"),
        ("roles-0", "clerk auditor"),
        ("defaults-0", "-"),
    ];
    let made = office.submit("clients/add", &session, &grant).await;
    assert_eq!(made.status, StatusCode::SEE_OTHER, "{}", made.text);
    let page = office.get("client/change?id=svc", &session).await;
    for kept in
        [r#"value="clerk auditor""#, r#"name="defaults-0" type="text" value="-""#, r#"value="orders:read""#]
    {
        assert!(page.text.contains(kept), "{kept}: {}", page.text);
    }
    let bare = [
        ("version", page.hidden("version")),
        ("owner", "team"),
        ("api-0", "https://orders.example"),
        ("bare-0", "1"),
    ];
    let saved = office.submit("client/change?id=svc", &session, &bare).await;
    assert_eq!(saved.status, StatusCode::SEE_OTHER, "{}", saved.text);
    let shown = office.get("client?id=svc", &session).await;
    assert!(shown.text.contains("https://orders.example"), "a grant without a scope is one: {}", shown.text);
}
