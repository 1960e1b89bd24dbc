//! What every stand-in service is made of: a clock that a test moves, a ledger of the tokens it gave out, and a wire on which requests are
//! counted and held and answers are lost. It knows no service's shapes.

mod clock;
mod faults;
mod token_registry;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use clock::Clock;
pub use faults::{Endpoint, Fault, FaultInjector, Hold, HoldPoint};
pub use token_registry::{IssuedTokens, RefreshError, Rotation, Token, TokenPolicy, TokenRegistry, TokenState};

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
