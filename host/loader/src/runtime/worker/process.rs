//! The worker process: it enters its sandbox, opens its library and answers calls until its socket
//! closes.
//!
//! Nothing of the host is in it: no settings, no environment, no other descriptor, no second
//! thread. It is dispatched before anything else of the command line, because a filter holds only
//! the thread that asks for it and secrets must not be in memory.

use std::{ffi::OsString, fs::File, os::fd::AsFd, process::ExitCode};

use jackfield_plugin_abi::root::PluginRef;

use super::{
    descriptors,
    frame::{self, Call, Ready},
    sandbox::Sandbox,
};
use crate::runtime::open_library::open;

/// The first argument of a process that is a worker.
pub const COMMAND: &str = "plugin-worker";

/// How the host starts a worker: the arguments after [`COMMAND`].
pub(super) struct WorkerCommand<'a> {
    /// For `ps` to show.
    pub(super) plugin: &'a str,
    /// Largest address space, in MiB.
    pub(super) memory: u64,
    /// Whether the whole sandbox has to hold.
    pub(super) is_sandbox_required: bool,
}

impl WorkerCommand<'_> {
    pub(super) fn arguments(&self) -> [String; 4] {
        let sandbox = if self.is_sandbox_required { "required" } else { "best-effort" };
        [COMMAND.to_owned(), self.plugin.to_owned(), self.memory.to_string(), sandbox.to_owned()]
    }

    fn parse(arguments: &[String]) -> Option<WorkerCommand<'_>> {
        let [plugin, memory, sandbox] = arguments else { return None };
        Some(WorkerCommand { plugin, memory: memory.parse().ok()?, is_sandbox_required: sandbox == "required" })
    }

    /// Whether the library may run, or go on running, in this sandbox.
    fn check(&self, sandbox: &Sandbox) -> Result<(), String> {
        let holds = sandbox.missing.is_empty() || !self.is_sandbox_required;
        if holds { Ok(()) } else { Err("the sandbox does not hold".to_owned()) }
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
        std::process::exit(i32::from(run_from(arguments).is_err()));
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
    let Some(command) = WorkerCommand::parse(&arguments) else {
        eprintln!("error: `{COMMAND}` is for the host to start");
        return Err(());
    };
    run(&command).map_err(|error| eprintln!("error: {error}"))
}

fn run(command: &WorkerCommand<'_>) -> std::io::Result<()> {
    let (mut socket, library) = descriptors::take()?;
    let mut sandbox = Sandbox::enter(command.memory);
    let opened = command.check(&sandbox).and_then(|()| open(library.as_fd()));
    drop(library);
    sandbox.seal();
    let opened = opened.and_then(|plugin| command.check(&sandbox).map(|()| plugin));
    send_ready(&mut socket, sandbox, opened.as_ref().err())?;
    opened.map_or(Ok(()), |plugin| answer_calls(&mut socket, plugin))
}

fn send_ready(socket: &mut File, sandbox: Sandbox, failed: Option<&String>) -> std::io::Result<()> {
    let ready = Ready { sandbox, failed: failed.cloned() };
    frame::reply(socket, frame::READY, &serde_json::to_vec(&ready)?)
}

fn answer_calls(socket: &mut File, plugin: PluginRef) -> std::io::Result<()> {
    while let Some(call) = Call::read(socket)? {
        let Some((op, body)) = call.parts() else { return Err(std::io::ErrorKind::InvalidData.into()) };
        let reply = plugin.ask(op, body);
        frame::reply(socket, call.number, &reply)?;
    }
    Ok(())
}
