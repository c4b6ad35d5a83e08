use super::*;

#[track_caller]
fn endpoint(text: &str, expect: Result<&str, UriError>) {
    assert_eq!(EndpointUri::parse(text).map(|e| e.origin().to_string()), expect.map(str::to_owned), "{text}");
}

#[test]
fn endpoints() {
    endpoint("https://as.example/token", Ok("https://as.example"));
    endpoint("https://as.example", Ok("https://as.example"));
    endpoint("HTTPS://AS.Example:443/token?tenant=1", Ok("https://as.example"));
    endpoint("http://127.0.0.1:8400/t", Ok("http://127.0.0.1:8400"));
    endpoint("http://[::0:1]:80/", Ok("http://[::1]"));
    endpoint("https://xn--bcher-kva.example/%C3%A9", Ok("https://xn--bcher-kva.example"));
}

// spec-test: 6749-AS9a
#[test]
fn refused_endpoints() {
    endpoint("", Err(UriError::NotAbsolute));
    endpoint("/token", Err(UriError::NotAbsolute));
    endpoint("as.example/token", Err(UriError::NotAbsolute));
    endpoint("https:/as.example", Err(UriError::NotAbsolute));
    endpoint("ftp://as.example/", Err(UriError::Scheme));
    endpoint("file:///etc/passwd", Err(UriError::Scheme));
    endpoint("https://as.example/#f", Err(UriError::Fragment));
    endpoint("https://u@as.example/", Err(UriError::UserInfo));
    endpoint("https://u:p@as.example/", Err(UriError::UserInfo));
    endpoint("https:///token", Err(UriError::Host));
    endpoint("https://?x", Err(UriError::Host));
    endpoint("https://a%41.example/", Err(UriError::Host));
    endpoint("https://[::1", Err(UriError::Host));
    endpoint("https://[::1]x/", Err(UriError::Host));
    endpoint("https://.example/", Err(UriError::Host));
    endpoint("https://as.example:/", Err(UriError::Port));
    endpoint("https://as.example:0/", Err(UriError::Port));
    endpoint("https://as.example:65536/", Err(UriError::Port));
    endpoint("https://as.example:+1/", Err(UriError::Port));
    endpoint("https://as.example/a b", Err(UriError::Character));
    endpoint("https://as.example/\n", Err(UriError::Character));
    endpoint("https://as.example\\@evil.example/", Err(UriError::Character));
    endpoint("https://bücher.example/", Err(UriError::Character));
    endpoint("https://as.example/%zz", Err(UriError::Character));
    endpoint("https://as.example/%4", Err(UriError::Character));
    endpoint(&format!("https://as.example/{}", "x".repeat(2048)), Err(UriError::TooLong));
}

#[test]
fn addresses_in_disguise_are_refused() {
    for host in ["2130706433", "0x7f.1", "127.1", "0177.0.0.1", "127.0.0.0x1", "1.2.3.4.", "127.0.0.256"] {
        endpoint(&format!("http://{host}/"), Err(UriError::Host));
    }
    endpoint("https://1.2.3.4.example/", Ok("https://1.2.3.4.example"));
}

// spec-test: 8414-AS1
#[test]
fn issuers_have_no_query_and_compare_by_code_point() {
    assert_eq!(Issuer::parse("https://as.example/?a"), Err(UriError::Query));
    assert_eq!(Issuer::parse("https://as.example/?"), Err(UriError::Query));
    assert_eq!(Issuer::parse("https://as.example/#"), Err(UriError::Fragment));
    assert_eq!(Issuer::parse(&format!("https://as.example/{}", "x".repeat(1518))), Err(UriError::TooLong));
    let plain = Issuer::parse("https://as.example").unwrap();
    for other in ["https://as.example/", "https://AS.example", "https://as.example:443", "http://as.example"]
    {
        assert_ne!(plain, Issuer::parse(other).unwrap(), "{other}");
    }
    assert_eq!(Issuer::parse("https://As.example/T").unwrap().as_str(), "https://As.example/T");
}

#[test]
fn the_query_is_sent_but_not_shown() {
    let uri = EndpointUri::parse("https://as.example/token?api_key=canary").unwrap();
    assert_eq!(uri.uri().path_and_query().unwrap(), "/token?api_key=canary");
    assert_eq!(uri.as_str(), "https://as.example/token?api_key=canary");
    assert!(!format!("{uri} {uri:?}").contains("canary"));
}

// spec-test: 6749-AS9
#[test]
fn plain_http_only_to_this_machine() {
    let check = |text: &str, plain| EndpointUri::parse(text).unwrap().check_transport(plain);
    for text in ["https://as.example", "http://127.8.9.1:1", "http://[::1]:2", "http://LOCALHOST"] {
        assert_eq!(check(text, PlainHttp::LoopbackOnly), Ok(()), "{text}");
    }
    for text in [
        "http://as.example",
        "http://10.0.0.1",
        "http://0.0.0.0",
        "http://localhost.example",
        "http://localhost.",
        "http://[::2]",
    ] {
        assert!(matches!(check(text, PlainHttp::LoopbackOnly), Err(UriError::PlainHttp(_))), "{text}");
        assert_eq!(check(text, PlainHttp::Allowed), Ok(()), "{text}");
    }
}

#[test]
fn origins() {
    let origin = |text: &str| Origin::parse(text);
    assert_eq!(origin("https://api.example").unwrap(), origin("https://API.example:443/").unwrap());
    assert_ne!(origin("https://api.example").unwrap(), origin("http://api.example").unwrap());
    assert_ne!(origin("https://api.example").unwrap(), origin("https://api.example:8443").unwrap());
    assert_eq!(origin("https://api.example:8443").unwrap().to_string(), "https://api.example:8443");
    assert_eq!(origin("https://api.example/x"), Err(UriError::NotOrigin));
    assert_eq!(origin("https://api.example?x"), Err(UriError::NotOrigin));
    let uri: http::Uri = "https://API.example/orders?q".parse().unwrap();
    assert_eq!(Origin::of(&uri).unwrap(), origin("https://api.example").unwrap());
    assert_eq!(Origin::of(&"/orders".parse().unwrap()), Err(UriError::NotAbsolute));
}

// spec-test: 8707-C1, 8707-AS2
#[test]
fn resources() {
    for text in ["https://api.example/orders", "urn:example:orders", "api://orders", "spiffe://td/x?y"] {
        assert_eq!(ResourceUri::parse(text).unwrap().as_str(), text);
    }
    let check = |text: &str, error| assert_eq!(ResourceUri::parse(text), Err(error), "{text}");
    check("orders", UriError::NotAbsolute);
    check("//api.example", UriError::NotAbsolute);
    check("1a:b", UriError::NotAbsolute);
    check("urn:", UriError::NotAbsolute);
    check("https:api", UriError::NotAbsolute);
    check("https://api.example/#x", UriError::Fragment);
    check("https://api.example/ x", UriError::Character);
    check("https://u:p@api.example/", UriError::UserInfo);
    let origin = ResourceUri::parse("https://API.example/orders").unwrap().origin();
    assert_eq!(origin.unwrap().to_string(), "https://api.example");
    assert_eq!(ResourceUri::parse("urn:example:orders").unwrap().origin(), None);
}
