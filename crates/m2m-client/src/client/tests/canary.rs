//! A canary secret: never in an error, a log line, a metric or a `Debug` text.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::testing::{CANARY, FakeServer, TestClock, answer, builder, seconds, secret, token_answer};
use crate::{Credentials, Dpop, TokenSpec};
use m2m_proto::client_auth::ClientAuthMethod;
use m2m_proto::form::encode_component;

const TOKEN: &str = "canary-token-0123456789";

/// Writes every field of every span and event into one text.
#[derive(Clone, Default)]
struct Everything(Arc<Mutex<String>>);

impl Visit for Everything {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let _infallible = writeln!(self.0.lock().unwrap(), "{}={value:?}", field.name());
    }
}

impl Subscriber for Everything {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        attributes.record(&mut self.clone());
        Id::from_u64(1)
    }
    fn record(&self, _span: &Id, values: &Record<'_>) {
        values.record(&mut self.clone());
    }
    fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
    fn event(&self, event: &Event<'_>) {
        event.record(&mut self.clone());
    }
    fn enter(&self, _span: &Id) {}
    fn exit(&self, _span: &Id) {}
}

fn assert_clean(text: &str) {
    for canary in [CANARY.to_owned(), encode_component(CANARY), TOKEN.to_owned()] {
        assert!(!text.contains(&canary), "{canary} in: {text}");
    }
    // The Basic credentials of the golden test.
    assert!(!text.contains("YzpjYW5hcnkt"), "{text}");
}

#[tokio::test]
async fn a_canary_is_in_no_error_log_or_debug_text() {
    let log = Everything::default();
    // For the whole process: what other tests log may not hold the canary either.
    tracing::subscriber::set_global_default(log.clone()).unwrap();
    let clock = TestClock::new();
    // A server that repeats in its answers whatever it is sent.
    let echo = FakeServer::new(|request, _| {
        let form = String::from_utf8_lossy(request.body()).into_owned();
        let basic =
            request.headers().get("authorization").map_or("", |value| value.to_str().unwrap()).to_owned();
        let body = serde_json::json!({
            "error": "invalid_client",
            "error_description": format!("no such secret: {CANARY} in {form} with {basic}"),
            "error_uri": format!("https://as.example/?{CANARY}"),
        });
        Ok(answer(401, body.to_string()))
    });
    for method in [ClientAuthMethod::ClientSecretBasic, ClientAuthMethod::ClientSecretPost] {
        let credentials = Credentials::secret(secret(CANARY), None, method);
        assert_clean(&format!("{credentials:?} {:?}", secret(CANARY)));
        let setup = builder(&echo, &clock).credentials(credentials).dpop(Dpop::None);
        assert_clean(&format!("{setup:?}"));
        let client = setup.build().unwrap();
        let error = client.token(&TokenSpec::default()).await.unwrap_err();
        assert_clean(&format!(
            "{error} {error:?} {} {:?} {:?}",
            error.hint(),
            error.description(),
            error.uri()
        ));
        assert_clean(&format!("{client:?} {:?}", client.snapshot(&TokenSpec::default())));
    }
    let good = FakeServer::new(|_, _| Ok(token_answer(TOKEN, "600")));
    let client = builder(&good, &clock).build().unwrap();
    let token = client.token(&TokenSpec::default()).await.unwrap();
    let mut handle = client.handle(&TokenSpec::default());
    handle.ready().await.unwrap();
    assert_clean(&format!("{token:?} {handle:?} {:?}", client.watch(&TokenSpec::default())));
    clock.advance(seconds(700));
    good.becomes(|_, _| Ok(answer(200, format!("{TOKEN} {CANARY}"))));
    let error = client.token(&TokenSpec::default()).await.unwrap_err();
    assert_clean(&format!("{error:?}"));
    let log = log.0.lock().unwrap().clone();
    assert!(log.contains("token request failed") && log.contains("token obtained"), "the log was seen");
    assert_clean(&log);
}
