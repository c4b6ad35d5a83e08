use super::facts::{ClientFacts, CredentialFacts, ServerFacts};
use super::*;

const ALL: [Standard; 3] = [Standard::Oauth21, Standard::Rfc9700, Standard::Fapi2];

fn facts(method: &str) -> Facts {
    let credential = CredentialFacts { id: "1".into(), method: method.into(), ..CredentialFacts::default() };
    let client = ClientFacts { id: "c".into(), credentials: vec![credential], ..ClientFacts::default() };
    let server = ServerFacts {
        issuer: "https://as.example".into(),
        is_encrypted: true,
        methods: vec!["tls_client_auth".into()],
        binds_to_certificates: true,
        ..ServerFacts::default()
    };
    Facts { server, clients: vec![client] }
}

#[test]
fn the_server_comes_first_and_each_standard_can_be_chosen() {
    let subjects = assess(&facts("tls_client_auth"), &ALL);
    assert_eq!(subjects.iter().map(|one| one.kind).collect::<Vec<_>>(), ["server", "client"]);
    for standard in ALL {
        let subjects = assess(&facts("tls_client_auth"), &[standard]);
        assert!(subjects.iter().all(|one| one.findings.iter().all(|found| found.rule.standard == standard)));
        assert!(subjects.iter().all(|one| !one.findings.is_empty()));
    }
}

#[test]
fn only_a_must_that_is_missed_is_a_failure() {
    let check = |method: &str, standard, expect: Exit| {
        assert_eq!(ends(&assess(&facts(method), &[standard])), expect, "{method} {standard:?}");
    };
    check("tls_client_auth", Standard::Fapi2, Exit::Ok);
    check("client_secret", Standard::Fapi2, Exit::Missed);
    check("client_secret", Standard::Rfc9700, Exit::Ok);
    check("client_secret", Standard::Oauth21, Exit::Ok);
}
