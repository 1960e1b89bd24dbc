//! The host, built with the tests so that they always run the current one. It is the same as the
//! real binary's `main`. A test can have it write down its statements.

fn main() {
    if let Some(file) = std::env::var_os("JACKFIELD_TESTS_STATEMENTS") {
        jackfield_store::record_statements(file.as_ref()).expect("the test's file can be written");
    }
    jackfield::main()
}
