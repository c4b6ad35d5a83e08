//! The binary on SQLite, killed in the middle of writes: what was acknowledged is as acknowledged.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use m2m_io::task;
use m2m_testkit::binary::m2m;
use serde_json::{Value, json};

/// A running server and how it is reached.
struct Running {
    process: Child,
    issuer: String,
}

impl Running {
    fn start(directory: &Path, address: &str) -> Self {
        let mut process = Command::new(m2m())
            .args(["serve", "--listen", address, "--database", "sqlite:m2m.db"])
            .current_dir(directory)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let issuer = loop {
            let line = lines.next().expect("the server ended before it was ready").unwrap();
            if let Some(issuer) = line.strip_prefix("ready ") {
                break issuer.to_owned();
            }
        };
        Self { process, issuer }
    }

    fn address(&self) -> String {
        self.issuer.strip_prefix("http://").unwrap().to_owned()
    }

    /// SIGKILL: nothing is written out, nobody says good-bye.
    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}

/// Calls of one administrator.
#[derive(Clone)]
struct Caller {
    http: reqwest::Client,
    issuer: String,
    token: String,
}

/// Status and JSON; `None` when no answer came, so that nothing is known.
type Answer = Option<(u16, Value)>;

async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.ok()?;
    let status = response.status().as_u16();
    Some((status, serde_json::from_slice(&response.bytes().await.ok()?).ok()?))
}

async fn token(http: &reqwest::Client, issuer: &str, client: &str, secret: &str) -> Answer {
    let form = [("grant_type", "client_credentials"), ("client_id", client), ("client_secret", secret)];
    let body: Vec<String> = form.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let request = http.post(format!("{issuer}/oauth2/token"));
    answer(request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))).await
}

impl Caller {
    async fn new(running: &Running, directory: &Path) -> Self {
        let http = client();
        let secret = std::fs::read_to_string(directory.join("m2m.db.admin.secret")).unwrap();
        let (status, answer) = token(&http, &running.issuer, "admin", secret.trim()).await.unwrap();
        assert_eq!(status, 200, "{answer}");
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { http, issuer: running.issuer.clone(), token }
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        let request = self.http.post(format!("{}/admin/v1{path}", self.issuer)).bearer_auth(&self.token);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}/admin/v1{path}", self.issuer)).bearer_auth(&self.token);
        let (status, body) = answer(request).await.unwrap();
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

#[expect(clippy::disallowed_methods, reason = "calls a server of ours on loopback, as a stranger would")]
fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap()
}

/// What one writer was told, in order.
#[derive(Default)]
struct Acknowledged {
    clients: Vec<String>,
    /// Client, secret.
    working: Vec<(String, String)>,
    /// Client, secret, credential.
    revoked: Vec<(String, String, String)>,
    /// Old credential, new credential.
    rotated: Vec<(String, String)>,
}

/// Makes clients, credentials, rotations and revocations until no answer comes any more.
async fn write(caller: Caller, writer: u32, acknowledged_total: Arc<AtomicU64>) -> Acknowledged {
    let mut told = Acknowledged::default();
    for number in 0.. {
        let id = format!("w{writer}-{number}");
        let grants = json!([{"api": "https://orders.example", "scopes": ["read"]}]);
        let Some((201, _)) = caller.post("/clients", json!({"id": id, "grants": grants})).await else {
            break;
        };
        told.clients.push(id.clone());
        let order = json!({"label": "one", "method": "client_secret"});
        let Some((201, made)) = caller.post(&format!("/clients/{id}/credentials"), order).await else {
            break;
        };
        acknowledged_total.fetch_add(2, Ordering::Relaxed);
        let text = |value: &Value, name: &str| value[name].as_str().unwrap().to_owned();
        let (credential, secret) = (text(&made, "id"), text(&made, "client_secret"));
        match number % 3 {
            0 => told.working.push((id, secret)),
            1 => match caller.post(&format!("/credentials/{credential}/revoke"), json!({})).await {
                Some((200, _)) => told.revoked.push((id, secret, credential)),
                _ => break,
            },
            _ => {
                match caller.post(&format!("/credentials/{credential}/rotate"), json!({"overlap": 60})).await
                {
                    Some((201, next)) => {
                        told.rotated.push((credential, text(&next, "id")));
                        told.working.push((id.clone(), secret));
                        told.working.push((id, text(&next, "client_secret")));
                    }
                    _ => break,
                }
            }
        }
        acknowledged_total.fetch_add(1, Ordering::Relaxed);
    }
    told
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_before_a_kill_is_as_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let running = Running::start(directory.path(), "127.0.0.1:0");
    let address = running.address();
    let caller = Caller::new(&running, directory.path()).await;
    let api = json!({"identifier": "https://orders.example", "scopes": ["read"]});
    assert_eq!(caller.post("/apis", api).await.map(|(status, _)| status), Some(201));

    let (total, stop) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        writers.spawn(write(caller.clone(), writer, Arc::clone(&total)));
    }
    // Token requests go on all the while, so that audit batches are under way too.
    let load = task::spawn_detached("load", {
        let (caller, stop) = (caller.clone(), Arc::clone(&stop));
        async move {
            while !stop.load(Ordering::Relaxed) {
                let _refused = token(&caller.http, &caller.issuer, "nobody", "nothing").await;
            }
        }
    });
    while total.load(Ordering::Relaxed) < 150 {
        tokio::task::yield_now().await;
    }
    running.kill();
    stop.store(true, Ordering::Relaxed);
    load.join().await;
    let mut told = Vec::new();
    while let Some(one) = writers.join_next().await {
        told.push(one.unwrap());
    }

    let running = Running::start(directory.path(), &address);
    let caller = Caller::new(&running, directory.path()).await;
    let mut checked = 0;
    for one in told {
        for id in &one.clients {
            assert_eq!(caller.get(&format!("/clients/{id}")).await["id"], json!(id));
        }
        for (client, secret) in &one.working {
            let (status, body) = token(&caller.http, &caller.issuer, client, secret).await.unwrap();
            assert_eq!(status, 200, "{client}: {body}");
        }
        for (client, secret, credential) in &one.revoked {
            assert_eq!(caller.get(&format!("/credentials/{credential}")).await["status"], "revoked");
            let (status, body) = token(&caller.http, &caller.issuer, client, secret).await.unwrap();
            assert_eq!((status, &body["error"]), (400, &json!("invalid_client")), "{client}");
        }
        for (old, new) in &one.rotated {
            assert_eq!(caller.get(&format!("/credentials/{old}")).await["replaced_by"], json!(new));
        }
        checked += one.clients.len() + one.working.len() + one.revoked.len() + one.rotated.len();
    }
    assert!(checked > 100, "{checked}");
}
