//! The server console in headless Chromium, as people use it: with the mouse, with the keyboard alone, and without
//! JavaScript. Every page is looked at by axe (WCAG 2.2 AA) in both themes and at 320 px. Where the browser was not
//! fetched, the tests say so and pass; `cargo xtask test` fetches and then requires it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use m2m_testkit::binary::m2m;
use m2m_testkit::peers;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The heaviest page.
const MAX_BYTES: u64 = 100_000;

/// `m2m serve --dev`. Killed on drop.
struct Server {
    process: Child,
    place: TempDir,
    browser: PathBuf,
}

impl Server {
    #[expect(clippy::disallowed_methods, reason = "waits for another process, which has no clock to move")]
    fn start() -> Option<Self> {
        let browser = peers::fetched("browser", "node_modules/playwright-core/package.json")?;
        peers::installed("chromium", &["chromium"])?;
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("dev.env");
        let mut command = Command::new(m2m());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"]).arg(&file);
        let process = command.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let server = Self { process, place, browser };
        for _ in 0..500 {
            if file.is_file() {
                return Some(server);
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{} did not appear", file.display());
    }

    fn said(&self, name: &str) -> String {
        let text = fs::read_to_string(self.place.path().join("dev.env")).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
        value.unwrap().trim_matches('\'').to_owned()
    }

    /// Walks through the console, and demands of every page what each must be.
    fn walk(&self, name: &str) -> Value {
        self.walk_beside(name, "")
    }

    /// The same, with a gateway that the journey calls.
    #[expect(clippy::disallowed_methods, reason = "where a person wants pictures of the pages")]
    fn walk_beside(&self, name: &str, gateway: &str) -> Value {
        let secret = self.said("M2M_ADMIN_CLIENT_SECRET");
        let admin = json!({"id": self.said("M2M_ADMIN_CLIENT_ID"), "secret": secret});
        let issuer = self.said("M2M_ISSUER");
        let mut task =
            json!({"journey": name, "issuer": issuer, "admin": admin, "canary": secret, "gateway": gateway});
        if let Some(directory) = std::env::var_os("M2M_SCREENSHOTS") {
            task["screenshots"] = directory.to_str().unwrap().into();
        }
        let mut command = Command::new("node");
        command.arg("server.mjs").current_dir(&self.browser);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::inherit());
        let mut process = command.spawn().expect("node starts");
        write!(process.stdin.take().unwrap(), "{task}").unwrap();
        let output = process.wait_with_output().unwrap();
        assert!(output.status.success(), "{name}: the journey ended early");
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(found["problems"], json!([]), "{name}: axe, WCAG 2.2 AA");
        assert_eq!(found["complaints"], json!([]), "{name}: what the browser says");
        assert_eq!(found["leaks"], json!([]), "{name}: answers with the administrator's secret");
        for page in found["pages"].as_array().unwrap() {
            assert_eq!(page["overflow"], 0, "{name}: at 320 px: {page}");
            assert!(page["bytes"].as_u64().unwrap_or(0) < MAX_BYTES, "{name}: {page}");
            assert_eq!(page["requests"].as_u64().unwrap_or(0), 0, "{name}: one answer is the page: {page}");
        }
        found
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[test]
fn everything_is_done_with_the_mouse_and_no_secret_is_seen_twice() {
    let Some(server) = Server::start() else { return };
    let found = server.walk("mouse");
    assert!(found["pages"].as_array().unwrap().len() >= 40, "{}", found["pages"]);
    assert_eq!(found["typedBack"], "", "a secret that was typed is typed again");
    assert!(found["ledBack"].as_str().unwrap().ends_with("/console/client?id=shop"), "{found}");
    assert_eq!(found["rotated"], true);
    assert!(
        found["bound"].as_str().unwrap().contains("introspection: 1 s; offline verifiers: 60 s"),
        "{found}"
    );
    assert!(found["explained"].as_str().unwrap().contains("It would be refused"), "{found}");
    let outdated = found["outdated"].as_str().unwrap();
    assert!(outdated.contains("admin changed it at") && outdated.contains("team-shop"), "{outdated}");
    assert_eq!((&found["tokenBack"], &found["kept"]), (&json!(false), &json!(false)));
    assert_eq!(found["leaksOfSecrets"], json!([]), "answers with a secret that was shown before");
    assert_eq!(found["afterSignOut"], "Sign in");
}

#[test]
fn a_credential_is_revoked_by_the_keyboard_alone() {
    let Some(server) = Server::start() else { return };
    let found = server.walk("keyboard");
    assert_eq!(found["focused"], "alert", "what is wrong takes the focus");
    assert_eq!(found["title"], "The credential dev is revoked");
}

#[test]
fn without_javascript_the_same_forms_do_the_same() {
    let Some(server) = Server::start() else { return };
    let found = server.walk("plain");
    assert_eq!((&found["secret"], &found["done"]), (&json!(true), &json!("The credential one is revoked")));
    assert!(found["wrong"].as_str().unwrap().contains("JWK"), "{found}");
    let audit = found["audit"].as_str().unwrap();
    for event in ["client created", "credential created", "credential revoked", "client deleted"] {
        assert!(audit.contains(event), "{event}: {audit}");
    }
    assert!(found["out"].as_str().unwrap().contains("Signed out"), "{found}");
}

#[test]
fn names_that_somebody_chose_to_do_harm_do_none() {
    let Some(server) = Server::start() else { return };
    let found = server.walk("hostile");
    assert!(found["told"].as_str().unwrap().contains("more than 1024 characters"), "{found}");
    assert_eq!(found["title"], "Add a client – m2m server");
    assert_eq!((&found["scripts"], &found["images"]), (&json!(1), &json!(0)));
}

/// `m2m gateway` before an API, which asks the server about each token: a withdrawal counts at the next call.
struct Gateway(Child);

impl Gateway {
    fn start(server: &Server) -> (Self, String) {
        let (place, issuer) = (server.place.path(), server.said("M2M_ISSUER"));
        fs::write(place.join("demo.secret"), server.said("M2M_CLIENT_SECRET")).unwrap();
        let settings = format!(
            "[gateway]\nlisten = \"127.0.0.1:0\"\nupstream = \"{issuer}\"\nissuer = \"{issuer}\"\n\
             audience = \"https://orders.example\"\nintrospect = \"jwt\"\nintrospect_profile = \"demo\"\n\
             rules = [\"GET /livez orders:read\"]\n\n[profiles.demo]\nissuer = \"{issuer}\"\nclient_id = \"demo\"\n\
             client_secret = {{ file = \"demo.secret\" }}\n"
        );
        fs::write(place.join("m2m.toml"), settings).unwrap();
        let mut command = Command::new(m2m());
        command.args(["gateway", "--config", "m2m.toml"]).current_dir(place).env_clear().env("HOME", place);
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let ready = lines.find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        (Self(process), ready.expect("it ended before it was ready"))
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _gone = self.0.kill();
        let _reaped = self.0.wait();
    }
}

#[test]
fn one_instance_is_revoked_and_its_next_call_refused_while_the_other_goes_on() {
    let Some(server) = Server::start() else { return };
    let (_gateway, url) = Gateway::start(&server);
    let found = server.walk_beside("instances", &url);
    assert_eq!(found["before"], json!([200, 200]));
    assert_eq!(found["after"], json!([401, 200]));
}
