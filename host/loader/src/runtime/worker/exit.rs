//! The end of a process that runs nobody's exit handlers.

use std::io::Write;

/// Ends the process with an exit status, after standard output and standard error are flushed.
///
/// An ordinary exit runs what libraries have registered for it, while other threads may be in the
/// middle of those libraries: OpenSSL frees what a thread of libpq uses, and the process ends in a
/// SIGSEGV after its work was done. A plugin's handlers would run as well, unbounded.
pub fn exit_at_once(status: i32) -> ! {
    let _ = std::io::stdout().flush();
    let _ = std::io::stderr().flush();
    // A run that is measured writes its profile in an exit handler.
    if std::env::var_os("LLVM_PROFILE_FILE").is_some() {
        std::process::exit(status);
    }
    #[expect(unsafe_code, reason = "the standard library has no exit without handlers")]
    // SAFETY: it takes a number, touches no memory and does not return.
    unsafe {
        libc::_exit(status)
    }
}
