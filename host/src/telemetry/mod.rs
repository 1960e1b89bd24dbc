//! Floor 0: structured logs. Knows nothing of ours.
