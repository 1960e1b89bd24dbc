//! What the allocator of the whole process does with memory that is free.
#![allow(unsafe_code, reason = "the allocator reads a symbol of the program")]

/// Two arenas: as many as threads that allocate much at once. What is free goes back after half a
/// second instead of ten: a host is small again soon after a flood. jemalloc reads it when the
/// process starts (jemalloc(3), "TUNING").
// SAFETY: nothing else has this name, and jemalloc reads a pointer to a text that ends with a NUL.
#[unsafe(export_name = "malloc_conf")]
#[used]
static OPTIONS: &[u8; 29] = b"narenas:2,dirty_decay_ms:500\0";

/// Lets a thread of the allocator give memory back, also while the host idles. Not in every process
/// of this program: the worker of a plugin may start no thread.
pub(crate) fn give_memory_back() {
    if let Err(error) = tikv_jemalloc_ctl::background_thread::write(true) {
        tracing::warn!(%error, "memory that is free goes back to the system only while the host is busy");
    }
}
