//! A plugin's file, read once and checked by its bytes before any of them runs.
//!
//! A truncated library kills the process that opens it (SIGBUS), and the system's loader does more
//! for a library than to map it. So the file is checked first, and what is opened is a copy of
//! exactly the bytes that were checked, without its constructors (see [`elf`]).

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use jackfield_plugin_abi::{
    ABI_MAJOR,
    manifest::{MANIFEST_SYMBOL, Manifest, PROVIDERS_SYMBOL, parse_provider_ids},
};
use object::{
    Endianness, FileKind,
    elf::{EM_AARCH64, EM_RISCV, EM_X86_64, ET_DYN, FileHeader64},
    read::elf::{FileHeader, ProgramHeader},
};

use super::{digest::digest, elf, exported_data::exported_data};
use crate::{elf_fault::ElfFault, refusal::Refusal};

/// Largest library that is read, in bytes. A plugin with debug information has some 50 MiB.
const MAX_SIZE: u64 = 256 << 20;

/// A readable library of this machine's architecture with a manifest this host accepts.
pub struct LibraryFile {
    path: PathBuf,
    bytes: Vec<u8>,
    manifest: Manifest,
    needed: Vec<String>,
    digest: String,
    signer: Option<String>,
}

impl LibraryFile {
    /// Reads and checks a file, wherever it lies. For the file's author; an operator's is read by
    /// [`verify_file`](crate::verify_file).
    ///
    /// # Errors
    /// The first reason to refuse it.
    pub fn read(path: &Path) -> Result<Self, Refusal> {
        Self::read_from(path, open(path)?)
    }

    /// Reads and checks an open file. The path is for the messages.
    pub(super) fn read_from(path: &Path, file: File) -> Result<Self, Refusal> {
        let bytes = read_whole(path, file)?;
        let manifest = check(path, &bytes)?;
        let needed = elf::check(&bytes).map_err(|fault| unsafe_to_open(path, fault))?;
        let digest = digest(&bytes);
        Ok(Self { path: path.to_owned(), bytes, manifest, needed, digest, signer: None })
    }

    /// The same, signed by the trusted key of that id.
    pub(super) fn signed_by(self, signer: Option<String>) -> Self {
        Self { signer, ..self }
    }

    /// Where it was read.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// All of it.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What is opened: the checked bytes, with constructors that run when they are called.
    pub(crate) fn bytes_to_open(&self) -> Result<Vec<u8>, Refusal> {
        elf::with_deferred_constructors(&self.bytes).map_err(|fault| unsafe_to_open(&self.path, fault))
    }

    /// The libraries that it needs, all of them the system's.
    pub(crate) fn needed(&self) -> &[String] {
        &self.needed
    }

    pub(super) const fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The ids of its providers, as its data say; `None` if it was built without them.
    #[must_use]
    pub fn provider_ids(&self) -> Option<Vec<String>> {
        parse_provider_ids(exported_data(&self.bytes, PROVIDERS_SYMBOL)?)
    }

    /// SHA-256 of its bytes, in lower-case hex.
    #[must_use]
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// Id of the trusted key that signed it; `None` if no signature was required.
    #[must_use]
    pub fn signer(&self) -> Option<&str> {
        self.signer.as_deref()
    }

    /// SHA-256 of a file's bytes, in lower-case hex, whatever the file is.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn digest_of(path: &Path) -> Result<String, Refusal> {
        Ok(digest(&read_whole(path, open(path)?)?))
    }
}

fn open(path: &Path) -> Result<File, Refusal> {
    File::open(path).map_err(|error| Refusal::Unreadable { file: path.to_owned(), error })
}

fn unsafe_to_open(path: &Path, fault: ElfFault) -> Refusal {
    Refusal::UnsafeToOpen { file: path.to_owned(), fault }
}

fn read_whole(path: &Path, file: File) -> Result<Vec<u8>, Refusal> {
    let too_large = || Refusal::TooLarge { file: path.to_owned(), wanted: MAX_SIZE };
    if file.metadata().is_ok_and(|metadata| metadata.len() > MAX_SIZE) {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    // The limit once more, for a file that grows meanwhile and for what has no length.
    match file.take(MAX_SIZE + 1).read_to_end(&mut bytes) {
        Ok(length) if length as u64 > MAX_SIZE => Err(too_large()),
        Ok(_) => Ok(bytes),
        Err(error) => Err(Refusal::Unreadable { file: path.to_owned(), error }),
    }
}

fn check(path: &Path, bytes: &[u8]) -> Result<Manifest, Refusal> {
    let header = elf_header(path, bytes)?;
    check_architecture(path, header)?;
    check_length(path, bytes, header)?;
    let manifest = manifest(bytes).ok_or_else(|| Refusal::NoPlugin { file: path.to_owned() })?;
    if manifest.abi_major() != ABI_MAJOR {
        let found = format!("{}.{}", manifest.abi_major(), manifest.abi_minor());
        return Err(Refusal::IncompatibleAbi { file: path.to_owned(), found, wanted: ABI_MAJOR });
    }
    Ok(manifest)
}

type Header = FileHeader64<Endianness>;

fn elf_header<'a>(path: &Path, bytes: &'a [u8]) -> Result<&'a Header, Refusal> {
    let refused = |found: String| Refusal::NotALibrary { file: path.to_owned(), found };
    match FileKind::parse(bytes) {
        Ok(FileKind::Elf64) => {}
        Ok(FileKind::Elf32) => return Err(other_architecture(path, "a 32-bit ELF".to_owned())),
        _ => return Err(refused(kind_of(bytes))),
    }
    let header = Header::parse(bytes).map_err(|error| refused(error.to_string()))?;
    let endian = header.endian().map_err(|error| refused(error.to_string()))?;
    if header.e_type(endian) == ET_DYN { Ok(header) } else { Err(refused("an ELF file of another type".to_owned())) }
}

/// What a file is instead of an ELF library, for the person who listed it.
fn kind_of(bytes: &[u8]) -> String {
    match bytes {
        [] => "an empty file".to_owned(),
        [0x7f, b'E', b'L', b'F', ..] => "the beginning of an ELF file".to_owned(),
        [b'M', b'Z', ..] => "a Windows program or library".to_owned(),
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xca, 0xfe, 0xba, 0xbe, ..] => "a macOS program or library".to_owned(),
        [b'!', b'<', b'a', b'r', ..] => "a static archive".to_owned(),
        _ if std::str::from_utf8(&bytes[..bytes.len().min(64)]).is_ok() => "a text file".to_owned(),
        _ => "other bytes".to_owned(),
    }
}

fn check_architecture(path: &Path, header: &Header) -> Result<(), Refusal> {
    let endian = header.endian().unwrap_or_default();
    let wanted = match std::env::consts::ARCH {
        "x86_64" => EM_X86_64,
        "aarch64" => EM_AARCH64,
        _ => EM_RISCV,
    };
    let found = header.e_machine(endian);
    if found == wanted { Ok(()) } else { Err(other_architecture(path, machine_name(found))) }
}

fn other_architecture(path: &Path, found: String) -> Refusal {
    Refusal::OtherArchitecture { file: path.to_owned(), found, wanted: std::env::consts::ARCH }
}

fn machine_name(machine: object::elf::Machine) -> String {
    match machine {
        EM_X86_64 => "x86_64".to_owned(),
        EM_AARCH64 => "aarch64".to_owned(),
        EM_RISCV => "riscv64".to_owned(),
        other => format!("ELF machine {}", other.0),
    }
}

/// Compares the file's length with the last byte that its own tables mention.
fn check_length(path: &Path, bytes: &[u8], header: &Header) -> Result<(), Refusal> {
    let endian = header.endian().unwrap_or_default();
    let found = bytes.len() as u64;
    let table = |offset: u64, count: u16, size: u16| offset.saturating_add(u64::from(count) * u64::from(size));
    let tables = [
        table(header.e_phoff(endian), header.e_phnum(endian), header.e_phentsize(endian)),
        table(header.e_shoff(endian), header.e_shnum(endian), header.e_shentsize(endian)),
    ];
    let segments = header.program_headers(endian, bytes).unwrap_or_default();
    let ends = segments.iter().map(|segment| segment.p_offset(endian).saturating_add(segment.p_filesz(endian)));
    let wanted = tables.into_iter().chain(ends).max().unwrap_or_default();
    if wanted > found { Err(Refusal::Truncated { file: path.to_owned(), found, wanted }) } else { Ok(()) }
}

/// Reads the manifest.
fn manifest(bytes: &[u8]) -> Option<Manifest> {
    Manifest::parse(exported_data(bytes, MANIFEST_SYMBOL)?)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn refusal_of(bytes: &[u8]) -> String {
        let mut file = tempfile::Builder::new().suffix(".so").tempfile().expect("a temporary file");
        file.write_all(bytes).expect("it can be written");
        let refusal = LibraryFile::read(file.path()).err().expect("it is no plugin");
        refusal.to_string().replace(&file.path().display().to_string(), "FILE")
    }

    #[test]
    fn what_is_no_library_is_named() {
        let cases: [(&[u8], &str); 5] = [
            (b"", "an empty file"),
            (b"#!/bin/sh\n", "a text file"),
            (b"\x7fELF", "the beginning of an ELF file"),
            (b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff", "a Windows program or library"),
            (b"!<arch>\n", "a static archive"),
        ];
        for (bytes, found) in cases {
            assert_eq!(refusal_of(bytes), format!("FILE: not a library: found {found}, wanted an ELF shared library"));
        }
    }

    /// The file has holes, so that it takes no space.
    #[test]
    fn a_library_that_is_too_large_is_not_read() {
        let file = tempfile::Builder::new().suffix(".so").tempfile().expect("a temporary file");
        file.as_file().set_len(MAX_SIZE + 1).expect("a file with a hole");
        for refusal in [LibraryFile::read(file.path()).err(), LibraryFile::digest_of(file.path()).err()] {
            let message = refusal.expect("it is too large").to_string();
            assert!(message.ends_with("found more than 268435456 bytes, wanted a library"), "{message}");
        }
    }

    #[test]
    fn a_missing_file_is_said_with_its_path() {
        let refusal = LibraryFile::read(Path::new("/nowhere/libacme.so")).err().expect("it is not there");
        insta::assert_snapshot!(refusal, @"/nowhere/libacme.so: No such file or directory (os error 2)");
    }
}
