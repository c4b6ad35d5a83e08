//! A WebSocket on its way through: bytes in both directions, until one side ends or we stop.
//!
//! Sections: RFC 9110 §7.8; RFC 6455 §4
//! Enforces: bytes pass only after the program has answered 101 for exactly the protocol that was asked for; a tunnel
//! has the place of its connection for as long as it lasts, and ends when the token does that it began with, or when
//! the gateway stops.
//! Does not enforce: what is said in it; whether the token is withdrawn meanwhile, which is looked at when it begins.

use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use m2m_io::{BoxFuture, task};

use super::upstream::shares::Share;
use crate::listen::Held;

/// The two ends, once both have agreed.
pub(super) struct Tunnel {
    pub(super) client: OnUpgrade,
    pub(super) program: OnUpgrade,
    pub(super) held: Option<Held>,
    pub(super) share: Share,
    /// Completes when the token ends; `None` where none was needed.
    pub(super) end: Option<BoxFuture<'static, ()>>,
}

impl Tunnel {
    /// Carries bytes in a task of its own.
    pub(super) fn open(self) {
        task::spawn_detached("tunnel", async move {
            match (self.client.await, self.program.await) {
                (Ok(client), Ok(program)) => carry(client, program, self.held, self.end).await,
                (Err(error), _) | (_, Err(error)) => tracing::debug!(%error, "no tunnel came about"),
            }
            drop(self.share);
        });
    }
}

async fn carry(
    client: Upgraded,
    program: Upgraded,
    mut held: Option<Held>,
    end: Option<BoxFuture<'static, ()>>,
) {
    let (mut client, mut program) = (TokioIo::new(client), TokioIo::new(program));
    let stopping = async {
        match &mut held {
            Some(held) => held.stopping().await,
            None => std::future::pending().await,
        }
    };
    let expiring = async {
        match end {
            Some(end) => end.await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        carried = tokio::io::copy_bidirectional(&mut client, &mut program) => {
            if let Err(error) = carried {
                tracing::debug!(%error, "a tunnel broke");
            }
        }
        () = expiring => tracing::debug!("a tunnel was cut, for its token has expired"),
        () = stopping => tracing::debug!("a tunnel was cut at shutdown"),
    }
}
