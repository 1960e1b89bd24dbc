//! Plain data of a library that has not run: found by its exported symbol.

use object::{
    Endianness, Object, ObjectSymbol,
    elf::PT_LOAD,
    read::elf::{ElfFile64, ProgramHeader},
};

/// The bytes of an exported static: as long as its symbol says, within the file's part of one
/// loadable segment. `None` if there is no such symbol, or it leads anywhere else.
pub(super) fn exported_data<'a>(library: &'a [u8], symbol: &str) -> Option<&'a [u8]> {
    let file = ElfFile64::<Endianness>::parse(library).ok()?;
    let symbol = file.dynamic_symbols().find(|found| found.name() == Ok(symbol))?;
    let (endian, address) = (file.endian(), symbol.address());
    let end = address.checked_add(symbol.size())?;
    let segment = file.elf_program_headers().iter().find(|segment| {
        let (start, length) = (segment.p_vaddr(endian), segment.p_filesz(endian));
        let is_within = start <= address && start.checked_add(length).is_some_and(|segment_end| end <= segment_end);
        segment.p_type(endian) == PT_LOAD && is_within
    })?;
    let offset = (address - segment.p_vaddr(endian)).checked_add(segment.p_offset(endian))?;
    let offset = usize::try_from(offset).ok()?;
    library.get(offset..offset.checked_add(usize::try_from(symbol.size()).ok()?)?)
}
