//! `m2m console` in headless Chromium: profiles are made, tested and copied as a person would, by keyboard, by mouse and
//! without JavaScript; what is copied works as it is copied. Where there is no browser the tests say so and pass;
//! `cargo xtask test` requires it.

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
    let curl = found["copies"]["curl"].as_str().unwrap();
    let output = desk.command("bash").args(["-euc", curl]).output().unwrap();
    let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    assert!(answer["access_token"].is_string(), "{curl}");
}
