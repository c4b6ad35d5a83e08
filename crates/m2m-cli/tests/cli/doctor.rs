//! `m2m doctor` against servers that were prepared with one fault each: it must be named first.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use m2m_cli::certificate::{Authority, Wish};
use m2m_io::{Clock as _, SystemClock};
use m2m_proto::jose::{Algorithm, JwkSet, SigningKey, base64url};
use m2m_proto::time::UnixTime;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};

use crate::place::{Place, binary};
use crate::servers::{dead, serve, start};

/// A server in order; each test changes one thing.
#[derive(Clone)]
struct Prepared {
    /// What Basic must carry, decoded: `svc:SECRET`.
    login: &'static str,
    methods: Value,
    issuer: Option<String>,
    aud: &'static str,
    jwks: Option<String>,
    /// Seconds by which its clock is ahead.
    ahead: i64,
    scheme: &'static str,
    /// The whole answer of the token endpoint, if it is not a token.
    answer: Option<&'static str>,
}

impl Default for Prepared {
    fn default() -> Self {
        Self {
            login: "svc:hunter2",
            methods: json!(["client_secret_basic", "private_key_jwt"]),
            issuer: None,
            aud: "https://api.example",
            jwks: None,
            ahead: 0,
            scheme: "http",
            answer: None,
        }
    }
}

/// A key set with the key of the tokens.
fn keys() -> String {
    let key = SigningKey::generate(Algorithm::Es256).unwrap().with_key_id("k1".to_owned());
    String::from_utf8(JwkSet::encode([&**key.verifying_key()])).unwrap()
}

fn json_answer(status: &str, date: &str, body: &Value) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\ndate: {date}\r\n\r\n{body}")
}

impl Prepared {
    fn start(self) -> String {
        let keys = keys();
        start(move |request| self.answer(&request, &keys))
    }

    fn answer(&self, request: &str, keys: &str) -> String {
        let now = i64::try_from(SystemClock.wall().seconds()).unwrap() + self.ahead;
        let date = http_date(UnixTime::from_seconds(u64::try_from(now).unwrap()));
        let header = |name: &str| {
            request.lines().find_map(|line| {
                let (found, value) = line.split_once(": ")?;
                found.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let own = format!("{}://{}", self.scheme, header("host").unwrap_or_default());
        let path = request.split(' ').nth(1).unwrap_or_default();
        match path {
            "/.well-known/oauth-authorization-server" => {
                let document = json!({
                    "issuer": self.issuer.as_deref().unwrap_or(&own),
                    "token_endpoint": format!("{own}/token"),
                    "jwks_uri": self.jwks.clone().unwrap_or_else(|| format!("{own}/jwks")),
                    "token_endpoint_auth_methods_supported": self.methods,
                });
                json_answer("200 OK", &date, &document)
            }
            "/jwks" => json_answer("200 OK", &date, &serde_json::from_str(keys).unwrap()),
            "/token" => match (self.answer, self.accepts(header("authorization").as_deref(), request)) {
                (Some(answer), _) => answer.to_owned(),
                (None, true) => json_answer("200 OK", &date, &self.token(&own, now)),
                (None, false) => json_answer("401 Unauthorized", &date, &json!({"error": "invalid_client"})),
            },
            _ => "HTTP/1.1 404 Not Found\r\n\r\n".to_owned(),
        }
    }

    /// Basic with the right login; an assertion only while the clocks agree.
    fn accepts(&self, authorization: Option<&str>, request: &str) -> bool {
        match authorization.and_then(|value| value.strip_prefix("Basic ")) {
            Some(basic) => form_decoded(&base64(basic)) == self.login,
            None => request.contains("client_assertion=") && self.ahead == 0,
        }
    }

    fn token(&self, own: &str, now: i64) -> Value {
        let part = |value: Value| base64url::encode(value.to_string());
        let header = part(json!({"alg": "ES256", "typ": "at+jwt", "kid": "k1"}));
        let claims = json!({"iss": own, "aud": self.aud, "iat": now, "exp": now + 600, "sub": "svc"});
        let token = format!("{header}.{}.c2lnbmF0dXJl", part(claims));
        json!({"access_token": token, "token_type": "Bearer", "expires_in": 600, "scope": "read"})
    }
}

fn base64(text: &str) -> String {
    let url: String = text
        .trim_end_matches('=')
        .chars()
        .map(|c| match c {
            '+' => '-',
            '/' => '_',
            c => c,
        })
        .collect();
    String::from_utf8(base64url::decode(&url).unwrap()).unwrap()
}

fn form_decoded(pair: &str) -> String {
    let (id, secret) = pair.split_once(':').unwrap();
    let decoded = |text| m2m_proto::form::decode_component(text).unwrap();
    format!("{}:{}", decoded(id), decoded(secret))
}

fn http_date(time: UnixTime) -> String {
    let date = time.date();
    let [year, month, day] = date.split('-').collect::<Vec<_>>()[..] else { panic!("{date}") };
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months[month.parse::<usize>().unwrap() - 1];
    let second = time.seconds() % 86_400;
    format!("Mon, {day} {month} {year} {:02}:{:02}:{:02} GMT", second / 3600, second / 60 % 60, second % 60)
}

/// A place without server: files in it, an environment that holds nothing else.
struct Case {
    directory: tempfile::TempDir,
    environment: BTreeMap<&'static str, String>,
}

impl Case {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join(".git")).unwrap();
        let case = Self { directory, environment: BTreeMap::new() };
        case.write("secret", "hunter2");
        case
    }

    fn write(&self, name: &str, text: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.directory.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn run(&self, arguments: &str) -> (i32, Value, String) {
        let output = Command::new(binary())
            .args(["doctor", "--json", "--client-id", "svc"])
            .args(arguments.split_whitespace())
            .current_dir(self.directory.path())
            .env_clear()
            .env("HOME", self.directory.path())
            .envs(&self.environment)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(!out.contains("hunter2") && !err.contains("hunter2"), "a secret was printed:\n{out}\n{err}");
        assert!(!out.contains("eyJ"), "a token was printed:\n{out}");
        let report = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}\n{err}"));
        (output.status.code().unwrap_or(-1), report, err)
    }

    /// With the secret in the file, asking for the API.
    #[track_caller]
    fn check(&self, arguments: &str, first: Option<&str>, exit: i32) -> Value {
        let (code, report, err) = self.run(arguments);
        let shown = report["checks"].as_array().unwrap().iter().map(|check| format!("\n  {check}"));
        let shown = shown.collect::<String>();
        assert_eq!(report["first"].as_str(), first, "{shown}\n{err}");
        assert_eq!(code, exit, "{shown}\n{err}");
        if let Some(first) = first {
            let found = found(&report, first);
            for member in ["evidence", "cause", "fix"] {
                let text = found[member].as_str().unwrap_or_else(|| panic!("{first} has no {member}{shown}"));
                assert!(!text.is_empty() && !text.contains('<'), "{text}");
            }
        }
        report
    }
}

fn found<'a>(report: &'a Value, id: &str) -> &'a Value {
    report["checks"].as_array().unwrap().iter().find(|check| check["id"] == id).unwrap()
}

const ASK: &str = "--secret-file secret --audience https://api.example --scope read";

#[test]
fn a_server_in_order() {
    let issuer = Prepared::default().start();
    let report = Case::new().check(&format!("--issuer {issuer} {ASK}"), None, 0);
    for check in report["checks"].as_array().unwrap() {
        assert!(check["status"] == "pass" || check["status"] == "skip", "{check}");
        assert_eq!((&check["cause"], &check["fix"]), (&Value::Null, &Value::Null));
    }
    assert_eq!(found(&report, "jwks.keys")["evidence"], "1 usable key");
    // The same by its token URL: its metadata is found beside it.
    let report = Case::new().check(&format!("--token-url {issuer}/token {ASK}"), None, 0);
    assert_eq!(found(&report, "auth.method")["evidence"], "client_secret_basic is offered");
}

#[test]
fn a_line_end_after_the_secret() {
    let issuer = Prepared::default().start();
    let mut case = Case::new();
    case.write("secret", "hunter2\n");
    let report = case.check(&format!("--issuer {issuer} {ASK}"), Some("secret.trailing_newline"), 0);
    assert_eq!(found(&report, "secret.trailing_newline")["status"], "warn");
    case.write("secret", "hunter2\n\n");
    case.check(&format!("--issuer {issuer} {ASK}"), Some("secret.trailing_newline"), 4);
    case.write("secret", "hunter2 ");
    case.check(&format!("--issuer {issuer} {ASK}"), Some("secret.trailing_newline"), 7);
    case.environment.insert("SECRET", "hunter2\r\n".to_owned());
    let by_variable = format!("--issuer {issuer} --secret-env SECRET --audience https://api.example");
    case.check(&by_variable, Some("secret.trailing_newline"), 0);
}

#[test]
fn a_secret_encoded_twice() {
    let issuer = Prepared { login: "svc:p@ss/word", ..Prepared::default() }.start();
    let case = Case::new();
    case.write("secret", "p%40ss%2Fword");
    let report = case.check(&format!("--issuer {issuer} {ASK}"), Some("secret.double_encoded"), 7);
    assert!(!report.to_string().contains("p%40ss"), "{report}");
    // Where the escapes belong to the secret there is nothing to say.
    let issuer = Prepared { login: "svc:p%40ss%2Fword", ..Prepared::default() }.start();
    case.check(&format!("--issuer {issuer} {ASK}"), None, 0);
}

#[test]
fn a_method_that_the_server_does_not_offer() {
    let issuer = Prepared { methods: json!(["private_key_jwt"]), login: "", ..Prepared::default() }.start();
    let case = Case::new();
    let report = case.check(&format!("--issuer {issuer} {ASK}"), Some("auth.method"), 7);
    assert!(found(&report, "auth.method")["fix"].as_str().unwrap().contains("private_key_jwt"));
    case.check(&format!("--token-url {issuer}/token {ASK}"), Some("auth.method"), 7);
}

#[test]
fn a_token_for_another_api() {
    let issuer = Prepared { aud: "https://other.example", ..Prepared::default() }.start();
    let case = Case::new();
    case.check(&format!("--issuer {issuer} {ASK}"), Some("token.audience"), 11);
    for answer in [
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\r\n{\"error\":\"invalid_target\"}",
        "HTTP/1.1 403 Forbidden\r\ncontent-type: application/json\r\n\r\n\
         {\"error\":\"access_denied\",\"error_description\":\"Service not found: https://api.example\"}",
        "HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\n\r\n\
         {\"error\":\"invalid_request\",\"error_description\":\"Unknown audience\"}",
    ] {
        let issuer = Prepared { answer: Some(answer), ..Prepared::default() }.start();
        case.check(&format!("--issuer {issuer} {ASK}"), Some("token.audience"), 8);
    }
}

#[test]
fn clocks_five_minutes_apart() {
    let case = Case::new();
    let key = SigningKey::generate(Algorithm::Es256).unwrap();
    case.write("key.pem", key.to_pkcs8_pem().unwrap().expose());
    for ahead in [300, -300] {
        let issuer = Prepared { ahead, ..Prepared::default() }.start();
        let assertion =
            format!("--issuer {issuer} --private-key-file key.pem --audience https://api.example");
        let report = case.check(&assertion, Some("clock.offset"), 7);
        let evidence = found(&report, "clock.offset")["evidence"].as_str().unwrap();
        assert!(evidence.contains(if ahead > 0 { "behind" } else { "ahead" }), "{evidence}");
        case.check(&format!("--issuer {issuer} {ASK}"), Some("clock.offset"), 11);
    }
}

#[test]
fn an_expired_certificate() {
    let hour = Duration::from_secs(3600);
    let now = SystemClock.wall();
    let wish = |from: UnixTime, valid_for| Wish {
        subject: "server".to_owned(),
        names: vec!["localhost".to_owned()],
        not_before: from,
        valid_for,
    };
    let case = Case::new();
    let authority = Authority::generate(&wish(now.saturating_sub(hour), 10_000 * hour)).unwrap();
    case.write("ca.pem", authority.certificate_pem());
    let check = |from: UnixTime, trusted: &str, first: Option<&str>, exit| {
        let issuer = tls(&authority, &wish(from, 100 * hour));
        case.check(&format!("--issuer {issuer} {trusted} {ASK}"), first, exit)
    };
    let long_ago = now.saturating_sub(1000 * hour);
    let report = check(long_ago, "--ca-file ca.pem", Some("tls.expired"), 6);
    let date = long_ago.saturating_add(100 * hour).date();
    assert!(found(&report, "tls.expired")["evidence"].as_str().unwrap().contains(&date));
    assert_eq!(found(&report, "tls.chain")["status"], "skip");
    // Nobody vouches for it either, which is the lesser question.
    check(long_ago, "", Some("tls.expired"), 6);
    check(now.saturating_sub(hour), "", Some("tls.chain"), 6);
    let soon = check(now.saturating_sub(hour), "--ca-file ca.pem", Some("tls.expired"), 0);
    assert_eq!(found(&soon, "tls.expired")["status"], "warn");
}

/// The prepared server behind TLS, by the name `localhost`.
fn tls(authority: &Authority, wish: &Wish) -> String {
    let made = authority.issue(wish).unwrap();
    let chain = vec![CertificateDer::from(made.certificate_der)];
    let key = PrivateKeyDer::from_pem_slice(made.key_pem.expose().as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    std::thread::spawn(move || {
        let keys = keys();
        let prepared = Prepared { scheme: "https", jwks: None, ..Prepared::default() };
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
            let stream = rustls::StreamOwned::new(connection, stream);
            serve(stream, |request| {
                if request.is_empty() { String::from("\r\n\r\n") } else { prepared.answer(&request, &keys) }
            });
        }
    });
    url
}

#[test]
fn an_issuer_that_is_not_the_configured_one() {
    let issuer =
        Prepared { issuer: Some("https://login.example/".to_owned()), ..Prepared::default() }.start();
    let report = Case::new().check(&format!("--issuer {issuer} {ASK}"), Some("discovery.issuer"), 10);
    let found = found(&report, "discovery.issuer");
    let evidence = found["evidence"].as_str().unwrap();
    assert!(evidence.contains(&issuer) && evidence.contains("https://login.example/"), "{evidence}");
    assert!(found["fix"].as_str().unwrap().contains("issuer = \"https://login.example/\""));
}

#[test]
fn a_web_page_instead_of_an_answer() {
    let case = Case::new();
    let page = "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Welcome eyJsecret</html>";
    for status in ["200 OK", "404 Not Found", "403 Forbidden"] {
        let answer: &'static str = page.replace("200 OK", status).leak();
        let issuer = Prepared { answer: Some(answer), ..Prepared::default() }.start();
        case.check(&format!("--issuer {issuer} {ASK}"), Some("token.not_json"), 10);
        case.check(&format!("--token-url {issuer}/token {ASK}"), Some("token.not_json"), 10);
    }
    // A portal answers everything.
    let portal = start(move |_| page.to_owned());
    case.check(&format!("--issuer {portal} {ASK}"), Some("token.not_json"), 10);
    let text = start(|_| "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\nhello".to_owned());
    case.check(&format!("--token-url {text}/token {ASK}"), Some("token.not_json"), 10);
}

#[test]
fn keys_that_cannot_be_had() {
    let case = Case::new();
    let check = |jwks: Option<String>, exit| {
        let issuer = Prepared { jwks, ..Prepared::default() }.start();
        case.check(&format!("--issuer {issuer} {ASK}"), Some("jwks.unreachable"), exit);
    };
    check(Some(format!("{}/jwks", dead())), 5);
    check(Some(dead().replace("http://", "https://")), 5);
    // At the server itself, but not there.
    let lost = start(|_| "HTTP/1.1 500 Broken\r\n\r\n".to_owned());
    check(Some(format!("{lost}/jwks")), 5);
}

#[test]
fn a_proxy_in_the_way() {
    let mut case = Case::new();
    let refusing = |head: &'static str| {
        start(move |_| format!("HTTP/1.1 {head}\r\ncontent-type: text/html\r\n\r\n<html>no</html>"))
    };
    let proxies = [
        dead(),
        refusing("407 Proxy Authentication Required"),
        refusing("403 Forbidden"),
        refusing("502 Bad Gateway"),
        refusing("200 OK"),
        start(|_| "SSH-2.0-x\r\n\r\n".to_owned()),
    ];
    for proxy in proxies {
        let with_login = proxy.replace("http://", "http://user:hunter2@");
        case.environment = BTreeMap::from([("HTTPS_PROXY", with_login)]);
        let report = case.check(&format!("--issuer https://login.example {ASK}"), Some("proxy"), 5);
        let evidence = found(&report, "proxy")["evidence"].as_str().unwrap();
        assert!(evidence.contains(&proxy) && evidence.contains("HTTPS_PROXY"), "{evidence}");
        assert_eq!(found(&report, "dns")["status"], "skip");
    }
    // In the clear, which a profile must allow.
    let page = refusing("200 OK");
    case.write("m2m.toml", "[profiles.a]\ntoken_url = \"http://login.example/token\"\nallow_http = true\n");
    case.environment = BTreeMap::from([("http_proxy", page)]);
    case.check("--secret-file secret", Some("proxy"), 5);
    // Nothing to this machine goes through it, so nothing fails; that it is broken is said.
    let issuer = Prepared::default().start();
    case.environment = BTreeMap::from([("HTTPS_PROXY", dead()), ("HTTP_PROXY", dead())]);
    case.write("m2m.toml", "");
    let report = case.check(&format!("--issuer {issuer} {ASK}"), Some("proxy"), 0);
    assert_eq!(found(&report, "proxy")["status"], "warn");
    case.environment = BTreeMap::from([("HTTP_PROXY", refusing("403 Forbidden"))]);
    case.check(&format!("--issuer {issuer} {ASK}"), None, 0);
}

#[test]
fn what_else_stands_in_the_way() {
    let mut case = Case::new();
    let issuer = Prepared::default().start();
    case.check("", Some("settings.complete"), 3);
    case.check(&format!("--issuer {issuer} --secret-file nowhere"), Some("secret.readable"), 4);
    case.check(&format!("--issuer {issuer} --private-key-file secret"), Some("key.usable"), 3);
    case.check(&format!("--issuer {} {ASK}", dead()), Some("tcp.connect"), 5);
    case.check(&format!("--issuer https://nobody.invalid {ASK}"), Some("dns"), 5);
    case.check(&format!("--issuer {} {ASK}", issuer.replace("http://", "https://")), Some("tls.chain"), 6);
    let empty = start(|_| "HTTP/1.1 404 Not Found\r\n\r\n".to_owned());
    case.check(&format!("--issuer {empty} {ASK}"), Some("discovery.reachable"), 10);
    let limited = start(|_| "HTTP/1.1 429 Slow Down\r\nretry-after: 7\r\n\r\n".to_owned());
    let report = case.check(&format!("--token-url {limited}/token {ASK}"), Some("token.request"), 9);
    assert_eq!(found(&report, "quota")["evidence"], "retry-after: 7");
    case.write("secret", "wrong");
    case.check(&format!("--issuer {issuer} {ASK}"), Some("token.request"), 7);
    case.environment.insert("M2M_PROFILE", "gone".to_owned());
    case.check(&format!("--issuer {issuer} {ASK}"), Some("settings.source"), 3);
}

#[test]
fn the_probe_finds_another_way_in() {
    let case = Case::new();
    // It compares Basic as it stands, without decoding.
    let raw = start(|request| {
        let login = request.lines().find_map(|line| line.strip_prefix("authorization: Basic ").map(base64));
        match login.as_deref() {
            Some("svc:a/b+c") => json_answer(
                "200 OK",
                "x",
                &json!({"access_token": "t", "token_type": "Bearer", "expires_in": 600}),
            ),
            _ => json_answer("401 Unauthorized", "x", &json!({"error": "invalid_client"})),
        }
    });
    case.write("secret", "a/b+c");
    let ask = format!("--token-url {raw}/token --secret-file secret");
    let report = case.check(&ask, Some("token.request"), 7);
    assert_eq!(found(&report, "auth.probe")["status"], "skip");
    let report = case.check(&format!("{ask} --probe"), Some("auth.probe"), 7);
    assert_eq!(found(&report, "auth.probe")["fix"], "set basic_encoding = \"raw\"");
    // Nothing is tried where the client is accepted.
    let report = case.check(&format!("{ask} --probe --basic-encoding raw"), None, 0);
    assert_eq!(found(&report, "auth.probe")["status"], "skip");
}

#[test]
fn who_is_refused_a_scope_has_been_let_in() {
    let case = Case::new();
    let posted = start(|request| match request.contains("client_secret=a") {
        true => json_answer("400 Bad Request", "x", &json!({"error": "invalid_scope"})),
        false => json_answer("401 Unauthorized", "x", &json!({"error": "invalid_client"})),
    });
    case.write("secret", "a/b+c");
    let ask = format!("--token-url {posted}/token --secret-file secret --probe");
    let report = case.check(&ask, Some("auth.probe"), 7);
    let probe = found(&report, "auth.probe");
    assert_eq!(probe["fix"], "set client_auth_method = \"client_secret_post\"");
    assert_eq!(probe["evidence"], "raw Basic: invalid_client; client_secret_post: accepted");
}

#[test]
fn a_service_of_the_catalogue() {
    let case = Case::new();
    let unauthorized = r#"{"error":"access_denied","error_description":"Unauthorized"}"#;
    let service = start(move |request| {
        let known = request.starts_with("POST /oauth/token ");
        let status = if known { "401 Unauthorized" } else { "404 Not Found" };
        format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n\r\n{unauthorized}")
    });
    let named = format!("--provider auth0 --var domain={service} {ASK}");
    let report = case.check(&named, Some("token.request"), 7);
    let fix = found(&report, "token.request")["fix"].as_str().unwrap();
    assert!(fix.contains("client secret"), "the service's own fix: {fix}");
    let other = format!("{named} --client-auth-method client_secret_jwt");
    let case = Case::new();
    case.write("secret", "a-secret-of-more-than-thirty-two-characters");
    let report = case.check(&other, Some("auth.method"), 7);
    let evidence = found(&report, "auth.method")["evidence"].as_str().unwrap();
    assert!(evidence.contains("Auth0 takes client_secret_post"), "{evidence}");
}

#[test]
fn people_read_lines() {
    let place = Place::new();
    let (exit, out, err) = place.shell("m2m doctor");
    assert_eq!(exit, 0, "{out}\n{err}");
    assert!(out.ends_with("\n\nnothing is wrong\n"), "{out}");
    assert!(out.lines().next().unwrap().starts_with("pass  settings.source "), "{out}");
    let (exit, out, _) = place.shell("WRONG=hunter2 m2m doctor --secret-env WRONG");
    assert_eq!(exit, 7, "{out}");
    assert!(out.contains("\nFAIL  token.request "), "{out}");
    assert!(out.contains("\n        cause ") && out.contains("\n        fix   "), "{out}");
    assert!(out.lines().last().unwrap().starts_with("start with token.request: "), "{out}");
    assert!(!out.contains('\x1b') && !out.contains("hunter2"), "{out}");
}

#[test]
fn json_ends_like_every_failure() {
    let case = Case::new();
    let (exit, report, err) = case.run(&format!("--issuer {} {ASK}", dead()));
    let last: Value = serde_json::from_str(err.lines().last().unwrap()).unwrap();
    assert_eq!(last["error"]["code"], report["first"]);
    assert_eq!((last["error"]["exit"].as_i64(), exit), (Some(5), 5));
}
