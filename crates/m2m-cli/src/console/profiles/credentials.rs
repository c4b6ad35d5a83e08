//! The credentials of a profile in the form: where each is, references before any box to paste into.
//!
//! Enforces: a box is sent empty and stays empty; what was pasted is held in memory until it is saved, and then goes
//! into a place of its own (`commands::profile::kept`). Which credential belongs to which method is said by the table
//! of methods.

use m2m_proto::client_auth::ClientAuthMethod;
use maud::{Markup, html};

use super::draft::Draft;
use super::pasted;
use super::typed::Typed;
use crate::Surroundings;
use crate::commands::profile::credential::{Way, kind};
use crate::commands::profile::show::Standing;
use crate::console::door::Sent;
use crate::console::page::{Entry, Problem};
use crate::schema::capital;
use crate::settings::field::Field;
use crate::settings::grant;
use crate::settings::method::{Method, needed};
use crate::settings::secret::SecretReference;
use crate::settings::value::Value;

const SECRET: &[Way] =
    &[Way::Variable, Way::File, Way::Command, Way::Systemd, Way::Keyring, Way::Typed, Way::TypedForKeyring];
const KEY: &[Way] = &[Way::File, Way::Variable, Way::Command, Way::Systemd, Way::Keyring, Way::Typed];
const PUBLIC: &[Way] = &[Way::File, Way::Variable, Way::Command];
const WORKLOAD: &[Way] = &[Way::Kubernetes, Way::Spiffe, Way::Job, Way::File, Way::Command];
const DPOP: &[Way] = &[Way::File, Way::Variable, Way::Command];

/// What may go with a key that signs: its thumbprint is shown, or tokens are bound to it.
const CERTIFICATE: [Field; 2] = [Field::Certificate, Field::CertificateKey];
const KEYED: Method = Method::Registered(ClientAuthMethod::PrivateKeyJwt);

/// The choices besides the ways.
const KEEP: &str = "keep";
const NONE: &str = "none";
const EPHEMERAL: &str = "ephemeral";

/// A credential in the form.
#[derive(Clone, Debug)]
pub(crate) struct Credential {
    pub(crate) field: Field,
    ways: &'static [Way],
    /// The methods that it goes with; `None` for every one.
    pub(crate) methods: Option<Vec<Method>>,
    optional: bool,
}

impl Credential {
    /// Those that this profile can have, in the order of the form.
    pub(crate) fn all(draft: &Draft) -> Vec<Self> {
        let stated = draft.wish.text(Field::Grant).map(grant::name_of);
        let grant = stated.or(draft.provider().map(grant::of)).unwrap_or_default();
        let fields = [
            Field::ClientSecret,
            Field::NextClientSecret,
            Field::PrivateKey,
            Field::Certificate,
            Field::CertificateKey,
            Field::WorkloadToken,
        ];
        let with = |field: Field, method: Method| {
            needed(method, grant, |_| false).iter().any(|(known, _)| *known == field)
                || method.optional().contains(&field)
                || (CERTIFICATE.contains(&field) && method == KEYED)
        };
        let of = |field: Field| {
            let methods: Vec<Method> =
                Method::ALL.into_iter().filter(|method| with(field, *method)).collect();
            let everywhere = grant::needs(grant).contains(&field) || methods.len() == Method::ALL.len();
            Self {
                field,
                ways: ways(field),
                optional: field == Field::NextClientSecret,
                methods: (!everywhere).then_some(methods),
            }
        };
        fields.into_iter().map(of).collect()
    }

    /// The key that tokens are bound to, which goes with every method.
    pub(crate) fn dpop() -> Self {
        Self { field: Field::Dpop, ways: DPOP, methods: None, optional: true }
    }

    /// Whether an entry of that name takes a secret.
    pub(crate) fn is_box(name: &str) -> bool {
        name.ends_with("-box")
    }

    fn what(&self) -> &'static str {
        match self.field {
            Field::NextClientSecret => "the next client secret",
            Field::Dpop => "the key that tokens are bound to",
            field => kind(field).0,
        }
    }

    fn name(&self, what: &str) -> String {
        format!("{}-{what}", self.field.key())
    }

    /// Whether it goes with this method.
    pub(crate) fn goes_with(&self, method: Method) -> bool {
        self.methods.as_ref().is_none_or(|methods| methods.contains(&method))
    }

    /// The choice that the profile has made.
    pub(super) fn standing(&self, draft: &Draft) -> Option<(String, String)> {
        let place = match draft.wish.secret(self.field) {
            Some(_) => KEEP,
            None if draft.wish.text(self.field).is_some() => EPHEMERAL,
            None => return None,
        };
        Some((self.name("place"), place.to_owned()))
    }

    /// Reads it into the wish; what is wrong is told.
    pub(crate) fn read(&self, sent: &Sent, before: &Draft, after: &mut Draft) -> Result<(), Problem> {
        let wrong = |name: String, text: String| Problem { field: name, text };
        let place = sent.text(&self.name("place")).to_owned();
        match place.as_str() {
            "" | NONE => Ok(()),
            EPHEMERAL if self.field == Field::Dpop => {
                after.wish.set(self.field, Value::Text(EPHEMERAL.to_owned()));
                Ok(())
            }
            KEEP => {
                if let Some(kept) = before.wish.values.get(&self.field) {
                    after.wish.values.insert(self.field, kept.clone());
                }
                if let Some(secret) = before.wish.secrets.get(&self.field) {
                    after.wish.secrets.insert(self.field, secret.clone());
                    after.keyring = before.keyring;
                }
                Ok(())
            }
            place => {
                let known = self.ways.iter().copied().find(|way| way.key() == place);
                let way = known
                    .ok_or_else(|| wrong(self.name("place"), "choose one of these places".to_owned()))?;
                if way.is_typed() {
                    return self.paste(sent, before, after, way).map_err(|why| wrong(self.name("box"), why));
                }
                let text = sent.text(&self.name(place));
                let reference = way.reference(text).map_err(|why| {
                    wrong(self.name(place), format!("{}, {}: {why}", self.field.title(), way.question()))
                })?;
                after.wish.set(self.field, Value::Secret(reference));
                Ok(())
            }
        }
    }

    /// What was pasted, as it was pasted but for the last line end; an empty box keeps what is there.
    fn paste(&self, sent: &Sent, before: &Draft, after: &mut Draft, way: Way) -> Result<(), String> {
        let title = self.field.title();
        let name = self.name("box");
        let text = sent.0.iter().find(|(known, _)| *known == name).map_or("", |(_, text)| text);
        after.keyring |= way == Way::TypedForKeyring;
        if text.trim().is_empty() {
            return match (before.wish.values.get(&self.field), before.wish.secrets.get(&self.field)) {
                (Some(kept), held) => {
                    after.wish.values.insert(self.field, kept.clone());
                    after.wish.secrets.extend(held.map(|secret| (self.field, secret.clone())));
                    Ok(())
                }
                (None, _) => Err(format!("{title}: the box is empty")),
            };
        }
        let secret = pasted::judged(self.field, text).map_err(|why| format!("{title}: {why}"))?;
        after.wish.set_secret(self.field, secret);
        Ok(())
    }

    /// Whether a choice was made.
    fn is_chosen(&self, typed: &Typed) -> bool {
        !matches!(typed.get(&self.name("place")), "" | NONE)
    }

    /// Its part of the form: open where it goes with the method.
    pub(super) fn markup(
        &self,
        draft: &Draft,
        typed: &Typed,
        (chosen, beside): (Option<Method>, Option<Markup>),
        problems: &[Problem],
        around: &Surroundings,
    ) -> Markup {
        let when = self.methods.as_ref().map(|methods| {
            let names: Vec<&str> = methods.iter().map(|method| method.as_str()).collect();
            format!("{}={}", Field::ClientAuthMethod.key(), names.join("|"))
        });
        let belongs = chosen.is_none_or(|method| self.goes_with(method));
        let wanted = self.is_wanted(chosen);
        let prefix = format!("{}-", self.field.key());
        let is_wrong = problems
            .iter()
            .any(|problem| problem.field.starts_with(&prefix) || problem.field == self.field.key());
        html! {
            details.credential data-when=[when] data-wanted=[self.wanted_by()]
                open[is_wrong || (belongs && (wanted || self.is_chosen(typed)))] {
                summary { (self.field.title()) span.optional hidden[wanted] { " (optional)" } }
                (self.places(draft, (typed, chosen), problems, around))
                @if let Some(beside) = beside { (beside) }
            }
        }
    }

    /// The methods that cannot go without it, for the script.
    fn wanted_by(&self) -> Option<String> {
        let needs = |method: &Method| method.needs().contains(&self.field);
        let names: Vec<&str> =
            Method::ALL.iter().filter(|method| needs(method)).map(|method| method.as_str()).collect();
        (!self.optional && self.methods.is_some()).then(|| names.join("|"))
    }

    /// Whether it can be left out with some method.
    fn may_be_none(&self) -> bool {
        self.optional || CERTIFICATE.contains(&self.field)
    }

    fn is_wanted(&self, chosen: Option<Method>) -> bool {
        !self.optional
            && chosen.is_none_or(|method| method.needs().contains(&self.field) || self.methods.is_none())
    }

    /// The places to choose from.
    pub(super) fn places(
        &self,
        draft: &Draft,
        (typed, method): (&Typed, Option<Method>),
        problems: &[Problem],
        around: &Surroundings,
    ) -> Markup {
        let place = self.name("place");
        let chosen = typed.get(&place);
        let kept = draft.wish.secret(self.field);
        let first = match (kept, self.may_be_none() && !self.is_wanted(method)) {
            (Some(_), _) => KEEP,
            (None, true) => NONE,
            (None, false) => self.ways.first().map_or("", |way| way.key()),
        };
        let chosen = if chosen.is_empty() { first } else { chosen };
        let problem = |name: &str| problems.iter().find(|problem| problem.field == name);
        let wrong = format!("{place}-wrong");
        html! {
            fieldset.choice.places #(self.field.key()) tabindex="-1" aria-describedby=(wrong) {
                legend { "Where is " (self.what()) "?" }
                @if !matches!(self.field, Field::ClientSecret | Field::PrivateKey) { p.help { (self.field.help()) } }
                @if self.may_be_none() { (option(&place, NONE, "none", chosen)) }
                @if let Some(reference) = kept {
                    (option(&place, KEEP, &keeps(reference, draft, self.field, around), chosen))
                }
                @if self.field == Field::Dpop { (option(&place, EPHEMERAL, "a fresh key for each run", chosen)) }
                @for way in self.ways { (option(&place, way.key(), way.line(), chosen)) (self.part(*way, typed, problems)) }
                @if self.ways.iter().any(|way| way.is_typed()) { (self.paste_box(&place, problems, kept)) }
                p.wrong #(wrong) { @if let Some(problem) = problem(&place) { (problem.text) } }
            }
        }
    }

    /// What a place is called.
    fn part(&self, way: Way, typed: &Typed, problems: &[Problem]) -> Markup {
        if way.is_typed() {
            return html! {};
        }
        let name = self.name(way.key());
        let entry = Entry {
            name: &name,
            label: &capital(way.question().split(',').next().unwrap_or_default()),
            help: way.example(self.field),
            value: typed.get(&name),
            required: true,
            ..Entry::default()
        };
        html! { div.part data-when={ (self.name("place")) "=" (way.key()) } { (entry.markup(problems)) } }
    }

    fn paste_box(&self, place: &str, problems: &[Problem], kept: Option<&SecretReference>) -> Markup {
        let name = self.name("box");
        let is_secret = matches!(self.field, Field::ClientSecret | Field::NextClientSecret);
        let help = match kept {
            Some(_) => "Never shown again. Empty: what is there stays.",
            None => "Never shown again, and never in the profile.",
        };
        let label = if is_secret { "Paste the secret" } else { "Paste the private key (PEM or JWK)" };
        let entry = Entry {
            name: &name,
            label,
            help,
            kind: if is_secret { "password" } else { "area" },
            required: kept.is_none(),
            autocomplete: "off",
            ..Entry::default()
        };
        let typed: Vec<&str> = self.ways.iter().filter(|way| way.is_typed()).map(|way| way.key()).collect();
        html! { div.part data-when={ (place) "=" (typed.join("|")) } { (entry.markup(problems)) } }
    }
}

fn ways(field: Field) -> &'static [Way] {
    match field {
        Field::ClientSecret | Field::NextClientSecret => SECRET,
        Field::WorkloadToken => WORKLOAD,
        Field::Certificate => PUBLIC,
        _ => KEY,
    }
}

fn option(name: &str, value: &str, text: &str, chosen: &str) -> Markup {
    let id = format!("{name}-{value}");
    html! {
        div.option {
            input #(id) type="radio" name=(name) value=(value) checked[value == chosen];
            label for=(id) { (capital(text)) }
        }
    }
}

/// Presence, age and source of what is there.
fn keeps(reference: &SecretReference, draft: &Draft, field: Field, around: &Surroundings) -> String {
    if draft.wish.secrets.contains_key(&field) {
        return "keep what was pasted: it is held in memory until it is saved".to_owned();
    }
    let standing = Standing::of(reference, &around.environment, around.clock.wall());
    format!("keep it: {}{}", crate::output::printable(&reference.to_string()), standing.words())
}
