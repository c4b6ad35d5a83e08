//! Signatures. Header and claims are right, so the keys are fetched, once.

use m2m_proto::jose::{JwsError, base64url};

use super::{Cost, Issuing, jws};

fn parts(issuing: &Issuing) -> (String, Vec<u8>) {
    let token = issuing.server.token(0);
    let (input, signature) = token.rsplit_once('.').unwrap();
    (input.to_owned(), base64url::decode(signature).unwrap())
}

/// R and S as DER has them: what most libraries for ECDSA make by themselves.
fn der(signature: &[u8]) -> Vec<u8> {
    let integer = |bytes: &[u8]| {
        let zero = if bytes[0] & 0x80 == 0 { vec![] } else { vec![0] };
        let value = [zero, bytes.to_vec()].concat();
        [vec![2, u8::try_from(value.len()).unwrap()], value].concat()
    };
    let both = [integer(&signature[..32]), integer(&signature[32..])].concat();
    [vec![0x30, u8::try_from(both.len()).unwrap()], both].concat()
}

/// The order of the group, which is 0 to those that forget to check.
const ORDER: [u8; 32] = [
    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
    0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
];

// spec-test: JOSE-V3
#[tokio::test]
async fn signatures_that_are_none() {
    let issuing = Issuing::new();
    let (input, good) = parts(&issuing);
    let (r, s) = good.split_at(32);
    let mut flipped = good.clone();
    flipped[63] ^= 1;
    for (name, signature) in [
        ("none", vec![]),
        ("one byte", vec![0]),
        ("zeros", vec![0; 64]),
        ("R of zero", [&[0; 32], s].concat()),
        ("S of zero", [r, &[0; 32]].concat()),
        ("R and S of the order", [ORDER, ORDER].concat()),
        ("ones", vec![0xff; 64]),
        ("as DER", der(&good)),
        ("DER of zeros", der(&[0; 64])),
        ("S before R", [s, r].concat()),
        ("cut", good[..63].to_vec()),
        ("R alone", r.to_vec()),
        ("longer", [good.as_slice(), &[0]].concat()),
        ("twice", [good.as_slice(), &good].concat()),
        ("with zeros before", [&[0; 2], r, &[0; 2], s].concat()),
        ("a bit changed", flipped),
        ("of another input", issuing.server.sign(0, b"another")),
    ] {
        let token = format!("{input}.{}", base64url::encode(signature));
        issuing.refuses(name, &token, jws(JwsError::WrongSignature), Cost::Keys).await;
    }
    issuing.accepts("the good one", &format!("{input}.{}", base64url::encode(&good))).await;
}

/// Parts of two good tokens make no third one.
#[tokio::test]
async fn parts_of_different_tokens() {
    let issuing = Issuing::new();
    let other = issuing.saying(&serde_json::json!({"scope": "admin"}));
    let (input, _) = parts(&issuing);
    let (other_input, other_signature) = other.rsplit_once('.').unwrap();
    let (header, _) = input.split_once('.').unwrap();
    let (_, other_payload) = other_input.split_once('.').unwrap();
    let good = issuing.server.token(0);
    let (_, good_signature) = good.rsplit_once('.').unwrap();
    for token in [
        format!("{input}.{other_signature}"),
        format!("{header}.{other_payload}.{good_signature}"),
        format!("{other_input}.{good_signature}"),
    ] {
        issuing.refuses("mixed", &token, jws(JwsError::WrongSignature), Cost::Keys).await;
    }
}
