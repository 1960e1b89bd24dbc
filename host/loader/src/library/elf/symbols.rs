//! The symbols that a lookup in the library can find: none may be a function that chooses.

use std::ops::Range;

use super::{dynamic::Dynamic, image::Image, tags};
use crate::elf_fault::ElfFault;

/// Bytes of a symbol.
const SYMBOL_SIZE: u64 = 24;
/// The low four bits of a symbol's fifth byte.
const TYPE: u8 = 0xf;
const IFUNC: u8 = 10;

const UNREADABLE: ElfFault = ElfFault::Malformed("symbols that cannot be read");

/// The symbol table with its hash table.
pub(super) struct Symbols {
    table: u64,
    count: u64,
    hash: Range<u64>,
}

impl Symbols {
    /// Finds the tables that the loader uses: the GNU hash table, if there is one.
    pub(super) fn parse(image: &Image<'_>, dynamic: &Dynamic) -> Result<Self, ElfFault> {
        let table = dynamic.value(tags::SYMTAB).ok_or(UNREADABLE)?;
        if dynamic.value(tags::SYM_ENTRY).is_some_and(|size| size != SYMBOL_SIZE) {
            return Err(UNREADABLE);
        }
        let gnu = dynamic.value(tags::GNU_HASH).map(|hash| gnu_hash(image, hash));
        let sysv = || dynamic.value(tags::HASH).map(|hash| sysv_hash(image, hash));
        let (hash, count) = gnu.or_else(sysv).flatten().ok_or(UNREADABLE)?;
        Ok(Self { table, count, hash })
    }

    /// Refuses symbols for which the loader would call the library.
    pub(super) fn check(&self, image: &Image<'_>) -> Result<(), ElfFault> {
        (0..self.count).try_for_each(|index| self.check_symbol(image, index))
    }

    /// The same for one symbol.
    pub(super) fn check_symbol(&self, image: &Image<'_>, index: u64) -> Result<(), ElfFault> {
        let address = index.checked_mul(SYMBOL_SIZE).and_then(|offset| self.table.checked_add(offset));
        let symbol = address.and_then(|address| image.at(address, SYMBOL_SIZE)).ok_or(UNREADABLE)?;
        if symbol[4] & TYPE == IFUNC { Err(ElfFault::Ifunc) } else { Ok(()) }
    }

    /// Addresses of the symbols up to this index, at least those that a lookup finds, and of the
    /// hash table.
    pub(super) fn memory(&self, last: u64) -> [Range<u64>; 2] {
        let count = self.count.max(last.saturating_add(1));
        [self.table..self.table.saturating_add(count.saturating_mul(SYMBOL_SIZE)), self.hash.clone()]
    }
}

/// Addresses of a GNU hash table, and how many symbols it leads to.
///
/// <https://flapenguin.me/elf-dt-gnu-hash>: counts, a Bloom filter, buckets, and chains that end
/// with an odd number.
fn gnu_hash(image: &Image<'_>, hash: u64) -> Option<(Range<u64>, u64)> {
    let [buckets, first, words] = [0, 4, 8].map(|at| image.half(hash.checked_add(at)?).map(u64::from));
    let (buckets, first, words) = (buckets?, first?, words?);
    let table = hash.checked_add(16 + words * 8)?;
    let chains = table.checked_add(buckets * 4)?;
    let mut last = 0;
    for at in 0..buckets {
        match u64::from(image.half(table + at * 4)?) {
            0 => {}
            bucket if bucket < first => return None,
            bucket => last = last.max(bucket),
        }
    }
    if last == 0 {
        return Some((hash..chains, first));
    }
    // All chains that go beyond the last bucket's first symbol join its chain.
    while image.half(chains.checked_add((last - first) * 4)?)? & 1 == 0 {
        last += 1;
    }
    Some((hash..chains + (last - first + 1) * 4, last + 1))
}

/// Addresses of a System V hash table, and how many symbols it leads to.
fn sysv_hash(image: &Image<'_>, hash: u64) -> Option<(Range<u64>, u64)> {
    let [buckets, count] = [0, 4].map(|at| image.half(hash.checked_add(at)?).map(u64::from));
    let (buckets, count) = (buckets?, count?);
    for at in 0..buckets + count {
        let index = image.half(hash.checked_add(8 + at * 4)?)?;
        if u64::from(index) >= count {
            return None;
        }
    }
    Some((hash..hash + 8 + (buckets + count) * 4, count))
}
