//! A secret and a key that are looked for on the machine of somebody who made a profile: on command lines, in what
//! was said at its most talkative and in what programs read, and in every file but the one that is theirs.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use m2m_proto::form::encode_component;
use m2m_testkit::lab::{BasicReading, ClientProof, Place, SharedSecret};

use super::{Scene, text};

/// Needs encoding wherever it goes.
const SECRET: &str = "canary/7f3a91+%2B";

/// A scene, and all that was seen in it.
struct Watched {
    scene: Scene,
    seen: Vec<(String, String)>,
}

impl Watched {
    /// The service takes [`SECRET`].
    fn new(id: &str, method: &str) -> Self {
        let scene = Scene::new(id, method);
        scene.lab.change(|behaviour| {
            let shared = |known: &SharedSecret| SharedSecret::new(&known.client_id, SECRET);
            behaviour.client = match &behaviour.client {
                ClientProof::Basic(known, _) => ClientProof::Basic(shared(known), BasicReading::Raw),
                ClientProof::Parameters(known, _) => ClientProof::Parameters(shared(known), Place::Form),
                other => other.clone(),
            };
        });
        Self { scene, seen: Vec::new() }
    }

    /// Runs the binary at its most talkative; the exit code, and what programs read.
    fn run(&mut self, words: &[String], stdin: &str) -> (Option<i32>, String) {
        let words: Vec<&str> = words.iter().map(String::as_str).chain(["-vvv"]).collect();
        let mut command = self.scene.command(&words);
        command.env("RUST_LOG", "trace").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let proc = PathBuf::from(format!("/proc/{}", child.id()));
        // Before it gets its input: who reads a secret there still waits.
        for file in ["cmdline", "environ"] {
            let line = fs::read(proc.join(file)).unwrap_or_default();
            self.see(&format!("{file} of {words:?}"), &line);
        }
        let _may_not_read_it = child.stdin.take().unwrap().write_all(stdin.as_bytes());
        let output = child.wait_with_output().unwrap();
        self.see(&format!("stderr of {words:?}"), &output.stderr);
        (output.status.code(), text(&output.stdout))
    }

    /// The same; standard output has no token in it and is seen, too.
    fn shows(&mut self, words: &[&str], stdin: &str, exit: i32) {
        let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        let (code, stdout) = self.run(&words, stdin);
        assert_eq!(code, Some(exit), "{words:?}: {stdout}{}", self.seen.last().unwrap().1);
        self.see(&format!("stdout of {words:?}"), stdout.as_bytes());
    }

    fn see(&mut self, place: &str, bytes: &[u8]) {
        self.seen.push((place.to_owned(), text(bytes)));
    }

    /// Every file below the home but these, whose owner alone may read them.
    fn see_files(&mut self, secrets: &[PathBuf]) {
        for file in files(self.scene.home.path()) {
            if secrets.contains(&file) {
                let mode = fs::metadata(&file).unwrap().permissions().mode() & 0o777;
                assert_eq!(mode, 0o600, "{}", file.display());
                continue;
            }
            let content = fs::read(&file).unwrap();
            self.see(&file.display().to_string(), &content);
        }
    }

    fn has_none_of(&self, canaries: &[String]) {
        for (place, text) in &self.seen {
            let told = canaries.iter().find(|canary| text.contains(canary.as_str()));
            assert_eq!(told, None, "in {place}: {text}");
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

fn canaries(client_id: &str) -> Vec<String> {
    let encoded = encode_component(SECRET).as_str().to_owned();
    let pair = |secret: &str| STANDARD_NO_PAD.encode(format!("{client_id}:{secret}"));
    // Half of the pair shows the rest.
    let pairs = [pair(SECRET), pair(&encoded)].map(|pair| pair[pair.len() / 2..].to_owned());
    [vec![SECRET.to_owned(), encoded, "canary".to_owned()], pairs.to_vec()].concat()
}

#[test]
fn the_secret_of_a_profile_is_only_where_it_belongs() {
    for (id, method) in [
        ("auth0", "client_secret_post"),
        ("okta-custom", "client_secret_basic"),
        ("cognito", "client_secret_basic"),
    ] {
        let mut watched = Watched::new(id, method);
        if id == "cognito" {
            watched.scene.lab.change(|behaviour| {
                if let ClientProof::Basic(_, reading) = &mut behaviour.client {
                    *reading = BasicReading::FormDecoded;
                }
            });
        }
        let mut who = watched.scene.who();
        who.truncate(who.len() - 2);
        let who = [who, watched.scene.what()].concat();
        let flags: Vec<&str> = who.iter().map(String::as_str).chain(["--secret-stdin"]).collect();
        watched.shows(&[&["profile", "add", "orders"], &flags[..]].concat(), SECRET, 0);
        watched.shows(&[&["profile", "add", "second", "--json"], &flags[..]].concat(), SECRET, 0);
        watched.shows(&["profile", "show", "orders"], "", 0);
        watched.shows(&["profile", "show", "orders", "--json"], "", 0);
        watched.shows(&["profile", "list", "--json"], "", 0);
        watched.shows(&["profile", "test", "orders"], "", 0);
        watched.shows(&["profile", "test", "orders", "--json"], "", 0);
        let token = ["token", "-p", "orders", "-o", "json"].map(str::to_owned);
        let (code, token) = watched.run(&token, "");
        assert_eq!(code, Some(0));
        watched.see("what a program reads of a token", token.as_bytes());
        // A service that says back what it was sent.
        let said = format!("no client has {SECRET} or {}", encode_component(SECRET).as_str());
        let quoting = m2m_testkit::lab::Answer::oauth(401, "invalid_client", &said);
        watched.scene.lab.change(|behaviour| {
            behaviour.denies = Some(m2m_testkit::lab::Situation::WrongClient);
            behaviour.errors.set(m2m_testkit::lab::Situation::WrongClient, quoting);
        });
        for words in [
            &["token", "-p", "orders", "--fresh", "--json"][..],
            &["profile", "test", "orders"],
            &["profile", "test", "orders", "--json"],
        ] {
            watched.shows(words, "", 7);
        }
        let secrets = watched.scene.path(".config/m2m/secrets");
        let kept = ["orders", "second"].map(|name| secrets.join(name));
        for file in &kept {
            assert_eq!(fs::read_to_string(file).unwrap().trim_end(), SECRET);
        }
        fs::remove_file(watched.scene.path("secret")).unwrap();
        watched.see_files(&kept);
        watched.has_none_of(&canaries(watched.scene.provider.client_id));
    }
}

/// The same of a private key, and of the assertions that it signs.
#[test]
fn the_key_of_a_profile_is_only_where_it_belongs() {
    for (id, method) in [("entra", "private_key_jwt"), ("google-sa", "none")] {
        let mut watched = Watched::new(id, method);
        let who = [watched.scene.who(), watched.scene.what()].concat();
        let flags: Vec<&str> = who.iter().map(String::as_str).collect();
        watched.shows(&[&["profile", "add", "orders"], &flags[..]].concat(), "", 0);
        watched.shows(&["profile", "show", "orders", "--json"], "", 0);
        watched.shows(&["profile", "test", "orders", "--json"], "", 0);
        watched.scene.lab.change(|behaviour| behaviour.clock_offset = -300);
        let exit = if id == "entra" { 7 } else { 8 };
        watched.shows(&["token", "-p", "orders", "--no-store", "--json"], "", exit);
        fs::remove_file(watched.scene.path("key.pem")).unwrap();
        watched.see_files(&[]);
        let pem = watched.scene.provider.key_pem().unwrap();
        let lines = pem.lines().filter(|line| !line.starts_with('-'));
        let assertions = watched.scene.lab.requests().into_iter().map(|request| {
            let name = if id == "entra" { "client_assertion" } else { "assertion" };
            let assertion = request.form(name).remove(0);
            assertion.rsplit('.').next().unwrap().to_owned()
        });
        let canaries: Vec<String> = lines.map(str::to_owned).chain(assertions).collect();
        assert!(canaries.len() > 20);
        watched.has_none_of(&canaries);
    }
}
