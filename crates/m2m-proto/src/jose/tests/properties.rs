use proptest::prelude::*;

use crate::jose::jws::{self, Compact};
use crate::jose::{Algorithm, Claims, Header, HeaderFields, Jwk, JwkSet, base64url};

use super::signing_key;

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parse_undoes_sign(payload in proptest::collection::vec(any::<u8>(), 0..600), typ in "[ -~é]{0,20}", kid in ".{0,20}") {
        for algorithm in [Algorithm::Hs256, Algorithm::Es256, Algorithm::EdDsa] {
            let key = signing_key(algorithm);
            let fields = HeaderFields { typ: Some(&typ), kid: Some(&kid), ..HeaderFields::default() };
            let token = jws::sign(&fields, &payload, key).unwrap();
            let compact = Compact::parse(&token).unwrap();
            prop_assert_eq!(compact.header().typ.as_deref(), Some(typ.as_str()));
            prop_assert_eq!(compact.header().kid.as_deref(), Some(kid.as_str()));
            let verified = compact.verify(key.verifying_key()).unwrap();
            prop_assert_eq!(verified.payload(), payload.as_slice());
        }
    }

    #[test]
    fn any_changed_byte_is_refused(position in any::<prop::sample::Index>(), byte in 0_u8..128) {
        let key = signing_key(Algorithm::EdDsa);
        let token = jws::sign(&HeaderFields { kid: Some("k"), ..HeaderFields::default() }, br#"{"sub":"s"}"#, key).unwrap();
        let mut bytes = token.clone().into_bytes();
        let position = position.index(bytes.len());
        prop_assume!(bytes[position] != byte);
        bytes[position] = byte;
        let changed = String::from_utf8(bytes).unwrap();
        let accepted = Compact::parse(&changed).is_ok_and(|compact| compact.verify(key.verifying_key()).is_ok());
        prop_assert!(!accepted, "byte {} of {} as {}", position, token.len(), byte);
    }

    #[test]
    fn nothing_panics(text in ".{0,200}", bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Compact::parse(&text);
        let _ = Compact::parse(&format!("{}.{}.{}", base64url::encode(&text), base64url::encode(&bytes), text));
        for input in [text.as_bytes(), &bytes] {
            let _ = (Header::parse(input), Claims::parse(input), Jwk::parse(input), JwkSet::decode(input));
            let _ = crate::jose::VerifyingKey::from_spki_der(input);
        }
    }

    #[test]
    fn json_like_text_does_not_panic(text in r#"[\{\}\[\]":,0-9eE.\-a-z\\u]{0,120}"#) {
        let _ = (Header::parse(text.as_bytes()), Claims::parse(text.as_bytes()), Jwk::parse(text.as_bytes()));
    }

    #[test]
    fn claims_read_as_a_general_parser_reads_them(iss in ".{0,20}", exp in 0_u64..253_402_300_799, name in "[a-z]{4,8}", value in ".{0,20}") {
        let text = serde_json::json!({"iss": iss, "exp": exp, (name.clone()): {"v": [value]}}).to_string();
        let claims = Claims::parse(text.as_bytes()).unwrap();
        prop_assert_eq!(claims.iss.as_deref(), Some(iss.as_str()));
        prop_assert_eq!(claims.exp.unwrap().seconds(), exp);
        prop_assert_eq!(claims.get(&name).unwrap()["v"][0].as_str(), Some(value.as_str()));
        prop_assert_eq!(Claims::parse(&claims.encode()).unwrap(), claims);
    }
}

#[test]
fn every_byte_of_a_token_counts() {
    let key = signing_key(Algorithm::Hs256);
    let token = jws::sign(&HeaderFields::default(), br#"{"sub":"s"}"#, key).unwrap();
    for position in 0..token.len() {
        for bit in 0..7 {
            let mut bytes = token.clone().into_bytes();
            bytes[position] ^= 1 << bit;
            let changed = String::from_utf8(bytes).unwrap();
            let accepted =
                Compact::parse(&changed).is_ok_and(|compact| compact.verify(key.verifying_key()).is_ok());
            assert!(!accepted, "{position} {bit}");
        }
    }
}
