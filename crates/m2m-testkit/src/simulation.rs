//! The whole system in one process under a time that is made: several nodes of an authorization server over one
//! database, clients, APIs that check tokens offline and by introspection, an operator, and weather.
//!
//! The code of the roles is the real one; what is made is their surroundings: the database (the trait `Store` over
//! shared state, with the same promises as PostgreSQL), network, clocks and randomness. One seed decides everything
//! that happens, so a seed that fails can be run again, event by event.
//!
//! Enforces, after every half second: the sentences of the ledger, which `docs/proof.md` lists.
//! Does not enforce: anything about sockets, TLS, SQL or files; those have tests of their own.
//! Limits: one thread; signatures and new keys are random all the same, so no event names them.

mod api;
mod caller;
mod chance;
mod clock;
mod database;
mod defect;
mod journal;
mod ledger;
mod links;
mod network;
mod node;
mod operator;
mod run;
mod store;
mod tap;
mod turns;
mod weather;
mod work;
mod world;

pub use defect::Defect;
pub use run::{Outcome, run};

/// The issuer: every node answers for it.
const ISSUER: &str = "https://as.example";
/// The identifier and origin of the API that tokens are for.
const API: &str = "https://orders.example";
