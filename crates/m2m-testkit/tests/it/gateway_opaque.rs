//! `m2m gateway` and opaque tokens: the issuer is asked, as the client of a profile.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use m2m_testkit::binary;

const API: &str = "https://opaque.example";

/// A process that says `ready URL`, killed when dropped.
struct Running {
    process: Child,
    url: String,
}

impl Running {
    fn start(command: &mut Command) -> Self {
        let mut process = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let url = loop {
            let line = lines.next().expect("it ended before it was ready").unwrap();
            if let Some(url) = line.strip_prefix("ready ") {
                break url.to_owned();
            }
        };
        Self { process, url }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

fn m2m(directory: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(binary::m2m());
    command.env_clear().env("HOME", directory).current_dir(directory).args(arguments);
    command
}

/// Runs an administrative command with the variables that `serve --dev` wrote.
fn admin(directory: &Path, line: &str) -> Output {
    let script = format!(". ./dev.env && exec {} {line}", binary::m2m().display());
    let output = Command::new("sh").args(["-c", &script]).current_dir(directory).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// The status of `GET /livez` through the gateway.
fn ask(gateway: &str, token: &str) -> u16 {
    let address = gateway.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    write!(
        stream,
        "GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

/// A client with a secret of its own, in the file that a profile names.
fn client(directory: &Path, id: &str) {
    let made =
        admin(directory, &format!("admin credential create {id} --label {id} --method client_secret --json"));
    let made: serde_json::Value = serde_json::from_slice(&made.stdout).unwrap();
    std::fs::write(directory.join(id), made["client_secret"].as_str().unwrap()).unwrap();
}

#[test]
fn an_opaque_token_is_let_in_while_its_issuer_says_that_it_is_active() {
    let place = tempfile::tempdir().unwrap();
    let directory = place.path();
    let serve = ["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file", "dev.env"];
    let server = Running::start(&mut m2m(directory, &serve));
    admin(directory, "admin client create orders-rs --grant https://orders.example=orders:read");
    admin(
        directory,
        &format!("admin api create {API} --scope read --format opaque --resource-server orders-rs"),
    );
    admin(directory, &format!("admin client create caller --grant {API}=read"));
    client(directory, "orders-rs");
    client(directory, "caller");
    let issuer = &server.url;
    let profile = |id: &str| {
        format!(
            "[profiles.{id}]\nissuer = \"{issuer}\"\nclient_id = \"{id}\"\nclient_secret = {{ file = \"{id}\" }}\n"
        )
    };
    let settings = format!(
        "[gateway]\nlisten = \"127.0.0.1:0\"\nupstream = \"{issuer}\"\nissuer = \"{issuer}\"\naudience = \"{API}\"\n\
         introspect = \"opaque\"\nintrospect_profile = \"orders-rs\"\nrules = [\"GET /livez read\"]\n\n{}{}",
        profile("orders-rs"),
        profile("caller")
    );
    std::fs::write(directory.join("m2m.toml"), settings).unwrap();
    let get = m2m(directory, &["--profile", "caller", "token", "--audience", API]).output().unwrap();
    assert!(get.status.success(), "{}", String::from_utf8_lossy(&get.stderr));
    let token = String::from_utf8(get.stdout).unwrap();

    let gateway = Running::start(&mut m2m(directory, &["gateway", "--config", "m2m.toml"]));
    assert_eq!(ask(&gateway.url, token.trim()), 200);
    assert_eq!(ask(&gateway.url, "another-opaque-token"), 401);
    drop(server);
    assert_eq!(ask(&gateway.url, "one-that-nobody-can-be-asked-about"), 503);
}
