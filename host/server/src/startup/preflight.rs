//! What a start needs of this machine, tried without starting: the address, the control socket,
//! open files.

use std::{io, net::TcpListener, path::Path};

use jackfield_config::{Diagnostic, Settings, writable::cannot_write_into};

use rustix::process::{Resource, getrlimit};

use crate::control::Control;

/// Whether a host answers at the control socket of this configuration.
pub async fn is_running(settings: &Settings) -> bool {
    Control::at(&settings.system.control).plugins().await.is_ok()
}

/// Why the host cannot listen. The address is bound, and released at once.
#[must_use]
pub fn check_address(settings: &Settings) -> Option<Diagnostic> {
    TcpListener::bind(&settings.system.listen).err().map(|error| cannot_listen(settings, &error))
}

/// What the operator should know of this machine: the host starts, and lacks something.
#[must_use]
pub fn machine_warnings(settings: &Settings) -> Vec<Diagnostic> {
    control_socket(settings).into_iter().chain(too_many_calls(settings)).collect()
}

/// In words, and with help.
pub(super) fn cannot_listen(settings: &Settings, error: &io::Error) -> Diagnostic {
    let address = &settings.system.listen;
    let help = match error.kind() {
        io::ErrorKind::AddrInUse => "another program listens there, which `ss -ltnp` shows: stop it, or take another port".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a right of their own: take one above, with a proxy in front, or grant CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => "take an address of this machine, which `ip address` shows, or 0.0.0.0 for all".to_owned(),
        _ => "write an address of this machine and a port, like 127.0.0.1:8000".to_owned(),
    };
    settings.diagnostic_of("system.listen", format!("cannot listen on {address}: {error}"), help)
}

fn control_socket(settings: &Settings) -> Option<Diagnostic> {
    let path = &settings.system.control;
    let error = cannot_write_into(path.parent().unwrap_or(Path::new(".")))?;
    let message =
        format!("{}: no socket can be made, and no command reaches the host: {}", path.display(), error.message);
    Some(settings.diagnostic_of("system.control", message, error.help))
}

/// Only what the operator has written: the default waits for fewer files without harm.
fn too_many_calls(settings: &Settings) -> Option<Diagnostic> {
    let (key, calls) = ("proxy.max-calls", settings.proxy.max_calls);
    // The host raises its limit to this.
    let files = getrlimit(Resource::Nofile).maximum?;
    let is_too_many = settings.lines.contains_key(key) && u64::try_from(calls).is_ok_and(|calls| 2 * calls > files);
    is_too_many.then(|| {
        let message = format!("each call holds two connections, and this process may open {files} files only");
        settings.diagnostic_of(
            key,
            message,
            "raise the limit (`ulimit -Hn`; with systemd, LimitNOFILE), or write a smaller number",
        )
    })
}
