use proptest::prelude::*;
use serde::Deserialize;

use super::*;

const SMALL: JsonLimits = JsonLimits { max_bytes: 64, max_depth: 3 };

fn refused(text: &[u8]) -> JsonError {
    parse_object(text, &SMALL).expect_err("must be refused")
}

#[test]
fn an_object_is_read() {
    let object = parse_object(br#" {"a":1,"b":[true,null,"x",-2,1.5],"c":{"a":2}} "#, &SMALL).unwrap();
    assert_eq!(Value::Object(object), serde_json::json!({"a":1,"b":[true,null,"x",-2,1.5],"c":{"a":2}}));
}

/// What is read is the nearest number, so that what is written of it is read as the same one.
#[test]
fn numbers_are_read_as_they_are_written() {
    let limits = JsonLimits { max_bytes: 256, ..SMALL };
    for number in
        ["333333333333333333333333333333333333333334", "1e-7", "0.1", "8.2e307", "18446744073709551616"]
    {
        let text = format!("{{\"a\":{number}}}");
        let object = parse_object(text.as_bytes(), &limits).unwrap();
        assert_eq!(object["a"].as_f64(), Some(number.parse().unwrap()), "{number}");
        let again = serde_json::to_string(&object).unwrap();
        assert_eq!(parse_object(again.as_bytes(), &limits).unwrap(), object, "{number}");
    }
}

#[test]
fn too_large() {
    let text = format!(r#"{{"a":"{}"}}"#, "x".repeat(57));
    assert_eq!(text.len(), 65);
    assert_eq!(refused(text.as_bytes()), JsonError::TooLarge { bytes: 65, limit: 64 });
}

#[test]
fn empty_and_blank() {
    assert_eq!(refused(b""), JsonError::Empty);
    assert_eq!(refused(b" \r\n\t"), JsonError::Empty);
}

#[test]
fn byte_order_mark() {
    assert_eq!(refused(b"\xEF\xBB\xBF{}"), JsonError::ByteOrderMark);
}

#[test]
fn not_utf8() {
    assert_eq!(refused(b"{\"a\":\"\xFF\"}"), JsonError::NotUtf8);
    assert_eq!(refused(b"{\"a\":\"\xC0\xAF\"}"), JsonError::NotUtf8);
}

#[test]
fn too_deep_is_found_before_parsing() {
    assert!(parse_object(br#"{"a":{"b":[]}}"#, &SMALL).is_ok());
    assert_eq!(refused(br#"{"a":{"b":[[]]}}"#), JsonError::TooDeep { limit: 3 });
    // Not even JSON, and still refused for its depth: the scan comes first.
    assert_eq!(refused(&[b'['; 60]), JsonError::TooDeep { limit: 3 });
}

#[test]
fn brackets_in_strings_do_not_nest() {
    assert!(parse_object(br#"{"a":"[[[[[{{{{","b":"\"[[[[["}"#, &SMALL).is_ok());
}

#[test]
fn duplicate_members_at_any_depth() {
    for text in [
        r#"{"a":1,"a":1}"#,
        r#"{"x":{"a":1,"b":2,"a":3}}"#,
        r#"{"x":[{"a":1,"a":2}]}"#,
        r#"{"a":1,"\u0061":2}"#,
    ] {
        assert!(matches!(refused(text.as_bytes()), JsonError::DuplicateMember { line: 1, .. }), "{text}");
    }
    assert!(parse_object(br#"{"a":{"a":{"a":1}}}"#, &SMALL).is_ok());
}

#[test]
fn outside_the_grammar() {
    for text in [
        r#"{"a":NaN}"#,
        r#"{"a":Infinity}"#,
        r#"{"a":-Infinity}"#,
        r#"{"a":1e999}"#,
        r#"{"a":01}"#,
        r#"{"a":+1}"#,
        r#"{"a":1,}"#,
        r#"{'a':1}"#,
        r#"{a:1}"#,
        r#"{"a":1} x"#,
        r#"{"a":1}{"b":2}"#,
        "{\"a\":\"\n\"}",
        r#"{"a":"\ud800"}"#,
        r#"{"a""#,
        r#"/* */{}"#,
        "{}\0",
        "<html>",
    ] {
        assert!(matches!(refused(text.as_bytes()), JsonError::Syntax { .. }), "{text}");
    }
}

#[test]
fn other_values_are_no_objects() {
    for text in ["[]", "\"a\"", "1", "null", "true"] {
        assert_eq!(refused(text.as_bytes()), JsonError::NotObject, "{text}");
    }
}

#[test]
fn a_type_that_does_not_fit_is_not_quoted() {
    #[derive(Debug, Deserialize)]
    struct Life {
        seconds: u64,
    }
    let life: Life = from_slice(br#"{"seconds":3,"more":1}"#, &SMALL).unwrap();
    assert_eq!(life.seconds, 3);
    let error = from_slice::<Life>(br#"{"seconds":"canary"}"#, &SMALL).unwrap_err();
    assert_eq!(error, JsonError::Shape);
    assert!(!format!("{error} {error:?}").contains("canary"));
}

proptest! {
    #[test]
    fn never_panics(text in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse_object(&text, &JsonLimits::DOCUMENT);
    }

    #[test]
    fn reads_what_serde_json_writes(names in proptest::collection::btree_set("[a-z\\\\\"é]{0,8}", 0..8), n in any::<i64>()) {
        let object: Map<String, Value> = names.into_iter().map(|k| (k, Value::from(n))).collect();
        let text = serde_json::to_vec(&object).unwrap();
        prop_assert_eq!(parse_object(&text, &JsonLimits::DOCUMENT).unwrap(), object);
    }
}
