//! The checked bytes of a library, in memory that nobody can change any more.

use std::{
    fs::File,
    io::{self, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::fs::FileExt,
    },
};

use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, memfd_create};

/// A sealed memory file. The file on disk may be replaced meanwhile.
#[derive(Debug)]
pub(crate) struct SealedLibrary {
    memory: File,
    needed: Vec<String>,
}

impl SealedLibrary {
    /// Seals bytes that need these of the system's libraries.
    pub(crate) fn of(bytes: &[u8], needed: &[String]) -> io::Result<Self> {
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        // Kernels before 6.3 do not know the EXEC flag; newer ones may be set up to demand it.
        let memory = memfd_create("jackfield-plugin", flags | MemfdFlags::EXEC)
            .or_else(|_| memfd_create("jackfield-plugin", flags))?;
        let mut memory = File::from(memory);
        memory.write_all(bytes)?;
        fcntl_add_seals(&memory, SealFlags::WRITE | SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
        Ok(Self { memory, needed: needed.to_vec() })
    }

    /// The system's libraries that it needs.
    pub(crate) fn needed(&self) -> &[String] {
        &self.needed
    }

    /// A second memory file with the same bytes. The first would open as the library that is open
    /// already.
    pub(crate) fn copy(&self) -> io::Result<Self> {
        let length = usize::try_from(self.memory.metadata()?.len()).map_err(io::Error::other)?;
        let mut bytes = vec![0; length];
        self.memory.read_exact_at(&mut bytes, 0)?;
        Self::of(&bytes, &self.needed)
    }
}

impl AsFd for SealedLibrary {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.memory.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sealed_bytes_cannot_be_changed_and_a_copy_has_the_same() {
        let sealed = SealedLibrary::of(b"sealed", &[]).expect("memory files are there");
        assert!(sealed.memory.write_at(b"x", 0).is_err() && sealed.memory.set_len(1).is_err());
        let copy = sealed.copy().expect("it can be read");
        let mut bytes = [0; 6];
        copy.memory.read_exact_at(&mut bytes, 0).expect("six bytes");
        assert_eq!(&bytes, b"sealed");
    }
}
