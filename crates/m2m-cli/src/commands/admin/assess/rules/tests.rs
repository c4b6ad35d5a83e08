use super::*;

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

/// A server under the profile.
fn server() -> ServerFacts {
    ServerFacts {
        issuer: "https://as.example".to_owned(),
        is_encrypted: true,
        methods: texts(&["private_key_jwt", "tls_client_auth"]),
        assertion_algorithms: texts(&["PS256", "ES256"]),
        proof_algorithms: texts(&["ES256"]),
        binds_to_certificates: true,
        grant_types: texts(&["client_credentials"]),
        key_algorithms: texts(&["ES256"]),
    }
}

fn credential(method: &str) -> CredentialFacts {
    CredentialFacts {
        id: "k1".to_owned(),
        label: "eu-1".to_owned(),
        method: method.to_owned(),
        algorithms: Some(texts(&["ES256"])),
        takes_endpoint_audience: Some(false),
    }
}

/// A client that is ready for the profile.
fn client() -> ClientFacts {
    ClientFacts {
        id: "billing".to_owned(),
        constraint: "dpop".to_owned(),
        credentials: vec![credential("private_key_jwt")],
        apis: vec![ApiFacts {
            identifier: "https://a.example".to_owned(),
            constraint: "none".to_owned(),
            algorithm: Some("ES256".to_owned()),
        }],
        unused: Vec::new(),
    }
}

const ALL: [Standard; 3] = [Oauth21, Rfc9700, Fapi2];

/// The ids of the rules that are not met.
fn open(assessed: &Assessed) -> Vec<(&'static str, Verdict)> {
    let open = assessed.findings.iter().filter(|found| found.verdict != Verdict::Met);
    open.map(|found| (found.rule.id, found.verdict)).collect()
}

fn of(change: impl Fn(&mut ClientFacts)) -> Vec<(&'static str, Verdict)> {
    let mut facts = client();
    change(&mut facts);
    open(&of_client(&facts, &ALL))
}

fn of_changed_server(change: impl Fn(&mut ServerFacts)) -> Vec<(&'static str, Verdict)> {
    let mut facts = server();
    change(&mut facts);
    open(&of_server(&facts, &ALL))
}

use Verdict::{Missed, Moot, Unknown};

#[test]
fn what_is_ready_misses_nothing() {
    assert_eq!(of(|_| {}), []);
    // Secrets are not taken, so it does not matter how they would be sent.
    assert_eq!(of_changed_server(|_| {}), [("OAUTH21-S3", Moot)]);
}

#[test]
fn each_fact_misses_exactly_its_rules() {
    let asymmetric = [("OAUTH21-C2", Missed), ("RFC9700-C1", Missed), ("FAPI2-C1", Missed)];
    let secret = of(|client| client.credentials.push(credential("client_secret")));
    assert_eq!(secret, asymmetric);
    let signing = of(|client| client.credentials[0].method = "client_secret_jwt".to_owned());
    assert_eq!(signing, [asymmetric.as_slice(), &[("FAPI2-C2", Moot)]].concat());
    let open_tokens = of(|client| client.constraint = "none".to_owned());
    assert_eq!(open_tokens, [("OAUTH21-C3", Missed), ("RFC9700-C2", Missed), ("FAPI2-C4", Missed)]);
    let endpoint = of(|client| client.credentials[0].takes_endpoint_audience = Some(true));
    assert_eq!(endpoint, [("RFC9700-C4", Missed), ("FAPI2-C3", Missed)]);
    assert_eq!(of(|client| client.unused = texts(&["a r"])), [("RFC9700-C3", Missed)]);
    let rs256 = of(|client| client.credentials[0].algorithms = Some(texts(&["RS256", "ES384"])));
    assert_eq!(rs256, [("FAPI2-C2", Missed)]);
    let signed = of(|client| client.apis[0].algorithm = Some("RS256".to_owned()));
    assert_eq!(signed, [("FAPI2-C5", Missed)]);
}

#[test]
fn what_is_not_known_is_not_met() {
    assert_eq!(of(|client| client.credentials[0].algorithms = None), [("FAPI2-C2", Unknown)]);
    let silent = of(|client| client.credentials[0].takes_endpoint_audience = None);
    assert_eq!(silent, [("RFC9700-C4", Unknown), ("FAPI2-C3", Unknown)]);
}

#[test]
fn what_has_no_subject_is_moot() {
    let nothing = of(|client| client.credentials.clear());
    assert!(nothing.iter().all(|(_, verdict)| *verdict == Moot), "{nothing:?}");
    let certificate = of(|client| client.credentials = vec![credential("tls_client_auth")]);
    assert_eq!(certificate, [("RFC9700-C4", Moot), ("FAPI2-C2", Moot), ("FAPI2-C3", Moot)]);
}

#[test]
fn every_api_may_demand_what_the_client_does_not() {
    let by_api = of(|client| {
        client.constraint = "none".to_owned();
        client.apis[0].constraint = "mtls".to_owned();
    });
    assert_eq!(by_api, []);
}

#[test]
fn a_server_of_the_baseline_misses_two_rules_of_the_profile() {
    let baseline = of_changed_server(|server| {
        server.methods.push("client_secret_basic".to_owned());
        server.methods.push("client_secret_post".to_owned());
        server.key_algorithms.push("RS256".to_owned());
    });
    assert_eq!(baseline, [("FAPI2-S3", Missed), ("FAPI2-S4", Missed)]);
    let plain = of_changed_server(|server| server.is_encrypted = false);
    assert_eq!(plain, [("OAUTH21-S1", Missed), ("OAUTH21-S3", Moot), ("FAPI2-S2", Missed)]);
    let unbound = of_changed_server(|server| {
        server.proof_algorithms.clear();
        server.binds_to_certificates = false;
    });
    assert_eq!(unbound, [("OAUTH21-S3", Moot), ("RFC9700-S3", Missed), ("FAPI2-S5", Missed)]);
    let password = of_changed_server(|server| server.grant_types.push("password".to_owned()));
    assert_eq!(password, [("OAUTH21-S2", Missed), ("OAUTH21-S3", Moot), ("RFC9700-S1", Missed)]);
    let basic = of_changed_server(|server| server.methods.push("client_secret_basic".to_owned()));
    assert_eq!(basic, [("OAUTH21-S3", Missed), ("FAPI2-S3", Missed)]);
}

#[test]
fn ids_are_unique_and_what_is_missed_says_what_to_do() {
    let mut ids: Vec<&str> = RULES.iter().map(|rule| rule.id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), RULES.len());
    let worst = ClientFacts {
        credentials: vec![CredentialFacts {
            takes_endpoint_audience: Some(true),
            ..credential("client_secret_jwt")
        }],
        constraint: "none".to_owned(),
        unused: texts(&["a r"]),
        ..client()
    };
    for found in of_client(&worst, &ALL).findings {
        assert_eq!(found.verdict == Missed, !found.advice.is_empty(), "{found:?}");
        assert!(!found.evidence.is_empty());
    }
}
