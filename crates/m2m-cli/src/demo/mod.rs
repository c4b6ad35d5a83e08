//! `m2m demo`: the whole story on one machine. An authorization server, a protected API and a service with two
//! instances talk over loopback sockets; every step says what was sent and why it matters, and fails unless exactly
//! that happened.
//!
//! The steps are independent: each has its own credentials and tokens, so that one broken party fails one step. A
//! test swaps a party through [`Parties`] and sees that the demo notices.

mod api;
mod methods;
mod parties;
mod refusals;
mod renewal;
mod revocation;
mod stage;
mod step;

use std::sync::Arc;

use m2m_io::{Clock, Random};

use crate::exit::Failure;

pub use parties::{Identity, Parties, ProtectedApi};
pub use stage::{Stage, Team};
pub use step::{Report, Step};

/// The identifier of the API that the demo protects.
pub const API: &str = "https://orders.example";
/// Another API of the same authorization server; its tokens mean nothing to the first.
pub const OTHER_API: &str = "https://invoices.example";

/// Raises the servers, goes through every step, tells each as it ends.
///
/// # Errors
/// When the servers cannot be started at all. A step that fails is in the reports.
pub async fn run(
    parties: Parties,
    world: (Arc<dyn Clock>, Arc<dyn Random>),
    mut tell: impl FnMut(&Report),
) -> Result<(Stage, Vec<Report>), Failure> {
    let stage = Stage::raise(parties, world).await?;
    let mut reports = Vec::with_capacity(Step::ALL.len());
    for step in Step::ALL {
        let report = Report { step: *step, outcome: perform(*step, &stage).await };
        tell(&report);
        reports.push(report);
    }
    Ok((stage, reports))
}

async fn perform(step: Step, stage: &Stage) -> Result<String, String> {
    match step {
        Step::ClientSecretBasic
        | Step::ClientSecretPost
        | Step::ClientSecretJwt
        | Step::PrivateKeyJwt
        | Step::TlsClientAuth
        | Step::SelfSignedTlsClientAuth => methods::perform(step, stage).await,
        Step::Dpop => methods::dpop(stage).await,
        Step::NoToken => refusals::no_token(stage).await,
        Step::ForgedToken => refusals::forged(stage).await,
        Step::WrongAudience => refusals::wrong_audience(stage).await,
        Step::SmallScope => refusals::small_scope(stage).await,
        Step::Renewal => renewal::perform(stage).await,
        Step::RevokedToken => revocation::token(stage).await,
        Step::RevokedInstance => revocation::instance(stage).await,
    }
}
