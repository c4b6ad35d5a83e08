//! What a server has of an estate: APIs, trusted issuers, clients and the credentials of the clients that are asked about.

use std::collections::{BTreeMap, BTreeSet};

use m2m_proto::time::UnixTime;
use serde_json::Value;

use super::Members;
use crate::commands::admin::http::{Caller, object_path};
use crate::commands::admin::shown::text;
use crate::exit::Failure;

/// What there is, by name, as the admin API shows it.
#[derive(Debug, Default)]
pub(in crate::commands::admin) struct State {
    pub(super) apis: BTreeMap<String, Members>,
    pub(super) issuers: BTreeMap<String, Members>,
    pub(super) clients: BTreeMap<String, Members>,
    /// Of the clients that were asked about, the oldest first.
    pub(super) credentials: BTreeMap<String, Vec<Members>>,
    /// The API and the client that administer: never withdrawn by themselves.
    pub(in crate::commands::admin) own: (String, String),
    /// When this was, in seconds since 1970.
    pub(super) now: u64,
}

impl State {
    /// Asks for all APIs, issuers and clients, and for the credentials of those of `ids` that there are, and of the client
    /// that administers.
    ///
    /// # Errors
    /// As [`Caller::send`].
    pub(in crate::commands::admin) async fn of(
        caller: &Caller,
        ids: &BTreeSet<&str>,
        now: UnixTime,
    ) -> Result<Self, Failure> {
        let mut state = Self { own: caller.own(), now: now.seconds(), ..Self::default() };
        state.apis = by_name("identifier", caller.list("/apis", &[]).await?);
        state.clients = by_name("id", caller.list("/clients", &[]).await?);
        state.issuers = by_name("id", caller.list("/issuers", &[]).await?);
        let own = state.own.1.clone();
        let asked: BTreeSet<&str> = ids.iter().copied().chain([own.as_str()]).collect();
        for id in asked.into_iter().filter(|id| state.clients.contains_key(*id)) {
            let path = object_path("clients", id, "/credentials")?;
            let list = caller.list(&path, &[]).await?.into_iter().filter_map(object).collect();
            state.credentials.insert(id.to_owned(), list);
        }
        Ok(state)
    }
}

fn object(value: Value) -> Option<Members> {
    match value {
        Value::Object(members) => Some(members),
        _ => None,
    }
}

fn by_name(name: &str, list: Vec<Value>) -> BTreeMap<String, Members> {
    list.into_iter().filter_map(object).map(|one| (text(&one, name).to_owned(), one)).collect()
}
