//! What a security profile demands beyond the standards: one function a rule, the same for all three roles.
//!
//! Sections: FAPI 2.0 Security Profile (Final, 22 February 2025) §5.2 to §5.4, as far as a client asks with its own
//! credentials; its certification calls that `fapi_client_credentials_grant`
//!
//! Enforces nothing by itself: each role asks where it decides, and each rule says yes, or what is outside of it.
//! [`SecurityProfile::Baseline`] says yes to everything: then the RFCs and the settings of the role decide alone.
//!
//! Does not enforce: TLS versions and ciphers (the TLS library has no others than those of BCP 195); keys of less than
//! 2048 bits (RSA) and 224 bits (EC), which [`crate::jose`] reads under no profile; the entropy of client secrets and
//! keys, which whoever makes them owes: the profile lets no secret in.

use std::fmt;
use std::time::Duration;

use crate::client_auth::ClientAuthMethod;
use crate::dpop::ProofWindow;
use crate::jose::{Algorithm, Audience};
use crate::time::Skew;
use crate::uri::{EndpointUri, Issuer, PlainHttp};

/// What a deployment holds itself to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecurityProfile {
    /// The RFCs, and what is set.
    #[default]
    Baseline,
    /// FAPI 2.0 Security Profile, for machines.
    Fapi2,
}

/// Clocks may differ by so much under FAPI 2.0 §5.3.2.1: a time that far ahead is accepted.
pub const LEAST_TOLERANCE: Duration = Duration::from_secs(10);

/// Beyond that, a time ahead is refused (FAPI 2.0 §5.3.2.1).
pub const MOST_TOLERANCE: Duration = Duration::from_secs(60);

/// The algorithms of FAPI 2.0 §5.4.1. Ed25519 has two names (RFC 9864).
pub const FAPI2_ALGORITHMS: [Algorithm; 4] =
    [Algorithm::Es256, Algorithm::Ed25519, Algorithm::EdDsa, Algorithm::Ps256];

/// What is outside of a profile. The texts hold no word of a stranger.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutsideProfile {
    /// A secret authenticates, or something else that is no key and no certificate of the client.
    #[error("fapi2: clients authenticate by private_key_jwt or a certificate, not by {0}")]
    Method(ClientAuthMethod),
    /// The client does not authenticate, or by what somebody else signed.
    #[error("fapi2: clients authenticate by a key or a certificate of their own")]
    NoMethod,
    /// Another algorithm signs.
    #[error("fapi2: PS256, ES256 and EdDSA sign, {0} does not")]
    Algorithm(Algorithm),
    /// None of the keys can sign as is demanded.
    #[error("fapi2: no key signs with PS256, ES256 or EdDSA")]
    NoKey,
    /// The audience of an assertion is not the issuer as a bare string.
    #[error("fapi2: aud must be the string {expected}, alone and not in an array")]
    Audience {
        /// The issuer.
        expected: String,
    },
    /// A client's settings let the audience be something else than the issuer.
    #[error("fapi2: assertions name the issuer of validated metadata as their audience, and nothing else")]
    AudienceRule,
    /// A token that is bound to nothing.
    #[error("fapi2: tokens are bound to a key (DPoP) or to a certificate (mutual TLS)")]
    Unbound,
    /// The clock rules cannot be kept.
    #[error("fapi2: times up to 10 s ahead are accepted and more than 60 s refused; a tolerance of {} s does not do both", .0.as_secs())]
    Clock(Duration),
    /// Plain HTTP beyond this machine.
    #[error("fapi2: {0} is not https")]
    Transport(String),
    /// Endpoints that no metadata names.
    #[error("fapi2: endpoints come from the metadata of the issuer, not from settings: {0}")]
    Endpoint(&'static str),
    /// Nobody looks whether a token was withdrawn.
    #[error("fapi2: whether a token of {0} was withdrawn is looked up: read its status list, or introspect")]
    Revocation(String),
}

impl SecurityProfile {
    /// Every profile.
    pub const ALL: [Self; 2] = [Self::Baseline, Self::Fapi2];

    /// Its name in settings: `baseline`, `fapi2`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Fapi2 => "fapi2",
        }
    }

    /// The profile of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Whether it demands anything.
    #[must_use]
    pub const fn restricts(self) -> bool {
        matches!(self, Self::Fapi2)
    }

    /// Whether a client may authenticate so (FAPI 2.0 §5.3.2.1 no. 6).
    ///
    /// # Errors
    /// `Method`.
    // spec: FAPI-AS1
    pub const fn method(self, method: ClientAuthMethod) -> Result<(), OutsideProfile> {
        let is_asymmetric = matches!(
            method,
            ClientAuthMethod::PrivateKeyJwt
                | ClientAuthMethod::TlsClientAuth
                | ClientAuthMethod::SelfSignedTlsClientAuth
        );
        if self.restricts() && !is_asymmetric { Err(OutsideProfile::Method(method)) } else { Ok(()) }
    }

    /// Whether assertions, proofs and tokens may be signed so (FAPI 2.0 §5.4.1).
    ///
    /// # Errors
    /// `Algorithm`.
    // spec: FAPI-X1
    pub fn algorithm(self, algorithm: Algorithm) -> Result<(), OutsideProfile> {
        if self.restricts() && !FAPI2_ALGORITHMS.contains(&algorithm) {
            return Err(OutsideProfile::Algorithm(algorithm));
        }
        Ok(())
    }

    /// Those of `algorithms` that the profile allows, in their order.
    #[must_use]
    pub fn allowed(self, algorithms: &[Algorithm]) -> Vec<Algorithm> {
        algorithms.iter().copied().filter(|algorithm| self.algorithm(*algorithm).is_ok()).collect()
    }

    /// Whether a client assertion may name this audience (FAPI 2.0 §5.3.2.1 no. 8): the issuer, as a bare string. What
    /// the standards themselves demand of it is checked with the assertion.
    ///
    /// # Errors
    /// `Audience`.
    // spec: FAPI-AS2
    pub fn audience(self, audience: Option<&Audience>, issuer: &Issuer) -> Result<(), OutsideProfile> {
        let is_issuer = |audience: &Audience| audience.is_string() && audience.contains(issuer.as_str());
        if self.restricts() && !audience.is_some_and(is_issuer) {
            return Err(OutsideProfile::Audience { expected: issuer.as_str().to_owned() });
        }
        Ok(())
    }

    /// Whether tokens must be bound to a key or a certificate (FAPI 2.0 §5.3.2.1 no. 4 and 5).
    #[must_use]
    pub const fn demands_binding(self) -> bool {
        self.restricts()
    }

    /// Judges a token that is bound to nothing.
    ///
    /// # Errors
    /// `Unbound`.
    pub const fn unbound(self) -> Result<(), OutsideProfile> {
        if self.demands_binding() { Err(OutsideProfile::Unbound) } else { Ok(()) }
    }

    /// Whether `iat` and `nbf` of assertions may be ahead by so much (FAPI 2.0 §5.3.2.1 no. 14).
    ///
    /// # Errors
    /// `Clock`.
    // spec: FAPI-AS3
    pub fn tolerance(self, skew: Skew) -> Result<(), OutsideProfile> {
        self.ahead(skew.get())
    }

    /// The same for the `iat` of DPoP proofs.
    ///
    /// # Errors
    /// `Clock`.
    // spec: FAPI-AS3
    pub fn window(self, window: ProofWindow) -> Result<(), OutsideProfile> {
        self.ahead(window.future)
    }

    fn ahead(self, tolerance: Duration) -> Result<(), OutsideProfile> {
        let keeps = (LEAST_TOLERANCE..=MOST_TOLERANCE).contains(&tolerance);
        if self.restricts() && !keeps { Err(OutsideProfile::Clock(tolerance)) } else { Ok(()) }
    }

    /// Whether this may be called, or be our own address (FAPI 2.0 §5.2.1): TLS, but on this machine.
    ///
    /// # Errors
    /// `Transport`.
    pub fn address(self, address: &EndpointUri) -> Result<(), OutsideProfile> {
        if self.restricts() && address.check_transport(PlainHttp::LoopbackOnly).is_err() {
            return Err(OutsideProfile::Transport(address.to_string()));
        }
        Ok(())
    }

    /// Whether a client may call endpoints that no metadata names (FAPI 2.0 §5.3.3.1 no. 3 and 4); `what` says which
    /// setting names one.
    ///
    /// # Errors
    /// `Endpoint`.
    // spec: FAPI-C1
    pub const fn configured_endpoint(self, what: &'static str) -> Result<(), OutsideProfile> {
        if self.restricts() { Err(OutsideProfile::Endpoint(what)) } else { Ok(()) }
    }

    /// Judges an API that does not look up whether tokens of `issuer` were withdrawn (FAPI 2.0 §5.3.4 no. 3).
    ///
    /// # Errors
    /// `Revocation`.
    // spec: FAPI-RS1
    pub fn without_revocation(self, issuer: &Issuer) -> Result<(), OutsideProfile> {
        if self.restricts() {
            return Err(OutsideProfile::Revocation(issuer.as_str().to_owned()));
        }
        Ok(())
    }
}

impl fmt::Display for SecurityProfile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAPI2: SecurityProfile = SecurityProfile::Fapi2;

    #[test]
    fn the_names_of_profiles_round_trip_exactly() {
        for profile in SecurityProfile::ALL {
            assert_eq!(SecurityProfile::parse(profile.name()), Some(profile));
        }
        for name in ["", "FAPI2", "fapi", "none"] {
            assert_eq!(SecurityProfile::parse(name), None, "{name}");
        }
    }

    /// Nothing that the standards allow is refused where no profile is set.
    #[test]
    fn the_baseline_demands_nothing() {
        let (base, issuer) = (SecurityProfile::Baseline, Issuer::parse("https://as.example").unwrap());
        let plain = EndpointUri::parse("http://api.example").unwrap();
        assert!(ClientAuthMethod::ALL.into_iter().all(|method| base.method(method).is_ok()));
        assert_eq!(base.allowed(&Algorithm::ALL), Algorithm::ALL);
        for done in [
            base.audience(None, &issuer),
            base.unbound(),
            base.tolerance(Skew::NONE),
            base.address(&plain),
            base.configured_endpoint("token_url"),
            base.without_revocation(&issuer),
        ] {
            assert_eq!(done, Ok(()));
        }
    }

    // spec-test: FAPI-AS1
    #[test]
    fn only_keys_and_certificates_authenticate() {
        use ClientAuthMethod as M;
        for method in M::ALL {
            let allowed = [M::PrivateKeyJwt, M::TlsClientAuth, M::SelfSignedTlsClientAuth].contains(&method);
            let expect = if allowed { Ok(()) } else { Err(OutsideProfile::Method(method)) };
            assert_eq!(FAPI2.method(method), expect, "{method}");
        }
        assert_eq!(FAPI2.unbound(), Err(OutsideProfile::Unbound));
    }

    // spec-test: FAPI-X1
    #[test]
    fn three_signatures_under_four_names_are_allowed() {
        let names: Vec<&str> = FAPI2.allowed(&Algorithm::ALL).into_iter().map(Algorithm::name).collect();
        assert_eq!(names, ["PS256", "ES256", "EdDSA", "Ed25519"]);
        assert_eq!(
            FAPI2.algorithm(Algorithm::Rs256).unwrap_err().to_string(),
            "fapi2: PS256, ES256 and EdDSA sign, RS256 does not"
        );
    }

    // spec-test: FAPI-AS2
    #[test]
    fn the_audience_is_the_issuer_as_a_bare_string() {
        let issuer = Issuer::parse("https://as.example").unwrap();
        let check = |audience: Option<Audience>, expect: bool| {
            assert_eq!(FAPI2.audience(audience.as_ref(), &issuer).is_ok(), expect, "{audience:?}");
        };
        check(Some(Audience::One("https://as.example".to_owned())), true);
        check(Some(Audience::Many(vec!["https://as.example".to_owned()])), false);
        check(Some(Audience::One("https://as.example/oauth2/token".to_owned())), false);
        check(Some(Audience::One("https://as.example/".to_owned())), false);
        check(Some(Audience::Many(Vec::new())), false);
        check(None, false);
    }

    // spec-test: FAPI-AS3
    #[test]
    fn the_tolerance_of_clocks_has_two_ends() {
        let check = |seconds: u64, expect: bool| {
            let tolerance = Duration::from_secs(seconds);
            assert_eq!(FAPI2.tolerance(Skew::new(tolerance)).is_ok(), expect, "{seconds}");
            let window = ProofWindow { future: tolerance, ..ProofWindow::default() };
            assert_eq!(FAPI2.window(window).is_ok(), expect, "{seconds}");
        };
        check(9, false);
        check(10, true);
        check(60, true);
        check(61, false);
        assert_eq!(FAPI2.tolerance(Skew::default()), Ok(()));
        assert_eq!(FAPI2.window(ProofWindow::default()), Ok(()));
    }

    // spec-test: FAPI-C1, FAPI-RS1
    #[test]
    fn addresses_endpoints_and_revocation() {
        let address = |text: &str| FAPI2.address(&EndpointUri::parse(text).unwrap()).is_ok();
        assert!(address("https://as.example") && address("http://127.0.0.1:8400"));
        assert!(!address("http://as.example"));
        assert!(FAPI2.configured_endpoint("token_url").is_err());
        let issuer = Issuer::parse("https://as.example").unwrap();
        assert!(FAPI2.without_revocation(&issuer).is_err());
    }
}
