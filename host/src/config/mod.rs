//! Floor 0: the operator's settings, read from one TOML file and checked before anything starts. Knows nothing of ours.
