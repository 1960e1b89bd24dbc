//! A library as the system's loader maps it: addresses and what is there. Strict, so that what is
//! judged is what is mapped.

use std::ops::Range;

use rustix::param::page_size;

use crate::elf_fault::ElfFault;

const HEADER_SIZE: usize = 64;
const PROGRAM_HEADER_SIZE: usize = 56;
/// Linkers write about ten.
const MAX_PROGRAM_HEADERS: usize = 64;

const PT_LOAD: u32 = 1;
const PT_DYNAMIC: u32 = 2;
const PT_GNU_STACK: u32 = 0x6474_e551;
const EXECUTABLE: u32 = 1;
const WRITABLE: u32 = 2;

/// A library's loadable segments.
pub(super) struct Image<'a> {
    bytes: &'a [u8],
    segments: Vec<Segment>,
    /// Address of the dynamic section.
    pub(super) dynamic: u64,
}

struct Segment {
    flags: u32,
    offset: u64,
    memory: Range<u64>,
    /// Address after the last byte that comes from the file.
    end_in_file: u64,
}

struct ProgramHeader {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    in_file: u64,
    in_memory: u64,
}

impl<'a> Image<'a> {
    /// Reads the program headers of a 64-bit little-endian library.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Self, ElfFault> {
        let headers = program_headers(bytes)?;
        check_stack(&headers)?;
        let loads = headers.iter().filter(|header| header.kind == PT_LOAD);
        let segments: Vec<Segment> = loads.map(|header| segment(header, bytes)).collect::<Result<_, _>>()?;
        check_order(&segments)?;
        let mut dynamic = headers.iter().filter(|header| header.kind == PT_DYNAMIC);
        match (dynamic.next(), dynamic.next()) {
            (Some(one), None) => Ok(Self { bytes, segments, dynamic: one.address }),
            _ => Err(ElfFault::Malformed("none or several dynamic sections")),
        }
    }

    /// Where bytes of an address lie in the file; `None` if they are not all of one segment and in
    /// the file.
    pub(super) fn place(&self, address: u64, length: u64) -> Option<Range<usize>> {
        let end = address.checked_add(length)?;
        let inside = |segment: &&Segment| segment.memory.start <= address && end <= segment.end_in_file;
        let segment = self.segments.iter().find(inside)?;
        let start = usize::try_from(address - segment.memory.start + segment.offset).ok()?;
        Some(start..start.checked_add(usize::try_from(length).ok()?)?)
    }

    /// The bytes at an address.
    pub(super) fn at(&self, address: u64, length: u64) -> Option<&'a [u8]> {
        self.bytes.get(self.place(address, length)?)
    }

    /// The eight bytes at an address.
    pub(super) fn word(&self, address: u64) -> Option<u64> {
        self.at(address, 8)?.try_into().ok().map(u64::from_le_bytes)
    }

    /// The four bytes at an address.
    pub(super) fn half(&self, address: u64) -> Option<u32> {
        self.at(address, 4)?.try_into().ok().map(u32::from_le_bytes)
    }

    /// The text at an address, up to its zero.
    pub(super) fn text(&self, address: u64) -> Option<String> {
        let segment =
            self.segments.iter().find(|segment| (segment.memory.start..segment.end_in_file).contains(&address))?;
        let bytes = self.at(address, segment.end_in_file - address)?;
        let end = bytes.iter().position(|byte| *byte == 0)?;
        Some(String::from_utf8_lossy(&bytes[..end]).into_owned())
    }

    /// Whether the loader may write to these bytes of memory.
    pub(super) fn is_writable(&self, memory: &Range<u64>) -> bool {
        let inside = |segment: &Segment| segment.memory.start <= memory.start && memory.end <= segment.memory.end;
        self.segments.iter().any(|segment| segment.flags & WRITABLE != 0 && inside(segment))
    }
}

fn program_headers(bytes: &[u8]) -> Result<Vec<ProgramHeader>, ElfFault> {
    let malformed = ElfFault::Malformed("program headers that cannot be read");
    let header = bytes.get(..HEADER_SIZE).ok_or(malformed.clone())?;
    let (offset, size, count) = (word(header, 32), short(header, 54), usize::from(short(header, 56)));
    // 5: little-endian, as all architectures that we know.
    if header[5] != 1 || usize::from(size) != PROGRAM_HEADER_SIZE || count > MAX_PROGRAM_HEADERS {
        return Err(malformed);
    }
    let table = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..)?.get(..count * PROGRAM_HEADER_SIZE));
    Ok(table.ok_or(malformed)?.chunks_exact(PROGRAM_HEADER_SIZE).map(program_header).collect())
}

fn program_header(bytes: &[u8]) -> ProgramHeader {
    ProgramHeader {
        kind: half(bytes, 0),
        flags: half(bytes, 4),
        offset: word(bytes, 8),
        address: word(bytes, 16),
        in_file: word(bytes, 32),
        in_memory: word(bytes, 40),
    }
}

/// Without the header, the C library takes an executable stack for wanted.
fn check_stack(headers: &[ProgramHeader]) -> Result<(), ElfFault> {
    let mut stacks = headers.iter().filter(|header| header.kind == PT_GNU_STACK).peekable();
    let is_said = stacks.peek().is_some();
    if is_said && stacks.all(|stack| stack.flags & EXECUTABLE == 0) { Ok(()) } else { Err(ElfFault::ExecutableStack) }
}

fn segment(header: &ProgramHeader, bytes: &[u8]) -> Result<Segment, ElfFault> {
    let malformed = ElfFault::Malformed("a segment that cannot be mapped");
    let ProgramHeader { flags, offset, address, in_file, in_memory, .. } = *header;
    let ends = || Some((address.checked_add(in_memory)?, address.checked_add(in_file)?, offset.checked_add(in_file)?));
    let (end, end_in_file, end_of_file) = ends().ok_or(malformed.clone())?;
    let is_aligned = address.wrapping_sub(offset) % page() == 0;
    if in_file > in_memory || end_of_file > bytes.len() as u64 || end > u64::MAX - page() || !is_aligned {
        return Err(malformed);
    }
    if flags & WRITABLE != 0 && flags & EXECUTABLE != 0 {
        return Err(ElfFault::WritableCode);
    }
    Ok(Segment { flags, offset, memory: address..end, end_in_file })
}

/// Segments that share a page would be mapped over each other.
fn check_order(segments: &[Segment]) -> Result<(), ElfFault> {
    let in_order = |pair: &[Segment]| pair[0].memory.end.next_multiple_of(page()) <= first_page(&pair[1]);
    if segments.windows(2).all(in_order) { Ok(()) } else { Err(ElfFault::Malformed("segments that overlap")) }
}

fn first_page(segment: &Segment) -> u64 {
    segment.memory.start - segment.memory.start % page()
}

fn page() -> u64 {
    page_size() as u64
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from(half(bytes, at)) | u64::from(half(bytes, at + 4)) << 32
}

fn half(bytes: &[u8], at: usize) -> u32 {
    u32::from(short(bytes, at)) | u32::from(short(bytes, at + 2)) << 16
}

fn short(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}
