use m2m_proto::client_auth::ClientAuthMethod;

use super::*;

mod catalogue;
mod contract;

const TOML: &str = r#"
id = "acme"
name = "Acme"
kind = "identity"
summary = "a made-up service"
docs = "https://acme.test/docs"
source = "none"
confidence = "mem"
[[variables]]
name = "domain"
kind = "host"
pattern = '[a-z0-9.-]+'
example = "you.acme.test"
help = "your host name"
[[variables]]
name = "tenant"
example = "blue"
help = "the tenant's name"
default = "main"
[endpoints]
issuer = "https://{domain}/"
token = "https://{domain}/{tenant}/token"
[assertion]
audience = "https://{domain}/"
claims = { who = "{param:who}", tenant = "{tenant}" }
"#;

fn resolve(given: &[(&str, &str)]) -> Result<Preset, PresetError> {
    let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Provider::parse(TOML).unwrap().resolve(&given)
}

#[test]
fn variables_fill_the_templates() {
    let check = |given: &[(&str, &str)], token: &str| {
        assert_eq!(resolve(given).unwrap().token_url(), Some(token), "{given:?}");
    };
    check(&[("domain", "a.test")], "https://a.test/main/token");
    check(&[("domain", "a.test"), ("tenant", "blue")], "https://a.test/blue/token");
    check(&[("domain", "https://a.test/")], "https://a.test/main/token");
    check(&[("domain", "a.test:8443")], "https://a.test:8443/main/token");
    check(&[("domain", "http://127.0.0.1:9000")], "http://127.0.0.1:9000/main/token");
    check(&[("domain", "localhost:9000")], "https://localhost:9000/main/token");
    let preset = resolve(&[("domain", "a.test")]).unwrap();
    assert_eq!((preset.issuer(), preset.assertion_audience()), (Some("https://a.test/"), "https://a.test/"));
    let claim = |name: &str, text: &str| (name.to_owned(), text.to_owned());
    assert_eq!(preset.claims, [claim("tenant", "main"), claim("who", "{param:who}")]);
}

#[test]
fn what_is_wrong_names_the_variable() {
    let check = |given: &[(&str, &str)], expect: &str| {
        assert_eq!(resolve(given).unwrap_err().to_string(), expect, "{given:?}");
    };
    check(&[], "domain is missing: your host name, such as you.acme.test");
    check(&[("domian", "x")], "domian is no variable of Acme; it has domain, tenant");
    let not = |value: &str| format!("domain: {value:?} is not your host name, such as you.acme.test");
    for bad in ["", "a.test/x", "a.test?x", "user@a.test", "http://a.test", "A_B", "a.test#", "a b"] {
        check(&[("domain", bad)], &not(bad));
    }
    for bad in ["", "a/b", "..", "a?b", "x@y"] {
        let expect = format!("tenant: {bad:?} is not the tenant's name, such as blue");
        check(&[("domain", "a.test"), ("tenant", bad)], &expect);
    }
}

#[test]
fn urls_may_be_stated_elsewhere() {
    let provider = Provider::parse(&TOML.replace("audience = \"https://{domain}/\"", "")).unwrap();
    let preset = provider.resolve_elsewhere(&[]).unwrap();
    assert_eq!((preset.issuer(), preset.token_url()), (None, None));
    assert!(Provider::parse(TOML).unwrap().resolve_elsewhere(&[]).is_err(), "the audience needs it still");
}

#[test]
fn a_file_says_nothing_that_is_not_understood() {
    let error = Provider::parse(&TOML.replace("audience =", "audiance =")).unwrap_err();
    assert!(error.contains("unknown field `audiance`") && !error.contains('\n'), "{error}");
    let hint = "[[hints]]\nstatus = 400\nfor = \"tide\"\ncause = \"c\"\nfix = \"f\"\n";
    let error = Provider::parse(&format!("{TOML}{hint}")).unwrap_err();
    assert!(error.contains("unknown variant `tide`"), "{error}");
    assert!(Provider::parse(&format!("{TOML}{}", hint.replace("tide", "clock"))).is_ok());
}

fn build(says: &str, method: ClientAuthMethod, param: &str) -> Result<crate::Client, crate::Error> {
    let preset = Provider::parse(&format!("{TOML}\n{says}")).unwrap();
    let preset = preset.resolve(&[("domain".to_owned(), "a.test".to_owned())]).unwrap();
    let server = crate::testing::FakeServer::issuing(600);
    crate::testing::builder(&server, &crate::testing::TestClock::new())
        .preset(&preset)
        .unwrap()
        .credentials(crate::Credentials::secret(crate::testing::secret("s"), None, method))
        .param(param, "x")
        .build()
}

// spec-test: 6749-C2
#[test]
fn a_secret_goes_into_a_url_only_where_the_service_is_known_to_take_it() {
    let (post, basic) = (ClientAuthMethod::ClientSecretPost, ClientAuthMethod::ClientSecretBasic);
    let query = "[request]\nplace = \"query\"\n";
    let error = build(query, post, "a").unwrap_err();
    assert!(error.to_string().contains("URL"), "{error}");
    assert!(build(query, basic, "a").is_ok(), "it goes into a header");
    let known = format!("{query}[auth]\nmethods = [\"client_secret_post\"]\n");
    assert!(build(&known, post, "a").is_ok());
}

#[test]
fn a_secret_is_no_parameter() {
    let says = "[request]\nsecret_param = \"apikey\"\n";
    assert!(build(says, ClientAuthMethod::ClientSecretPost, "other").is_ok());
    let error = build(says, ClientAuthMethod::ClientSecretPost, "apikey").unwrap_err();
    assert!(error.to_string().contains("apikey is the client secret"), "{error}");
}
