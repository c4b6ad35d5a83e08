//! What platforms say of their workloads: tokens, names and bundles of SPIFFE.

use std::time::Duration;

use m2m_proto::jose::{HeaderFields, jws};
use m2m_proto::spiffe::{SpiffeBundle, SpiffeId, TrustDomain};
use m2m_proto::time::Skew;
use m2m_proto::workload_token::{Expect, UnverifiedWorkloadToken, WorkloadIssuer};

use crate::{KEYS, NOW};

const HOUR: Duration = Duration::from_secs(3600);

/// What a stranger made is not accepted; what the platform signed is of this time, for us, and names whom it speaks of.
pub fn workload_token(data: &[u8]) {
    let domain = TrustDomain::parse("prod.example").expect("well-formed");
    let key = KEYS.signing.verifying_key();
    let text = std::str::from_utf8(data).unwrap_or_default();
    let fields = HeaderFields { typ: Some("JWT"), ..HeaderFields::default() };
    let signed = jws::sign(&fields, data, &KEYS.signing).unwrap_or_default();
    for issuer in [WorkloadIssuer::Named("https://platform.example"), WorkloadIssuer::TrustDomain(&domain)] {
        let audience = ["https://login.example"];
        let expect =
            Expect { issuer, audience: &audience, max_lifetime: HOUR, now: NOW, skew: Skew::DEFAULT };
        if let Ok(token) = UnverifiedWorkloadToken::parse(text) {
            assert!(token.verify(&expect, [key.as_ref()]).is_err());
        }
        let Ok(token) = UnverifiedWorkloadToken::parse(&signed) else { continue };
        if let Ok(verified) = token.verify(&expect, [key.as_ref()]) {
            assert!(!verified.subject().is_empty() && verified.jti().is_none_or(|jti| !jti.is_empty()));
            assert!(verified.expires_at().saturating_add(Skew::DEFAULT.get()) > NOW);
            assert!(verified.expires_at() <= NOW.saturating_add(HOUR).saturating_add(Skew::DEFAULT.get()));
            if let WorkloadIssuer::TrustDomain(domain) = issuer {
                let id = SpiffeId::parse(verified.subject()).expect("a workload of the domain");
                assert_eq!(id.trust_domain(), domain);
            }
        }
    }
}

/// A name is read as it is written; a bundle holds what signs SVIDs, and says the same when it is written again.
pub fn spiffe(data: &[u8]) {
    let text = std::str::from_utf8(data).unwrap_or_default();
    if let Ok(domain) = TrustDomain::parse(text) {
        assert_eq!(domain.as_str(), text);
    }
    if let Ok(id) = SpiffeId::parse(text) {
        assert_eq!(id.as_str(), text);
        let prefix = format!("spiffe://{}/", id.trust_domain());
        assert!(text.starts_with(&prefix) && text.len() > prefix.len());
        assert!(TrustDomain::parse(id.trust_domain().as_str()).is_ok());
    }
    if let Ok(bundle) = SpiffeBundle::decode(data) {
        let hint = bundle.refresh_hint();
        let again = SpiffeBundle::encode(bundle.keys(), hint);
        let again = SpiffeBundle::decode(&again).expect("what we wrote");
        assert_eq!(again.keys().keys().len(), bundle.keys().keys().len());
        assert_eq!(again.refresh_hint(), hint);
    }
}
