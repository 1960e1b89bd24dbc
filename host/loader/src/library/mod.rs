//! The way of a library into the loader. None of it runs here.
//!
//! [`find`] turns what the operator wrote into a file. [`location`] opens it where only the
//! operator can have put it. [`library_file`] reads it once and checks its bytes. [`signature`]
//! says who signed it. [`lock`] says whether the operator has accepted it. [`verify`] is all of
//! that in order. [`sealed_library`] keeps exactly the bytes that were checked.

mod digest;
mod elf;
mod exported_data;
mod find;
mod library_file;
mod location;
mod lock;
mod plugin_info;
mod sealed_library;
mod signature;
mod verify;
mod write_lock;

pub(crate) use digest::digest;
pub(crate) use elf::{LATE_INIT, LATE_INIT_ARRAY, LATE_INIT_ARRAY_SIZE, MAY_NEED};
pub(crate) use find::find;
pub use library_file::LibraryFile;
pub use lock::Lock;
pub use plugin_info::PluginInfo;
pub(crate) use sealed_library::SealedLibrary;
pub use signature::signature_path;
pub use verify::{verify_entry, verify_file};
pub use write_lock::{WrittenLock, write_lock};
