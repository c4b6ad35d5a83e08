use m2m_proto::uri::Origin;

use super::{Dial, EgressRules};
use crate::{HttpError, Reach};

fn discovered() -> Reach {
    Reach::Discovered { origin: Origin::parse("https://issuer.example").unwrap() }
}

fn check(rules: &EgressRules, uri: &str, expect: Result<Dial, &'static str>) {
    let found = rules.check(&uri.parse().unwrap(), &discovered()).map_err(|error| match error {
        HttpError::EgressDenied { reason, .. } => reason,
        other => panic!("{other}"),
    });
    assert_eq!(found, expect, "{uri}");
}

#[test]
fn what_an_operator_configured_leads_anywhere() {
    for uri in ["http://127.0.0.1:1/", "https://10.0.0.1/", "http://2130706433/"] {
        assert_eq!(EgressRules::new().check(&uri.parse().unwrap(), &Reach::Configured), Ok(Dial::Any));
    }
}

#[test]
fn a_public_https_url_is_dialled_with_a_check() {
    let rules = EgressRules::new();
    check(&rules, "https://keys.example/jwks", Ok(Dial::Checked));
    check(&rules, "https://keys.example.:8443/jwks", Ok(Dial::Checked));
    check(&rules, "https://1.1.1.1/jwks", Ok(Dial::Checked));
    check(&rules, "https://[2606:4700::1111]/jwks", Ok(Dial::Checked));
    check(&rules, "https://my_keys.4you/jwks", Ok(Dial::Checked));
}

#[test]
fn plain_http_is_refused() {
    check(&EgressRules::new(), "http://keys.example/", Err("plain HTTP is only for the configured origin"));
}

// spec-test: JWT-V5
#[test]
fn literal_addresses_are_checked() {
    let rules = EgressRules::new();
    check(&rules, "https://127.0.0.1/", Err("loopback"));
    check(&rules, "https://169.254.169.254/latest/meta-data/", Err("link local"));
    check(&rules, "https://[::1]/", Err("loopback"));
    check(&rules, "https://[::ffff:169.254.169.254]/", Err("IPv4-mapped"));
    check(&rules, "https://[fd00::1]:8443/", Err("unique local"));
}

#[test]
fn unusual_spellings_of_addresses_are_refused() {
    let spellings =
        ["2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.0.1.", "0177.0.0.1", "foo.0x1", "1.1.1.1."];
    for host in spellings {
        check(&EgressRules::new(), &format!("https://{host}/"), Err("an unusual spelling of an address"));
    }
    for host in ["", ".", "[::1", "127.0.0.1%00", "%31%32%37.0.0.1"] {
        assert!(EgressRules::new().check_host(host).is_err(), "{host}");
    }
}

#[test]
fn the_followed_origin_may_point_at_itself() {
    let origin = Origin::parse("http://127.0.0.1:8080").unwrap();
    let reach = Reach::Discovered { origin };
    let rules = EgressRules::new();
    assert_eq!(rules.check(&"http://127.0.0.1:8080/jwks".parse().unwrap(), &reach), Ok(Dial::Any));
    for other in ["http://127.0.0.1:8081/jwks", "https://127.0.0.1:8080/jwks", "http://127.0.0.1/jwks"] {
        rules.check(&other.parse().unwrap(), &reach).unwrap_err();
    }
}

// spec-test: JWT-V5
#[test]
fn a_registered_url_has_no_origin_of_its_own() {
    let rules = EgressRules::new().allow("https://idp.internal").unwrap();
    let check = |uri: &str, expect| {
        assert_eq!(rules.check(&uri.parse().unwrap(), &Reach::Registered).ok(), expect, "{uri}");
    };
    check("https://app.example/jwks", Some(Dial::Checked));
    check("https://idp.internal/jwks", Some(Dial::Any));
    for forbidden in ["https://127.0.0.1/jwks", "https://169.254.169.254/", "http://app.example/jwks"] {
        check(forbidden, None);
    }
}

#[test]
fn exceptions_are_origins_networks_and_addresses() {
    let rules = EgressRules::new();
    let rules =
        rules.allow("https://idp.internal").unwrap().allow("10.1.0.0/16").unwrap().allow("fd00::1").unwrap();
    check(&rules, "https://idp.internal/jwks", Ok(Dial::Any));
    check(&rules, "https://idp.internal:8443/jwks", Ok(Dial::Checked));
    check(&rules, "https://10.1.2.3/jwks", Ok(Dial::Checked));
    check(&rules, "https://10.2.2.3/jwks", Err("private use"));
    check(&rules, "http://10.1.2.3/jwks", Err("plain HTTP is only for the configured origin"));
    check(&rules, "https://[fd00::1]/jwks", Ok(Dial::Checked));
    check(&rules, "https://[fd00::2]/jwks", Err("unique local"));
    assert_eq!(rules.check_address("10.1.2.3".parse().unwrap()), Ok(()));
    assert_eq!(rules.check_address("10.2.2.3".parse().unwrap()), Err("private use"));
}

#[test]
fn a_rule_that_is_neither_is_refused() {
    for text in ["", "idp.internal", "10.0.0.0/33", "ftp://idp.internal", "https://idp.internal/path"] {
        let error = EgressRules::new().allow(text).unwrap_err();
        assert!(error.to_string().contains(text));
    }
}
