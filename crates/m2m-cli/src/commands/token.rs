//! `m2m token`: an access token on standard output, or what it says.

use std::sync::Arc;

use m2m_client::{Client, Token as Issued, TokenOrigin, TokenSpec};
use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::claim;
use m2m_proto::token::TokenType;
use serde_json::json;

use crate::Surroundings;
use crate::args::{OutputFormat, Token};
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};
use crate::output::{Stream, printable};
use crate::quote;
use crate::settings::value::parse_time;

pub(crate) async fn run(typed: &Token, around: &Surroundings) -> Result<Exit, Failure> {
    let min_ttl = typed.min_ttl.as_deref().map(parse_time).transpose();
    let min_ttl = min_ttl.map_err(|problem| Failure::usage(format!("--min-ttl: {problem}")))?;
    let settings = connect::settings(&typed.profile, around)?;
    let keep = if typed.no_store { Keep::Nothing } else { Keep::Encrypted };
    let client = connect::client(&settings, around, &Need { keep, destination: None }).await?;
    let spec = TokenSpec::default();
    let token = match (typed.fresh, min_ttl) {
        (true, _) => client.renew(&spec).await?,
        (false, Some(life)) => client.token_for(&spec, life).await?,
        (false, None) => client.token(&spec).await?,
    };
    if let Some(asked) = min_ttl.filter(|asked| left(&token, around) < *asked) {
        around.output.warn(&format!("the server issues tokens that live less than {} s", asked.as_secs()));
    }
    show(typed, &client, &token, around)
}

fn show(typed: &Token, client: &Client, token: &Arc<Issued>, around: &Surroundings) -> Result<Exit, Failure> {
    let format = match typed.output {
        Some(format) => Some(format),
        None if typed.json => Some(OutputFormat::Json),
        None if typed.show_token || around.output.stdout() == Stream::Pipe => Some(OutputFormat::Bare),
        None => None,
    };
    let text = token.access_token().expose();
    match format {
        None => return summary(token, around),
        Some(OutputFormat::Bare) => around.output.result(text)?,
        Some(OutputFormat::Header) => around.output.result(&header(token)?)?,
        Some(OutputFormat::Json) => around.output.json(&as_json(client, token, around))?,
        Some(OutputFormat::Env) => {
            around.output.result(&format!("export M2M_ACCESS_TOKEN={}", quote::shell(text)))?;
            around.output.result(&format!("export M2M_EXPIRES_AT={}", token.expires_at().seconds()))?;
        }
        Some(OutputFormat::CurlConfig) => {
            let escaped = header(token)?.replace('\\', "\\\\").replace('"', "\\\"");
            around.output.result(&format!("header = \"{escaped}\""))?;
        }
    }
    if *token.token_type() == TokenType::Dpop {
        around
            .output
            .note("this token is bound to a key: every request needs a proof too; m2m request makes them");
    }
    Ok(Exit::Ok)
}

fn header(token: &Issued) -> Result<String, Failure> {
    let value = token.authorization().to_str();
    let value = value.map_err(|_| Failure::internal("the token cannot stand in a header"))?;
    Ok(format!("Authorization: {value}"))
}

fn as_json(client: &Client, token: &Issued, around: &Surroundings) -> serde_json::Value {
    // RFC 6749 §5.1: an answer without scope grants what was asked.
    let asked = client.spec().scope;
    let scope = token.scope().or(asked.as_ref()).map(ToString::to_string);
    json!({
        "access_token": token.access_token().expose(),
        "token_type": token.token_type().as_str(),
        "expires_in": left(token, around).as_secs(),
        "expires_at": token.expires_at().seconds(),
        "scope": scope,
        "from_cache": token.origin() != TokenOrigin::Minted,
    })
}

fn left(token: &Issued, around: &Surroundings) -> std::time::Duration {
    token.expires_at().since(around.clock.wall())
}

/// What a person wants to know; never the token.
fn summary(token: &Issued, around: &Surroundings) -> Result<Exit, Failure> {
    let line = |name: &str, value: &str| around.output.result(&format!("{name:<12} {}", printable(value)));
    line("token", &format!("{}… ({})", token.access_token().fingerprint(), token.token_type().as_str()))?;
    let left = left(token, around).as_secs();
    line("expires in", &format!("{}m{:02}s", left / 60, left % 60))?;
    if let Some(scope) = token.scope() {
        line("scope", &scope.to_string())?;
    }
    let text = token.access_token().expose();
    let payload = text.split('.').nth(1).filter(|_| text.split('.').count() == 3);
    let claims =
        payload.and_then(|payload| parse_object(&base64url::decode(payload).ok()?, &JsonLimits::CLAIMS).ok());
    for name in [claim::ISS, claim::SUB, claim::CLIENT_ID, claim::AUD] {
        match claims.as_ref().and_then(|claims| claims.get(name)) {
            Some(serde_json::Value::String(text)) => line(name, text)?,
            Some(other) => line(name, &other.to_string())?,
            None => {}
        }
    }
    let kept = if token.origin() == TokenOrigin::Minted { "new" } else { "kept from an earlier run" };
    line("origin", kept)?;
    around.output.note("--show-token prints it; claims are not verified");
    Ok(Exit::Ok)
}
