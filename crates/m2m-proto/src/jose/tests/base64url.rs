use crate::jose::base64url::{decode, encode};

#[test]
fn strict_text_has_one_form() {
    // spec-test: JOSE-V1
    let check =
        |text: &str, expect: Option<&[u8]>| assert_eq!(decode(text).ok().as_deref(), expect, "{text:?}");
    check("", Some(b""));
    check("Zg", Some(b"f"));
    check("Zm8", Some(b"fo"));
    check("-_-_", Some(&[0xfb, 0xff, 0xbf]));
    check("Zg==", None); // padding
    check("Zh", None); // stray trailing bits
    check("Zm9", None); // the same with two bits
    check("Z", None); // no byte
    check("+/+/", None); // the other alphabet
    check("Zm 8", None);
    check("Zm8\n", None);
    check("Zm8é", None);
}

#[test]
fn encoding_is_unpadded() {
    assert_eq!(encode([0xfb, 0xff, 0xbf, 0]), "-_-_AA");
}
