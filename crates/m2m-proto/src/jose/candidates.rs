//! Which of several keys may have signed a token: chosen by algorithm and name,
//! tried in turn.
//!
//! Sections: RFC 7515 §4.1.4, RFC 8725 §3.1
//! Enforces: a key is tried with the algorithms it is bound to and no other; a
//! key of another name than `kid` is not tried; at most [`MAX_TRIED_KEYS`]
//! Does not enforce: that the keys belong to whom the token names; the caller
//! passes the keys of one party only

use super::alg::Algorithm;
use super::jws::{Compact, JwsError};
use super::key::VerifyingKey;

/// How many keys of one party are tried against one token.
pub const MAX_TRIED_KEYS: usize = 4;

/// The keys worth a try: right algorithm, and not of another name.
pub(crate) fn fitting<'k>(
    keys: impl IntoIterator<Item = &'k VerifyingKey>,
    algorithm: Algorithm,
    key_id: Option<&str>,
) -> Vec<&'k VerifyingKey> {
    keys.into_iter()
        .filter(|key| key.allows(algorithm))
        .filter(|key| key_id.is_none() || key.key_id().is_none() || key.key_id() == key_id)
        .take(MAX_TRIED_KEYS)
        .collect()
}

/// Tries the keys in turn.
///
/// # Errors
/// The last failure; [`JwsError::AlgorithmNotAllowed`] without any key.
pub(crate) fn verify_with_one(compact: &Compact<'_>, keys: &[&VerifyingKey]) -> Result<(), JwsError> {
    let mut failure = JwsError::AlgorithmNotAllowed;
    for key in keys {
        match compact.verify(key) {
            Ok(_) => return Ok(()),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::{HeaderFields, SigningKey, jws};

    fn key(id: Option<&str>) -> SigningKey {
        let key = SigningKey::generate(Algorithm::EdDsa).unwrap();
        match id {
            Some(id) => key.with_key_id(id.to_owned()),
            None => key,
        }
    }

    #[test]
    fn keys_are_chosen_by_algorithm_and_name() {
        let keys = [key(Some("a")), key(Some("b")), key(None)];
        let check = |algorithm: Algorithm, kid: Option<&str>, expect: usize| {
            let public = keys.iter().map(|key| key.verifying_key().as_ref());
            assert_eq!(fitting(public, algorithm, kid).len(), expect, "{algorithm:?} {kid:?}");
        };
        check(Algorithm::EdDsa, None, 3);
        check(Algorithm::EdDsa, Some("a"), 2);
        check(Algorithm::EdDsa, Some("c"), 1);
        check(Algorithm::Es256, None, 0);
        let many: Vec<_> = (0..=MAX_TRIED_KEYS).map(|_| key(None)).collect();
        let public = many.iter().map(|key| key.verifying_key().as_ref());
        assert_eq!(fitting(public, Algorithm::EdDsa, None).len(), MAX_TRIED_KEYS);
    }

    #[test]
    fn one_key_that_fits_is_enough() {
        let (own, other) = (key(None), key(None));
        let text = jws::sign(&HeaderFields::default(), b"{}", &own).unwrap();
        let compact = Compact::parse(&text).unwrap();
        let check = |keys: &[&SigningKey], expect: Result<(), JwsError>| {
            let public: Vec<_> = keys.iter().map(|key| key.verifying_key().as_ref()).collect();
            assert_eq!(verify_with_one(&compact, &public), expect);
        };
        check(&[&other, &own], Ok(()));
        check(&[&other], Err(JwsError::WrongSignature));
        check(&[], Err(JwsError::AlgorithmNotAllowed));
    }
}
