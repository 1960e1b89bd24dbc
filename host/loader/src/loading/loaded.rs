//! What is loaded.

use std::sync::Arc;

use crate::{provider::Provider, runtime::Plugin};

/// Running plugins and their providers.
#[derive(Default)]
pub(crate) struct Loaded {
    /// In the operator's order.
    pub(crate) plugins: Vec<Arc<Plugin>>,
    /// In the order of their plugins, configured or not.
    pub(crate) providers: Vec<Arc<Provider>>,
}
