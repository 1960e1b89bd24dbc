//! What all stand-in services share: a clock that a test moves and a registry of the issued tokens,
//! from the package that `plugin dev` uses too, and a fault injector that counts, holds and spoils
//! requests. It does not know what a service answers.

mod faults;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use faults::{Endpoint, Fault, FaultInjector, Hold, HoldPoint};
pub use jackfield_stand_in::{
    Clock, IssuedTokens, RefreshError, Rotation, Token, TokenPolicy, TokenRegistry, TokenState,
};

pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
