//! What the system's loader writes into a library: its own data, and nothing that the loader reads
//! or another library owns. None of it may ask the library.

use std::ops::Range;

use super::{dynamic::Dynamic, image::Image, symbols::Symbols, tags};
use crate::elf_fault::ElfFault;

/// Bytes of a relocation with its addend.
const RELA_SIZE: u64 = 24;
/// Bytes that most kinds write.
const WORD: u64 = 8;

const UNREADABLE: ElfFault = ElfFault::Malformed("relocations that cannot be read");
const ELSEWHERE: ElfFault = ElfFault::Malformed("a relocation outside of the library's own data");

/// How this architecture numbers the kinds of relocation.
struct Kinds {
    /// Those that write one word.
    words: &'static [u32],
    /// That of a thread-local variable, which writes two.
    tls_descriptor: u32,
    /// That which calls the library.
    irelative: u32,
}

const KINDS: Kinds = if cfg!(target_arch = "x86_64") {
    Kinds { words: &[0, 1, 6, 7, 8, 16, 17, 18], tls_descriptor: 36, irelative: 37 }
} else if cfg!(target_arch = "aarch64") {
    Kinds { words: &[0, 257, 1025, 1026, 1027, 1028, 1029, 1030], tls_descriptor: 1031, irelative: 1032 }
} else {
    Kinds { words: &[0, 2, 3, 5, 7, 9, 11], tls_descriptor: 12, irelative: 58 }
};

/// Checks every relocation.
pub(super) fn check(image: &Image<'_>, dynamic: &Dynamic, symbols: &Symbols) -> Result<(), ElfFault> {
    let relas = [table(dynamic, tags::RELA, tags::RELA_SIZE)?, table(dynamic, tags::JMPREL, tags::PLT_REL_SIZE)?];
    let relr = table(dynamic, tags::RELR, tags::RELR_SIZE)?;
    let entries = || relas.iter().flat_map(|table| table.clone().step_by(RELA_SIZE as usize));
    let mut last = 0;
    for address in entries() {
        let (_, symbol) = relocation(image, address)?;
        symbols.check_symbol(image, symbol)?;
        last = last.max(symbol);
    }
    let own = image.dynamic..image.dynamic.saturating_add(dynamic.size());
    let read = [vec![own, relr.clone()], relas.to_vec(), symbols.memory(last).to_vec()].concat();
    let is_own = |memory: &Range<u64>| image.is_writable(memory) && !read.iter().any(|read| overlap(read, memory));
    let check = |memory: Range<u64>| if is_own(&memory) { Ok(()) } else { Err(ELSEWHERE) };
    entries().try_for_each(|address| relocation(image, address)?.0.map_or(Ok(()), check))?;
    check_relative(image, &relr, check)
}

fn overlap(one: &Range<u64>, other: &Range<u64>) -> bool {
    one.start < other.end && other.start < one.end
}

/// Addresses of a table; an empty range if there is none.
fn table(dynamic: &Dynamic, start: u64, size: u64) -> Result<Range<u64>, ElfFault> {
    match (dynamic.value(start), dynamic.value(size)) {
        (Some(start), Some(size)) => Ok(start..start.checked_add(size).ok_or(UNREADABLE)?),
        (None, None | Some(0)) => Ok(0..0),
        _ => Err(UNREADABLE),
    }
}

/// What a relocation writes, and the symbol it looks up.
fn relocation(image: &Image<'_>, address: u64) -> Result<(Option<Range<u64>>, u64), ElfFault> {
    let entry = image.at(address, RELA_SIZE);
    let entry = entry.and_then(|_| image.word(address).zip(image.word(address + 8)));
    let (offset, info) = entry.ok_or(UNREADABLE)?;
    let [kind, symbol] = [info & u64::from(u32::MAX), info >> 32];
    let length = match u32::try_from(kind).unwrap_or(u32::MAX) {
        0 => return Ok((None, symbol)),
        kind if kind == KINDS.irelative => return Err(ElfFault::Ifunc),
        kind if kind == KINDS.tls_descriptor => 2 * WORD,
        kind if KINDS.words.contains(&kind) => WORD,
        _ => return Err(ElfFault::Malformed("a kind of relocation that no plugin needs")),
    };
    Ok((Some(offset..offset.checked_add(length).ok_or(ELSEWHERE)?), symbol))
}

/// Checks what the compact table of relative relocations writes: an even word is an address, an odd
/// one a bitmap of the 63 words behind the last.
fn check_relative(
    image: &Image<'_>,
    table: &Range<u64>,
    check: impl Fn(Range<u64>) -> Result<(), ElfFault>,
) -> Result<(), ElfFault> {
    let word_at = |start: u64| Some(start..start.checked_add(WORD)?);
    let mut next: u64 = 0;
    for address in table.clone().step_by(WORD as usize) {
        let word = image.word(address).ok_or(UNREADABLE)?;
        if word & 1 == 0 {
            let memory = word_at(word).ok_or(ELSEWHERE)?;
            next = memory.end;
            check(memory)?;
            continue;
        }
        for bit in (0..63).filter(|bit| word >> (bit + 1) & 1 == 1) {
            check(next.checked_add(bit * WORD).and_then(word_at).ok_or(ELSEWHERE)?)?;
        }
        next = next.checked_add(63 * WORD).ok_or(ELSEWHERE)?;
    }
    Ok(())
}
