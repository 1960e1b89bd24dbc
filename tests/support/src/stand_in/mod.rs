//! What all stand-in services share: a clock that a test moves, a registry of the issued tokens,
//! and a fault injector that counts, holds and spoils requests. It does not know what a service
//! answers.

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
