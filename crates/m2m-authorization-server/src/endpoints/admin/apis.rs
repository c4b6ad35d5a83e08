//! `/apis`: what tokens can be for.

use axum::extract::Path;
use http::{HeaderMap, StatusCode};

use super::caller::{Json, Patch, Reader, Writer, read};
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::{WireApi, identifier};
use super::{Answer, Segment, Served, created, if_match, json, no_content, versioned};
use crate::Admin;
use crate::error::ErrorKind;
use crate::registry::{Api, ApiIdentifier};

pub(super) async fn list(Reader(admin): Reader, asked: Asked) -> Answer {
    let registry = admin.registry()?;
    let (items, next) = asked.page(registry.apis(), |api| api.identifier.as_str());
    let items = items.into_iter().map(|api| WireApi::of(api)).collect();
    json(StatusCode::OK, &Page { items, next })
}

pub(super) async fn create(Writer(admin): Writer, state: Served, Json(wire): Json<WireApi>) -> Answer {
    let api = wire.read()?;
    let identifier = api.identifier.clone();
    match admin.create_api(api.clone()).await {
        Ok(made) => {
            let path = format!("/apis/{}", segment(identifier.as_str()));
            created(&WireApi::of(&made), made.version, &state.0, &path)
        }
        Err(error) if error.kind() == ErrorKind::Conflict => repeated(&admin, &api),
        Err(error) => Err(error.into()),
    }
}

/// The same order twice is one order.
fn repeated(admin: &Admin, ordered: &Api) -> Answer {
    let name = ordered.identifier.as_str();
    let known = found(admin, name)?;
    let same = Api { version: known.version, ..ordered.clone() };
    match WireApi::of(&same) == WireApi::of(&known) {
        true => versioned(StatusCode::OK, &WireApi::of(&known), known.version),
        false => Err(Problem::exists(format!("the API {name} exists with other content"))),
    }
}

pub(super) async fn show(Reader(admin): Reader, Path(name): Segment) -> Answer {
    let api = found(&admin, &name)?;
    versioned(StatusCode::OK, &WireApi::of(&api), api.version)
}

pub(super) async fn update(
    Writer(admin): Writer,
    Path(name): Segment,
    headers: HeaderMap,
    Patch(patch): Patch,
) -> Answer {
    let version = if_match(&headers)?;
    let known = found(&admin, &name)?;
    let mut object = super::patched(&WireApi::of(&known), patch, &["identifier", "version"])?;
    object.remove("version");
    let api = read::<WireApi>(object)?.read()?;
    // What was read here is what the patch is for, unless the caller named another version.
    let updated = admin.update_api(api, version.or(Some(known.version))).await?;
    versioned(StatusCode::OK, &WireApi::of(&updated), updated.version)
}

pub(super) async fn delete(Writer(admin): Writer, Path(name): Segment, headers: HeaderMap) -> Answer {
    admin.delete_api(&known(&name)?, if_match(&headers)?).await?;
    no_content()
}

fn known(name: &str) -> Result<ApiIdentifier, Problem> {
    identifier(name).map_err(|_| Problem::unknown("API", name))
}

fn found(admin: &Admin, name: &str) -> Result<std::sync::Arc<Api>, Problem> {
    admin.registry()?.api(name).cloned().ok_or_else(|| Problem::unknown("API", name))
}

/// A name as one segment of a path (RFC 3986 §3.3).
pub(super) fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                text.push(char::from(byte));
            }
            _ => text.push_str(&format!("%{byte:02X}")),
        }
    }
    text
}
