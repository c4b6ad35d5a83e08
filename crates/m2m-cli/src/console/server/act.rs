//! The steps that are confirmed: what each one does, in words, and where the admin API does it.

use http::{Method, StatusCode};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::calls::Refusal;
use super::clients::version;
use super::confirm::{self, Step, Then};
use super::members::{segment, text};
use super::outdated::Thing;
use super::visit::Visit;
use super::{Shown, apis, client, credential, issuers};
use crate::console::page::isolated;

/// The page of a step.
pub(super) async fn page(visit: &Visit<'_>, name: &str) -> Shown {
    match name {
        "client/disable" => {
            on_client(visit, "disable", "Disable", Then::Tell("The client is disabled".to_owned())).await
        }
        "client/enable" => {
            let to = visit.to("client", &[("id", visit.id()?), ("done", "enabled")]);
            on_client(visit, "enable", "Enable", Then::Go(to)).await
        }
        "client/revoke" => {
            on_client(visit, "revoke", "Revoke", Then::Tell("The client is revoked".to_owned())).await
        }
        "client/delete" => delete(visit, Thing::Client, &client::path(visit.id()?), "clients").await,
        "api/delete" => delete(visit, Thing::Api, &apis::path(visit.id()?), "apis").await,
        "issuer/delete" => delete(visit, Thing::Issuer, &issuers::path(visit.id()?), "issuers").await,
        "issuer/disable" => on_issuer(visit, "disable", "Disable", "changed").await,
        "issuer/enable" => on_issuer(visit, "enable", "Enable", "enabled").await,
        "credential/revoke" => revoke_credential(visit).await,
        "token/revoke" => revoke_token(visit).await,
        "keys/roll" => roll(visit).await,
        "keys/emergency" => emergency(visit).await,
        _ => Err(Refusal::of(StatusCode::NOT_FOUND, "there is no page at this address")),
    }
}

async fn on_client(visit: &Visit<'_>, act: &str, label: &'static str, then: Then) -> Shown {
    let id = visit.id()?;
    let object = visit.get(&client::path(id)).await?;
    let follows = match act {
        "disable" => {
            html! { p { "It gets no tokens, and those that it has are refused, until it is enabled again. Its credentials stay." } }
        }
        "enable" => html! { p { "It gets tokens again with the credentials that it has." } },
        _ => html! {
            p { "It never gets a token again, whichever credential it shows, and every token that it has is refused." }
            p { "Every instance stops. To stop one instance, revoke its credential; to pause all, disable the client." }
        },
    };
    let step = Step {
        question: format!("{label} the client {id}?"),
        follows,
        typed: if act == "revoke" { id } else { "" },
        label,
        method: Method::POST,
        path: format!("{}/{act}", client::path(id)),
        body: json!({}),
        version: version(&object),
        about: Some((Thing::Client, id)),
        back: visit.of("client", id),
        then,
    };
    confirm::run(visit, step).await
}

async fn delete(visit: &Visit<'_>, thing: Thing, path: &str, list: &str) -> Shown {
    let id = visit.id()?;
    let object = visit.get(path).await?;
    let (what, follows): (_, Markup) = match thing {
        Thing::Client => (
            "client",
            html! {
                p { "The client, its grants and its credentials are removed, and every token that it has is refused. The audit keeps what it did." }
                p { "Another client may have this id afterwards. To keep the id taken, revoke it instead." }
            },
        ),
        Thing::Api => (
            "API",
            html! {
                p { "No token is issued for it any more, and those that exist are refused by introspection. While a client has a grant for it, the server refuses this." }
            },
        ),
        Thing::Issuer | Thing::Credential => (
            "trusted issuer",
            html! {
                p { "Its tokens stand for nobody any more. While a credential names it, the server refuses this." }
            },
        ),
    };
    let step = Step {
        question: format!("Delete the {what} {id}?"),
        follows,
        typed: id,
        label: "Delete",
        method: Method::DELETE,
        path: path.to_owned(),
        body: Value::Null,
        version: version(&object),
        about: Some((thing, id)),
        back: visit.of(thing.page(), id),
        then: Then::Go(visit.to(list, &[("done", "deleted")])),
    };
    confirm::run(visit, step).await
}

async fn on_issuer(visit: &Visit<'_>, act: &str, label: &'static str, done: &str) -> Shown {
    let id = visit.id()?;
    let object = visit.get(&issuers::path(id)).await?;
    let follows = match act {
        "disable" => {
            html! { p { "Its tokens are refused until it is enabled again, and so is what was issued for them." } }
        }
        _ => html! { p { "Its tokens stand for clients again, by the credentials that name it." } },
    };
    let step = Step {
        question: format!("{label} the trusted issuer {id}?"),
        follows,
        typed: "",
        label,
        method: Method::POST,
        path: format!("{}/{act}", issuers::path(text(&object, "id"))),
        body: json!({}),
        version: String::new(),
        about: None,
        back: visit.of("issuer", id),
        then: Then::Go(visit.to("issuer", &[("id", id), ("done", done)])),
    };
    confirm::run(visit, step).await
}

async fn revoke_credential(visit: &Visit<'_>) -> Shown {
    let object = credential::named(visit).await?;
    let (id, client) = (text(&object, "id"), text(&object, "client_id"));
    let because = text(&object, "safe_to_remove_because");
    let follows = html! {
        p { "It authenticates nobody any more, and every token that was issued for it is refused. The other credentials of "
            (isolated(client)) " go on." }
        p { "Safe to remove: " @if super::members::is(&object, "safe_to_remove") { "yes, " } @else { "no, " } (because) "." }
    };
    let step = Step {
        question: format!("Revoke the credential {}?", text(&object, "label")),
        follows,
        typed: credential::typed_name(&object),
        label: "Revoke",
        method: Method::POST,
        path: format!("{}/revoke", credential::path(id)),
        body: json!({}),
        version: version(&object),
        about: Some((Thing::Credential, id)),
        back: visit.of("client", client),
        then: Then::Tell(format!("The credential {} is revoked", text(&object, "label"))),
    };
    confirm::run(visit, step).await
}

async fn revoke_token(visit: &Visit<'_>) -> Shown {
    let jti = visit.id()?;
    let step = Step {
        question: "Revoke this token?".to_owned(),
        follows: html! {
            p { "The token " code { (isolated(jti)) } " is refused from now on. Its client can get another one: to stop that, revoke the credential." }
        },
        typed: "",
        label: "Revoke",
        method: Method::POST,
        path: format!("/tokens/{}/revoke", segment(jti)),
        body: json!({}),
        version: String::new(),
        about: None,
        back: visit.to("tokens", &[]),
        then: Then::Tell("The token is revoked".to_owned()),
    };
    confirm::run(visit, step).await
}

async fn roll(visit: &Visit<'_>) -> Shown {
    let step = Step {
        question: "Announce the next keys?".to_owned(),
        follows: html! {
            p { "A new key for each algorithm is published now. It signs when every verifier that fetches the keys as it should has seen it, \
                so nobody notices. The present ones stay published until the last token under them has ended." }
        },
        typed: "",
        label: "Announce",
        method: Method::POST,
        path: "/keys/roll".to_owned(),
        body: json!({}),
        version: String::new(),
        about: None,
        back: visit.to("keys", &[]),
        then: Then::Go(visit.to("keys", &[("done", "rolled")])),
    };
    confirm::run(visit, step).await
}

async fn emergency(visit: &Visit<'_>) -> Shown {
    let step = Step {
        question: "Replace the keys at once?".to_owned(),
        follows: html! {
            p { "For when a key may have leaked. New keys sign at once, and the present ones are withdrawn: every token under them is refused, \
                and clients get others. This session ends too, because its token is one of them." }
            p { "Verifiers that have not fetched the new keys yet refuse good tokens until they do." }
        },
        typed: "emergency",
        label: "Replace at once",
        method: Method::POST,
        path: "/keys/roll".to_owned(),
        body: json!({"emergency": true}),
        version: String::new(),
        about: None,
        back: visit.to("keys", &[]),
        then: Then::Tell("The keys are replaced".to_owned()),
    };
    confirm::run(visit, step).await
}
