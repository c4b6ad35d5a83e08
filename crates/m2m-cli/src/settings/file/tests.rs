use super::*;

const PATH: &str = "/p/m2m.toml";

fn parse(text: &str) -> Result<Document, String> {
    Document::parse(Path::new(PATH), text).map_err(|failure| {
        let hint = failure.advice().map(|hint| format!(" | {hint}")).unwrap_or_default();
        format!("{}{hint}", failure.message())
    })
}

fn refuse(text: &str, expect: &str) {
    let message = parse(text).unwrap_err();
    assert!(message.contains(expect), "{text}\n  gave {message}\n  not  {expect}");
}

#[test]
fn the_documented_profile() {
    let document = parse(
        r#"
[profiles.billing]
issuer = "https://login.example.com"
client_id = "svc-billing"
client_auth_method = "private_key_jwt"
private_key = { file = "/run/secrets/billing.pem" }
key_id = "2026-11"
resource = ["https://billing.example.com"]
timeout = 3
refresh_lead = "5m"
params = { organization = "acme" }
ca_file = "ca.pem"
"#,
    )
    .unwrap();
    let profile = &document.profiles["billing"];
    let origin = Origin::File { path: PATH.into(), line: 4 };
    let client_id = Sourced { value: Value::Text("svc-billing".into()), origin };
    assert_eq!(profile[&Field::ClientId], client_id);
    let key = SecretReference::File("/run/secrets/billing.pem".into());
    assert_eq!(profile[&Field::PrivateKey].value, Value::Secret(key));
    assert_eq!(profile[&Field::Timeout].value, Value::Time(Duration::from_secs(3)));
    assert_eq!(profile[&Field::RefreshLead].value, Value::Time(Duration::from_secs(300)));
    assert_eq!(profile[&Field::Params].value, Value::Pairs(vec![("organization".into(), "acme".into())]));
    assert_eq!(profile[&Field::CaFile].value, Value::Text("/p/ca.pem".into()));
}

#[test]
fn unknown_keys_name_file_line_key_and_the_nearest() {
    let text = "[profiles.a]\nissuer = \"x\"\nclient_idd = \"b\"\n";
    refuse(text, "/p/m2m.toml:3: profiles.a.client_idd: unknown key | did you mean client_id");
    refuse("profile = 1", "/p/m2m.toml:1: profile: unknown key | did you mean profiles");
    refuse("[egress]\nalow = []", "/p/m2m.toml:2: egress.alow: unknown key | did you mean allow");
}

#[test]
fn variables_of_the_provider_stand_beside_the_other_keys() {
    let text = "[profiles.a]\ndomain = \"acme.eu.auth0.com\"\nprovider = \"auth0\"\nclient_id = \"c\"\n";
    let document = parse(text).unwrap();
    let variables = &document.profiles["a"][&Field::Variables];
    assert_eq!(variables.value, Value::Pairs(vec![("domain".into(), "acme.eu.auth0.com".into())]));
    assert_eq!(variables.origin.to_string(), "/p/m2m.toml:2");
    let with = |lines: &str| format!("[profiles.a]\n{lines}");
    refuse(
        &with("provider = \"auth0\"\ndomian = \"x\""),
        "profiles.a.domian: unknown key | did you mean domain",
    );
    refuse(&with("domain = \"x\""), "profiles.a.domain: unknown key");
    refuse(
        &with("provider = \"auth\""),
        "profiles.a.provider: there is no provider \"auth\" | did you mean auth0",
    );
    refuse(&with("provider = \"auth0\"\ndomain = 1"), "profiles.a.domain: expected a string");
    refuse(&with("variables = { domain = \"x\" }"), "profiles.a.variables: unknown key");
}

#[test]
fn a_platforms_token_is_a_workload_token_and_nothing_else() {
    for (form, reference) in [
        ("kubernetes = \"t\"", SecretReference::Kubernetes("/p/t".into())),
        ("spiffe = \"/svid\"", SecretReference::Spiffe("/svid".into())),
        ("github_actions = \"api://x\"", SecretReference::GithubActions("api://x".into())),
        ("env = \"T\"", SecretReference::Env("T".into())),
    ] {
        let document = parse(&format!("[profiles.a]\nworkload_token = {{ {form} }}")).unwrap();
        assert_eq!(document.profiles["a"][&Field::WorkloadToken].value, Value::Secret(reference));
    }
    refuse(
        "[profiles.a]\nclient_secret = { kubernetes = \"t\" }",
        "profiles.a.client_secret.kubernetes: unknown key",
    );
    refuse(
        "[profiles.a]\nworkload_token = \"eyJhunter2\"",
        "profiles.a.workload_token: a secret in a file is refused",
    );
    refuse(
        "[profiles.a]\nworkload_token = { kubernetes = 1 }",
        "profiles.a.workload_token: expected a string",
    );
}

#[test]
fn a_literal_secret_is_refused_and_not_repeated() {
    for key in ["client_secret", "next_client_secret", "private_key", "certificate_key", "dpop"] {
        let text = format!("[profiles.a]\n{key} = \"hunter2\"");
        refuse(&text, &format!("/p/m2m.toml:2: profiles.a.{key}: a secret in a file is refused"));
        refuse(&text, "{ env = \"NAME\" }, { file = \"/path\" }, { command = ");
        assert!(!parse(&text).unwrap_err().contains("hunter2"));
    }
}

#[test]
fn a_secret_is_no_parameter() {
    let text = "[profiles.a]\nparams = { client_secret = \"hunter2\" }";
    refuse(
        text,
        "/p/m2m.toml:2: profiles.a.params.client_secret: \"client_secret\" cannot be an extra parameter",
    );
    assert!(!parse(text).unwrap_err().contains("hunter2"));
}

#[test]
fn secret_references() {
    let check = |reference: &str, expect: SecretReference| {
        let document = parse(&format!("[profiles.a]\nclient_secret = {reference}")).unwrap();
        assert_eq!(document.profiles["a"][&Field::ClientSecret].value, Value::Secret(expect));
    };
    check(r#"{ env = "A" }"#, SecretReference::Env("A".into()));
    check(r#"{ file = "s" }"#, SecretReference::File("/p/s".into()));
    check(
        r#"{ command = ["bin/secret", "a/b"] }"#,
        SecretReference::Command(vec!["/p/bin/secret".into(), "a/b".into()]),
    );
    check(r#"{ command = ["op", "read"] }"#, SecretReference::Command(vec!["op".into(), "read".into()]));
    check(r#"{ systemd = "s" }"#, SecretReference::Systemd("s".into()));
    check(r#"{ keyring = "s" }"#, SecretReference::Keyring("s".into()));
    let wrong = |reference: &str, expect: &str| {
        refuse(&format!("[profiles.a]\nclient_secret = {reference}"), expect);
    };
    wrong(r#"{ env = "A", file = "b" }"#, "expected exactly one place");
    wrong("{}", "expected exactly one place");
    wrong(r#"{ vault = "A" }"#, "profiles.a.client_secret.vault: unknown key");
    wrong(r#"{ command = "op read" }"#, "no shell reads the command");
    wrong(r#"{ command = [] }"#, "the command is empty");
    wrong(r#"{ env = "" }"#, "not empty");
}

#[test]
fn wrong_shapes_say_what_is_expected() {
    refuse("default = 1", "/p/m2m.toml:1: default: expected a string, found integer");
    refuse("profiles = 1", "/p/m2m.toml:1: profiles: expected tables");
    refuse("[profiles]\na = 1", "/p/m2m.toml:2: profiles: expected tables");
    refuse("[profiles.a]\nscopes = [1]", "/p/m2m.toml:2: profiles.a.scopes: expected a string");
    refuse("[profiles.a]\nscopes = 1", "expected an array of strings, found integer");
    refuse("[profiles.a]\ntimeout = \"soon\"", "profiles.a.timeout: expected a time such as 10s");
    refuse("[profiles.a]\ntimeout = -1", "profiles.a.timeout: expected a time such as 10s");
    refuse("[profiles.a]\nallow_http = \"yes\"", "profiles.a.allow_http: expected true or false");
    refuse("[profiles.a]\nparams = []", "profiles.a.params: expected a table of strings");
    refuse("[profiles.a\nissuer = 1", "/p/m2m.toml:1: ");
    refuse("[profiles.a]\nissuer = \"a\"\nissuer = \"b\"", "/p/m2m.toml:3: duplicate key");
}

/// They begin a line of their own in what is made of a profile, or speak to a terminal.
#[test]
fn control_characters_are_refused_wherever_a_text_stands() {
    for text in
        [r"a\nb", r"a\rb", r"a\tb", r"\u0000", r"\u001b]0;x\u0007", r"a\u0085b", r"a\u2028b", r"a\u2029b"]
    {
        let check = |lines: &str, key: &str| {
            let lines = lines.replace('@', text);
            let message = parse(&lines).unwrap_err();
            let expect = "control characters and line separators are refused";
            assert!(
                message.starts_with("/p/m2m.toml:") && message.ends_with(expect),
                "{lines} gave {message}"
            );
            assert!(message.contains(key), "{lines} gave {message}");
        };
        check("[profiles.\"@\"]\nclient_id = \"c\"", ":1: profiles.");
        check("default = \"@\"", ":1: default: ");
        check("egress.allow = [\"@\"]", ":1: egress.allow: ");
        for (key, value) in [
            ("client_id", "\"@\""),
            ("audience", "\"@\""),
            ("scopes", "[\"a\", \"@\"]"),
            ("ca_file", "\"@\""),
            ("timeout", "\"@\""),
            ("client_secret", "{ env = \"@\" }"),
            ("client_secret", "{ file = \"/@\" }"),
            ("client_secret", "{ command = [\"a\", \"@\"] }"),
            ("client_secret", "{ systemd = \"@\" }"),
            ("private_key", "{ keyring = \"@\" }"),
            ("workload_token", "{ github_actions = \"@\" }"),
            ("workload_token", "{ kubernetes = \"@\" }"),
            ("workload_token", "{ spiffe = \"@\" }"),
            ("dpop", "{ file = \"@\" }"),
            ("params", "{ a = \"@\" }"),
            ("params", "{ \"@\" = \"a\" }"),
        ] {
            check(&format!("[profiles.a]\n{key} = {value}"), &format!(":2: profiles.a.{key}"));
        }
        check("[profiles.a]\nprovider = \"auth0\"\ndomain = \"@\"", ":3: profiles.a.domain: ");
    }
    let text = "[profiles.a]\nprivate_key = \"\"\"\n-----BEGIN\n\"\"\"";
    refuse(text, "profiles.a.private_key: a secret in a file is refused");
}

#[test]
fn a_variable_has_a_name_that_a_shell_takes() {
    let reference = |name: &str| parse(&format!("[profiles.a]\nclient_secret = {{ env = \"{name}\" }}"));
    for name in ["A", "_a1", "ORDERS_SECRET"] {
        assert!(reference(name).is_ok(), "{name}");
    }
    for name in ["X:-$(id)", "1A", "A B", "A-B", "A}", "ä", "A=B", "a.b"] {
        let message = reference(name).unwrap_err();
        assert!(
            message.contains(":2: profiles.a.client_secret: expected the name of a variable"),
            "{message}"
        );
    }
}

/// Whatever stands there is a document, or an error that names the file: cut, doubled, and with signs that mean something.
#[test]
fn no_text_makes_the_reader_stumble() {
    let seeds = [
        "default = \"a\"\n[profiles.a]\nissuer = \"https://login.example\"\nclient_id = \"c\"\ntimeout = \"3s\"\n",
        "[profiles.b]\nclient_secret = { file = \"s\" }\nresource = [\"https://a.example\"]\nparams = { a = \"b\" }\n",
        "[egress]\nallow = [\"https://a.example\", \"10.0.0.0/8\"]\n[profiles.\"c d\"]\nworkload_token = { spiffe = \"/t\" }\n",
        "[gateway]\nupstream = \"http://127.0.0.1:9\"\naudience = \"a\"\nrules = [\"GET /a/** r\"]\n",
    ];
    let signs =
        ['{', '}', '[', ']', '"', '\'', '=', '.', ',', '#', '\n', '-', '0', 'e', 'ä', '\u{1f}', '\u{2028}'];
    let mut dice = 0x9E37_79B9_7F4A_7C15_u64;
    let mut below = |limit: usize| {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        usize::try_from(dice % limit.max(1) as u64).unwrap()
    };
    for round in 0..20_000 {
        let mut text: Vec<char> = seeds[round % seeds.len()].chars().collect();
        for _ in 0..=below(6) {
            let at = below(text.len() + 1);
            match below(5) {
                0 => text.insert(at, signs[below(signs.len())]),
                1 if at < text.len() => text[at] = signs[below(signs.len())],
                2 if at < text.len() => drop(text.remove(at)),
                3 => text.truncate(at),
                _ => text.extend_from_within(at..(at + below(32)).min(text.len())),
            }
        }
        let text: String = text.into_iter().collect();
        if let Err(message) = parse(&text) {
            assert!(message.starts_with("/p/m2m.toml:"), "{text:?} gave {message}");
        }
    }
}
