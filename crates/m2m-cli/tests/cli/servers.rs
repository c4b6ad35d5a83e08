//! Servers that no sane person runs, each a few lines on a loopback socket.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::TcpListener;

/// Answers to every request, by variable name.
const ANSWERS: [(&str, &str); 8] = [
    (
        "JOB",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{\"count\":1,\"value\":\"eyJ0.eyJ9.c2ln\"}",
    ),
    (
        "HTML",
        "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\n\r\n<html>Welcome to our portal eyJsecret</html>",
    ),
    ("GARBLED", "\x1b[2J hello\r\n\r\n"),
    ("CHUNKS", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ncontent-length: 9\r\n\r\nno chunk\r\n"),
    ("LIMITED", "HTTP/1.1 429 Too Many Requests\r\nretry-after: 7\r\n\r\nslow down"),
    ("BROKEN", "HTTP/1.1 503 Service Unavailable\r\n\r\ndown for maintenance"),
    ("REDIRECT", "HTTP/1.1 302 Found\r\nlocation: https://evil.example/\r\n\r\n"),
    (
        "NEGATIVE",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
         {\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":-1}",
    ),
];

/// URLs of running servers, and of one that is gone.
pub(crate) struct Servers {
    variables: BTreeMap<String, String>,
}

impl Servers {
    /// Starts them. They end with the test process.
    pub(crate) fn start() -> Self {
        let mut variables = BTreeMap::new();
        for (name, answer) in ANSWERS {
            variables.insert(name.to_owned(), start(move |_| answer.to_owned()));
        }
        // An API that shows what it was sent, except the token itself.
        variables.insert("API".to_owned(), start(|request| echo(&request)));
        variables.insert("SHORT".to_owned(), short());
        variables.insert("COUNTING".to_owned(), counting());
        variables.insert("DEAD".to_owned(), dead());
        variables.insert("ADMIN_STUB".to_owned(), crate::admin_server::start());
        variables.insert("TLS".to_owned(), variables["HTML"].replace("http://", "https://"));
        Self { variables }
    }

    pub(crate) fn variables(&self) -> BTreeMap<String, String> {
        self.variables.clone()
    }
}

/// A token service that gives one token for 3 s and is down ever after.
fn short() -> String {
    let given = std::sync::atomic::AtomicBool::new(false);
    start(move |_| {
        if given.swap(true, std::sync::atomic::Ordering::SeqCst) {
            return "HTTP/1.1 503 Service Unavailable\r\n\r\n".to_owned();
        }
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
         {\"access_token\":\"ey-once\",\"token_type\":\"Bearer\",\"expires_in\":3}"
            .to_owned()
    })
}

/// A token service that numbers its tokens.
fn counting() -> String {
    let count = std::sync::atomic::AtomicUsize::new(1);
    start(move |_| {
        let number = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n\
             {{\"access_token\":\"ey-{number}\",\"token_type\":\"Bearer\",\"expires_in\":600}}"
        )
    })
}

/// Serves one answer per connection.
pub(crate) fn start(answer: impl Fn(String) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            serve(stream, &answer);
        }
    });
    url
}

pub(crate) fn serve(mut stream: impl Read + Write, answer: impl Fn(String) -> String) {
    let request = read(&mut stream);
    let answer = answer(request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let length = if head.contains("content-length") {
        String::new()
    } else {
        format!("content-length: {}\r\n", body.len())
    };
    let _client_may_be_gone = write!(stream, "{head}\r\n{length}connection: close\r\n\r\n{body}");
}

fn read(stream: &mut impl Read) -> String {
    let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut chunk) {
            // A TLS handshake gets its answer in plain HTTP at once.
            Ok(count) if count > 0 && bytes.is_empty() && chunk[0] == 0x16 => {
                return "GET / \r\n\r\n".to_owned();
            }
            Ok(count) if count > 0 => bytes.extend_from_slice(&chunk[..count]),
            _ => break,
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse::<usize>().ok()
            });
            if body.len() >= length.unwrap_or(0) {
                break;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn echo(request: &str) -> String {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let wanted = |line: &&str| {
        let line = line.to_ascii_lowercase();
        ["x-", "content-type"].iter().any(|name| line.starts_with(name))
    };
    let mut shown: Vec<String> = head.lines().take(1).map(str::to_owned).collect();
    shown.extend(head.lines().filter(wanted).map(str::to_owned));
    let has_token = head.to_ascii_lowercase().contains("authorization: bearer ey");
    shown.push(format!("token: {}", if has_token { "yes" } else { "no" }));
    shown.push(body.to_owned());
    let status = if head.contains("/missing") { "404 Not Found" } else { "200 OK" };
    format!("HTTP/1.1 {status}\r\nx-api: yes\r\n\r\n{}\n", shown.join("\n").trim_end())
}

/// A port where nobody listens.
pub(crate) fn dead() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}
