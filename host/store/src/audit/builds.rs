//! Which build of a plugin serves a provider now. The package that knows plugins says so, for
//! packages that do not.

use std::sync::Arc;

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The build of each provider, as a digest in hexadecimal. Cheap to clone. The default knows none.
#[derive(Clone, Default)]
pub struct Builds(Option<Arc<Lookup>>);

impl Builds {
    /// Builds that this function looks up by the id of a provider.
    #[must_use]
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(lookup)))
    }

    /// The digest of the build that serves a provider.
    #[must_use]
    pub fn of(&self, provider: &str) -> Option<String> {
        self.0.as_ref().and_then(|lookup| lookup(provider))
    }
}
