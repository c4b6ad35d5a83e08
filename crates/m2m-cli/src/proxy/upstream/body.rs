//! Bodies on their way through, frame by frame: nothing is collected.
//!
//! Enforces: trailers of a request are cleaned as its headers were; the progress of an upload is seen, so that a slow
//! one is not taken for a slow answer; an answer keeps its connection's place until its last byte.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::super::hop;
use super::super::inbound::Trailers;
use super::shares::Share;
use crate::listen::Held;

/// How often something of a body has been asked for, or has come.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress(Arc<AtomicU64>);

impl Progress {
    fn step(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// The body of a request.
#[derive(Debug)]
pub(super) struct Sent {
    body: Body,
    trailers: Trailers,
    progress: Progress,
}

impl Sent {
    pub(super) fn new(body: Body, trailers: Trailers, progress: Progress) -> Self {
        Self { body, trailers, progress }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        self.progress.step();
        Poll::Ready(frame.map(|frame| {
            let mut frame = frame?;
            if let Some(trailers) = frame.trailers_mut() {
                self.trailers.clean(trailers);
            }
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) body: Incoming,
    /// Of the client's connection, and of the program's share of requests.
    pub(super) _kept: (Option<Held>, Share),
}

impl HttpBody for Answered {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        Poll::Ready(frame.map(|frame| {
            let mut frame = frame?;
            if let Some(trailers) = frame.trailers_mut() {
                hop::strip(trailers);
            }
            Ok(frame)
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
