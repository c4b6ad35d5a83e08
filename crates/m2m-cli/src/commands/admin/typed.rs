//! What several commands read from flags: scopes, `API=VALUE` pairs, dates, values that can be taken back.

use serde_json::{Map, Value, json};

use crate::exit::Failure;

/// The members that an update changes, or a new object has.
pub(super) type Members = Map<String, Value>;

/// Puts a text in, where one was typed; an empty one goes back to the default.
pub(super) fn put_text(members: &mut Members, name: &str, typed: Option<&String>) {
    if let Some(text) = typed {
        let value = if text.is_empty() { Value::Null } else { Value::from(text.as_str()) };
        members.insert(name.to_owned(), value);
    }
}

/// Puts in what `read` makes of a text, where one was typed; an empty one goes back to the default.
///
/// # Errors
/// What `read` says.
pub(super) fn put<T: Into<Value>>(
    members: &mut Members,
    name: &str,
    typed: Option<&String>,
    read: impl Fn(&str) -> Result<T, Failure>,
) -> Result<(), Failure> {
    if let Some(text) = typed {
        let value = if text.is_empty() { Value::Null } else { read(text)?.into() };
        members.insert(name.to_owned(), value);
    }
    Ok(())
}

/// Scopes that were typed, each flag one or several of them, in their order and once each.
///
/// # Errors
/// Exit 2: a flag without any.
pub(super) fn scopes(flag: &str, typed: &[String]) -> Result<Vec<String>, Failure> {
    let mut scopes: Vec<String> = Vec::new();
    for text in typed {
        let mut words = text.split_whitespace().peekable();
        if words.peek().is_none() {
            return Err(Failure::usage(format!("{flag}: expected a scope"))
                .hint(format!("for example {flag} orders:read")));
        }
        for word in words {
            if scopes.iter().all(|known| known != word) {
                scopes.push(word.to_owned());
            }
        }
    }
    Ok(scopes)
}

/// `API=S1,S2`: the API, and its scopes. An identifier may hold `=`; the last one counts.
///
/// # Errors
/// Exit 2, with an example.
pub(super) fn granted(flag: &str, typed: &str) -> Result<(String, Vec<String>), Failure> {
    let wrong = || {
        Failure::usage(format!("{flag}: expected API=SCOPE,SCOPE, found {typed:?}"))
            .hint(format!("for example {flag} https://orders.example=orders:read,orders:write"))
    };
    let (api, list) = typed.rsplit_once('=').ok_or_else(wrong)?;
    let scopes: Vec<String> =
        list.split([',', ' ']).filter(|scope| !scope.is_empty()).map(str::to_owned).collect();
    if api.is_empty() || scopes.is_empty() {
        return Err(wrong());
    }
    Ok((api.to_owned(), scopes))
}

/// `NAME=VALUE` for one of these names. A name and a value may hold `=`; the longest name that fits counts.
///
/// # Errors
/// Exit 2, with what is missing.
pub(super) fn of_one<'t>(
    flag: &str,
    typed: &'t str,
    names: &[String],
    (what, example): (&str, &str),
) -> Result<(usize, &'t str), Failure> {
    let hint = format!("for example {flag} {example}");
    let value = |name: &String| typed.strip_prefix(name.as_str())?.strip_prefix('=');
    let fitting = names.iter().enumerate().filter_map(|(index, name)| Some((index, value(name)?)));
    if let Some(found) = fitting.min_by_key(|(_, value)| value.len()) {
        return Ok(found);
    }
    match typed.split_once('=') {
        Some((name, _)) if !name.is_empty() => {
            Err(Failure::usage(format!("{flag}: {name} is not {what}")).hint(hint))
        }
        _ => Err(Failure::usage(format!("{flag}: expected NAME=VALUE, found {typed:?}")).hint(hint)),
    }
}

/// A date: `2027-06-01`.
///
/// # Errors
/// Exit 2, with an example.
pub(super) fn date(flag: &str, typed: &str) -> Result<String, Failure> {
    let well_formed = typed.len() == 10 && {
        let time = m2m_proto::time::UnixTime::parse_rfc3339(&format!("{typed}T00:00:00Z"));
        // A 31st of every month is read; only the right ones are written back.
        time.is_some_and(|time| time.date() == typed)
    };
    well_formed.then(|| typed.to_owned()).ok_or_else(|| {
        Failure::usage(format!("{flag}: expected a date, found {typed:?}"))
            .hint(format!("for example {flag} 2027-06-01"))
    })
}

/// A whole number from 1.
///
/// # Errors
/// Exit 2, with an example.
pub(super) fn count(flag: &str, typed: &str) -> Result<u64, Failure> {
    typed.parse().ok().filter(|count| *count > 0).ok_or_else(|| {
        Failure::usage(format!("{flag}: expected a number from 1, found {typed:?}"))
            .hint(format!("for example {flag} 60"))
    })
}

/// A JSON list of texts.
pub(super) fn list(texts: &[String]) -> Value {
    json!(texts)
}

/// The texts of a JSON list.
pub(super) fn texts_of(value: Option<&Value>) -> Vec<String> {
    let list = value.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    list.iter().filter_map(Value::as_str).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exit::Exit;

    fn exit<T>(result: Result<T, Failure>) -> Result<T, Exit> {
        result.map_err(|failure| {
            assert!(failure.advice().is_some_and(|hint| hint.starts_with("for example ")), "{failure:?}");
            failure.exit()
        })
    }

    #[test]
    fn scopes_are_words() {
        let typed = ["a b".to_owned(), "b".to_owned(), "c".to_owned()];
        assert_eq!(scopes("--scope", &typed), Ok(vec!["a".to_owned(), "b".to_owned(), "c".to_owned()]));
        assert_eq!(exit(scopes("--scope", &[" ".to_owned()])), Err(Exit::Usage));
    }

    #[test]
    fn a_grant_names_api_and_scopes() {
        let check = |typed, expect: Option<(&str, &[&str])>| {
            let expect = expect.map(|(api, scopes)| {
                (api.to_owned(), scopes.iter().map(|scope| (*scope).to_owned()).collect::<Vec<_>>())
            });
            assert_eq!(exit(granted("--grant", typed)).ok(), expect, "{typed}");
        };
        check("https://a.example=r,w", Some(("https://a.example", &["r", "w"])));
        check("https://a.example/?v=1=r", Some(("https://a.example/?v=1", &["r"])));
        check("orders=r, w", Some(("orders", &["r", "w"])));
        check("orders", None);
        check("orders=", None);
        check("=r", None);
        check("orders=,", None);
    }

    #[test]
    fn the_longest_name_that_fits_counts() {
        let names = ["a".to_owned(), "a=b".to_owned()];
        let check = |typed| exit(of_one("--role", typed, &names, ("granted", "orders=clerk")));
        assert_eq!(check("a=x=y"), Ok((0, "x=y")));
        assert_eq!(check("a=b=c"), Ok((1, "c")));
        assert_eq!(check("a="), Ok((0, "")));
        for bad in ["c=x", "a", "=x"] {
            assert_eq!(check(bad), Err(Exit::Usage), "{bad}");
        }
    }

    #[test]
    fn dates_and_counts() {
        for good in ["2027-06-01", "2028-02-29"] {
            assert_eq!(date("--review-by", good).as_deref(), Ok(good));
        }
        for bad in ["2027-02-29", "2027-6-1", "01.06.2027", "", "2027-06-01T"] {
            assert_eq!(exit(date("--review-by", bad)), Err(Exit::Usage), "{bad}");
        }
        assert_eq!(count("--mint-quota", "60"), Ok(60));
        for bad in ["0", "-1", "many"] {
            assert_eq!(exit(count("--mint-quota", bad)), Err(Exit::Usage), "{bad}");
        }
    }
}
