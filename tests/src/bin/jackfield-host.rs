//! The host, built with the tests so that they always run the current one. It is the same as the
//! real binary's `main`.

fn main() {
    jackfield::main()
}
