//! Where a lab lives: its listeners, which end with it, and the runtime that carries them: that of an asynchronous
//! test, or one of its own for a test that is none.

use std::future::Future;
use std::net::SocketAddr;

use m2m_io::task;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;

/// Listeners and connections that end when this is dropped.
#[derive(Debug)]
pub(super) struct Home {
    runtime: Option<Runtime>,
    /// Every task waits for this to go.
    stop: watch::Sender<()>,
}

impl Home {
    /// In the caller's runtime.
    pub(super) fn new() -> Self {
        Self { runtime: None, stop: watch::Sender::new(()) }
    }

    /// Makes something in a runtime with one thread of its own, which a home can then keep.
    pub(super) fn build<T>(make: impl Future<Output = T>) -> (Runtime, T) {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).thread_name("lab").enable_all().build().expect("a runtime");
        let made = runtime.block_on(make);
        (runtime, made)
    }

    /// Ends that runtime with this home.
    pub(super) fn keep(&mut self, runtime: Runtime) {
        self.runtime = Some(runtime);
    }

    /// Listens on a free port of 127.0.0.1 and has every connection handled in a task.
    pub(super) async fn listen<C>(&self, converse: impl Fn(TcpStream) -> C + Send + 'static) -> SocketAddr
    where
        C: Future<Output = ()> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a socket");
        let address = listener.local_addr().expect("its address");
        let stopped = self.stop.subscribe();
        let connections = stopped.clone();
        task::spawn_detached(
            "lab listener",
            until(stopped, async move {
                while let Ok((stream, _)) = listener.accept().await {
                    task::spawn_detached("lab connection", until(connections.clone(), converse(stream)));
                }
            }),
        );
        address
    }
}

async fn until(mut stopped: watch::Receiver<()>, work: impl Future<Output = ()>) {
    tokio::select! {
        _gone = stopped.changed() => {}
        () = work => {}
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // Waits for nobody, so that it may also happen inside another runtime.
            runtime.shutdown_background();
        }
    }
}
