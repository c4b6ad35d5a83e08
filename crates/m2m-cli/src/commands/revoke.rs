//! `m2m revoke`: a token that was given, or the kept one of this profile (RFC 7009).

use m2m_client::TokenSpec;
use serde_json::json;

use super::typed_token;
use crate::Surroundings;
use crate::args::Revoke;
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};
use crate::output::Reader;

pub(crate) async fn run(typed: &Revoke, around: &Surroundings) -> Result<Exit, Failure> {
    let given = typed_token::read_optional(&typed.token)?;
    let settings = connect::settings(&typed.profile, around)?;
    let need = Need::kept(Keep::Encrypted);
    let client = connect::client(&settings, around, &need).await?;
    let (revoked, which) = match given {
        Some(text) => {
            client.revoke(&typed_token::parse(&text)?).await?;
            (true, "the token")
        }
        None => (client.revoke_cached(&TokenSpec::default()).await?, "the kept token"),
    };
    if around.output.reader() == Reader::Program {
        around.output.json(&json!({"revoked": revoked}))?;
    } else if revoked {
        around.output.note(&format!("{which} is revoked"));
    } else {
        around.output.note("no token is kept for this profile; nothing to revoke");
    }
    Ok(Exit::Ok)
}
