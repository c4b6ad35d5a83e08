//! From a cached token to a header that is ready to send, beside huskarl's cache
//! and a token under a mutex.

use crate::allocations;
use crate::measure::{Side, compare, in_parallel};
use crate::party::{Endpoint, client, token};
use crate::report::Report;
use crate::rivals::{Huskarl, MutexToken};
use anyhow::{Context as _, Result, ensure};
use std::hint::black_box;
use std::sync::Arc;

/// The promise, in nanoseconds.
const LIMIT: f64 = 60.0;
/// What a second thread may cost.
const SECOND_THREAD: f64 = 1.2;
/// Uses per batch where threads run together: some 100 microseconds.
const BATCH: u32 = 16_000;

/// The claims that `filter` names.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    let names = [
        "header-cached",
        "header-allocations",
        "header-two-threads",
        "header-beside-huskarl",
        "header-beside-mutex",
    ];
    if !names.iter().any(|name| filter(name)) {
        return Ok(());
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let endpoint = Arc::new(Endpoint::default());
    let client = runtime.block_on(async { client(&endpoint) })?;
    let mut handle = client.handle(&client.spec());
    runtime.block_on(handle.ready())?;
    let (huskarl, mutex) = (Huskarl::new(&token())?, MutexToken::new(&token())?);
    let headers = huskarl.headers().context("huskarl's cache is warm")?;
    ensure!(handle.header()?.as_bytes() == headers["authorization"].as_bytes(), "the same header");

    report.measure(|report| {
        let [ours, theirs, locked] = compare([
            Side::new(|| handle.header().is_ok_and(|header| !black_box(header).is_empty())),
            Side::new(|| huskarl.headers().is_some()),
            Side::new(|| mutex.header().is_some()),
        ]);
        report.speed(names[0], ours, LIMIT, 1.0);
        report.speed(names[3], ours, theirs, 1.0);
        report.speed(names[4], ours, locked, 1.0);
        Ok(())
    })?;

    report.measure(|report| {
        let allocations = allocations::of(|| {
            for _ in 0..10_000 {
                black_box(handle.header().is_ok());
            }
        });
        report.count(names[1], allocations, 0);
        Ok(())
    })?;

    report.measure(|report| {
        let worker = || {
            let _runtime = runtime.enter(); // a handle's first look may want one
            let mut handle = handle.clone();
            black_box(handle.header().is_ok());
            move || {
                black_box(handle.header().is_ok());
            }
        };
        let one = in_parallel(1, worker, BATCH);
        let two = in_parallel(2, worker, BATCH);
        report.cost(names[2], two, one, SECOND_THREAD);
        Ok(())
    })
}
