//! Many processes and one encrypted store: one token request.
//!
//! The parent runs a token endpoint on loopback and starts this test binary
//! again and again; each child asks for a token through the store. The endpoint
//! answers only once every child is there, so that all of them contend.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use m2m_client::{Client, Credentials, EncryptedFileStore, Endpoints, FixedSecret, Server, TokenSpec};
use m2m_io::{OsRandom, SystemClock};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::client_id::ClientId;
use m2m_proto::secret::SecretString;
use m2m_proto::uri::EndpointUri;

const PROCESSES: usize = 40;
const NAME: &str = "forty_processes_on_one_store_cause_one_token_request";
const DIRECTORY: &str = "M2M_TEST_STORE_DIRECTORY";
const ADDRESS: &str = "M2M_TEST_STORE_ADDRESS";

/// How many children have come, and how many tokens were asked for.
#[derive(Default)]
struct Seen {
    alive: usize,
    asked: usize,
}

type Shared = Arc<(Mutex<Seen>, Condvar)>;

#[test]
fn forty_processes_on_one_store_cause_one_token_request() {
    if let (Some(directory), Some(address)) = (setting(DIRECTORY), setting(ADDRESS)) {
        return child(Path::new(&directory), &address);
    }
    let directory = tempfile::tempdir().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let seen = Shared::default();
    let shared = Arc::clone(&seen);
    std::thread::spawn(move || serve(&listener, &shared));
    let program = std::env::current_exe().unwrap();
    let children: Vec<_> = (0..PROCESSES)
        .map(|_| {
            Command::new(&program)
                .args(["--exact", NAME, "--nocapture"])
                .env(DIRECTORY, directory.path().join("tokens"))
                .env(ADDRESS, &address)
                .stdout(Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    for child in children {
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains("token=t1"), "{text}");
    }
    let seen = seen.0.lock().unwrap();
    assert_eq!((seen.alive, seen.asked), (PROCESSES, 1));
}

#[expect(clippy::disallowed_methods, reason = "how the parent tells its children what to do")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn child(directory: &Path, address: &str) {
    let mut hello = TcpStream::connect(address).unwrap();
    hello.write_all(b"GET /alive HTTP/1.1\r\n\r\n").unwrap();
    let (clock, random) = (Arc::new(SystemClock), Arc::new(OsRandom));
    let endpoint = EndpointUri::parse(&format!("http://{address}/token")).unwrap();
    let secret = Arc::new(FixedSecret::new(SecretString::from("a secret of the test")));
    let client = Client::builder(Server::endpoints(Endpoints::token(endpoint)))
        .client_id(ClientId::parse("c").unwrap())
        .credentials(Credentials::secret(secret, None, ClientAuthMethod::ClientSecretBasic))
        .store(Arc::new(EncryptedFileStore::open(directory, clock, random).unwrap()))
        .mint_deadline(Duration::from_secs(120))
        .limits(m2m_io::Limits { timeout: Duration::from_secs(60), ..m2m_io::Limits::default() })
        .build()
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let token = runtime.block_on(client.token(&TokenSpec::default())).unwrap();
    println!("token={}", token.access_token().expose());
}

fn serve(listener: &TcpListener, shared: &Shared) {
    for stream in listener.incoming() {
        let shared = Arc::clone(shared);
        std::thread::spawn(move || answer(stream.unwrap(), &shared));
    }
}

/// One request on one connection.
fn answer(mut stream: TcpStream, shared: &Shared) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut first, mut length) = (String::new(), 0);
    reader.read_line(&mut first).unwrap();
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let (seen, changed) = &**shared;
    let mut seen = seen.lock().unwrap();
    if first.contains("/alive") {
        seen.alive += 1;
        changed.notify_all();
        return;
    }
    seen.asked += 1;
    let number = seen.asked;
    drop(changed.wait_while(seen, |seen| seen.alive < PROCESSES).unwrap());
    let body = format!(r#"{{"access_token":"t{number}","token_type":"Bearer","expires_in":600}}"#);
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
}
