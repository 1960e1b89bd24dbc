//! Runs `examples/load_one.rs`, the program that the README shows.

use std::{env, process::Command};

#[test]
fn a_program_of_its_own_runs_the_setup_of_a_plugin() {
    let test = env::current_exe().expect("a test has a path");
    let examples = test.ancestors().nth(2).expect("cargo's folder").join("examples");
    let ran = Command::new(examples.join("load_one")).output().expect("cargo builds examples before tests");
    let (printed, error) = (String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{error}");
    assert!(printed.starts_with("Example has 1 step\n"), "{printed}");
    assert!(printed.contains(r#"asked, it answers Html"#) && printed.contains(r#"name=\"name\""#), "{printed}");
    assert!(printed.ends_with("told the name, it answers Next\nthe integration is Ada\n"), "{printed}");
}
