//! The worker process: it is held, opens its library and answers questions until its socket closes.
//!
//! Nothing of the host is in it: no settings, no environment, no other descriptor, no second thread. Dispatched before anything else of
//! the command line, because filters hold the thread that asks for them and secrets must not be in memory.

use std::{ffi::OsString, fs::File, os::fd::AsFd, process::ExitCode};

use jackfield_plugin_abi::root::PluginRef;

use super::{
    Sandbox, descriptors,
    frame::{self, Question, Ready},
};
use crate::load;

/// The first word of the command line that makes a process a worker.
pub const COMMAND: &str = "plugin-worker";

/// What the host orders, as the words after [`COMMAND`].
pub(super) struct Order<'a> {
    /// Shown by `ps`.
    pub(super) plugin: &'a str,
    /// Largest address space, in MiB.
    pub(super) memory: u64,
    /// Whether the whole sandbox has to hold.
    pub(super) is_required: bool,
}

impl Order<'_> {
    pub(super) fn words(&self) -> [String; 4] {
        let required = if self.is_required { "required" } else { "best-effort" };
        [COMMAND.to_owned(), self.plugin.to_owned(), self.memory.to_string(), required.to_owned()]
    }

    /// Whether the library may run, or go on running, in what holds the process.
    fn check(&self, sandbox: &Sandbox) -> Result<(), String> {
        let is_held = sandbox.missing.is_empty() || !self.is_required;
        if is_held { Ok(()) } else { Err("the sandbox does not hold".to_owned()) }
    }

    fn read(words: &[String]) -> Option<Order<'_>> {
        let [plugin, memory, required] = words else { return None };
        Some(Order { plugin, memory: memory.parse().ok()?, is_required: required == "required" })
    }
}

/// Runs a worker from the words after [`COMMAND`].
pub fn main(words: impl Iterator<Item = OsString>) -> ExitCode {
    let words: Vec<String> = words.filter_map(|word| word.into_string().ok()).collect();
    let Some(order) = Order::read(&words) else {
        eprintln!("error: `{COMMAND}` is for the host to start");
        return ExitCode::FAILURE;
    };
    match run(&order) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(order: &Order<'_>) -> std::io::Result<()> {
    let (mut socket, library) = descriptors::take()?;
    let mut sandbox = Sandbox::enter(order.memory);
    let opened = order.check(&sandbox).and_then(|()| load::open(library.as_fd()));
    drop(library);
    sandbox.seal();
    let opened = opened.and_then(|plugin| order.check(&sandbox).map(|()| plugin));
    say_ready(&mut socket, sandbox, opened.as_ref().err())?;
    opened.map_or(Ok(()), |plugin| answer(&mut socket, plugin))
}

fn say_ready(socket: &mut File, sandbox: Sandbox, failed: Option<&String>) -> std::io::Result<()> {
    let ready = Ready { sandbox, failed: failed.cloned() };
    frame::answer(socket, frame::READY, &serde_json::to_vec(&ready)?)
}

fn answer(socket: &mut File, plugin: PluginRef) -> std::io::Result<()> {
    while let Some(question) = Question::read(socket)? {
        let Some((op, body)) = question.parts() else { return Err(std::io::ErrorKind::InvalidData.into()) };
        let reply = plugin.ask(op, body);
        frame::answer(socket, question.call, &reply)?;
    }
    Ok(())
}
