//! Our example plugin, and the same bytes with one thing changed that the system's loader would act
//! on.

use std::{env, fs};

use super::{
    check,
    dynamic::{Dynamic, ENTRY_SIZE},
    image::Image,
    tags, with_deferred_constructors,
};
use crate::elf_fault::ElfFault;

/// The library that cargo has built beside this test.
fn example() -> Vec<u8> {
    let beside = env::current_exe().expect("a test has a path").with_file_name("libexample.so");
    fs::read(beside).expect("the example plugin is a dependency of this package's tests")
}

fn entries(bytes: &[u8]) -> Vec<(u64, u64)> {
    let image = Image::parse(bytes).expect("the example is a library");
    Dynamic::parse(&image).expect("it has a dynamic section").entries
}

/// Writes eight bytes at an address.
fn write(bytes: &mut [u8], address: u64, value: u64) {
    let place = Image::parse(bytes).expect("a library").place(address, 8).expect("an address in the file");
    bytes[place].copy_from_slice(&value.to_le_bytes());
}

fn word(bytes: &[u8], address: u64) -> u64 {
    Image::parse(bytes).expect("a library").word(address).expect("an address in the file")
}

/// Address of the first dynamic entry of a tag.
fn entry(bytes: &[u8], tag: u64) -> u64 {
    let at = entries(bytes).iter().position(|(found, _)| *found == tag).expect("the example has this tag");
    Image::parse(bytes).expect("a library").dynamic + at as u64 * ENTRY_SIZE
}

fn value(bytes: &[u8], tag: u64) -> u64 {
    word(bytes, entry(bytes, tag) + 8)
}

/// Puts another tag in a tag's place.
fn retag(bytes: &mut [u8], tag: u64, other: u64) {
    let address = entry(bytes, tag);
    write(bytes, address, other);
}

/// Offset of the program header of a type.
fn program_header(bytes: &[u8], kind: u32) -> usize {
    let count = usize::from(u16::from_le_bytes([bytes[56], bytes[57]]));
    let offsets = (0..count).map(|at| 64 + at * 56);
    let mut found = offsets.filter(|at| bytes[*at..*at + 4] == kind.to_le_bytes());
    found.next().expect("the example has such a header")
}

const GNU_STACK: u32 = 0x6474_e551;

/// What is said of the example after a change.
fn fault(change: impl FnOnce(&mut Vec<u8>)) -> String {
    let mut bytes = example();
    change(&mut bytes);
    check(&bytes).expect_err("it is refused").to_string()
}

#[test]
fn the_example_needs_the_c_library_only() {
    let needed = check(&example()).expect("it is a good library");
    assert!(needed.contains(&"libc.so.6".to_owned()), "{needed:?}");
}

#[test]
fn what_would_run_or_be_opened_with_a_library_is_refused() {
    let said = [
        fault(|bytes| {
            let at = program_header(bytes, GNU_STACK);
            bytes[at + 4] |= 1;
        }),
        fault(|bytes| {
            let at = program_header(bytes, GNU_STACK);
            bytes[at] ^= 1;
        }),
        fault(|bytes| {
            let at = program_header(bytes, 1);
            bytes[at + 4] |= 3;
        }),
        fault(|bytes| retag(bytes, tags::FLAGS, tags::TEXTREL)),
        fault(|bytes| {
            let address = entry(bytes, tags::FLAGS) + 8;
            write(bytes, address, tags::FLAG_TEXTREL);
        }),
        fault(|bytes| retag(bytes, tags::NEEDED, tags::RUNPATH)),
        fault(|bytes| retag(bytes, tags::NEEDED, tags::RPATH)),
        fault(|bytes| retag(bytes, tags::NEEDED, tags::FILTERS[0])),
        // The C library looks at some of the bits only.
        fault(|bytes| retag(bytes, tags::NEEDED, tags::FILTERS[1] | 0xff << 31)),
        fault(|bytes| {
            let name = value(bytes, tags::STRTAB) + value(bytes, tags::NEEDED);
            let text = u64::from_le_bytes(*b"libevil\0");
            write(bytes, name, text);
        }),
    ];
    insta::assert_snapshot!(said.join("\n"), @r#"
    found an executable stack, wanted a stack that holds data only
    found an executable stack, wanted a stack that holds data only
    found memory that is both written and executed, wanted one or the other
    found text relocations, wanted position-independent code
    found text relocations, wanted position-independent code
    found the search path "libgcc_s.so.1" (RPATH or RUNPATH), wanted none
    found the search path "libgcc_s.so.1" (RPATH or RUNPATH), wanted none
    found a filter for the library "libgcc_s.so.1", wanted none
    found a filter for the library "libgcc_s.so.1", wanted none
    needs the library "libevil", wanted nothing but the C library (libc, libm, libgcc_s and their like)
    "#);
}

#[test]
fn functions_that_the_loader_would_call_are_refused() {
    let ifunc = ElfFault::Ifunc.to_string();
    let irelative = if cfg!(target_arch = "x86_64") { 37 } else { 1032 };
    for table in [tags::RELA, tags::JMPREL] {
        assert_eq!(
            fault(|bytes| {
                let info = value(bytes, table) + 8;
                write(bytes, info, irelative);
            }),
            ifunc
        );
    }
    // The first symbol is no symbol; each other may be looked up.
    for index in [1, 2] {
        assert_eq!(
            fault(|bytes| {
                let symbol = value(bytes, tags::SYMTAB) + index * 24;
                let changed = word(bytes, symbol) & !(0xf << 32) | 10 << 32;
                write(bytes, symbol, changed);
            }),
            ifunc
        );
    }
}

#[test]
fn a_relocation_writes_into_its_own_data_only() {
    let elsewhere = "found a relocation outside of the library's own data, wanted a library as linkers write it";
    let targets: [fn(&[u8]) -> u64; 4] =
        [|_| 0, |_| 1 << 40, |bytes| value(bytes, tags::SYMTAB) + 24, |bytes| entry(bytes, tags::INIT_ARRAY)];
    for target in targets {
        let said = fault(|bytes| {
            let (relocation, target) = (value(bytes, tags::RELA), target(bytes));
            write(bytes, relocation, target);
        });
        assert_eq!(said, elsewhere);
    }
}

#[test]
fn tables_that_lead_nowhere_are_refused() {
    let tables = [tags::SYMTAB, tags::STRTAB, tags::GNU_HASH, tags::RELA, tags::RELA_SIZE, tags::JMPREL];
    for table in tables {
        let mut bytes = example();
        let address = entry(&bytes, table) + 8;
        write(&mut bytes, address, u64::MAX - 7);
        assert!(check(&bytes).is_err(), "tag {table:#x}");
    }
}

/// A second dynamic section, or segments over each other, would be read differently by us and by
/// the loader.
#[test]
fn a_library_that_can_be_read_in_two_ways_is_refused() {
    let twice = fault(|bytes| {
        let at = program_header(bytes, GNU_STACK + 1);
        bytes[at..at + 4].copy_from_slice(&2_u32.to_le_bytes());
    });
    assert_eq!(twice, "found none or several dynamic sections, wanted a library as linkers write it");
    let over = fault(|bytes| {
        let at = program_header(bytes, 1);
        let larger = u64::from_le_bytes(bytes[at + 40..at + 48].try_into().expect("eight bytes")) + (1 << 20);
        bytes[at + 40..at + 48].copy_from_slice(&larger.to_le_bytes());
    });
    assert_eq!(over, "found segments that overlap, wanted a library as linkers write it");
}

#[test]
fn the_copy_has_its_constructors_elsewhere_and_no_destructors() {
    let before = example();
    let after = with_deferred_constructors(&before).expect("it is a good library");
    let (before, after) = (entries(&before), entries(&after));
    assert!(before.iter().any(|(tag, _)| *tag == tags::INIT_ARRAY), "there is something to move");
    let constructors: Vec<_> = before.iter().filter_map(|(tag, value)| Some((tags::late(*tag)?, *value))).collect();
    assert!(constructors.iter().all(|moved| after.contains(moved)), "{after:x?}");
    let known = |tag: &u64| tags::KEPT.contains(tag) || (tags::LATE_INIT..=tags::LATE_INIT_ARRAY_SIZE).contains(tag);
    assert!(after.iter().all(|(tag, _)| known(tag)), "{after:x?}");
    let kept = |entries: &[(u64, u64)]| entries.iter().filter(|(tag, _)| tags::KEPT.contains(tag)).count();
    assert_eq!(kept(&before), kept(&after));
}

/// What a hostile file may hold: anything. It is refused or taken, and nothing panics.
#[test]
fn no_bytes_panic() {
    let example = example();
    let mut random = 7_u64;
    for _ in 0..300 {
        let mut bytes = example.clone();
        for _ in 0..8 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (at, to) = ((random >> 33) as usize, (random >> 20) as u8);
            // Most of what the loader reads is in the headers and in the dynamic section.
            let dynamic = Image::parse(&example).expect("a library");
            let start = dynamic.place(dynamic.dynamic, 1).map_or(0, |place| place.start);
            let at = if at % 2 == 0 { at / 2 % 1024 } else { start + at / 2 % 512 };
            bytes[at] = to;
        }
        let _ = check(&bytes).and_then(|_| with_deferred_constructors(&bytes));
    }
    for length in (0..example.len()).step_by(example.len() / 50) {
        let _ = check(&example[..length]);
    }
}
