//! `/clients`: who may ask for tokens, and for which.

use std::sync::Arc;

use axum::extract::Path;
use http::{HeaderMap, StatusCode};
use m2m_proto::client_id::ClientId;
use m2m_proto::scope::ScopeToken;
use m2m_proto::time::UnixTime;

use super::apis::segment;
use super::caller::{Json, Patch, Reader, Writer, read};
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::{ShownClient, WireClient, WireScopes, client_id};
use super::{Answer, Segment, Served, check_match, created, if_match, json, no_content, versioned};
use crate::Admin;
use crate::error::ErrorKind;
use crate::registry::{Client, Registration, Status};
use crate::store::Usage;

/// What a patch may change.
const WRITABLE: [&str; 10] = [
    "name",
    "owner",
    "purpose",
    "review_by",
    "grants",
    "lifetime_cap",
    "sender_constraint",
    "mint_quota",
    "allowed_networks",
    "token_exchange",
];
/// What an answer has and an order has not.
const SHOWN_ONLY: [&str; 4] = ["status", "created_at", "version", "review_overdue"];

pub(super) async fn list(Reader(admin): Reader, state: Served, asked: Asked) -> Answer {
    let (registry, now) = (admin.registry()?, state.clock.wall());
    let (items, next) = asked.page(registry.registrations(), |one| one.client().id.as_str());
    let items = items.into_iter().map(|one| ShownClient::of(one.client(), now)).collect();
    json(StatusCode::OK, &Page { items, next })
}

/// Unreserved characters only (RFC 3986 §2.3): many clients send Basic without the encoding of RFC 6749 §2.3.1,
/// and these need none.
fn plain(id: &str) -> bool {
    id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

pub(super) async fn create(Writer(admin): Writer, state: Served, Json(wire): Json<WireClient>) -> Answer {
    let client = wire.read()?;
    if !plain(client.id.as_str()) {
        return Err(Problem::invalid("the client id may have letters, digits and -._~ only"));
    }
    let now = state.clock.wall();
    match admin.create_client(client.clone()).await {
        Ok(made) => {
            let shown = ShownClient::of(made.client(), now);
            let path = format!("/clients/{}", segment(client.id.as_str()));
            created(&shown, shown.version, &state.0, &path)
        }
        Err(error) if error.kind() == ErrorKind::Conflict => repeated(&admin, &client, now),
        Err(error) => Err(error.into()),
    }
}

/// The same order twice is one order.
fn repeated(admin: &Admin, ordered: &Client, now: UnixTime) -> Answer {
    let known = found(admin, ordered.id.as_str())?;
    match WireClient::of(ordered) == WireClient::of(known.client()) {
        true => shown(StatusCode::OK, &ShownClient::of(known.client(), now)),
        false => {
            Err(Problem::exists(format!("the client {} exists with other content", ordered.id.as_str())))
        }
    }
}

fn shown(status: StatusCode, client: &ShownClient) -> Answer {
    versioned(status, client, client.version)
}

pub(super) async fn show(Reader(admin): Reader, state: Served, Path(name): Segment) -> Answer {
    let registration = found(&admin, &name)?;
    let usage = admin.usage(&registration.client().id).await?;
    let mut client = ShownClient::of(registration.client(), state.clock.wall());
    client.unused_scopes = Some(unused(registration.client(), &usage));
    shown(StatusCode::OK, &client)
}

/// What is granted and was in no token so far: what could be taken away.
fn unused(client: &Client, usage: &Usage) -> Vec<WireScopes> {
    let of_one = |(api, grant): (&crate::registry::ApiIdentifier, &crate::registry::ApiGrant)| {
        let used = |scope: &str| usage.scopes.contains(&(api.as_str().to_owned(), scope.to_owned()));
        let scopes: Vec<String> = grant
            .scopes
            .iter()
            .map(ScopeToken::as_str)
            .filter(|scope| !used(scope))
            .map(str::to_owned)
            .collect();
        (!scopes.is_empty()).then(|| WireScopes { api: api.as_str().to_owned(), scopes })
    };
    client.grants.iter().filter_map(of_one).collect()
}

pub(super) async fn update(
    Writer(admin): Writer,
    state: Served,
    Path(name): Segment,
    headers: HeaderMap,
    Patch(patch): Patch,
) -> Answer {
    let version = if_match(&headers)?;
    let now = state.clock.wall();
    loop {
        let known = found(&admin, &name)?;
        let mut object = super::patched(&ShownClient::of(known.client(), now), patch.clone(), &WRITABLE)?;
        SHOWN_ONLY.iter().for_each(|name| drop(object.remove(*name)));
        let client = read::<WireClient>(object)?.read()?;
        match admin.update_client(client, version.or(Some(known.client().version))).await {
            // Somebody else changed it in between: the patch is for what there is now.
            Err(error) if error.kind() == ErrorKind::Outdated && version.is_none() => {}
            updated => return shown(StatusCode::OK, &ShownClient::of(updated?.client(), now)),
        }
    }
}

pub(super) async fn delete(Writer(admin): Writer, Path(name): Segment, headers: HeaderMap) -> Answer {
    admin.delete_client(&known(&name)?, if_match(&headers)?).await?;
    no_content()
}

pub(super) async fn disable(
    Writer(admin): Writer,
    state: Served,
    Path(name): Segment,
    headers: HeaderMap,
) -> Answer {
    set_status(&admin, &state, (&name, &headers), Status::Disabled).await
}

pub(super) async fn enable(
    Writer(admin): Writer,
    state: Served,
    Path(name): Segment,
    headers: HeaderMap,
) -> Answer {
    set_status(&admin, &state, (&name, &headers), Status::Active).await
}

pub(super) async fn revoke(
    Writer(admin): Writer,
    state: Served,
    Path(name): Segment,
    headers: HeaderMap,
) -> Answer {
    set_status(&admin, &state, (&name, &headers), Status::Revoked).await
}

/// Of the client of that name, if it is still as the caller saw it.
async fn set_status(
    admin: &Admin,
    state: &Served,
    (name, headers): (&str, &HeaderMap),
    status: Status,
) -> Answer {
    check_match(headers, name, found(admin, name)?.client().version)?;
    let registration = admin.set_client_status(&known(name)?, status).await?;
    let mut client = ShownClient::of(registration.client(), state.clock.wall());
    if status != Status::Active {
        client.effective = Some(admin.effective_with_exchange(Some(&registration.client().id))?.into());
    }
    shown(StatusCode::OK, &client)
}

pub(super) fn known(name: &str) -> Result<ClientId, Problem> {
    client_id(name).map_err(|_| Problem::unknown("client", name))
}

pub(super) fn found(admin: &Admin, name: &str) -> Result<Arc<Registration>, Problem> {
    let id = known(name)?;
    admin.registry()?.registration(&id).cloned().ok_or_else(|| Problem::unknown("client", name))
}
