//! `m2m gateway` beside nginx as a plain reverse proxy and Envoy with `jwt_authn`, before
//! the same program, in one run: time added to an answer on one connection, and what an
//! answer costs at 64.
//!
//! Each is a process on the first core, with one worker; who asks, and the program, are on
//! the second. nginx checks nothing: it is what forwarding alone takes. Envoy checks the same
//! token by the same key. Time added is that through the proxy without that of the program
//! alone; throughput is told by the CPU time of the proxy per answer, in which others who use
//! the core are not, and the rates are told besides.
//!
//! Limits: what is measured is `M2M_BIN`, or what `cargo build --release` has left; nginx
//! is the one that is installed, Envoy that of `cargo xtask peers`.

mod load;
mod proxies;

use crate::report::Report;
use anyhow::Result;
use load::{Measured, compare};
use proxies::{Place, Running};

/// Against Envoy, which does the same work.
const LATENCY: &str = "gateway-added-latency/envoy";
const COST: &str = "gateway-cost/envoy";
const BAR: f64 = 1.0;

/// The claims, if `filter` names them.
pub fn run(report: &mut Report, filter: impl Fn(&str) -> bool) -> Result<()> {
    if !filter(LATENCY) && !filter(COST) {
        return Ok(());
    }
    let place = match Place::new() {
        Ok(place) => place,
        Err(lack) => {
            Report::skipped("gateway", &lack);
            return Ok(());
        }
    };
    let running = Running::start(&place)?;
    report.measure(|report| {
        let [program, nginx, ours, envoy] = compare([&running.program, &running.nginx, &running.ours, &running.envoy])?;
        let added = |one: Measured| (one.latency - program.latency).max(1.0);
        report.cost(LATENCY, added(ours), added(envoy), BAR);
        report.cost(COST, ours.cost, envoy.cost, BAR);
        let (plain, own, other) = (added(nginx), added(ours), added(envoy));
        report.note(&format!(
            "gateway, one connection: added {:.1}us ours, {:.1}us nginx, {:.1}us envoy; {:.2} of nginx, {:.2} of envoy",
            own / 1e3,
            plain / 1e3,
            other / 1e3,
            own / plain,
            own / other
        ));
        report.note(&format!(
            "gateway, 64 connections: {:.0}/s ours, {:.0}/s nginx, {:.0}/s envoy; CPU per answer {:.1}us, {:.1}us, {:.1}us",
            ours.rate,
            nginx.rate,
            envoy.rate,
            ours.cost / 1e3,
            nginx.cost / 1e3,
            envoy.cost / 1e3
        ));
        Ok(())
    })
}
