//! `m2m gateway` behind nginx, Caddy and Envoy, before a real program: the settings are those of docs/gateway.md, with
//! other ports.
//!
//! For each: who is let in and as whom, what a client forged on the way of every decision, and that nobody is let in
//! while the issuer is down, the gateway is silent, or gone.

mod caddy;
mod envoy;
mod nginx;
mod stage;

use stage::{Answer, Silence, Stage};

/// Fields that programs believe, in spellings that some server takes for the same name.
const FORGED: [(&str, &str); 13] = [
    ("X-M2M-Client-Id", "forged"),
    ("X-M2M-Client-Id", "forged"),
    ("X_M2M_Client_Id", "forged"),
    ("X-M2M_Client-Id", "forged"),
    ("X-M2M-Subject", "forged"),
    ("X-M2M-Scope", "forged"),
    ("X_M2M_SCOPE", "forged"),
    ("X-Forwarded-User", "forged"),
    ("X-Forwarded-Email", "forged"),
    ("X-Auth-Request-User", "forged"),
    ("Remote-User", "forged"),
    ("X-Remote-User", "forged"),
    ("X-Client-Cert", "forged"),
];

/// What holds behind every proxy.
async fn holds(stage: &Stage) {
    let good = stage.token("orders:read");
    let answer = stage.ask("GET", "/orders/1?page=2", Some(&good), &FORGED).await;
    answer.reached("GET /orders/1?page=2");
    answer.told("x-m2m-client-id", "svc-orders");
    answer.told("x-m2m-subject", "svc-orders");
    answer.told("x-m2m-scope", "orders:read");
    answer.told("x-m2m-issuer", &stage.issuer());
    answer.is_clean();

    let answer = stage.ask("GET", "/healthz", None, &FORGED).await;
    answer.reached("GET /healthz");
    answer.is_clean();

    let answer = stage.ask("GET", "/orders/1", None, &FORGED).await;
    answer.refused(401);
    assert_eq!(answer.header("www-authenticate").as_deref(), Some("Bearer"));
    stage.ask("GET", "/orders/1", Some("nonsense"), &FORGED).await.refused(401);
    stage.ask("GET", "/orders/1", Some(&stage.token("other")), &FORGED).await.refused(403);
    stage.ask("DELETE", "/orders/1", Some(&good), &[]).await.refused(403);
    stage.ask("GET", "/admin", Some(&good), &[]).await.refused(403);
    for path in ["/healthz/..%2forders/1", "/orders/%2e%2e/admin", "/orders//1", "/HEALTHZ"] {
        let answer = stage.ask("GET", path, None, &FORGED).await;
        assert!([400, 401, 403].contains(&answer.status), "{path}: {answer:?}");
        answer.never_reached();
    }
}

/// Nobody is let in when the question has no answer.
async fn fails_closed(stage: &mut Stage) {
    let good = stage.token("orders:read");
    let elsewhere = stage.token_of_an_issuer_that_is_down("orders:read");
    let failed = |answer: &Answer| {
        assert!([500, 502, 503, 504].contains(&answer.status), "{answer:?}");
        answer.never_reached();
    };
    failed(&stage.ask("GET", "/orders/1", Some(&elsewhere), &FORGED).await);
    stage.ask("GET", "/orders/1", Some(&good), &[]).await.reached("GET /orders/1");
    for silence in [Silence::Mute, Silence::Gone] {
        stage.silence(silence).await;
        failed(&stage.ask("GET", "/orders/1", Some(&good), &FORGED).await);
    }
}
