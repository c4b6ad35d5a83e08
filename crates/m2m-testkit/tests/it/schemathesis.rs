//! PyPI `schemathesis` against the admin API of a running `m2m serve --dev`: it reads the OpenAPI document and tries what
//! it says, and what it does not say. Every answer has to be one that the document knows, and none a 500.
//!
//! What it found is in the document since; what it is not asked to try stands in `peers/schemathesis/runner.py`.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use m2m_testkit::binary::m2m;
use m2m_testkit::peers::{Peer, SCHEMATHESIS};
use serde_json::{Value, json};

/// `m2m serve --dev`, and what its administrator needs. Killed on drop.
struct Served {
    process: Child,
    issuer: String,
    secret: String,
}

impl Served {
    fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("dev.env");
        let mut command = Command::new(m2m());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"]).arg(&file);
        let mut process = command.env_clear().stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map_while(Result::ok);
        let issuer = lines.filter_map(|line| Some(line.strip_prefix("ready ")?.to_owned())).next();
        // It wrote the file before it said so.
        let text = std::fs::read_to_string(&file).unwrap();
        let secret = text.lines().find_map(|line| line.strip_prefix("export M2M_ADMIN_CLIENT_SECRET="));
        Self { process, issuer: issuer.unwrap(), secret: secret.unwrap().trim_matches('\'').to_owned() }
    }

    async fn get(&self, path: &str, token: &str) -> Value {
        let http = client();
        let sent = http.get(format!("{}{path}", self.issuer)).bearer_auth(token).send().await.unwrap();
        serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap()
    }

    /// A token of the administrator, who may do everything.
    async fn token(&self) -> String {
        let http = client();
        let form = format!(
            "grant_type=client_credentials&client_id=admin&client_secret={}\
             &scope=m2m%3Aread+m2m%3Awrite&resource={}%2Fadmin%2Fv1",
            self.secret,
            self.issuer.replace(':', "%3A").replace('/', "%2F")
        );
        let request = http.post(format!("{}/oauth2/token", self.issuer)).body(form);
        let sent = request.header("content-type", "application/x-www-form-urlencoded").send().await.unwrap();
        let answer: Value = serde_json::from_slice(&sent.bytes().await.unwrap()).unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }
}

#[expect(clippy::disallowed_methods, reason = "a stranger's HTTP client, to a server of this test")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

impl Drop for Served {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// Lets it try so many cases an operation.
async fn conforms(phases: &str, examples: u32) {
    let served = Served::start();
    let token = served.token().await;
    let listed = served.get("/admin/v1/clients/admin/credentials", &token).await;
    let ids = listed["items"].as_array().unwrap().iter().map(|item| item["id"].clone());
    let own: Vec<Value> = std::iter::once(json!("admin")).chain(ids).collect();
    let setup = json!({
        "description": format!("{}/admin/v1/openapi.json", served.issuer),
        "token": token, "own": own, "examples": examples, "seed": 1, "phases": phases,
    });
    let Some(mut peer) = Peer::start(SCHEMATHESIS, &setup) else { return };
    let told = peer.ask(&json!("go"));
    let failures: Vec<&str> = told["failures"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert_eq!(told["exit"], 0, "{}", failures.join("\n"));
    let operations = told["answered"].as_object().unwrap();
    assert!(told["tested"].as_u64().unwrap() >= 23, "every operation of the document");
    // Else it was locked out, and found nothing because it was told nothing.
    let answered = |status: &str| operations.values().filter(|told| !told[status].is_null()).count();
    assert!(answered("200") + answered("201") > 15, "{}", told["answered"]);
    assert_eq!(answered("429"), 0, "{}", told["answered"]);
}

#[tokio::test]
async fn the_admin_api_is_as_its_document_says() {
    conforms("examples,fuzzing", 8).await;
}

#[tokio::test]
#[ignore = "slow: a minute, in which what one answer gives is asked about in the next"]
async fn the_admin_api_is_as_its_document_says_one_call_after_another() {
    conforms("examples,fuzzing,stateful", 60).await;
}
