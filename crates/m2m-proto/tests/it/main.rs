//! The protocol core against vectors that nobody here wrote, and as strangers see it: through
//! its public functions only.

mod jose_vectors;
mod oauth_vectors;
mod vectors;
