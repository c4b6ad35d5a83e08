//! Pages for people, made on the server: they work without JavaScript and are better with it.
//!
//! Two consoles share [`page`] (what a page looks like) and [`door`] (what a request must be like). Neither decides
//! anything of its own: what may be is said by the settings, the engine of the client, and the admin API.

pub(crate) mod door;
pub(crate) mod page;
pub(crate) mod profiles;
pub(crate) mod server;
