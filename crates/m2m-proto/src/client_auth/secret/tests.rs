use proptest::prelude::*;

use super::*;

fn id(text: &str) -> ClientId {
    ClientId::parse(text).unwrap()
}

fn secret(text: &str) -> ClientSecret {
    ClientSecret::parse(text).unwrap()
}

fn header_of(pair: &[u8]) -> HeaderValue {
    HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair))).unwrap()
}

fn readings(header: &HeaderValue) -> Result<Vec<(String, String)>, SecretError> {
    let pair = decode_basic(header)?;
    Ok(pair.readings().map(|r| (r.client_id().as_str().to_owned(), r.secret().expose().to_owned())).collect())
}

// spec-test: 6749-C1
#[test]
fn the_example_of_rfc_6749_section_2_3_1() {
    let header = encode_basic(&id("s6BhdRkqt3"), &secret("7Fjfp0ZBr1KtDRbnfVdmIw"), BasicEncoding::Form);
    let header = header.unwrap();
    assert_eq!(header, "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
    assert!(header.is_sensitive());
}

// spec-test: 6749-C1
#[test]
fn each_half_is_form_encoded_before_the_colon_joins_them() {
    let (id, secret) = (id("a:b c"), secret("p%+£ €:&=~*"));
    let header = encode_basic(&id, &secret, BasicEncoding::Form).unwrap();
    let sent = STANDARD.decode(&header.as_bytes()[6..]).unwrap();
    assert_eq!(String::from_utf8(sent).unwrap(), "a%3Ab+c:p%25%2B%C2%A3+%E2%82%AC%3A%26%3D%7E*");
}

#[test]
fn raw_sends_the_pair_as_it_is() {
    let header = encode_basic(&id("a b"), &secret("p%+£"), BasicEncoding::Raw).unwrap();
    assert_eq!(STANDARD.decode(&header.as_bytes()[6..]).unwrap(), "a b:p%+£".as_bytes());
    assert!(header.is_sensitive());
    let refused = encode_basic(&id("a:b"), &secret("p"), BasicEncoding::Raw);
    assert_eq!(refused.unwrap_err(), SecretError::ColonInClientId);
}

// spec-test: 6749-AS2
#[test]
fn decoding_gives_both_readings_where_they_differ() {
    let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
    let check = |sent: &str, expect: &[(String, String)]| {
        assert_eq!(readings(&header_of(sent.as_bytes())).unwrap(), expect, "{sent}");
    };
    check("id:plain", &[pair("id", "plain")]);
    check("id:with:colons:", &[pair("id", "with:colons:")]);
    check("id:a+b%2B", &[pair("id", "a b+"), pair("id", "a+b%2B")]);
    check("i%20d:x", &[pair("i d", "x"), pair("i%20d", "x")]);
    check("id:100%", &[pair("id", "100%")]);
    // Only one reading has a client id of the right characters.
    check("a%C3:x", &[pair("a%C3", "x")]);
}

#[test]
fn what_is_not_basic_is_refused() {
    let check = |header: &[u8], expect: SecretError| {
        let header = HeaderValue::from_bytes(header).unwrap();
        assert_eq!(decode_basic(&header).unwrap_err(), expect, "{header:?}");
    };
    check(b"Bearer abc", SecretError::NotBasic);
    check(b"Basic", SecretError::NotBasic);
    check(b"Basicabc", SecretError::NotBasic);
    check(b"", SecretError::NotBasic);
    check(b"Basic !!!!", SecretError::NotBase64);
    check(b"Basic aWQ6c2VjcmV0MQ", SecretError::NotBase64); // padding lost
    check(b"Basic aWQ6 c2VjcmV0", SecretError::NotBase64);
    check(b"Basic aWQ6_-8=", SecretError::NotBase64); // the URL alphabet
    check(header_of(b"id\xff:secret").as_bytes(), SecretError::NotUtf8);
    check(header_of(b"no-colon").as_bytes(), SecretError::NoColon);
    check(header_of(b"").as_bytes(), SecretError::NoColon);
    check(header_of(b":secret").as_bytes(), SecretError::Unusable);
    check(header_of(b"id:").as_bytes(), SecretError::Unusable);
    check(header_of(b"id:line\n").as_bytes(), SecretError::Unusable);
    check(header_of(&[b'a'; MAX_BASIC_BYTES]).as_bytes(), SecretError::HeaderTooLong);
    check(&[b"Basic ".as_slice(), &[b'a'; 8187]].concat(), SecretError::HeaderTooLong);
    check(&[b"Basic ".as_slice(), &[b'a'; 8186]].concat(), SecretError::NotBase64);
}

#[test]
fn the_raw_reading_is_there_where_it_differs() {
    let raw = |sent: &str| {
        let pair = decode_basic(&header_of(sent.as_bytes())).unwrap();
        pair.raw().map(|pair| (pair.client_id().as_str().to_owned(), pair.secret().expose().to_owned()))
    };
    assert_eq!(raw("id:a+b"), Some(("id".to_owned(), "a+b".to_owned())));
    assert_eq!(raw("id:plain"), None);
}

#[test]
fn the_scheme_has_no_case() {
    for scheme in ["basic", "BASIC", "bAsIc  "] {
        let header = format!("{scheme} {}", STANDARD.encode("id:s"));
        assert_eq!(
            decode_basic(&HeaderValue::from_str(&header).unwrap()).unwrap().client_id().as_str(),
            "id"
        );
    }
}

#[test]
fn secrets_that_are_accidents_are_refused() {
    assert_eq!(ClientSecret::parse("").unwrap_err(), SecretError::Empty);
    assert_eq!(ClientSecret::parse("a\n").unwrap_err(), SecretError::ControlCharacter);
    assert_eq!(ClientSecret::parse(&"a".repeat(MAX_SECRET_BYTES + 1)).unwrap_err(), SecretError::TooLong);
    assert!(ClientSecret::parse(&"a".repeat(MAX_SECRET_BYTES)).is_ok());
}

#[test]
fn a_secret_is_never_shown() {
    let pair = decode_basic(&header_of(b"id:hunter2")).unwrap();
    assert!(!format!("{pair:?} {:?}", secret("hunter2")).contains("hunter2"));
}

#[test]
fn post_writes_both_parameters() {
    let mut form = FormWriter::new();
    write_post(&mut form, &id("a b"), &secret("p&=%"));
    assert_eq!(form.finish(), "client_id=a+b&client_secret=p%26%3D%25");
}

proptest! {
    #[test]
    fn form_encoded_pairs_round_trip(id in "[ -~]{1,40}", secret in "[^\\p{Cc}]{1,60}") {
        let (id, secret) = (ClientId::parse(&id), ClientSecret::parse(&secret));
        prop_assume!(id.is_ok() && secret.is_ok());
        let (id, secret) = (id.unwrap(), secret.unwrap());
        let header = encode_basic(&id, &secret, BasicEncoding::Form).unwrap();
        let pair = decode_basic(&header).unwrap();
        prop_assert_eq!(pair.preferred().client_id(), &id);
        prop_assert_eq!(pair.preferred().secret().expose(), secret.expose());
    }

    #[test]
    fn raw_pairs_are_among_the_readings(id in "[!-9;-~]{1,40}", secret in "[ -~]{1,60}") {
        let (id, secret) = (ClientId::parse(&id).unwrap(), ClientSecret::parse(&secret).unwrap());
        let header = encode_basic(&id, &secret, BasicEncoding::Raw).unwrap();
        let pair = decode_basic(&header).unwrap();
        prop_assert!(pair.readings().any(|r| r.client_id() == &id && r.secret() == &secret));
    }

    #[test]
    fn decoding_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        if let Ok(header) = HeaderValue::from_bytes(&bytes) {
            drop(decode_basic(&header));
        }
        drop(decode_basic(&header_of(&bytes)));
    }
}

#[test]
fn an_encoding_is_found_by_its_name() {
    let check = |text, expect| assert_eq!(BasicEncoding::parse(text), expect, "{text}");
    check("form", Some(BasicEncoding::Form));
    check("raw", Some(BasicEncoding::Raw));
    check("Raw", None);
    check("", None);
}
