//! The worker process: it enters its sandbox, opens its library and, once the host has looked at
//! the sandbox, runs the library and answers calls until its socket closes.
//!
//! Nothing of the host is in it: no settings, no environment, no other descriptor, no second
//! thread. It is dispatched before anything else of the command line, because a filter holds only
//! the thread that asks for it and secrets must not be in memory.

use std::{ffi::OsString, fs::File, io::Write as _, os::fd::AsFd, process::ExitCode};

use jackfield_plugin_abi::root::PluginRef;
use serde::Serialize;

use super::{
    descriptors::{self, Descriptors},
    exit::exit_at_once,
    frame::{self, Call, Ready},
    needed_calls,
    sandbox::{Sandbox, hide},
};
use crate::runtime::open_library::{open, open_system_library};

/// The first argument of a process that is a worker.
pub const COMMAND: &str = "plugin-worker";

/// How the host starts a worker: the arguments after [`COMMAND`].
pub(super) struct WorkerCommand<'a> {
    /// For `ps` to show.
    pub(super) plugin: &'a str,
    /// Largest address space, in MiB.
    pub(super) memory: u64,
    /// The system's libraries that the plugin needs.
    pub(super) needed: Vec<&'a str>,
}

impl WorkerCommand<'_> {
    pub(super) fn arguments(&self) -> [String; 4] {
        [COMMAND.to_owned(), self.plugin.to_owned(), self.memory.to_string(), self.needed.join(",")]
    }

    fn parse(arguments: &[String]) -> Option<WorkerCommand<'_>> {
        let [plugin, memory, needed] = arguments else { return None };
        Some(WorkerCommand { plugin, memory: memory.parse().ok()?, needed: needed.split(',').collect() })
    }
}

/// Runs a worker and ends the process, if the loader has started this process as a worker.
/// Otherwise it returns at once.
///
/// Call it first in `main`, before any thread or async runtime starts: the loader starts workers
/// from the binary that is running, and a worker has one thread.
pub fn init() {
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_some_and(|argument| argument == COMMAND) {
        exit_at_once(i32::from(run_from(arguments).is_err()));
    }
}

/// Runs a worker from the arguments after [`COMMAND`], for a program that reads its own command
/// line. Other programs call [`init`].
pub fn main(arguments: impl Iterator<Item = OsString>) -> ExitCode {
    run_from(arguments).map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

/// Says what goes wrong on standard error, which the host reads.
fn run_from(arguments: impl Iterator<Item = OsString>) -> Result<(), ()> {
    let arguments: Vec<String> = arguments.filter_map(|argument| argument.into_string().ok()).collect();
    if arguments == [needed_calls::REPORT] {
        needed_calls::report();
        return Ok(());
    }
    let Some(command) = WorkerCommand::parse(&arguments) else {
        say(&format!("`{COMMAND}` is for the host to start"));
        return Err(());
    };
    run(&command).map_err(|error| say(&error.to_string()))
}

/// Not `eprintln!`, which panics where the host has gone.
fn say(error: &str) {
    let _ = writeln!(std::io::stderr(), "error: {error}");
}

/// Nothing of the library runs before the host has seen that the sandbox holds.
fn run(command: &WorkerCommand<'_>) -> std::io::Result<()> {
    let Descriptors { mut socket, library, hang_up } = descriptors::take()?;
    command.needed.iter().for_each(|name| open_system_library(name));
    let mut sandbox = Sandbox::enter(command.memory, hang_up.as_fd());
    let opened = open(library.as_fd());
    drop(library);
    sandbox.seal(hang_up.as_fd());
    send(&mut socket, &sandbox)?;
    if !Call::read(&mut socket)?.is_some_and(|call| call.is_go_ahead()) {
        return Ok(());
    }
    hide()?;
    let plugin = opened.and_then(|library| library.plugin());
    send(&mut socket, &Ready { failed: plugin.as_ref().err().cloned() })?;
    plugin.map_or(Ok(()), |plugin| answer_calls(&mut socket, plugin))
}

fn send(socket: &mut File, message: &impl Serialize) -> std::io::Result<()> {
    frame::reply(socket, frame::START, &serde_json::to_vec(message)?)
}

fn answer_calls(socket: &mut File, plugin: PluginRef) -> std::io::Result<()> {
    while let Some(call) = Call::read(socket)? {
        let Some((op, body)) = call.parts() else { return Err(std::io::ErrorKind::InvalidData.into()) };
        let reply = plugin.ask(op, body);
        frame::reply(socket, call.number, &reply)?;
    }
    Ok(())
}
