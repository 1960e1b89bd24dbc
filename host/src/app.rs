//! Floor 4: the handles a request can reach; no logic.
