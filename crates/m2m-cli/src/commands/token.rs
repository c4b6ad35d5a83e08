//! `m2m token`: an access token on standard output, or what it says.

use std::sync::Arc;

use m2m_client::{Client, Token as Issued, TokenOrigin, TokenSpec};
use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use m2m_proto::names::claim;
use m2m_proto::token::TokenType;
use serde_json::{Value, json};

use crate::Surroundings;
use crate::args::{OutputFormat, Token};
use crate::connect::{self, Keep, Need};
use crate::exit::{Exit, Failure};
use crate::output::{Stream, printable};
use crate::quote;
use crate::settings::Settings;
use crate::settings::value::parse_time;

pub(crate) async fn run(typed: &Token, around: &Surroundings) -> Result<Exit, Failure> {
    let min_ttl = typed.min_ttl.as_deref().map(parse_time).transpose();
    let min_ttl = min_ttl.map_err(|problem| Failure::usage(format!("--min-ttl: {problem}")))?;
    let settings = connect::settings(&typed.profile, around)?;
    let keep = if typed.no_store { Keep::Nothing } else { Keep::Encrypted };
    let client = connect::client(&settings, around, &Need::kept(keep)).await?;
    let spec = TokenSpec::default();
    let token = match (typed.fresh, min_ttl) {
        (true, _) => client.renew(&spec).await?,
        (false, Some(life)) => client.token_for(&spec, life).await?,
        (false, None) => client.token(&spec).await?,
    };
    if let Some(asked) = min_ttl.filter(|asked| left(&token, around) < *asked) {
        around.output.warn(&format!("the server issues tokens that live less than {} s", asked.as_secs()));
    }
    let kept = kept(&settings, &token);
    show(typed, &client, &Got { token: &token, kept }, around)
}

/// A token, and those members of its answer that callers of this service need.
struct Got<'a> {
    token: &'a Arc<Issued>,
    kept: Vec<(&'a str, &'a Value)>,
}

/// The members that the provider's entry names, as far as the answer had them.
fn kept<'a>(settings: &'a Settings, token: &'a Issued) -> Vec<(&'a str, &'a Value)> {
    let names = settings.preset().map(|preset| preset.provider().response.kept.as_slice());
    let member = |name: &'a String| Some((name.as_str(), token.extra().get(name)?));
    names.unwrap_or_default().iter().filter_map(member).collect()
}

fn show(typed: &Token, client: &Client, got: &Got<'_>, around: &Surroundings) -> Result<Exit, Failure> {
    let token = got.token;
    let format = match typed.output {
        Some(format) => Some(format),
        None if typed.json => Some(OutputFormat::Json),
        None if typed.show_token || around.output.stdout() == Stream::Pipe => Some(OutputFormat::Bare),
        None => None,
    };
    let text = token.access_token().expose();
    match format {
        None => return summary(got, around),
        Some(OutputFormat::Bare) => around.output.result(text)?,
        Some(OutputFormat::Header) => around.output.result(&header(token)?)?,
        Some(OutputFormat::Json) => around.output.json(&as_json(client, got, around))?,
        Some(OutputFormat::Env) => {
            around.output.result(&format!("export M2M_ACCESS_TOKEN={}", quote::shell(text)))?;
            around.output.result(&format!("export M2M_EXPIRES_AT={}", token.expires_at().seconds()))?;
            for (name, value) in got.texts().filter(|(name, _)| is_word(name)) {
                let name = name.to_uppercase();
                around.output.result(&format!("export M2M_{name}={}", quote::shell(&value)))?;
            }
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

impl Got<'_> {
    /// The members that are one text or number each.
    fn texts(&self) -> impl Iterator<Item = (&str, String)> {
        self.kept.iter().filter_map(|(name, value)| match value {
            Value::String(text) => Some((*name, text.clone())),
            Value::Number(number) => Some((*name, number.to_string())),
            _ => None,
        })
    }
}

/// Fit for the name of a shell variable.
fn is_word(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

fn header(token: &Issued) -> Result<String, Failure> {
    let value = token.authorization().to_str();
    let value = value.map_err(|_| Failure::internal("the token cannot stand in a header"))?;
    Ok(format!("Authorization: {value}"))
}

fn as_json(client: &Client, got: &Got<'_>, around: &Surroundings) -> Value {
    let token = got.token;
    // RFC 6749 §5.1: an answer without scope grants what was asked.
    let asked = client.spec().scope;
    let scope = token.scope().or(asked.as_ref()).map(ToString::to_string);
    let mut object = json!({
        "access_token": token.access_token().expose(),
        "token_type": token.token_type().as_str(),
        "expires_in": left(token, around).as_secs(),
        "expires_at": token.expires_at().seconds(),
        "scope": scope,
        "from_cache": token.origin() != TokenOrigin::Minted,
    });
    if let (false, Some(object)) = (got.kept.is_empty(), object.as_object_mut()) {
        let kept = got.kept.iter().map(|(name, value)| ((*name).to_owned(), (*value).clone()));
        object.insert("extra".to_owned(), Value::Object(kept.collect()));
    }
    object
}

fn left(token: &Issued, around: &Surroundings) -> std::time::Duration {
    token.expires_at().since(around.clock.wall())
}

/// What a person wants to know; never the token.
fn summary(got: &Got<'_>, around: &Surroundings) -> Result<Exit, Failure> {
    let token = got.token;
    let line = |name: &str, value: &str| around.output.result(&format!("{name:<12} {}", printable(value)));
    line("token", &format!("{}… ({})", token.access_token().fingerprint(), token.token_type().as_str()))?;
    let left = left(token, around).as_secs();
    line("expires in", &format!("{}m{:02}s", left / 60, left % 60))?;
    if let Some(scope) = token.scope() {
        line("scope", &scope.to_string())?;
    }
    for (name, value) in got.texts() {
        line(name, &value)?;
    }
    let text = token.access_token().expose();
    let payload = text.split('.').nth(1).filter(|_| text.split('.').count() == 3);
    let claims =
        payload.and_then(|payload| parse_object(&base64url::decode(payload).ok()?, &JsonLimits::CLAIMS).ok());
    for name in [claim::ISS, claim::SUB, claim::CLIENT_ID, claim::AUD] {
        match claims.as_ref().and_then(|claims| claims.get(name)) {
            Some(Value::String(text)) => line(name, text)?,
            Some(other) => line(name, &other.to_string())?,
            None => {}
        }
    }
    let kept = if token.origin() == TokenOrigin::Minted { "new" } else { "kept from an earlier run" };
    line("origin", kept)?;
    around.output.note("--show-token prints it; claims are not verified");
    Ok(Exit::Ok)
}
