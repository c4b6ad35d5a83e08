//! Examples that the OAuth RFCs print: DPoP proofs, certificate thumbprints, Basic credentials.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderMap, HeaderValue, Method, Uri};
use serde_json::Value;

use m2m_proto::client_auth::secret::{decode_basic, encode_basic};
use m2m_proto::client_auth::{BasicEncoding, ClientSecret, PeerCertificate};
use m2m_proto::client_id::ClientId;
use m2m_proto::dpop::proof::{self, DEFAULT_ALGORITHMS, Expect, NonceRule, ProofWindow};
use m2m_proto::jose::JwkThumbprint;
use m2m_proto::names::header;
use m2m_proto::time::UnixTime;
use m2m_proto::token::AccessToken;

use crate::vectors;

fn examples(of: &str) -> Vec<Value> {
    let Some(all) = vectors::read("rfc_examples.json") else { return Vec::new() };
    let examples = all[of].as_array().unwrap().clone();
    assert!(!examples.is_empty(), "{of}");
    examples
}

fn text<'v>(example: &'v Value, name: &str) -> &'v str {
    example[name].as_str().unwrap()
}

/// The proofs of RFC 9449 sections 4.1 and 7.1, and each of them against one wrong expectation.
// spec-test: 9449-V1
#[test]
fn dpop_proofs() {
    for example in examples("dpop") {
        let mut headers = HeaderMap::new();
        headers.insert(header::DPOP, HeaderValue::from_str(text(&example, "proof")).unwrap());
        let method: Method = text(&example, "htm").parse().unwrap();
        let uri: Uri = text(&example, "htu").parse().unwrap();
        let token = example["access_token"].as_str().map(|token| AccessToken::parse(token).unwrap());
        let jkt = JwkThumbprint::parse(text(&example, "jkt")).unwrap();
        let good = Expect {
            method: &method,
            uri: &uri,
            algorithms: &DEFAULT_ALGORITHMS,
            now: UnixTime::from_seconds(example["iat"].as_u64().unwrap()),
            window: ProofWindow::default(),
            nonce: NonceRule::Unused,
            access_token: token.as_ref(),
            jkt: Some(&jkt),
        };
        let verified = proof::verify(&headers, &good).unwrap();
        assert_eq!(verified.jkt(), &jkt);
        assert_eq!(token.is_some(), token.as_ref().is_some_and(|token| verified.is_for(token)));

        let (other_uri, other_token) =
            ("https://server.example.com/".parse().unwrap(), AccessToken::parse("x").unwrap());
        let other_jkt = JwkThumbprint::parse("NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs").unwrap();
        for bad in [
            Expect { method: &Method::PUT, ..good },
            Expect { uri: &other_uri, ..good },
            Expect { access_token: Some(&other_token), ..good },
            Expect { jkt: Some(&other_jkt), ..good },
            Expect { now: UnixTime::from_seconds(example["iat"].as_u64().unwrap() + 61), ..good },
        ] {
            assert!(proof::verify(&headers, &bad).is_err());
        }
    }
}

// spec-test: 8705-AS4
#[test]
fn certificate_thumbprints() {
    for example in examples("mtls") {
        let der = STANDARD.decode(text(&example, "certificate_der_base64")).unwrap();
        let certificate = PeerCertificate::new(der, Vec::new()).unwrap();
        assert_eq!(certificate.thumbprint().to_text(), text(&example, "x5t#S256"));
    }
}

// spec-test: 6749-C1
#[test]
fn basic_credentials() {
    for example in examples("basic").iter().filter(|example| example["header"].is_string()) {
        let id = ClientId::parse(text(example, "client_id")).unwrap();
        let secret = ClientSecret::parse(text(example, "client_secret")).unwrap();
        let header = encode_basic(&id, &secret, BasicEncoding::Form).unwrap();
        assert_eq!(header, text(example, "header"));
        let pair = decode_basic(&header).unwrap();
        assert_eq!((pair.client_id(), pair.preferred().secret()), (&id, &secret));
    }
}
