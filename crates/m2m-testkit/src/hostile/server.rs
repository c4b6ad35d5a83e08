//! The hostile server on a loopback socket. It writes bytes itself: a proper HTTP library would not do what is needed.

use std::collections::VecDeque;
use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use http::HeaderValue;
use m2m_io::task::{self, Task};
use m2m_io::{Clock as _, SystemClock};
use tokio::io::AsyncWriteExt as _;
use tokio::net::{TcpListener, TcpStream};

use super::Answer;
use super::wire::{receive, whole};
use crate::record::{Record, Recorded};

/// A server that follows a script. Records every request. Stops when dropped.
#[derive(Debug)]
pub struct HostileServer {
    address: SocketAddr,
    record: Record,
    task: Task,
}

type Script = Arc<Mutex<VecDeque<Answer>>>;

impl HostileServer {
    /// Gives these answers in turn, one per request, and the last one for ever.
    ///
    /// # Panics
    ///
    /// If the script is empty or no socket can be had.
    pub async fn start(script: impl IntoIterator<Item = Answer>) -> Self {
        let script: Script = Arc::new(Mutex::new(script.into_iter().collect()));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("its address");
        let record = Record::default();
        let seen = record.clone();
        let task = task::spawn_detached("hostile server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                let conversation = converse(stream, Arc::clone(&script), seen.clone());
                task::spawn_detached("hostile connection", conversation);
            }
        });
        Self { address, record, task }
    }

    /// A URL at this server.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// The requests so far.
    #[must_use]
    pub const fn record(&self) -> &Record {
        &self.record
    }
}

impl Drop for HostileServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn next(script: &Script) -> Answer {
    let mut script = script.lock().unwrap_or_else(PoisonError::into_inner);
    let answer = script.front().cloned().expect("a script");
    if script.len() > 1 {
        script.pop_front();
    }
    answer
}

/// One request per connection. Errors of the socket mean that the client has had enough.
async fn converse(mut stream: TcpStream, script: Script, record: Record) {
    let Some(request) = receive(&mut stream).await else { return };
    let request = Recorded::of(&request);
    record.push(request.clone());
    let answer = next(&script);
    send(&mut stream, &answer, &request).await;
}

/// Answers `request` and ends the connection, if the answer has an end.
pub(crate) async fn send(stream: &mut TcpStream, answer: &Answer, request: &Recorded) {
    let bytes = match answer {
        Answer::Whole(response) => whole(response),
        Answer::React(react) => whole(&react(request)),
        Answer::Gzip(length) => compressed(*length),
        Answer::Cut(response) => {
            let mut bytes = whole(response);
            bytes.truncate(bytes.len() - response.body().len() / 2);
            bytes
        }
        Answer::Drip => {
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n{".to_vec()
        }
        Answer::Close | Answer::Hang => Vec::new(),
        Answer::Raw(bytes) => bytes.to_vec(),
    };
    let mut sent = stream.write_all(&bytes).await;
    match answer {
        Answer::Hang => std::future::pending().await,
        Answer::Drip => {
            while sent.is_ok() {
                SystemClock.sleep(Duration::from_millis(5)).await;
                sent = stream.write_all(b" ").await;
            }
        }
        _ => {
            let _closed = stream.shutdown().await;
        }
    }
}

fn compressed(length: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&vec![b'a'; length]).expect("memory");
    let body = encoder.finish().expect("memory");
    let mut response = super::response(200, "application/json", body);
    response.headers_mut().insert(http::header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    whole(&response)
}
