use axum::body::Body;
use http::{Request, Response, StatusCode, header};
use m2m_io::{OsRandom, SystemClock};
use tower::ServiceExt as _;

use super::*;
use crate::args::Global;
use crate::output::{Output, Stream};
use crate::settings::env::Environment;

const CANARY: &str = "canary-7Hq2-canary";

/// A console with a home of its own.
struct Place {
    home: tempfile::TempDir,
    console: Arc<Console>,
}

impl Place {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let text = home.path().to_str().unwrap();
        let around = Surroundings {
            output: Output::to(Box::new(std::io::sink()), Box::new(std::io::sink()), [Stream::Pipe; 2]),
            environment: Environment::of([("HOME", text)]),
            directory: home.path().to_owned(),
            global: Global::default(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
        };
        let console = Arc::new(Console::new(Arc::new(around), "127.0.0.1:7700".parse().unwrap()));
        Self { home, console }
    }

    async fn send(&self, request: Request<Body>) -> Response<Body> {
        Arc::clone(&self.console).router().oneshot(request).await.unwrap()
    }

    fn get(&self, path: &str, cookie: &str) -> Request<Body> {
        let path = format!("{}{}", self.console.home, path.trim_start_matches('/'));
        let request = Request::get(path).header("host", "127.0.0.1:7700").header("cookie", cookie);
        request.body(Body::empty()).unwrap()
    }

    /// Comes in; the cookie.
    async fn enter(&self) -> String {
        let path = format!("/start?token={}", self.console.ticket());
        let answer = self.send(self.get(&path, "")).await;
        assert_eq!(answer.status(), StatusCode::SEE_OTHER);
        assert_eq!(answer.headers()[header::LOCATION], "./", "without the token");
        let cookie = answer.headers()[header::SET_COOKIE].to_str().unwrap();
        assert!(
            cookie.ends_with(&format!("; HttpOnly; SameSite=Strict; Path={}", self.console.home)),
            "{cookie}"
        );
        cookie.split(';').next().unwrap().to_owned()
    }

    async fn page(&self, path: &str, cookie: &str) -> (StatusCode, String) {
        text(self.send(self.get(path, cookie)).await).await
    }

    /// Sends a form as our own page does.
    async fn post(&self, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Response<Body> {
        let session = cookie.split_once('=').unwrap().1;
        let csrf = door::csrf(session);
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair(CSRF, &csrf).extend_pairs(fields);
        let path = format!("{}{}", self.console.home, path.trim_start_matches('/'));
        let request = Request::post(path)
            .header("host", "127.0.0.1:7700")
            .header("origin", "http://127.0.0.1:7700")
            .header("cookie", cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.finish())).unwrap()).await
    }

    /// A form for this provider: the id of its draft.
    async fn draft(&self, cookie: &str, query: &str) -> String {
        let (_, page) = self.page(&format!("/new?{query}"), cookie).await;
        let (_, rest) = page.split_once("name=\"draft\" value=\"").unwrap();
        rest.split('"').next().unwrap().to_owned()
    }

    fn file(&self) -> std::path::PathBuf {
        self.home.path().join(".config/m2m/m2m.toml")
    }
}

async fn text(answer: Response<Body>) -> (StatusCode, String) {
    let status = answer.status();
    let body = axum::body::to_bytes(answer.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8(body.to_vec()).unwrap())
}

/// What a good form for Auth0 says, with a pasted secret.
fn filled<'a>(draft: &'a str, wanted: &'a str) -> Vec<(&'a str, &'a str)> {
    vec![
        ("draft", draft),
        ("do", wanted),
        ("name", "orders"),
        ("var-domain", "acme.eu.auth0.com"),
        ("client_id", "svc"),
        ("client_auth_method", "client_secret_post"),
        ("client_secret-place", "typed"),
        ("client_secret-box", CANARY),
        ("audience", "https://api.example.com"),
    ]
}

#[tokio::test]
async fn nobody_comes_in_without_a_ticket_and_a_ticket_is_used_once() {
    let place = Place::new();
    for path in ["/", "/new?provider=auth0", "/check?name=name&value=a", "/result?draft=x"] {
        let (status, page) = place.page(path, "m2m_console=guess").await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(page.contains("that <code>m2m console</code> printed"), "{page}");
    }
    let ticket = place.console.ticket();
    let first = place.send(place.get(&format!("/start?token={ticket}"), "")).await;
    assert_eq!(first.status(), StatusCode::SEE_OTHER);
    let (status, page) = place.page(&format!("/start?token={ticket}"), "").await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(page.contains("used already"), "{page}");
    let cookie = place.enter().await;
    assert_eq!(place.page("/", &cookie).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_browser_that_comes_from_a_file_goes_on_over_a_page_of_ours() {
    let place = Place::new();
    let path = format!("/start?from=file&token={}", place.console.ticket());
    let answer = place.send(place.get(&path, "")).await;
    assert_eq!(answer.headers()[header::LOCATION], "entered");
    let (status, page) = place.page("/entered", "").await;
    assert!(status == StatusCode::OK && page.contains("content=\"0;url=./\""), "{page}");
}

#[tokio::test]
async fn requests_for_another_name_are_not_answered() {
    let place = Place::new();
    let cookie = place.enter().await;
    for host in ["evil.example:7700", "localhost:7700", "127.0.0.1", "127.0.0.1:7701", ""] {
        let request = Request::get(&place.console.home).header("host", host).header("cookie", &cookie);
        let answer = place.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::MISDIRECTED_REQUEST, "{host}");
    }
    let nameless = place
        .send(Request::get(&place.console.home).header("cookie", &cookie).body(Body::empty()).unwrap())
        .await;
    assert_eq!(nameless.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn a_server_at_another_port_is_not_sent_the_cookie() {
    let (place, other) = (Place::new(), Place::new());
    let home = place.console.home.as_str();
    assert!(home.len() > 40 && home.starts_with('/') && home.ends_with('/'), "{home}");
    assert_ne!(home, other.console.home);
    let cookie = place.enter().await; // its Path is asserted there
    for path in ["/", "/new", "/start", &other.console.home] {
        let request = Request::get(path).header("host", "127.0.0.1:7700").header("cookie", &cookie);
        let answer = place.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn no_other_site_leads_to_a_page() {
    let place = Place::new();
    let cookie = place.enter().await;
    for (site, status) in [
        ("same-site", StatusCode::FORBIDDEN),
        ("cross-site", StatusCode::FORBIDDEN),
        ("same-origin", StatusCode::OK),
        ("none", StatusCode::OK),
    ] {
        let mut request = place.get("/new?provider=auth0", &cookie);
        request.headers_mut().insert("sec-fetch-site", site.parse().unwrap());
        let answer = place.send(request).await.status();
        assert!(
            answer == status || (status == StatusCode::OK && answer.is_redirection()),
            "{site}: {answer}"
        );
    }
}

#[tokio::test]
async fn forms_of_others_change_nothing() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    let send = async |origin: &str, csrf: &str| {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.append_pair(CSRF, csrf).extend_pairs(filled(&draft, "save"));
        let request = Request::post(format!("{}form", place.console.home))
            .header("host", "127.0.0.1:7700")
            .header("origin", origin)
            .header("cookie", &cookie)
            .header("content-type", "application/x-www-form-urlencoded");
        place.send(request.body(Body::from(form.finish())).unwrap()).await.status()
    };
    let csrf = door::csrf(cookie.split_once('=').unwrap().1);
    assert_eq!(send("http://127.0.0.1:7700", "").await, StatusCode::FORBIDDEN);
    assert_eq!(send("http://127.0.0.1:7700", &door::csrf("other")).await, StatusCode::FORBIDDEN);
    assert_eq!(send("http://127.0.0.1:8080", &csrf).await, StatusCode::FORBIDDEN);
    assert!(!place.file().exists());
    assert_eq!(send("http://127.0.0.1:7700", &csrf).await, StatusCode::SEE_OTHER);
    assert!(place.file().exists());
}

#[tokio::test]
async fn a_pasted_secret_is_in_its_place_and_in_no_answer() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    // A form with something wrong keeps it in memory, and shows it to nobody.
    let mut wrong = filled(&draft, "save");
    wrong[3].1 = "no host at all";
    let (status, page) = text(place.post("/form", &cookie, &wrong).await).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(!page.contains(CANARY) && page.contains("held in memory"), "{page}");
    let mut mended = filled(&draft, "save");
    mended[7].1 = "";
    let answer = place.post("/form", &cookie, &mended).await;
    let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let (_, result) = place.page(&to, &cookie).await;
    assert!(result.contains("Saved as orders") && !result.contains(CANARY), "{result}");
    let profile = std::fs::read_to_string(place.file()).unwrap();
    assert!(profile.contains("client_secret = { file = ") && !profile.contains(CANARY), "{profile}");
    let kept = std::fs::read_to_string(place.home.path().join(".config/m2m/secrets/orders")).unwrap();
    assert_eq!(kept, CANARY);
    let (_, form) = place.page(&format!("/form?draft={draft}"), &cookie).await;
    let (_, start) = place.page("/", &cookie).await;
    assert!(!form.contains(CANARY) && !start.contains(CANARY));
    assert!(form.contains("Keep it: file") && start.contains("present, mode 0600"), "{start}");
}

#[tokio::test]
async fn hostile_names_are_shown_harmlessly_or_refused_with_words() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    let long = "x".repeat(10_000);
    for name in ["<script>alert(1)</script>", "a\u{202e}b", &long, "../x", ""] {
        let mut fields = filled(&draft, "save");
        fields[2].1 = name;
        let (status, page) = text(place.post("/form", &cookie, &fields).await).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{name}");
        assert!(page.contains("a profile’s name has") || page.contains("a profile's name has"), "{page}");
        assert!(!page.contains("<script>alert"), "{name}");
    }
    let mut fields = filled(&draft, "save");
    fields[4].1 = &long;
    let (_, page) = text(place.post("/form", &cookie, &fields).await).await;
    assert!(page.contains("10000 characters"), "{page}");
    assert!(!place.file().exists());
    let names = format!(
        "[profiles.\"<script>alert(1)</script>\"]\nclient_id = \"<b>\"\n[profiles.\"a\u{202e}b\"]\n[profiles.{long}]\n"
    );
    std::fs::create_dir_all(place.file().parent().unwrap()).unwrap();
    std::fs::write(place.file(), names).unwrap();
    let (status, page) = place.page("/", &cookie).await;
    assert_eq!(status, StatusCode::OK);
    assert!(!page.contains("<script>alert") && !page.contains("<b>") && !page.contains('\u{202e}'), "{page}");
    assert!(page.len() < 100_000, "{}", page.len());
}

#[tokio::test]
async fn a_taken_name_is_not_replaced() {
    let place = Place::new();
    let cookie = place.enter().await;
    let first = place.draft(&cookie, "provider=auth0").await;
    assert_eq!(place.post("/form", &cookie, &filled(&first, "save")).await.status(), StatusCode::SEE_OTHER);
    let before = std::fs::read(place.file()).unwrap();
    let second = place.draft(&cookie, "provider=auth0").await;
    let (_, page) = text(place.post("/form", &cookie, &filled(&second, "save")).await).await;
    assert!(page.contains("has a profile orders already"), "{page}");
    assert_eq!(std::fs::read(place.file()).unwrap(), before);
    assert!(!page.contains(CANARY));
}

#[tokio::test]
async fn a_command_of_a_found_file_is_not_run() {
    let place = Place::new();
    let cookie = place.enter().await;
    let found = place.home.path().join("m2m.toml");
    let run = place.home.path().join("ran");
    let text_of_it = format!(
        "[profiles.a]\nissuer = \"http://127.0.0.1:1\"\nclient_id = \"a\"\nclient_secret = {{ command = [\"touch\", \"{}\"] }}\n",
        run.display()
    );
    std::fs::write(&found, text_of_it).unwrap();
    let (_, start) = place.page("/", &cookie).await;
    let (_, rest) = start.split_once("profile?of=").expect("the profile is listed");
    let of = rest.split('"').next().unwrap();
    let answer = place.post("/profile", &cookie, &[("of", of)]).await;
    let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let (_, page) = place.page(&to, &cookie).await;
    assert!(page.contains("is not run") && page.contains("m2m profile trust"), "{page}");
    assert!(!run.exists());
}

#[tokio::test]
async fn removing_asks_for_the_name() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    place.post("/form", &cookie, &filled(&draft, "save")).await;
    let confirm = async |name: &str| {
        text(place.post("/remove", &cookie, &[("draft", &draft), ("confirm", name)]).await).await
    };
    let (status, page) = confirm("order").await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("Another name was typed"), "{page}");
    assert!(std::fs::read_to_string(place.file()).unwrap().contains("orders"));
    let (status, page) = confirm("orders").await;
    assert!(status == StatusCode::OK && page.contains("Its secret is removed"), "{page}");
    assert!(!std::fs::read_to_string(place.file()).unwrap().contains("orders"));
    assert!(!place.home.path().join(".config/m2m/secrets/orders").exists());
}

#[tokio::test]
async fn a_field_is_checked_when_it_is_left_and_a_secret_never() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    let check = async |name: &str, value: &str| {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs([("draft", draft.as_str()), ("name", name), ("value", value)]);
        place.page(&format!("/check?{}", query.finish()), &cookie).await.1
    };
    assert!(check("var-domain", "acme evil").await.contains("tenant host"));
    assert_eq!(check("var-domain", "acme.eu.auth0.com").await, "");
    assert_eq!(check("audience", "").await, "This provider wants one");
    assert!(check("timeout", "soon").await.starts_with("Expected a time"));
    assert!(check("name", "a b").await.contains("letters, digits"));
    for name in ["client_secret", "client_secret-box", "client_secret-env", "private_key"] {
        assert_eq!(check(name, CANARY).await, "", "{name}");
    }
    let (_, page) = place.page(&format!("/form?draft={draft}"), &cookie).await;
    let (_, rest) = page.split_once("id=\"client_secret-box\"").unwrap();
    assert!(!rest.split('>').next().unwrap().contains("data-check"));
}

#[tokio::test]
async fn changed_settings_make_a_result_stale() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "url=http%3A%2F%2F127.0.0.1%3A1%2Ftoken&kind=token_url").await;
    let fields = |scopes: &'static str, wanted: &'static str| {
        vec![
            ("do", wanted),
            ("name", "orders"),
            ("token_url", "http://127.0.0.1:1/token"),
            ("client_id", "svc"),
            ("client_auth_method", "client_secret_basic"),
            ("client_secret-place", "typed"),
            ("client_secret-box", CANARY),
            ("scopes", scopes),
        ]
    };
    let send = async |mut fields: Vec<(&'static str, &'static str)>| {
        let mut all = vec![("draft", draft.as_str())];
        all.append(&mut fields);
        let answer = place.post("/form", &cookie, &all).await;
        let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
        place.page(&to, &cookie).await.1
    };
    let tested = send(fields("a", "both")).await;
    assert!(tested.contains("No token") && !tested.contains("Out of date"), "{tested}");
    let changed = send(fields("b", "save")).await;
    assert!(changed.contains("Out of date") && !changed.contains(CANARY), "{changed}");
}

#[tokio::test]
async fn a_token_endpoint_that_is_known_by_name_fills_the_form() {
    let place = Place::new();
    let cookie = place.enter().await;
    let url = "url=https%3A%2F%2Facme.eu.auth0.com%2Foauth%2Ftoken";
    let (_, page) = place.page(&format!("/new?{url}"), &cookie).await;
    assert!(
        page.contains("token endpoint of Auth0") && page.contains("value=\"acme.eu.auth0.com\""),
        "{page}"
    );
    let (_, page) = place.page(&format!("/new?{url}&kind=token_url"), &cookie).await;
    assert!(page.contains("name=\"token_url\"") && !page.contains("var-domain"), "{page}");
    let (status, page) = place.page("/new?url=ftp%3A%2F%2Fx", &cookie).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("Issuer or token URL:"), "{page}");
}

/// What a profile says stands in its form, and the form that is sent as it stands says the same.
#[tokio::test]
async fn from_a_profile_to_its_form_and_back() {
    let place = Place::new();
    let samples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/export");
    let more = "[profiles.more]\nissuer = \"https://as.example\"\nclient_id = \"c\"\nclient_secret = { env = \"A\" }\n\
        next_client_secret = { command = [\"op\", \"read x\"] }\nresource = [\"https://a.example\", \"https://b.example\"]\n\
        params = { organization = \"o=1\" }\ndpop = { systemd = \"k\" }\nallow_http = true\nrefresh_lead = \"90s\"\n\
        destinations = [\"https://a.example\"]\nbasic_encoding = \"raw\"\ninspect = \"off\"\ntimeout = \"500ms\"\n";
    let texts = std::fs::read_dir(samples).unwrap().map(|entry| entry.unwrap().path());
    let texts = texts.filter(|path| path.extension().is_some_and(|kind| kind == "toml"));
    let texts: Vec<String> =
        texts.map(|path| std::fs::read_to_string(path).unwrap()).chain([more.to_owned()]).collect();
    assert!(texts.len() > 10);
    for text in texts {
        let path = place.home.path().join("m2m.toml");
        let document = crate::settings::file::Document::parse(&path, &text).unwrap();
        let located =
            crate::settings::search::Located { document, trust: crate::settings::trust::Trust::Named };
        let around = &place.console.around;
        for name in located.document.profiles.keys() {
            let draft = draft::Draft::of("d".to_owned(), name, &located, around).unwrap();
            let sent = typed::Typed::of(&draft).as_sent();
            let filled = filled::read(&sent, &draft, around);
            assert!(filled.problems.is_empty(), "{name}: {:?}", filled.problems);
            let values = |draft: &draft::Draft| -> Vec<_> {
                draft.wish.values.iter().map(|(field, sourced)| (*field, sourced.value.clone())).collect()
            };
            assert_eq!(values(&filled.draft), values(&draft), "{text}");
            assert!(!filled.draft.changed, "{name}");
        }
    }
}

/// A profile of every provider can be made by its form, with the catalogue's own examples; no form is heavy.
#[tokio::test]
async fn every_provider_has_a_form_that_can_be_filled_in() {
    use crate::commands::profile::judged::demand;
    use crate::settings::field::Field;

    let place = Place::new();
    let cookie = place.enter().await;
    for provider in m2m_client::provider::all().iter().filter(|provider| provider.is_usable()) {
        let (status, page) = place.page(&format!("/new?provider={}", provider.id), &cookie).await;
        assert_eq!(status, StatusCode::OK, "{}", provider.id);
        assert!(page.len() < 100_000 && !page.contains(" style="), "{}: {} bytes", provider.id, page.len());
        let id = place.draft(&cookie, &format!("provider={}", provider.id)).await;
        let session = place.console.session(&place.get("/", &cookie).headers().clone()).unwrap();
        let draft = session.bench.draft(&id).unwrap();
        let method = typed::method(&draft).unwrap_or_else(|| panic!("{} has no method", provider.id));
        let mut fields: Vec<(String, String)> = provider
            .variables
            .iter()
            .map(|known| (typed::variable(&known.name), known.example.clone()))
            .collect();
        let mut add = |name: &str, text: &str| fields.push((name.to_owned(), text.to_owned()));
        add("name", "a");
        add("client_auth_method", method.as_str());
        for field in [Field::ClientId, Field::Scopes, Field::Audience, Field::Resource] {
            if demand(field, Some(provider)).is_some() {
                add(field.key(), "https://api.example.com");
            }
        }
        for name in &provider.request.required_params {
            add(&typed::param(name), "x");
        }
        for credential in credentials::Credential::all(&draft) {
            let key = credential.field.key();
            if credential.goes_with(method) && credential.field != Field::NextClientSecret {
                add(&format!("{key}-place"), "file");
                add(&format!("{key}-file"), "/run/secrets/x");
            }
        }
        let filled = filled::read(&Sent(fields), &draft, &place.console.around);
        assert!(filled.problems.is_empty(), "{}: {:?}", provider.id, filled.problems);
    }
}

#[tokio::test]
async fn what_others_write_meanwhile_is_not_overwritten() {
    let place = Place::new();
    let cookie = place.enter().await;
    let draft = place.draft(&cookie, "provider=auth0").await;
    place.post("/form", &cookie, &filled(&draft, "save")).await;
    let mut text_now = std::fs::read_to_string(place.file()).unwrap();
    text_now.push_str("timeout = \"3s\"\n");
    std::fs::write(place.file(), &text_now).unwrap();
    let mut fields = filled(&draft, "save");
    fields.push(("scopes", "a"));
    let (status, page) = text(place.post("/form", &cookie, &fields).await).await;
    assert!(status == StatusCode::UNPROCESSABLE_ENTITY && page.contains("was changed in its file"), "{page}");
    assert_eq!(std::fs::read_to_string(place.file()).unwrap(), text_now);
}

#[tokio::test]
async fn a_profile_can_go_into_the_file_in_use() {
    let place = Place::new();
    let cookie = place.enter().await;
    let found = place.home.path().join("m2m.toml");
    std::fs::write(&found, "# ours\n[profiles.a]\nissuer = \"https://far.example\"\nclient_id = \"a\"\nclient_secret = { env = \"HOME\" }\n").unwrap();
    let draft = place.draft(&cookie, "provider=auth0").await;
    let mut fields = filled(&draft, "save");
    let path = found.display().to_string();
    fields.push(("file", &path));
    assert_eq!(place.post("/form", &cookie, &fields).await.status(), StatusCode::SEE_OTHER);
    let text_now = std::fs::read_to_string(&found).unwrap();
    assert!(text_now.starts_with("# ours") && text_now.contains("[profiles.orders]"), "{text_now}");
    let mut elsewhere = filled(&draft, "save");
    elsewhere.push(("file", "/etc/m2m.toml"));
    place.post("/form", &cookie, &elsewhere).await;
    assert!(!std::path::Path::new("/etc/m2m.toml").exists());
    // A stranger's profile that names the user's own secret says so before it is used.
    let (_, start) = place.page("/", &cookie).await;
    let (_, rest) = start.split_once("profile?of=").unwrap();
    let answer =
        place.send(place.get(&format!("/profile?of={}", rest.split('"').next().unwrap()), &cookie)).await;
    let to = answer.headers()[header::LOCATION].to_str().unwrap().to_owned();
    let (_, page) = place.page(&to, &cookie).await;
    assert!(page.contains("it says that environment variable HOME is for https://far.example"), "{page}");
}
