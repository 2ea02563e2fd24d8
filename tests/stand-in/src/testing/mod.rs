//! For tests: a throwaway PostgreSQL and Redis, the stand-in in the test's own process, and a
//! recorder that holds every call and answer that passes through it against the API's schema, and a
//! server made of nothing but the API's types.
//!
//! What is not installed is told as a reason, so that a test can say why it is skipped.

mod photo;
mod postgres;
mod recorder;
mod redis;
mod schema;
mod stand_in;
mod typed;

pub use photo::photo;
pub use postgres::Postgres;
pub use recorder::Recorder;
pub use redis::Redis;
pub use schema::Schema;
pub use stand_in::{StandIn, settings};
pub use typed::{TypedServer, Verbosity};
