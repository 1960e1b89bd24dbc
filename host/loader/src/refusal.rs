//! Why a plugin is refused, in words that an operator can act on.

use std::{
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use jackfield_config::text_file::unreadable;
use thiserror::Error;

use crate::dispute::Dispute;
use crate::elf_fault::ElfFault;

/// Why a plugin is refused: what was found, and what was wanted. [`Refusal::help`] says what to do.
#[derive(Debug, Error)]
pub enum Refusal {
    /// A name that is in none of the folders.
    #[error("no plugin named `{name}`: looked for {}{}", listed(.looked), without_folders(.missing))]
    NotFound {
        /// What the operator wrote.
        name: String,
        /// The files that would have been it.
        looked: Vec<PathBuf>,
        /// The folders that are not there.
        missing: Vec<PathBuf>,
        /// The name of a library there that was likely meant.
        near: Option<String>,
    },
    /// Text that is neither a path nor a name.
    #[error(
        "not a plugin's name: found {name:?}, wanted 1 to 64 of A-Z, a-z, 0-9, `.`, `-` and `_`, and no dot in front"
    )]
    NotAName {
        /// What the operator wrote.
        name: String,
    },
    /// A path with `..` or a NUL in it.
    #[error("{entry:?}: found {found}, wanted a path without it")]
    NotAPath {
        /// What the operator wrote.
        entry: String,
        /// What must not be in it.
        found: &'static str,
    },
    /// A path that cannot be read.
    #[error("{}: {error}", .file.display())]
    Unreadable {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A symbolic link in the place of a file.
    #[error("{}: found a symbolic link, wanted the file itself", .file.display())]
    SymbolicLink {
        /// The link.
        file: PathBuf,
    },
    /// A folder, a pipe, a device.
    #[error("{}: found {found}, wanted the file itself", .file.display())]
    NotAFile {
        /// What was listed.
        file: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file that others can change or replace.
    #[error("{}: others can write {}: found the mode {mode:04o}, wanted {:04o}", .file.display(), placed(.file, .place), mode & !0o022)]
    WritableByOthers {
        /// The file.
        file: PathBuf,
        /// The file itself or a folder it is in.
        place: PathBuf,
        /// The place's permissions.
        mode: u32,
    },
    /// A file, or one of its folders, that belongs to neither root nor the host's user.
    #[error("{}: somebody else owns {}: found the user {owner}, wanted {}", .file.display(), placed(.file, .place), owners(*.ours))]
    ForeignOwner {
        /// The file.
        file: PathBuf,
        /// The file itself or a folder it is in.
        place: PathBuf,
        /// The place's owner.
        owner: u32,
        /// The host's user.
        ours: u32,
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
    /// A library that asks the system's loader for more than to be mapped.
    #[error("{}: {fault}", .file.display())]
    UnsafeToOpen {
        /// The file.
        file: PathBuf,
        /// What it asks for.
        fault: ElfFault,
    },
    /// More bytes than a library has.
    #[error("{}: too large: found more than {wanted} bytes, wanted a library", .file.display())]
    TooLarge {
        /// The file.
        file: PathBuf,
        /// The most that is read.
        wanted: u64,
    },
    /// A library without a signature, if one is required.
    #[error("{}: not signed: found no {}, wanted a signature by one of plugins.trusted-keys", .file.display(), .signature.display())]
    NotSigned {
        /// The library.
        file: PathBuf,
        /// Where its signature would be.
        signature: PathBuf,
    },
    /// A file that is not a signature.
    #[error("{}: not a signature: found {found}, wanted minisign's format, over its hash", .file.display())]
    NotASignature {
        /// The signature's file.
        file: PathBuf,
        /// What is in it.
        found: &'static str,
    },
    /// Signed by somebody the operator does not know.
    #[error("{}: signed by a key that is not trusted: found {found}, wanted {wanted}", .file.display())]
    UntrustedSigner {
        /// The library.
        file: PathBuf,
        /// Id of the key it is signed by.
        found: String,
        /// Ids of the trusted keys.
        wanted: String,
    },
    /// The signature of another file.
    #[error("{}: its signature does not fit: found other bytes, wanted those that the key {signer} has signed", .file.display())]
    SignatureDoesNotFit {
        /// The library.
        file: PathBuf,
        /// Id of the key the signature names.
        signer: String,
    },
    /// A lock that cannot be read.
    #[error("{}: {error}", .file.display())]
    BadLock {
        /// The lock.
        file: PathBuf,
        /// What is wrong with it.
        error: String,
    },
    /// A lock that cannot be written.
    #[error("{}: {error}", .file.display())]
    LockNotWritten {
        /// The lock.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another library than the operator has accepted.
    #[error("{}: not as it is in jackfield.lock: found the {what} {found}, wanted {wanted}", .file.display())]
    NotAsLocked {
        /// The file.
        file: PathBuf,
        /// Which of its properties differs.
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
    /// The operator requires the whole sandbox, and the system lacks a part.
    #[error("{}: cannot be held: this system lacks {missing}", .file.display())]
    NotSandboxed {
        /// The file.
        file: PathBuf,
        /// The missing parts of the sandbox, each with why.
        missing: String,
        /// What to do, if it is known better than for all systems.
        help: Option<String>,
    },
    /// The system gave it no process.
    #[error("{}: no worker can be started for it: {found}", .file.display())]
    NoWorker {
        /// The file.
        file: PathBuf,
        /// What the system said.
        found: String,
        /// What to do, if it is known better than for all systems.
        help: Option<String>,
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
    /// A provider id that cannot be in a URL, or is a section of the configuration.
    #[error("{}: exports a provider with the id `{id}`, which is not allowed", .file.display())]
    BadId {
        /// The file.
        file: PathBuf,
        /// The id.
        id: String,
    },
    /// A provider that declares a host that is not one.
    #[error("{}: its provider `{id}` declares `{}`, which is not a host", .file.display(), .host.escape_debug())]
    BadHost {
        /// The file.
        file: PathBuf,
        /// The provider.
        id: String,
        /// What it declares.
        host: String,
    },
    /// A provider that belongs to another plugin.
    #[error("{}: {dispute}", .file.display())]
    NotItsProvider {
        /// The file.
        file: PathBuf,
        /// Whose it is.
        dispute: Dispute,
    },
    /// A library whose code names other providers than its data.
    #[error("{}: lists the providers {}, and its data say {}", .file.display(), .found.join(", "), .wanted.join(", "))]
    OtherProviders {
        /// The file.
        file: PathBuf,
        /// What its code says.
        found: Vec<String>,
        /// What its data say.
        wanted: Vec<String>,
    },
    /// A plugin whose start takes too long, as with many slow providers.
    #[error("{entry}: not ready after {} s: its library was not opened, or its providers were not made by then", .deadline.as_secs())]
    NotInTime {
        /// The entry of `default-integrations`.
        entry: String,
        /// The longest time that a start may take.
        deadline: Duration,
    },
}

const STICKY: u32 = 0o1000;

impl Refusal {
    /// What the operator can do about it.
    #[must_use]
    pub fn help(&self) -> String {
        let text = match self {
            // Others are meant to write a sticky folder, like /tmp: `chmod` would break it for
            // them.
            Self::WritableByOthers { file, place, mode } if file != place && mode & STICKY != 0 => {
                let name = Path::new(file.file_name().unwrap_or_default()).display();
                return format!("put {name} into a folder that only root and the host's user can write");
            }
            Self::WritableByOthers { place, .. } => return format!("chmod go-w {}", place.display()),
            Self::ForeignOwner { place, .. } => return format!("chown root {}", place.display()),
            Self::NotSigned { file, .. } => {
                return format!("if you trust it, sign it: `jackfield plugin sign {} --key FILE`", file.display());
            }
            Self::NotFound { near: Some(near), .. } => return format!("did you mean `{near}`?"),
            Self::NotFound { missing, looked, .. } if looked.len() <= 3 * missing.len() && !missing.is_empty() => {
                "create the folder, or correct plugins.path"
            }
            Self::NotFound { .. } => "put the library there, add its folder to plugins.path, or list its path instead",
            Self::NotAName { .. } => "write the file's name without `lib` and `.so`, or the path of the library",
            Self::NotAPath { .. } => {
                "write the library's path from the root, or from the folder the host is started in"
            }
            Self::SymbolicLink { .. } => {
                "put the file itself in the link's place, as `install -m 644 FILE FOLDER` does"
            }
            Self::NotAFile { .. } => "put a regular file there, or name another",
            Self::Unreadable { file, error } if error.kind() == io::ErrorKind::PermissionDenied => {
                return unreadable(file, error).help;
            }
            Self::Unreadable { .. } => "check the path and that the host's user may read the file",
            Self::NotALibrary { .. } => "list the plugin's .so file, as `cargo build --release` makes it for a cdylib",
            Self::Truncated { .. } => "copy the file again; it was probably cut while being copied",
            Self::OtherArchitecture { .. } => "get or build the plugin for this machine's architecture",
            Self::NoPlugin { .. } => "check that it is a plugin: its source ends in `export_providers!(…)`",
            Self::IncompatibleAbi { .. } => "get a build of the plugin for this host's abi, or a host for the plugin's",
            Self::UnsafeToOpen { fault, .. } => fault.help(),
            Self::TooLarge { .. } => "list the plugin's .so file; `strip` makes it smaller",
            Self::NotASignature { .. } => "sign the library again, with `jackfield plugin sign` or `minisign -S`",
            Self::UntrustedSigner { .. } => {
                "add that key to plugins.trusted-keys if you trust its owner; otherwise do not load it"
            }
            Self::SignatureDoesNotFit { .. } => {
                "get library and signature again from their source; never sign it as it is"
            }
            Self::BadLock { .. } => "write it again with `jackfield plugin lock`",
            Self::LockNotWritten { .. } => "let this user write the folder of the configuration",
            Self::NotAsLocked { .. } => {
                "put the accepted library back; or, if you trust the new one, accept it with `jackfield plugin lock`"
            }
            Self::NotLoadable { .. } => {
                "rebuild the plugin against jackfield-plugin 1.x and link only the system's libc"
            }
            Self::NotSandboxed { help: Some(help), .. } | Self::NoWorker { help: Some(help), .. } => {
                return help.clone();
            }
            Self::NotSandboxed { .. } => {
                "run on a kernel that has landlock and seccomp switched on (Linux 5.13 or later), or let plugins run with what there is: \
                 [plugins] sandbox = \"best-effort\""
            }
            Self::NoWorker { found, .. } if found.contains("os error 24") => {
                "raise the limit of open files, `ulimit -n`"
            }
            Self::Failed { found, .. } if found.contains("SIGSYS") => {
                "the unit or container of the host forbids a system call of the sandbox: with systemd, let SystemCallFilter allow \
                 @system-service landlock_create_ruleset landlock_add_rule landlock_restrict_self seccomp"
            }
            Self::NoWorker { .. } => "let the host's user start processes, and mount /proc where the host runs",
            Self::Failed { .. } | Self::BadHost { .. } | Self::OtherProviders { .. } => {
                "report this to the plugin's author"
            }
            Self::BadId { .. } => "ids are 1 to 64 of a-z, 0-9, - and _, and not a section of the configuration file",
            Self::NotItsProvider { dispute, .. } => return dispute.help(),
            Self::NotInTime { .. } => "report this to the plugin's author, or raise its deadline under [plugins]",
        };
        text.to_owned()
    }

    /// A plugin that did not say which providers it has.
    pub(crate) fn providers_not_listed(file: &Path, error: &impl ToString) -> Self {
        let during = "listing its providers".to_owned();
        Self::Failed { file: file.to_owned(), during, found: error.to_string() }
    }
}

fn listed(paths: &[PathBuf]) -> String {
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    if paths.is_empty() { "nothing, since plugins.path is empty".to_owned() } else { paths.join(", ") }
}

fn without_folders(missing: &[PathBuf]) -> String {
    missing.iter().map(|folder| format!("; there is no folder {}", folder.display())).collect()
}

fn placed(file: &Path, place: &Path) -> String {
    if file == place { "it".to_owned() } else { format!("its folder {}", place.display()) }
}

fn owners(ours: u32) -> String {
    if ours == 0 { "0, root".to_owned() } else { format!("0, root, or {ours}, the host's user") }
}
