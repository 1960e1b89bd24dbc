//! Which build of a plugin serves a provider at present: said by the room that knows plugins, for rooms that do not.

use std::sync::Arc;

type Said = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The builds at present, each as a digest in hex by the id of a provider. Cheap to clone. The default knows none.
#[derive(Clone, Default)]
pub struct Builds(Option<Arc<Said>>);

impl Builds {
    /// As it is said by whoever knows.
    #[must_use]
    pub fn new(said: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(said)))
    }

    /// The digest of the build that serves a provider.
    #[must_use]
    pub fn of(&self, provider: &str) -> Option<String> {
        self.0.as_ref().and_then(|said| said(provider))
    }
}
