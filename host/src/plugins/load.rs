//! Opens a judged library: the one place, beside the abi, where foreign code enters the process.
#![allow(unsafe_code, reason = "dlopen and the symbols of a foreign library")]

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsRawFd,
};

use jackfield_plugin_abi::root::{AbiHeaderRef, HEADER_SYMBOL, PluginRef};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

use super::{LibraryFile, Refusal};

/// Loads exactly the bytes that were judged, from a sealed memory file: the file on disk may be swapped or overwritten meanwhile.
///
/// The library is never unloaded, because abi_stable keeps process-wide maps that point into it. The memory file is never closed,
/// because the C library compares the path text first: a second plugin that got the same descriptor number would be the first again.
pub(super) fn load(file: &LibraryFile) -> Result<PluginRef, Refusal> {
    let refused = |found: String| Refusal::NotLoadable { file: file.path.clone(), found };
    let memory = sealed_memory(&file.bytes).map_err(|error| refused(error.to_string()))?;
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    std::mem::forget(memory);
    // SAFETY: loading runs the library's constructors. That is what the operator asked for by listing it; its bytes were judged.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let library: &'static Library = Box::leak(Box::new(library.map_err(|error| refused(in_words(&error, &path)))?));
    // SAFETY: under this name abi_stable's plugins export a `LibHeader`, and `AbiHeaderRef` is a transparent pointer to one that
    // checks the header's magic and version before it is used as such.
    let header = unsafe { library.get::<AbiHeaderRef>(HEADER_SYMBOL.as_bytes()) };
    let header = *header.map_err(|error| refused(in_words(&error, &path)))?;
    // SAFETY: the header comes from the symbol of that name, and the library is leaked above.
    unsafe { PluginRef::from_header(header) }.map_err(refused)
}

fn sealed_memory(bytes: &[u8]) -> io::Result<File> {
    let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
    // Kernels before 6.3 do not know the EXEC flag; newer ones may be set up to demand it.
    let memory = memfd_create("jackfield-plugin", flags | MemfdFlags::EXEC)
        .or_else(|_| memfd_create("jackfield-plugin", flags))?;
    let mut memory = File::from(memory);
    memory.write_all(bytes)?;
    fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
    Ok(memory)
}

/// The loader's own words without the memory file's path, which says nothing to an operator.
fn in_words(error: &libloading::Error, path: &str) -> String {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    text.replace(&format!("{path}: "), "").replace(path, "the library")
}
