use super::*;

/// `C=DE, O=Example  Ltd, OU=Billing, Europe, CN=worker 7`, from the root down.
fn subject() -> &'static [u8] {
    der::names(include_bytes!("../../../testdata/mtls/client.der")).unwrap().subject
}

// spec-test: 8705-AS1
#[test]
fn names_match_by_rule_not_by_string() {
    let check = |text: &str, expect: bool| {
        assert_eq!(DistinguishedName::parse(text).unwrap().matches(subject()), expect, "{text}");
    };
    check("CN=worker 7,OU=Billing\\, Europe,O=Example  Ltd,C=DE", true);
    check("cn=WORKER   7 , ou=Billing\\2C Europe, o=example ltd, c=de", true);
    check("2.5.4.3=worker 7,OU=Billing\\, Europe,O=Example Ltd,C=DE", true);
    // each relative name counts, and so does their order
    check("CN=worker 7,OU=Billing\\, Europe,O=Example Ltd", false);
    check("C=DE,O=Example Ltd,OU=Billing\\, Europe,CN=worker 7", false);
    check("CN=worker 7+OU=Billing\\, Europe,O=Example Ltd,C=DE", false);
    check("CN=worker 77,OU=Billing\\, Europe,O=Example Ltd,C=DE", false);
    check("CN=worker7,OU=Billing\\, Europe,O=Example Ltd,C=DE", false);
    check("UID=worker 7,OU=Billing\\, Europe,O=Example Ltd,C=DE", false);
}

#[test]
fn the_parts_of_one_relative_name_have_no_order() {
    let name = |text| DistinguishedName::parse(text).unwrap();
    assert_eq!(name("CN=a+UID=b,O=c"), name("UID=b+CN=a,O=c"));
    assert_ne!(name("CN=a+UID=b,O=c"), name("CN=a,UID=b,O=c"));
}

#[test]
fn texts_that_are_no_names() {
    let check = |text: &str, expect: DistinguishedNameError| {
        assert_eq!(DistinguishedName::parse(text).unwrap_err(), expect, "{text}");
    };
    check("", DistinguishedNameError::Length);
    check(&format!("CN={}", "a".repeat(MAX_BYTES)), DistinguishedNameError::Length);
    check("worker", DistinguishedNameError::Attribute);
    check("/C=DE/CN=worker", DistinguishedNameError::Attribute);
    check("CN=a,,O=b", DistinguishedNameError::Attribute);
    check("nick=a", DistinguishedNameError::Attribute);
    check("3.1=a", DistinguishedNameError::Attribute);
    check("CN=", DistinguishedNameError::Value);
    check("CN=#04024869", DistinguishedNameError::Value);
    check("CN=a\\", DistinguishedNameError::Value);
    check("CN=\\C3", DistinguishedNameError::Value);
}

#[test]
fn identifiers_encode_as_the_table_has_them() {
    assert_eq!(encode_identifier("2.5.4.3").unwrap(), [0x55, 4, 3]);
    assert_eq!(
        encode_identifier("1.2.840.113549.1.9.1").unwrap(),
        [0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 1, 9, 1]
    );
    assert_eq!(encode_identifier("0.9.2342.19200300.100.1.25").unwrap(), ATTRIBUTES[16].1);
    assert_eq!(encode_identifier("2.5.4.-1"), None);
    assert_eq!(encode_identifier("1"), None);
}

/// ITU-T X.660: only below 2 does the second arc end at 39.
#[test]
fn the_first_two_arcs_share_a_number() {
    let check = |dotted: &str, expect: Option<&[u8]>| {
        assert_eq!(encode_identifier(dotted).as_deref(), expect, "{dotted}");
    };
    check("0.39", Some(&[39]));
    check("1.39", Some(&[79]));
    check("2.40", Some(&[120]));
    check("2.100", Some(&[0x81, 0x34]));
    for no in ["0.40", "1.40", "1.41", "3.0"] {
        check(no, None);
    }
}

#[test]
fn the_text_stays_as_it_was_given_up_to_its_longest() {
    let longest = format!("CN= {}", "A".repeat(MAX_BYTES - 4));
    assert_eq!(DistinguishedName::parse(&longest).unwrap().as_str(), longest);
    assert_eq!(DistinguishedName::parse(&(longest + "A")).unwrap_err(), DistinguishedNameError::Length);
}

#[test]
fn wide_strings_are_read_and_odd_ones_match_nothing() {
    assert_eq!(directory_string(0x1E, &[0, b'a', 0x20, 0xAC]).unwrap(), "a€");
    assert_eq!(directory_string(0x1E, &[0, b'a', 0x20]), None);
    assert_eq!(directory_string(0x14, b"teletex"), None);
    assert_eq!(directory_string(0x0C, b"\xff"), None);
}
