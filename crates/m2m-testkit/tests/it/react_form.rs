//! The example `examples/react-form` in headless Chromium: a person fills it in, `m2m profile import` takes the JSON
//! that it yields, and a real server gives a token for it. Where the form was not built, or there is no Chromium, the
//! tests say so and pass; `cargo xtask test` builds it and then requires it.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use m2m_testkit::binary::m2m;
use m2m_testkit::lab::six::{self, Provider};
use m2m_testkit::lab::{Lab, Outcome, ProxyManner, Tunnel};
use m2m_testkit::peers;
use serde_json::{Value, json};
use tempfile::TempDir;

const SECRET_VARIABLE: &str = "ORDERS_SECRET";

/// The built form, and a directory with an `m2m` of its own.
struct Place {
    form: PathBuf,
    directory: TempDir,
}

impl Place {
    fn new() -> Option<Self> {
        let form = peers::fetched("react-form", "dist/index.html")?;
        Some(Self { form, directory: tempfile::tempdir().unwrap() })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// `m2m` with these arguments and variables; its standard output.
    fn m2m(&self, variables: &[(&str, &str)], arguments: &[&str]) -> String {
        let mut command = Command::new(m2m());
        command.args(arguments).current_dir(self.directory.path());
        command.env_clear().env("HOME", self.directory.path()).envs(variables.iter().copied());
        let output = command.output().unwrap();
        let (out, err) =
            (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap());
        assert!(output.status.success(), "m2m {arguments:?}: {err}");
        out
    }

    /// Types these answers into the form and copies the profile.
    fn fill(&self, answers: &Value) -> Value {
        let schema = self.path("schema.json");
        fs::write(&schema, self.m2m(&[], &["profile", "schema"])).unwrap();
        let task = json!({"site": self.form.join("dist"), "schema": schema, "answers": answers});
        let mut command = Command::new("node");
        command.arg(self.form.join("test/fill.mjs")).current_dir(&self.form);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("node starts");
        write!(process.stdin.take().unwrap(), "{task}").unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "the form could not be filled in");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(answer["problems"], json!([]), "axe, WCAG 2.2 AA");
        assert_eq!(answer["complaints"], json!([]), "the page's console");
        answer
    }

    /// Imports the profile and asks for a token with it.
    fn token(&self, profile: &Value, variables: &[(&str, &str)], flags: &[&str]) -> String {
        fs::write(self.path("copied.json"), profile.to_string()).unwrap();
        self.m2m(&[], &["profile", "import", "copied.json"]);
        let name = profile["name"].as_str().unwrap();
        let token = ["token", "-p", name, "-o", "bare", "--no-store"];
        self.m2m(variables, &[&token, flags].concat()).trim_end().to_owned()
    }
}

/// `m2m serve --dev`. Killed on drop.
struct Server {
    process: Child,
    issuer: String,
    secret: String,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "waits for another process, which has no clock to move")]
    fn start(place: &Place) -> Self {
        let file = place.path("dev.env");
        let mut command = Command::new(m2m());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"]).arg(&file);
        let process = command.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { process, issuer: String::new(), secret: String::new() };
        for _ in 0..500 {
            if let Ok(text) = fs::read_to_string(&file) {
                (server.issuer, server.secret) =
                    (export(&text, "M2M_ISSUER"), export(&text, "M2M_CLIENT_SECRET"));
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{} did not appear", file.display());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn export(text: &str, name: &str) -> String {
    let value = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
    value.unwrap().trim_matches('\'').to_owned()
}

#[test]
fn a_profile_filled_in_by_issuer_gets_a_token() {
    let Some(place) = Place::new() else { return };
    let server = Server::start(&place);
    let answer = place.fill(&json!([
        ["Name", "orders"],
        ["Issuer", server.issuer],
        ["Client ID", "demo"],
        ["Client secret > Variable", SECRET_VARIABLE],
        ["Scopes", "orders:read orders:write"],
        ["Audience", "https://orders.example"],
        ["Connection and protocol", {"press": true}],
        ["Timeout", "5s"],
    ]));
    // What the empty form said when it was sent too early.
    let needed = ["Issuer is needed", "Client ID is needed", "Client secret is needed"];
    assert_eq!(answer["refusal"], json!(needed));
    let expected = json!({
        "name": "orders",
        "issuer": server.issuer,
        "client_id": "demo",
        "client_auth_method": "client_secret_basic",
        "client_secret": {"env": SECRET_VARIABLE},
        "scopes": ["orders:read", "orders:write"],
        "audience": "https://orders.example",
        "timeout": "5s",
    });
    assert_eq!(answer["profile"], expected);
    let token = place.token(&answer["profile"], &[(SECRET_VARIABLE, &server.secret)], &[]);
    assert_eq!(token.split('.').count(), 3, "{token:?} is a JWT");
}

#[test]
fn a_profile_filled_in_by_provider_gets_a_token() {
    let Some(place) = Place::new() else { return };
    let service: Provider = six::find("auth0", "client_secret_post");
    fs::write(place.path("secret"), six::SECRET).unwrap();
    let secret = place.path("secret");
    let answer = place.fill(&json!([
        ["Name", "auth0"],
        // Of a choice that is taken back nothing remains.
        ["Provider", {"choose": "Okta org authorization server"}],
        ["Provider", {"choose": "Auth0"}],
        ["Domain", service.host],
        ["Client ID", service.client_id],
        ["Client secret > Where it is", {"choose": "File"}],
        ["Client secret > Path", secret],
        ["Audience", service.audience],
    ]));
    let expected = json!({
        "name": "auth0",
        "provider": "auth0",
        "domain": service.host,
        "client_id": service.client_id,
        "client_auth_method": "client_secret_post",
        "client_secret": {"file": secret},
        "audience": service.audience,
    });
    assert_eq!(answer["profile"], expected);
    let lab = Lab::in_thread(service.behaviour.clone());
    let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
    let (proxy, ca_file) = (tunnel.proxy_url(), tunnel.ca_file());
    let flags = ["--ca-file", ca_file.to_str().unwrap()];
    let token = place.token(&answer["profile"], &[("HTTPS_PROXY", &proxy)], &flags);
    assert!(!token.is_empty());
    assert_eq!(lab.outcomes(), [Outcome::Granted]);
}

/// The form that is tested is the one in the source tree.
#[test]
fn the_built_form_is_not_stale() {
    let Some(place) = Place::new() else { return };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/react-form");
    for name in
        ["src/ProfileForm.jsx", "src/Reference.jsx", "src/profile.js", "test/fill.mjs", "package-lock.json"]
    {
        let same = fs::read(source.join(name)).unwrap() == fs::read(place.form.join(name)).unwrap();
        assert!(same, "{name} in {} is another; run cargo xtask peers", place.form.display());
    }
}
