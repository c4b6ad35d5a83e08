use crate::jose::{Algorithm, Header, HeaderFields, JwkError, JwsError, PreparedHeader};

use super::signing_key;

fn refused(text: &str) -> JwsError {
    Header::parse(text.as_bytes()).unwrap_err()
}

#[test]
fn known_members_are_read_and_others_skipped() {
    let header = Header::parse(
        br#"{"alg":"ES256","typ":"at+jwt","kid":"k","cty":"x","jku":"https://evil","x5c":["a"]}"#,
    );
    let header = header.unwrap();
    assert_eq!(header.alg, Algorithm::Es256);
    assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("at+jwt"), Some("k")));
    assert!(header.jwk.is_none());
}

#[test]
fn algorithms_are_exact() {
    // spec-test: JWT-V1
    for alg in ["none", "NONE", "noNE", "es256", "ES521", "", "RSA-OAEP", "dir"] {
        assert_eq!(refused(&format!(r#"{{"alg":"{alg}"}}"#)), JwsError::UnknownAlgorithm, "{alg}");
    }
    assert_eq!(refused(r#"{"alg":null}"#), JwsError::UnknownAlgorithm);
    assert_eq!(refused(r#"{"alg":1}"#), JwsError::MalformedHeader);
    assert_eq!(refused(r#"{"typ":"JWT"}"#), JwsError::MalformedHeader);
    for algorithm in Algorithm::ALL {
        assert_eq!(Algorithm::parse(algorithm.name()), Some(algorithm));
    }
}

#[test]
fn extensions_are_refused() {
    // spec-test: JOSE-V2
    for extra in [r#""crit":["exp"]"#, r#""crit":[]"#, r#""crit":null"#, r#""b64":false"#, r#""b64":true"#] {
        assert_eq!(refused(&format!(r#"{{"alg":"ES256",{extra}}}"#)), JwsError::Extension, "{extra}");
    }
    assert_eq!(refused(r#"{"alg":"ES256","enc":"A128GCM"}"#), JwsError::Encrypted);
}

#[test]
fn duplicates_are_refused() {
    for extra in [r#""alg":"none""#, r#""x":1,"x":1"#, r#""kid":"a","kid":"b""#, r#""x":{"y":1,"y":2}"#] {
        assert_eq!(refused(&format!(r#"{{"alg":"ES256",{extra}}}"#)), JwsError::DuplicateMember, "{extra}");
        assert_eq!(
            refused(&format!(r#"{{{extra},"alg":"ES256","alg":"ES256"}}"#)),
            JwsError::DuplicateMember
        );
    }
    for (member, value) in [("typ", "\"a\""), ("jwk", "{}")] {
        let text = format!(r#"{{"alg":"ES256","{member}":{value},"{member}":{value}}}"#);
        assert_eq!(refused(&text), JwsError::DuplicateMember, "{text}");
    }
}

#[test]
fn malformed_headers_are_refused() {
    let deep = format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(8), "]".repeat(8));
    let list = [
        r#"{"alg":"ES256","kid":1}"#,
        r#"{"alg":"ES256","typ":["a"]}"#,
        r#"{"alg":"ES256"} "x""#,
        "[]",
        "",
        &deep,
    ];
    for text in list {
        assert_eq!(refused(text), JwsError::MalformedHeader, "{text}");
    }
    assert_eq!(
        Header::parse(b"{\"alg\":\"ES256\",\"kid\":\"\xff\"}").unwrap_err(),
        JwsError::MalformedHeader
    );
    let long = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, "k".repeat(4096));
    assert!(matches!(refused(&long), JwsError::TooLong { limit: 4096, .. }));
    assert_eq!(refused(r#"{"alg":"ES256","jwk":"k"}"#), JwsError::MalformedHeader);
    assert_eq!(
        refused(r#"{"alg":"ES256","jwk":{"kty":"?"}}"#),
        JwsError::HeaderKey(JwkError::UnknownKeyType)
    );
}

#[test]
fn media_types_compare_without_case_and_prefix() {
    // spec-test: JWT-V3
    let check = |typ: &str, expect: bool| {
        let header = Header::parse(format!(r#"{{"alg":"ES256","typ":"{typ}"}}"#).as_bytes()).unwrap();
        assert_eq!(header.has_typ("at+jwt"), expect, "{typ}");
    };
    check("at+jwt", true);
    check("AT+JWT", true);
    check("application/at+jwt", true);
    check("APPLICATION/at+jwt", true);
    check("text/at+jwt", false);
    check("application/at+jwt/x", false);
    check("at+jwt ", false);
    check("JWT", false);
    assert!(!Header::parse(br#"{"alg":"ES256"}"#).unwrap().has_typ("at+jwt"));
}

fn written(fields: &HeaderFields<'_>, algorithm: Algorithm) -> String {
    let prepared = PreparedHeader::new(fields, signing_key(algorithm));
    let bytes = crate::jose::base64url::decode(prepared.encoded().trim_end_matches('.')).unwrap();
    String::from_utf8(bytes).unwrap()
}

#[test]
fn written_headers_are_stable() {
    let fields = HeaderFields { typ: Some("at+jwt"), kid: Some("a\"b"), ..HeaderFields::default() };
    assert_eq!(written(&fields, Algorithm::Es256), r#"{"typ":"at+jwt","alg":"ES256","kid":"a\"b"}"#);
    assert_eq!(written(&HeaderFields::default(), Algorithm::Ed25519), r#"{"alg":"Ed25519"}"#);
    let fields = HeaderFields { x5t_s256: Some("t"), ..HeaderFields::default() };
    assert_eq!(written(&fields, Algorithm::Rs256), r#"{"alg":"RS256","x5t#S256":"t"}"#);
}

#[test]
fn a_written_key_has_required_public_members_only() {
    let jwk = crate::jose::Jwk::parse(
        br#"{"kty":"OKP","crv":"Ed25519","kid":"k","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
    );
    let fields = HeaderFields { typ: Some("dpop+jwt"), jwk: Some(&jwk.unwrap()), ..HeaderFields::default() };
    assert_eq!(
        written(&fields, Algorithm::EdDsa),
        r#"{"typ":"dpop+jwt","alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}}"#
    );
    let shared =
        crate::jose::Jwk::from_secret(crate::secret::SecretBytes::new(vec![1; 32]), Algorithm::Hs256);
    let fields = HeaderFields { jwk: Some(&shared), ..HeaderFields::default() };
    assert_eq!(written(&fields, Algorithm::Hs256), r#"{"alg":"HS256"}"#);
}
