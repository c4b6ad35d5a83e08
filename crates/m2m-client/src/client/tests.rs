//! The client against a server in memory.

mod calls;
mod canary;
mod dpop;
mod handle;
mod hostile;
mod lives;
mod requests;
mod rotation;
mod stored;
