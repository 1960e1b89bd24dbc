-- What was done, by whom. The hash of a row is keyed and covers the row and the hash of the one before; ids have no gap. What it names may be
-- gone.
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    date BIGINT NOT NULL,
    action TEXT NOT NULL,
    actor_kind TEXT NOT NULL,
    actor_id BIGINT,
    actor_name TEXT,
    organization_id BIGINT,
    organization TEXT,
    provider TEXT,
    integration_id BIGINT,
    external_id TEXT,
    plugin_digest TEXT,
    result TEXT NOT NULL,
    detail TEXT NOT NULL,
    count BIGINT NOT NULL,
    hash BLOB NOT NULL
);
CREATE INDEX audit_log_of_organization ON audit_log (organization_id, id);
CREATE INDEX audit_log_of_integration ON audit_log (integration_id, id);

-- One row: how long the chain is, its last hash, and a code that only the key's holder can write. Its lock lets hosts append in turn.
CREATE TABLE audit_head (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    count BIGINT NOT NULL,
    hash BLOB NOT NULL,
    mac BLOB NOT NULL
);
INSERT INTO audit_head (id, count, hash, mac) VALUES (1, 0, zeroblob(32), zeroblob(0));

-- The key of the chain, sealed, by the first row that is hashed under it.
CREATE TABLE audit_keys (
    since BIGINT PRIMARY KEY,
    sealed_key BLOB NOT NULL
);
