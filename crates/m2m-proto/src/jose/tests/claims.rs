use serde_json::json;

use crate::jose::{Audience, Claims, ClaimsError};
use crate::time::UnixTime;

fn refused(text: &str) -> ClaimsError {
    Claims::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn every_registered_claim_is_read() {
    let claims = Claims::parse(
        br#"{"iss":"i","sub":"s","aud":"a","exp":3,"nbf":1,"iat":2.5,"jti":"j","scope":"x y","n":{"m":[1]}}"#,
    );
    let expected = Claims {
        iss: Some("i".into()),
        sub: Some("s".into()),
        aud: Some(Audience::One("a".into())),
        exp: Some(UnixTime::from_seconds(3)),
        nbf: Some(UnixTime::from_seconds(1)),
        iat: Some(UnixTime::from_millis(2500)),
        jti: Some("j".into()),
        rest: [("scope".to_owned(), json!("x y")), ("n".to_owned(), json!({"m": [1]}))].into_iter().collect(),
    };
    assert_eq!(claims.unwrap(), expected);
}

#[test]
fn escapes_are_resolved() {
    let claims = Claims::parse(br#"{"\u0069ss":"a\"\u00e9","\u0061ud":["\u0062"]}"#).unwrap();
    assert_eq!(claims.iss.as_deref(), Some("a\"é"));
    assert!(claims.aud.unwrap().contains("b"));
}

#[test]
fn duplicates_are_refused_at_any_depth() {
    // spec-test: JOSE-V5
    for text in [
        r#"{"iss":"a","iss":"a"}"#,
        r#"{"iss":null,"iss":"a"}"#,
        r#"{"exp":1,"\u0065xp":2}"#,
        r#"{"x":1,"x":1}"#,
        r#"{"cnf":{"jkt":"a","jkt":"b"}}"#,
        r#"{"x":[[{"a":1,"a":1}]]}"#,
    ] {
        assert_eq!(refused(text), ClaimsError::Duplicate, "{text}");
    }
}

#[test]
fn wrong_types_are_named() {
    let check = |text: &str, name| assert_eq!(refused(text), ClaimsError::WrongType(name), "{text}");
    check(r#"{"iss":1}"#, "iss");
    check(r#"{"sub":["s"]}"#, "sub");
    check(r#"{"jti":{}}"#, "jti");
    check(r#"{"aud":1}"#, "aud");
    check(r#"{"aud":["a",1]}"#, "aud");
    check(r#"{"exp":"1"}"#, "exp");
    check(r#"{"exp":true}"#, "exp");
    check(r#"{"exp":-1}"#, "exp");
    check(r#"{"exp":-0.5}"#, "exp");
    check(r#"{"exp":253402300800}"#, "exp");
    check(r#"{"nbf":1e300}"#, "nbf");
    check(r#"{"iat":18446744073709551616}"#, "iat");
}

#[test]
fn null_counts_as_absent() {
    let text = br#"{"iss":null,"sub":null,"aud":null,"exp":null,"nbf":null,"iat":null,"jti":null,"x":null}"#;
    let claims = Claims::parse(text).unwrap();
    for name in ["iss", "sub", "aud", "exp", "nbf", "iat", "jti", "x"] {
        assert!(!claims.has(name), "{name}");
    }
}

#[test]
fn only_one_shallow_object_of_bounded_size() {
    let deep = |levels: usize| format!(r#"{{"x":{}1{}}}"#, "[".repeat(levels), "]".repeat(levels));
    assert!(Claims::parse(deep(7).as_bytes()).is_ok());
    for text in
        [deep(8), "[]".into(), "{} {}".into(), "".into(), "{\"a\":NaN}".into(), "{\"a\":1e999}".into()]
    {
        assert_eq!(refused(&text), ClaimsError::NotAnObject, "{text}");
    }
    assert_eq!(Claims::parse(b"{\"a\":\"\xff\"}"), Err(ClaimsError::NotAnObject));
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(16 * 1024));
    assert_eq!(refused(&long), ClaimsError::TooLarge { bytes: long.len(), limit: 16 * 1024 });
}

#[test]
fn audience_forms() {
    let one = Audience::One("a".into());
    let array = Audience::Many(vec!["a".into()]);
    let two = Audience::Many(vec!["a".into(), "b".into()]);
    let none = Audience::Many(vec![]);
    assert_eq!([one.sole(), array.sole(), two.sole(), none.sole()], [Some("a"), Some("a"), None, None]);
    assert_eq!([one.is_string(), array.is_string()], [true, false]);
    assert!(two.contains("b") && !two.contains("B") && !none.contains(""));
}

#[test]
fn encoding_is_stable() {
    let claims = Claims {
        iss: Some("https://as".into()),
        aud: Some(Audience::Many(vec!["x".into(), "y".into()])),
        exp: Some(UnixTime::from_millis(2_999)),
        iat: Some(UnixTime::from_seconds(1)),
        jti: Some("j\"".into()),
        rest: [("scope".to_owned(), json!("r")), ("cnf".to_owned(), json!({"jkt": "t"}))]
            .into_iter()
            .collect(),
        ..Claims::default()
    };
    let golden =
        r#"{"iss":"https://as","aud":["x","y"],"exp":2,"iat":1,"jti":"j\"","cnf":{"jkt":"t"},"scope":"r"}"#;
    assert_eq!(String::from_utf8(claims.encode()).unwrap(), golden);
}
