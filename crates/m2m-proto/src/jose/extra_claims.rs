//! Claims that a peer wants besides those a builder writes: text by name.
//!
//! Sections: RFC 7519 §4.2, §4.3
//! Enforces: no name is empty, is one of the typed fields of [`Claims`], or is
//! there already
//! Does not enforce: what such a claim means, and how long it is; a token has its
//! own limit ([`super::MAX_TOKEN_BYTES`])

use serde_json::Value;

use super::claims::Claims;
use crate::names::claim;

/// The typed fields of [`Claims`], which have a setting of their own.
const REGISTERED: [&str; 7] =
    [claim::ISS, claim::SUB, claim::AUD, claim::EXP, claim::NBF, claim::IAT, claim::JTI];

/// A name that cannot be that of an extra claim.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name:?} cannot be an extra claim: it is empty, twice there, or has a setting of its own")]
pub struct ExtraClaimError {
    /// The name.
    pub name: String,
}

/// Whether `name` may be the name of an extra claim.
///
/// # Errors
/// [`ExtraClaimError`] for an empty name and for registered claims.
pub fn check_extra_claim(name: &str) -> Result<(), ExtraClaimError> {
    if name.is_empty() || REGISTERED.contains(&name) {
        return Err(ExtraClaimError { name: name.to_owned() });
    }
    Ok(())
}

impl Claims {
    /// Adds claims, name and text.
    ///
    /// # Errors
    /// What [`check_extra_claim`] says; a name that is there already, be it
    /// among `extra` itself.
    pub(crate) fn add_extra(&mut self, extra: &[(String, String)]) -> Result<(), ExtraClaimError> {
        for (name, text) in extra {
            check_extra_claim(name)?;
            if self.get(name).is_some() {
                return Err(ExtraClaimError { name: name.clone() });
            }
            self.rest.insert(name.clone(), Value::from(text.as_str()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_taken() {
        let check = |names: &[&str], refused: Option<&str>| {
            let extra: Vec<_> = names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect();
            let mut claims = Claims::default();
            claims.rest.insert("scope", Value::from("a"));
            let error = refused.map(|name| ExtraClaimError { name: name.to_owned() });
            assert_eq!(claims.add_extra(&extra).err(), error, "{names:?}");
        };
        check(&["box_sub_type", "b"], None);
        check(&["scope"], Some("scope"));
        check(&["b", "b"], Some("b"));
        check(&["b", ""], Some(""));
        for name in REGISTERED {
            check(&[name], Some(name));
        }
    }

    #[test]
    fn every_registered_claim_is_a_typed_field() {
        let all = br#"{"iss":"a","sub":"a","aud":"a","exp":1,"nbf":1,"iat":1,"jti":"a"}"#;
        let claims = Claims::parse(all).unwrap();
        assert!(claims.rest.is_empty());
        assert!(REGISTERED.iter().all(|name| claims.has(name)));
    }
}
