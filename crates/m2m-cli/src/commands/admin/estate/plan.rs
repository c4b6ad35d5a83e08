//! What has to be done so that a server has what an estate says: pure.
//!
//! Enforces: an order in which every step can succeed (APIs grow before clients are granted, and shrink afterwards; an
//! issuer is trusted before credentials map to it, and goes when none does);
//! an update names the version that it was decided on; what cuts callers off says so in the step; nothing is withdrawn
//! unless asked for, and never what administers; what cannot be done is an error before anything is.
//! Does not enforce: what may be registered; the server judges that.

mod credentials;
mod issuers;
mod mappings;
mod objects;
mod scopes;

use std::collections::BTreeSet;
use std::path::PathBuf;

use http::Method;
use m2m_proto::secret::SecretString;
use serde_json::{Value, json};

use super::state::State;
use super::{Estate, Members, Place};
use crate::exit::Failure;

/// How far an estate is the whole truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::admin) enum Extent {
    /// What it names is as it says; what else there is stays, and is listed.
    Named,
    /// What it does not name is withdrawn.
    Whole,
    /// What it names is there; what is there stays as it is.
    Added,
}

/// What happens to an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::commands::admin) enum Action {
    Create,
    Update,
    /// A credential is followed by another of its label.
    Rotate,
    Revoke,
    Delete,
}

impl Action {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update => "update",
            Self::Rotate => "rotate",
            Self::Revoke => "revoke",
            Self::Delete => "delete",
        }
    }
}

/// A sort of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands::admin) enum Kind {
    Api,
    Issuer,
    Client,
    Credential,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Issuer => "issuer",
            Self::Client => "client",
            Self::Credential => "credential",
        }
    }
}

/// One object, for people: a credential as `CLIENT/LABEL`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::commands::admin) struct Name(pub(super) Kind, pub(super) String);

/// A member that is not as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::commands::admin) struct Difference {
    pub(super) member: String,
    pub(super) from: Value,
    pub(super) to: Value,
}

/// One step, and the call that does it.
#[derive(Debug)]
pub(in crate::commands::admin) struct Step {
    pub(super) action: Action,
    pub(super) name: Name,
    /// Where the estate says so.
    pub(super) place: Place,
    pub(super) differences: Vec<Difference>,
    /// Who is cut off by it, and when.
    pub(super) consequence: Option<String>,
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) body: Option<Value>,
    /// The version that the step was decided on.
    pub(super) version: Option<String>,
    pub(super) idempotency_key: Option<String>,
    /// A member of the body that is a secret.
    pub(super) given: Option<(&'static str, SecretString)>,
    /// Where the secret of the answer goes.
    pub(super) secret_file: Option<PathBuf>,
}

impl Step {
    fn of(action: Action, name: Name, method: Method, path: String) -> Self {
        Self {
            action,
            name,
            place: Place::default(),
            differences: Vec::new(),
            consequence: None,
            method,
            path,
            body: None,
            version: None,
            idempotency_key: None,
            given: None,
            secret_file: None,
        }
    }
}

/// The steps, in their order.
#[derive(Debug, Default)]
pub(in crate::commands::admin) struct Plan {
    pub(super) steps: Vec<Step>,
    /// What there is and the estate does not name.
    pub(super) unmanaged: Vec<Name>,
    /// What deserves attention and is not changed.
    pub(super) notes: Vec<String>,
    /// Clients that are there as somebody else made them: they get nothing.
    pub(super) kept: BTreeSet<String>,
}

impl Plan {
    /// Compares.
    ///
    /// # Errors
    /// Exit 3: something cannot be changed into what it shall be; the message names the place that says so.
    pub(in crate::commands::admin) fn of(
        estate: &Estate,
        state: &State,
        extent: Extent,
        overlap: u64,
    ) -> Result<Self, Failure> {
        scopes::check(estate, state, extent)?;
        let mut plan = Self::default();
        let narrowed = objects::apis(&mut plan, estate, state, extent)?;
        issuers::wanted(&mut plan, estate, state)?;
        objects::clients(&mut plan, estate, state, extent)?;
        for client in &estate.clients {
            credentials::of_client(&mut plan, client, state, (extent, overlap))?;
        }
        let gone = objects::unmanaged(&mut plan, estate, state, extent)?;
        plan.steps.extend(narrowed);
        plan.steps.extend(gone);
        issuers::unmanaged(&mut plan, estate, state, extent)?;
        Ok(plan)
    }

    /// Whether there is nothing to do.
    pub(in crate::commands::admin) fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether somebody may be cut off by it.
    pub(in crate::commands::admin) fn withdraws(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, Action::Revoke | Action::Delete))
    }

    /// As a program reads it. No secret is in it.
    pub(in crate::commands::admin) fn to_json(&self, applied: usize) -> Value {
        let difference = |one: &Difference| json!({"member": one.member, "from": one.from, "to": one.to});
        let step = |step: &Step| {
            json!({
                "action": step.action.name(), "kind": step.name.0.name(), "name": step.name.1,
                "differences": step.differences.iter().map(difference).collect::<Vec<_>>(),
                "consequence": step.consequence,
                "secret_file": step.secret_file,
            })
        };
        let named = |name: &Name| json!({"kind": name.0.name(), "name": name.1});
        json!({
            "steps": self.steps.iter().map(step).collect::<Vec<_>>(),
            "unmanaged": self.unmanaged.iter().map(named).collect::<Vec<_>>(),
            "notes": self.notes, "applied": applied,
        })
    }
}

/// The members of `wanted` that are not so in `current`.
fn differences(wanted: &Members, current: &Members) -> Vec<Difference> {
    let differs = |(member, to): (&String, &Value)| {
        let from = current.get(member).unwrap_or(&Value::Null);
        let same = super::canonical(member, from) == super::canonical(member, to);
        (!same).then(|| Difference { member: member.clone(), from: from.clone(), to: to.clone() })
    };
    wanted.iter().filter_map(differs).collect()
}
