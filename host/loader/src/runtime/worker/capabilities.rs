//! The rights of root in pieces: a worker has none of them, whatever its host has.

use rustix::{
    io::{self, Errno},
    thread::{
        CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, remove_capability_from_bounding_set,
        set_capabilities,
    },
};

/// Gives up what a program that is executed could get back. Done before the user changes, which
/// takes away the right to do it.
pub(super) fn drop_bounding_set() -> io::Result<()> {
    if !capabilities(None)?.effective.contains(CapabilitySet::SETPCAP) {
        // It cannot be dropped, and does not matter: a worker cannot execute anything, and without
        // new privileges it would gain nothing by it.
        return Ok(());
    }
    for bit in 0..u64::BITS {
        match remove_capability_from_bounding_set(CapabilitySet::from_bits_retain(1 << bit)) {
            // The kernel knows no further ones.
            Err(Errno::INVAL) => break,
            dropped => dropped?,
        }
    }
    Ok(())
}

/// Gives up all that the process has, could take, or could hand on.
pub(super) fn drop_all() -> io::Result<()> {
    match clear_ambient_capability_set() {
        // Kernels before 4.3 have none.
        Err(Errno::INVAL) => {}
        cleared => cleared?,
    }
    let none = CapabilitySet::empty();
    set_capabilities(None, CapabilitySets { effective: none, permitted: none, inheritable: none })
}
