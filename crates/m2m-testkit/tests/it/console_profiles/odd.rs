//! Servers for the journeys: `m2m serve --dev`, and one that answers oddly, by the path that is asked.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use m2m_testkit::binary::m2m;

/// `m2m serve --dev`. Killed on drop.
pub(super) struct Dev {
    process: Child,
    pub(super) issuer: String,
    pub(super) secret: String,
}

impl Dev {
    #[expect(clippy::disallowed_methods, reason = "waits for another process, which has no clock to move")]
    pub(super) fn start(home: &Path) -> Self {
        let file = home.join("dev.env");
        let mut command = Command::new(m2m());
        command.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--env-file"]).arg(&file);
        let process = command.env_clear().stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let mut server = Self { process, issuer: String::new(), secret: String::new() };
        for _ in 0..500 {
            if let Ok(text) = fs::read_to_string(&file) {
                let export = |name: &str| {
                    let value = text.lines().find_map(|line| line.strip_prefix(&format!("export {name}=")));
                    value.unwrap().trim_matches('\'').to_owned()
                };
                (server.issuer, server.secret) = (export("M2M_ISSUER"), export("M2M_CLIENT_SECRET"));
                return server;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("{} did not appear", file.display());
    }
}

impl Drop for Dev {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A token server that answers oddly. Its thread ends with the process.
pub(super) struct Server {
    pub(super) url: String,
}

impl Server {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                std::thread::spawn(move || answer(&stream));
            }
        });
        Self { url }
    }
}

/// One request, one answer; `slow` never answers, and waits for the other side to go.
fn answer(mut stream: &TcpStream) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut first, mut line, mut length) = (String::new(), String::new(), 0);
    reader.read_line(&mut first).ok()?;
    while reader.read_line(&mut line).ok()? > 2 {
        if let Some(text) = line.to_lowercase().strip_prefix("content-length:") {
            length = text.trim().parse().ok()?;
        }
        line.clear();
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let body = String::from_utf8(body).ok()?;
    let json = "application/json";
    let (status, media, text) = match first.split(' ').nth(1)?.trim_start_matches('/') {
        "html" => ("200 OK", "text/html", "<!doctype html><title>Sign in</title>".to_owned()),
        "error" => {
            ("200 OK", json, r#"{"error":"invalid_client","error_description":"who are you?"}"#.to_owned())
        }
        "redirect" => ("302 Found\r\nLocation: https://elsewhere.example/", "text/html", String::new()),
        "echo" => (
            "400 Bad Request",
            json,
            format!(r#"{{"error":"invalid_request","error_description":"{body} canary-Xu7-canary"}}"#),
        ),
        "markup" => (
            "400 Bad Request",
            "text/html",
            "<script>pwned=1</script>\u{202e}<img src=x onerror=pwned=1>".to_owned(),
        ),
        "token" => (
            "200 OK",
            json,
            r#"{"access_token":"mF_9.B5f-4.1JqM","token_type":"Bearer","expires_in":60}"#.to_owned(),
        ),
        _ => {
            let _gone = reader.read_to_end(&mut Vec::new());
            return None;
        }
    };
    let length = text.len();
    write!(stream, "HTTP/1.1 {status}\r\nContent-Type: {media}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}").ok()
}
