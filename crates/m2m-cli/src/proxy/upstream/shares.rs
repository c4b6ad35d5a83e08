//! How many requests may be under way to the program: so many in all, and so many of one address, so that one caller
//! with many streams that go nowhere cannot have them all.
//!
//! An address is an IPv4 address or an IPv6 /64. Does not enforce: anything of one address for loopback and for proxies
//! that are believed, which speak for many; they share what all have.
//! Limits: 4096 in all, 1024 of an address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MAX_UNDER_WAY: usize = 4096;
const MAX_OF_ONE_ADDRESS: usize = 1024;
const SUBSCRIBER_BITS: u128 = !0 << 64;

/// All shares.
#[derive(Debug)]
pub(super) struct Shares {
    free: Arc<Semaphore>,
    taken: Arc<Taken>,
}

/// How many each address has.
#[derive(Debug, Default)]
struct Taken(Mutex<HashMap<IpAddr, usize>>);

/// One request's share; free again when dropped.
#[derive(Debug)]
pub(in crate::proxy) struct Share {
    _permit: OwnedSemaphorePermit,
    counted: Option<(Arc<Taken>, IpAddr)>,
}

impl Shares {
    /// All free.
    pub(super) fn new() -> Self {
        Self { free: Arc::new(Semaphore::new(MAX_UNDER_WAY)), taken: Arc::default() }
    }

    /// One for a request of this address; `None` stands for those that are not counted. No share: there is none left.
    pub(super) fn take(&self, of: Option<IpAddr>) -> Option<Share> {
        let permit = Arc::clone(&self.free).try_acquire_owned().ok()?;
        let Some(address) = of.map(|address| address.to_canonical()).filter(|address| !address.is_loopback())
        else {
            return Some(Share { _permit: permit, counted: None });
        };
        let address = subscriber(address);
        let mut taken = self.taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= MAX_OF_ONE_ADDRESS {
            return None;
        }
        *count += 1;
        Some(Share { _permit: permit, counted: Some((Arc::clone(&self.taken), address)) })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let Some((taken, address)) = &self.counted else { return };
        let mut taken = taken.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(address);
            }
        }
    }
}

/// What stands for everybody who may be the same one.
fn subscriber(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & SUBSCRIBER_BITS).into(),
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
        assert!(shares.taken.0.lock().unwrap().is_empty());
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
