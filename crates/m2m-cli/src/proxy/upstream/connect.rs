//! Connections to the program behind the gateway: TCP, TLS over it, or a local socket.
//!
//! Enforces: the one address that was configured, whatever the request says; a time limit over name, connection and
//! handshake together; over TLS the certificate of that name.
//! Limits: 5 s.

use std::future::Future;
use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use m2m_io::Clock;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tower::Service;

/// Time for a connection.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);

/// Where the program listens.
#[derive(Clone, Debug)]
pub(super) enum Place {
    /// A name or address, and a port.
    Tcp(String, u16),
    /// A local socket.
    #[cfg(unix)]
    Unix(PathBuf),
}

/// Makes connections to one place.
#[derive(Clone)]
pub(super) struct Connector {
    pub(super) place: Arc<Place>,
    pub(super) tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
}

/// Both directions of a connection.
trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Duplex for T {}

/// A connection, plain or not.
pub(super) struct Stream(TokioIo<Box<dyn Duplex>>);

impl Connector {
    async fn connect(self) -> io::Result<Stream> {
        let late = self.clock.sleep(self.timeout);
        tokio::select! {
            connected = self.established() => connected,
            () = late => Err(io::ErrorKind::TimedOut.into()),
        }
    }

    async fn established(&self) -> io::Result<Stream> {
        let plain: Box<dyn Duplex> = match self.place.as_ref() {
            Place::Tcp(host, port) => {
                let stream = TcpStream::connect((host.as_str(), *port)).await?;
                stream.set_nodelay(true)?;
                Box::new(stream)
            }
            #[cfg(unix)]
            Place::Unix(path) => Box::new(tokio::net::UnixStream::connect(path).await?),
        };
        let Some((config, name)) = &self.tls else { return Ok(Stream(TokioIo::new(plain))) };
        let stream = TlsConnector::from(Arc::clone(config)).connect(name.clone(), plain).await?;
        Ok(Stream(TokioIo::new(Box::new(stream))))
    }
}

impl Service<Uri> for Connector {
    type Response = Stream;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Stream>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// The URI names the place by its stand-in; where that is, is settled.
    fn call(&mut self, _: Uri) -> Self::Future {
        Box::pin(self.clone().connect())
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buffer)
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.0.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, slices)
    }
}
