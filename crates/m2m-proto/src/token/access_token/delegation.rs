//! Delegation: for whom a token speaks, who acts with it, and which tokens it was made from by
//! exchange.
//!
//! Sections: RFC 8693 sections 1.1 and 4.1 (`act`). `exchanged_from` is our own claim: the tokens
//! that a token was made from, the latest outermost, so that it ends when one of them does.
//!
//! Enforces, when a token is exchanged ([`Delegation::exchanged`]): the actor is the outermost `act`,
//! those before it stay below it; nothing is made after [`Delegation::MAX_EXCHANGES`] exchanges; the
//! token to be exchanged says which token of which credential of which client it is, and for which API.
//! Enforces, when reading: names are texts and not empty; the depth; no `act` without
//! `exchanged_from`, which no token of ours has.
//! Does not enforce: who may exchange what (policy of the server), and that the tokens before still
//! stand (introspection). Only the outermost actor is to be considered where access is decided.
//! Limits: 4 exchanges, about 200 bytes each.

use serde_json::Value;

use super::VerifiedClaims;
use crate::client_id::ClientId;
use crate::jose::Claims;
use crate::names::claim;
use crate::token::object::ObjectWriter;

/// A token that another one was made from, and what it hung on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    /// Its `jti`.
    pub jti: String,
    /// Its `client_id`.
    pub client_id: String,
    /// Its `cred`: the credential of that client that obtained it.
    pub credential: String,
    /// Its `aud`: where it has led once, no exchange leads back, or a detour would widen it.
    pub audience: String,
}

/// Why a token has no delegation that can be read or made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelegationError {
    /// `act` or `exchanged_from` is not as this server writes it.
    #[error("the claims act and exchanged_from are malformed")]
    Malformed,
    /// The token says not which one it is, of which client and credential, and for which API.
    #[error("the token has no jti, client_id, cred or aud")]
    Unnamed,
    /// [`Delegation::MAX_EXCHANGES`] were made.
    #[error("a token is exchanged at most {} times", Delegation::MAX_EXCHANGES)]
    TooOften,
}

/// Who acts, and from which tokens a token was made. There is at least one such token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delegation {
    actors: Vec<String>,
    origins: Vec<Origin>,
}

impl Delegation {
    /// The most exchanges between a token and the one that its subject got: 4.
    pub const MAX_EXCHANGES: usize = 4;

    /// What a token says that `acting` gets for `subject`. A client that narrows its own token, or one
    /// that it acts with already, adds no actor.
    ///
    /// # Errors
    /// [`DelegationError`]: the subject token cannot be exchanged.
    // spec: 8693-AS2
    pub fn exchanged(subject: &VerifiedClaims, acting: &ClientId) -> Result<Self, DelegationError> {
        let before = Self::decode(subject.claims())?;
        let named = subject.jti().zip(subject.client_id()).zip(subject.credential());
        let named = named.zip(subject.audience().next());
        let (((jti, client_id), credential), audience) = named.ok_or(DelegationError::Unnamed)?;
        let origin = Origin {
            jti: jti.to_owned(),
            client_id: client_id.to_owned(),
            credential: credential.to_owned(),
            audience: audience.to_owned(),
        };
        let (mut actors, mut origins) =
            before.map_or_else(Default::default, |before| (before.actors, before.origins));
        if origins.len() >= Self::MAX_EXCHANGES {
            return Err(DelegationError::TooOften);
        }
        let present = actors.first().map(String::as_str).or(subject.subject());
        if present != Some(acting.as_str()) {
            actors.insert(0, acting.as_str().to_owned());
        }
        origins.insert(0, origin);
        Ok(Self { actors, origins })
    }

    /// Who acts, outermost first: the only one who counts for access control, and the history below.
    /// Empty where the subject itself exchanged its own token.
    pub fn actors(&self) -> impl ExactSizeIterator<Item = &str> {
        self.actors.iter().map(String::as_str)
    }

    /// The tokens that it was made from, the latest first.
    #[must_use]
    pub fn origins(&self) -> &[Origin] {
        &self.origins
    }

    /// Reads the claims of a token of this server; `None` for one that was not exchanged.
    ///
    /// # Errors
    /// `Malformed`: not to be taken for a token without delegation.
    pub fn decode(claims: &Claims) -> Result<Option<Self>, DelegationError> {
        let origins = nested(claims.get(claim::EXCHANGED_FROM), claim::EXCHANGED_FROM, origin)?;
        let actors = nested(claims.get(claim::ACT), claim::ACT, |act| text(act, claim::SUB))?;
        match (origins.is_empty(), actors.is_empty()) {
            (true, true) => Ok(None),
            (true, false) => Err(DelegationError::Malformed),
            (false, _) => Ok(Some(Self { actors, origins })),
        }
    }

    /// Writes both claims.
    // spec: 8693-AS2
    pub(super) fn write(&self, object: &mut ObjectWriter) {
        write_actors(&self.actors, object);
        write_origins(&self.origins, object);
    }
}

fn write_actors(actors: &[String], object: &mut ObjectWriter) {
    if let [actor, before @ ..] = actors {
        object.object(claim::ACT, |act| {
            act.text(claim::SUB, actor);
            write_actors(before, act);
        });
    }
}

fn write_origins(origins: &[Origin], object: &mut ObjectWriter) {
    if let [origin, before @ ..] = origins {
        object.object(claim::EXCHANGED_FROM, |from| {
            from.text(claim::JTI, &origin.jti);
            from.text(claim::CLIENT_ID, &origin.client_id);
            from.text(claim::CRED, &origin.credential);
            from.text(claim::AUD, &origin.audience);
            write_origins(before, from);
        });
    }
}

/// The objects that stand in each other under `name`, outermost first.
fn nested<T>(
    mut value: Option<&Value>,
    name: &str,
    read: impl Fn(&Value) -> Option<T>,
) -> Result<Vec<T>, DelegationError> {
    let mut found = Vec::new();
    while let Some(object) = value {
        if found.len() >= Delegation::MAX_EXCHANGES {
            return Err(DelegationError::Malformed);
        }
        found.push(read(object).ok_or(DelegationError::Malformed)?);
        value = object.get(name);
    }
    Ok(found)
}

fn origin(value: &Value) -> Option<Origin> {
    Some(Origin {
        jti: text(value, claim::JTI)?,
        client_id: text(value, claim::CLIENT_ID)?,
        credential: text(value, claim::CRED)?,
        audience: text(value, claim::AUD)?,
    })
}

fn text(object: &Value, name: &str) -> Option<String> {
    object.as_object()?.get(name)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(claims: &str) -> Result<Option<Delegation>, DelegationError> {
        Delegation::decode(&Claims::parse(claims.as_bytes()).unwrap())
    }

    fn origin(name: &str) -> Origin {
        Origin {
            jti: format!("{name}-jti"),
            client_id: name.to_owned(),
            credential: format!("{name}-cred"),
            audience: format!("{name}-aud"),
        }
    }

    fn written(delegation: &Delegation) -> String {
        let mut object = ObjectWriter::with_capacity(0);
        delegation.write(&mut object);
        object.finish()
    }

    // spec-test: 8693-AS2
    #[test]
    fn the_claims_as_they_stand_in_a_token() {
        let delegation = Delegation {
            actors: vec!["billing".to_owned(), "gateway".to_owned()],
            origins: vec![origin("gateway"), origin("app")],
        };
        assert_eq!(
            written(&delegation),
            r#"{"act":{"sub":"billing","act":{"sub":"gateway"}},"exchanged_from":{"jti":"gateway-jti","client_id":"gateway","cred":"gateway-cred","aud":"gateway-aud","exchanged_from":{"jti":"app-jti","client_id":"app","cred":"app-cred","aud":"app-aud"}}}"#
        );
        assert_eq!(decoded(&written(&delegation)), Ok(Some(delegation)));
        let own = Delegation { actors: Vec::new(), origins: vec![origin("app")] };
        assert_eq!(decoded(&written(&own)), Ok(Some(own)), "nobody acts for itself");
    }

    #[test]
    fn whatever_is_not_ours_is_no_delegation_and_not_nothing_either() {
        assert_eq!(decoded("{}"), Ok(None));
        let fine = r#"{"jti":"j","client_id":"c","cred":"r","aud":"a"}"#;
        assert!(decoded(&format!(r#"{{"exchanged_from":{fine}}}"#)).is_ok_and(|read| read.is_some()));
        for bad in [
            r#"{"act":{"sub":"a"}}"#.to_owned(),
            format!(r#"{{"exchanged_from":{fine},"act":"a"}}"#),
            format!(r#"{{"exchanged_from":{fine},"act":{{}}}}"#),
            format!(r#"{{"exchanged_from":{fine},"act":{{"sub":""}}}}"#),
            format!(r#"{{"exchanged_from":{fine},"act":{{"sub":"a","act":{{"sub":7}}}}}}"#),
            r#"{"exchanged_from":[]}"#.to_owned(),
            r#"{"exchanged_from":null}"#.to_owned(),
            r#"{"exchanged_from":{"jti":"j","client_id":"c","aud":"a"}}"#.to_owned(),
            r#"{"exchanged_from":{"jti":"j","client_id":"c","cred":"r"}}"#.to_owned(),
            r#"{"exchanged_from":{"jti":"j","client_id":"c","cred":"r","aud":"a","exchanged_from":{}}}"#
                .to_owned(),
        ] {
            assert_eq!(decoded(&bad), Err(DelegationError::Malformed), "{bad}");
        }
    }

    #[test]
    fn depth_is_bounded() {
        let deep = |levels: usize| Delegation { actors: Vec::new(), origins: vec![origin("a"); levels] };
        assert!(decoded(&written(&deep(Delegation::MAX_EXCHANGES))).is_ok());
        let refused = decoded(&written(&deep(Delegation::MAX_EXCHANGES + 1)));
        assert_eq!(refused, Err(DelegationError::Malformed));
    }
}
