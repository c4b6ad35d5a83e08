//! `/keys`: signing keys, and replacing them.

use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::caller::{Json, Reader, Writer};
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::{WireEffective, algorithm};
use super::{Answer, json};
use crate::Admin;
use crate::admin::{Effective, Roll, ShownKey};
use crate::keys::rotation::Phase;

/// A key as it is shown.
#[derive(Debug, Serialize)]
struct Shown {
    kid: String,
    alg: &'static str,
    phase: &'static str,
    activates_at: u64,
    retires_at: u64,
    leaves_at: u64,
}

/// How to replace them.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Order {
    #[serde(default)]
    emergency: bool,
    alg: Option<String>,
}

#[derive(Debug, Serialize)]
struct Rolled {
    items: Vec<Shown>,
    next: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effective: Option<WireEffective>,
}

fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Next => "next",
        Phase::Active => "active",
        Phase::Retiring => "retiring",
        Phase::Retired => "retired",
    }
}

fn shown(key: ShownKey) -> Shown {
    Shown {
        kid: key.kid,
        alg: key.algorithm.name(),
        phase: phase(key.phase),
        activates_at: key.dates.activates_at().seconds(),
        retires_at: key.dates.retires_at().seconds(),
        leaves_at: key.dates.leaves_at().seconds(),
    }
}

pub(super) async fn list(Reader(admin): Reader, asked: Asked) -> Answer {
    let keys = admin.keys();
    let (items, next) = asked.page(keys.into_iter(), |key| key.kid.as_str());
    json(StatusCode::OK, &Page { items: items.into_iter().map(shown).collect(), next })
}

pub(super) async fn roll(Writer(admin): Writer, Json(order): Json<Order>) -> Answer {
    let which = order.alg.as_deref().map(algorithm).transpose()?;
    if let Some(symmetric) = which.filter(|which| which.is_symmetric()) {
        return Err(Problem::invalid(format!("{} signs nothing that others check", symmetric.name())));
    }
    let how = if order.emergency { Roll::Emergency } else { Roll::Announced };
    let items = admin.roll_keys(which, how).await?.into_iter().map(shown).collect();
    let effective = order.emergency.then(|| withdrawal(&admin).into());
    json(StatusCode::OK, &Rolled { items, next: None, effective })
}

/// Introspection knows it at once, offline verifiers when they fetch the key set again.
fn withdrawal(admin: &Admin) -> Effective {
    Effective { offline: admin.key_withdrawal(), ..admin.effective() }
}
