//! The host, with counters: what it allocates, syncs and asks of SQLite. They stand in the file
//! that `JACKFIELD_COUNTED_HOST` names, as numbers of eight bytes, in the order of [`Counter`].
//! Everything else is as in the real binary; its workers are not counted.

#![allow(unsafe_code, reason = "an allocator, functions of libc under their own names, and calls from SQLite")]

use std::{
    alloc::{GlobalAlloc, Layout, System},
    ffi::{CStr, c_char, c_int, c_uint, c_void},
    fs::File,
    os::fd::AsRawFd,
    ptr,
    sync::atomic::{AtomicPtr, AtomicU64, Ordering::Relaxed},
};

use jackfield_loader::worker;
use libsqlite3_sys as sqlite;

/// What is counted.
#[derive(Clone, Copy)]
enum Counter {
    /// Statements that SQLite has run, `BEGIN`, `COMMIT` and savepoints included.
    Statements,
    /// Statements that were run for the first time after they had been prepared.
    Prepared,
    /// Statements that SQLite had to prepare again by itself.
    Reprepared,
    /// Instructions of SQLite's virtual machine: they show a statement that walks along more rows
    /// than it needs.
    Instructions,
    /// Syncs of files.
    Syncs,
    /// Pieces of memory that Rust code has asked for.
    Allocations,
}

type Counters = [AtomicU64; 6];

/// Where is counted: nowhere at first.
static COUNTERS: AtomicPtr<Counters> = AtomicPtr::new(ptr::null_mut());

fn count(counter: Counter, by: u64) {
    // SAFETY: it is null, or a mapping that stays as long as the process.
    if let Some(counters) = unsafe { COUNTERS.load(Relaxed).as_ref() } {
        counters[counter as usize].fetch_add(by, Relaxed);
    }
}

struct CountingAllocator;

#[global_allocator]
static ALLOCATOR: CountingAllocator = CountingAllocator;

// SAFETY: all is left to the system's allocator.
unsafe impl GlobalAlloc for CountingAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(Counter::Allocations, 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(Counter::Allocations, 1);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(Counter::Allocations, 1);
        // SAFETY: as the caller promises.
        unsafe { System.realloc(memory, layout, size) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(memory, layout) }
    }
}

/// Stands before libc's: the linker takes the one of the executable.
#[unsafe(no_mangle)]
extern "C" fn fsync(file: c_int) -> c_int {
    synced(libc::SYS_fsync, file)
}

/// Likewise.
#[unsafe(no_mangle)]
extern "C" fn fdatasync(file: c_int) -> c_int {
    synced(libc::SYS_fdatasync, file)
}

fn synced(call: libc::c_long, file: c_int) -> c_int {
    count(Counter::Syncs, 1);
    // SAFETY: a system call that takes a number; it sets errno as libc's function does.
    let result = unsafe { libc::syscall(call, file) };
    if result == 0 { 0 } else { -1 }
}

/// SQLite calls it for each connection that is opened.
unsafe extern "C" fn opened(
    database: *mut sqlite::sqlite3,
    _: *mut *mut c_char,
    _: *const sqlite::sqlite3_api_routines,
) -> c_int {
    // SAFETY: the connection is the one that is being opened.
    unsafe {
        let events = sqlite::SQLITE_TRACE_STMT | sqlite::SQLITE_TRACE_PROFILE;
        sqlite::sqlite3_trace_v2(database, events as c_uint, Some(traced), ptr::null_mut())
    }
}

/// SQLite calls it before a statement runs and when it has run.
unsafe extern "C" fn traced(event: c_uint, _: *mut c_void, statement: *mut c_void, text: *mut c_void) -> c_int {
    let statement = statement.cast::<sqlite::sqlite3_stmt>();
    if event == sqlite::SQLITE_TRACE_STMT as c_uint {
        // SAFETY: SQLite hands over a statement and its text.
        unsafe { begun(statement, text.cast()) }
    } else {
        // SAFETY: SQLite hands over a statement.
        let instructions = unsafe { sqlite::sqlite3_stmt_status(statement, sqlite::SQLITE_STMTSTATUS_VM_STEP, 1) };
        count(Counter::Instructions, u64::try_from(instructions).unwrap_or_default());
    }
    0
}

/// A statement, or a program of a trigger, whose text is a comment.
///
/// # Safety
/// SQLite hands over a statement and a text that ends with a NUL.
unsafe fn begun(statement: *mut sqlite::sqlite3_stmt, text: *const c_char) {
    // SAFETY: as the caller promises.
    let (is_trigger, runs, reprepared) = unsafe {
        (
            CStr::from_ptr(text).to_bytes().starts_with(b"--"),
            sqlite::sqlite3_stmt_status(statement, sqlite::SQLITE_STMTSTATUS_RUN, 0),
            sqlite::sqlite3_stmt_status(statement, sqlite::SQLITE_STMTSTATUS_REPREPARE, 1),
        )
    };
    if !is_trigger {
        count(Counter::Statements, 1);
        count(Counter::Prepared, u64::from(runs == 0));
        count(Counter::Reprepared, u64::try_from(reprepared).unwrap_or_default());
    }
}

/// Maps the file that the counters stand in.
fn start(file: &File) {
    let size = size_of::<Counters>();
    file.set_len(size as u64).expect("the file of the counters can be written");
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let mapped = unsafe {
        libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED, file.as_raw_fd(), 0)
    };
    assert_ne!(mapped, libc::MAP_FAILED, "the file of the counters can be mapped");
    COUNTERS.store(mapped.cast(), Relaxed);
    // SAFETY: no connection is open yet, and the function stays where it is.
    let extended = unsafe { sqlite::sqlite3_auto_extension(Some(opened)) };
    assert_eq!(extended, sqlite::SQLITE_OK, "SQLite calls us for each connection");
}

fn main() {
    let is_worker = std::env::args_os().nth(1).is_some_and(|word| word == worker::COMMAND);
    if let Some(file) = std::env::var_os("JACKFIELD_COUNTED_HOST").filter(|_| !is_worker) {
        let file = File::options().read(true).write(true).create(true).truncate(false).open(file);
        start(&file.expect("the file of the counters can be opened"));
    }
    jackfield::main()
}
