//! The rules of the security profile for the settings of a verifier. Pure.
//!
//! Sections: FAPI 2.0 Security Profile §5.3.4, §5.4
//! Enforces, where [`SecurityProfile::Fapi2`] is set: bound tokens only; PS256, ES256 and EdDSA, for tokens and for
//! proofs, whatever else is set; issuers over https; that it is looked up whether the credential behind a token was
//! withdrawn.
//! Does not enforce: that tokens come in the header alone, which holds under every profile
//! ([`Presentation`](m2m_proto::token::presentation::Presentation)).

use m2m_proto::security_profile::{OutsideProfile, SecurityProfile};
use m2m_proto::token::confirmation::SenderConstraint;

use crate::dpop::Dpop;
use crate::issuers::Issuers;
use crate::trusted::TrustedIssuer;

/// Takes away what the profile does not allow; where nothing is left, there is no verifier.
// spec: FAPI-X1
pub(crate) fn restrict(
    profile: SecurityProfile,
    trusted: &mut [TrustedIssuer],
    dpop: Option<&mut Dpop>,
) -> Result<(), OutsideProfile> {
    for one in trusted {
        profile.address(one.issuer.endpoint())?;
        let stated = !one.algorithms.is_empty();
        one.algorithms = profile.allowed(&one.algorithms);
        if stated && one.algorithms.is_empty() {
            return Err(OutsideProfile::NoKey);
        }
    }
    match dpop.filter(|_| profile.restricts()) {
        Some(dpop) => dpop.restrict(profile),
        None => Ok(()),
    }
}

/// Which tokens are accepted, over what is set.
pub(crate) fn constraint(profile: SecurityProfile, set: SenderConstraint) -> SenderConstraint {
    if profile.demands_binding() { SenderConstraint::Always } else { set }
}

/// Whether each issuer is asked, in one way or another, about what it withdrew.
// spec: FAPI-RS1
pub(crate) fn check_revocation(profile: SecurityProfile, issuers: &Issuers) -> Result<(), OutsideProfile> {
    let mut unasked = issuers.iter().filter(|trust| trust.withdrawn_credential().is_none());
    unasked.try_for_each(|trust| profile.without_revocation(&trust.issuer))
}

#[cfg(test)]
mod tests {
    use m2m_proto::jose::Algorithm;
    use m2m_proto::uri::{Issuer, Origin};

    use super::*;
    use crate::error::Error;
    use crate::withdrawals::StatusCheck;
    use crate::{Verifier, dpop::Dpop};

    fn trusted() -> TrustedIssuer {
        TrustedIssuer::new(Issuer::parse("https://as.example").unwrap()).audience("https://api.example")
    }

    fn built(trusted: TrustedIssuer) -> Result<(), OutsideProfile> {
        let dpop = Dpop::new(Origin::parse("https://api.example").unwrap());
        let builder = Verifier::builder().trust_with(trusted).dpop(dpop);
        match builder.security_profile(SecurityProfile::Fapi2).build() {
            Ok(_) => Ok(()),
            Err(Error::OutsideProfile(outside)) => Err(outside),
            Err(error) => panic!("{error}"),
        }
    }

    // spec-test: FAPI-RS1
    #[test]
    fn an_api_that_looks_nothing_up_is_refused() {
        let expect = OutsideProfile::Revocation("https://as.example".to_owned());
        assert_eq!(built(trusted()), Err(expect));
        assert_eq!(built(trusted().status_list(StatusCheck::Required)), Ok(()));
    }

    // spec-test: FAPI-X1
    #[test]
    fn algorithms_are_taken_away_until_none_is_left() {
        let listed = || trusted().status_list(StatusCheck::Required);
        let mut issuers = [listed().algorithms(&[Algorithm::Rs256, Algorithm::Es256])];
        restrict(SecurityProfile::Fapi2, &mut issuers, None).unwrap();
        assert_eq!(issuers[0].algorithms, [Algorithm::Es256]);
        assert_eq!(built(listed().algorithms(&[Algorithm::Rs256])), Err(OutsideProfile::NoKey));
        let plain = TrustedIssuer::new(Issuer::parse("http://as.example").unwrap()).audience("x");
        assert!(matches!(built(plain), Err(OutsideProfile::Transport(_))));
    }

    #[test]
    fn the_profile_has_the_last_word_about_bound_tokens() {
        let check = |profile, set, expect| assert_eq!(constraint(profile, set), expect);
        use SenderConstraint::{Always, WhenBound};
        check(SecurityProfile::Fapi2, WhenBound, Always);
        check(SecurityProfile::Baseline, WhenBound, WhenBound);
        check(SecurityProfile::Baseline, Always, Always);
    }
}
