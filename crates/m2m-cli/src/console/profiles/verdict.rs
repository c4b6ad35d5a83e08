//! Whether a token is signed by its issuer: judged by the verifier of `m2m verify`.
//!
//! Enforces: the issuer is the one of the profile or of its provider, never whom the token names. Where the kind of
//! token is not known, each of the verifier's token profiles is tried; none of them is looser about signature, issuer
//! or expiry. The audience is the token's own: what it is for is compared by the page.

use std::sync::Arc;

use m2m_io::HttpClient;
use m2m_proto::uri::{Issuer, PlainHttp};
use m2m_resource_server::{Reason, TrustedIssuer, Verifier, token_profiles};
use serde_json::{Map, Value};

use crate::connect;
use crate::console::page::Tone;
use crate::settings::Settings;
use crate::settings::field::Field;

/// What is to be said of a signature.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) tone: Tone,
    pub(crate) text: String,
}

fn say(tone: Tone, text: impl Into<String>) -> Verdict {
    Verdict { tone, text: text.into() }
}

/// Judges a token by the keys of the settings' issuer.
pub(crate) async fn verdict(
    token: &str,
    claims: Option<&Map<String, Value>>,
    settings: &Settings,
) -> Verdict {
    let Some(claims) = claims else {
        return say(
            Tone::Plain,
            "Opaque: it has no signature to check. Only the server can say what it is worth.",
        );
    };
    let known = settings.text(Field::Issuer).or(settings.preset().and_then(|preset| preset.issuer()));
    let named = claims.get("iss").and_then(Value::as_str).unwrap_or_default();
    let Some(known) = known else {
        return say(
            Tone::Careful,
            "Not checked: the profile names a token endpoint and no issuer, so nothing says whose keys count.",
        );
    };
    if known != named {
        let named = crate::output::printable(named);
        return say(
            Tone::Careful,
            format!("Not checked: the token says that {named} issued it, and the profile knows {known}."),
        );
    }
    let audience = match claims.get("aud") {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(list)) => list.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
        _ => String::new(),
    };
    judge(token, known, &audience, settings)
        .await
        .unwrap_or_else(|why| say(Tone::Careful, format!("Not checked: {why}.")))
}

async fn judge(token: &str, issuer: &str, audience: &str, settings: &Settings) -> Result<Verdict, String> {
    let http: Arc<dyn HttpClient> =
        connect::http(settings).map_err(|failure| failure.message().to_owned())?;
    let plain = if settings.is_on(Field::AllowHttp) { PlainHttp::Allowed } else { PlainHttp::LoopbackOnly };
    let mut first = None;
    for profile in token_profiles::ALL {
        let issuer = Issuer::parse(issuer).map_err(|error| error.to_string())?;
        let name = profile.name;
        let trusted = TrustedIssuer::new(issuer).audience(audience).plain_http(plain).profile(profile);
        let verifier = Verifier::builder().trust_with(trusted).http(Arc::clone(&http)).build();
        let rejection = match verifier.map_err(|error| error.to_string())?.verify_token(token).await {
            Ok(_) => {
                return Ok(say(
                    Tone::Good,
                    format!("Good: signed with a key that the issuer publishes ({name})."),
                ));
            }
            Err(rejection) => rejection,
        };
        if let Reason::Unavailable(why) = rejection.reason() {
            return Err(format!("the issuer's keys cannot be had: {why}"));
        }
        first.get_or_insert_with(|| rejection.reason().to_string());
    }
    let why = first.unwrap_or_default();
    Ok(say(Tone::Bad, format!("Not good by any known kind of access token. By RFC 9068: {why}.")))
}
