//! `m2m profile schema`: what a form needs to ask for a profile.

use serde_json::json;

use crate::Surroundings;
use crate::args::ProfileSchema;
use crate::exit::{Exit, Failure};
use crate::schema::{schema, ui_schema};

pub(crate) fn run(typed: &ProfileSchema, around: &Surroundings) -> Result<Exit, Failure> {
    let shown = match (typed.schema, typed.ui) {
        (true, _) => schema(),
        (false, true) => ui_schema(),
        (false, false) => json!({"schema": schema(), "uiSchema": ui_schema()}),
    };
    around.output.json(&shown)?;
    Ok(Exit::Ok)
}
