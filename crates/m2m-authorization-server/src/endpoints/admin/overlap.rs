//! Other credentials that may stand for the workloads of a federated one, in the answer about it.
//!
//! Limits: 16 are told.

use std::sync::Arc;

use m2m_proto::time::UnixTime;
use serde::Serialize;

use crate::federation::overlap;
use crate::registry::{Credential, Registration, Registry};

/// The most that are told.
const MAX_TOLD: usize = 16;

/// Another credential that may stand for the same workloads.
#[derive(Debug, Serialize)]
pub(super) struct Overlap {
    client_id: String,
    credential_id: String,
}

impl Overlap {
    pub(super) fn of(registry: &Registry, credential: &Credential, now: UnixTime) -> Vec<Self> {
        let shown = |(registration, other): (&Arc<Registration>, &Arc<Credential>)| Self {
            client_id: registration.client().id.as_str().to_owned(),
            credential_id: other.id.as_str().to_owned(),
        };
        overlap::with(credential, registry, now).map(shown).take(MAX_TOLD).collect()
    }
}
