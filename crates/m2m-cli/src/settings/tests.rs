use std::fs;

use super::*;
use crate::exit::Exit;

struct Place(tempfile::TempDir);

impl Place {
    fn new(text: &str) -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        fs::create_dir(place.0.path().join(".git")).unwrap();
        fs::write(place.0.path().join("m2m.toml"), text).unwrap();
        place
    }

    fn resolve(&self, flags: &str, environment: &Environment) -> Result<Settings, Failure> {
        use clap::Parser as _;
        let words = ["m2m", "token"].into_iter().chain(flags.split_whitespace());
        let cli = crate::args::Cli::try_parse_from(words).unwrap();
        let crate::args::Command::Token(token) = cli.command else { unreachable!() };
        let inputs =
            Inputs { global: &cli.global, flags: &token.profile, environment, directory: self.0.path() };
        Settings::resolve(inputs)
    }
}

const TWO: &str = "[profiles.orders]\nissuer = \"https://o\"\nclient_id = \"o\"\n\
                   [profiles.billing]\ntoken_url = \"https://b/token\"\nclient_id = \"b\"\n";

fn none() -> Environment {
    Environment::default()
}

#[test]
fn flags_then_environment_then_file() {
    let place = Place::new("[profiles.a]\nclient_id = \"file\"\naudience = \"file\"\nkey_id = \"file\"\n");
    let environment =
        Environment::of([("M2M_CLIENT_ID", "env"), ("M2M_AUDIENCE", "env"), ("M2M_KEY_ID", "")]);
    let settings = place.resolve("--client-id flag", &environment).unwrap();
    let check = |field, value, origin: &str| {
        assert_eq!(settings.text(field), value, "{field}");
        let shown = settings.origin(field).to_string();
        assert!(shown.ends_with(origin), "{field} from {shown}");
    };
    check(Field::ClientId, Some("flag"), "--client-id");
    check(Field::Audience, Some("env"), "M2M_AUDIENCE");
    check(Field::KeyId, Some("file"), "m2m.toml:4");
    check(Field::Issuer, None, "default");
}

/// Who names a profile means that profile.
#[test]
fn variables_that_replace_a_named_profile_are_told() {
    let place = Place::new(TWO);
    let warned = |flags: &str, variables: [(&str, &str); 3]| {
        let environment = Environment::of(variables);
        let settings = place.resolve(flags, &environment).unwrap();
        settings.warnings().iter().find(|warning| warning.contains("stronger")).cloned()
    };
    let issuer = ("M2M_ISSUER", "https://mine");
    let told = warned("-p billing", [issuer, ("M2M_CLIENT_ID", "b"), ("M2M_AUDIENCE", "a")]);
    assert_eq!(
        told.as_deref(),
        Some("set in this shell, and stronger than what profile billing says: M2M_ISSUER")
    );
    let own = ("M2M_CLIENT_ID", "b");
    assert_eq!(warned("-p billing", [own, ("M2M_AUDIENCE", "a"), ("M2M_SCOPE", "s")]), None);
    assert_eq!(warned("", [("M2M_PROFILE", "billing"), issuer, own]), None);
}

/// What a grant shows is not how the client authenticates.
#[test]
fn a_typed_workload_token_for_a_grant_leaves_the_secret_alone() {
    let place = Place::new("");
    let environment = Environment::of([("M2M_CLIENT_SECRET", "s")]);
    let secret = |flags: &str| {
        let settings = place.resolve(flags, &environment).unwrap();
        settings.secret(Field::ClientSecret).is_some()
    };
    assert!(secret("--workload-token-file t --grant token_exchange"));
    assert!(secret("--private-key-file k --grant jwt_bearer"));
    assert!(!secret("--workload-token-file t"), "it is the credential");
}

/// Each endpoint is shown the credential, so all are those of one server.
#[test]
fn endpoints_besides_belong_to_the_server_that_is_named_with_them() {
    let place = Place::new(
        "[profiles.a]\nintrospection_url = \"https://evil/i\"\nrevocation_url = \"https://evil/r\"\n",
    );
    let environment = Environment::of([("M2M_TOKEN_URL", "https://mine/t"), ("M2M_CLIENT_ID", "c")]);
    let settings = place.resolve("--introspection-url https://mine/i", &environment).unwrap();
    assert_eq!(
        settings.text(Field::TokenUrl),
        Some("https://mine/t"),
        "a flag for one endpoint names no server"
    );
    assert_eq!(settings.text(Field::IntrospectionUrl), Some("https://mine/i"));
    assert_eq!(settings.text(Field::RevocationUrl), None, "another server's");
}

#[test]
fn where_to_connect_is_no_business_of_a_found_file() {
    let place =
        Place::new("[egress]\nallow = [\"http://127.0.0.1:1\"]\n[profiles.a]\nissuer = \"https://i\"\n");
    assert_eq!(place.resolve("", &none()).unwrap().egress(), [""; 0]);
    let named = place.0.path().join("m2m.toml").display().to_string();
    assert_eq!(
        place.resolve(&format!("--config {named}"), &none()).unwrap().egress(),
        ["http://127.0.0.1:1"]
    );
}

#[test]
fn a_group_comes_from_one_layer() {
    let place = Place::new(
        "[profiles.a]\ntoken_url = \"https://f/token\"\nprivate_key = { file = \"k\" }\nclient_id = \"a\"\n",
    );
    let settings = place.resolve("--issuer https://i --secret-env S", &none()).unwrap();
    assert_eq!(settings.text(Field::Issuer), Some("https://i"));
    assert_eq!(settings.text(Field::TokenUrl), None, "a token_url of another server");
    assert_eq!(settings.secret(Field::ClientSecret), Some(&SecretReference::Env("S".into())));
    assert_eq!(settings.secret(Field::PrivateKey), None, "the typed secret decides the method");
}

#[test]
fn the_profile_is_named_default_only_or_asked_for() {
    let place = Place::new(TWO);
    let client = |flags: &str, environment: &Environment| {
        let resolved = place.resolve(flags, environment);
        resolved.map(|settings| settings.text(Field::ClientId).unwrap_or("").to_owned())
    };
    assert_eq!(client("-p billing", &none()).as_deref(), Ok("b"));
    assert_eq!(client("", &Environment::of([("M2M_PROFILE", "orders")])).as_deref(), Ok("o"));
    assert_eq!(client("-p billing", &Environment::of([("M2M_PROFILE", "orders")])).as_deref(), Ok("b"));
    let undecided = client("", &none()).unwrap_err();
    assert_eq!(undecided.exit(), Exit::Configuration);
    assert_eq!(undecided.message(), "which profile? there are billing, orders");
    let missing = client("-p order", &none()).unwrap_err();
    assert_eq!((missing.exit(), missing.advice()), (Exit::Configuration, Some("there are billing, orders")));
    assert_eq!(client("--issuer https://x --client-id x", &none()).as_deref(), Ok("x"), "needs no profile");
    let settings = Place::new(&format!("default = \"orders\"\n{TWO}")).resolve("", &none()).unwrap();
    assert_eq!(settings.profile(), Some("orders"));
    let wrong = Place::new(&format!("default = \"x\"\n{TWO}")).resolve("", &none()).unwrap_err();
    assert_eq!(wrong.message(), "there is no profile x");
    let only = Place::new("[profiles.a]\nclient_id = \"a\"\n").resolve("", &none()).unwrap();
    assert_eq!(only.profile(), Some("a"));
}

#[test]
fn a_found_files_command_needs_trust() {
    let place = Place::new("[profiles.a]\nclient_secret = { command = [\"op\", \"read\"] }\n");
    let failure = place.resolve("", &none()).unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    assert!(failure.message().ends_with(
        "m2m.toml:2: client_secret: a command in a file that was found by \
                                         searching is not run"
    ));
    let hint = failure.advice().unwrap();
    assert!(hint.contains("--config ") && hint.contains("--secret-command"), "{hint}");
    let named = place.0.path().join("m2m.toml");
    let settings = place.resolve(&format!("--config {}", named.display()), &none()).unwrap();
    assert!(matches!(settings.secret(Field::ClientSecret), Some(SecretReference::Command(_))));
    let typed = place.resolve("--secret-command op", &none()).unwrap();
    assert_eq!(typed.secret(Field::ClientSecret), Some(&SecretReference::Command(vec!["op".into()])));
}

#[test]
fn environment_and_flags_that_cannot_be() {
    let place = Place::new("");
    let both = Environment::of([("M2M_CLIENT_SECRET", "hunter2"), ("M2M_CLIENT_SECRET_FILE", "/f")]);
    let failure = place.resolve("", &both).unwrap_err();
    assert_eq!(failure.exit(), Exit::Configuration);
    assert!(!failure.message().contains("hunter2"));
    let provider = place.resolve("", &Environment::of([("M2M_PROVIDER", "auth0")])).unwrap_err();
    assert_eq!(provider.exit(), Exit::Configuration);
    let timeout = place.resolve("", &Environment::of([("M2M_TIMEOUT", "soon")])).unwrap_err();
    assert!(timeout.message().starts_with("M2M_TIMEOUT: expected a time"), "{}", timeout.message());
    assert_eq!(place.resolve("--timeout soon", &none()).unwrap_err().exit(), Exit::Usage);
    assert_eq!(place.resolve("--param x", &none()).unwrap_err().exit(), Exit::Usage);
}

#[test]
fn every_variable_and_flag_is_heard() {
    let place = Place::new("");
    let environment = Environment::of([
        ("M2M_ISSUER", "https://i"),
        ("M2M_CLIENT_SECRET_FILE", "/f"),
        ("M2M_SCOPE", "a b"),
        ("M2M_RESOURCE", "https://r1 https://r2"),
        ("M2M_PRIVATE_KEY_FILE", "/k"),
    ]);
    let settings =
        place.resolve("--scope c --scope d --param k=v=w --dpop=key.pem --timeout 3", &environment).unwrap();
    assert_eq!(settings.list(Field::Scopes), ["c", "d"]);
    assert_eq!(settings.list(Field::Resource), ["https://r1", "https://r2"]);
    assert_eq!(settings.pairs(Field::Params), [("k".to_owned(), "v=w".to_owned())]);
    assert_eq!(settings.time(Field::Timeout), Some(Duration::from_secs(3)));
    assert_eq!(settings.secret(Field::Dpop), Some(&SecretReference::File("key.pem".into())));
    assert_eq!(settings.secret(Field::ClientSecret), Some(&SecretReference::File("/f".into())));
    assert_eq!(settings.secret(Field::PrivateKey), Some(&SecretReference::File("/k".into())));
}

#[test]
fn a_typed_variable_has_a_name_that_a_shell_takes() {
    let typed =
        |name: &str| typed(&ProfileFlags { secret_env: Some(name.into()), ..ProfileFlags::default() });
    assert!(typed("ORDERS_SECRET").is_ok());
    for name in ["X:-$(id)", "1A", "A B", "A=B", ""] {
        let failure = typed(name).unwrap_err();
        assert_eq!(failure.exit(), crate::exit::Exit::Usage, "{name}");
    }
}
