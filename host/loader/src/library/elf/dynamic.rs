//! The dynamic section: what the system's loader is asked to do.

use super::{
    image::Image,
    tags::{self, FILTER_BITS, FILTERS, FLAG_TEXTREL},
};
use crate::elf_fault::ElfFault;

/// Bytes of an entry: a tag and a value.
pub(super) const ENTRY_SIZE: u64 = 16;
/// Linkers write about thirty.
const MAX_ENTRIES: u64 = 512;

/// The libraries that a plugin may need: the parts of the C library, and what compilers add.
pub(crate) const MAY_NEED: [&str; 10] = [
    "libc.so.6",
    "libm.so.6",
    "libgcc_s.so.1",
    "libdl.so.2",
    "libpthread.so.0",
    "librt.so.1",
    "libutil.so.1",
    "ld-linux-x86-64.so.2",
    "ld-linux-aarch64.so.1",
    "ld-linux-riscv64-lp64d.so.1",
];

/// The entries up to the one that ends them.
pub(super) struct Dynamic {
    /// Tags and values.
    pub(super) entries: Vec<(u64, u64)>,
}

impl Dynamic {
    /// Reads the entries as the loader does: from the mapped address, to the first of tag 0.
    pub(super) fn parse(image: &Image<'_>) -> Result<Self, ElfFault> {
        let malformed = ElfFault::Malformed("a dynamic section that cannot be read");
        let mut entries = Vec::new();
        for at in 0..MAX_ENTRIES {
            let address = image.dynamic.checked_add(at * ENTRY_SIZE).ok_or(malformed.clone())?;
            // Both in one segment, or a copy could not be written.
            let whole = image.at(address, ENTRY_SIZE);
            let whole = whole.and_then(|_| image.word(address).zip(image.word(address + 8)));
            match whole.ok_or(malformed.clone())? {
                (tags::NULL, _) => return Ok(Self { entries }),
                entry => entries.push(entry),
            }
        }
        Err(malformed)
    }

    /// Bytes of all entries, with the one that ends them.
    pub(super) fn size(&self) -> u64 {
        (self.entries.len() as u64 + 1) * ENTRY_SIZE
    }

    /// The value of a tag. The loader takes the last.
    pub(super) fn value(&self, tag: u64) -> Option<u64> {
        self.entries.iter().rev().find(|(found, _)| *found == tag).map(|(_, value)| *value)
    }

    /// The libraries that it needs.
    pub(super) fn needed(&self, image: &Image<'_>) -> Vec<String> {
        let needed = self.entries.iter().filter(|(tag, _)| *tag == tags::NEEDED);
        needed.map(|(_, name)| self.text(image, *name)).collect()
    }

    /// Refuses what the loader must not be asked for.
    pub(super) fn check(&self, image: &Image<'_>) -> Result<(), ElfFault> {
        if let Some(name) = self.needed(image).into_iter().find(|name| !MAY_NEED.contains(&name.as_str())) {
            return Err(ElfFault::Needs(name));
        }
        self.entries.iter().try_for_each(|(tag, value)| self.check_entry(image, *tag, *value))
    }

    fn check_entry(&self, image: &Image<'_>, tag: u64, value: u64) -> Result<(), ElfFault> {
        match tag {
            tags::TEXTREL => Err(ElfFault::TextRelocations),
            tags::FLAGS if value & FLAG_TEXTREL != 0 => Err(ElfFault::TextRelocations),
            tags::RPATH | tags::RUNPATH => Err(ElfFault::SearchPath(self.text(image, value))),
            tag if FILTERS.contains(&(tag & FILTER_BITS)) => Err(ElfFault::Filter(self.text(image, value))),
            _ => Ok(()),
        }
    }

    /// A text of the string table; empty if there is none.
    fn text(&self, image: &Image<'_>, offset: u64) -> String {
        let address = self.value(tags::STRTAB).and_then(|table| table.checked_add(offset));
        address.and_then(|address| image.text(address)).unwrap_or_default()
    }
}
