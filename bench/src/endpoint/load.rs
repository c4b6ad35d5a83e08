//! Asks a server over HTTP/1.1, on 32 connections that each wait for their answer, and
//! counts what an answer cost the server.
//!
//! The cost is the CPU time of the server's process per answer: on a core of its own and
//! always busy it is what the rate follows from, but others who use the core meanwhile are
//! not in it. The sides take turns in short rounds, and the cheapest of each counts.

use super::process::{Cpu, Process};
use anyhow::{Context as _, Result, bail, ensure};
use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::{LocalSet, spawn_local, yield_now};

/// Connections of a round.
const CONNECTIONS: usize = 32;
/// How long a round takes; short, so that some fall between two interruptions.
const ROUND: Duration = Duration::from_millis(80);
/// Rounds of each side.
const ROUNDS: usize = 40;
/// Bytes of an answer that are borne.
const MAX_ANSWER: usize = 64 * 1024;

/// Request bytes, as they go out.
pub struct Requests {
    all: Vec<Vec<u8>>,
    again: bool,
}

impl Requests {
    /// These in turn, over and over.
    pub fn repeated(all: Vec<Vec<u8>>) -> Self {
        Self { all, again: true }
    }

    /// Each once; the round ends when there is none left.
    pub fn once(all: Vec<Vec<u8>>) -> Self {
        Self { all, again: false }
    }

    fn get(&self, position: usize) -> Option<&[u8]> {
        let position = if self.again { position.checked_rem(self.all.len())? } else { position };
        self.all.get(position).map(Vec::as_slice)
    }
}

/// What one answer costs.
#[derive(Clone, Copy, Debug)]
pub struct Cost {
    /// Nanoseconds of the server's CPU per answer.
    pub nanoseconds: f64,
    /// Answers per second, as time passed.
    pub rate: f64,
}

impl Cost {
    const UNKNOWN: Self = Self { nanoseconds: f64::INFINITY, rate: 0.0 };

    /// Of a round. In one where the server hardly ran, somebody else had its core.
    fn of(answered: u32, spent: Duration, passed: Duration) -> Self {
        let answered = f64::from(answered);
        if answered == 0.0 || spent < passed / 20 {
            return Self::UNKNOWN;
        }
        Self { nanoseconds: spent.as_secs_f64() * 1e9 / answered, rate: answered / passed.as_secs_f64() }
    }

    fn better(self, other: Self) -> Self {
        Self { nanoseconds: self.nanoseconds.min(other.nanoseconds), rate: self.rate.max(other.rate) }
    }
}

/// A server and what it is asked, made anew for each round.
pub struct Side<'a> {
    pub server: &'a Process,
    pub requests: Box<dyn FnMut() -> Result<Requests> + 'a>,
}

impl<'a> Side<'a> {
    /// Asks the same in each round.
    pub fn repeated(server: &'a Process, all: Vec<Vec<u8>>) -> Self {
        Self { server, requests: Box::new(move || Ok(Requests::repeated(all.clone()))) }
    }
}

/// What an answer costs each side, measured in turns.
pub fn compare<const N: usize>(mut sides: [Side<'_>; N]) -> Result<[Cost; N]> {
    let mut best = [Cost::UNKNOWN; N];
    for round in 0..ROUNDS {
        for turn in 0..N {
            let place = (round + turn) % N; // nobody is always first
            let side = &mut sides[place];
            let requests = (side.requests)()?;
            best[place] = best[place].better(measure(side.server, requests, ROUND)?);
        }
    }
    Ok(best)
}

/// Asks for so long.
pub fn measure(server: &Process, requests: Requests, time: Duration) -> Result<Cost> {
    Ok(ask(server, requests, time, false)?.0)
}

/// The bodies of the answers to each request, in no order.
pub fn answers(server: &Process, requests: Vec<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    Ok(ask(server, Requests::once(requests), Duration::MAX, true)?.1)
}

/// The body of the answer to one request.
pub fn answer(server: &Process, request: &[u8]) -> Result<Vec<u8>> {
    answers(server, vec![request.to_vec()])?.pop().context("no answer")
}

/// What all connections of a round share.
struct Round {
    requests: Requests,
    next: Cell<usize>,
    answered: Cell<u32>,
    began: Instant,
    time: Duration,
    keep: bool,
    kept: RefCell<Vec<Vec<u8>>>,
}

fn ask(server: &Process, requests: Requests, time: Duration, keep: bool) -> Result<(Cost, Vec<Vec<u8>>)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(1).build()?;
    let address = server.address()?;
    LocalSet::new().block_on(&runtime, async {
        let mut connections = Vec::new();
        for _ in 0..CONNECTIONS {
            connections.push(Connection::open(address).await?);
        }
        let cpu = asleep(server).await;
        let round = Rc::new(Round {
            requests,
            next: Cell::new(0),
            answered: Cell::new(0),
            began: Instant::now(),
            time,
            keep,
            kept: RefCell::default(),
        });
        let awake = spawn_local(async {
            loop {
                yield_now().await;
            }
        });
        let running: Vec<_> =
            connections.into_iter().map(|own| spawn_local(own.run(Rc::clone(&round)))).collect();
        for one in running {
            one.await??;
        }
        awake.abort();
        let passed = round.began.elapsed();
        let spent = asleep(server).await.zip(cpu).map_or(passed, |(after, before)| after.since(&before));
        Ok((Cost::of(round.answered.get(), spent, passed), round.kept.take()))
    })
}

/// The CPU time of a server that has nothing to do: what a running thread has spent is
/// told only when it stops.
async fn asleep(server: &Process) -> Option<Cpu> {
    tokio::time::sleep(Duration::from_millis(2)).await;
    server.cpu()
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Connection {
    async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, read: Vec::with_capacity(MAX_ANSWER) })
    }

    async fn run(mut self, round: Rc<Round>) -> Result<()> {
        while round.began.elapsed() < round.time {
            let position = round.next.replace(round.next.get() + 1);
            let Some(request) = round.requests.get(position) else { break };
            self.stream.write_all(request).await?;
            let body = self.answer().await?;
            if round.keep {
                round.kept.borrow_mut().push(body.to_vec());
            }
            round.answered.set(round.answered.get() + 1);
        }
        Ok(())
    }

    /// Reads one answer: 200, with a `Content-Length`.
    async fn answer(&mut self) -> Result<&[u8]> {
        self.read.clear();
        let (head, length) = loop {
            ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server hung up");
            if let Some(head) = position(&self.read, b"\r\n\r\n") {
                break (head + 4, content_length(&self.read[..head])?);
            }
        };
        ensure!(self.read.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&self.read));
        ensure!(head + length <= MAX_ANSWER, "an answer of {length} bytes");
        while self.read.len() < head + length {
            ensure!(self.stream.read_buf(&mut self.read).await? > 0, "the server hung up");
        }
        Ok(&self.read[head..head + length])
    }
}

fn content_length(head: &[u8]) -> Result<usize> {
    for line in head.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        if line[..colon].eq_ignore_ascii_case(b"content-length") {
            return Ok(str::from_utf8(&line[colon + 1..])?.trim().parse()?);
        }
    }
    bail!("an answer without Content-Length: {}", String::from_utf8_lossy(head));
}

fn position(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
