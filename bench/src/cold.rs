//! Many callers at once, and nothing cached: how many token requests that makes.

use crate::party::{Endpoint, client};
use crate::report::Report;
use anyhow::Result;
use std::sync::Arc;
use std::sync::atomic::Ordering;

const CALLERS: u64 = 10_000;
const NAME: &str = "cold-callers-requests";

/// The claim, if `filter` names it.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    if !filter(NAME) {
        return Ok(());
    }
    report.measure(|report| {
        report.count(NAME, requests()?, 1);
        Ok(())
    })
}

fn requests() -> Result<u64> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let endpoint = Arc::new(Endpoint { crowd: CALLERS, ..Endpoint::default() });
    runtime.block_on(async {
        let client = client(&endpoint)?;
        let callers: Vec<_> = (0..CALLERS)
            .map(|_| {
                let (client, endpoint) = (client.clone(), Arc::clone(&endpoint));
                tokio::spawn(async move {
                    endpoint.arrived.fetch_add(1, Ordering::SeqCst);
                    client.token(&client.spec()).await.map(drop)
                })
            })
            .collect();
        for caller in callers {
            caller.await??;
        }
        anyhow::Ok(())
    })?;
    Ok(endpoint.requests.load(Ordering::SeqCst))
}
