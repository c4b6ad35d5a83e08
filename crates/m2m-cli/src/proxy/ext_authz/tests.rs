use super::messages::tests::question;
use super::*;
use crate::proxy::fixture::Party;

async fn call(gate: &Gate, path: &str, body: Vec<u8>) -> (u64, Vec<u8>) {
    let request = http::Request::post(path).header("content-type", "application/grpc");
    let (parts, body) = request.body(Body::from(body)).unwrap().into_parts();
    assert_eq!(is_grpc(&parts), path == PATH);
    let collected = answer(gate, &parts, body).await.into_body().collect().await.unwrap();
    let status = collected.trailers().unwrap()["grpc-status"].to_str().unwrap().parse().unwrap();
    (status, collected.to_bytes().to_vec())
}

async fn check(gate: &Gate, method: &str, path: &str, headers: &[(&str, &str)]) -> String {
    let (status, framed) = call(gate, PATH, question(method, path, headers).framed()).await;
    assert_eq!(status, 0);
    String::from_utf8_lossy(wire::unframed(&framed).unwrap()).into_owned()
}

#[tokio::test]
async fn what_is_allowed_sets_and_removes() {
    let party = Party::new();
    let (gate, bearer) = (party.gate(), party.bearer("orders:read"));
    let forged =
        [("authorization", bearer.as_str()), ("x_m2m_client_id", "forged"), ("x-acme-user", "forged")];
    let answer =
        check(&gate, "GET", "/orders/1?page=2", &[&forged[..], &[("x.remote.user", "forged")]].concat())
            .await;
    for text in ["x-m2m-client-id\x12\nsvc-orders", "x-m2m-scope\x12\x0borders:read"] {
        assert!(answer.contains(text), "{text} in {answer:?}");
    }
    let named = |name: &str| format!("*{}{name}", char::from(u8::try_from(name.len()).unwrap()));
    for name in [
        "authorization",
        "dpop",
        "x_m2m_client_id",
        "x-acme-user",
        "x.remote.user",
        "x_original_url",
        "x_m2m_scope",
    ] {
        assert!(answer.contains(&named(name)), "{name} in {answer:?}");
    }
    // What is set is not removed afterwards, and Envoy's own fields are its own.
    for name in ["x-m2m-client-id", "x-m2m-scope", "x-forwarded-proto", "x-envoy-original-path"] {
        assert!(!answer.contains(&named(name)), "{name} in {answer:?}");
    }
    assert!(!answer.contains("forged"), "{answer:?}");
}

#[tokio::test]
async fn a_public_path_removes_everything() {
    let answer = check(&Party::new().gate(), "GET", "/healthz", &[("x-m2m-client-id", "forged")]).await;
    assert!(answer.contains("*\x0fx-m2m-client-id") && answer.contains("*\x0bx-m2m-scope"), "{answer:?}");
}

#[tokio::test]
async fn what_is_denied_has_the_challenge() {
    let party = Party::new();
    let gate = party.gate();
    let refused = async |path: &str, headers: &[(&str, &str)], status: u16, expect: &str| {
        let (_, framed) = call(&gate, PATH, question("GET", path, headers).framed()).await;
        let varint = [u8::try_from(status & 0x7f).unwrap() | 0x80, u8::try_from(status >> 7).unwrap()];
        let told = [&b"\x0a\x03\x08"[..], &varint].concat();
        assert!(framed.windows(told.len()).any(|window| window == told), "{status} in {framed:?}");
        let answer = String::from_utf8_lossy(&framed);
        assert!(answer.contains(expect), "{expect} in {answer:?}");
        assert!(!answer.contains("x-m2m-client-id"), "{answer:?}");
    };
    refused("/orders/1", &[], 401, "www-authenticate\x12\x06Bearer").await;
    let poor = party.bearer("other");
    refused("/orders/1", &[("authorization", &poor)], 403, "scope=\"orders:read\"").await;
    refused("/orders/../admin", &[], 400, "dot segment").await;
    refused("orders", &[], 400, "no path and query").await;
    refused("/admin", &[], 403, "no rule lets this request in").await;
}

#[tokio::test]
async fn what_cannot_be_read_is_no_decision() {
    let gate = Party::new().gate();
    let good = question("GET", "/healthz", &[]).framed();
    let check = async |path: &str, body: Vec<u8>, expect: u64| {
        assert_eq!(call(&gate, path, body).await, (expect, Vec::new()));
    };
    check("/envoy.service.auth.v2.Authorization/Check", good.clone(), code::UNIMPLEMENTED).await;
    check(PATH, Vec::new(), code::INVALID_ARGUMENT).await;
    check(PATH, good[..good.len() - 1].to_vec(), code::INVALID_ARGUMENT).await;
    check(PATH, [&[1], &good[1..]].concat(), code::UNIMPLEMENTED).await;
    check(PATH, b"\0\0\0\0\x02\x0a\x05".to_vec(), code::INVALID_ARGUMENT).await;
    check(PATH, vec![0; MAX_BYTES + 1], code::INVALID_ARGUMENT).await;
}

#[tokio::test]
async fn a_certificate_is_read_or_refused() {
    let wish = crate::certificate::Wish {
        subject: "client".to_owned(),
        names: Vec::new(),
        not_before: m2m_io::Clock::wall(&m2m_io::SystemClock),
        valid_for: std::time::Duration::from_secs(60),
    };
    let key = m2m_proto::jose::SigningKey::generate(m2m_proto::jose::Algorithm::Es256).unwrap();
    let own = crate::certificate::self_signed(&wish, &key).unwrap();
    let encoded = own.certificate_pem.replace('\n', "%0A").replace('+', "%2B").replace(' ', "%20");
    assert_eq!(certificate(&encoded).unwrap().unwrap().der(), own.certificate_der);
    assert!(certificate("").unwrap().is_none());
    assert!(certificate("%zz").is_err() && certificate("nonsense").is_err());
}
