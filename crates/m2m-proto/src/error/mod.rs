//! Errors on the wire: the codes, the two forms that they travel in, and the
//! one map from our own facts to them.
//!
//! | Module | Holds |
//! | --- | --- |
//! | [`code`] | the code table: wire text, status, endpoints |
//! | [`facts`] | the map from every error type of this crate to a code |
//! | [`response`] | the JSON error response (RFC 6749 section 5.2) |
//! | [`answer`] | what an answer means that is not a success |
//! | [`challenge`] | the `WWW-Authenticate` challenge (RFC 6750 section 3) |
//! | [`retry_after`](mod@retry_after) | when to come back (RFC 9110 section 10.2.3) |

pub mod answer;
pub mod challenge;
pub mod code;
pub mod facts;
pub mod response;
pub mod retry_after;

pub use answer::{MalformedResponse, ResponseError};
pub use challenge::{AuthScheme, Challenge};
pub use code::{Endpoint, ErrorCode};
pub use facts::WireError;
pub use response::{AuthenticatedBy, ErrorResponse, ErrorShape};
pub use retry_after::{RetryAfter, http_date, retry_after};
