//! axe-core, which checks pages for accessibility.

use anyhow::Result;

use crate::interop;

/// axe-core's source, from npm, as a test dependency only.
pub(super) fn source() -> Result<String> {
    Ok(std::fs::read_to_string(interop::installed()?.join("node_modules/axe-core/axe.min.js"))?)
}
