//! What keeps a connection counted and open while something of it is still under way elsewhere: an answer that
//! streams, a tunnel.
//!
//! Enforces: nothing outlives its place: whoever holds 256 tunnels has 256 connections.

use std::sync::Arc;

use tokio::sync::watch;

use super::activity::UnderWay;
use super::places::Place;

/// A part of a connection; keep it for as long as the answer lasts.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    _place: Arc<Place>,
    _under_way: Arc<UnderWay>,
    stopping: watch::Receiver<bool>,
}

impl Held {
    pub(super) fn new(place: Arc<Place>, under_way: Arc<UnderWay>, stopping: watch::Receiver<bool>) -> Self {
        Self { _place: place, _under_way: under_way, stopping }
    }

    /// Completes when the listener stops.
    pub(crate) async fn stopping(&mut self) {
        // A listener that is gone has stopped.
        let _gone = self.stopping.wait_for(|stopping| *stopping).await;
    }
}
