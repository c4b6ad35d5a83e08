use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::{Jwk, base64url};
use crate::secret::SecretBytes;

const NOW: UnixTime = UnixTime::from_seconds(1_800_000_000);
const URI: &str = "https://as.example/oauth2/status/1";
const ISSUER: &str = "https://as.example";

fn key() -> SigningKey {
    let jwk = br#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo","kid":"k1"}"#;
    SigningKey::from_jwk(&Jwk::parse(jwk).unwrap()).unwrap()
}

fn issuer() -> Issuer {
    Issuer::parse(ISSUER).unwrap()
}

/// The list of 16 in section 4.1 of the draft.
fn drafts() -> StatusList {
    let mut list = StatusList::new(16).unwrap();
    for (index, value) in [1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1].into_iter().enumerate() {
        list.set(index as u64, Status::from_value(value)).unwrap();
    }
    list
}

fn of(list: &StatusList) -> StatusListClaims<'_> {
    StatusListClaims {
        subject: URI,
        issuer: None,
        issued_at: NOW,
        expires_at: UnixTime::from_seconds(NOW.seconds() + 300),
        ttl: Duration::from_secs(30),
        list,
    }
}

fn sign(claims: &StatusListClaims<'_>) -> Result<String, StatusListSignError> {
    claims.sign(&StatusListClaims::header(&key()), &key())
}

fn signed() -> String {
    sign(&of(&drafts())).unwrap()
}

fn verify_as(
    document: &str,
    change: impl FnOnce(&mut Expect<'_>),
) -> Result<VerifiedStatusList, StatusListError> {
    let mut expect =
        Expect { uri: URI, issuer: None, algorithms: &[Algorithm::EdDsa], now: NOW, skew: Skew::DEFAULT };
    change(&mut expect);
    parse(document)?.verify(key().verifying_key(), &expect)
}

fn verified(document: &str) -> Result<VerifiedStatusList, StatusListError> {
    verify_as(document, |_| {})
}

fn claims() -> Value {
    json!({"sub": URI, "iat": NOW.seconds(), "exp": NOW.seconds() + 300, "ttl": 30,
        "status_list": {"bits": 1, "lst": "eNrbuRgAAhcBXQ"}})
}

fn signed_claims(typ: Option<&str>, claims: &Value) -> String {
    let header = PreparedHeader::new(&HeaderFields { typ, ..HeaderFields::default() }, &key());
    jws::sign_document(&header, claims.to_string().as_bytes(), &key(), usize::MAX).unwrap()
}

fn with(name: &str, value: Value) -> Result<VerifiedStatusList, StatusListError> {
    let mut claims = claims();
    claims[name] = value;
    verified(&signed_claims(KIND.typ(), &claims))
}

fn with_list(list: Value) -> Result<VerifiedStatusList, StatusListError> {
    with("status_list", list)
}

#[test]
fn golden_bytes() {
    assert_eq!(signed(), include_str!("../../testdata/golden/status_list.eddsa.jwt").trim());
}

// spec-test: TSL-RS1
#[test]
fn the_drafts_own_lists() {
    let check = |bits, lst: &str, values: &[u8]| {
        let list = StatusList::decode(bits, lst).unwrap();
        assert_eq!((list.len(), u64::from(list.bits())), (values.len() as u64, bits));
        for (index, value) in values.iter().enumerate() {
            assert_eq!(list.get(index as u64), Some(Status::from_value(*value)), "{index}");
        }
        assert_eq!((list.get(values.len() as u64), list.get(u64::MAX)), (None, None));
        assert_eq!(list.encode().unwrap(), lst);
    };
    check(1, "eNrbuRgAAhcBXQ", &[1, 0, 0, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0, 1, 0, 1]);
    check(2, "eNo76fITAAPfAgc", &[1, 2, 0, 3, 0, 1, 0, 1, 1, 2, 3, 3]);
}

#[test]
fn wider_statuses_stand_lowest_first() {
    let lst = |bytes: &[u8]| {
        let mut list = StatusList::new(bytes.len() as u64 * 8).unwrap();
        for index in 0..list.len() {
            let bit = bytes[usize::try_from(index / 8).unwrap()] >> (index % 8) & 1;
            list.set(index, Status::from_value(bit)).unwrap();
        }
        list.encode().unwrap()
    };
    let values = |bits| {
        let list = StatusList::decode(bits, &lst(&[0x21, 0xFE])).unwrap();
        (0..list.len()).map(|index| list.get(index).unwrap().value()).collect::<Vec<_>>()
    };
    assert_eq!(values(2), [1, 0, 2, 0, 2, 3, 3, 3]);
    assert_eq!(values(4), [1, 2, 14, 15]);
    assert_eq!(values(8), [0x21, 0xFE]);
    let mut wide = StatusList::decode(4, &lst(&[0x21, 0xFE])).unwrap();
    wide.set(2, Status::Suspended).unwrap();
    assert_eq!(wide.get(2), Some(Status::Suspended));
    assert_eq!((wide.get(1), wide.get(3)), (Some(Status::Suspended), Some(Status::Other(15))));
    assert_eq!(wide.set(0, Status::Other(16)), Err(ListError::DoesNotFit { status: 16, bits: 4 }));
}

#[test]
fn a_fresh_list_is_valid_throughout_and_ends() {
    let mut list = StatusList::new(9).unwrap();
    assert_eq!((list.len(), list.bits(), list.is_empty()), (16, 1, false));
    assert!((0..16).all(|index| list.get(index) == Some(Status::Valid)));
    assert_eq!(list.get(16), None);
    list.set(9, Status::Invalid).unwrap();
    list.set(10, Status::Invalid).unwrap();
    list.set(10, Status::Valid).unwrap();
    assert_eq!(list.get(9), Some(Status::Invalid));
    assert_eq!((list.get(8), list.get(10)), (Some(Status::Valid), Some(Status::Valid)));
    let refused = ListError::OutOfRange { index: 16, len: 16 };
    assert_eq!(list.set(16, Status::Invalid), Err(refused));
    assert_eq!(list.set(0, Status::Suspended), Err(ListError::DoesNotFit { status: 2, bits: 1 }));
    let empty = StatusList::new(0).unwrap();
    assert!(empty.is_empty() && empty.get(0).is_none());
    assert_eq!(StatusList::decode(1, &empty.encode().unwrap()), Ok(empty));
}

#[test]
fn size_is_bounded_however_small_the_text() {
    let most = MAX_LIST_BYTES as u64 * 8;
    let full = StatusList::new(most).unwrap();
    assert_eq!(StatusList::new(most + 1), Err(ListError::TooLarge));
    assert_eq!(StatusList::new(u64::MAX), Err(ListError::TooLarge));
    let lst = full.encode().unwrap();
    assert!(lst.len() < 2000, "{}", lst.len());
    assert_eq!(StatusList::decode(1, &lst), Ok(full));
    for bytes in [MAX_LIST_BYTES + 1, 64 * MAX_LIST_BYTES] {
        assert_eq!(StatusList::decode(1, &zlib_of(&vec![0; bytes])), Err(ListError::TooLarge));
    }
}

/// base64url of zlib, made by the library's other door.
fn zlib_of(bytes: &[u8]) -> String {
    use std::io::Write as _;
    let mut writer = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    writer.write_all(bytes).unwrap();
    base64url::encode(writer.finish().unwrap())
}

#[test]
fn a_list_that_does_not_compress_fits() {
    let mut list = StatusList::new(MAX_LIST_BYTES as u64 * 8).unwrap();
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    for index in 0..list.len() {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        list.set(index, Status::from_value((dice >> 60 & 1) as u8)).unwrap();
    }
    let document = sign(&of(&list)).unwrap();
    assert!(document.len() > 7 * MAX_DOCUMENT_BYTES / 8, "{}", document.len());
    assert_eq!(verified(&document).unwrap().list(), &list);
}

#[test]
fn what_is_no_list_is_refused() {
    let lst = "eNrbuRgAAhcBXQ";
    for bits in [0, 3, 5, 16, 257, u64::MAX] {
        assert_eq!(StatusList::decode(bits, lst), Err(ListError::Bits(bits)));
    }
    let zlib = base64url::decode(lst).unwrap();
    for end in 0..zlib.len() {
        let cut = base64url::encode(&zlib[..end]);
        assert_eq!(StatusList::decode(1, &cut), Err(ListError::Malformed), "cut at {end}");
    }
    let longer = base64url::encode([&zlib[..], b"x"].concat());
    assert_eq!(StatusList::decode(1, &longer), Err(ListError::Malformed));
    // Deflate ends within a byte; only the bits after its end may change.
    for position in 0..zlib.len() {
        let mut changed = zlib.clone();
        changed[position] ^= 0x40;
        let found = StatusList::decode(1, &base64url::encode(&changed));
        let expect = if position == 5 { Ok(drafts()) } else { Err(ListError::Malformed) };
        assert_eq!(found, expect, "changed at {position}");
    }
    // Header 0x78 0xBB asks for a preset dictionary.
    let dictionary = base64url::encode([&[0x78, 0xBB, 0, 0, 0, 1][..], &zlib[2..]].concat());
    for text in [dictionary.as_str(), "", "eNrbuRgAAhcBXQ=", "eNrbuRgAAhcBX!", "AAAA"] {
        assert_eq!(StatusList::decode(1, text), Err(ListError::Malformed), "{text}");
    }
}

// spec-test: TSL-RS1
#[test]
fn a_signed_list_verifies_and_tells_all() {
    let list = verified(&signed()).unwrap();
    assert_eq!(list.list(), &drafts());
    assert_eq!((list.get(0), list.get(1), list.get(16)), (Some(Status::Invalid), Some(Status::Valid), None));
    assert_eq!(list.issued_at(), NOW);
    assert_eq!(list.expires_at(), UnixTime::from_seconds(NOW.seconds() + 300));
    assert_eq!(list.ttl(), Some(Duration::from_secs(30)));
    let document = signed();
    let unverified = parse(&document).unwrap();
    assert_eq!((unverified.key_hint(), unverified.algorithm()), (Some("k1"), Algorithm::EdDsa));
    assert_eq!(verified(&signed_claims(KIND.typ(), &claims())), Ok(list));
}

// spec-test: TSL-RS1
// spec-test: JWT-V3
#[test]
fn typ_is_that_of_status_lists() {
    for typ in ["statuslist+jwt", "application/statuslist+jwt", "StatusList+JWT"] {
        assert!(verified(&signed_claims(Some(typ), &claims())).is_ok(), "{typ}");
    }
    for typ in [None, Some("JWT"), Some("at+jwt"), Some("m2m-revocations+jwt"), Some("statuslist+cwt")] {
        let error = verified(&signed_claims(typ, &claims())).unwrap_err();
        assert!(matches!(error, StatusListError::Kind(KindError::WrongTyp { .. })), "{typ:?}");
    }
}

// spec-test: TSL-RS1
#[test]
fn the_subject_is_the_address() {
    let other = verify_as(&signed(), |expect| expect.uri = "https://as.example/oauth2/status/2");
    assert_eq!(other, Err(StatusListError::Subject));
    let slash = format!("{URI}/");
    assert_eq!(with("sub", json!(slash)), Err(StatusListError::Subject));
}

#[test]
fn the_issuer_counts_where_it_is_expected() {
    let issuer = issuer();
    let named = sign(&StatusListClaims { issuer: Some(&issuer), ..of(&drafts()) }).unwrap();
    assert!(verified(&named).is_ok());
    let parsed = parse(&named).unwrap();
    let expect = |issuer| Expect {
        uri: URI,
        issuer: Some(issuer),
        algorithms: &[Algorithm::EdDsa],
        now: NOW,
        skew: Skew::NONE,
    };
    assert!(parsed.verify(key().verifying_key(), &expect(&issuer)).is_ok());
    let other = Issuer::parse("https://evil.example").unwrap();
    let error = parsed.verify(key().verifying_key(), &expect(&other)).unwrap_err();
    assert!(matches!(error, StatusListError::Kind(KindError::WrongIssuer { .. })));
    let unnamed = signed();
    let error = parse(&unnamed).unwrap().verify(key().verifying_key(), &expect(&issuer)).unwrap_err();
    assert!(matches!(error, StatusListError::Kind(KindError::WrongIssuer { found: None })));
}

// spec-test: JWT-V1
#[test]
fn the_signature_and_its_algorithm() {
    let document = signed();
    let refused = verify_as(&document, |expect| expect.algorithms = &[Algorithm::Es256]);
    assert_eq!(refused, Err(StatusListError::Algorithm(Algorithm::EdDsa)));
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let expect =
        Expect { uri: URI, issuer: None, algorithms: &[Algorithm::EdDsa], now: NOW, skew: Skew::NONE };
    let error = parse(&document).unwrap().verify(stranger.verifying_key(), &expect).unwrap_err();
    assert_eq!(error, StatusListError::Jws(JwsError::WrongSignature));
    let secret = SigningKey::hmac(&SecretBytes::new(vec![1; 32]), Algorithm::Hs256).unwrap();
    let list = drafts();
    let symmetric = of(&list).sign(&StatusListClaims::header(&secret), &secret).unwrap();
    let error = verify_as(&symmetric, |expect| expect.algorithms = &Algorithm::ALL).unwrap_err();
    assert_eq!(error, StatusListError::Kind(KindError::SymmetricAlgorithm(Algorithm::Hs256)));
}

// spec-test: TSL-RS1
#[test]
fn times_within_the_skew_and_not_beyond() {
    let at = |seconds| verify_as(&signed(), |expect| expect.now = UnixTime::from_seconds(seconds));
    let start = NOW.seconds();
    assert!(at(start + 329).is_ok());
    assert!(matches!(at(start + 330), Err(StatusListError::Kind(KindError::Expired { .. }))));
    assert!(at(start - 30).is_ok());
    assert!(matches!(at(start - 31), Err(StatusListError::Kind(KindError::IssuedInFuture { .. }))));
}

// spec-test: TSL-RS1
#[test]
fn claims_are_there_and_well_formed() {
    for name in ["sub", "iat", "exp", "status_list"] {
        let missing = StatusListError::Kind(KindError::MissingClaim(name.to_owned()));
        assert_eq!(with(name, Value::Null), Err(missing), "{name}");
    }
    assert_eq!(with("ttl", Value::Null).unwrap().ttl(), None);
    assert_eq!(with("ttl", json!(1.5)).unwrap().ttl(), Some(Duration::from_millis(1500)));
    for ttl in [json!(0), json!(-1), json!("30"), json!(1e300), json!([])] {
        assert_eq!(with("ttl", ttl.clone()), Err(StatusListError::Claim("ttl")), "{ttl}");
    }
    for list in [json!(1), json!([]), json!("x")] {
        assert_eq!(with("status_list", list), Err(StatusListError::Claim("status_list")));
    }
    let lst = "eNrbuRgAAhcBXQ";
    for bits in [Value::Null, json!("1"), json!(-1), json!(1.5)] {
        let list = json!({"bits": bits, "lst": lst});
        assert_eq!(with_list(list), Err(StatusListError::Claim("bits")), "{bits}");
    }
    assert_eq!(with_list(json!({"bits": 1, "lst": 7})), Err(StatusListError::Claim("lst")));
    let inner = |bits, lst| with_list(json!({"bits": bits, "lst": lst}));
    assert_eq!(inner(3, lst), Err(StatusListError::List(ListError::Bits(3))));
    assert_eq!(inner(1, "AA"), Err(StatusListError::List(ListError::Malformed)));
    let more = json!({"bits": 1, "lst": lst, "aggregation_uri": "https://as.example/lists"});
    assert!(with_list(more).is_ok());
}

#[test]
fn what_makes_no_list_is_not_signed() {
    let list = drafts();
    for claims in [
        StatusListClaims { expires_at: NOW, ..of(&list) },
        StatusListClaims { subject: "", ..of(&list) },
        StatusListClaims { ttl: Duration::from_millis(999), ..of(&list) },
    ] {
        assert_eq!(sign(&claims), Err(StatusListSignError::Unusable));
    }
}

#[test]
fn a_document_is_bounded_and_no_token() {
    let long = "a".repeat(MAX_DOCUMENT_BYTES + 1);
    assert!(matches!(parse(&long).unwrap_err(), StatusListError::Jws(JwsError::TooLong { .. })));
    let mut padded = claims();
    padded["x"] = json!("x".repeat(16 * 1024));
    let document = signed_claims(KIND.typ(), &padded);
    assert!(verified(&document).is_ok());
    assert!(Compact::parse(&document).is_err(), "the limit of tokens stands");
}

/// Nothing large is read for a stranger.
#[test]
fn the_signature_is_checked_before_the_claims() {
    let stranger = SigningKey::generate(Algorithm::EdDsa).unwrap();
    let header = StatusListClaims::header(&stranger);
    let document = jws::sign_document(&header, b"no claims at all", &stranger, MAX_DOCUMENT_BYTES).unwrap();
    assert_eq!(verified(&document), Err(StatusListError::Jws(JwsError::WrongSignature)));
    let own = jws::sign_document(&header, b"no claims at all", &key(), MAX_DOCUMENT_BYTES).unwrap();
    assert_eq!(verified(&own), Err(StatusListError::Claim("set")));
}

proptest! {
    #[test]
    fn what_is_written_is_read(invalid in prop::collection::vec(0_u64..5000, 0..200), len in 0_u64..5000) {
        let mut list = StatusList::new(len).unwrap();
        for index in invalid {
            let set = list.set(index, Status::Invalid);
            prop_assert_eq!(set.is_ok(), index < list.len());
        }
        prop_assert_eq!(&StatusList::decode(1, &list.encode().unwrap()).unwrap(), &list);
        let document = sign(&of(&list)).unwrap();
        let found = verified(&document).unwrap();
        prop_assert_eq!(found.list(), &list);
    }

    #[test]
    fn no_input_panics(bits in 0_u64..10, bytes in prop::collection::vec(any::<u8>(), 0..64), text in ".{0,64}") {
        for lst in [base64url::encode(&bytes), zlib_of(&bytes), text.clone()] {
            if let Ok(list) = StatusList::decode(bits, &lst) {
                prop_assert!(list.get(list.len()).is_none());
                prop_assert_eq!(list.get(0).is_none(), list.is_empty());
            }
        }
        let _ = parse(&text);
        let _ = verified(&format!("{}.{text}", signed()));
    }
}
