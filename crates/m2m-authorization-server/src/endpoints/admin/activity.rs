//! `/activity`: how much was issued and refused, over time and by client.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::extract::Query as Parameters;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use super::caller::Reader;
use super::page::time;
use super::problem::Problem;
use super::{Answer, Served, json};
use crate::audit::{Activity, Busy, Window};

/// What is looked at unless told otherwise: a day.
const SPAN: Duration = Duration::from_secs(24 * 60 * 60);
const PARTS: usize = 48;

/// Which time, and in how many parts.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    since: Option<u64>,
    until: Option<u64>,
    parts: Option<usize>,
}

#[derive(Debug, Serialize)]
struct ShownPart {
    at: u64,
    issued: u64,
    refused: BTreeMap<String, u64>,
}

#[derive(Debug, Serialize)]
struct ShownBusy {
    client_id: String,
    issued: u64,
    busiest_minute: u64,
    evidently_uncached: bool,
}

#[derive(Debug, Serialize)]
struct Shown {
    since: u64,
    until: u64,
    part_seconds: u64,
    parts: Vec<ShownPart>,
    clients: Vec<ShownBusy>,
}

impl Shown {
    fn of(window: &Window, activity: Activity) -> Self {
        let starts = (0_u64..)
            .map(|part| window.since().seconds().saturating_add(part.saturating_mul(window.width())));
        let part = |(at, part): (u64, crate::audit::Part)| ShownPart {
            at,
            issued: part.issued,
            refused: part.refused,
        };
        let busy = |busy: Busy| ShownBusy {
            evidently_uncached: busy.is_uncached(),
            client_id: busy.client_id.as_str().to_owned(),
            issued: busy.issued,
            busiest_minute: busy.busiest_minute,
        };
        Self {
            since: window.since().seconds(),
            until: window.until().seconds(),
            part_seconds: window.width(),
            parts: starts.zip(activity.parts).map(part).collect(),
            clients: activity.clients.into_iter().map(busy).collect(),
        }
    }
}

pub(super) async fn show(
    Reader(admin): Reader,
    state: Served,
    parameters: Result<Parameters<Asked>, axum::extract::rejection::QueryRejection>,
) -> Answer {
    let Parameters(asked) = parameters.map_err(|error| Problem::bad(error.body_text()))?;
    let until = time("until", asked.until)?.unwrap_or_else(|| state.clock.wall());
    let since = time("since", asked.since)?.unwrap_or_else(|| until.saturating_sub(SPAN));
    let window = Window::new(since, until, asked.parts.unwrap_or(PARTS));
    let window = window.ok_or_else(|| {
        Problem::invalid("since is before until, by 31 days at most, and there are 1 to 200 parts")
    })?;
    let activity = admin.activity(&window).await?;
    json(StatusCode::OK, &Shown::of(&window, activity))
}
