//! Who may be connected: so many in all, and so many from one address, so that one address cannot lock out the others.
//!
//! An address is an IPv4 address or an IPv6 /64, which is the least that one customer is given.
//! Does not enforce: anything for loopback and for the networks that are excepted, such as proxies, which speak for
//! many; they share the places of all. Limits: 1024 connections, 256 of an address.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use m2m_io::Network;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::subscribers::{Counted, Subscribers};

const MAX_CONNECTIONS: u32 = 1024;
const MAX_OF_ONE_ADDRESS: usize = 256;

/// The places of one listener.
#[derive(Debug)]
pub(super) struct Places {
    free: Arc<Semaphore>,
    taken: Subscribers,
    excepted: Vec<Network>,
    pub(super) loopback: Loopback,
    said: AtomicBool,
}

/// Whether connections of this machine itself are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loopback {
    /// They are not.
    Excepted,
    /// Where tests have no other address.
    #[cfg(test)]
    Counted,
}

/// One connection's place; free again when dropped.
#[derive(Debug)]
pub(super) struct Place {
    _permit: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

impl Places {
    /// All free.
    pub(super) fn new() -> Self {
        Self {
            free: Arc::new(Semaphore::new(MAX_CONNECTIONS as usize)),
            taken: Subscribers::default(),
            excepted: Vec::new(),
            loopback: Loopback::Excepted,
            said: AtomicBool::new(false),
        }
    }

    /// Does not count connections from these networks.
    pub(super) fn except(&mut self, networks: Vec<Network>) {
        self.excepted = networks;
    }

    /// Waits until there is room for somebody.
    pub(super) async fn room(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// Waits until everybody has gone.
    pub(super) async fn all_free(&self) {
        let _closed_never = self.free.acquire_many(MAX_CONNECTIONS).await;
    }

    /// Gives the room to this peer; `None` where its address has enough.
    pub(super) fn take(&self, permit: OwnedSemaphorePermit, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        if self.is_excepted(peer) {
            return Some(Place { _permit: permit, _counted: None });
        }
        let Some(counted) = self.taken.take(peer, MAX_OF_ONE_ADDRESS) else {
            self.tell(peer);
            return None;
        };
        Some(Place { _permit: permit, _counted: Some(counted) })
    }

    fn is_excepted(&self, peer: IpAddr) -> bool {
        let is_here = peer.is_loopback() && self.loopback == Loopback::Excepted;
        is_here || self.excepted.iter().any(|network| network.contains(peer))
    }

    /// A stranger can come as often as he likes: said once, loudly.
    fn tell(&self, address: IpAddr) {
        if self.said.swap(true, Ordering::Relaxed) {
            tracing::debug!(%address, "an address has {MAX_OF_ONE_ADDRESS} connections; more are closed");
        } else {
            tracing::warn!(
                %address,
                "an address has {MAX_OF_ONE_ADDRESS} connections; more are closed; a proxy belongs into \
                 trusted_proxies; said once"
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many places an address gets while it keeps them all, of 300.
    fn gets(places: &Places, address: impl Fn(u16) -> String) -> usize {
        let permit = || Arc::clone(&places.free).try_acquire_owned().unwrap();
        let take = |index| places.take(permit(), address(index).parse().unwrap());
        let kept: Vec<Place> = (0..300).filter_map(take).collect();
        kept.len()
    }

    #[test]
    fn an_address_has_its_share_and_no_more() {
        let mut places = Places::new();
        places.except(vec!["10.0.0.0/8".parse().unwrap()]);
        let check = |address: &dyn Fn(u16) -> String, expect: usize| {
            assert_eq!(gets(&places, address), expect, "{}", address(1));
        };
        check(&|_| "192.0.2.1".to_owned(), 256);
        check(&|_| "::ffff:192.0.2.1".to_owned(), 256);
        check(&|index| format!("192.0.2.{}", index % 2), 300);
        check(&|index| format!("2001:db8::{index}"), 256);
        check(&|index| format!("2001:db8:0:{}::1", index % 2), 300);
        check(&|_| "127.0.0.1".to_owned(), 300);
        check(&|_| "::1".to_owned(), 300);
        check(&|_| "10.1.2.3".to_owned(), 300);
        assert!(places.taken.is_empty(), "nothing is remembered of who has gone");
        assert_eq!(places.free.available_permits(), 1024);
    }
}
