//! `/tokens`: tokens that have not expired, as the audit remembers them, and withdrawing one by name.

use axum::extract::{Path, Query as Parameters};
use http::StatusCode;
use serde::Serialize;
use serde_json::json;

use super::audit::{ByWhom, page_of};
use super::caller::{Ender, Reader};
use super::page::{Asked, Page};
use super::problem::Problem;
use super::wire::WireEffective;
use super::{Answer, Segment, json as answer};
use crate::audit::Entry;

/// A token as it is shown. The token itself is kept nowhere.
#[derive(Debug, Serialize)]
struct Shown {
    jti: String,
    client_id: String,
    credential_id: Option<String>,
    api: String,
    scope: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    made_from: Option<String>,
    issued_at: u64,
    expires_at: u64,
    revoked: bool,
}

pub(super) async fn list(
    Reader(admin): Reader,
    asked: Asked,
    parameters: Result<Parameters<ByWhom>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Parameters(whose) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let query = whose.query(&asked)?;
    let (entries, next) = page_of(&asked, admin.live_tokens(query).await?);
    let mut items = Vec::with_capacity(entries.len());
    for entry in entries {
        let revoked = admin.is_withdrawn(&entry.record)?;
        items.extend(shown(entry).map(|shown| Shown { revoked, ..shown }));
    }
    answer(StatusCode::OK, &Page { items, next })
}

fn shown(entry: Entry) -> Option<Shown> {
    let record = entry.record;
    Some(Shown {
        jti: record.jti?.to_string(),
        client_id: record.client_id?.as_str().to_owned(),
        credential_id: record.credential.map(|id| id.as_str().to_owned()),
        api: record.api?.to_string(),
        scope: record.scope.as_ref().map(ToString::to_string).unwrap_or_default(),
        made_from: record.subject,
        issued_at: record.at.seconds(),
        expires_at: record.expires_at?.seconds(),
        revoked: false,
    })
}

pub(super) async fn revoke(ender: Ender, Path(jti): Segment) -> Answer {
    if !(1..=64).contains(&jti.len()) || !jti.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(Problem::unknown("token", "of that name"));
    }
    let (admin, issued) = match ender {
        Ender::Any(admin) => {
            let issued = admin.revoke_token(&jti).await?;
            (admin, issued)
        }
        Ender::Own(admin, token) => {
            admin.revoke_own(&token).await?;
            (admin, true)
        }
    };
    let effective: WireEffective = admin.effective_with_exchange(None)?.into();
    answer(StatusCode::OK, &json!({"jti": jti, "revoked": true, "issued": issued, "effective": effective}))
}
