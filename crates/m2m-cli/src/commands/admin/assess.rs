//! `m2m admin assess`: the server and its clients, measured against OAuth 2.1, RFC 9700 and FAPI 2.0.
//!
//! Reads metadata, key set and admin API; changes nothing. What is judged is a pure table ([`rules`]) of [`facts`], so
//! that a verdict can be tested without a server. Ends with exit 14 where a MUST is missed.
//! Does not see: what a client really sends, nor what stands in front of the server. A registration can be in order and
//! its client not ready for it; where that can be told from use, `m2m admin credential list` tells it.

mod facts;
mod rules;
mod shown;

use crate::Surroundings;
use crate::args::admin::{Assess, Standard};
use crate::exit::{Exit, Failure};
use facts::Facts;
use rules::{Assessed, Level, Verdict};

use super::http::Caller;

pub(super) async fn run(typed: &Assess, around: &Surroundings) -> Result<Exit, Failure> {
    let caller = Caller::open(around).await?;
    let facts = facts::gather(&caller, &typed.client, around).await?;
    let subjects = assess(&facts, &Standard::chosen(&typed.standard));
    shown::write(&subjects, around)?;
    Ok(ends(&subjects))
}

/// The server first, then each client.
fn assess(facts: &Facts, standards: &[Standard]) -> Vec<Assessed> {
    let server = std::iter::once(rules::of_server(&facts.server, standards));
    server.chain(facts.clients.iter().map(|client| rules::of_client(client, standards))).collect()
}

fn ends(subjects: &[Assessed]) -> Exit {
    let missed = |subject: &Assessed| {
        subject
            .findings
            .iter()
            .any(|found| found.verdict == Verdict::Missed && found.rule.level == Level::Must)
    };
    if subjects.iter().any(missed) { Exit::Missed } else { Exit::Ok }
}

#[cfg(test)]
mod tests;
