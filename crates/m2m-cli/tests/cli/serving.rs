//! `m2m serve` through its sockets: TLS and its renewal, client certificates, metrics, the log, the end.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use m2m_cli::certificate::{Authority, Wish};
use m2m_io::file::FileLock;
use m2m_io::reqwest::{ProxyFrom, ReqwestHttp};
use m2m_io::{Clock as _, HttpClient as _, Limits, SystemClock};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::place::{Place, binary};

/// A server that runs until it is told to stop.
struct Serving {
    child: Child,
    issuer: String,
    log: Option<ChildStderr>,
}

impl Serving {
    fn start(arguments: &[&str]) -> Self {
        Self::start_with(arguments, &[])
    }

    fn start_with(arguments: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(binary())
            .args(["serve", "--log", "json", "--listen", "127.0.0.1:0"])
            .args(arguments)
            .env_clear()
            .envs(variables.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| !line.starts_with("ready ")).collect();
        let log = child.stderr.take();
        let issuer = lines.first().and_then(|line| line.strip_prefix("issuer ")).map(str::to_owned);
        let Some(issuer) = issuer else {
            let mut said = String::new();
            log.unwrap().read_to_string(&mut said).unwrap();
            panic!("{arguments:?}: {said}");
        };
        Self { child, issuer, log }
    }

    fn in_memory(arguments: &[&str]) -> Self {
        Self::start(&[&["--database", "memory:"], arguments].concat())
    }

    fn signal(&self, signal: Signal) {
        let process = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(process, signal).unwrap();
    }

    /// Tells it to stop: the exit code, and every line of the log.
    fn stop(mut self) -> (i32, Vec<Value>) {
        self.signal(Signal::TERM);
        self.end()
    }

    fn end(&mut self) -> (i32, Vec<Value>) {
        let log = BufReader::new(self.log.take().unwrap()).lines();
        let parse = |line: String| serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
        let log = log.map(|line| parse(line.unwrap())).collect();
        (self.child.wait().unwrap().code().unwrap(), log)
    }

    /// The next line of the log with this message.
    fn said(&mut self, message: &str) -> Value {
        let mut log = BufReader::with_capacity(1, self.log.as_mut().unwrap());
        loop {
            let mut line = String::new();
            assert!(log.read_line(&mut line).unwrap() > 0, "it did not say {message}");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["message"] == message {
                return value;
            }
        }
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// Status and body of a GET over plain HTTP.
fn get(url: &str) -> (u16, String) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    (status, answer)
}

/// The body of a GET over TLS, trusting this authority alone.
fn get_tls(url: &str, authority: &Authority) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let http = ReqwestHttp::builder().proxy(ProxyFrom::Nowhere);
        let http = http.ca_pem(authority.certificate_pem().as_bytes()).unwrap().build().unwrap();
        let request = http::Request::get(url).body(Bytes::new()).unwrap();
        let answer = http.send(request, &Limits::default()).await.map_err(|error| error.to_string())?;
        Ok(String::from_utf8(answer.into_body().to_vec()).unwrap())
    })
}

fn wish(names: &[&str]) -> Wish {
    Wish {
        subject: "m2m".to_owned(),
        names: names.iter().map(|name| (*name).to_owned()).collect(),
        not_before: SystemClock.wall().saturating_sub(Duration::from_secs(60)),
        valid_for: Duration::from_secs(3600),
    }
}

/// A directory with a certificate for loopback.
struct Certificate {
    directory: tempfile::TempDir,
    authority: Authority,
}

impl Certificate {
    fn new() -> Self {
        let mut made = Self {
            directory: tempfile::tempdir().unwrap(),
            authority: Authority::generate(&wish(&[])).unwrap(),
        };
        made.renew();
        made
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Another certificate of another authority, in the same files.
    fn renew(&mut self) {
        self.authority = Authority::generate(&wish(&[])).unwrap();
        let leaf = self.authority.issue(&wish(&["127.0.0.1"])).unwrap();
        std::fs::write(self.path("cert.pem"), leaf.certificate_pem).unwrap();
        std::fs::write(self.path("key.pem"), leaf.key_pem.expose()).unwrap();
        std::fs::write(self.path("ca.pem"), self.authority.certificate_pem()).unwrap();
    }

    fn serve(&self, arguments: &[&str]) -> Serving {
        let (cert, key) = (self.path("cert.pem"), self.path("key.pem"));
        let files = ["--tls-cert", text(&cert), "--tls-key", text(&key)];
        Serving::in_memory(&[&files, arguments].concat())
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "waits for another process, which has no clock to move")]
fn wait() {
    std::thread::sleep(Duration::from_millis(50));
}

#[test]
fn a_renewed_certificate_is_used_without_a_restart() {
    let mut files = Certificate::new();
    let serving = files.serve(&[]);
    assert!(serving.issuer.starts_with("https://127.0.0.1:"), "{}", serving.issuer);
    let url = format!("{}/livez", serving.issuer);
    assert!(get_tls(&url, &files.authority).unwrap().contains("alive"));
    files.renew();
    let renewed = (0..400).any(|_| {
        wait();
        get_tls(&url, &files.authority).is_ok()
    });
    assert!(renewed, "the renewed certificate is not served");
    let (exit, log) = serving.stop();
    assert_eq!(exit, 0);
    assert!(log.iter().any(|line| line["message"] == "the renewed certificate is served"), "{log:?}");
}

#[test]
fn the_listener_for_client_certificates_is_advertised() {
    let files = Certificate::new();
    let ca = files.path("ca.pem");
    let mut serving = files.serve(&["--mtls-listen", "127.0.0.1:0", "--client-ca", text(&ca)]);
    let listening = serving.said("listener, mutual TLS");
    let address = listening["address"].as_str().unwrap();
    let metadata = format!("{}/.well-known/oauth-authorization-server", serving.issuer);
    let metadata: Value = serde_json::from_str(&get_tls(&metadata, &files.authority).unwrap()).unwrap();
    let alias = &metadata["mtls_endpoint_aliases"]["token_endpoint"];
    assert_eq!(alias, &Value::from(format!("https://{address}/oauth2/token")));
    let methods = metadata["token_endpoint_auth_methods_supported"].as_array().unwrap();
    assert!(methods.contains(&"tls_client_auth".into()), "{methods:?}");
    let ready = get_tls(&format!("https://{address}/readyz"), &files.authority).unwrap();
    assert!(ready.contains(r#""status":"ready""#), "{ready}");
    assert_eq!(serving.stop().0, 0);
}

#[test]
fn what_is_counted_can_be_read() {
    let place = Place::new();
    let (exit, _, err) = place.shell("m2m token --no-store --scope orders:read");
    assert_eq!(exit, 0, "{err}");
    let (status, text) = get(&format!("{}/metrics", place.variables()["M2M_ISSUER"]));
    assert_eq!(status, 200);
    assert!(text.contains("content-type: text/plain; version=0.0.4"), "{text}");
    let line = r#"m2m_as_tokens_issued_total{alg="ES256",binding="none"} 1"#;
    assert!(text.lines().any(|found| found == line), "{text}");
    assert!(text.contains("\n# TYPE m2m_as_tokens_issued_total counter\n"), "{text}");
    assert!(text.contains("# HELP m2m_as_tokens_issued_total Tokens issued, by"), "{text}");
    assert!(!text.contains("demo") && !text.contains("127.0.0.1\""), "no client and no address: {text}");
}

/// Whoever reads a graph finds the name in the manual.
#[test]
fn every_metric_is_explained() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let (code, page) = (read("crates/m2m-authorization-server/src/observe.rs"), read("docs/operating.md"));
    let names: Vec<&str> = code.split('"').filter(|text| text.starts_with("m2m_as_")).collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(page.contains(&format!("| `{name}` |")), "docs/operating.md does not explain {name}");
    }
}

#[test]
fn metrics_on_their_own_listener_are_on_no_other() {
    let mut serving = Serving::in_memory(&["--metrics-listen", "127.0.0.1:0"]);
    assert_eq!(get(&format!("{}/metrics", serving.issuer)).0, 404);
    let listening = serving.said("listener, metrics");
    let own = format!("http://{}", listening["address"].as_str().unwrap());
    let (status, text) = get(&format!("{own}/metrics"));
    assert_eq!(status, 200);
    assert!(text.contains("m2m_build_info{version="), "{text}");
    assert_eq!(get(&format!("{own}/oauth2/jwks")).0, 404);
    assert_eq!(serving.stop().0, 0);
}

#[test]
fn a_server_that_stops_says_so_before_it_is_gone() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("m2m-server.toml");
    std::fs::write(&file, "database = \"memory:\"\nshutdown_delay = \"2s\"\n").unwrap();
    let mut serving = Serving::start(&["--config", text(&file)]);
    let ready = format!("{}/readyz", serving.issuer);
    assert_eq!(get(&ready).0, 200);
    serving.signal(Signal::TERM);
    serving.said("stopping");
    assert_eq!(get(&ready).0, 503);
    assert_eq!(get(&format!("{}/oauth2/jwks", serving.issuer)).0, 200);
    let (exit, log) = serving.end();
    assert_eq!(exit, 0);
    for line in &log {
        let members = ["ts", "level", "target", "message"];
        assert!(members.iter().all(|name| line[name].is_string()), "{line}");
    }
    assert!(TcpStream::connect(serving.issuer.trim_start_matches("http://")).is_err());
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("m2m-server.toml");
    std::fs::write(&file, "database = \"memory:\"\nshutdown_delay = \"5m\"\n").unwrap();
    let mut serving = Serving::start(&["--config", text(&file)]);
    serving.signal(Signal::TERM);
    serving.said("stopping");
    serving.signal(Signal::INT);
    let (exit, log) = serving.end();
    assert_eq!(exit, 130);
    assert_eq!(log.last().unwrap()["message"], "ended by a second signal");
}

#[test]
fn the_first_profile_works_with_a_certificate_that_nobody_else_trusts() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let made = Command::new(binary())
        .args(["keygen", "certificate", "--subject", "127.0.0.1", "--out", text(&at("server"))])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let database = format!("sqlite:{}", text(&at("m2m.db")));
    let (cert, key) = (at("server.cert.pem"), at("server.key.pem"));
    let files = ["--database", &database, "--tls-cert", text(&cert), "--tls-key", text(&key)];
    // In JSON every line is, those of the first start too.
    let serving = Serving::start(&files);
    let listed = Command::new(binary())
        .args(["--config", text(&at("m2m.db.admin.toml")), "admin", "client", "list", "--json"])
        .env_clear()
        .env("HOME", directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&listed.stderr);
    assert!(listed.status.success(), "{said}");
    assert!(String::from_utf8(listed.stdout).unwrap().contains(r#""id":"admin""#));
    let (exit, log) = serving.stop();
    assert_eq!(exit, 0);
    assert!(log.iter().any(|line| line["message"].as_str().unwrap().starts_with("the sealing key is made")));
}

#[test]
fn one_sqlite_file_has_one_server() {
    let directory = tempfile::tempdir().unwrap();
    let held = FileLock::try_acquire(&directory.path().join("m2m.db.lock")).unwrap().unwrap();
    let database = format!("sqlite:{}", text(&directory.path().join("m2m.db")));
    let output = Command::new(binary())
        .args(["serve", "--listen", "127.0.0.1:0", "--database", &database])
        .env_clear()
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.starts_with("m2m: error: another `m2m serve` uses "), "{said}");
    drop(held);
}

/// A new server under the profile has an administrator whom it lets in, registers no secret, and misses nothing.
#[test]
fn a_server_under_the_profile_is_administered_with_a_key() {
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("m2m-server.toml");
    std::fs::write(&file, "database = \"sqlite:m2m.db\"\nsecurity_profile = \"fapi2\"\n").unwrap();
    let serving = Serving::start(&["--config", file.to_str().unwrap()]);
    let run = |arguments: &[&str]| {
        let mut command = Command::new(binary());
        command.args(arguments).current_dir(place.path()).env_clear().env("HOME", place.path());
        let output = command.env("M2M_SECURITY_PROFILE", "fapi2").output().unwrap();
        let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap()).concat();
        (output.status.code().unwrap(), said)
    };
    let admin = |arguments: &[&str]| run(&[&["--config", "m2m.db.admin.toml", "admin"], arguments].concat());
    let done = |(code, said): (i32, String)| assert_eq!(code, 0, "{said}");
    // In the second in which it started, a server cannot tell whether an assertion was used before: it says 503.
    let ready = || admin(&["api", "create", "https://a.example", "--scope", "r"]).0 != 5;
    assert!((0..500).any(|_| ready()));
    done(admin(&["client", "create", "c", "--grant", "https://a.example=r", "--sender-constraint", "dpop"]));
    let (code, said) = admin(&["credential", "create", "c", "--label", "x"]);
    assert!(code == 8 && said.contains("fapi2: clients authenticate by private_key_jwt"), "{code} {said}");
    let (code, said) = admin(&["api", "update", "https://a.example", "--alg", "RS256"]);
    assert!(code == 8 && said.contains("RS256 does not"), "{code} {said}");
    done(run(&["keygen", "--out", "k"]));
    done(admin(&["credential", "create", "c", "--label", "x", "--public-key-file", "k.jwks.json"]));
    done(admin(&["assess", "--standard", "fapi2"]));
    let ask = ["token", "--issuer", &serving.issuer, "--client-id", "c", "--private-key-file", "k.key.pem"];
    let (code, said) = run(&ask);
    assert!(code == 3 && said.contains("fapi2: tokens are bound"), "{code} {said}");
    done(run(&[ask.as_slice(), &["--dpop"]].concat()));
}

/// The profile came later than the database, so the secret of its administrator opens nothing any more.
#[test]
fn a_profile_that_locks_everybody_out_is_warned_of() {
    let place = tempfile::tempdir().unwrap();
    let (file, database) = (place.path().join("m2m-server.toml"), place.path().join("m2m.db"));
    let warned = |profile: &str| {
        std::fs::write(
            &file,
            format!("issuer = \"http://127.0.0.1:9\"\ndatabase = \"sqlite:{}\"\n{profile}", text(&database)),
        )
        .unwrap();
        let (exit, log) = Serving::start(&["--config", text(&file)]).stop();
        assert_eq!(exit, 0);
        let mut messages = log.iter().map(|line| line["message"].as_str().unwrap().to_owned());
        messages.any(|message| message.starts_with("nobody can administer this server"))
    };
    assert!(!warned(""));
    assert!(warned("security_profile = \"fapi2\"\n"));
    assert!(!warned(""), "a secret will do without");
    std::fs::remove_file(&database).unwrap();
    for left in ["m2m.db.admin.toml", "m2m.db.admin.secret"] {
        std::fs::remove_file(place.path().join(left)).unwrap();
    }
    assert!(!warned("security_profile = \"fapi2\"\n"), "a new one gets an administrator with a key");
}

/// A token of SoftHSM with two keys, made by the way that docs/operating.md describes, and programs that find it.
#[cfg(feature = "pkcs11")]
struct SoftHsm {
    place: tempfile::TempDir,
    config: String,
}

#[cfg(feature = "pkcs11")]
impl SoftHsm {
    /// `None` where Debian's `softhsm2` is not installed.
    fn new() -> Option<Self> {
        let modules = ["/usr/lib/softhsm/libsofthsm2.so", "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so"];
        let module = modules.into_iter().find(|module| Path::new(module).exists())?;
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("tokens")).unwrap();
        let config = text(&place.path().join("softhsm2.conf")).to_owned();
        let own = Self { place, config };
        own.write("softhsm2.conf", &format!("directories.tokendir = {}\n", text(&own.at("tokens"))));
        own.write("pin", "2468\n");
        let tool = Path::new("softhsm2-util");
        own.run(tool, &["--init-token", "--free", "--label", "m2m", "--so-pin", "1357", "--pin", "2468"]);
        let mut settings = "database = \"sqlite:m2m.db\"\n".to_owned();
        for (label, alg, id) in [("es256", "ES256", "01"), ("rs256", "RS256", "02")] {
            own.run(binary(), &["keygen", "--out", label, "--alg", alg]);
            let file = format!("{label}.key.pem");
            own.run(
                tool,
                &["--import", &file, "--token", "m2m", "--label", label, "--id", id, "--pin", "2468"],
            );
            settings.push_str(&format!(
                "[[pkcs11]]\nmodule = {module:?}\ntoken = \"m2m\"\npin = {{ file = \"pin\" }}\nkey = {label:?}\n"
            ));
        }
        own.write("m2m-server.toml", &settings);
        Some(own)
    }

    fn at(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// A file that nobody else can read.
    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), text).unwrap();
        let mine = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.at(name), mine).unwrap();
    }

    fn variables(&self) -> [(&str, &str); 3] {
        let home = text(self.place.path());
        [("SOFTHSM2_CONF", &self.config), ("HOME", home), ("PATH", "/usr/bin:/bin")]
    }

    fn run(&self, program: &Path, arguments: &[&str]) -> String {
        let (done, result, said) = self.try_to_run(program, arguments);
        assert!(done, "{arguments:?}: {said}");
        result
    }

    fn try_to_run(&self, program: &Path, arguments: &[&str]) -> (bool, String, String) {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(&self.place).env_clear().envs(self.variables());
        let output = command.output().unwrap();
        let [result, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.success(), result, said)
    }
}

/// What they sign verifies with what is published, and with nothing else.
#[cfg(feature = "pkcs11")]
#[test]
fn a_security_module_signs_what_is_handed_out() {
    let Some(place) = SoftHsm::new() else {
        println!("skipped: softhsm2 is not installed");
        return;
    };
    let file = place.at("m2m-server.toml");
    let serving = Serving::start_with(&["--config", text(&file)], &place.variables());
    let issuer = ["--issuer", serving.issuer.as_str()];
    let (_, published) = get(&format!("{}/oauth2/jwks", serving.issuer));
    for (label, member) in [("es256", "x"), ("rs256", "n")] {
        let own = std::fs::read(place.at(&format!("{label}.jwks.json"))).unwrap();
        let own: Value = serde_json::from_slice(&own).unwrap();
        assert!(published.contains(own["keys"][0][member].as_str().unwrap()), "{published}");
    }
    let admin = |arguments: &[&str]| {
        place.run(binary(), &[&["--config", "m2m.db.admin.toml", "admin"], arguments].concat())
    };
    admin(&["api", "create", "https://a.example", "--scope", "r", "--alg", "RS256"]);
    admin(&["client", "create", "c", "--grant", "https://a.example=r"]);
    place.write("secret", &admin(&["credential", "create", "c", "--label", "x"]));
    let ask = ["--client-id", "c", "--secret-file", "secret", "-o", "bare"];
    let token = place.run(binary(), &[&["token"], issuer.as_slice(), &ask].concat());
    place.write("token", &token);
    let verify = |keys: &str| {
        let rest = ["--audience", "https://a.example", "--jwks-file", keys, "--token-file", "token"];
        place.try_to_run(binary(), &[&["verify"], issuer.as_slice(), &rest].concat())
    };
    let (good, _, said) = verify("rs256.jwks.json");
    assert!(good, "{said}");
    assert!(!verify("es256.jwks.json").0, "signed by the other key of the token");
    assert_eq!(serving.stop().0, 0);
}

#[cfg(feature = "pkcs11")]
#[test]
fn a_token_has_one_pin() {
    let Some(place) = SoftHsm::new() else {
        println!("skipped: softhsm2 is not installed");
        return;
    };
    place.write("other", "1357-canary\n");
    let settings = std::fs::read_to_string(place.at("m2m-server.toml")).unwrap();
    let (first, second) = settings.rsplit_once("file = \"pin\"").unwrap();
    place.write("m2m-server.toml", &format!("{first}file = \"other\"{second}"));
    let serve = ["serve", "--listen", "127.0.0.1:0", "--config", "m2m-server.toml"];
    let (good, _, said) = place.try_to_run(binary(), &serve);
    assert!(!good && said.contains("two PINs are given for the token \"m2m\""), "{said}");
    assert!(!said.contains("canary"), "{said}");
}
