//! Wycheproof's JOSE files, the JOSE cookbook (RFC 7520, 8037, 7797) and the examples that the
//! RFCs print.

use std::collections::BTreeMap;
use std::sync::Arc;

use m2m_proto::jose::jws::{self, Compact};
use m2m_proto::jose::{Algorithm, HeaderFields, Jwk, JwkSet, JwsError, SigningKey, VerifyingKey};
use serde_json::Value;

use crate::vectors;

/// The keys that a verifier holds: one JWK, a published set, or a set of its own shared secrets.
///
/// Of a published set the bad keys are skipped; a verifier whose own key file is broken trusts
/// nothing. (Case 4 of the key file needs that: its second key, of the same `kid`, has stray bits
/// at its end. Ambiguity between well-formed keys is tested beside the code.)
fn keys_of(group: &Value) -> JwkSet {
    let held = group.get("public").unwrap_or(&group["private"]);
    let parse = |jwk: &Value| Jwk::parse(jwk.to_string().as_bytes());
    match held.get("keys") {
        Some(_) if group.get("public").is_some() => JwkSet::decode(held.to_string().as_bytes()).unwrap(),
        Some(keys) => {
            let own: Result<Vec<_>, _> = keys.as_array().unwrap().iter().map(parse).collect();
            JwkSet::from_keys(&own.unwrap_or_default())
        }
        None => JwkSet::from_keys(&parse(held).into_iter().collect::<Vec<_>>()),
    }
}

fn verifies(set: &JwkSet, token: &str) -> bool {
    let Ok(compact) = Compact::parse(token) else { return false };
    let header = compact.header();
    set.find(header.kid.as_deref(), header.alg).any(|key| compact.verify(key).is_ok())
}

/// Runs every case with a `jws`; answers how many ran and how many were out of scope.
fn run(file: &str, overrides: &BTreeMap<u64, String>) -> Option<(usize, usize)> {
    let set = vectors::read(file)?;
    let (mut ran, mut out_of_scope, mut wrong) = (0, 0, Vec::new());
    for group in set["testGroups"].as_array().unwrap() {
        let keys = keys_of(group);
        for case in group["tests"].as_array().unwrap() {
            let id = case["tcId"].as_u64().unwrap();
            let Some(token) = case.get("jws") else {
                out_of_scope += 1;
                continue;
            };
            // Some cases are JSON serializations; to us they are just wrong text.
            let token = token.as_str().map_or_else(|| token.to_string(), str::to_owned);
            let expected = overrides.get(&id).map_or(case["result"].as_str().unwrap(), String::as_str);
            let found = if verifies(&keys, &token) { "valid" } else { "invalid" };
            ran += 1;
            if expected != "either" && expected != found {
                wrong.push(format!("{id} {}: expected {expected}", case["comment"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{file}: {wrong:#?}");
    Some((ran, out_of_scope))
}

#[test]
fn wycheproof_json_web_signature() {
    let Some(overrides) = vectors::read("overrides.json") else { return };
    let overrides = overrides["overrides"].as_object().unwrap();
    let overrides = overrides
        .iter()
        .map(|(id, entry)| (id.parse().unwrap(), entry["expect"].as_str().unwrap().to_owned()))
        .collect();
    let counts = run("wycheproof_json_web_signature.json", &overrides).unwrap();
    assert_eq!(counts, (401, 0));
}

#[test]
fn wycheproof_json_web_key() {
    let Some(counts) = run("wycheproof_json_web_key.json", &BTreeMap::new()) else { return };
    assert_eq!(counts, (26, 0));
}

/// The file also holds encryption (JWE), which this product does not speak.
#[test]
fn wycheproof_json_web_crypto() {
    let Some((ran, encryption)) = run("wycheproof_json_web_crypto.json", &BTreeMap::new()) else { return };
    println!("{ran} signature cases ran; {encryption} encryption cases are out of scope");
    assert_eq!((ran, encryption), (49, 34));
}

const COOKBOOK_COMPACT: [&str; 5] = [
    "cookbook_jws_4_1.rsa_v15_signature.json",
    "cookbook_jws_4_2.rsa-pss_signature.json",
    "cookbook_jws_4_3.ecdsa_signature.json",
    "cookbook_jws_4_4.hmac-sha2_integrity_protection.json",
    "cookbook_curve25519_jws.json",
];

/// The key of the cookbook, bound to the algorithm of its example.
fn cookbook_key(example: &Value) -> Jwk {
    let mut key = example["input"]["key"].clone();
    key["alg"] = example["input"]["alg"].clone();
    Jwk::parse(key.to_string().as_bytes()).unwrap()
}

#[test]
fn cookbook_compact_examples_verify_and_sign_to_the_same_bytes() {
    for file in COOKBOOK_COMPACT {
        let Some(example) = vectors::read(file) else { return };
        let token = example["output"]["compact"].as_str().unwrap();
        let jwk = cookbook_key(&example);
        let payload = example["input"]["payload"].as_str().unwrap();
        let compact = Compact::parse(token).unwrap();
        let verified = compact.verify(&VerifyingKey::from_jwk(&jwk).unwrap()).unwrap();
        assert_eq!(verified.payload(), payload.as_bytes(), "{file}");

        let signed =
            jws::sign(&HeaderFields::default(), payload.as_bytes(), &SigningKey::from_jwk(&jwk).unwrap());
        let signed = signed.unwrap();
        if example["reproducible"] == true {
            assert_eq!(signed, token, "{file}");
        } else {
            // PSS and ECDSA are randomized: all but the signature is the same.
            assert_eq!(signed.rsplit_once('.').unwrap().0, token.rsplit_once('.').unwrap().0, "{file}");
        }
    }
}

#[test]
fn cookbook_json_and_detached_forms_are_refused() {
    let refused = [
        ("cookbook_jws_4_5.signature_with_detached_content.json", 3),
        ("cookbook_jws_4_6.protecting_specific_header_fields.json", 2),
        ("cookbook_jws_4_7.protecting_content_only.json", 2),
        ("cookbook_jws_4_8.multiple_signatures.json", 1),
        ("cookbook_rfc7797_4.2.hmac-sha2_b64_false.json", 2),
        ("cookbook_rfc7797_hmac-sha2_b64_false.json", 3),
    ];
    for (file, forms) in refused {
        let Some(example) = vectors::read(file) else { return };
        let outputs = example["output"].as_object().unwrap();
        assert_eq!(outputs.len(), forms, "{file}");
        for output in outputs.values() {
            let text = output.as_str().map_or_else(|| output.to_string(), str::to_owned);
            match Compact::parse(&text) {
                Err(JwsError::NotCompact | JwsError::Extension | JwsError::TooLong { .. }) => {}
                // Detached: well formed, with an empty payload that nobody signed.
                Ok(compact) => {
                    assert_eq!(compact.payload(), b"");
                    let key = VerifyingKey::from_jwk(&cookbook_key(&example)).unwrap();
                    assert_eq!(compact.verify(&key).unwrap_err(), JwsError::WrongSignature, "{file}");
                }
                other => panic!("{file}: {other:?}"),
            }
        }
    }
}

#[test]
fn cookbook_keys_parse() {
    let keys = [
        ("cookbook_jwk_3_1.ec_public_key.json", false, Some(Algorithm::Es512)),
        ("cookbook_jwk_3_2.ec_private_key.json", true, Some(Algorithm::Es512)),
        ("cookbook_jwk_3_3.rsa_public_key.json", false, Some(Algorithm::Rs256)),
        ("cookbook_jwk_3_4.rsa_private_key.json", true, Some(Algorithm::Rs256)),
        ("cookbook_jwk_3_5.symmetric_key_mac_computation.json", true, Some(Algorithm::Hs256)),
        ("cookbook_jwk_3_6.symmetric_key_encryption.json", true, None), // `use` is `enc`
    ];
    for (file, private, algorithm) in keys {
        let Some(text) = vectors::read(file) else { return };
        let jwk = Jwk::parse(text.to_string().as_bytes()).unwrap();
        assert_eq!(jwk.is_private(), private, "{file}");
        let key = VerifyingKey::from_jwk(&jwk);
        match algorithm {
            Some(algorithm) => assert!(key.unwrap().allows(algorithm), "{file}"),
            None => assert!(key.is_err(), "{file}"),
        }
        // An ECDH key agreement example is no signing key; the rest of them sign.
        assert_eq!(SigningKey::from_jwk(&jwk).is_ok(), private && algorithm.is_some(), "{file}");
    }
}

#[test]
fn examples_of_the_rfcs_verify() {
    let Some(examples) = vectors::read("rfc_examples.json") else { return };
    for example in examples["jws"].as_array().unwrap() {
        let source = example["source"].as_str().unwrap();
        let token = example["compact"].as_str().unwrap();
        let jwk = Jwk::parse(example["jwk"].to_string().as_bytes());
        let valid = match (Compact::parse(token), &jwk) {
            (Ok(compact), Ok(jwk)) => compact.verify(&VerifyingKey::from_jwk(jwk).unwrap()).is_ok(),
            _ => false,
        };
        assert_eq!(valid, example["expect"] == "valid", "{source}");
        let Ok(compact) = Compact::parse(token) else { continue };
        // Where the algorithm is deterministic, our signature is theirs.
        if let Ok(key) = SigningKey::from_jwk(&jwk.unwrap())
            && key.algorithm() == compact.header().alg
            && !matches!(key.algorithm(), Algorithm::Es256 | Algorithm::Es512)
        {
            let input = token.rsplit_once('.').unwrap();
            let signature = key.sign(input.0.as_bytes()).unwrap();
            assert_eq!(m2m_proto::jose::base64url::encode(signature), input.1, "{source}");
        }
    }
}

// spec-test: JOSE-V7
#[test]
fn thumbprints_of_the_rfcs() {
    let Some(examples) = vectors::read("rfc_examples.json") else { return };
    for example in examples["thumbprints"].as_array().unwrap() {
        let jwk = Jwk::parse(example["jwk"].to_string().as_bytes()).unwrap();
        assert_eq!(jwk.thumbprint().as_str(), example["sha256"], "{}", example["source"]);
    }
}

#[test]
fn dpop_examples_are_signed_by_the_key_in_their_header() {
    let Some(examples) = vectors::read("rfc_examples.json") else { return };
    for example in examples["dpop"].as_array().unwrap() {
        let compact = Compact::parse(example["proof"].as_str().unwrap()).unwrap();
        let jwk = compact.header().jwk.as_deref().unwrap();
        assert_eq!(jwk.thumbprint().as_str(), example["jkt"], "{}", example["source"]);
        let key = Arc::new(VerifyingKey::from_jwk(jwk).unwrap());
        assert!(compact.verify(&key).is_ok(), "{}", example["source"]);
    }
}
