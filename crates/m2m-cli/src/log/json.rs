//! The log as programs collect it: one JSON object per line on standard error.
//!
//! `{"ts","level","target","message", …}`, then the fields of the event under their own names. `ts` is RFC 3339 in UTC,
//! by our clock. What libraries put into fields is theirs to keep free of secrets; none of ours puts one in.
//! Limits: 4096 bytes a value; a longer one is cut and ends with `…`.

use std::fmt;
use std::sync::Arc;

use m2m_io::Clock;
use m2m_proto::time::UnixTime;
use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

const MAX_VALUE: usize = 4096;
const RESERVED: [&str; 4] = ["ts", "level", "target", "message"];

/// Writes events as lines of JSON, with the time of this clock.
pub(super) struct Lines(pub(super) Arc<dyn Clock>);

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut said = Said::default();
        event.record(&mut said);
        let (metadata, ts) = (event.metadata(), timestamp(self.0.wall()));
        let level = metadata.level().as_str();
        let head = [("ts", ts.as_str()), ("level", level), ("target", metadata.target())];
        let head = head.into_iter().map(|(name, text)| (name.to_owned(), Value::from(text)));
        let message = ("message".to_owned(), Value::from(cut(&said.message)));
        let members: Vec<_> = head.chain([message]).chain(said.fields).map(member).collect();
        writeln!(writer, "{{{}}}", members.join(","))
    }
}

/// `"name":value`, printable on any terminal.
fn member((name, value): (String, Value)) -> String {
    crate::output::escaped(&format!("{}:{value}", Value::from(name)))
}

/// `2026-11-25T23:12:54.123Z`
fn timestamp(now: UnixTime) -> String {
    let (second, millis) = (now.seconds() % 86_400, now.millis() % 1000);
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z", now.date())
}

fn cut(text: &str) -> String {
    if text.len() <= MAX_VALUE {
        text.to_owned()
    } else {
        format!("{}…", &text[..text.floor_char_boundary(MAX_VALUE)])
    }
}

#[derive(Default)]
struct Said {
    message: String,
    fields: Vec<(String, Value)>,
}

impl Said {
    fn put(&mut self, field: &Field, value: Value) {
        match (field.name(), value) {
            // A field of this name beside the sentence belongs to it.
            ("message", Value::String(text)) if self.message.is_empty() => self.message = text,
            ("message", Value::String(text)) => self.message.extend([": ", &text]),
            (name, value) => {
                let is_taken = RESERVED.contains(&name) || self.fields.iter().any(|(taken, _)| taken == name);
                let name = if is_taken { format!("field_{name}") } else { name.to_owned() };
                self.fields.push((name, value));
            }
        }
    }
}

impl Visit for Said {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(cut(value)));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::from(cut(&format!("{value:?}"))));
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::Mutex;

    use m2m_io::BoxFuture;
    use std::time::Duration;
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Clock for Fixed {
        fn wall(&self) -> UnixTime {
            UnixTime::parse_rfc3339("2026-11-25T23:12:54.007Z").unwrap()
        }
        fn monotonic(&self) -> Duration {
            Duration::ZERO
        }
        fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
            Box::pin(std::future::pending())
        }
    }

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn lines(say: impl FnOnce()) -> String {
        let kept = Kept::default();
        let writer = kept.clone();
        let layer = tracing_subscriber::fmt::layer()
            .with_writer(move || writer.clone())
            .event_format(Lines(Arc::new(Fixed)));
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer), say);
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    #[test]
    fn an_event_is_one_line() {
        let written =
            lines(|| tracing::warn!(count = 3, client = "svc", ok = true, late = ?Some(1), "a \"b\"\nc"));
        let expect = r#"{"ts":"2026-11-25T23:12:54.007Z","level":"WARN","target":"m2m_cli::log::json::tests","message":"a \"b\"\nc","count":3,"client":"svc","ok":true,"late":"Some(1)"}"#;
        assert_eq!(written, format!("{expect}\n"));
    }

    #[test]
    fn names_stand_once_and_nothing_moves_a_cursor() {
        let text = String::from("panicked\u{9b}2J\u{202e}");
        let written = lines(|| tracing::info!(level = 1, ts = "x", message = %text, "task"));
        let value: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(
            (&value["level"], &value["field_level"], &value["field_ts"]),
            (&"INFO".into(), &1.into(), &"x".into())
        );
        assert!(value["message"].as_str().unwrap().contains("panicked"), "{written}");
        assert!(written.is_ascii(), "{written}");
    }

    #[test]
    fn a_long_value_is_cut() {
        let written = lines(|| tracing::info!(body = "ä".repeat(MAX_VALUE), "x"));
        let value: Value = serde_json::from_str(&written).unwrap();
        assert_eq!(value["body"].as_str().unwrap().chars().count(), MAX_VALUE / 2 + 1);
    }
}
