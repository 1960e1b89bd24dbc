//! The copy of a library that is opened: the same code, and nothing that runs while it is opened.

use super::{
    dynamic::{Dynamic, ENTRY_SIZE},
    image::Image,
    relocations,
    symbols::Symbols,
    tags::{self, KEPT},
};
use crate::elf_fault::ElfFault;

/// Refuses what the system's loader must not be asked for. Results in the libraries that it needs.
pub(crate) fn check(bytes: &[u8]) -> Result<Vec<String>, ElfFault> {
    let image = Image::parse(bytes)?;
    let dynamic = Dynamic::parse(&image)?;
    dynamic.check(&image)?;
    let symbols = Symbols::parse(&image, &dynamic)?;
    symbols.check(&image)?;
    relocations::check(&image, &dynamic, &symbols)?;
    Ok(dynamic.needed(&image))
}

/// A copy of checked bytes in which the constructors stand behind tags that the system's loader
/// does not know, and the destructors are gone.
pub(crate) fn with_deferred_constructors(bytes: &[u8]) -> Result<Vec<u8>, ElfFault> {
    let image = Image::parse(bytes)?;
    let dynamic = Dynamic::parse(&image)?;
    let mut copy = bytes.to_vec();
    let kept = dynamic.entries.iter().filter_map(|(tag, value)| Some((in_copy(*tag)?, *value)));
    let padded = kept.chain(std::iter::repeat((tags::NULL, 0)));
    let addresses = (image.dynamic..).step_by(ENTRY_SIZE as usize).take(dynamic.entries.len());
    for (address, (tag, value)) in addresses.zip(padded) {
        let place = image.place(address, ENTRY_SIZE).ok_or(ElfFault::Malformed("a dynamic section in two parts"))?;
        copy[place].copy_from_slice(&[tag.to_le_bytes(), value.to_le_bytes()].concat());
    }
    Ok(copy)
}

/// The tag that an entry has in the copy; `None` if it is dropped.
fn in_copy(tag: u64) -> Option<u64> {
    tags::late(tag).or_else(|| KEPT.contains(&tag).then_some(tag))
}
