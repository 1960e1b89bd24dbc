//! Floor 0: the time, so that tests can set it. Knows nothing of ours.
