//! Recorded answers in the form of the provider catalogue: a TOML file with `[[answers]]`.
//!
//! Enforces: name, status and body of each; headers are texts. Other keys are the business of others.

use toml::{Table, Value};

use super::answer::Answer;

/// The answers of a file, in order, for [`Behaviour::recorded`](super::Behaviour::recorded).
///
/// # Panics
///
/// If the text is not such a file.
#[must_use]
pub fn recorded(text: &str) -> Vec<(String, Answer)> {
    let file = parse(text);
    let answers = file.get("answers").and_then(Value::as_array).map(Vec::as_slice);
    answers.unwrap_or_default().iter().map(|answer| one(answer.as_table().expect("a table"))).collect()
}

/// The authentication method of the client to whom they were said, if the file tells.
pub(super) fn method(text: &str) -> Option<String> {
    parse(text).get("profile")?.get("method")?.as_str().map(str::to_owned)
}

fn parse(text: &str) -> Table {
    text.parse().unwrap_or_else(|error| panic!("recorded answers: {error}"))
}

fn one(table: &Table) -> (String, Answer) {
    let text =
        |name: &str| table.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name} of {table}"));
    let status =
        table.get("status").and_then(Value::as_integer).and_then(|status| u16::try_from(status).ok());
    let headers = table.get("headers").and_then(Value::as_table).into_iter().flatten();
    let headers =
        headers.map(|(name, value)| (name.clone(), value.as_str().expect("a header's text").to_owned()));
    let answer = Answer {
        status: status.unwrap_or_else(|| panic!("status of {table}")),
        headers: headers.collect(),
        body: text("body").to_owned(),
    };
    (text("name").to_owned(), answer)
}

#[cfg(test)]
mod tests {
    use super::recorded;

    #[test]
    fn answers_are_read_and_the_rest_is_left_alone() {
        let text = r#"
            [profile]
            client_id = "app"
            [[answers]]
            name = "wrong_secret"
            status = 401
            headers = { content-type = "application/json", x = "1" }
            body = '''{"error":"access_denied"}'''
            [answers.expect]
            kind = "refused"
            [[answers]]
            name = "empty"
            status = 503
            body = ""
        "#;
        let answers = recorded(text);
        assert_eq!(
            answers.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(),
            ["wrong_secret", "empty"]
        );
        let (_, answer) = &answers[0];
        assert_eq!(
            (answer.status, answer.headers.len(), answer.body.as_str()),
            (401, 2, r#"{"error":"access_denied"}"#)
        );
        assert!(recorded("[profile]").is_empty());
    }
}
