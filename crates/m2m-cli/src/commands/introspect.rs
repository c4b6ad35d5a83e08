//! `m2m introspect`: what the server says about a token (RFC 7662), signed on request (RFC 9701). Exit 0 when it is
//! active, 12 when not.

use super::typed_token;
use crate::Surroundings;
use crate::args::Introspect;
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};

pub(crate) async fn run(typed: &Introspect, around: &Surroundings) -> Result<Exit, Failure> {
    let token = typed_token::parse(&typed_token::read(&typed.token)?)?;
    let settings = connect::settings(&typed.profile, around)?;
    let need = Need { signed_answers: typed.signed, ..Need::kept(Keep::Nothing) };
    let client = connect::client(&settings, around, &need).await?;
    let answer = client.introspect(&token).await?;
    around.output.json(&serde_json::Value::Object(answer.to_members()))?;
    if answer.is_active() {
        return Ok(Exit::Ok);
    }
    Err(Failure::of(Exit::Inactive, "inactive", "the token is not active")
        .hint("it has expired, was revoked, or is not this client's to ask about"))
}
