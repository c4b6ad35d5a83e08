//! A client secret, a private key and an access token that are looked for wherever they must not be: in what client
//! and server say at their most talkative, in kept tokens, on command lines.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use m2m_proto::jose::Algorithm;
use m2m_testkit::{FixedKeys, binary};

/// `m2m serve --dev`, and all that was seen of it and of its clients.
struct Scene {
    directory: tempfile::TempDir,
    server: Child,
    stdout: BufReader<ChildStdout>,
    issuer: String,
    secret: String,
    seen: Vec<(String, Vec<u8>)>,
}

impl Scene {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let stderr = File::create(directory.path().join("server.err")).unwrap();
        let mut server = command();
        server.args(["serve", "--dev", "-vvv", "--listen", "127.0.0.1:0", "--env-file", "dev.env"]);
        server.current_dir(&directory).stdout(Stdio::piped()).stderr(stderr);
        let mut server = server.spawn().unwrap();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        let mut said = String::new();
        while !said.contains("\nready ") {
            assert_ne!(stdout.read_line(&mut said).unwrap(), 0, "the server ended: {said}");
        }
        let exports = fs::read_to_string(directory.path().join("dev.env")).unwrap();
        // The file's lines are `export NAME='value'`.
        let value = |name: &str| exports.split('\'').skip_while(|text| !text.ends_with(name)).nth(1).unwrap();
        let (issuer, secret) = (value(" M2M_ISSUER=").to_owned(), value(" M2M_CLIENT_SECRET=").to_owned());
        let line = fs::read(format!("/proc/{}/cmdline", server.id())).unwrap_or_default();
        let seen = [("the server's stdout", said.into_bytes()), ("the server's command line", line)];
        let seen = seen.map(|(place, bytes)| (place.to_owned(), bytes)).into();
        Self { directory, server, stdout, issuer, secret, seen }
    }

    /// Runs a client that finds `stdin` on its standard input: its exit code and standard output, which is for the
    /// caller to judge. All else was seen.
    fn run(&mut self, arguments: &[&str], secret: Option<&str>, stdin: &str) -> (i32, String) {
        let mut client = command();
        client.args(arguments).arg("-vvv").current_dir(self.directory.path());
        client
            .env("HOME", self.directory.path().join("home"))
            .env("M2M_ISSUER", &self.issuer)
            .env("M2M_CLIENT_ID", "demo");
        client.env("M2M_AUDIENCE", "https://orders.example");
        client.envs(secret.map(|secret| ("M2M_CLIENT_SECRET", secret)));
        let piped = client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        // Before it gets its input: a client that reads a secret there still waits.
        let line = fs::read(format!("/proc/{}/cmdline", child.id())).unwrap_or_default();
        self.seen.push((format!("command line of {arguments:?}"), line));
        let _may_not_read_it = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        assert!(!output.stderr.is_empty(), "-vvv of {arguments:?} says nothing");
        self.seen.push((format!("stderr of {arguments:?}"), output.stderr));
        (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
    }

    /// Sees all that clients have left below `$HOME`, the kept tokens.
    fn see_store(&mut self) {
        let mut find = Command::new("find");
        find.current_dir(&self.directory).args(["home", "-type", "f", "-exec", "cat", "{}", "+"]);
        self.seen.push(("the store".to_owned(), find.output().unwrap().stdout));
    }

    /// Ends the server as its user would, and sees the rest of what it said.
    fn stop(&mut self) {
        let kill = format!("kill {}", self.server.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
        assert_eq!(self.server.wait().unwrap().code(), Some(0));
        self.stdout.read_to_end(&mut self.seen[0].1).unwrap();
        let stderr = fs::read_to_string(self.directory.path().join("server.err")).unwrap();
        assert!(stderr.contains("invalid_client"), "the server's -vvv says nothing of its clients");
        self.seen.push(("the server's stderr".to_owned(), stderr.into_bytes()));
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _reaped = self.server.wait();
    }
}

fn command() -> Command {
    static BINARY: LazyLock<PathBuf> = LazyLock::new(binary::m2m);
    let mut command = Command::new(&*BINARY);
    command.env_clear().env("RUST_LOG", "trace");
    command
}

#[test]
fn secrets_and_tokens_are_only_where_they_belong() {
    let mut scene = Scene::start();
    let secret = scene.secret.clone();
    let known = Some(secret.as_str());
    let pem = FixedKeys::signing(Algorithm::Es256).to_pkcs8_pem().unwrap();
    fs::write(scene.directory.path().join("key.pem"), pem.expose()).unwrap();

    let (exit, printed) = scene.run(&["token", "-o", "json", "--secret-stdin"], None, &secret);
    let token = serde_json::from_str::<serde_json::Value>(&printed).unwrap();
    let token = token["access_token"].as_str().unwrap().to_owned();
    assert!(exit == 0 && !printed.contains(&secret));
    fs::write(scene.directory.path().join("token"), &token).unwrap();
    scene.see_store();
    assert!(!scene.seen.last().unwrap().1.is_empty(), "no token is kept");

    let metadata = format!("{}/.well-known/oauth-authorization-server", scene.issuer);
    let wrong = format!("{secret}x");
    for (arguments, secret, expected) in [
        (&["request", "GET", &metadata, "-i"][..], known, 0),
        (&["introspect", "--token-file", "token"], known, 0),
        (&["revoke", "--token-file", "token"], known, 0),
        (&["introspect", "--token-file", "token"], known, 12),
        (&["revoke"], known, 0),
        (&["token", "--fresh", "--scope", "orders:delete"], known, 8),
        (&["token", "--fresh", "--json"], Some(&wrong), 7),
        (&["token", "--fresh", "--private-key-file", "key.pem"], None, 7),
    ] {
        let (exit, stdout) = scene.run(arguments, secret, "");
        assert_eq!(exit, expected, "{arguments:?}: {stdout}");
        scene.seen.push((format!("stdout of {arguments:?}"), stdout.into_bytes()));
    }
    scene.see_store();
    scene.stop();

    let mut canaries = vec![secret.clone(), STANDARD_NO_PAD.encode(format!("demo:{secret}"))];
    canaries.extend(pem.expose().lines().filter(|line| !line.starts_with('-')).map(str::to_owned));
    canaries.extend(token.split('.').skip(1).map(str::to_owned));
    for (place, bytes) in &scene.seen {
        let text = String::from_utf8_lossy(bytes);
        assert_eq!(canaries.iter().find(|canary| text.contains(*canary)), None, "in {place}");
    }
}
