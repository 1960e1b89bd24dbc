//! The `jackfield` binary. Everything is in the library, so that the demo and the tests run the
//! same code.

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() {
    jackfield::main()
}
