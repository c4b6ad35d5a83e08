//! The processes behind [`Process::of_ours`](super::process::Process::of_ours): a router
//! on one thread, served as `m2m serve` does over plain TCP. Ours and its limit are served
//! by the same lines, so that what differs is the router alone.

use super::{floor, ours};
use crate::allocations;
use anyhow::{Context as _, Result, bail};
use axum::Router;
use axum::routing::get;
use http::Request;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use m2m_authorization_server::ClientAddress;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

/// Where a server of ours tells how often its thread allocated so far.
pub const ALLOCATIONS: &str = "/allocations";

/// Reads what to set up, says where it listens, and serves until stdin closes.
pub fn run(kind: &str) -> Result<()> {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line)?;
    let setup: Value = serde_json::from_str(&line).context("the first line")?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let socket = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let port = socket.local_addr()?.port();
        let made = match kind {
            "floor" => floor::router(&setup).map(|router| (router, json!({}))),
            "ours" => ours::router(&setup, port).await,
            other => bail!("no server {other}"),
        };
        let (router, mut hello) = match made {
            Ok(made) => made,
            Err(error) => (Router::new(), json!({ "error": format!("{error:#}") })),
        };
        hello["port"] = port.into();
        println!("{hello}");
        let counted = get(|| async { allocations::so_far().to_string() });
        tokio::spawn(serve(socket, router.route(ALLOCATIONS, counted)));
        // Its reader is a thread of its own, which sleeps.
        tokio::task::spawn_blocking(|| std::io::stdin().read_line(&mut String::new())).await??;
        Ok(())
    })
}

async fn serve(socket: TcpListener, router: Router) {
    let graceful = GracefulShutdown::new();
    loop {
        let Ok((stream, peer)) = socket.accept().await else { continue };
        let watcher = graceful.watcher();
        let router = router.clone();
        tokio::spawn(async move {
            let connection = connection(stream, peer, router);
            // It ends when the other side has enough.
            let _ = watcher.watch(connection).await;
        });
    }
}

/// As in `m2m-cli/src/listen.rs`.
fn connection(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
) -> impl hyper_util::server::graceful::GracefulConnection<Error: std::fmt::Debug> {
    let _ = stream.set_nodelay(true);
    let address = ClientAddress(peer.ip());
    let service = router.map_request(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(address);
        request
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(Duration::from_secs(10));
    builder.http2().timer(TokioTimer::new());
    builder.serve_connection(TokioIo::new(stream), TowerToHyperService::new(service)).into_owned()
}
