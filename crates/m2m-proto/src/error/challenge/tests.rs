use proptest::prelude::*;

use super::*;

fn parse(lines: &[&str]) -> Vec<Challenge> {
    let mut headers = HeaderMap::new();
    for line in lines {
        headers.append(header::WWW_AUTHENTICATE, HeaderValue::from_bytes(line.as_bytes()).unwrap());
    }
    Challenge::parse_all(&headers)
}

fn one(line: &str) -> Challenge {
    let mut found = parse(&[line]);
    assert_eq!(found.len(), 1, "{line}");
    found.remove(0)
}

fn schemes(lines: &[&str]) -> Vec<String> {
    parse(lines).iter().map(|c| c.scheme.as_str().to_owned()).collect()
}

fn full() -> Challenge {
    Challenge {
        scheme: AuthScheme::Dpop,
        realm: Some("orders".into()),
        error: Some(ErrorCode::InsufficientScope),
        error_description: Some("more is needed".into()),
        error_uri: Some("https://rs.example/errors?x=1,2".into()),
        scope: Some(Scope::parse("orders:read orders:write").unwrap()),
        algs: vec!["ES256".into(), "Ed25519".into()],
        resource_metadata: Some(EndpointUri::parse("https://rs.example/.well-known/x").unwrap()),
    }
}

// spec-test: 6750-RS4
#[test]
fn golden_bytes() {
    assert_eq!(
        full().encode(),
        "DPoP realm=\"orders\", scope=\"orders:read orders:write\", error=\"insufficient_scope\", \
         error_description=\"more is needed\", error_uri=\"https://rs.example/errors?x=1,2\", \
         resource_metadata=\"https://rs.example/.well-known/x\", algs=\"ES256 Ed25519\""
    );
    assert_eq!(Challenge::new(AuthScheme::Bearer).encode(), "Bearer");
}

// spec-test: 6750-RS2 6750-RS3
#[test]
fn statuses() {
    let with = |error: Option<ErrorCode>| Challenge { error, ..Challenge::new(AuthScheme::Bearer) }.status();
    assert_eq!(with(None), 401);
    assert_eq!(with(Some(ErrorCode::InvalidToken)), 401);
    assert_eq!(with(Some(ErrorCode::InsufficientScope)), 403);
    assert_eq!(with(Some(ErrorCode::InvalidRequest)), 400);
}

#[test]
fn a_whole_response() {
    let response =
        Challenge::response(&[Challenge::new(AuthScheme::Bearer), Challenge::new(AuthScheme::Dpop)]);
    assert_eq!(response.status(), 401);
    let lines: Vec<_> = response.headers().get_all(header::WWW_AUTHENTICATE).iter().collect();
    assert_eq!(lines, ["Bearer", "DPoP"]);
    assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store");
}

// spec-test: 6750-RS4
#[test]
fn nothing_escapes_its_quotes() {
    let hostile = Challenge {
        realm: Some("a\", error=\"x\r\nSet-Cookie: y\\".into()),
        error_description: Some("é".into()),
        error_uri: Some("https://x/\"".into()),
        ..Challenge::new(AuthScheme::Bearer)
    };
    assert_eq!(hostile.encode(), "Bearer realm=\"a', error='x??Set-Cookie: y?\", error_description=\"?\"");
}

#[test]
fn reading_one() {
    assert_eq!(one(full().encode().to_str().unwrap()), full());
    let c = one("bearer Realm = \"a, b\" ,error=invalid_token,x=y");
    assert_eq!(c.scheme, AuthScheme::Bearer);
    assert_eq!(c.realm.as_deref(), Some("a, b"));
    assert_eq!(c.error, Some(ErrorCode::InvalidToken));
    let c = one(r#"Bearer realm="say \"hi\" \\", scope=orders:read"#);
    assert_eq!(c.realm.as_deref(), Some(r#"say "hi" \"#));
    assert_eq!(c.scope, Some(Scope::parse("orders:read").unwrap()));
}

#[test]
fn several_in_one_line_and_in_many() {
    assert_eq!(
        schemes(&[r#"Basic realm="x, Bearer", Bearer, DPoP algs="ES256", Negotiate"#]),
        ["Basic", "Bearer", "DPoP", "Negotiate"]
    );
    assert_eq!(schemes(&["Bearer", "dpop algs=\"ES256\""]), ["Bearer", "DPoP"]);
    assert_eq!(schemes(&["Negotiate abc/def==, Bearer realm=\"x\""]), ["Negotiate", "Bearer"]);
    assert_eq!(schemes(&[",, Bearer ,, error=x ,,"]), ["Bearer"]);
    let found = parse(&[r#"Bearer error="invalid_token", DPoP error="use_dpop_nonce""#]);
    assert_eq!(found[0].error, Some(ErrorCode::InvalidToken));
    assert_eq!(found[1].error, Some(ErrorCode::UseDpopNonce));
}

#[test]
fn an_attribute_named_twice_makes_it_unusable() {
    assert_eq!(schemes(&[r#"Bearer error="a", error="b", DPoP"#]), ["DPoP"]);
    assert_eq!(schemes(&[r#"Bearer error="a", ERROR="a""#]), Vec::<String>::new());
    assert_eq!(schemes(&[r#"Bearer x=1, x=2"#]), Vec::<String>::new());
}

#[test]
fn faults_end_the_line_not_the_message() {
    for bad in [r#"Bearer error="x"y"#, r#"Bearer realm="a" "b""#, "Bearer@x", "=x", "\"Bearer\"", "@"] {
        assert_eq!(schemes(&[bad, "DPoP"]), ["DPoP"], "{bad}");
    }
    // An unclosed quote: the scheme alone was readable.
    assert_eq!(one(r#"Bearer error="invalid_token"#).error, None);
}

#[test]
fn unreadable_attributes_leave_no_trace() {
    let c = one(r#"Bearer scope="a\"b", resource_metadata="ftp://x", error="", realm="""#);
    assert_eq!(c, Challenge::new(AuthScheme::Bearer));
}

#[test]
fn bounded() {
    assert_eq!(parse(&[&"B,".repeat(100)]).len(), 16);
    assert!(parse(&[&format!("Bearer realm=\"{}\"", "x".repeat(20_000))]).is_empty());
    let many: Vec<String> = (0..33).map(|i| format!("a{i}=1")).collect();
    assert!(parse(&[&format!("Bearer {}", many.join(","))]).is_empty());
}

#[test]
fn descriptions_are_fit_to_be_shown() {
    let c = one("Bearer error_description=\"red \u{202e}x\"");
    assert_eq!(c.error_description.as_deref(), Some("red  x"));
}

prop_compose! {
    fn any_challenge()(
        scheme in prop_oneof![Just(AuthScheme::Bearer), Just(AuthScheme::Dpop), Just(AuthScheme::Basic),
            Just(AuthScheme::Other("Negotiate".into()))],
        realm in proptest::option::of("[!-\\[\\]-~&&[^\"]]{1,12}"),
        error in proptest::option::of("[a-z_]{1,12}"),
        description in proptest::option::of("[a-z,=]{1,4}( [a-z=,]{1,4}){0,4}"),
        scope in proptest::option::of("[a-z:=,]{1,6}( [a-z:]{1,6}){0,3}"),
        algs in proptest::collection::vec("[A-Z0-9]{1,6}", 0..4),
    ) -> Challenge {
        Challenge {
            realm,
            error: error.as_deref().and_then(ErrorCode::parse),
            error_description: description,
            scope: scope.map(|s| Scope::parse(&s).unwrap()),
            algs,
            ..Challenge::new(scheme)
        }
    }
}

proptest! {
    #[test]
    fn parse_of_encode_is_identity(challenges in proptest::collection::vec(any_challenge(), 1..4)) {
        let lines: Vec<String> =
            challenges.iter().map(|c| c.encode().to_str().unwrap().to_owned()).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        prop_assert_eq!(&parse(&lines), &challenges);
        prop_assert_eq!(&parse(&[&lines.join(", ")]), &challenges);
    }

    #[test]
    fn never_panics(line in proptest::collection::vec(prop_oneof![Just(b'"'), Just(b','), Just(b'='),
        Just(b' '), Just(b'\\'), Just(b'a'), 0x20_u8..0x7f, 0x80_u8..=0xff], 0..60)) {
        let mut headers = HeaderMap::new();
        headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_bytes(&line).unwrap());
        let _ = Challenge::parse_all(&headers);
    }
}
