//! The server console: `/console/` of `m2m serve`.
//!
//! Enforces: nothing is shown or done but through the admin API, with the token of who is signed in ([`calls`]); every
//! form comes from a page of the same session ([`door`](super::door)). Does not enforce what may be seen or changed:
//! the API does. Limits: lists are shown a hundred rows at a time.

mod act;
mod activity;
mod api_form;
mod apis;
mod audit;
mod calls;
mod client;
mod client_form;
mod clients;
mod confirm;
mod credential;
mod credential_form;
mod doorway;
mod fault;
mod issuer_form;
mod issuers;
mod keys;
mod listed;
mod members;
mod outdated;
mod overview;
mod session;
mod tokens;
mod visit;
mod wrong;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::response::{IntoResponse as _, Redirect, Response};
use axum::routing::{any, get};
use http::{Method, Request, StatusCode};
use m2m_authorization_server::ClientAddress;
use m2m_authorization_server::admin::ADMIN_PATH;
use m2m_io::{BoxFuture, Clock, Random};
use m2m_proto::uri::Issuer;

use self::calls::Refusal;
use self::session::{Cookies, Session};
use self::visit::Visit;
use super::door::{Sent, Turned};

/// The console of one server.
pub(crate) struct Console {
    /// The server's own endpoints.
    router: Router,
    /// As browsers send it.
    origin: String,
    /// The issuer's path without a slash at its end.
    base_path: String,
    /// What tokens for the admin API are for.
    resource: String,
    cookies: Cookies,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
}

/// A page, or why there is none.
type Shown = Result<Response, Refusal>;

impl Console {
    /// A console of the server that answers `router` as `issuer`.
    pub(crate) fn new(
        router: Router,
        issuer: &Issuer,
        clock: Arc<dyn Clock>,
        random: Arc<dyn Random>,
    ) -> Self {
        let base_path = issuer.endpoint().path().trim_end_matches('/').to_owned();
        let origin = issuer.origin();
        Self {
            router,
            cookies: Cookies::new(&format!("{base_path}/console/"), origin.scheme()),
            origin: origin.to_string(),
            resource: format!("{}{ADMIN_PATH}", issuer.as_str().trim_end_matches('/')),
            base_path,
            clock,
            random,
        }
    }

    /// Its pages.
    pub(crate) fn routes(self) -> Router {
        let root = self.root();
        let console = Arc::new(self);
        let page = move |request: Request<Body>| -> BoxFuture<'static, Response> {
            let console = Arc::clone(&console);
            Box::pin(async move { console.answer(request).await })
        };
        let below = format!("{root}{{*page}}");
        let beside = root.trim_end_matches('/').to_owned();
        let to = root.clone();
        Router::new()
            .route(&root, any(page.clone()))
            .route(&below, any(page))
            .route(&beside, get(move || async move { Redirect::permanent(&to) }))
    }

    /// The path of the first page.
    fn root(&self) -> String {
        format!("{}/console/", self.base_path)
    }

    async fn answer(&self, request: Request<Body>) -> Response {
        let path = request.uri().path().strip_prefix(&self.root()).unwrap_or_default().to_owned();
        let posted = match *request.method() {
            Method::GET | Method::HEAD => false,
            Method::POST => true,
            _ => return StatusCode::METHOD_NOT_ALLOWED.into_response(),
        };
        if path == doorway::SIGN_IN {
            return doorway::sign_in(self, request).await;
        }
        let Some(session) = Session::read(request.headers(), &self.cookies) else {
            return doorway::to_sign_in(self, &path, request.uri().query());
        };
        let query = Sent::query(request.uri());
        let back = request.uri().query().map(str::to_owned);
        let address = request.extensions().get::<ClientAddress>().copied();
        let now = self.clock.wall().seconds();
        let mut visit = Visit { console: self, session, query, form: None, path, address, now };
        if posted {
            match Sent::form(request, self.clock.as_ref(), (&self.origin, &visit.session.csrf)).await {
                Ok(form) => visit.form = Some(form),
                Err(turned) => return fault::turned(&visit, turned),
            }
        }
        match page(&visit).await {
            Ok(shown) => shown,
            Err(refusal) if refusal.status == StatusCode::UNAUTHORIZED => {
                doorway::ended(self, &visit.path, back.as_deref())
            }
            Err(refusal) => fault::page(&visit, &refusal),
        }
    }
}

/// The page at an address; each takes the form that it shows.
async fn page(visit: &Visit<'_>) -> Shown {
    match visit.path.as_str() {
        "" => overview::page(visit).await,
        "sign-out" => doorway::sign_out(visit).await,
        "apis" => apis::list(visit).await,
        "api" => apis::show(visit).await,
        "apis/add" => api_form::add(visit).await,
        "api/change" => api_form::change(visit).await,
        "clients" => clients::list(visit).await,
        "client" => client::show(visit).await,
        "clients/add" => client_form::add(visit).await,
        "client/change" => client_form::change(visit).await,
        "client/credentials/add" => credential_form::add(visit).await,
        "credential" => credential::show(visit).await,
        "credential/rotate" => credential_form::rotate(visit).await,
        "issuers" => issuers::list(visit).await,
        "issuer" => issuers::show(visit).await,
        "issuers/add" => issuer_form::add(visit).await,
        "issuer/change" => issuer_form::change(visit).await,
        "issuers/explain" => issuers::explain(visit).await,
        "keys" => keys::list(visit).await,
        "tokens" => tokens::list(visit).await,
        "audit" => audit::search(visit).await,
        other => act::page(visit, other).await,
    }
}

#[cfg(test)]
mod tests;
