//! The abi_stable root module: one function, frozen for the whole major version.
//!
//! abi_stable's layout check accepts a library with *more* fields than the host knows and refuses
//! one with *less*. A field added here would lock out every older plugin, so none is ever added:
//! only the [envelopes](crate::envelope) grow.
#![allow(unsafe_code, reason = "this module is the foreign-function border")]
#![allow(non_local_definitions, missing_docs, reason = "expansion of derive(StableAbi)")]

pub use abi_stable::library::{AbiHeaderRef, LibHeader, LibraryError};
use abi_stable::{
    StableAbi,
    library::{__call_root_module_loader, CheckTypeLayout, RootModuleResult},
    package_version_strings,
    prefix_type::PrefixTypeTrait,
    sabi_types::VersionStrings,
    std_types::{RSlice, RStr, RVec},
};

/// Name of the symbol that abi_stable takes the [`LibHeader`] from, without the trailing NUL.
pub const HEADER_SYMBOL: &str = "_1as_0lib_1header_0root_bmodule_bloader";

/// The root module of a plugin library. **Frozen: never add a field.**
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = PluginRef, prefix_fields = PluginFields)))]
pub struct Plugin {
    /// `call(op, bytes) -> bytes`: an op of [`crate::envelope::op`] with its JSON envelopes.
    #[sabi(last_prefix_field)]
    pub call: extern "C" fn(RStr<'_>, RSlice<'_, u8>) -> RVec<u8>,
}

impl abi_stable::library::RootModule for PluginRef {
    abi_stable::declare_root_module_statics! {PluginRef}
    const BASE_NAME: &'static str = "jackfield_plugin";
    const NAME: &'static str = "jackfield_plugin";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}

/// What a plugin library implements behind the frozen function. `jackfield-plugin` does it for an
/// author. It must not unwind: a panic that crosses the border aborts the host.
///
/// ```
/// use jackfield_plugin_abi::{envelope::{Fault, FaultKind, Reply, op}, root::Exported};
///
/// struct Library;
///
/// impl Exported for Library {
///     fn call(op: &str, _body: &[u8]) -> Vec<u8> {
///         match op {
///             op::PROVIDERS => br#"{"ok": {"providers": []}}"#.to_vec(),
///             _ => {
///                 let fault = Fault::new(FaultKind::Unsupported, "this op is not known");
///                 serde_json::to_vec(&Reply::<()>::fault(fault)).unwrap()
///             }
///         }
///     }
/// }
/// # assert!(Library::call(op::CREATE, b"{}").starts_with(b"{\"fault\""));
/// ```
pub trait Exported {
    /// Answers one op with the bytes of a [`crate::envelope::Reply`].
    fn call(op: &str, body: &[u8]) -> Vec<u8>;
}

/// The header that a plugin exports as [`HEADER_SYMBOL`], as `#[export_root_module]` expands to it.
#[must_use]
pub const fn header<E: Exported>() -> LibHeader {
    // SAFETY: `construct::<E>` returns the `PluginRef` whose layout this puts into the header.
    unsafe { LibHeader::from_constructor::<PluginRef>(construct::<E>, CheckTypeLayout::Yes) }
}

extern "C" fn construct<E: Exported>() -> RootModuleResult {
    __call_root_module_loader(root::<E>)
}

fn root<E: Exported>() -> PluginRef {
    Plugin { call: call::<E> }.leak_into_prefix()
}

extern "C" fn call<E: Exported>(op: RStr<'_>, body: RSlice<'_, u8>) -> RVec<u8> {
    E::call(op.as_str(), body.as_slice()).into()
}

impl PluginRef {
    /// Checks a library's header and layout and takes its root module out of it.
    ///
    /// Works for many libraries: unlike `RootModule::load_from_file`, it keeps no static per type.
    ///
    /// # Errors
    /// What abi_stable found, without its layout dumps of some 250 lines.
    ///
    /// The layout check protects from accidents, not from a library that lies: it is the library
    /// that says whether it is checked.
    ///
    /// # Safety
    /// `header` must be the value of the symbol [`HEADER_SYMBOL`] of a library that is never
    /// unloaded, and that is trusted or confined to this process: it runs as soon as it is asked.
    pub unsafe fn from_header(header: AbiHeaderRef) -> Result<Self, String> {
        let header: &'static LibHeader = header.upgrade().map_err(|error| shortened(&error))?;
        header.init_root_module::<Self>().map_err(|error| shortened(&error))
    }

    /// Calls the plugin with an op of [`crate::envelope::op`] and a JSON envelope.
    #[must_use]
    pub fn ask(self, op: &str, body: &[u8]) -> Vec<u8> {
        self.call()(op.into(), body.into()).into_vec()
    }
}

/// Keeps the last `type:` before each `Error:` of a layout dump. Other errors keep their first
/// line.
fn shortened(error: &LibraryError) -> String {
    let text = error.to_string();
    let mut last_type = "";
    let mut found = Vec::new();
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("type:") {
            last_type = name.trim();
        } else if let Some(what) = line.strip_prefix("Error:") {
            found.push(format!("{last_type}: {}", what.trim()));
        }
    }
    if found.is_empty() {
        return text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default().to_owned();
    }
    found.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_symbol_is_the_one_abi_stable_looks_for() {
        assert_eq!(HEADER_SYMBOL, abi_stable::library::ROOT_MODULE_LOADER_NAME);
    }
}
