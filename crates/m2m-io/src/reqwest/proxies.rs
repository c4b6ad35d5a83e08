//! Which requests go through a proxy: those that the environment or a setting says, and never one to this machine.
//!
//! Plain HTTP is allowed to loopback because it leaves the machine nowhere. A proxy would carry it outside, secret
//! included, so a proxy is not used there even where `NO_PROXY` forgets to say so.

use std::sync::Arc;

use ::http::{HeaderValue, Uri};
use ::reqwest::Proxy;
use hyper_util::client::proxy::matcher::Matcher;
use m2m_proto::uri::Origin;

use super::builder::ProxyFrom;
use crate::HttpError;

/// The proxy that a request goes through. `Debug` shows no credentials.
#[derive(Clone)]
#[non_exhaustive]
pub struct ProxyHop {
    /// The proxy's URL, without user and password.
    pub uri: Uri,
    /// The `Proxy-Authorization` that it is sent, if the settings hold user and password.
    pub authorization: Option<HeaderValue>,
}

impl std::fmt::Debug for ProxyHop {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ProxyHop").field("uri", &self.uri).finish_non_exhaustive()
    }
}

/// The rules of one client. Clones share them.
#[derive(Clone, Debug)]
pub(super) struct Proxies(Arc<Matcher>);

impl Proxies {
    /// # Errors
    /// [`HttpError::Proxy`] for a URL that names no proxy.
    pub(super) fn new(from: &ProxyFrom) -> Result<Self, HttpError> {
        let matcher = match from {
            ProxyFrom::Environment => Matcher::from_env(),
            ProxyFrom::Nowhere => Matcher::builder().build(),
            ProxyFrom::Url(url) => {
                Proxy::all(url).map_err(|_| HttpError::Proxy("the proxy's URL is not valid".to_owned()))?;
                Matcher::builder().all(url.clone()).build()
            }
        };
        Ok(Self(Arc::new(matcher)))
    }

    /// The proxy that `uri` goes through.
    pub(super) fn of(&self, uri: &Uri) -> Option<Uri> {
        if Origin::of(uri).is_ok_and(|origin| origin.is_loopback()) {
            return None;
        }
        self.0.intercept(uri).map(|proxy| proxy.uri().clone())
    }

    /// The same with what the proxy wants to see, for those who look at the proxy itself.
    pub(super) fn hop(&self, uri: &Uri) -> Option<ProxyHop> {
        let proxy = self.of(uri)?;
        let authorization = uri.scheme_str().and_then(|scheme| self.credentials(scheme));
        Some(ProxyHop { uri: proxy, authorization })
    }

    /// The same rules for reqwest: one for each scheme, because each proxy has its own credentials.
    pub(super) fn for_reqwest(&self) -> impl Iterator<Item = Proxy> + '_ {
        ["http", "https"].into_iter().map(|scheme| {
            let rules = self.clone();
            let proxy = Proxy::custom(move |url| {
                let uri = url.as_str().parse().ok().filter(|_| url.scheme() == scheme)?;
                rules.of(&uri).map(|proxy| proxy.to_string())
            });
            match self.credentials(scheme) {
                Some(credentials) => proxy.custom_http_auth(credentials),
                None => proxy,
            }
        })
    }

    /// A name that is nobody's tells which proxy stands for a scheme, and with which credentials.
    fn credentials(&self, scheme: &str) -> Option<HeaderValue> {
        let anywhere = format!("{scheme}://anywhere.invalid/").parse().ok()?;
        self.0.intercept(&anywhere)?.basic_auth().cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_to_this_machine_goes_through_a_proxy() {
        let proxies = Proxies::new(&ProxyFrom::Url("http://proxy.example:3128".to_owned())).unwrap();
        let check = |url: &str, proxied: bool| {
            assert_eq!(proxies.of(&url.parse().unwrap()).is_some(), proxied, "{url}");
        };
        check("http://as.example/token", true);
        check("https://as.example/token?a=b", true);
        check("http://127.0.0.1:8400/oauth2/token", false);
        check("http://127.9.9.9/", false);
        check("http://localhost:8400/", false);
        check("http://LOCALHOST:8400/", false);
        check("https://[::1]:8400/", false);
        check("http://localhost.example/", true);
        check("http://10.0.0.1/", true);
    }

    #[test]
    fn a_proxys_credentials_are_not_in_its_url() {
        let proxies =
            Proxies::new(&ProxyFrom::Url("http://user:hunter2@proxy.example:3128".to_owned())).unwrap();
        let hop = proxies.hop(&"https://as.example/token".parse().unwrap()).unwrap();
        assert_eq!(hop.uri.authority().map(::http::uri::Authority::as_str), Some("proxy.example:3128"));
        assert!(hop.authorization.as_ref().is_some_and(HeaderValue::is_sensitive));
        assert!(!format!("{hop:?}").contains("hunter2"));
        assert!(proxies.hop(&"https://127.0.0.1/token".parse().unwrap()).is_none());
    }
}
