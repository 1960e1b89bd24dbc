//! What every stand-in service is made of: a clock that a test moves, a ledger of the tokens it gave out, and a wire on which requests are
//! counted and held and answers are lost. It knows no service's shapes.

mod clock;
mod ledger;
mod wire;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::Clock;
pub use ledger::{Ledger, Pair, Refusal, Rotation, State, Terms, Token};
pub use wire::{Endpoint, Hold, Moment, Trouble, Wire};

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
