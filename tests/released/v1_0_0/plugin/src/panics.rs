//! Catches panics of the author's code. One that crosses the `extern "C"` border would abort the
//! host.

use std::{
    any::Any,
    cell::RefCell,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Once,
};

use jackfield_plugin_abi::envelope::{Fault, FaultKind};

thread_local! {
    /// Message and place of the last panic, while the author's code runs on this thread.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Installs a panic hook that keeps the message of a caught panic instead of printing it. The
/// previous hook handles all others, such as those of an author's own tests.
///
/// A plugin has a standard library of its own, so this is not the hook of the host.
pub(crate) fn install_hook() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let previous = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let is_caught = CAUGHT.with_borrow_mut(|caught| {
                let Some(caught) = caught else { return false };
                let message = info.payload_as_str().unwrap_or("a value that is no text");
                let place = info.location().map(|at| format!(" at {}:{}", at.file(), at.line())).unwrap_or_default();
                *caught = format!("{message}{place}");
                true
            });
            if !is_caught {
                previous(info);
            }
        }));
    });
}

/// Runs the author's code. A panic becomes a fault.
pub(crate) fn catch<T>(run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
    let outer = CAUGHT.replace(Some(String::new()));
    let result = catch_unwind(AssertUnwindSafe(run));
    let message = CAUGHT.replace(outer).unwrap_or_default();
    result.unwrap_or_else(|payload| {
        leak_payload(payload);
        Err(Fault::new(FaultKind::Panicked, message))
    })
}

/// Dropping the payload could panic again.
fn leak_payload(payload: Box<dyn Any + Send>) {
    std::mem::forget(payload);
}

/// Drops a value of the author. A panic in `drop` is ignored.
pub(crate) fn drop_caught<T>(value: T) {
    let _ = catch(|| {
        drop(value);
        Ok(())
    });
}
