//! What stands in the form: the texts that were sent, or those that a profile makes. Never a secret.

use std::collections::BTreeMap;

use super::credentials::Credential;
use super::draft::Draft;
use crate::console::door::Sent;
use crate::settings::Settings;
use crate::settings::field::Field;
use crate::settings::method::Method;
use crate::settings::value::{Value, time_text};

/// The name of the entry for a provider's variable.
pub(super) fn variable(name: &str) -> String {
    format!("var-{name}")
}

/// The name of the entry for a parameter that the provider demands.
pub(super) fn param(name: &str) -> String {
    format!("param-{name}")
}

/// Texts by the names of their entries.
#[derive(Clone, Debug, Default)]
pub(crate) struct Typed(BTreeMap<String, String>);

impl Typed {
    /// As they were sent, but for pasted secrets.
    pub(crate) fn sent(sent: &Sent) -> Self {
        let texts = sent.0.iter().filter(|(name, _)| !Credential::is_box(name));
        Self(texts.map(|(name, text)| (name.clone(), text.trim().to_owned())).collect())
    }

    /// As the profile says.
    pub(crate) fn of(draft: &Draft) -> Self {
        let mut texts = BTreeMap::new();
        texts.insert("name".to_owned(), draft.name.clone());
        texts.insert("file".to_owned(), draft.file.display().to_string());
        for (field, sourced) in &draft.wish.values {
            match (field, &sourced.value) {
                (Field::Variables, Value::Pairs(pairs)) => {
                    texts.extend(pairs.iter().map(|(name, text)| (variable(name), text.clone())));
                }
                (Field::Params, Value::Pairs(pairs)) => {
                    let demanded = |name: &String| {
                        draft
                            .provider()
                            .is_some_and(|provider| provider.request.required_params.contains(name))
                    };
                    let (named, others): (Vec<_>, Vec<_>) =
                        pairs.iter().partition(|(name, _)| demanded(name));
                    texts.extend(named.into_iter().map(|(name, text)| (param(name), text.clone())));
                    let lines: Vec<_> = others.iter().map(|(name, text)| format!("{name}={text}")).collect();
                    texts.insert(field.key().to_owned(), lines.join("\n"));
                }
                (field, value) => {
                    texts.extend(text(*field, value).map(|text| (field.key().to_owned(), text)));
                }
            }
        }
        if let Some(method) = method(draft) {
            texts.insert(Field::ClientAuthMethod.key().to_owned(), method.as_str().to_owned());
        }
        let credentials = Credential::all(draft).into_iter().chain([Credential::dpop()]);
        texts.extend(credentials.filter_map(|credential| credential.standing(draft)));
        Self(texts)
    }

    /// As a browser sends it.
    #[cfg(test)]
    pub(super) fn as_sent(&self) -> Sent {
        Sent(self.0.clone().into_iter().collect())
    }

    /// The text of that name; empty where there is none.
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// The text of a field.
    pub(crate) fn field(&self, field: Field) -> &str {
        self.get(field.key())
    }
}

/// The method that is stated, or would be used.
pub(super) fn method(draft: &Draft) -> Option<Method> {
    let known = |text: &str| Method::parse(text);
    if let Some(method) = draft.wish.text(Field::ClientAuthMethod).and_then(known) {
        return Some(method);
    }
    if draft.wish.has(Field::ClientId)
        && let Ok(settings) = Settings::of(draft.wish.values.clone())
        && let Ok(method) = crate::connect::method(&settings)
    {
        return Some(method);
    }
    // Nothing is filled in yet: the first that can be.
    match draft.provider() {
        Some(provider) => provider.auth.methods.iter().find_map(|name| known(name)),
        None => Method::ALL
            .into_iter()
            .find(|method| draft.metadata().is_none_or(|found| found.refuses(method.as_str()).is_none())),
    }
}

fn text(field: Field, value: &Value) -> Option<String> {
    Some(match value {
        Value::Text(text) => text.clone(),
        Value::List(list) if field == Field::Scopes => list.join(" "),
        Value::List(list) => list.join("\n"),
        Value::Time(time) => time_text(*time),
        Value::Switch(on) => on.to_string(),
        Value::Pairs(_) | Value::Secret(_) => return None,
    })
}
