//! Floor 3: takes a person through a provider's steps and stores what comes out. Knows nothing of axum.
