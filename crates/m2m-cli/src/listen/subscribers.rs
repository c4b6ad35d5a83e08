//! How many of something each address has: connections of a listener, requests of a gateway.
//!
//! An address is an IPv4 address or an IPv6 /64, which is the least that one customer is given.
//! Limits: one number per address that has any.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};

const SUBSCRIBER_BITS: u128 = !0 << 64;

/// What each address has.
#[derive(Clone, Debug, Default)]
pub(crate) struct Subscribers(Arc<Mutex<HashMap<IpAddr, usize>>>);

/// One that was counted; free again when dropped.
#[derive(Debug)]
pub(crate) struct Counted {
    of: Subscribers,
    address: IpAddr,
}

impl Subscribers {
    /// One more for this address; `None` where it has `most` already.
    pub(crate) fn take(&self, address: IpAddr, most: usize) -> Option<Counted> {
        let address = subscriber(address.to_canonical());
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted { of: self.clone(), address })
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.lock().unwrap().is_empty()
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut taken = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
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
