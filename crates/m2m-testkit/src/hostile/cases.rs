//! The table.

use bytes::Bytes;
use http::{Response, header};
use m2m_proto::jose::base64url;

use super::{Answer, Case, Expect, Lifetime, response};
use crate::record::Recorded;

/// The scope that the client asks for.
pub const ASKED_SCOPE: &str = "read write";

/// The audience that the client asks for.
pub const ASKED_AUDIENCE: &str = "https://api.example";

const HOUR: Expect = Expect::Token(Lifetime::Seconds(3600));
const LATER: Expect = Expect::Unreachable { retry_after: None };

/// Every case, each with a name of its own.
#[must_use]
pub fn cases() -> Vec<Case> {
    [good(), lifetimes(), documents(), tokens(), statuses(), refusals(), transports(), not_as_asked()]
        .concat()
}

fn case(name: &'static str, answer: Answer, expect: Expect) -> Case {
    Case { name, answer, expect }
}

fn ok(name: &'static str, body: impl Into<Bytes>, expect: Expect) -> Case {
    case(name, Answer::json(200, body), expect)
}

/// A sound response whose `expires_in` is this JSON text.
fn lives(expires_in: &str) -> String {
    format!(r#"{{"access_token":"tok-good","token_type":"Bearer","expires_in":{expires_in}}}"#)
}

/// A sound response with this access token, as JSON text.
fn token(json: &str) -> String {
    format!(r#"{{"access_token":{json},"token_type":"Bearer","expires_in":3600}}"#)
}

fn good() -> Vec<Case> {
    let extra = r#"{"access_token":"tok-good","token_type":"bearer","expires_in":3600,"x":{"y":[1,null]},"refresh_token":"r"}"#;
    let mut text = response(200, "text/plain; charset=utf-8", lives("3600"));
    text.headers_mut().insert(header::CACHE_CONTROL, "no-store".parse().expect("a header"));
    vec![
        ok("a good answer", lives("3600"), HOUR),
        case("201 is a good answer", Answer::json(201, lives("3600")), HOUR),
        ok("unknown members and a small b", extra, HOUR),
        ok("no token_type", r#"{"access_token":"tok-good","expires_in":3600}"#, HOUR),
        case("another content type", Answer::Whole(text), HOUR),
    ]
}

fn lifetimes() -> Vec<Case> {
    let seconds = |seconds| Expect::Token(Lifetime::Seconds(seconds));
    let unsaid = Expect::Token(Lifetime::Unsaid);
    vec![
        ok("expires_in a string", lives("\"3599\""), seconds(3599)),
        ok("expires_in a fraction", lives("3599.5"), seconds(3599)),
        ok("expires_in with an exponent", lives("36e2"), HOUR),
        ok("expires_in null", lives("null"), unsaid),
        ok("expires_in absent", r#"{"access_token":"tok-good","token_type":"Bearer"}"#, unsaid),
        ok("expires_in zero", lives("0"), Expect::Token(Lifetime::Zero)),
        ok("expires_in huge", lives("99999999999999999999"), Expect::Token(Lifetime::Absurd)),
        ok("expires_in beyond numbers", lives("1e308"), Expect::Token(Lifetime::Absurd)),
        ok("expires_in negative", lives("-1"), Expect::PeerMisbehaved),
        ok("expires_in a negative string", lives("\"-1\""), Expect::PeerMisbehaved),
        ok("expires_in NaN", lives("NaN"), Expect::PeerMisbehaved),
        ok("expires_in the string NaN", lives("\"NaN\""), Expect::PeerMisbehaved),
        ok("expires_in infinite", lives("\"inf\""), Expect::PeerMisbehaved),
        ok("expires_in a word", lives("\"soon\""), Expect::PeerMisbehaved),
        ok("expires_in true", lives("true"), Expect::PeerMisbehaved),
        ok("expires_in a list", lives("[3600]"), Expect::PeerMisbehaved),
    ]
}

fn documents() -> Vec<Case> {
    let good = lives("3600");
    let bad = |name, body: Vec<u8>| ok(name, body, Expect::PeerMisbehaved);
    let twice =
        r#"{"access_token":"tok-one","access_token":"tok-two","token_type":"Bearer","expires_in":3600}"#;
    let deep = format!(
        r#"{{"access_token":"tok-good","token_type":"Bearer","x":{}{}}}"#,
        "[".repeat(1000),
        "]".repeat(1000)
    );
    let html = "<!doctype html><title>Sign in</title><p>tok-secret";
    let page = |status| Answer::Whole(response(status, "text/html", html));
    vec![
        case("200 with a web page", page(200), Expect::PeerMisbehaved),
        case("400 with a web page", page(400), Expect::PeerMisbehaved),
        case("403 with a web page", page(403), Expect::PeerMisbehaved),
        bad("a member twice", twice.into()),
        bad("a byte order mark", ["\u{feff}", &good].concat().into_bytes()),
        bad("bytes after the object", [&good, "{}"].concat().into_bytes()),
        bad("a list", format!("[{good}]").into_bytes()),
        bad("nothing", Vec::new()),
        bad("blanks", b" \n".to_vec()),
        bad("null", b"null".to_vec()),
        bad("no UTF-8", b"{\"access_token\":\"\xff\",\"token_type\":\"Bearer\"}".to_vec()),
        bad("too deep", deep.into_bytes()),
        bad("cut in the middle", good.as_bytes()[..good.len() / 2].to_vec()),
        case("204", Answer::Whole(response(204, "application/json", "")), Expect::PeerMisbehaved),
        case("206", Answer::json(206, good.clone()), Expect::PeerMisbehaved),
    ]
}

fn tokens() -> Vec<Case> {
    let bad = |name, json: &str| ok(name, token(json), Expect::PeerMisbehaved);
    let long = format!("\"{}\"", "t".repeat(17 * 1024));
    vec![
        bad("a token with a newline", r#""tok-secret\nX-Injected: 1""#),
        bad("a token with a carriage return", r#""tok-secret\r""#),
        bad("a token with a blank", r#""tok secret""#),
        bad("a token with a zero byte", r#""tok-secret\u0000""#),
        bad("a token beyond ASCII", r#""tök-secret""#),
        bad("an empty token", r#""""#),
        bad("a token too long", &long),
        bad("a token that is a number", "7"),
        bad("a token that is null", "null"),
        ok("no token", r#"{"token_type":"Bearer","expires_in":3600}"#, Expect::PeerMisbehaved),
        ok(
            "a scope with a quote",
            r#"{"access_token":"tok-good","token_type":"Bearer","expires_in":3600,"scope":"a\"b"}"#,
            Expect::PeerMisbehaved,
        ),
    ]
}

fn with(status: u16, name: header::HeaderName, value: &str) -> Answer {
    let body = r#"{"error":"temporarily_unavailable"}"#;
    let mut response = response(status, "application/json", body);
    response.headers_mut().insert(name, value.parse().expect("a header"));
    Answer::Whole(response)
}

fn statuses() -> Vec<Case> {
    let again = |status, value: &str| with(status, header::RETRY_AFTER, value);
    let in_seconds = |seconds| Expect::Unreachable { retry_after: Some(seconds) };
    let redirect = |status, location| with(status, header::LOCATION, location);
    vec![
        case("500 with a web page", Answer::Whole(response(500, "text/html", "<p>oops")), LATER),
        case("500 with an OAuth error", Answer::json(500, r#"{"error":"invalid_client"}"#), LATER),
        case("502 without a body", Answer::Whole(response(502, "text/plain", "")), LATER),
        case("503 with Retry-After", again(503, "7"), in_seconds(7)),
        case("429", Answer::json(429, r#"{"error":"slow_down"}"#), LATER),
        case("429 with seconds", again(429, "120"), in_seconds(120)),
        case("429 with a date", again(429, "Sun, 22 Nov 2026 10:42:00 GMT"), in_seconds(120)),
        case("429 with an absurd number", again(429, "99999999999"), in_seconds(3600)),
        case("429 with an absurd date", again(429, "Fri, 31 Dec 9999 23:59:59 GMT"), in_seconds(3600)),
        case("429 with a word", again(429, "later"), LATER),
        case("429 with a negative number", again(429, "-5"), LATER),
        case("302 to the same origin", redirect(302, "/login"), Expect::PeerMisbehaved),
        case("302 to another origin", redirect(302, "https://evil.example/token"), Expect::PeerMisbehaved),
        case("307 to another origin", redirect(307, "https://evil.example/token"), Expect::PeerMisbehaved),
        case("308 to plain HTTP", redirect(308, "http://evil.example/token"), Expect::PeerMisbehaved),
        case("401 without a body", Answer::Whole(response(401, "text/plain", "")), Expect::PeerMisbehaved),
        case("404 with other JSON", Answer::json(404, r#"{"message":"no"}"#), Expect::PeerMisbehaved),
    ]
}

fn refusals() -> Vec<Case> {
    let error = |code: &str| format!(r#"{{"error":"{code}","error_description":"why"}}"#);
    let refused = |name, status, code| case(name, Answer::json(status, error(code)), Expect::Refused(code));
    vec![
        refused("400 invalid_scope", 400, "invalid_scope"),
        refused("401 invalid_client", 401, "invalid_client"),
        refused("403 access_denied", 403, "access_denied"),
        refused("200 with an error", 200, "invalid_client"),
        ok(
            "200 with an error and a token",
            r#"{"error":"invalid_client","access_token":"tok-secret","token_type":"Bearer"}"#,
            Expect::Refused("invalid_client"),
        ),
        case(
            "an error that echoes the credentials",
            Answer::React(echo_error),
            Expect::Refused("invalid_client"),
        ),
        case("a web page that echoes the credentials", Answer::React(echo_page), Expect::PeerMisbehaved),
        case(
            "use_dpop_nonce without having been asked",
            Answer::React(nonce),
            Expect::Refused("use_dpop_nonce"),
        ),
    ]
}

/// Everything secret in a request, as careless servers print it.
fn echo(request: &Recorded) -> String {
    let authorization = request.header("authorization").unwrap_or_default();
    format!("{authorization} {}", request.text()).replace(['"', '\\'], "'")
}

fn echo_error(request: &Recorded) -> Response<Bytes> {
    let body = format!(r#"{{"error":"invalid_client","error_description":"got {}"}}"#, echo(request));
    response(401, "application/json", body)
}

fn echo_page(request: &Recorded) -> Response<Bytes> {
    response(400, "text/html", format!("<pre>{}</pre>", echo(request)))
}

/// Wants a nonce until the proof has one. To a client without DPoP it is an error like any other.
fn nonce(request: &Recorded) -> Response<Bytes> {
    let proof = request.header("dpop").unwrap_or_default();
    let claims = proof.split('.').nth(1).and_then(|part| base64url::decode(part).ok()).unwrap_or_default();
    if String::from_utf8_lossy(&claims).contains(r#""nonce":"hostile-nonce""#) {
        return response(
            200,
            "application/json",
            r#"{"access_token":"tok-good","token_type":"DPoP","expires_in":3600}"#,
        );
    }
    let mut response = response(400, "application/json", r#"{"error":"use_dpop_nonce"}"#);
    response.headers_mut().insert("dpop-nonce", "hostile-nonce".parse().expect("a header"));
    response
}

fn transports() -> Vec<Case> {
    let good = || response(200, "application/json", lives("3600"));
    let long_header = format!("HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 0\r\n\r\n", "y".repeat(2_000_000));
    let headers = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x: y\r\n".repeat(500));
    let raw = |bytes: String| Answer::Raw(Bytes::from(bytes));
    vec![
        case("a gzip bomb", Answer::Gzip(20_000_000), Expect::PeerMisbehaved),
        case("a long body", Answer::json(200, "a".repeat(300_000)), Expect::PeerMisbehaved),
        case("closed in the middle of the body", Answer::Cut(good()), LATER),
        case("closed at once", Answer::Close, LATER),
        case("a slow drip", Answer::Drip, LATER),
        case("silence", Answer::Hang, LATER),
        case("another protocol", raw("SSH-2.0-OpenSSH_9.9\r\n".to_owned()), Expect::PeerMisbehaved),
        case("a huge header", raw(long_header), Expect::PeerMisbehaved),
        case("many headers", raw(headers), Expect::PeerMisbehaved),
    ]
}

/// A JWT access token with these claims. Its signature is nonsense: a client cannot check it and must not care.
fn jwt(claims: &str) -> String {
    let part = |text: &str| base64url::encode(text.as_bytes());
    let header = part(r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#);
    token(&format!("\"{header}.{}.{}\"", part(claims), part("signature")))
}

fn not_as_asked() -> Vec<Case> {
    let of_type =
        |name: &str| format!(r#"{{"access_token":"tok-good","token_type":"{name}","expires_in":3600}}"#);
    let scoped = |scope: &str| {
        format!(r#"{{"access_token":"tok-good","token_type":"Bearer","expires_in":3600,"scope":"{scope}"}}"#)
    };
    let claims = |rest: &str| jwt(&format!(r#"{{"iss":"https://as.example","sub":"app",{rest}}}"#));
    let sound = r#""aud":"https://api.example","exp":4102444800"#;
    vec![
        ok("token_type DPoP unasked", of_type("DPoP"), Expect::PeerMisbehaved),
        ok("token_type mac", of_type("mac"), Expect::PeerMisbehaved),
        ok("a narrower scope", scoped("read"), Expect::Suspicious),
        ok("a wider scope", scoped("read write admin"), HOUR),
        ok("the scope in another order", scoped("write read"), HOUR),
        ok("a JWT as asked", claims(sound), HOUR),
        ok(
            "a JWT for another audience",
            claims(r#""aud":"https://other.example","exp":4102444800"#),
            Expect::Suspicious,
        ),
        ok(
            "a JWT that has expired",
            claims(r#""aud":"https://api.example","exp":1000000000"#),
            Expect::Suspicious,
        ),
        ok(
            "a JWT bound to a key unasked",
            claims(&format!(r#"{sound},"cnf":{{"jkt":"x"}}"#)),
            Expect::Suspicious,
        ),
        ok("three dots and no JWT", token("\"a.b.c\""), HOUR),
    ]
}
