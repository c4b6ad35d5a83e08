//! The six services that most people meet first, as a stranger meets them: the real binary, their real names, their
//! own words when something is wrong. `m2m profile add` by flags alone makes a profile that works; and whatever goes
//! wrong has a kind, a code, and a hint that says where in that service's own settings it is put right.

mod canary;
mod meets;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::LazyLock;

use m2m_proto::jose::{Algorithm, SigningKey};
use m2m_testkit::FixedKeys;
use m2m_testkit::lab::six::{self, Provider};
use m2m_testkit::lab::{
    AssertionRule, Behaviour, ClientProof, ExpiresIn, GrantRule, Lab, Outcome, ProxyManner, SignedToken,
    Situation, Subject, Success, Tunnel,
};
use serde_json::Value;
use tempfile::TempDir;

use self::meets::Says;

/// How a service says what is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Words {
    /// As it was recorded for the catalogue.
    Recorded,
    /// Otherwise: texts change, codes stay.
    Others,
}

/// A service under its own name, and somebody's machine.
struct Scene {
    provider: Provider,
    lab: Lab,
    tunnel: Tunnel,
    home: TempDir,
}

impl Scene {
    /// With the words of the catalogue's recorded answers.
    fn new(id: &str, method: &str) -> Self {
        Self::saying(id, method, Words::Recorded)
    }

    fn saying(id: &str, method: &str, words: Words) -> Self {
        let provider = six::find(id, method);
        if words == Words::Others {
            return Self::of(provider);
        }
        let answers = format!("../m2m-client/providers/answers/{}.toml", provider.id);
        let answers = Path::new(env!("CARGO_MANIFEST_DIR")).join(answers);
        let answers = fs::read_to_string(&answers).unwrap_or_else(|error| panic!("{answers:?}: {error}"));
        Self::of(provider.with_recorded(&answers))
    }

    fn of(provider: Provider) -> Self {
        let lab = Lab::in_thread(provider.behaviour.clone());
        let tunnel = Tunnel::in_thread(&lab, ProxyManner::Tunnels);
        let home = tempfile::tempdir().unwrap();
        let scene = Self { provider, lab, tunnel, home };
        scene.write("secret", six::SECRET);
        if let Some(algorithm) = scene.provider.algorithm {
            scene.write("key.pem", FixedKeys::pem(algorithm));
        }
        scene.write("certificate.pem", &six::certificate_pem());
        scene
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        fs::write(self.path(name), content).unwrap();
    }

    /// `m2m` with nothing in its environment but a home and the way to the service.
    fn command(&self, words: &[&str]) -> Command {
        static BINARY: LazyLock<PathBuf> = LazyLock::new(m2m_testkit::binary::m2m);
        let mut command = Command::new(&*BINARY);
        command.args(words).current_dir(self.home.path());
        command.env_clear().env("HOME", self.home.path()).env("HTTPS_PROXY", self.tunnel.proxy_url());
        command
    }

    fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// Who the client is and which service it asks, as flags.
    fn who(&self) -> Vec<String> {
        let provider = &self.provider;
        let mut flags = vec!["--provider".to_owned(), provider.id.to_owned()];
        for (name, value) in &provider.variables {
            flags.extend(["--var".to_owned(), format!("{name}={value}")]);
        }
        flags.extend(["--client-id".to_owned(), provider.client_id.to_owned()]);
        flags.extend(["--ca-file".to_owned(), self.tunnel.ca_file().display().to_string()]);
        let credential: &[&str] = match (provider.algorithm, provider.id) {
            (None, _) => &["--secret-file", "secret"],
            (Some(_), "entra") => &["--private-key-file", "key.pem", "--certificate-file", "certificate.pem"],
            (Some(_), _) => &["--private-key-file", "key.pem"],
        };
        flags.extend(credential.iter().map(|flag| (*flag).to_owned()));
        flags
    }

    /// What it asks for, as flags.
    fn what(&self) -> Vec<String> {
        let scopes = self.provider.scopes.iter().flat_map(|scope| ["--scope", scope]);
        let audience = self.provider.audience.iter().flat_map(|audience| ["--audience", audience]);
        scopes.chain(audience).map(str::to_owned).collect()
    }

    fn add(&self, name: &str, flags: &[Vec<String>], more: &[&str]) -> Output {
        let flags: Vec<&str> = flags.iter().flatten().map(String::as_str).collect();
        self.run(&[&["profile", "add", name], &flags[..], more].concat())
    }

    /// A profile that is not tried.
    fn added(&self, name: &str, flags: &[Vec<String>]) {
        let output = self.add(name, flags, &["--no-test"]);
        assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    }

    /// What is not as it was asked for is an error from now on.
    fn inspect_strictly(&self) {
        let file = self.path(".config/m2m/m2m.toml");
        let profile = fs::read_to_string(&file).unwrap();
        fs::write(&file, profile + "inspect = \"error\"\n").unwrap();
    }

    /// The profile's token is refused: exit code, code and kind as a program reads them, and the hint.
    fn refused(&self, profile: &str) -> Refusal {
        let output = self.run(&["token", "-p", profile, "--no-store", "--json"]);
        let stderr = text(&output.stderr);
        assert!(output.stdout.is_empty(), "{stderr}");
        assert!(!stderr.contains(six::SECRET) && !stderr.contains("eyJ"), "{stderr}");
        let line = stderr.lines().find(|line| line.starts_with('{'));
        let line = line.unwrap_or_else(|| panic!("{}: nothing for a program: {stderr}", self.provider.id));
        let error = serde_json::from_str::<Value>(line).unwrap()["error"].take();
        let member = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
        assert_eq!(error["exit"].as_i64(), output.status.code().map(i64::from), "{stderr}");
        Refusal {
            exit: output.status.code().unwrap(),
            kind: member("kind"),
            code: member("code"),
            hint: member("hint"),
        }
    }

    fn last(&self) -> Outcome {
        self.lab.outcomes().pop().expect("the service was asked")
    }
}

#[derive(Debug)]
struct Refusal {
    exit: i32,
    kind: String,
    code: String,
    hint: String,
}

impl Refusal {
    #[track_caller]
    fn is(&self, (exit, code, hint): Says, what: &str) {
        self.ends(exit, code, what);
        self.names(hint, what);
    }

    #[track_caller]
    fn ends(&self, exit: i32, code: &str, what: &str) {
        let expected = if exit == 10 { "peer_misbehaved" } else { "refused" };
        let found = (self.exit, self.code.as_str(), self.kind.as_str());
        assert_eq!(found, (exit, code, expected), "{what}: {self:?}");
    }

    /// The service's own place, by its name there.
    #[track_caller]
    fn names(&self, hint: &str, what: &str) {
        assert!(self.hint.contains(hint), "{what}: {hint:?} is not in {:?}", self.hint);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A key that the service does not know, in place of the one that it knows.
fn other_key() -> String {
    SigningKey::generate(Algorithm::Rs256).unwrap().to_pkcs8_pem().unwrap().expose().to_string()
}

fn scenes() -> impl Iterator<Item = (meets::Meets, Scene)> {
    meets::all().into_iter().map(|meets| {
        let scene = Scene::new(meets.id, meets.method);
        (meets, scene)
    })
}

/// The same with words that the catalogue does not know: the code leads there all the same.
#[test]
fn other_words_lead_to_the_same_place() {
    let key = other_key();
    for meets in meets::all() {
        let name = format!("{} by {}", meets.id, meets.method);
        let scene = Scene::saying(meets.id, meets.method, Words::Others);
        scene.added("orders", &[scene.who(), scene.what()]);
        scene.added("bare", &[scene.who()]);
        scene.lab.change(|behaviour| behaviour.denies = Some(Situation::UnauthorizedApi));
        scene.refused("orders").names(meets.unauthorized.2, &name);
        // That of Salesforce is known by its words alone: the code says nothing of a scope.
        if meets.id != "salesforce-cc" {
            scene.lab.change(|behaviour| behaviour.denies = meets.missing_there.clone());
            scene.refused("bare").names(meets.missing.2, &name);
        }
        scene.write("secret", "another");
        scene.write("key.pem", &key);
        scene.refused("orders").names(meets.wrong_secret.2, &name);
    }
}

#[test]
fn flags_alone_make_a_profile_that_works() {
    for (meets, scene) in scenes() {
        let name = format!("{} by {}", meets.id, meets.method);
        let output = scene.add("orders", &[scene.who(), scene.what()], &[]);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(0), "{name}: {stdout}{stderr}");
        assert!(stdout.contains("\ntoken        Bearer, expires in "), "{name}: {stdout}");
        assert_eq!(scene.lab.outcomes(), [Outcome::Granted], "{name}: it was tried");
        let token = scene.run(&["token", "-p", "orders", "--no-store", "-o", "bare"]);
        assert_eq!(token.status.code(), Some(0), "{name}: {}", text(&token.stderr));
        assert_eq!(text(&token.stdout).lines().count(), 1, "{name}");
        assert_eq!(scene.lab.outcomes().len(), 2);
        let hosts =
            scene.lab.requests().into_iter().map(|request| request.header("host").unwrap().to_owned());
        assert!(hosts.eq([scene.provider.host; 2].map(str::to_owned)), "{name}");
        let told = [stdout, stderr, text(&token.stderr)].concat();
        assert!(!told.contains(six::SECRET) && !told.contains("eyJ"), "{name}: {told}");
    }
}

#[test]
fn a_wrong_secret_is_told_in_the_services_own_words() {
    let key = other_key();
    for (meets, scene) in scenes() {
        scene.added("orders", &[scene.who(), scene.what()]);
        scene.write("secret", "another");
        scene.write("key.pem", &key);
        scene.refused("orders").is(meets.wrong_secret, &format!("{} by {}", meets.id, meets.method));
        assert!(matches!(scene.last(), Outcome::Refused(Situation::WrongClient | Situation::WrongGrant)));
    }
}

#[test]
fn a_missing_audience_or_scope_is_told_in_the_services_own_words() {
    for (meets, scene) in scenes() {
        scene.added("orders", &[scene.who()]);
        if let Some(situation) = meets.missing_there {
            scene.lab.change(|behaviour| behaviour.denies = Some(situation));
        }
        scene.refused("orders").is(meets.missing, &format!("{} by {}", meets.id, meets.method));
        assert!(matches!(
            scene.last(),
            Outcome::Refused(Situation::MissingParameter(_) | Situation::UnknownScope)
        ));
    }
}

#[test]
fn an_unauthorized_api_is_told_in_the_services_own_words() {
    for (meets, scene) in scenes() {
        scene.added("orders", &[scene.who(), scene.what()]);
        scene.lab.change(|behaviour| behaviour.denies = Some(Situation::UnauthorizedApi));
        scene.refused("orders").is(meets.unauthorized, &format!("{} by {}", meets.id, meets.method));
        assert_eq!(scene.last(), Outcome::Refused(Situation::UnauthorizedApi));
    }
}

/// What is signed now is signed in the future for a service five minutes behind. Where a secret is shown, nothing is
/// signed here, and a token is got all the same; but one of five minutes is over when it arrives, which is told, and is
/// an error for who wants it to be one.
#[test]
fn a_clock_five_minutes_off_is_told_in_the_services_own_words() {
    for (meets, scene) in scenes() {
        let name = format!("{} by {}", meets.id, meets.method);
        scene.added("orders", &[scene.who(), scene.what()]);
        scene.lab.change(|behaviour| behaviour.clock_offset = -300);
        let signs = scene.provider.algorithm.is_some();
        let Some(says) = meets.clock else {
            let token = scene.run(&["token", "-p", "orders", "--no-store", "-o", "bare"]);
            assert_eq!(token.status.code(), Some(0), "{name}: {}", text(&token.stderr));
            continue;
        };
        if !signs {
            let mut token = SignedToken::new("{origin}/", "{audience}");
            token.lifetime = 300;
            let success = Success::bearer().expires_in(ExpiresIn::Seconds(300)).signed(token);
            scene.lab.change(|behaviour| behaviour.success = success);
            let output = scene.run(&["token", "-p", "orders", "--no-store", "-o", "bare"]);
            let warned = text(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{name}: {warned}");
            assert!(warned.contains(says.2) && warned.contains("this machine's clock"), "{name}: {warned}");
            scene.inspect_strictly();
        }
        let refusal = scene.refused("orders");
        refusal.is(says, &name);
        assert!(refusal.hint.contains("clock"), "{name}: {}", refusal.hint);
        let expected = if signs { Outcome::Refused(Situation::Clock) } else { Outcome::Granted };
        assert_eq!(scene.last(), expected, "{name}");
    }
}

/// Salesforce notices a clock where an assertion is the grant.
#[test]
fn a_clock_five_minutes_off_is_told_where_salesforce_is_shown_an_assertion() {
    let mut provider = six::find("salesforce-cc", "client_secret_post");
    (provider.id, provider.method, provider.algorithm) = ("salesforce-jwt", "none", Some(Algorithm::Rs256));
    (provider.host, provider.variables) = ("login.salesforce.com", Vec::new());
    let rule = AssertionRule {
        subject: Subject::Exactly("orders@example.com".to_owned()),
        ..AssertionRule::jwt_bearer(
            provider.client_id,
            FixedKeys::signing(Algorithm::Rs256).verifying_key().clone(),
            "https://login.salesforce.com",
        )
    };
    let recorded = m2m_testkit::lab::Answer::oauth(400, "invalid_grant", "expired authorization code");
    provider.behaviour = Behaviour {
        token_path: "/services/oauth2/token".to_owned(),
        grant: GrantRule::jwt_bearer(rule),
        success: provider.behaviour.success.clone(),
        ..Behaviour::new(ClientProof::None)
    }
    .error(Situation::Clock, recorded);
    let scene = Scene::of(provider);
    let subject = ["--param", "sub=orders@example.com"].map(str::to_owned).to_vec();
    let output = scene.add("orders", &[scene.who(), subject], &[]);
    assert_eq!(output.status.code(), Some(0), "{}{}", text(&output.stdout), text(&output.stderr));
    scene.lab.change(|behaviour| behaviour.clock_offset = -300);
    scene.refused("orders").is((8, "invalid_grant", "Setup"), "salesforce-jwt");
    assert_eq!(scene.last(), Outcome::Refused(Situation::Clock));
}

/// What callers of this service need besides the token is there for people and programs.
#[test]
fn the_address_of_the_api_comes_with_the_token() {
    let scene = Scene::new("salesforce-cc", "client_secret_post");
    scene.added("orders", &[scene.who()]);
    let output = scene.run(&["token", "-p", "orders", "--no-store", "-o", "json"]);
    let token: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(token["extra"]["instance_url"], "https://acme.my.salesforce.com");
    assert_eq!(token["access_token"], "00D000000000001!AQ0AQ.salesforce-test-token");
    let output = scene.run(&["token", "-p", "orders", "--no-store", "-o", "env"]);
    assert!(text(&output.stdout).contains("M2M_INSTANCE_URL="), "{}", text(&output.stdout));
}

/// The token endpoint of Cognito is on another host than its issuer; the metadata says so, and that is enough.
#[test]
fn an_issuer_may_have_its_token_endpoint_on_another_host() {
    let scene = Scene::new("cognito", "client_secret_basic");
    let issuer = "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example";
    let ca_file = scene.tunnel.ca_file().display().to_string();
    let (client_id, scope) = (scene.provider.client_id, scene.provider.scopes[0]);
    let who = ["--issuer", issuer, "--client-id", client_id, "--secret-file", "secret", "--scope", scope];
    let output =
        scene.run(&[&["token", "--no-store", "-o", "bare", "--ca-file", &ca_file], &who[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let mut hosts = scene.tunnel.targets();
    hosts.dedup();
    assert_eq!(hosts, ["cognito-idp.eu-west-1.amazonaws.com:443", &format!("{}:443", scene.provider.host)]);
}
