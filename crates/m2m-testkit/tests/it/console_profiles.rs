//! `m2m console` in headless Chromium: profiles are made, tested and copied as a person would, by keyboard, by mouse and
//! without JavaScript; what is copied works as it is copied. Where there is no browser the tests say so and pass;
//! `cargo xtask test` requires it.

mod compiled;
mod odd;

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use m2m_testkit::binary::m2m;
use m2m_testkit::lab::six::{self, Provider};
use m2m_testkit::lab::{Lab, Outcome, ProxyManner, Tunnel};
use m2m_testkit::peers;
use serde_json::{Value, json};
use tempfile::TempDir;

/// Somebody's machine with a console.
struct Desk {
    browser: PathBuf,
    home: TempDir,
    console: Option<Child>,
    start: String,
    variables: Vec<(String, String)>,
}

impl Desk {
    /// With these variables; `None`, said, where there is no browser.
    fn new(variables: &[(&str, &str)]) -> Option<Self> {
        let installed = peers::fetched("browser", "node_modules/playwright-core/package.json")?;
        let browser =
            installed.ancestors().find(|path| path.ends_with("browser")).unwrap_or(&installed).to_owned();
        let home = tempfile::tempdir().unwrap();
        fs::create_dir(home.path().join("work")).unwrap();
        let variables =
            variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Some(Self { browser, home, console: None, start: String::new(), variables })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.path("work")).env_clear().env("HOME", self.home.path());
        command.env("PATH", "/usr/local/bin:/usr/bin:/bin");
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command
    }

    /// `m2m` with these arguments, to its end.
    fn m2m(&self, arguments: &[&str]) -> Output {
        self.command(m2m()).args(arguments).output().unwrap()
    }

    /// Starts the console.
    fn open(&mut self, arguments: &[&str]) {
        let mut command = self.command(m2m());
        command.args(arguments).args(["console", "--no-open"]).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut console = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(console.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim_end().clone_into(&mut self.start);
        assert!(self.start.contains("/start?token="), "{line}");
        self.console = Some(console);
    }

    /// Walks through pages; what the walk found.
    #[expect(clippy::disallowed_methods, reason = "asks the person at the keyboard, and is no setting")]
    fn walk(&self, name: &str, mut task: Value) -> Value {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/browser/profiles.mjs");
        let script = self.browser.join("profiles.mjs");
        assert!(
            fs::read(&source).unwrap() == fs::read(&script).unwrap_or_default(),
            "stale: run cargo xtask peers"
        );
        task["walk"] = name.into();
        task["start"] = self.start.clone().into();
        if let Some(directory) = std::env::var_os("M2M_SCREENSHOTS") {
            task["screenshots"] = directory.to_str().unwrap().into();
        }
        let mut command = Command::new("node");
        command.arg(script).current_dir(&self.browser).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("node starts");
        write!(process.stdin.take().unwrap(), "{task}").unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "the walk {name} failed");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        pleasant(&found);
        found
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path(".config/m2m/m2m.toml")).unwrap_or_default()
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if let Some(mut console) = self.console.take() {
            let _gone = console.kill();
            let _reaped = console.wait();
        }
    }
}

/// What is asked of every page: axe in both themes, nothing fetched, no complaint, little weight, no overflow.
fn pleasant(found: &Value) {
    assert_eq!(found["problems"], json!([]), "axe, WCAG 2.2 AA");
    assert_eq!(found["complaints"], json!([]), "the browser's console");
    assert_eq!(found["leaks"], json!([]), "answers that hold a secret");
    for page in found["pages"].as_array().unwrap() {
        let name = &page["name"];
        assert_eq!(page["overflow"], 0, "{name} at 320 px: {}", page["wide"]);
        if let Some(bytes) = page["bytes"].as_u64() {
            // Of a form that was filled in, fields have been checked.
            let is_filled = name.as_str().unwrap().ends_with("-filled");
            assert!(is_filled || page["requests"] == 0, "{name} fetches");
            assert!(bytes < 100_000, "{name} has {bytes} bytes");
        }
    }
}

/// Auth0 under its real name, behind a proxy.
struct Auth0 {
    service: Provider,
    lab: Lab,
    tunnel: Tunnel,
}

impl Auth0 {
    fn new() -> Self {
        let service = six::find("auth0", "client_secret_post");
        let lab = Lab::in_thread(service.behaviour.clone());
        let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
        Self { service, lab, tunnel }
    }
}

#[test]
fn by_keyboard_an_auth0_profile_is_made_tested_and_copied() {
    let auth0 = Auth0::new();
    let proxy = auth0.tunnel.proxy_url();
    let Some(mut desk) = Desk::new(&[("HTTPS_PROXY", &proxy)]) else { return };
    let secret = desk.write("secret", six::SECRET);
    desk.open(&[]);
    let found = desk.walk(
        "keyboard",
        json!({
            "domain": auth0.service.host,
            "client": auth0.service.client_id,
            "secret_file": secret,
            "audience": auth0.service.audience,
            "ca_file": auth0.tunnel.ca_file(),
            "canary": six::SECRET,
            "forms": [["curl", "curl"], ["rust", "Rust"], ["kubernetes", "Kubernetes"]],
        }),
    );
    let said = found["said"].as_str().unwrap();
    assert!(said.contains("A token came"), "{said}");
    assert_eq!(auth0.lab.outcomes().first(), Some(&Outcome::Granted));
    assert!(desk.file().contains("[profiles.orders]"), "{}", desk.file());
    let output = desk.m2m(&["token", "-p", "orders", "--no-store", "-o", "bare"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let visited = found["visited"].as_array().unwrap().iter().filter_map(Value::as_str);
    let pages: Vec<&str> = visited.filter_map(|path| Some(path.rsplit_once('/')?.1)).collect();
    assert_eq!(pages, ["", "new", "result"], "three pages from the start to the copy");
    let copied = |form: &str| found["copies"][form].as_str().unwrap().to_owned();
    for form in ["curl", "rust", "kubernetes"] {
        let exported = desk.m2m(&["profile", "export", "orders", "--as", form]);
        assert_eq!(
            copied(form),
            String::from_utf8(exported.stdout).unwrap(),
            "as m2m profile export prints it"
        );
    }
    let output = desk.command("bash").args(["-euc", &copied("curl")]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(answer["access_token"].is_string(), "{}", copied("curl"));
    let output = compiled::run(&copied("rust"), desk.home.path(), &desk.variables);
    assert!(output.status.success() && output.stdout != b"0\n", "{output:?}");
    kubernetes(&desk, &copied("kubernetes"));
}

/// The manifest is one that Kubernetes takes, and the settings that it mounts get a token.
fn kubernetes(desk: &Desk, manifest: &str) {
    let path = desk.write("orders.yaml", manifest);
    if let Some(home) = peers::fetched("packaging", "venv/bin/python") {
        let mut judge = Command::new(home.join("venv/bin/python"));
        let output = judge.arg(home.join("judge.py")).arg("kubernetes").arg(&path).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    }
    let (_, rest) = manifest.split_once("  m2m.toml: |\n").unwrap();
    let lines = rest.lines().take_while(|line| line.is_empty() || line.starts_with("    "));
    let settings: String = lines.map(|line| format!("{}\n", line.trim_start())).collect();
    let mounted = "/run/secrets/m2m/client_secret";
    assert!(settings.contains(mounted), "{settings}");
    let settings = settings.replace(mounted, desk.path("secret").to_str().unwrap());
    let settings = desk.write("mounted.toml", &settings);
    let output = desk.m2m(&["--config", settings.to_str().unwrap(), "token", "--no-store", "-o", "bare"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn by_mouse_an_issuer_is_discovered_and_a_pasted_secret_is_never_seen_again() {
    let Some(mut desk) = Desk::new(&[]) else { return };
    let server = odd::Dev::start(desk.home.path());
    desk.open(&[]);
    let found = desk.walk("mouse", json!({"issuer": server.issuer, "canary": server.secret}));
    let said = |name: &str| found[name].as_str().unwrap();
    for part in ["Token endpoint", "/oauth2/token", "private_key_jwt"] {
        assert!(said("metadata").contains(part), "{part}: {}", said("metadata"));
    }
    assert_eq!(found["chips"], json!(["orders:read ×", "orders:write ×"]));
    assert!(
        said("unsaved").contains("Not saved") && said("unsaved").contains("A token came"),
        "{}",
        said("unsaved")
    );
    assert!(said("unsaved").contains("Good: signed"), "{}", said("unsaved"));
    assert!(said("unsaved").contains("Save the profile first"), "no copy names a secret without a place");
    assert!(
        said("saved").contains("A token came") && said("saved").contains("m2m token"),
        "{}",
        said("saved")
    );
    assert!(said("again").contains("as asked orders:read"), "{}", said("again"));
    assert!(
        said("list").contains("present, mode 0600") && said("list").contains("a token came"),
        "{}",
        said("list")
    );
    assert_eq!(found["seen"], json!([]), "pages that showed the secret");
    assert!(
        !desk.file().contains(&server.secret) && desk.file().contains("secrets/orders"),
        "{}",
        desk.file()
    );
    let kept = desk.path(".config/m2m/secrets/orders");
    assert_eq!(fs::read_to_string(&kept).unwrap(), server.secret);
    let mode = std::os::unix::fs::PermissionsExt::mode(&fs::metadata(kept).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn without_javascript_forms_and_links_are_enough() {
    let auth0 = Auth0::new();
    let proxy = auth0.tunnel.proxy_url();
    let Some(mut desk) = Desk::new(&[("HTTPS_PROXY", &proxy)]) else { return };
    let secret = desk.write("secret", six::SECRET);
    desk.open(&[]);
    let task = json!({
        "javaScript": false,
        "domain": auth0.service.host,
        "client": auth0.service.client_id,
        "secret_file": secret,
        "audience": auth0.service.audience,
        "ca_file": auth0.tunnel.ca_file(),
        "canary": six::SECRET,
    });
    let found = desk.walk("plain", task);
    let said = |name: &str| found[name].as_str().unwrap();
    assert_eq!(found["offered"][0].as_str().unwrap().trim(), "Auth0");
    assert!(said("wrong").contains("Audience: this provider wants one"), "{}", said("wrong"));
    assert!(said("tested").contains("A token came"), "{}", said("tested"));
    assert!(said("saved").contains("Saved as orders"), "{}", said("saved"));
    assert!(
        said("toml").contains("[profiles.orders]") && found["shown"] == 1,
        "one form is shown: {}",
        found["shown"]
    );
    assert!(desk.m2m(&["token", "-p", "orders", "--no-store", "-o", "bare"]).status.success());
}

#[test]
fn odd_servers_are_explained() {
    let Some(mut desk) = Desk::new(&[]) else { return };
    let server = odd::Server::start();
    desk.open(&[]);
    let names = ["html", "error", "redirect", "slow", "echo", "markup", "token"];
    let task = json!({"server": server.url, "odd": names, "canary": "canary-Xu7-canary"});
    let found = desk.walk("odd", task);
    let said = |name: &str| found["said"][name].as_str().unwrap();
    for name in names.iter().filter(|name| **name != "token") {
        assert!(
            said(name).contains("No token") && said(name).contains("What to do:"),
            "{name}: {}",
            said(name)
        );
        assert!(!said(name).to_lowercase().contains("check the logs"), "{name}: {}", said(name));
    }
    assert!(said("html").contains("bytes that are no JSON object"), "{}", said("html"));
    assert!(
        said("error").contains("invalid_client")
            && said("error").contains("does not accept the client's credential"),
        "{}",
        said("error")
    );
    assert!(said("redirect").contains("302"), "{}", said("redirect"));
    assert!(said("slow").contains("no answer"), "{}", said("slow"));
    assert!(said("echo").contains("[redacted]"), "{}", said("echo"));
    assert!(said("markup").contains("<script>") && said("markup").contains("400"), "{}", said("markup"));
    assert!(said("token").contains("Opaque") && !said("token").contains("mF_9"), "{}", said("token"));
    assert_eq!(desk.file(), "", "a test saves nothing");
}

#[test]
fn names_that_nobody_should_have_are_shown_harmlessly() {
    let Some(mut desk) = Desk::new(&[]) else { return };
    let long = "x".repeat(10_000);
    let profile = "issuer = \"https://login.example.com\"\nclient_id = \"<img src=x onerror='pwned=1'>\"\n";
    let names = ["\"<script>pwned=1</script>\"", "\"a\u{202e}b\"", &long];
    let text: String = names.iter().map(|name| format!("[profiles.{name}]\n{profile}")).collect();
    fs::create_dir_all(desk.path(".config/m2m")).unwrap();
    fs::write(desk.path(".config/m2m/m2m.toml"), text).unwrap();
    desk.open(&[]);
    let found = desk.walk("names", json!({}));
    assert_eq!((found["links"].as_u64(), found["pwned"].as_bool()), (Some(3), Some(false)));
    let listed = found["listed"].as_str().unwrap();
    assert!(listed.contains("<script>pwned=1</script>") && !listed.contains('\u{202e}'), "{listed}");
}

#[test]
fn the_console_is_on_this_machine_alone_and_ends_by_itself() {
    let home = tempfile::tempdir().unwrap();
    let command = |listen: &str| {
        let mut command = Command::new(m2m());
        command.args(["console", "--no-open", "--listen", listen]).env_clear().env("HOME", home.path());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).current_dir(home.path());
        command
    };
    let far = command("0.0.0.0:0").output().unwrap();
    let said = String::from_utf8(far.stderr).unwrap();
    assert_eq!(far.status.code(), Some(3), "{said}");
    assert!(said.contains("served on loopback only"), "{said}");
    let mut console = command("127.0.0.1:0").spawn().unwrap();
    let mut line = String::new();
    BufReader::new(console.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("http://127.0.0.1:") && line.contains("/start?token="), "{line}");
    let interrupted = Command::new("kill").args(["-INT", &console.id().to_string()]).status().unwrap();
    assert!(interrupted.success());
    assert_eq!(console.wait().unwrap().code(), Some(0));
}
