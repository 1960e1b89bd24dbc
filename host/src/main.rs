//! The `jackfield` binary. Everything is in the library, so that the demo and the tests run the
//! same code.

fn main() {
    jackfield::main()
}
