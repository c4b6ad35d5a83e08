//! `m2m inspect`: what a JWT says, without believing it.

use m2m_proto::jose::base64url;
use m2m_proto::json::{JsonLimits, parse_object};
use serde_json::{Map, Value, json};

use super::typed_token;
use crate::Surroundings;
use crate::args::Inspect;
use crate::exit::{Exit, Failure};

type Object = Map<String, Value>;

pub(crate) fn run(typed: &Inspect, around: &Surroundings) -> Result<Exit, Failure> {
    let token = typed_token::read(&typed.token)?;
    let (header, claims) = decode(token.expose())?;
    around.output.note("unverified: anybody can write such a token; m2m verify checks one");
    around.output.json(&json!({"header": header, "claims": claims, "verified": false}))?;
    Ok(Exit::Ok)
}

/// Header and claims of a compact JWS, whatever its algorithm; nothing is verified.
///
/// # Errors
/// Exit 10: it is none; its text is not repeated.
pub(crate) fn decode(token: &str) -> Result<(Object, Object), Failure> {
    let parts: Vec<&str> = token.split('.').collect();
    let [header, claims, _signature] = parts.as_slice() else {
        return Err(Failure::of(
            Exit::Malformed,
            "malformed",
            "this is not a JWT: it does not have three parts",
        )
        .hint("an opaque token can only be introspected: m2m introspect"));
    };
    Ok((part("header", header)?, part("claims", claims)?))
}

fn part(name: &str, text: &str) -> Result<Object, Failure> {
    let malformed = |why: String| Failure::of(Exit::Malformed, "malformed", format!("the {name}: {why}"));
    let bytes = base64url::decode(text).map_err(|error| malformed(error.to_string()))?;
    parse_object(&bytes, &JsonLimits::CLAIMS).map_err(|error| malformed(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_and_refuses() {
        let (header, claims) = decode("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.").unwrap();
        assert_eq!((header["alg"].as_str(), claims["sub"].as_str()), (Some("none"), Some("a")));
        for opaque in ["opaque", "a.b", "a.b.c.d", "!.eyJzdWIiOiJhIn0.", "eyJhbGciOiJub25lIn0.W10."] {
            let failure = decode(opaque).unwrap_err();
            assert_eq!(failure.exit(), Exit::Malformed, "{opaque}");
            assert!(!failure.message().contains(opaque));
        }
    }
}
