use super::*;

fn headers(values: &[&[u8]]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(header::AUTHORIZATION, HeaderValue::from_bytes(value).unwrap());
    }
    headers
}

fn read(values: &[&[u8]]) -> Result<Option<(PresentationScheme, String)>, PresentationError> {
    let presentation = Presentation::from_headers(&headers(values))?;
    Ok(presentation.map(|p| (p.scheme(), p.token().expose().to_owned())))
}

// spec-test: 6750-RS1
#[test]
fn both_schemes_without_regard_to_case() {
    let check = |value: &str, scheme| {
        assert_eq!(read(&[value.as_bytes()]), Ok(Some((scheme, "aZ0-._~+/==".to_owned()))), "{value}");
    };
    check("Bearer aZ0-._~+/==", PresentationScheme::Bearer);
    check("bearer aZ0-._~+/==", PresentationScheme::Bearer);
    check("BEARER   aZ0-._~+/== ", PresentationScheme::Bearer);
    check("DPoP aZ0-._~+/==", PresentationScheme::Dpop);
    check("dpop aZ0-._~+/==", PresentationScheme::Dpop);
}

// spec-test: 6750-RS2
#[test]
fn other_schemes_and_absence_are_no_token() {
    for values in
        [&[][..], &[b"Basic aWQ6cw==".as_slice()], &[b"BearerX abc"], &[b""], &[b"Digest Bearer abc"]]
    {
        assert_eq!(read(values), Ok(None), "{values:?}");
    }
}

// spec-test: 6750-C1
// spec-test: 9449-RS1
#[test]
fn two_headers_are_refused_whatever_they_say() {
    let two: [&[&[u8]]; 3] =
        [&[b"Bearer a", b"DPoP a"], &[b"Bearer a", b"Bearer a"], &[b"Basic aWQ6cw==", b"Bearer a"]];
    for values in two {
        assert_eq!(read(values), Err(PresentationError::Repeated), "{values:?}");
    }
    // The same, folded into one line by a proxy.
    assert_eq!(read(&[b"Bearer a, DPoP b"]), Err(PresentationError::Malformed));
}

#[test]
fn malformed_tokens_are_refused() {
    for value in [
        "Bearer",
        "Bearer ",
        "Bearer =",
        "Bearer a b",
        "Bearer a,b",
        "Bearer a=b",
        "Bearer \"a\"",
        "DPoP a\tb",
    ] {
        assert_eq!(read(&[value.as_bytes()]), Err(PresentationError::Malformed), "{value}");
    }
    assert_eq!(read(&[b"Bearer a\xff"]), Err(PresentationError::Malformed));
    let long = format!("Bearer {}", "a".repeat(16 * 1024 + 1));
    assert_eq!(read(&[long.as_bytes()]), Err(PresentationError::TooLong));
}

// spec-test: 6749-C6
#[test]
fn presenting_writes_the_scheme_of_the_type() {
    let token = AccessToken::parse("abc.def").unwrap();
    let bearer = authorization(&token, &TokenType::Bearer).unwrap();
    assert!(bearer.is_sensitive());
    assert_eq!(bearer, "Bearer abc.def");
    assert_eq!(authorization(&token, &TokenType::Dpop).unwrap(), "DPoP abc.def");
    let refused = authorization(&token, &TokenType::Other("mac".to_owned())).unwrap_err();
    assert_eq!(refused, PresentationError::UnknownTokenType);
}

#[test]
fn what_is_written_is_read_back() {
    for (token_type, scheme) in
        [(TokenType::Bearer, PresentationScheme::Bearer), (TokenType::Dpop, PresentationScheme::Dpop)]
    {
        let value = authorization(&AccessToken::parse("a.b-c_d").unwrap(), &token_type).unwrap();
        assert_eq!(read(&[value.as_bytes()]), Ok(Some((scheme, "a.b-c_d".to_owned()))));
    }
}

#[test]
fn a_token_is_never_shown() {
    let presentation = Presentation::from_headers(&headers(&[b"Bearer hunter2"])).unwrap();
    assert!(!format!("{presentation:?}").contains("hunter2"));
}
