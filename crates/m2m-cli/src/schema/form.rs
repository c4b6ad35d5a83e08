//! How a form shows a profile: order, groups, placeholders. Made for `react-jsonschema-form`; where a library knows
//! no groups (`ui:options`, `groups`), the order alone is enough.

use serde_json::{Map, Value, json};

use super::server::{titles, variables};
use crate::settings::field::{Field, Shape};
use crate::settings::json::NAME;

/// A group of fields under one heading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    Server,
    Client,
    Ask,
    Connection,
}

impl Group {
    const ALL: [Self; 4] = [Self::Server, Self::Client, Self::Ask, Self::Connection];

    fn title(self) -> &'static str {
        match self {
            Self::Server => "Where tokens come from",
            Self::Client => "Who asks for them",
            Self::Ask => "What to ask for",
            Self::Connection => "Connection and protocol",
        }
    }

    /// Whether the group is closed at first: its defaults fit almost everybody.
    fn is_collapsed(self) -> bool {
        self == Self::Connection
    }
}

fn group(field: Field) -> Group {
    use Field as F;
    match field {
        F::Provider | F::Variables | F::Issuer | F::TokenUrl => Group::Server,
        F::ClientId | F::ClientAuthMethod | F::ClientSecret | F::NextClientSecret => Group::Client,
        F::PrivateKey | F::KeyId | F::Algorithm | F::Certificate | F::CertificateKey => Group::Client,
        F::WorkloadToken => Group::Client,
        F::Scopes | F::Audience | F::Resource | F::Params | F::Dpop => Group::Ask,
        F::Grant | F::IntrospectionUrl | F::RevocationUrl | F::FallbackLifetime | F::RefreshLead => {
            Group::Connection
        }
        F::BasicEncoding | F::AssertionAudience | F::Destinations | F::CaFile | F::Timeout => {
            Group::Connection
        }
        F::Inspect | F::AllowHttp | F::SecurityProfile => Group::Connection,
    }
}

/// What to type, for example.
pub(crate) fn example(field: Field) -> Option<&'static str> {
    Some(match field {
        Field::Provider => "None of these",
        Field::Issuer => "https://login.example.com",
        Field::TokenUrl => "https://login.example.com/oauth2/token",
        Field::IntrospectionUrl => "https://login.example.com/oauth2/introspect",
        Field::RevocationUrl => "https://login.example.com/oauth2/revoke",
        Field::ClientId => "svc-orders",
        Field::KeyId => "2026-11",
        Field::Scopes => "orders:read orders:write",
        Field::Audience | Field::Destinations => "https://api.example.com",
        Field::Resource => "https://orders.example.com",
        Field::AssertionAudience => "issuer",
        Field::Grant => "Default: client_credentials",
        Field::BasicEncoding => "Default: form",
        Field::Inspect => "Default: warn",
        Field::SecurityProfile => "Default: baseline",
        Field::Algorithm => "Default: what fits the key",
        Field::CaFile => "/etc/ssl/private-ca.pem",
        Field::Timeout => "10s",
        Field::FallbackLifetime | Field::RefreshLead => "5m",
        _ => return None,
    })
}

/// The UI schema that goes with [`super::schema`].
pub fn ui_schema() -> Value {
    let mut ui = Map::new();
    let order: Vec<&str> = Group::ALL.into_iter().flat_map(keys).chain(["*"]).collect();
    ui.insert("ui:order".to_owned(), order.into());
    ui.insert("ui:options".to_owned(), json!({"groups": Group::ALL.map(shown)}));
    for key in [NAME].into_iter().chain(variables()) {
        ui.insert(key.to_owned(), json!({"ui:autocomplete": "off"}));
    }
    for field in Field::ALL {
        let options = of(*field);
        if options.as_object().is_some_and(|options| !options.is_empty()) {
            ui.insert(field.key().to_owned(), options);
        }
    }
    ui.into()
}

/// In the order of the table; the variables of a provider come with it.
fn keys(of: Group) -> Vec<&'static str> {
    let mut keys = if of == Group::Server { vec![NAME] } else { Vec::new() };
    for field in Field::ALL.iter().filter(|field| group(**field) == of) {
        match field {
            Field::Variables => keys.extend(variables()),
            field => keys.push(field.key()),
        }
    }
    keys
}

fn shown(group: Group) -> Value {
    json!({"title": group.title(), "fields": keys(group), "collapsed": group.is_collapsed()})
}

fn of(field: Field) -> Value {
    let mut options = Map::new();
    if let Some(text) = example(field) {
        options.insert("ui:placeholder".to_owned(), text.into());
    }
    match field.shape() {
        // Nothing here is a person's name or address, and a browser must not keep it.
        Shape::Text | Shape::Path | Shape::Time => {
            options.insert("ui:autocomplete".to_owned(), "off".into());
        }
        Shape::Secret | Shape::KeyOrEphemeral => {
            options.insert(
                "env".to_owned(),
                json!({"ui:placeholder": "ORDERS_SECRET", "ui:autocomplete": "off"}),
            );
            options.insert(
                "file".to_owned(),
                json!({"ui:placeholder": "/run/secrets/orders", "ui:autocomplete": "off"}),
            );
        }
        Shape::List | Shape::Pairs | Shape::Switch => {}
    }
    if field == Field::Provider {
        options.insert("ui:enumNames".to_owned(), titles().into());
    }
    if field == Field::ClientAuthMethod {
        options.insert("ui:widget".to_owned(), "radio".into());
    }
    options.into()
}
