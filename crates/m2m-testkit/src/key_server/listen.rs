//! The key server on a loopback socket, in real time, for anybody's verifier.

use std::net::SocketAddr;
use std::sync::Arc;

use m2m_io::task::{self, Task};
use m2m_io::{Clock as _, SystemClock};
use tokio::net::{TcpListener, TcpStream};

use super::KeyServer;
use crate::hostile::server::send;
use crate::hostile::wire::{receive, whole};
use crate::hostile::{Answer, response};
use crate::record::Recorded;

/// A key server that listens. Stops when dropped.
#[derive(Debug)]
pub struct Listening {
    server: KeyServer,
    task: Task,
}

impl KeyServer {
    /// A new server on a socket; `address` is where, port 0 for any. Its issuer is `http://` and that address.
    ///
    /// # Errors
    ///
    /// If the socket cannot be had.
    pub async fn listen(address: SocketAddr) -> std::io::Result<Listening> {
        let listener = TcpListener::bind(address).await?;
        let issuer = format!("http://{}", listener.local_addr()?);
        let server = Self::new(&issuer, Arc::new(SystemClock));
        let served = server.clone();
        let task = task::spawn_detached("key server", async move {
            while let Ok((stream, _)) = listener.accept().await {
                task::spawn_detached("key server connection", converse(stream, served.clone()));
            }
        });
        Ok(Listening { server, task })
    }
}

impl Listening {
    /// The server.
    #[must_use]
    pub const fn server(&self) -> &KeyServer {
        &self.server
    }

    /// Listens until it is killed.
    pub async fn forever(self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One request per connection.
async fn converse(mut stream: TcpStream, server: KeyServer) {
    let Some(request) = receive(&mut stream).await else { return };
    let path = request.uri().path();
    if let Some(given) = server.give(path, request.headers()) {
        SystemClock.sleep(given.after).await;
        send(&mut stream, &given.answer, &Recorded::of(&request)).await;
        return;
    }
    let (status, kind, body) = server.control(path);
    let answer = Answer::Raw(whole(&response(status, kind, body)).into());
    send(&mut stream, &answer, &Recorded::of(&request)).await;
}
