use base64::Engine as _;

use super::*;

const ROOT: &[u8] = include_bytes!("../../../testdata/mtls/root.der");
const MIDDLE: &[u8] = include_bytes!("../../../testdata/mtls/middle.der");
const CLIENT: &[u8] = include_bytes!("../../../testdata/mtls/client.der");
const SERVER: &[u8] = include_bytes!("../../../testdata/mtls/server.der");
const OTHER_ROOT: &[u8] = include_bytes!("../../../testdata/mtls/other.der");
const OTHER_CLIENT: &[u8] = include_bytes!("../../../testdata/mtls/otherclient.der");
const SELF_SIGNED: &[u8] = include_bytes!("../../../testdata/mtls/self.der");

/// Within the dates of all certificates: 2030-01-01.
const NOW: UnixTime = UnixTime::from_seconds(1_893_456_000);

fn peer(own: &[u8], intermediates: &[&[u8]]) -> PeerCertificate {
    PeerCertificate::new(own.to_vec(), intermediates.iter().map(|der| der.to_vec()).collect()).unwrap()
}

fn authorities() -> ClientAuthorities {
    ClientAuthorities::from_der([ROOT]).unwrap()
}

fn dns(name: &str) -> SubjectName {
    SubjectName::Dns(name.to_owned())
}

fn chain_fails(peer: &PeerCertificate, roots: &ClientAuthorities, now: UnixTime) {
    let refused = verify_chain(peer, roots, &dns("worker.example.com"), now).unwrap_err();
    assert!(matches!(refused, CertificateError::Chain { .. }), "{refused:?}");
}

// spec-test: 8705-AS1
#[test]
fn a_chain_to_a_trusted_authority_with_the_registered_name() {
    let peer = peer(CLIENT, &[MIDDLE]);
    let verified = verify_chain(&peer, &authorities(), &dns("worker.example.com"), NOW).unwrap();
    assert_eq!(verified.thumbprint(), CertificateThumbprint::of(CLIENT));
}

// spec-test: 8705-AS1
#[test]
fn exactly_the_registered_subject_value_counts() {
    let peer = peer(CLIENT, &[MIDDLE]);
    let check = |subject: SubjectName, expect: bool| {
        let result = verify_chain(&peer, &authorities(), &subject, NOW).map(|_| ());
        let refused = Err(CertificateError::Subject { kind: subject.kind() });
        assert_eq!(result, if expect { Ok(()) } else { refused }, "{subject:?}");
    };
    check(dns("WORKER.example.com"), true);
    check(dns("example.com"), false);
    check(dns("*.example.com"), false);
    check(dns("spiffe://example.org/billing"), false);
    check(SubjectName::Uri("spiffe://example.org/billing".to_owned()), true);
    check(SubjectName::Uri("spiffe://example.org/Billing".to_owned()), false);
    check(SubjectName::Uri("worker.example.com".to_owned()), false);
    check(SubjectName::ip("192.0.2.7").unwrap(), true);
    check(SubjectName::ip("192.0.2.8").unwrap(), false);
    check(SubjectName::ip("2001:0db8:0:0::7").unwrap(), true);
    check(SubjectName::ip("2001:db8::8").unwrap(), false);
    check(SubjectName::Email("worker@EXAMPLE.com".to_owned()), true);
    check(SubjectName::Email("Worker@example.com".to_owned()), false);
    check(SubjectName::Email("worker@example.org".to_owned()), false);
    check(SubjectName::Email("example.com".to_owned()), false);
    let dn = |text| SubjectName::Distinguished(DistinguishedName::parse(text).unwrap());
    check(dn("CN=worker 7,OU=Billing\\, Europe,O=Example Ltd,C=DE"), true);
    check(dn("CN=worker 7"), false);
    assert_eq!(SubjectName::ip("worker"), Err(CertificateError::Address));
}

// spec-test: 8705-AS3
#[test]
fn a_chain_that_does_not_hold_is_refused() {
    let (year_2026, year_2060) =
        (UnixTime::from_seconds(1_767_225_600), UnixTime::from_seconds(2_840_140_800));
    let good = peer(CLIENT, &[MIDDLE]);
    chain_fails(&good, &ClientAuthorities::default(), NOW);
    chain_fails(&good, &ClientAuthorities::from_der([OTHER_ROOT]).unwrap(), NOW);
    chain_fails(&good, &authorities(), year_2026); // not yet valid
    chain_fails(&good, &authorities(), year_2060); // no longer valid
    chain_fails(&peer(CLIENT, &[]), &authorities(), NOW); // a link is missing
    chain_fails(&peer(OTHER_CLIENT, &[MIDDLE]), &authorities(), NOW); // same name, other authority
    chain_fails(&peer(SELF_SIGNED, &[]), &authorities(), NOW);
    chain_fails(&peer(SERVER, &[MIDDLE]), &authorities(), NOW); // not for client authentication
    let mut forged = CLIENT.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    chain_fails(&peer(&forged, &[MIDDLE]), &authorities(), NOW);
}

#[test]
fn what_is_no_certificate_is_refused() {
    let refused = verify_chain(&peer(b"junk", &[]), &authorities(), &dns("a"), NOW).unwrap_err();
    assert_eq!(refused, CertificateError::Malformed);
    assert_eq!(ClientAuthorities::from_der([&b"junk"[..]]).unwrap_err(), CertificateError::Malformed);
    assert_eq!(ClientAuthorities::from_der([&b""[..]]).unwrap_err(), CertificateError::Size);
}

#[test]
fn sizes_are_bounded() {
    let new = |own: usize, count: usize, each: usize| {
        PeerCertificate::new(vec![0; own], vec![vec![0; each]; count]).map(|_| ())
    };
    assert_eq!(new(1, MAX_INTERMEDIATES, MAX_CERTIFICATE_BYTES), Ok(()));
    assert_eq!(new(0, 0, 0), Err(CertificateError::Size));
    assert_eq!(new(MAX_CERTIFICATE_BYTES + 1, 0, 0), Err(CertificateError::Size));
    assert_eq!(new(1, 1, MAX_CERTIFICATE_BYTES + 1), Err(CertificateError::Size));
    assert_eq!(new(1, MAX_INTERMEDIATES + 1, 1), Err(CertificateError::TooManyIntermediates));
    let authority = |bytes: usize| ClientAuthorities::from_der([vec![0; bytes].as_slice()]).unwrap_err();
    assert_eq!(authority(16_384), CertificateError::Malformed);
    assert_eq!(authority(16_385), CertificateError::Size);
}

#[test]
fn what_a_certificate_tells_of_itself() {
    assert_eq!(peer(CLIENT, &[MIDDLE]).der(), CLIENT);
    let (first, last) = validity(CLIENT).unwrap();
    assert_eq!((first.date(), last.date()), ("2026-11-22".to_owned(), "2051-04-05".to_owned()));
    assert_eq!(validity(b"junk"), None);
    assert!(!authorities().is_empty() && ClientAuthorities::default().is_empty());
}

/// The names of RFC 8705 section 2.1.2, each with the value that stands for it.
#[test]
fn a_subject_is_read_back_from_its_name_and_value() {
    let check = |kind: &str, value: &str, expect: &dyn Fn(&SubjectName) -> bool| {
        let name = SubjectName::parse(kind, value).unwrap();
        assert!(expect(&name), "{name:?}");
        assert_eq!((name.kind(), name.value().as_str()), (kind, value));
    };
    check("tls_client_auth_subject_dn", "CN=a,O=b", &|name| matches!(name, SubjectName::Distinguished(_)));
    check("tls_client_auth_san_dns", "a.example", &|name| matches!(name, SubjectName::Dns(_)));
    check("tls_client_auth_san_uri", "spiffe://a/b", &|name| matches!(name, SubjectName::Uri(_)));
    check("tls_client_auth_san_ip", "2001:db8::7", &|name| matches!(name, SubjectName::Ip(_)));
    check("tls_client_auth_san_email", "a@b.example", &|name| matches!(name, SubjectName::Email(_)));
    let refused = |kind: &str, value: &str| SubjectName::parse(kind, value).unwrap_err();
    assert_eq!(refused("tls_client_auth_san", "a"), CertificateError::SubjectKind);
    assert_eq!(refused("tls_client_auth_san_ip", "a"), CertificateError::Address);
    let dn = CertificateError::DistinguishedName(DistinguishedNameError::Attribute);
    assert_eq!(refused("tls_client_auth_subject_dn", "a"), dn);
}

// spec-test: 8705-AS2
#[test]
fn a_self_signed_certificate_must_be_registered() {
    let peer = peer(SELF_SIGNED, &[]);
    let registered = [CertificateThumbprint::of(CLIENT), CertificateThumbprint::of(SELF_SIGNED)];
    assert!(verify_registered(&peer, &registered).is_ok());
    assert_eq!(verify_registered(&peer, &registered[..1]).unwrap_err(), CertificateError::NotRegistered);
    assert_eq!(verify_registered(&peer, &[]).unwrap_err(), CertificateError::NotRegistered);
}

// spec-test: 8705-AS2
#[test]
fn registration_by_the_first_certificate_of_x5c() {
    let x5c = |ders: &[&[u8]]| {
        let list: Vec<_> =
            ders.iter().map(|der| base64::engine::general_purpose::STANDARD.encode(der)).collect();
        let jwk = serde_json::json!({"kty": "OKP", "crv": "Ed25519",
            "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "x5c": list});
        CertificateThumbprint::of_jwk(&Jwk::from_object(jwk.as_object().unwrap()).unwrap())
    };
    assert_eq!(x5c(&[SELF_SIGNED, CLIENT]), Some(CertificateThumbprint::of(SELF_SIGNED)));
}

// spec-test: 8705-AS4
#[test]
fn thumbprints_are_unpadded_base64url_of_32_bytes() {
    let thumbprint = CertificateThumbprint::of(CLIENT);
    assert_eq!(thumbprint.to_text().len(), 43);
    assert_eq!(CertificateThumbprint::parse(&thumbprint.to_text()), Ok(thumbprint));
    for bad in
        ["", "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y5v0=", "A4DtL2JmUMhAsvJj5tKyn64SqzmuXbMrJa0n761y", "??"]
    {
        assert_eq!(CertificateThumbprint::parse(bad), Err(CertificateError::Thumbprint), "{bad}");
    }
}
