//! Floor 1: the one HTTP client, with its guards. Knows neither axum nor plugins.
