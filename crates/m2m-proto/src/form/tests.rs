use proptest::prelude::*;

use super::*;

const FORM: Option<&str> = Some("application/x-www-form-urlencoded");

fn parse(body: &str) -> Result<Vec<(String, String)>, FormError> {
    Form::parse(FORM, body.as_bytes()).map(|f| f.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect())
}

#[track_caller]
fn reads(body: &str, expect: &[(&str, &str)]) {
    let expect: Vec<_> = expect.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
    assert_eq!(parse(body), Ok(expect), "{body}");
}

#[test]
fn decoding() {
    reads(
        "grant_type=client_credentials&scope=a+b",
        &[("grant_type", "client_credentials"), ("scope", "a b")],
    );
    reads("a=%C3%A9%2B%25", &[("a", "é+%")]);
    reads("a=b=c&&x=https://h/?q", &[("a", "b=c"), ("x", "https://h/?q")]);
    reads("", &[]);
}

// spec-test: 6749-C4, 6749-AS4a
#[test]
fn an_empty_value_is_absent() {
    reads("scope=&a=1&b", &[("a", "1")]);
    assert_eq!(Form::parse(FORM, b"scope=").unwrap().get("scope"), None);
}

// spec-test: 6749-AS4
#[test]
fn repeats_are_refused() {
    for (body, name) in [
        ("scope=a&scope=a", "scope"),
        ("scope=&scope=a", "scope"),
        ("client_id=a&x=1&client%5Fid=b", "client_id"),
        ("x&x", "x"),
    ] {
        assert_eq!(parse(body), Err(FormError::Duplicate { name: name.to_owned() }), "{body}");
    }
}

// spec-test: 8707-C1
#[test]
fn resource_and_audience_may_repeat() {
    let form =
        Form::parse(FORM, b"resource=https://a&audience=x&resource=&resource=https://b&audience=y").unwrap();
    assert_eq!(form.get_all("resource").collect::<Vec<_>>(), ["https://a", "https://b"]);
    assert_eq!(form.get_all("audience").collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(form.get("resource"), Some("https://a"));
}

#[test]
fn content_type() {
    let of = |t| Form::parse(t, b"a=1").map(|_| ());
    for ok in [
        "application/x-www-form-urlencoded",
        "Application/X-WWW-Form-URLEncoded; charset=UTF-8",
        "application/x-www-form-urlencoded;charset=\"utf-8\"",
    ] {
        assert_eq!(of(Some(ok)), Ok(()), "{ok}");
    }
    for bad in
        [None, Some(""), Some("application/json"), Some("application/x-www-form-urlencoded; charset=latin1")]
    {
        assert_eq!(of(bad), Err(FormError::ContentType), "{bad:?}");
    }
}

#[test]
fn size_and_number() {
    let body = format!("a={}", "x".repeat(Form::MAX_BYTES - 2));
    assert!(parse(&body).is_ok());
    assert_eq!(parse(&(body + "x")), Err(FormError::TooLarge));
    let many = |n| (0..n).map(|i| format!("p{i}=1")).collect::<Vec<_>>().join("&");
    assert!(parse(&many(64)).is_ok());
    assert_eq!(parse(&many(65)), Err(FormError::TooMany));
}

#[test]
fn escapes_and_encoding() {
    for body in ["a=%", "a=%4", "a=%g0", "a=%+1", "a\n=1", "a=b\0", "a=\u{7f}", "a=é"] {
        assert_eq!(parse(body), Err(FormError::Escape), "{body}");
    }
    assert_eq!(parse("a=%FF"), Err(FormError::NotUtf8));
    assert_eq!(parse("a=%C0%AF"), Err(FormError::NotUtf8));
    assert_eq!(Form::parse(FORM, b"a=\xFF").map(|_| ()), Err(FormError::NotUtf8));
}

#[test]
fn golden_bytes() {
    let mut form = FormWriter::new();
    form.push("grant_type", "client_credentials");
    form.push("scope", "read:data write:data");
    form.push("left_out", "");
    form.push("client_secret", "a+b &=%~é*-._");
    assert_eq!(
        form.finish(),
        "grant_type=client_credentials&scope=read%3Adata+write%3Adata&client_secret=a%2Bb+%26%3D%25%7E%C3%A9*-._"
    );
}

#[test]
fn debug_shows_no_values() {
    let form = Form::parse(FORM, b"client_secret=canary").unwrap();
    assert_eq!(format!("{form:?}"), r#"Form["client_secret"]"#);
    let mut writer = FormWriter::new();
    writer.push("client_secret", "canary");
    assert!(!format!("{writer:?}").contains("canary"));
}

proptest! {
    #[test]
    fn parse_of_write_is_identity(values in proptest::collection::vec(".{1,24}", 0..20)) {
        let mut form = FormWriter::new();
        for (i, value) in values.iter().enumerate() {
            form.push(&format!("näme {i}"), value);
        }
        let body = form.finish();
        let read = Form::parse(FORM, &body).unwrap();
        let read: Vec<&str> = read.iter().map(|(_, v)| v).collect();
        prop_assert_eq!(read, values.iter().map(String::as_str).collect::<Vec<_>>());
    }

    #[test]
    fn components_round_trip(text in ".*") {
        let encoded = encode_component(&text);
        prop_assert!(encoded.bytes().all(|b| b.is_ascii_alphanumeric() || b"*-._+%".contains(&b)));
        prop_assert_eq!(decode_component(&encoded).unwrap(), text);
    }

    #[test]
    fn never_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Form::parse(FORM, &body);
    }
}

#[test]
fn the_same_parameters_as_json() {
    let check = |pairs: &[(&str, &str)], expect: &str| {
        let mut writer = FormWriter::new();
        pairs.iter().for_each(|(name, value)| writer.push(name, value));
        assert_eq!(writer.finish_json(), expect);
    };
    check(&[], "");
    check(&[("a", "")], "");
    check(&[("b", "1 & \"2\" é\n"), ("a", "x")], "{\"b\":\"1 & \\\"2\\\" é\\n\",\"a\":\"x\"}");
    check(&[("resource", "x"), ("a", "1"), ("resource", "y")], r#"{"resource":["x","y"],"a":"1"}"#);
    let worst = "\u{1}".repeat(200);
    check(&[("s", &worst)], &format!("{{\"s\":\"{}\"}}", "\\u0001".repeat(200)));
}
