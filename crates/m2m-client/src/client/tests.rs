//! The client against a server in memory.

mod calls;
mod canary;
mod certificate;
mod dpop;
mod handle;
mod hostile;
mod lives;
mod metrics;
mod requests;
mod rotation;
mod signed;
mod stored;
