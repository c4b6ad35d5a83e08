//! From what was sent to a profile: each text goes to the judge of its field, and what is wrong names the field.
//!
//! No rule of its own: values are judged by `commands::profile::judged`, credentials by `credential`, the whole by
//! [`Wish::check`](crate::commands::profile::wish::Wish::check).

use m2m_client::provider::Provider;
use m2m_proto::uri::PlainHttp;

use super::credentials::Credential;
use super::draft::{Draft, Standing};
use super::typed::{param, variable};
use crate::Surroundings;
use crate::commands::profile::judged::{self, NEEDED, demand};
use crate::commands::profile::{check_name, conversation};
use crate::connect;
use crate::console::door::Sent;
use crate::console::page::Problem;
use crate::settings::Settings;
use crate::settings::field::{Field, Shape};
use crate::settings::method::Method;
use crate::settings::value::Value;

/// Fields that are neither credentials nor the choice of a method.
pub(super) fn texts() -> impl Iterator<Item = Field> {
    let elsewhere = [Field::Provider, Field::Variables, Field::ClientAuthMethod, Field::Dpop];
    let is_text = move |field: &&Field| !elsewhere.contains(field) && field.shape() != Shape::Secret;
    Field::ALL.iter().filter(is_text).copied()
}

/// What was made of a form.
pub(crate) struct Filled {
    pub(crate) draft: Draft,
    pub(crate) problems: Vec<Problem>,
}

/// Reads the form that was sent for this draft.
pub(crate) fn read(sent: &Sent, before: &Draft, around: &Surroundings) -> Filled {
    let mut draft = Draft { wish: Default::default(), keyring: false, done: Vec::new(), ..before.clone() };
    let mut problems = Vec::new();
    name(sent, &mut draft, &mut problems, around);
    if let Some(provider) = before.provider() {
        draft.wish.values.extend(
            before.wish.values.get_key_value(&Field::Provider).map(|(field, named)| (*field, named.clone())),
        );
        variables(sent, provider, &mut draft, &mut problems);
    }
    let plain = match sent.text(Field::AllowHttp.key()) {
        "true" => PlainHttp::Allowed,
        _ => PlainHttp::LoopbackOnly,
    };
    for field in texts() {
        match judged::value(field, sent.text(field.key()), plain) {
            Ok(Some(Value::Switch(false))) => {}
            Ok(Some(value)) => draft.wish.set(field, value),
            Ok(None) => problems.extend(demand(field, before.provider()).map(|why| wrong(field, why))),
            Err(why) => problems.push(wrong(field, &why)),
        }
    }
    params(sent, before.provider(), &mut draft, &mut problems);
    credentials(sent, before, &mut draft, &mut problems);
    if problems.is_empty()
        && let Err(failure) = draft.wish.check()
    {
        let hint = failure.advice().map(|hint| format!(" ({hint})")).unwrap_or_default();
        problems.push(Problem { field: String::new(), text: format!("{}{hint}", failure.message()) });
    }
    draft.changed = draft.standing == Standing::New || before.changed || differs(before, &draft);
    Filled { draft, problems }
}

fn wrong(field: Field, why: &str) -> Problem {
    Problem { field: field.key().to_owned(), text: format!("{}: {why}", field.title()) }
}

fn differs(before: &Draft, after: &Draft) -> bool {
    let values = |draft: &Draft| -> Vec<_> {
        draft.wish.values.iter().map(|(field, sourced)| (*field, sourced.value.clone())).collect()
    };
    values(before) != values(after) || !after.wish.secrets.is_empty()
}

fn name(sent: &Sent, draft: &mut Draft, problems: &mut Vec<Problem>, around: &Surroundings) {
    if draft.standing == Standing::Kept {
        return;
    }
    sent.text("name").clone_into(&mut draft.name);
    if let Err(failure) = check_name(&draft.name) {
        let hint = failure.advice().unwrap_or_default();
        problems
            .push(Problem { field: "name".to_owned(), text: format!("Name: {}, {hint}", failure.message()) });
    }
    let chosen = sent.text("file");
    if let Some(path) =
        super::form::places(around).into_iter().find(|path| path.display().to_string() == chosen)
    {
        draft.file = path;
    }
}

fn variables(sent: &Sent, provider: &Provider, draft: &mut Draft, problems: &mut Vec<Problem>) {
    // With a URL of their own choice, people need no variables that only make the URL.
    let stated = !sent.text(Field::Issuer.key()).is_empty() || !sent.text(Field::TokenUrl.key()).is_empty();
    let mut given = Vec::new();
    for known in &provider.variables {
        let name = variable(&known.name);
        let text = sent.text(&name);
        if stated && known.pattern.is_none() && text.is_empty() {
            continue;
        }
        match judged::variable(provider, known, &given, text) {
            Ok(Some(value)) => given.push((known.name.clone(), value)),
            Ok(None) => {}
            Err(why) if why == NEEDED => {
                problems.push(Problem { field: name, text: format!("{}: {why}", title(&known.name)) });
            }
            Err(why) => problems.push(Problem { field: name, text: why }),
        }
    }
    if !given.is_empty() {
        draft.wish.set(Field::Variables, Value::Pairs(given));
    }
}

/// A name as a title: `tenant_id` is "Tenant id".
pub(super) fn title(name: &str) -> String {
    crate::schema::capital(&name.replace(['_', '-'], " "))
}

/// Parameters that the provider demands have entries of their own.
fn params(sent: &Sent, provider: Option<&Provider>, draft: &mut Draft, problems: &mut Vec<Problem>) {
    let mut params = draft.wish.pairs(Field::Params);
    for name in provider.into_iter().flat_map(|provider| &provider.request.required_params) {
        if params.iter().any(|(known, _)| known == name) {
            continue;
        }
        let field = param(name);
        match judged::value(Field::Audience, sent.text(&field), PlainHttp::LoopbackOnly) {
            Ok(Some(Value::Text(text))) => params.push((name.clone(), text)),
            Ok(_) => problems.push(Problem { field, text: format!("{}: {NEEDED}", title(name)) }),
            Err(why) => problems.push(Problem { field, text: format!("{}: {why}", title(name)) }),
        }
    }
    if !params.is_empty() {
        draft.wish.set(Field::Params, Value::Pairs(params));
    }
}

fn credentials(sent: &Sent, before: &Draft, draft: &mut Draft, problems: &mut Vec<Problem>) {
    let chosen = Method::parse(sent.text(Field::ClientAuthMethod.key()));
    let Some(method) = chosen else {
        return problems.push(wrong(Field::ClientAuthMethod, "choose one"));
    };
    if let Some(why) = super::form::refusal(before, method) {
        return problems.push(wrong(Field::ClientAuthMethod, &format!("{}: {why}", method.as_str())));
    }
    // By the grant that was typed, not the one that was there.
    let graded = Draft { wish: draft.wish.clone(), ..before.clone() };
    let credentials: Vec<Credential> = Credential::all(&graded)
        .into_iter()
        .filter(|credential| credential.goes_with(method))
        .chain([Credential::dpop()])
        .collect();
    let count = problems.len();
    for credential in &credentials {
        problems.extend(credential.read(sent, before, draft).err());
    }
    for field in conversation::needs(&draft.wish, before.provider(), Some(method)) {
        if problems.len() == count && !draft.wish.has(field) {
            problems.push(wrong(field, &format!("{} needs it; say where it is", method.as_str())));
        }
    }
    state_method(method, draft);
}

/// What holds anyway need not be written down.
fn state_method(method: Method, draft: &mut Draft) {
    let resolved = Settings::of(draft.wish.values.clone()).and_then(|settings| connect::method(&settings));
    if resolved.ok() != Some(method) {
        draft.wish.set(Field::ClientAuthMethod, Value::Text(method.as_str().to_owned()));
    }
}
