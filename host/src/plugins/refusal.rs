//! Why a plugin is refused, in words that an operator can act on.

use std::{io, path::PathBuf};

use thiserror::Error;

/// Why a plugin is refused: what was found, what was wanted. [`Refusal::mend`] says what to do.
#[derive(Debug, Error)]
pub enum Refusal {
    /// A name that is in none of the folders.
    #[error("no plugin named `{name}`: looked for {}", listed(.looked))]
    NotFound {
        /// What the operator wrote.
        name: String,
        /// The files that would have been it.
        looked: Vec<PathBuf>,
    },
    /// A path that cannot be read.
    #[error("{}: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Not an ELF shared library at all.
    #[error("{}: not a library: found {found}, wanted an ELF shared library", .file.display())]
    NotALibrary {
        /// The file.
        file: PathBuf,
        /// What its first bytes are.
        found: String,
    },
    /// The file ends before its own tables say.
    #[error("{}: truncated: found {found} bytes, wanted {wanted}", .file.display())]
    Truncated {
        /// The file.
        file: PathBuf,
        /// Its size.
        found: u64,
        /// The size its headers speak of.
        wanted: u64,
    },
    /// Built for another processor.
    #[error("{}: built for another architecture: found {found}, wanted {wanted}", .file.display())]
    OtherArchitecture {
        /// The file.
        file: PathBuf,
        /// What it was built for.
        found: String,
        /// What this host is.
        wanted: &'static str,
    },
    /// A library without our manifest.
    #[error("{}: no jackfield plugin inside: the symbol {} is missing", .file.display(), jackfield_plugin_abi::manifest::MANIFEST_SYMBOL)]
    NoPlugin {
        /// The file.
        file: PathBuf,
    },
    /// Built for another major of the interface.
    #[error("{}: built for an incompatible abi: found {found}, wanted {wanted}.x", .file.display())]
    IncompatibleAbi {
        /// The file.
        file: PathBuf,
        /// The plugin's abi version.
        found: String,
        /// The host's abi major.
        wanted: u32,
    },
    /// Another library than the operator has accepted.
    #[error("{}: not as it is in jackfield.lock: found the {what} {found}, wanted {wanted}", .file.display())]
    NotAsLocked {
        /// The file.
        file: PathBuf,
        /// Which of its marks differs.
        what: &'static str,
        /// The library's.
        found: String,
        /// The accepted one's.
        wanted: String,
    },
    /// The system's loader or the layout check refused it.
    #[error("{}: cannot be loaded: {found}", .file.display())]
    NotLoadable {
        /// The file.
        file: PathBuf,
        /// What the loader said.
        found: String,
    },
    /// Nothing would hold it as the operator demands.
    #[error("{}: cannot be held: this system lacks {missing}", .file.display())]
    NotHeld {
        /// The file.
        file: PathBuf,
        /// The missing parts of the sandbox, each with why.
        missing: String,
    },
    /// The system gave it no process.
    #[error("{}: no worker can be started for it: {found}", .file.display())]
    NoWorker {
        /// The file.
        file: PathBuf,
        /// What the system said.
        found: String,
    },
    /// The author's code failed while the library's providers were listed or made.
    #[error("{}: {during}: {found}", .file.display())]
    Failed {
        /// The file.
        file: PathBuf,
        /// What was being done.
        during: String,
        /// What the plugin said.
        found: String,
    },
    /// A provider id that cannot stand in a URL or is taken by the host's own configuration.
    #[error("{}: exports a provider with the id `{id}`, which is not allowed", .file.display())]
    BadId {
        /// The file.
        file: PathBuf,
        /// The id.
        id: String,
    },
    /// A provider that declares something as a host that is none.
    #[error("{}: its provider `{id}` declares `{}`, which is not a host", .file.display(), .host.escape_debug())]
    BadHost {
        /// The file.
        file: PathBuf,
        /// The provider.
        id: String,
        /// What it declares.
        host: String,
    },
    /// Two providers with one id.
    #[error("two providers with the id `{id}`: {} and {}", .first.display(), .second.display())]
    DuplicateId {
        /// The id.
        id: String,
        /// The library that came first.
        first: PathBuf,
        /// The library that came second.
        second: PathBuf,
    },
}

impl Refusal {
    /// What the operator can do about it.
    #[must_use]
    pub fn mend(&self) -> String {
        match self {
            Self::NotFound { .. } => "put the library there, add its folder to plugins.path, or list its path instead",
            Self::Unreadable { .. } => "check the path and that the host's user may read the file",
            Self::NotALibrary { .. } => "list the plugin's .so file, as `cargo build --release` makes it for a cdylib",
            Self::Truncated { .. } => "copy the file again; it was probably cut while being copied",
            Self::OtherArchitecture { .. } => "get or build the plugin for this machine's architecture",
            Self::NoPlugin { .. } => "check that it is a plugin: its source ends in `export_providers!(…)`",
            Self::IncompatibleAbi { .. } => "get a build of the plugin for this host's abi, or a host for the plugin's",
            Self::NotAsLocked { .. } => {
                "put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`"
            }
            Self::NotLoadable { .. } => {
                "rebuild the plugin against jackfield-plugin 1.x and link only the system's libc"
            }
            Self::NotHeld { .. } => {
                "run on a kernel that has landlock and seccomp switched on (Linux 5.13 or later), or let plugins run with what there is: \
                 [plugins] sandbox = \"best-effort\""
            }
            Self::NoWorker { .. } => "let the host's user start processes, and mount /proc where the host runs",
            Self::Failed { .. } | Self::BadHost { .. } => "report this to the plugin's author",
            Self::BadId { .. } => "ids are 1 to 64 of a-z, 0-9, - and _, and not a section of the configuration file",
            Self::DuplicateId { .. } => "list only one of the two",
        }
        .to_owned()
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "nothing, since plugins.path is empty".to_owned() } else { paths.join(", ") }
}
