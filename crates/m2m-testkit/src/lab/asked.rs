//! A token request taken apart: parameters by the place where they stood.
//!
//! Enforces: well-formed forms and JSON under their own media type; no parameter twice but `resource` and `audience`.
//! A body of another media type has no parameters.

use http::header;
use m2m_proto::form::decode_component;
use serde_json::Value;

use crate::record::Recorded;

/// Where parameters stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the body, as a form.
    Form,
    /// In the URL's query.
    Query,
    /// In the body, as members of a JSON object.
    Json,
}

impl Place {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Form, Self::Query, Self::Json];
}

type Pairs = Vec<(String, String)>;

/// The parameters of one request.
#[derive(Debug, Default)]
pub(super) struct Asked {
    form: Pairs,
    query: Pairs,
    json: Pairs,
}

impl Asked {
    /// `None` for a request that nobody could read.
    pub(super) fn of(request: &Recorded) -> Option<Self> {
        let content_type = request.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let media_type = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let body = std::str::from_utf8(&request.body).ok()?;
        let mut asked = Self { query: pairs(request.uri.query().unwrap_or_default())?, ..Self::default() };
        match media_type.as_str() {
            "application/x-www-form-urlencoded" => asked.form = pairs(body)?,
            "application/json" => asked.json = members(body)?,
            _ => {}
        }
        Some(asked).filter(Self::has_no_duplicates)
    }

    /// The first value of a parameter; an empty one counts as absent (RFC 6749 section 3.2).
    pub(super) fn get(&self, place: Place, name: &str) -> Option<&str> {
        let found = self.pairs(place).iter().find(|(known, value)| known == name && !value.is_empty());
        found.map(|(_, value)| value.as_str())
    }

    /// Every value of a parameter.
    pub(super) fn all<'a>(&'a self, place: Place, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.pairs(place).iter().filter(move |(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    fn pairs(&self, place: Place) -> &Pairs {
        match place {
            Place::Form => &self.form,
            Place::Query => &self.query,
            Place::Json => &self.json,
        }
    }

    fn has_no_duplicates(&self) -> bool {
        Place::ALL.into_iter().map(|place| self.pairs(place)).all(|pairs| {
            let single = |name: &str| name != "resource" && name != "audience";
            let mut names =
                pairs.iter().map(|(name, _)| name).filter(|name| single(name)).collect::<Vec<_>>();
            let count = names.len();
            names.sort();
            names.dedup();
            names.len() == count
        })
    }
}

fn pairs(text: &str) -> Option<Pairs> {
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Some((decode_component(name).ok()?.into_owned(), decode_component(value).ok()?.into_owned()))
        })
        .collect()
}

/// An array stands for a parameter that repeats.
fn members(text: &str) -> Option<Pairs> {
    let Ok(Value::Object(object)) = serde_json::from_str(text) else { return None };
    let mut pairs = Pairs::new();
    for (name, value) in object {
        match value {
            Value::String(text) => pairs.push((name, text)),
            Value::Array(values) => pairs.extend(values.iter().map(|value| (name.clone(), plain(value)))),
            other => pairs.push((name, other.to_string())),
        }
    }
    Some(pairs)
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::Request;

    use super::{Asked, Place};
    use crate::record::Recorded;

    fn asked(content_type: &str, body: &'static str) -> Option<Asked> {
        let request = Request::post("/token?q=1&q2=").header("content-type", content_type);
        Asked::of(&Recorded::of(&request.body(Bytes::from(body)).unwrap()))
    }

    #[test]
    fn each_parameter_stands_in_its_place() {
        let form =
            asked("application/x-www-form-urlencoded;charset=utf-8", "a=x+y&resource=1&resource=2").unwrap();
        assert_eq!((form.get(Place::Form, "a"), form.get(Place::Json, "a")), (Some("x y"), None));
        assert_eq!((form.get(Place::Query, "q"), form.get(Place::Query, "q2")), (Some("1"), None));
        assert_eq!(form.all(Place::Form, "resource").collect::<Vec<_>>(), ["1", "2"]);
        let json = asked("application/json", r#"{"a":"b","audience":["1","2"],"n":3}"#).unwrap();
        assert_eq!((json.get(Place::Json, "n"), json.get(Place::Form, "a")), (Some("3"), None));
        assert_eq!(json.all(Place::Json, "audience").count(), 2);
        assert_eq!(asked("text/plain", "a=b").unwrap().get(Place::Form, "a"), None);
    }

    #[test]
    fn what_nobody_can_read_is_nothing() {
        for (content_type, body) in [
            ("application/x-www-form-urlencoded", "a=1&a=2"),
            ("application/x-www-form-urlencoded", "a=%4"),
            ("application/json", "[]"),
            ("application/json", r#"{"scope":["a","b"]}"#),
        ] {
            assert!(asked(content_type, body).is_none(), "{body}");
        }
    }
}
