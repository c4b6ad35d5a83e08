//! Time per operation on a machine that others use too: the sides take turns in
//! short batches, and the fastest batch of each counts, because noise only adds.

use std::hint::black_box;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How long one batch should take; short enough to fall between two interruptions.
const BATCH: Duration = Duration::from_micros(1_500);
/// Rounds, of one batch a side.
const ROUNDS: usize = 250;

/// One side of a comparison.
pub struct Side<'a> {
    work: Box<dyn FnMut() + 'a>,
    batch: u32,
    fastest: f64,
}

impl<'a> Side<'a> {
    /// Wraps one operation; its result is kept from being optimized away.
    pub fn new<T>(mut work: impl FnMut() -> T + 'a) -> Self {
        let work = move || {
            black_box(work());
        };
        Self { work: Box::new(work), batch: 1, fastest: f64::INFINITY }
    }

    fn calibrate(&mut self) {
        while self.run() < BATCH && self.batch < 1 << 24 {
            self.batch *= 2;
        }
    }

    fn run(&mut self) -> Duration {
        let start = Instant::now();
        for _ in 0..self.batch {
            (self.work)();
        }
        start.elapsed()
    }

    fn round(&mut self) {
        let time = self.run();
        self.fastest = self.fastest.min(nanoseconds(time) / f64::from(self.batch));
    }
}

/// Nanoseconds per operation of each side, measured in turns.
pub fn compare<const N: usize>(mut sides: [Side<'_>; N]) -> [f64; N] {
    sides.iter_mut().for_each(Side::calibrate);
    for round in 0..ROUNDS {
        for turn in 0..N {
            sides[(round + turn) % N].round(); // nobody is always first
        }
    }
    sides.map(|side| side.fastest)
}

/// Nanoseconds per operation when `threads` of them run at the same time, each with
/// a worker of its own. Batches that did not overlap are left out.
pub fn in_parallel<W: FnMut() + Send>(threads: usize, worker: impl Fn() -> W + Sync, batch: u32) -> f64 {
    let barrier = Barrier { threads, arrived: AtomicUsize::new(0) };
    let spans: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let spawn = |_| {
            scope.spawn(|| {
                let mut work = worker();
                (0..ROUNDS * 4)
                    .map(|round| {
                        barrier.wait(round);
                        let start = Instant::now();
                        for _ in 0..batch {
                            work();
                        }
                        (start, Instant::now())
                    })
                    .collect()
            })
        };
        let handles: Vec<_> = (0..threads).map(spawn).collect();
        handles.into_iter().map(|handle| handle.join().unwrap_or_default()).collect()
    });
    let rounds = (0..ROUNDS * 4).filter_map(|round| overlapping(&spans, round));
    nanoseconds(rounds.min().unwrap_or(Duration::MAX)) / f64::from(batch)
}

/// A meeting point that spins: a sleeping thread would wake when the other is done.
struct Barrier {
    threads: usize,
    arrived: AtomicUsize,
}

impl Barrier {
    fn wait(&self, round: usize) {
        self.arrived.fetch_add(1, Ordering::SeqCst);
        let mut spins = 0_u32;
        while self.arrived.load(Ordering::SeqCst) < (round + 1) * self.threads {
            spins += 1;
            if spins.is_multiple_of(10_000) {
                std::thread::yield_now();
            }
            std::hint::spin_loop();
        }
    }
}

/// The slowest thread's time of a round, if all of them ran together for most of it.
fn overlapping(spans: &[Vec<(Instant, Instant)>], round: usize) -> Option<Duration> {
    let spans: Vec<(Instant, Instant)> =
        spans.iter().filter_map(|thread| thread.get(round).copied()).collect();
    let slowest = spans.iter().map(|(start, end)| *end - *start).max()?;
    let together = spans
        .iter()
        .map(|(_, end)| *end)
        .min()?
        .checked_duration_since(spans.iter().map(|(start, _)| *start).max()?)?;
    (together >= slowest.mul_f64(0.8)).then_some(slowest)
}

fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}
