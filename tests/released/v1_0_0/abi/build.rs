//! Lets the copy be what it was: abi_stable writes the name of the package into the layout that a host checks, and two packages of one
//! workspace cannot have the same.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-env=CARGO_PKG_NAME=jackfield-plugin-abi");
}
