//! How often, how many at once, and who goes first: each piece once for the whole host.
//!
//! | need | piece |
//! |---|---|
//! | do it once, and all who ask meanwhile share the answer | [`SingleFlight`] |
//! | one after the other for each key | [`KeyedMutex`] |
//! | wait longer after each failure | [`Backoff`], and [`Failures`] to count them |
//! | only so many at once, then at a steady pace | [`LeakyBucket`] |
//! | only so many at the same time for each key | [`InFlight`] |
//! | only so many in a row and so many a second | [`TokenBucket`] |
//!
//! All of it is in memory and so holds within one process. Between hosts the database decides.
//! Nothing here knows what it is used for, and nothing here reads a clock: the caller brings the
//! time.

mod backoff;
mod failures;
mod in_flight;
mod keyed_mutex;
mod leaky_bucket;
mod single_flight;
mod token_bucket;

pub use backoff::Backoff;
pub use failures::{FailurePolicy, Failures};
pub use in_flight::{InFlight, InFlightGuard};
pub use keyed_mutex::{KeptValue, KeyedGuard, KeyedMutex};
pub use leaky_bucket::{BucketPolicy, LeakyBucket};
pub use single_flight::{Aborted, SingleFlight};
pub use token_bucket::TokenBucket;
