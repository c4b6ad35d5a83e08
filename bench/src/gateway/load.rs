//! Asks a proxy, on one connection and on 64, in turns with the others.

use super::proxies::Server;
use anyhow::{Result, ensure};
use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local};

const CONNECTIONS: usize = 64;
/// Answers on one connection in a round; the one in the middle counts.
const ALONE: usize = 400;
const ROUND: Duration = Duration::from_millis(120);
const ROUNDS: usize = 16;

/// The best of all rounds: noise only adds.
#[derive(Clone, Copy, Debug)]
pub struct Measured {
    /// Nanoseconds to an answer, on one connection.
    pub latency: f64,
    /// Nanoseconds of CPU per answer, on 64.
    pub cost: f64,
    /// Answers per second, on 64.
    pub rate: f64,
}

/// Each in turns.
pub fn compare<const N: usize>(servers: [&Server; N]) -> Result<[Measured; N]> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut best = [Measured { latency: f64::INFINITY, cost: f64::INFINITY, rate: 0.0 }; N];
    for round in 0..ROUNDS {
        for turn in 0..N {
            let place = (round + turn) % N; // nobody is always first
            let (server, best) = (servers[place], &mut best[place]);
            let latency = LocalSet::new().block_on(&runtime, alone(server))?;
            let (cost, rate) = LocalSet::new().block_on(&runtime, crowd(server))?;
            best.latency = best.latency.min(latency);
            best.cost = best.cost.min(cost);
            best.rate = best.rate.max(rate);
        }
    }
    Ok(best)
}

async fn alone(server: &Server) -> Result<f64> {
    let mut connection = Connection::open(server).await?;
    let mut times = Vec::with_capacity(ALONE);
    for _ in 0..ALONE {
        let began = Instant::now();
        connection.ask(&server.request).await?;
        times.push(began.elapsed());
    }
    times.sort_unstable();
    Ok(nanoseconds(times[ALONE / 2]))
}

async fn crowd(server: &Server) -> Result<(f64, f64)> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(Connection::open(server).await?);
    }
    let before = asleep(server).await;
    let (began, answered) = (Instant::now(), Rc::new(Cell::new(0_u32)));
    let running: Vec<_> = connections
        .into_iter()
        .map(|mut connection| {
            let (request, answered) = (server.request.clone(), Rc::clone(&answered));
            spawn_local(async move {
                while began.elapsed() < ROUND {
                    connection.ask(&request).await?;
                    answered.set(answered.get() + 1);
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for one in running {
        one.await??;
    }
    let passed = began.elapsed();
    let spent = asleep(server).await.saturating_sub(before);
    let answered = f64::from(answered.get().max(1));
    // Where the proxy hardly ran, somebody else had its core, or there is no /proc.
    let cost = if spent < passed / 20 { f64::INFINITY } else { nanoseconds(spent) / answered };
    Ok((cost, answered / passed.as_secs_f64()))
}

/// What a running thread has spent is told only when it stops.
async fn asleep(server: &Server) -> Duration {
    tokio::time::sleep(Duration::from_millis(2)).await;
    server.cpu()
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(server: &Server) -> Result<Self> {
        let stream = TcpStream::connect(server.address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(4096) })
    }

    /// The program's body ends with `.`, and nothing else does.
    async fn ask(&mut self, request: &[u8]) -> Result<()> {
        self.stream.write_all(request).await?;
        self.read.clear();
        while !self.read.ends_with(b"\r\n\r\nok.") {
            ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server hung up");
        }
        ensure!(self.read.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&self.read));
        Ok(())
    }
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
