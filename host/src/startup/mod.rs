//! Floor 6: build the host from its settings, serve, stop.
