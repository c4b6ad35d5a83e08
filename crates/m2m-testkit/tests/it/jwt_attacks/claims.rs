//! Claims. Every token is rightly signed by the issuer.

use std::time::Duration;

use m2m_proto::jose::JwsError;
use m2m_proto::jose::kind::KindError;
use m2m_proto::token::access_token::AccessTokenError;
use m2m_resource_server::Reason;
use m2m_testkit::key_server::AUDIENCE;
use serde_json::{Map, json};

use super::{Cost, HEADER, ISSUER, Issuing, claim, jws, kind, no_claims};

fn another_audience() -> Reason {
    Reason::Token(AccessTokenError::Audience { expected: AUDIENCE.to_owned() })
}

fn missing(name: &str) -> Reason {
    kind(KindError::MissingClaim(name.to_owned()))
}

// spec-test: JOSE-V5
#[tokio::test]
async fn claims_that_occur_twice() {
    let issuing = Issuing::new();
    for claim in [
        r#""iss":"https://as.example""#,
        r#""iss":"https://evil.example""#,
        r#""i\u0073s":"https://as.example""#,
        r#""aud":"https://orders.example""#,
        r#""exp":4102444800"#,
        r#""exp":null"#,
        r#""scope":"admin""#,
        r#""x":1,"x":1"#,
        r#""x":{"y":1,"y":2}"#,
        r#""cnf":{"jkt":"a","jkt":"b"}"#,
    ] {
        let payload = issuing.payload(&Map::new());
        for text in [
            payload.replacen('{', &format!("{{{claim},"), 1),
            format!("{},{claim}}}", &payload[..payload.len() - 1]),
        ] {
            issuing.refuses(&text, &issuing.raw(HEADER, &text), no_claims(), Cost::Nothing).await;
        }
    }
}

/// By code point, after the escapes of JSON, and in no other way.
// spec-test: 9068-RS1, JWT-V2
#[tokio::test]
async fn issuers_that_are_almost_the_one() {
    let issuing = Issuing::new();
    for issuer in [
        "https://as.example/",
        "https://as.example#",
        "https://as.example?",
        "https://AS.example",
        "HTTPS://as.example",
        "https://as.example:443",
        "https://as.example.",
        "https://as.example.evil.example",
        "https://as.example@evil.example",
        " https://as.example",
        "https://as.example\\u0000",
        "https://as.ex\\u0430mple",
        "https://as.example\\n",
        "https:\\\\/\\\\/as.example",
        "",
    ] {
        let token = issuing.written(&format!("\"{ISSUER}\""), &format!("\"{issuer}\""));
        issuing.refuses(issuer, &token, Reason::UnknownIssuer, Cost::Nothing).await;
    }
    issuing
        .refuses("absent", &issuing.saying(&json!({"iss": null})), Reason::UnknownIssuer, Cost::Nothing)
        .await;
    let null = issuing.written(&format!("\"{ISSUER}\""), "null");
    issuing.refuses("null", &null, Reason::UnknownIssuer, Cost::Nothing).await;
    for issuer in [json!([ISSUER]), json!({ISSUER: 1}), json!(7), json!(true)] {
        let token = issuing.saying(&json!({ "iss": issuer }));
        issuing.refuses(&issuer.to_string(), &token, no_claims(), Cost::Nothing).await;
    }
    for escaped in ["https:\\/\\/as.example", "\\u0068ttps://as\\u002eexample"] {
        let token = issuing.written(&format!("\"{ISSUER}\""), &format!("\"{escaped}\""));
        issuing.accepts(escaped, &token).await;
    }
}

// spec-test: JOSE-V6, 9700-RS1
#[tokio::test]
async fn audiences_that_are_not_ours() {
    let issuing = Issuing::new();
    for audience in [
        json!("https://bills.example"),
        json!("https://orders.example/"),
        json!("https://orders"),
        json!("https://orders.example.evil.example"),
        json!("HTTPS://ORDERS.EXAMPLE"),
        json!("https://orders.example https://bills.example"),
        json!("*"),
        json!(""),
        json!([]),
        json!(["https://bills.example", ""]),
        json!(["https://orders.example/"]),
    ] {
        let token = issuing.saying(&json!({ "aud": audience }));
        issuing.refuses(&audience.to_string(), &token, another_audience(), Cost::Nothing).await;
    }
    for audience in [
        json!([[AUDIENCE]]),
        json!([AUDIENCE, [AUDIENCE]]),
        json!([AUDIENCE, null]),
        json!([AUDIENCE, 7]),
        json!({AUDIENCE: true}),
        json!(7),
        json!(true),
    ] {
        let token = issuing.saying(&json!({ "aud": audience }));
        issuing.refuses(&audience.to_string(), &token, no_claims(), Cost::Nothing).await;
    }
    issuing.refuses("absent", &issuing.saying(&json!({"aud": null})), missing("aud"), Cost::Nothing).await;
    issuing.accepts("among others", &issuing.saying(&json!({"aud": ["x", AUDIENCE]}))).await;
}

/// What is no time at all.
#[tokio::test]
async fn times_that_are_none() {
    let issuing = Issuing::new();
    for name in ["exp", "nbf", "iat"] {
        for text in [
            "-1",
            "-1795344000",
            "-1e400",
            "1e400",
            "1e308",
            "18446744073709551615",
            "18446744073709551616",
            "9223372036854775808",
            "253402300800",
            "99999999999999999999999999999999999999999999",
            "\"4102444800\"",
            "\"\"",
            "true",
            "[4102444800]",
            "{}",
            "NaN",
            "Infinity",
            "0x7fffffff",
            "07",
            "+1",
        ] {
            let token = issuing.saying(&json!({ name: "here" }));
            let payload = token.split('.').nth(1).unwrap();
            let payload = String::from_utf8(m2m_proto::jose::base64url::decode(payload).unwrap()).unwrap();
            let token = issuing.raw(HEADER, payload.replacen("\"here\"", text, 1));
            issuing.refuses(&format!("{name} {text}"), &token, no_claims(), Cost::Nothing).await;
        }
    }
}

/// What is a time, and past, or to come.
// spec-test: JOSE-V6
#[tokio::test]
async fn times_that_are_not_now() {
    let issuing = Issuing::new();
    let now = issuing.now();
    let expired = |seconds: u64| kind(KindError::Expired { since: Duration::from_secs(seconds) });
    for (exp, since) in [(json!(now - 31), 31), (json!(now - 30), 30), (json!(0), now), (json!(-0.0), now)] {
        let token = issuing.saying(&json!({ "exp": exp }));
        issuing.refuses(&exp.to_string(), &token, expired(since), Cost::Nothing).await;
    }
    issuing.refuses("no exp", &issuing.saying(&json!({"exp": null})), missing("exp"), Cost::Nothing).await;
    let ahead = Duration::from_secs(31);
    let early = issuing.saying(&json!({ "nbf": now + 31 }));
    issuing.refuses("nbf", &early, kind(KindError::NotYetValid { ahead }), Cost::Nothing).await;
    let unborn = issuing.saying(&json!({ "iat": now + 31 }));
    issuing.refuses("iat", &unborn, kind(KindError::IssuedInFuture { ahead }), Cost::Nothing).await;
    for exp in [json!(now - 29), json!(1.795_344_100_5e9), json!(253_402_300_799_u64)] {
        issuing.accepts(&exp.to_string(), &issuing.saying(&json!({ "exp": exp }))).await;
    }
}

#[tokio::test]
async fn claims_that_are_missing_or_not_what_they_should_be() {
    let issuing = Issuing::new();
    for name in ["sub", "client_id", "jti", "iat"] {
        issuing.refuses(name, &issuing.saying(&json!({ name: null })), missing(name), Cost::Nothing).await;
    }
    for (name, value, reason) in [
        ("sub", json!(["app"]), no_claims()),
        ("jti", json!(7), no_claims()),
        ("client_id", json!(7), claim("client_id")),
        ("client_id", json!(["app"]), claim("client_id")),
        ("client_id", json!(""), claim("client_id")),
        ("scope", json!(7), claim("scope")),
        ("scope", json!({"orders:read": true}), claim("scope")),
        ("scope", json!([["orders:read"]]), claim("scope")),
        ("scope", json!(["orders:read", 7]), claim("scope")),
        ("scope", json!("orders:read \"admin\""), claim("scope")),
        ("scope", json!("orders:read\nadmin"), claim("scope")),
        ("scope", json!("orders:r\u{e9}ad"), claim("scope")),
        ("cnf", json!({}), claim("cnf")),
        ("cnf", json!("jkt"), claim("cnf")),
        ("cnf", json!([]), claim("cnf")),
        ("cnf", json!({"jkt": 7}), claim("cnf")),
        ("cnf", json!({"jkt": "short"}), claim("cnf")),
        ("cnf", json!({"jwk": {}}), claim("cnf")),
        ("cnf", json!({"x5t#S256": ""}), claim("cnf")),
    ] {
        let token = issuing.saying(&json!({ name: value }));
        issuing.refuses(&format!("{name} {value}"), &token, reason, Cost::Nothing).await;
    }
}

#[tokio::test]
async fn payloads_that_are_no_claims() {
    let issuing = Issuing::new();
    let good = issuing.payload(&Map::new());
    let nested = |depth: usize| format!(r#"{{"x":{}{},"#, "[".repeat(depth), "]".repeat(depth));
    let texts: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"[]".to_vec(),
        b"null".to_vec(),
        b"7".to_vec(),
        format!("\"{}\"", good.replace('"', "\\\"")).into_bytes(),
        format!("[{good}]").into_bytes(),
        format!("{good}{good}").into_bytes(),
        format!("{good}\0").into_bytes(),
        format!("\u{feff}{good}").into_bytes(),
        format!("{},}}", &good[..good.len() - 1]).into_bytes(),
        good.as_bytes()[..good.len() - 1].to_vec(),
        good.replacen('{', "{/**/", 1).into_bytes(),
        good.replacen('{', r#"{"x":1e400,"#, 1).into_bytes(),
        good.replacen('{', r#"{"x":NaN,"#, 1).into_bytes(),
        good.replacen('{', r#"{"x":"\ud800","#, 1).into_bytes(),
        good.replacen('{', &nested(8), 1).into_bytes(),
        good.replacen('{', &nested(3000), 1).into_bytes(),
        [good.as_bytes(), &b"\xff"[..]].concat(),
        good.replacen("app", "\u{1}", 1).into_bytes(),
    ];
    for text in texts {
        let what = String::from_utf8_lossy(&text).into_owned();
        issuing.refuses(&what, &issuing.raw(HEADER, &text), no_claims(), Cost::Nothing).await;
    }
    issuing.accepts("nested", &issuing.raw(HEADER, good.replacen('{', &nested(6), 1))).await;
}

#[tokio::test]
async fn a_token_of_17_kib() {
    let issuing = Issuing::new();
    let token = issuing.saying(&json!({ "x": "x".repeat(12_500) }));
    let verifier = issuing.verifier();
    let rejection = verifier.verify_token(&token).await.unwrap_err();
    let too_long = jws(JwsError::TooLong { bytes: token.len(), limit: 16 * 1024 });
    assert_eq!(rejection.reason(), &too_long);
    // Through a header it does not come so far.
    let (reason, status, cost) = issuing.judged(&token).await;
    assert!(matches!(reason, Some(Reason::Presentation(_))), "{reason:?}");
    assert_eq!((status, cost), (400, Cost::Nothing));
}
