//! Opens a checked library: the one place, beside the abi, where foreign code enters a process.
#![allow(unsafe_code, reason = "dlopen and the symbols of a foreign library")]

use std::os::fd::{AsRawFd, BorrowedFd};

use jackfield_plugin_abi::root::{AbiHeaderRef, HEADER_SYMBOL, PluginRef};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// Opens the library in a memory file, or says what the loader found.
///
/// The library is never unloaded, because abi_stable keeps process-wide maps that point into it.
/// The descriptor must stay open as long as further libraries may be opened: the C library compares
/// the path text first, and takes one with the same descriptor number for the first library.
pub(super) fn open(memory: BorrowedFd<'_>) -> Result<PluginRef, String> {
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    // SAFETY: loading runs the library's constructors. The operator asked for that by listing it,
    // and its bytes were checked.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let library: &'static Library = Box::leak(Box::new(library.map_err(|error| in_words(&error, &path))?));
    // SAFETY: under this name abi_stable's plugins export a `LibHeader`, and `AbiHeaderRef` is a
    // transparent pointer to one. It checks the header's magic and version before it reads further.
    let header = unsafe { library.get::<AbiHeaderRef>(HEADER_SYMBOL.as_bytes()) };
    let header = *header.map_err(|error| in_words(&error, &path))?;
    // SAFETY: the header comes from the symbol of that name, and the library is leaked above.
    unsafe { PluginRef::from_header(header) }
}

/// The system's message without the memory file's path, which means nothing to an operator.
fn in_words(error: &libloading::Error, path: &str) -> String {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    text.replace(&format!("{path}: "), "").replace(path, "the library")
}
