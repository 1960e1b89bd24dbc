//! What a library must not ask of the system's loader, in words for its author.

use thiserror::Error;

/// Why a library is not opened, whatever its code does.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum ElfFault {
    /// Its stack, and with it every stack of the process, would become executable.
    #[error("found an executable stack, wanted a stack that holds data only")]
    ExecutableStack,
    /// A segment that is written and executed.
    #[error("found memory that is both written and executed, wanted one or the other")]
    WritableCode,
    /// The loader would write into its code.
    #[error("found text relocations, wanted position-independent code")]
    TextRelocations,
    /// It says where to look for further libraries (RPATH, RUNPATH).
    #[error("found the search path {0:?} (RPATH or RUNPATH), wanted none")]
    SearchPath(String),
    /// Another library would be opened in its place (`DT_FILTER`, `DT_AUXILIARY`).
    #[error("found a filter for the library {0:?}, wanted none")]
    Filter(String),
    /// A library beside the C library.
    #[error("needs the library {0:?}, wanted nothing but the C library (libc, libm, libgcc_s and their like)")]
    Needs(String),
    /// Functions that the loader would call to learn which function to use.
    #[error("found functions that choose themselves while it is opened (IFUNC), wanted none")]
    Ifunc,
    /// Nothing that a linker writes.
    #[error("found {0}, wanted a library as linkers write it")]
    Malformed(&'static str),
}

impl ElfFault {
    /// What its author can do.
    pub(crate) const fn help(&self) -> &'static str {
        match self {
            Self::ExecutableStack => {
                "link it with `-z noexecstack`, and give each assembly file a `.note.GNU-stack` section"
            }
            Self::WritableCode => "link it without `-N` or `--omagic`, and with an ordinary linker script",
            Self::TextRelocations => "build all of it with `-fPIC`, and link it with `-z text`",
            Self::SearchPath(_) => "link it without `-rpath`, or remove the path: `patchelf --remove-rpath FILE`",
            Self::Filter(_) => "link it without `--filter` and `--auxiliary`",
            Self::Needs(_) => "link that library statically: a worker opens no files",
            Self::Ifunc => "build it without `target_clones` and `ifunc`; choose in the first call instead",
            Self::Malformed(_) => "build it again with an ordinary linker",
        }
    }
}
