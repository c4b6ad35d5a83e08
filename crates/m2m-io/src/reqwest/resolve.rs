//! Names to addresses, with the egress rules applied to every address before it is dialled.
//!
//! Checking the name, or an address resolved earlier, would leave a gap in which the name can change its meaning
//! (DNS rebinding). Here the addresses that pass are the ones that are dialled.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use ::reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::EgressRules;

/// The resolver of one reqwest client.
pub(super) struct Resolver {
    names: Arc<BTreeMap<String, Vec<SocketAddr>>>,
    rules: Option<Arc<EgressRules>>,
}

/// All addresses of a name are forbidden. Travels through reqwest's error chain back to `classify`.
#[derive(Debug, thiserror::Error)]
#[error("not allowed to connect to {host}: {reason}")]
pub(super) struct Forbidden {
    pub(super) host: String,
    pub(super) reason: &'static str,
}

impl Resolver {
    pub(super) fn new(names: Arc<BTreeMap<String, Vec<SocketAddr>>>, rules: Option<EgressRules>) -> Self {
        Self { names, rules: rules.map(Arc::new) }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = name.as_str().to_ascii_lowercase();
        let fixed = self.names.get(&host).cloned();
        let rules = self.rules.clone();
        Box::pin(async move {
            let addresses = match fixed {
                Some(addresses) => addresses,
                None => tokio::net::lookup_host((host.as_str(), 0)).await?.collect(),
            };
            let allowed = match rules {
                Some(rules) => permitted(&host, addresses, &rules)?,
                None => addresses,
            };
            if allowed.is_empty() {
                return Err(io::Error::new(io::ErrorKind::NotFound, "the name has no address").into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

pub(super) fn permitted(
    host: &str,
    mut addresses: Vec<SocketAddr>,
    rules: &EgressRules,
) -> Result<Vec<SocketAddr>, Forbidden> {
    let mut refused = None;
    addresses.retain(|address| match rules.check_address(address.ip()) {
        Ok(()) => true,
        Err(reason) => {
            refused = Some(reason);
            false
        }
    });
    match refused {
        Some(reason) if addresses.is_empty() => Err(Forbidden { host: host.to_owned(), reason }),
        _ => Ok(addresses),
    }
}
