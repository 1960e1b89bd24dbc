//! The folder of a temporary host: its configuration, database, log and process. Dropping it
//! removes all of them.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use jackfield_plugin::{Provider, State};
use serde_json::Value;

use super::urls::URL_PREFIX;

pub(super) const EMAIL: &str = "ada@example.com";
pub(super) const PASSWORD: &str = "correct horse battery";

pub(super) struct HostFolder {
    path: PathBuf,
    program: PathBuf,
    /// The configuration without the time.
    configuration: String,
    server: Option<Child>,
}

impl HostFolder {
    #[track_caller]
    pub(super) fn create<P: Provider>(program: &Path, options: &State, mock_server: &str, now: u64) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("jackfield-plugin-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let library = library(std::any::type_name::<P>());
        let folder = Self {
            path,
            program: fs::canonicalize(program).unwrap_or_else(|error| panic!("{}: {error}", program.display())),
            configuration: configuration(&library, P::ID, options, mock_server),
            server: None,
        };
        folder.set_clock(now);
        folder
    }

    pub(super) fn set_clock(&self, now: u64) {
        let text = self.configuration.replace("[plugins]", &format!("[plugins]\nclock = {now}"));
        let file = self.path.join("jackfield.toml");
        fs::write(&file, text).expect("the host's folder can be written");
        // A host refuses one that a group can write, as some systems make files.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("the file is our own");
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["--config", "jackfield.toml"]).args(arguments).current_dir(&self.path);
        command
    }

    fn output(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()));
        let mut stdin = child.stdin.take().expect("stdin is piped");
        // A command that reads nothing may have ended by now.
        let _ = stdin.write_all(input.as_bytes());
        drop(stdin);
        child.wait_with_output().expect("a child can be waited for")
    }

    /// Runs a command of the host's command line.
    #[track_caller]
    pub(super) fn run(&self, arguments: &[&str], input: &str) {
        let output = self.output(arguments, input);
        assert!(output.status.success(), "jackfield {}: {}", arguments.join(" "), text(&output));
    }

    /// Runs a command that must fail, and returns what it prints.
    #[track_caller]
    pub(super) fn run_failing(&self, arguments: &[&str]) -> String {
        let output = self.output(arguments, "");
        assert!(!output.status.success(), "the options fit");
        text(&output)
    }

    /// Starts the host and returns the address where it listens.
    #[track_caller]
    pub(super) fn serve(&mut self) -> String {
        let log = File::create(self.path.join("log")).expect("the host's folder can be written");
        let mut command = self.command(&["serve", "--log", "info,jackfield=debug", "--log-format", "json"]);
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().expect("the program has run before");
        let mut line = String::new();
        let _ = BufReader::new(child.stdout.take().expect("stdout is piped")).read_line(&mut line);
        self.server = Some(child);
        match line.trim_end().strip_prefix("listening on http://") {
            Some(address) => address.to_owned(),
            None => panic!("the host does not start: {}", self.log_tail()),
        }
    }

    /// The host's log: a JSON object per line.
    pub(super) fn log(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The end of the log, for the message of a panic.
    pub(super) fn log_tail(&self) -> String {
        let text = fs::read_to_string(self.path.join("log")).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!("the host's log ends with\n{}", lines[lines.len().saturating_sub(10)..].join("\n"))
    }
}

impl Drop for HostFolder {
    fn drop(&mut self) {
        if let Some(child) = &mut self.server {
            let _ = child.kill();
            let _ = child.wait();
        }
        let _ = fs::remove_dir_all(&self.path);
    }
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// The library that cargo has built of a type's crate, beside the test's executable. The newest one
/// if there are two.
#[track_caller]
fn library(type_name: &str) -> PathBuf {
    let name = type_name.split("::").next().unwrap_or_default();
    let file = format!("{}{name}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let executable = std::env::current_exe().expect("a test knows its executable");
    let folders = executable.ancestors().skip(1).take(2).flat_map(|folder| [folder.join("deps"), folder.to_owned()]);
    let built = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
    let found = folders.map(|folder| folder.join(&file)).filter(|path| path.exists()).max_by_key(built);
    found.unwrap_or_else(|| {
        panic!(
            "{file} is not beside {}: run `cargo build` in a crate with crate-type = [\"cdylib\", \"rlib\"]",
            executable.display()
        )
    })
}

fn configuration(library: &Path, id: &str, options: &State, mock_server: &str) -> String {
    let library = toml(&Value::from(library.display().to_string()));
    let mut text = format!(
        "default-integrations = [{library}]\n\n[system]\nurl-prefix = \"{}\"\nlisten = \"127.0.0.1:0\"\ncontrol = \"control.sock\"\n\n\
         [plugins]\n\n[http]\nstand-in = \"{mock_server}\"\n",
        URL_PREFIX
    );
    if !options.is_empty() {
        text.push_str(&format!("\n[{id}]\n"));
        let lines = options.iter().filter(|(_, value)| !value.is_null());
        lines.for_each(|(key, value)| text.push_str(&format!("{} = {}\n", Value::from(key.as_str()), toml(value))));
    }
    text
}

/// JSON as TOML on one line: only tables are written differently. TOML has no null, so it is left
/// out.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            let items: Vec<String> = items.iter().filter(|item| !item.is_null()).map(toml).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(table) => {
            let entries = table.iter().filter(|(_, value)| !value.is_null());
            let entries: Vec<String> =
                entries.map(|(key, value)| format!("{} = {}", Value::from(key.as_str()), toml(value))).collect();
            format!("{{ {} }}", entries.join(", "))
        }
        other => other.to_string().replace('\u{7f}', "\\u007f"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_written_as_toml() {
        let json = serde_json::json!({"a": ["x\n\"", 1, true], "b-c": {"d e": 1.5, "none": null}});
        assert_eq!(toml(&json), r#"{ "a" = ["x\n\"", 1, true], "b-c" = { "d e" = 1.5 } }"#);
    }
}
