//! Opens a checked library: the one place, beside the abi, where foreign code enters a process.
//!
//! In two parts, so that a sandbox can be closed in between: [`open`] runs nothing of the library,
//! [`OpenLibrary::plugin`] is the first that does.
#![allow(unsafe_code, reason = "dlopen, and the constructors and symbols of a foreign library")]

use std::{
    ffi::{c_char, c_int, c_void},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
};

use jackfield_plugin_abi::root::{AbiHeaderRef, HEADER_SYMBOL, PluginRef};
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

use crate::library::{LATE_INIT, LATE_INIT_ARRAY, LATE_INIT_ARRAY_SIZE, MAY_NEED};

/// A library that is mapped, and of which nothing has run. It is never unloaded, because abi_stable
/// keeps process-wide maps that point into it.
pub(super) struct OpenLibrary {
    library: &'static Library,
    handle: *mut c_void,
    path: String,
}

/// Opens the library in a memory file, or says what the loader found.
///
/// The memory file must hold a [`SealedLibrary`](crate::library::SealedLibrary). Its descriptor
/// must stay open as long as further libraries may be opened: the C library compares the path text
/// first, and takes one with the same descriptor number for the first library.
pub(super) fn open(memory: BorrowedFd<'_>) -> Result<OpenLibrary, String> {
    let path = format!("/proc/self/fd/{}", memory.as_raw_fd());
    // SAFETY: nothing of the library runs here. A sealed library's constructors are behind tags
    // that the C library does not know, it has no functions that the loader asks (IFUNC), it is
    // relocated within its own writable memory, and it brings no library but parts of the C
    // library.
    let library = unsafe { Library::open(Some(&path), RTLD_NOW | RTLD_LOCAL) };
    let handle = library.map_err(|error| in_words(&error, &path))?.into_raw();
    // SAFETY: the handle is the one that was just taken out of a library.
    let library = Box::leak(Box::new(unsafe { Library::from_raw(handle) }));
    Ok(OpenLibrary { library, handle, path })
}

/// Opens parts of the C library that this program does not use itself. A sandbox leaves no way to
/// open them later.
pub(super) fn open_system_library(name: &str) {
    if MAY_NEED.contains(&name) {
        // SAFETY: a part of the system's C library, as trusted as the one that runs already.
        let opened = unsafe { Library::open(Some(name), RTLD_NOW | RTLD_LOCAL) };
        // If there is none, the plugin's library is refused with the loader's own words.
        opened.map(std::mem::forget).ok();
    }
}

impl OpenLibrary {
    /// Runs its constructors, then checks its header and takes the plugin out of it.
    ///
    /// The layout check protects from accidents: a library can switch it off. What runs from here
    /// on is held by the sandbox of a worker, or trusted by the operator to run in this process.
    pub(super) fn plugin(&self) -> Result<PluginRef, String> {
        run_constructors(self.handle);
        // SAFETY: under this name abi_stable's plugins export a `LibHeader`, and `AbiHeaderRef` is
        // a transparent pointer to one. It checks the header's magic and version before it reads
        // further.
        let header = unsafe { self.library.get::<AbiHeaderRef>(HEADER_SYMBOL.as_bytes()) };
        let header = *header.map_err(|error| in_words(&error, &self.path))?;
        // SAFETY: the header is that symbol's, the library is never unloaded, and it is confined or
        // trusted.
        unsafe { PluginRef::from_header(header) }
    }
}

/// The first fields of `struct link_map` in the C library's `link.h`.
#[repr(C)]
struct LinkMap {
    base: usize,
    name: *const c_char,
    dynamic: *const DynamicEntry,
}

/// `Elf64_Dyn`.
#[repr(C)]
#[derive(Clone, Copy)]
struct DynamicEntry {
    tag: u64,
    value: u64,
}

/// What the C library passes to constructors: the program's arguments and environment. Ours gets
/// none of them.
type Constructor = unsafe extern "C" fn(c_int, *const *const c_char, *const *const c_char);

/// Runs the constructors that [`open`] has not run, in the order of the System V ABI.
fn run_constructors(handle: *mut c_void) {
    let none: [*const c_char; 1] = [ptr::null()];
    for constructor in constructors(handle) {
        // SAFETY: the library names it as one of its constructors, and its segments were checked to
        // be mapped as they are in the file. What it does is the library's: confined or trusted.
        unsafe { constructor(0, none.as_ptr(), none.as_ptr()) };
    }
}

fn constructors(handle: *mut c_void) -> Vec<Constructor> {
    let mut map: *const LinkMap = ptr::null();
    // SAFETY: the handle is of a library that is never closed; the request writes one pointer.
    let found = unsafe { libc::dlinfo(handle, libc::RTLD_DI_LINKMAP, (&raw mut map).cast()) };
    if found != 0 || map.is_null() {
        return Vec::new();
    }
    // SAFETY: the C library keeps the map as long as the library is open.
    let LinkMap { base, dynamic, .. } = unsafe { map.read() };
    let (mut single, mut array, mut size) = (None, 0, 0);
    for at in 0.. {
        // SAFETY: the section ends with an entry of tag 0, which was checked in the file.
        match unsafe { dynamic.add(at).read() } {
            DynamicEntry { tag: 0, .. } => break,
            DynamicEntry { tag: LATE_INIT, value } => single = Some(value),
            DynamicEntry { tag: LATE_INIT_ARRAY, value } => array = value,
            DynamicEntry { tag: LATE_INIT_ARRAY_SIZE, value } => size = value,
            DynamicEntry { .. } => {}
        }
    }
    let at = |address: u64| base.wrapping_add(usize::try_from(address).unwrap_or_default());
    let mut addresses: Vec<usize> = single.into_iter().map(at).collect();
    for offset in (0..size / 8 * 8).step_by(8) {
        // SAFETY: the library's own table of constructors, relocated when it was opened.
        addresses.push(unsafe { ptr::read(at(array.wrapping_add(offset)) as *const usize) });
    }
    addresses.retain(|address| *address != 0);
    // SAFETY: functions of the library, by its own word: see `run_constructors`.
    addresses.into_iter().map(|address| unsafe { std::mem::transmute::<usize, Constructor>(address) }).collect()
}

/// The system's message without the memory file's path, which means nothing to an operator.
fn in_words(error: &libloading::Error, path: &str) -> String {
    let text = std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    text.replace(&format!("{path}: "), "").replace(path, "the library")
}
