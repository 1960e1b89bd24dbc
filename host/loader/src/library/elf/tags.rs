//! The tags of a dynamic section, from the System V ABI and from `elf.h`.

pub(super) const NULL: u64 = 0;
pub(super) const NEEDED: u64 = 1;
pub(super) const PLT_REL_SIZE: u64 = 2;
pub(super) const PLT_GOT: u64 = 3;
pub(super) const HASH: u64 = 4;
pub(super) const STRTAB: u64 = 5;
pub(super) const SYMTAB: u64 = 6;
pub(super) const RELA: u64 = 7;
pub(super) const RELA_SIZE: u64 = 8;
pub(super) const RELA_ENTRY: u64 = 9;
pub(super) const STR_SIZE: u64 = 10;
pub(super) const SYM_ENTRY: u64 = 11;
pub(super) const INIT: u64 = 12;
pub(super) const RPATH: u64 = 15;
pub(super) const SYMBOLIC: u64 = 16;
pub(super) const PLT_REL: u64 = 20;
pub(super) const TEXTREL: u64 = 22;
pub(super) const JMPREL: u64 = 23;
pub(super) const BIND_NOW: u64 = 24;
pub(super) const INIT_ARRAY: u64 = 25;
pub(super) const INIT_ARRAY_SIZE: u64 = 27;
pub(super) const RUNPATH: u64 = 29;
pub(super) const FLAGS: u64 = 30;
pub(super) const RELR_SIZE: u64 = 35;
pub(super) const RELR: u64 = 36;
pub(super) const RELR_ENTRY: u64 = 37;
pub(super) const GNU_HASH: u64 = 0x6fff_fef5;
pub(super) const TLSDESC_PLT: u64 = 0x6fff_fef6;
pub(super) const TLSDESC_GOT: u64 = 0x6fff_fef7;
pub(super) const VERSYM: u64 = 0x6fff_fff0;
pub(super) const RELA_COUNT: u64 = 0x6fff_fff9;
pub(super) const FLAGS_1: u64 = 0x6fff_fffb;
pub(super) const VERDEF: u64 = 0x6fff_fffc;
pub(super) const VERDEF_COUNT: u64 = 0x6fff_fffd;
pub(super) const VERNEED: u64 = 0x6fff_fffe;
pub(super) const VERNEED_COUNT: u64 = 0x6fff_ffff;

/// `DT_AUXILIARY` and `DT_FILTER`. The C library looks at the low 31 bits of a tag only.
pub(super) const FILTERS: [u64; 2] = [0x7fff_fffd, 0x7fff_ffff];
pub(super) const FILTER_BITS: u64 = 0x7fff_ffff;

/// In [`FLAGS`]: as [`TEXTREL`].
pub(super) const FLAG_TEXTREL: u64 = 4;

/// What is left in the copy that is opened. All else is dropped from it: destructors, names for
/// other libraries to find, and what we do not know.
pub(super) const KEPT: [u64; 29] = [
    NEEDED,
    PLT_REL_SIZE,
    PLT_GOT,
    HASH,
    STRTAB,
    SYMTAB,
    RELA,
    RELA_SIZE,
    RELA_ENTRY,
    STR_SIZE,
    SYM_ENTRY,
    SYMBOLIC,
    PLT_REL,
    JMPREL,
    BIND_NOW,
    FLAGS,
    RELR_SIZE,
    RELR,
    RELR_ENTRY,
    GNU_HASH,
    TLSDESC_PLT,
    TLSDESC_GOT,
    VERSYM,
    RELA_COUNT,
    FLAGS_1,
    VERDEF,
    VERDEF_COUNT,
    VERNEED,
    VERNEED_COUNT,
];

/// Our own tag, in the range that is free for systems, in the place of `DT_INIT`.
pub(crate) const LATE_INIT: u64 = 0x604a_4601;
/// In the place of `DT_INIT_ARRAY`.
pub(crate) const LATE_INIT_ARRAY: u64 = 0x604a_4602;
/// In the place of `DT_INIT_ARRAYSZ`, in bytes.
pub(crate) const LATE_INIT_ARRAY_SIZE: u64 = 0x604a_4603;

/// The tag that a constructor's gets in the copy.
pub(super) const fn late(tag: u64) -> Option<u64> {
    match tag {
        INIT => Some(LATE_INIT),
        INIT_ARRAY => Some(LATE_INIT_ARRAY),
        INIT_ARRAY_SIZE => Some(LATE_INIT_ARRAY_SIZE),
        _ => None,
    }
}
