//! A pod of a cluster at `m2m serve`, through the command line alone: the cluster's keys are behind TLS under its own
//! authority and want its bearer, and the pod has no secret.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use m2m_io::{Clock as _, SystemClock};
use m2m_testkit::binary::m2m;
use m2m_testkit::certificates::{Authority, Flaw};
use m2m_testkit::tls::{Clients, TlsServer};
use m2m_testkit::workloads::{CLUSTER_BEARER, Platform};
use serde_json::{Value, json};
use tempfile::TempDir;

const ISSUER: &str = "https://kubernetes.default.svc.cluster.local";

/// A server that may read files and fetch keys of the cluster. Killed on drop.
struct Server {
    process: Child,
    issuer: String,
    place: TempDir,
}

impl Server {
    fn start(cluster: &TlsServer) -> Self {
        let place = tempfile::tempdir().unwrap();
        let files = place.path().join("cluster");
        fs::create_dir(&files).unwrap();
        let origin = cluster.url("");
        let settings = format!(
            "database = \"sqlite:m2m.db\"\nissuer_files = [\"cluster\"]\n[egress]\nallow = [\"{origin}\"]\n"
        );
        fs::write(place.path().join("m2m-server.toml"), settings).unwrap();
        let mut process = Command::new(m2m())
            .args(["serve", "--listen", "127.0.0.1:0", "--config", "m2m-server.toml"])
            .current_dir(&place)
            .env_clear()
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines().map(Result::unwrap);
        let lines: Vec<String> = lines.take_while(|line| !line.starts_with("ready ")).collect();
        let issuer = lines.iter().find_map(|line| line.strip_prefix("issuer ")).unwrap().to_owned();
        Self { process, issuer, place }
    }

    fn place(&self) -> &Path {
        self.place.path()
    }

    /// Exit code, result and what was said.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(m2m());
        command.args(arguments).current_dir(&self.place).env_clear().env("HOME", self.place());
        let output = command.output().unwrap();
        let [result, said] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        (output.status.code().unwrap(), result, said)
    }

    fn admin(&self, arguments: &[&str]) -> (i32, String, String) {
        self.run(&[&["--config", "m2m.db.admin.toml", "admin"], arguments].concat())
    }

    fn done(&self, arguments: &[&str]) {
        let (code, _, said) = self.admin(arguments);
        assert_eq!(code, 0, "{arguments:?}: {said}");
    }

    /// What `issuer explain` says of the token of the pod.
    fn explained(&self) -> (i32, Value) {
        let (code, told, said) = self.admin(&["issuer", "explain", "--token-file", "token", "--json"]);
        (code, serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}{said}")))
    }

    /// The pod asks for an access token with what is projected into it.
    fn asked(&self) -> (i32, String, String) {
        self.run(&[
            "token",
            "--issuer",
            &self.issuer,
            "--client-id",
            "orders",
            "--workload-token-file",
            "token",
        ])
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pod_gets_a_token_of_the_server_as_it_is_shipped() {
    let authority = Authority::new("cluster");
    let pod = Platform::kubernetes();
    let identity = authority.server(&["localhost"], Flaw::None);
    let cluster = TlsServer::start(&identity, Clients::NotAsked, pod.router()).await;
    let server = Server::start(&cluster);
    let write = |name: &str, text: &str| fs::write(server.place().join(name), text).unwrap();
    write("cluster/ca.crt", &authority.pem());
    write("cluster/other.crt", &Authority::new("other").pem());
    write("cluster/token", CLUSTER_BEARER);
    write("cluster/stale", "stale");
    let now = SystemClock.wall();
    let project = |changes: Value| {
        let mut claims = json!({"aud": [server.issuer]});
        claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
        write("token", &pod.token(now, &claims));
    };
    project(json!({}));
    let url = cluster.url("/openid/v1/jwks");
    let file = |name: &str| server.place().join("cluster").join(name).to_str().unwrap().to_owned();
    let fetched_with = |authority: &str, bearer: &str| {
        ["--jwks-url", &url, "--ca-file", &file(authority), "--bearer-file", &file(bearer)].map(str::to_owned)
    };
    let trusting = |verb: &[&str], fetch: [String; 6]| {
        server.done(&verb.iter().copied().chain(fetch.iter().map(String::as_str)).collect::<Vec<_>>());
    };
    server.done(&["api", "create", "https://orders.example", "--scope", "orders:read"]);
    trusting(&["issuer", "create", "cluster", "--issuer", ISSUER], fetched_with("other.crt", "token"));
    server.done(&["client", "create", "orders", "--grant", "https://orders.example=orders:read"]);
    server.done(&[
        "credential",
        "create",
        "orders",
        "--label",
        "prod",
        "--issuer",
        "cluster",
        "--external-subject",
        "system:serviceaccount:prod:orders",
        "--condition",
        "/kubernetes.io/namespace=prod",
    ]);
    let keys_are_out_of_reach = |why: &str| {
        let (code, told) = server.explained();
        assert!(code == 11 && told.to_string().contains(why), "{told}");
        let (code, result, said) = server.asked();
        assert!(code == 5 && result.is_empty(), "{code} {said}");
    };
    keys_are_out_of_reach("UnknownIssuer");
    trusting(&["issuer", "update", "cluster"], fetched_with("ca.crt", "stale"));
    keys_are_out_of_reach("401");
    trusting(&["issuer", "update", "cluster"], fetched_with("ca.crt", "token"));
    let (code, told) = server.explained();
    assert_eq!(code, 0, "{told}");
    assert_eq!((&told["accepted"], &told["client_id"]), (&json!(true), &json!("orders")), "{told}");
    let (code, result, said) = server.asked();
    assert_eq!(code, 0, "{said}");
    assert!(result.matches('.').count() >= 2, "{result}");

    project(json!({"sub": "system:serviceaccount:prod:billing"}));
    let (code, told) = server.explained();
    assert!(code != 0 && told["accepted"] == false, "{told}");
    let (code, result, _) = server.asked();
    assert!(code != 0 && result.is_empty(), "another service account");
    project(json!({"kubernetes.io": {"namespace": "dev"}}));
    let (code, told) = server.explained();
    assert_eq!((code, &told["failed"]), (11, &json!(["condition /kubernetes.io/namespace"])), "{told}");
    assert_ne!(server.asked().0, 0, "another namespace");
}
