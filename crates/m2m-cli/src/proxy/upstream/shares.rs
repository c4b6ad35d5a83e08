//! How many requests may be under way to the program: so many in all, and so many of one address, so that one caller
//! with many streams that go nowhere cannot have them all.
//!
//! An address is an IPv4 address or an IPv6 /64. Does not enforce: anything of one address for loopback and for proxies
//! that are believed, which speak for many; they share what all have.
//! Limits: 4096 in all, 1024 of an address.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::listen::subscribers::{Counted, Subscribers};

const MAX_UNDER_WAY: usize = 4096;
const MAX_OF_ONE_ADDRESS: usize = 1024;

/// All shares.
#[derive(Debug)]
pub(super) struct Shares {
    free: Arc<Semaphore>,
    taken: Subscribers,
}

/// One request's share; free again when dropped.
#[derive(Debug)]
pub(in crate::proxy) struct Share {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

impl Shares {
    /// All free.
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_UNDER_WAY)), taken: Subscribers::default() }
    }

    /// One for a request of this address; `None` stands for those that are not counted. No share: there is none left.
    pub(super) fn take(&self, of: Option<IpAddr>) -> Option<Share> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let Some(address) = of.map(|address| address.to_canonical()).filter(|address| !address.is_loopback())
        else {
            return Some(Share { _permit: permit, _counted: None });
        };
        let counted = self.taken.take(address, MAX_OF_ONE_ADDRESS)?;
        Some(Share { _permit: permit, _counted: Some(counted) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_cannot_have_them_all() {
        let shares = Shares::new();
        let take = |address: &str| shares.take(Some(address.parse().unwrap()));
        let mut of_one: Vec<Share> = std::iter::from_fn(|| take("2001:db8::1")).collect();
        assert_eq!(of_one.len(), MAX_OF_ONE_ADDRESS);
        assert!(take("2001:db8::2").is_none() && take("2001:db8:0:1::1").is_some());
        of_one.pop();
        assert!(take("2001:db8::2").is_some());
        drop(of_one);
        assert!(shares.taken.is_empty());
    }

    #[test]
    fn proxies_share_what_all_have() {
        let shares = Shares::new();
        let all: Vec<Share> = std::iter::from_fn(|| shares.take(None)).collect();
        assert_eq!(all.len(), MAX_UNDER_WAY);
        assert!(shares.take(Some("192.0.2.1".parse().unwrap())).is_none());
        drop(all);
        assert!(shares.take(Some("127.0.0.1".parse().unwrap())).is_some());
    }
}
