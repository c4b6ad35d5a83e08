//! The numbers that operators see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use metrics::{
    Counter, CounterFn, Gauge, GaugeFn, Histogram, HistogramFn, Key, KeyName, Metadata, Recorder,
    SharedString, Unit,
};

use crate::testing::{CANARY, FakeServer, TestClock, answer, builder, oauth_error, seconds, settle};
use crate::{TokenSpec, observe};

/// The last value of everything, by name and labels.
#[derive(Clone, Default)]
struct Values(Arc<Mutex<BTreeMap<String, f64>>>);

struct Value(Values, String);

impl Value {
    fn change(&self, change: impl FnOnce(f64) -> f64) {
        let mut values = self.0.0.lock().unwrap();
        let value = values.entry(self.1.clone()).or_default();
        *value = change(*value);
    }
}

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
impl CounterFn for Value {
    fn increment(&self, by: u64) {
        self.change(|value| value + by as f64);
    }
    fn absolute(&self, to: u64) {
        self.change(|_| to as f64);
    }
}

impl GaugeFn for Value {
    fn increment(&self, by: f64) {
        self.change(|value| value + by);
    }
    fn decrement(&self, by: f64) {
        self.change(|value| value - by);
    }
    fn set(&self, to: f64) {
        self.change(|_| to);
    }
}

impl HistogramFn for Value {
    fn record(&self, _value: f64) {
        self.change(|count| count + 1.0);
    }
}

impl Values {
    fn of(&self, key: &Key) -> Arc<Value> {
        let labels: Vec<String> =
            key.labels().map(|label| format!("{}={}", label.key(), label.value())).collect();
        Arc::new(Value(self.clone(), format!("{}{{{}}}", key.name(), labels.join(","))))
    }

    fn get(&self, name: &str, labels: &str) -> Option<f64> {
        self.0.lock().unwrap().get(&format!("{name}{{{labels}}}")).copied()
    }
}

impl Recorder for Values {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.of(key))
    }
    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.of(key))
    }
    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(self.of(key))
    }
}

#[tokio::test]
async fn mints_failures_states_and_the_runway_are_counted_and_hold_no_secret() {
    let values = Values::default();
    let _here = metrics::set_default_local_recorder(&values);
    let (server, clock) = (FakeServer::issuing(3600), TestClock::new());
    let client = builder(&server, &clock).label("orders").build().unwrap();
    client.token(&TokenSpec::default()).await.unwrap();
    settle().await;
    clock.pass(1).await;
    let orders = "client=orders,key=orders";
    assert_eq!(values.get(observe::MINTS, &format!("{orders},reason=missing")), Some(1.0));
    assert_eq!(values.get(observe::MINT_SECONDS, "client=orders"), Some(1.0));
    assert_eq!(values.get(observe::OUTAGE_RUNWAY, orders), Some(3594.0));
    assert_eq!(values.get(observe::TOKEN_STATE, &format!("{orders},state=fresh")), Some(1.0));
    assert_eq!(values.get(observe::TOKEN_STATE, &format!("{orders},state=expired")), Some(0.0));
    assert_eq!(values.get(observe::KEYS, "client=orders"), Some(1.0));

    server.becomes(|_, _| Ok(answer(503, "")));
    clock.advance(seconds(3300));
    settle().await;
    clock.pass(1).await;
    // Once when it was due, once more half a second later.
    assert_eq!(values.get(observe::MINT_FAILURES, &format!("{orders},cause=unavailable")), Some(2.0));
    assert_eq!(values.get(observe::TOKEN_STATE, &format!("{orders},state=usable_while_failing")), Some(1.0));
    server.becomes(|_, _| Ok(oauth_error(400, CANARY)));
    clock.advance(seconds(60));
    client.token(&TokenSpec::default()).await.unwrap();
    settle().await;
    assert_eq!(values.get(observe::MINT_FAILURES, &format!("{orders},cause=oauth_error")), Some(1.0));

    // Long after: the key is let go, and its gauges stop telling.
    clock.advance(seconds(7200));
    settle().await;
    clock.pass(2).await;
    assert_eq!(client.cached_keys(), 0);
    assert!(values.get(observe::OUTAGE_RUNWAY, orders).unwrap().is_nan());
    assert_eq!(values.get(observe::TOKEN_STATE, &format!("{orders},state=expired")), Some(0.0));
    assert!(values.0.lock().unwrap().keys().all(|key| !key.contains(CANARY)));
}
