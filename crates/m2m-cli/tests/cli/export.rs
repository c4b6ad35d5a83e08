//! `m2m profile export` in each of its forms: what is printed is read again, run, or compiled.

use std::fs;
use std::path::Path;
use std::process::Command;

use m2m_cli::settings::file::Document;
use m2m_cli::settings::secret::SecretReference;
use m2m_cli::settings::value::Value;

use crate::place::{Place, binary};
use crate::yaml;

/// The text of a form, or the standard error of a refusal.
fn export(config: &Path, form: &str) -> Result<String, String> {
    let output = Command::new(binary())
        .args(["profile", "export", "--as", form, "--config"])
        .arg(config)
        .env_clear()
        .env("HOME", "/nowhere")
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    if output.status.success() { Ok(text(output.stdout)) } else { Err(text(output.stderr)) }
}

fn of_text(profile: &str, form: &str) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("m2m.toml");
    fs::write(&path, profile).unwrap();
    export(&path, form)
}

macro_rules! samples {
    ($($name:ident)+) => {
        /// What `--as rust` printed, compiled.
        #[expect(dead_code, unreachable_pub, clippy::disallowed_methods, reason = "made to be read and compiled, not run")]
        mod sample {
            $(mod $name { include!(concat!("export/", stringify!($name), ".rs")); })+
        }

        /// Each profile, and the code that was compiled above. `UPDATE_GOLDEN=1` writes the code anew.
        const SAMPLES: &[(&str, &str)] = &[$((stringify!($name), include_str!(concat!("export/", stringify!($name), ".rs")))),+];
    };
}

samples! {
    basic post secret_jwt key plain_key workload certificate raw provider assertion exchange signed
    typed_exchange host egress fapi2
}

#[test]
#[expect(clippy::disallowed_methods, reason = "asks the person at the keyboard, and is no setting")]
fn rust_code_compiles() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/export");
    for (name, compiled) in SAMPLES {
        let printed = export(&directory.join(format!("{name}.toml")), "rust").unwrap();
        if std::env::var("UPDATE_GOLDEN").is_ok_and(|value| value == "1") {
            fs::write(directory.join(format!("{name}.rs")), &printed).unwrap();
        } else {
            assert_eq!(&printed, compiled, "{name}: UPDATE_GOLDEN=1 writes it anew");
        }
    }
}

/// What a program cannot do as it was printed is not compiled: it would send something else.
#[test]
fn rust_code_with_a_key_for_dpop_waits_for_its_loading() {
    let head = "[profiles.a]\nissuer = \"https://login.example.com\"\nclient_id = \"a\"\nclient_secret = { env = \"A\" }\n";
    let own = of_text(&format!("{head}dpop = {{ file = \"/k\\\"ey\" }}\n"), "rust").unwrap();
    let line =
        own.lines().find(|line| line.trim_start().starts_with("compile_error!(\"dpop is a key from file /k"));
    assert!(line.is_some_and(|line| line.ends_with("\");")), "{own}");
    assert!(!own.contains(".dpop(Dpop::Ephemeral"), "{own}");
    let ephemeral = of_text(&format!("{head}dpop = \"ephemeral\"\n"), "rust").unwrap();
    assert!(
        !ephemeral.contains("compile_error!") && ephemeral.contains(".dpop(Dpop::Ephemeral"),
        "{ephemeral}"
    );
}

/// Every timeout comes with the time for the whole attempt, which is never less than without it.
#[test]
fn rust_code_has_time_for_the_whole_attempt() {
    let check = |timeout: &str, expect: u64| {
        let text = format!(
            "[profiles.a]\nissuer = \"https://login.example.com\"\nclient_id = \"a\"\nclient_secret = {{ env = \
             \"A\" }}\ntimeout = \"{timeout}\"\n"
        );
        let text = of_text(&text, "rust").unwrap();
        assert!(
            text.contains(&format!(".mint_deadline(Duration::from_millis({expect}))")),
            "{timeout}: {text}"
        );
    };
    check("500ms", 10_000);
    check("10s", 10_000);
    check("1m", 60_000);
}

/// Where documents of others may lead belongs to the file, not to a profile; every form takes it along or says that it
/// does not.
#[test]
fn egress_rules_are_not_lost() {
    let head = "[profiles.a]\nissuer = \"https://login.example.com\"\nclient_id = \"a\"\nclient_secret = { env = \"A\" }\n";
    let ruled = format!("{head}[egress]\nallow = [\"10.0.0.0/8\", \"https://login.internal\"]\n");
    let toml = of_text(&ruled, "toml").unwrap();
    let allowed = |toml: &str| Document::parse(Path::new("/p/m2m.toml"), toml).unwrap().egress;
    assert_eq!(allowed(&toml), ["10.0.0.0/8", "https://login.internal"], "{toml}");
    let [map, _] = yaml::documents(&of_text(&ruled, "kubernetes").unwrap()).try_into().unwrap();
    assert_eq!(allowed(map["data"]["m2m.toml"].as_str().unwrap()), allowed(&toml));
    let [compose] = yaml::documents(&of_text(&ruled, "compose").unwrap()).try_into().unwrap();
    assert_eq!(allowed(compose["configs"]["m2m"]["content"].as_str().unwrap()), allowed(&toml));
    for form in ["cli", "env"] {
        let (with, without) = (of_text(&ruled, form).unwrap(), of_text(head, form).unwrap());
        assert!(with.starts_with("# egress.allow has no "), "{form}: {with}");
        assert!(!without.contains("egress"), "{form}: {without}");
    }
    assert!(!of_text(head, "toml").unwrap().contains("egress"));
}

/// Text of a profile, exported and parsed, is the same profile.
#[test]
fn toml_is_read_back() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/export");
    for (name, _) in SAMPLES {
        let path = directory.join(format!("{name}.toml"));
        let printed = export(&path, "toml").unwrap();
        assert_eq!(values(&printed, name), values(&fs::read_to_string(path).unwrap(), name), "{printed}");
    }
}

fn values(text: &str, profile: &str) -> Vec<(String, Value)> {
    let document = Document::parse(Path::new("/p/m2m.toml"), text).unwrap();
    document.profiles[profile]
        .iter()
        .map(|(field, sourced)| (field.to_string(), sourced.value.clone()))
        .collect()
}

/// With `curl` on the path; every Debian that builds this has it, but nothing else here needs it.
#[test]
fn curl_gets_a_token_and_shows_no_secret() {
    let place = Place::new();
    if place.shell("curl --version").0 != 0 {
        eprintln!("skipped: there is no curl");
        return;
    }
    let secret = &place.variables()["M2M_CLIENT_SECRET"];
    fs::write(place.work().join("secret"), format!("{secret}\n")).unwrap();
    let source = ["--secret-env M2M_CLIENT_SECRET", "--secret-file secret", "--secret-command 'cat secret'"];
    for method in ["client_secret_basic", "client_secret_post"] {
        for source in source {
            let line = format!(
                "m2m profile export --client-auth-method {method} {source} --scope 'orders:read orders:write' --as \
                 curl > line && sh line"
            );
            let (exit, out, err) = place.shell(&line);
            assert!(
                exit == 0 && out.contains("\"scope\":\"orders:read orders:write\""),
                "{line}\n{out}{err}"
            );
            let line = fs::read_to_string(place.work().join("line")).unwrap();
            assert!(!line.contains(secret.as_str()), "{line}");
        }
    }
    // A curl that tells its arguments.
    let spy = "mkdir -p bin && printf '#!/bin/sh\\necho \"$@\"; cat >stdin' > bin/curl && chmod +x bin/curl";
    let (exit, out, err) = place.shell(&format!("{spy} && PATH=$PWD/bin:$PATH sh line"));
    assert!(exit == 0 && out.contains("--config -") && !out.contains(secret.as_str()), "{out}{err}");
    let given = fs::read_to_string(place.work().join("stdin")).unwrap();
    assert!(given.starts_with("data = \"client_secret=%"), "{given}");
}

/// Secrets with every character that some encoding takes for its own.
#[test]
fn curl_is_given_exactly_the_secret() {
    let place = Place::new();
    let spy = "mkdir -p bin && printf '#!/bin/sh\\ncat' > bin/curl && chmod +x bin/curl";
    assert_eq!(place.shell(spy).0, 0);
    fs::write(place.work().join("secret"), "p@ss \"w\\%'$rd\"+ä\n").unwrap();
    let check = |flags: &str, expect: &str| {
        let export = format!("m2m profile export --secret-file secret {flags} --as curl");
        let line = format!(
            "unset M2M_ISSUER M2M_AUDIENCE M2M_CLIENT_ID; {export} > line && PATH=$PWD/bin:$PATH sh line"
        );
        let (exit, out, err) = place.shell(&line);
        assert_eq!((exit, out.trim_end()), (0, expect), "{err}");
        fs::read_to_string(place.work().join("line")).unwrap()
    };
    let encoded = "%70%40%73%73%20%22%77%5c%25%27%24%72%64%22%2b%c3%a4";
    let raw = r#"p@ss \"w\\%'$rd\"+ä"#;
    let own = "--token-url http://127.0.0.1:1/token --client-id a:b";
    check(own, &format!("user = \"a%3Ab:{encoded}\""));
    check(
        &format!("{own} --client-auth-method client_secret_post"),
        &format!("data = \"client_secret={encoded}\""),
    );
    // Services that want it otherwise.
    check("--provider ebay --client-id a", &format!("user = \"a:{raw}\""));
    let line = check("--provider greenhouse --client-id a --param sub=1", &format!("user = \"a:{encoded}\""));
    assert!(
        line.contains("--header 'content-type: application/json'") && line.contains("--data-raw '{"),
        "{line}"
    );
    let line = check("--provider ibm-cloud-iam --client-id a", &format!("data = \"apikey={encoded}\""));
    assert!(!line.contains("client_id"), "{line}");
}

#[test]
fn what_others_cannot_repeat_is_refused() {
    let check = |profile: &str, form: &str, expect: &str| {
        let text =
            format!("[profiles.a]\ntoken_url = \"http://127.0.0.1:1/token\"\nclient_id = \"a\"\n{profile}\n");
        let message = of_text(&text, form).unwrap_err();
        assert!(message.starts_with("m2m: error: ") && message.contains(expect), "{profile}: {message}");
        assert!(message.contains("m2m: hint: "), "{message}");
    };
    let key = "private_key = { file = \"/k\" }";
    let certificate = "client_auth_method = \"tls_client_auth\"\ncertificate = { file = \"/c\" }\ncertificate_key = { file = \"/k\" }";
    check(key, "curl", "private_key_jwt makes a new proof for every request");
    check(
        "client_auth_method = \"client_secret_jwt\"\nclient_secret = { env = \"A\" }",
        "curl",
        "client_secret_jwt makes",
    );
    check("dpop = \"ephemeral\"\nclient_secret = { env = \"A\" }", "curl", "dpop makes a new proof");
    check("client_auth_method = \"private_key_jwt\"", "rust", "needs private_key, and none is named");
    check(
        "grant = \"account_credentials\"\nclient_secret = { env = \"A\" }",
        "envoy",
        "the grant client_credentials only",
    );
    check(key, "envoy", "private_key_jwt makes");
    check(certificate, "envoy", "tls_client_auth is not known to Envoy");
    check("", "curl", "client_secret_basic needs client_secret, and none is named");
}

#[test]
fn curl_sends_nothing_where_the_secret_is_missing() {
    for place in ["env = \"NOBODY_SET_THIS\"", "file = \"/does/not/exist\""] {
        let text = format!(
            "[profiles.a]\ntoken_url = \"http://127.0.0.1:1/token\"\nclient_id = \"a\"\n\
             client_secret = {{ {place} }}\n"
        );
        let script = format!("curl() {{ echo sent; }}\n{}", of_text(&text, "curl").unwrap());
        let ran = std::process::Command::new("/bin/sh").args(["-c", &script]).output().unwrap();
        assert!(!ran.status.success() && ran.stdout.is_empty(), "{script}: {ran:?}");
    }
}

#[test]
fn curl_shows_certificates_and_other_peoples_assertions() {
    let head = "[profiles.a]\ntoken_url = \"https://login.example/token\"\nclient_id = \"a\"\n";
    let certificate = "client_auth_method = \"tls_client_auth\"\ncertificate = { file = \"/c\" }\ncertificate_key = { file = \"/k\" }";
    let text = of_text(&format!("{head}{certificate}\n"), "curl").unwrap();
    for part in ["--cert /c", "--key /k", "client_id=a", "https://login.example/token"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let text = of_text(&format!("{head}workload_token = {{ kubernetes = \"/t\" }}\n"), "curl").unwrap();
    assert!(
        text.contains(
            "(m2m_secret=\"$(cat /t)\"\n[ -n \"$m2m_secret\" ] && printf 'data = \"client_assertion=%s\"\\n' "
        ),
        "{text}"
    );
}

/// References of the `m2m.toml` in it, by field.
fn references(toml: &str) -> Vec<(String, String)> {
    let document = Document::parse(Path::new("/etc/m2m/m2m.toml"), toml).unwrap();
    let profile = &document.profiles[document.default.as_ref().unwrap()];
    let file = |value: &Value| match value {
        Value::Secret(SecretReference::File(path)) => Some(path.to_string_lossy().into_owned()),
        _ => None,
    };
    profile.iter().filter_map(|(field, sourced)| Some((field.to_string(), file(&sourced.value)?))).collect()
}

const MANY: &str = r#"
[profiles."Orders EU"]
issuer = "https://login.example.com"
client_id = "yes"
client_auth_method = "client_secret_post"
client_secret = { env = "ORDERS_SECRET" }
next_client_secret = { command = ["op", "read", "op://v/i"] }
audience = "https://orders.example.com"
params = { "a" = "$HOME: {x} # 'y'" }
"#;

#[test]
fn kubernetes_mounts_what_the_profile_refers_to() {
    let text = of_text(MANY, "kubernetes").unwrap();
    let documents = yaml::documents(&text);
    let [map, deployment] = documents.as_slice() else { panic!("{text}") };
    assert_eq!((&map["kind"], &map["metadata"]["name"]), (&"ConfigMap".into(), &"m2m-orders-eu".into()));
    let toml = map["data"]["m2m.toml"].as_str().unwrap();
    assert!(toml.contains("a = \"$HOME: {x} # 'y'\""), "{toml}");
    let spec = &deployment["spec"]["template"]["spec"];
    assert_eq!(
        deployment["spec"]["selector"]["matchLabels"],
        deployment["spec"]["template"]["metadata"]["labels"]
    );
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    let directory =
        mounts.iter().find(|mount| mount["name"] == "secret").unwrap()["mountPath"].as_str().unwrap();
    let volume =
        spec["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "secret").unwrap();
    assert_eq!(volume["secret"]["defaultMode"], 0o440);
    let items = volume["secret"]["items"].as_array().unwrap();
    let items: Vec<_> = items.iter().map(|item| item["path"].as_str().unwrap()).collect();
    assert_eq!(items, ["client_secret", "next_client_secret"]);
    let expected = items.iter().map(|item| ((*item).to_owned(), format!("{directory}/{item}")));
    assert_eq!(references(toml), expected.collect::<Vec<_>>());
    for part in [
        "--from-file=client_secret=<(printenv ORDERS_SECRET",
        "--from-file=next_client_secret=<(op read op://v/i)",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn kubernetes_projects_a_workload_token() {
    let profile = "[profiles.a]\nissuer = \"https://login.example.com\"\nclient_id = \"a\"\n\
                   workload_token = { kubernetes = \"/var/run/secrets/tokens/m2m\" }\n";
    let documents = yaml::documents(&of_text(profile, "kubernetes").unwrap());
    let spec = &documents[1]["spec"]["template"]["spec"];
    let projected =
        spec["volumes"].as_array().unwrap().iter().find(|volume| volume["name"] == "token").unwrap();
    let source = &projected["projected"]["sources"][0]["serviceAccountToken"];
    assert_eq!((&source["path"], &source["audience"]), (&"m2m".into(), &"https://login.example.com".into()));
    let mounts = spec["containers"][0]["volumeMounts"].as_array().unwrap();
    let mount = mounts.iter().find(|mount| mount["name"] == "token").unwrap();
    assert_eq!(mount["mountPath"], "/var/run/secrets/tokens");
}

#[test]
fn kubernetes_asks_for_the_token_whose_audience_the_client_sends() {
    let check = |rule: &str, server: &str, expect: &str| {
        let profile = format!(
            "[profiles.a]\n{server}\nclient_id = \"a\"\nassertion_audience = \"{rule}\"\nworkload_token = {{ \
             kubernetes = \"/var/run/secrets/tokens/m2m\" }}\n"
        );
        let text = of_text(&profile, "kubernetes").unwrap();
        assert!(text.contains(&format!("audience: {expect}\n")), "{rule}: {text}");
    };
    let (issuer, endpoint) =
        ("issuer = \"https://login.example.com\"", "token_url = \"https://t.example.com:8443/token\"");
    check("issuer", issuer, "\"https://login.example.com\"");
    check("token_endpoint", endpoint, "\"https://t.example.com:8443/token\"");
    check("host", issuer, "login.example.com");
    check("host", endpoint, "t.example.com");
    check("api://x", issuer, "\"api://x\"");
}

#[test]
fn compose_mounts_what_the_profile_refers_to() {
    let text = of_text(MANY, "compose").unwrap();
    let [compose] = yaml::documents(&text).try_into().unwrap();
    let service = &compose["services"]["orders-eu"];
    assert_eq!(service["configs"][0]["target"], "/etc/m2m/m2m.toml");
    assert_eq!(service["environment"]["XDG_CONFIG_HOME"], "/etc");
    // Compose takes $$ for $.
    let toml = compose["configs"]["m2m"]["content"].as_str().unwrap();
    assert!(toml.contains("a = \"$$HOME: {x} # 'y'\""), "{toml}");
    let secrets: Vec<_> =
        service["secrets"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(secrets, ["client_secret", "next_client_secret"]);
    let expected = secrets.iter().map(|name| ((*name).to_owned(), format!("/run/secrets/{name}")));
    assert_eq!(references(&toml.replace("$$", "$")), expected.collect::<Vec<_>>());
    assert_eq!(compose["secrets"]["client_secret"]["environment"], "ORDERS_SECRET");
    assert_eq!(compose["secrets"]["next_client_secret"]["file"], "./next_client_secret");
    assert!(text.starts_with("# next_client_secret comes from command op: write it to the file"), "{text}");
}

#[test]
fn envoy_injects_the_token_that_the_profile_asks_for() {
    let profile = MANY
        .replace("issuer = \"https://login.example.com\"", "token_url = \"https://login.example.com/token\"");
    let profile = profile.replace("audience", "scopes = [\"a\", \"b\"]\naudience");
    let [envoy] = yaml::documents(&of_text(&profile, "envoy").unwrap()).try_into().unwrap();
    let resources = &envoy["static_resources"];
    let connection = &resources["listeners"][0]["filter_chains"][0]["filters"][0]["typed_config"];
    let filters = connection["http_filters"].as_array().unwrap();
    assert_eq!(filters[0]["name"], "envoy.filters.http.credential_injector");
    assert_eq!(filters[1]["name"], "envoy.filters.http.router");
    let oauth2 = &filters[0]["typed_config"]["credential"]["typed_config"];
    assert_eq!(oauth2["token_endpoint"]["uri"], "https://login.example.com/token");
    let client = &oauth2["client_credentials"];
    assert_eq!((&client["client_id"], &client["auth_type"]), (&"yes".into(), &"URL_ENCODED_BODY".into()));
    assert_eq!(oauth2["scopes"], serde_json::json!(["a", "b"]));
    let parameter = |name: &str| {
        let all = oauth2["endpoint_params"].as_array().unwrap();
        all.iter().find(|parameter| parameter["name"] == name).map(|parameter| parameter["value"].clone())
    };
    assert_eq!(parameter("audience"), Some("https://orders.example.com".into()));
    assert_eq!(parameter("a"), Some("$HOME: {x} # 'y'".into()));
    assert_eq!(parameter("client_secret"), None);
    let secret = &resources["secrets"][0];
    assert_eq!(secret["name"], client["client_secret"]["name"]);
    assert_eq!(secret["generic_secret"]["secret"]["environment_variable"], "ORDERS_SECRET");
    let clusters: Vec<_> =
        resources["clusters"].as_array().unwrap().iter().map(|cluster| &cluster["name"]).collect();
    assert_eq!(clusters, [&oauth2["token_endpoint"]["cluster"], &"api".into()]);
    let route = &connection["route_config"]["virtual_hosts"][0]["routes"][0]["route"];
    assert_eq!(
        (&route["cluster"], &route["host_rewrite_literal"]),
        (&"api".into(), &"orders.example.com".into())
    );
    let address = &resources["clusters"][0]["load_assignment"]["endpoints"][0]["lb_endpoints"][0]["endpoint"]
        ["address"];
    assert_eq!(
        address["socket_address"],
        serde_json::json!({"address": "login.example.com", "port_value": 443})
    );
    assert_eq!(resources["clusters"][0]["transport_socket"]["typed_config"]["sni"], "login.example.com");
}
