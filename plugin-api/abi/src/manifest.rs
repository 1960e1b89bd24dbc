//! The plain C manifest that every plugin library carries as data.
//!
//! It holds no pointer and needs no relocation, so a host reads it from the bytes of the file
//! before it loads the library. A refusal after some of the library has run is too late.

/// Version of the frozen function and of this layout. A host refuses a plugin of any other.
pub const ABI_MAJOR: u32 = 1;

/// Counts the additions to the envelopes within one major. Operators see it. No host refuses by it.
pub const ABI_MINOR: u32 = 0;

/// Name of the exported static, without the trailing NUL.
pub const MANIFEST_SYMBOL: &str = "JACKFIELD_PLUGIN_MANIFEST";

/// The first eight bytes of every manifest.
pub const MANIFEST_MAGIC: [u8; 8] = *b"JACKFLD\x01";

const NAME_LENGTH: usize = 64;
const VERSION_LENGTH: usize = 32;

/// Name and version of a plugin, and the version of the interface that it was built for.
///
/// The layout is frozen. 112 bytes, little-endian:
///
/// | bytes | field |
/// | --- | --- |
/// | 8 | [`MANIFEST_MAGIC`] |
/// | 4 | ABI major |
/// | 4 | ABI minor |
/// | 64 | name, UTF-8, padded with NUL |
/// | 32 | version, UTF-8, padded with NUL |
#[repr(C)]
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Manifest {
    magic: [u8; 8],
    abi_major: u32,
    abi_minor: u32,
    name: [u8; NAME_LENGTH],
    version: [u8; VERSION_LENGTH],
}

impl Manifest {
    /// Size in bytes of a manifest in a library file.
    pub const SIZE: usize = size_of::<Self>();

    /// The manifest of a plugin built against this version of the interface.
    ///
    /// # Panics
    /// At compile time, if `name` is longer than 64 bytes or `version` longer than 32.
    #[must_use]
    pub const fn new(name: &str, version: &str) -> Self {
        Self {
            magic: MANIFEST_MAGIC,
            abi_major: ABI_MAJOR,
            abi_minor: ABI_MINOR,
            name: padded(name),
            version: padded(version),
        }
    }

    /// Reads a manifest from the bytes of its symbol. `None` if they are too few or do not begin
    /// with [`MANIFEST_MAGIC`].
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; Self::SIZE] = bytes.get(..Self::SIZE)?.try_into().ok()?;
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (major, rest) = rest.split_first_chunk::<4>()?;
        let (minor, rest) = rest.split_first_chunk::<4>()?;
        let (name, rest) = rest.split_first_chunk::<NAME_LENGTH>()?;
        let (version, _) = rest.split_first_chunk::<VERSION_LENGTH>()?;
        (*magic == MANIFEST_MAGIC).then_some(Self {
            magic: *magic,
            abi_major: u32::from_le_bytes(*major),
            abi_minor: u32::from_le_bytes(*minor),
            name: *name,
            version: *version,
        })
    }

    /// Major version of the interface that the plugin was built for.
    #[must_use]
    pub const fn abi_major(&self) -> u32 {
        self.abi_major
    }

    /// Minor version of the interface that the plugin was built for.
    #[must_use]
    pub const fn abi_minor(&self) -> u32 {
        self.abi_minor
    }

    /// Package name of the plugin. Invalid UTF-8 is replaced.
    #[must_use]
    pub fn name(&self) -> String {
        unpadded(&self.name)
    }

    /// Package version of the plugin. Invalid UTF-8 is replaced.
    #[must_use]
    pub fn version(&self) -> String {
        unpadded(&self.version)
    }
}

/// Name of the exported static with the ids of the library's providers, without the trailing NUL.
///
/// Bytes like the manifest's: each id followed by one NUL, and nothing else. With it a host knows
/// whose options a library is to get before any of it runs. A library without it is asked. 1.1.
pub const PROVIDERS_SYMBOL: &str = "JACKFIELD_PLUGIN_PROVIDERS";

/// Length in bytes of what [`provider_ids`] makes of these ids.
#[must_use]
pub const fn provider_ids_length(ids: &[&str]) -> usize {
    let (mut length, mut at) = (0, 0);
    while at < ids.len() {
        length += ids[at].len() + 1;
        at += 1;
    }
    length
}

/// The bytes of [`PROVIDERS_SYMBOL`] for these ids.
///
/// # Panics
/// At compile time, if `N` is not [`provider_ids_length`] of them.
#[must_use]
pub const fn provider_ids<const N: usize>(ids: &[&str]) -> [u8; N] {
    assert!(N == provider_ids_length(ids), "another length than that of the ids");
    let mut bytes = [0; N];
    let (mut end, mut at) = (0, 0);
    while at < ids.len() {
        let id = ids[at].as_bytes();
        let mut letter = 0;
        while letter < id.len() {
            bytes[end] = id[letter];
            (letter, end) = (letter + 1, end + 1);
        }
        (at, end) = (at + 1, end + 1);
    }
    bytes
}

/// The ids in the bytes of [`PROVIDERS_SYMBOL`]. `None` if they are not UTF-8, or the last one is
/// not followed by a NUL.
#[must_use]
pub fn parse_provider_ids(bytes: &[u8]) -> Option<Vec<String>> {
    let text = std::str::from_utf8(bytes).ok()?.strip_suffix('\0')?;
    Some(text.split('\0').map(str::to_owned).collect())
}

const fn padded<const N: usize>(text: &str) -> [u8; N] {
    let bytes = text.as_bytes();
    assert!(bytes.len() <= N, "the package name or version is too long for the plugin manifest");
    let mut field = [0; N];
    let mut at = 0;
    while at < bytes.len() {
        field[at] = bytes[at];
        at += 1;
    }
    field
}

fn unpadded(field: &[u8]) -> String {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(manifest: &Manifest) -> Vec<u8> {
        [
            &manifest.magic[..],
            &manifest.abi_major.to_le_bytes(),
            &manifest.abi_minor.to_le_bytes(),
            &manifest.name,
            &manifest.version,
        ]
        .concat()
    }

    #[test]
    fn a_manifest_is_read_back_from_its_bytes() {
        let manifest = Manifest::new("jackfield-plugin-acme", "1.2.3");
        let read = Manifest::parse(&bytes_of(&manifest)).expect("a manifest begins with its magic");
        assert_eq!((read.name().as_str(), read.version().as_str()), ("jackfield-plugin-acme", "1.2.3"));
        assert_eq!((read.abi_major(), read.abi_minor()), (ABI_MAJOR, ABI_MINOR));
    }

    #[test]
    fn provider_ids_are_read_back_from_their_bytes() {
        const IDS: &[&str] = &["acme", "acme-sandbox"];
        const BYTES: [u8; provider_ids_length(IDS)] = provider_ids(IDS);
        assert_eq!(&BYTES, b"acme\0acme-sandbox\0");
        assert_eq!(parse_provider_ids(&BYTES).expect("they are well formed"), IDS);
        for wrong in [&b""[..], b"acme", b"\xff\0"] {
            assert_eq!(parse_provider_ids(wrong), None);
        }
    }

    #[test]
    fn the_layout_is_frozen() {
        assert_eq!(Manifest::SIZE, 112);
        assert_eq!(std::mem::offset_of!(Manifest, abi_major), 8);
        assert_eq!(std::mem::offset_of!(Manifest, name), 16);
        assert_eq!(std::mem::offset_of!(Manifest, version), 80);
    }

    #[test]
    fn other_or_short_bytes_are_no_manifest() {
        let mut bytes = bytes_of(&Manifest::new("acme", "1"));
        assert!(Manifest::parse(&bytes[..111]).is_none());
        bytes[0] = b'X';
        assert!(Manifest::parse(&bytes).is_none());
    }
}
