//! Opens a checked library: the one place, beside the abi, where foreign code enters a process.
//!
//! In two parts, so that a sandbox can be closed in between: [`open`] runs nothing of the library,
//! [`OpenLibrary::plugin`] is the first that does.
#![allow(unsafe_code, reason = "dlopen, and the constructors and symbols of a foreign library")]

use std::{
    ffi::{c_char, c_int, c_void},
    os::fd::{AsRawFd, BorrowedFd},
    ptr,
    sync::atomic::{AtomicU32, Ordering},
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
/// The memory file must hold a [`SealedLibrary`](crate::library::SealedLibrary). Its descriptor can
/// be closed afterwards: the library stays mapped.
pub(super) fn open(memory: BorrowedFd<'_>) -> Result<OpenLibrary, String> {
    let path = unused_path(memory, OPENED.fetch_add(1, Ordering::Relaxed))?;
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

/// How many libraries this process has opened.
static OPENED: AtomicU32 = AtomicU32::new(0);

/// Bits of a path's number. What is opened is never given back, so there is an end to it anyway.
const PATH_BITS: u32 = 16;

/// A path of a descriptor that no library was opened under before. The C library compares the text
/// of paths, and takes one that it knows for the library of that path, also if the descriptor is
/// another by now. So the number of the library stands in it, as `./` or `/` for each bit.
fn unused_path(memory: BorrowedFd<'_>, number: u32) -> Result<String, String> {
    if number >> PATH_BITS != 0 {
        return Err("this process has opened too many libraries; restart it".to_owned());
    }
    let bits: String = (0..PATH_BITS).map(|bit| if number >> bit & 1 == 1 { "./" } else { "/" }).collect();
    Ok(format!("/proc/self/fd/{bits}{}", memory.as_raw_fd()))
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

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs::File, os::fd::AsFd};

    use super::*;

    #[test]
    fn no_two_libraries_have_one_path_and_each_path_leads_to_its_descriptor() {
        let memory = File::open("/dev/null").expect("it is there");
        let paths: Vec<String> = (0..300).map(|number| unused_path(memory.as_fd(), number).expect("a path")).collect();
        assert_eq!(paths.iter().collect::<BTreeSet<_>>().len(), 300);
        assert!(
            paths.iter().all(|path| std::fs::read_link(path).is_ok_and(|file| file.ends_with("null"))),
            "{paths:?}"
        );
        assert!(unused_path(memory.as_fd(), 1 << PATH_BITS).is_err(), "it never begins again");
    }
}
