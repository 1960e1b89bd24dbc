-- Tokens that nobody here uses any more and that are to be revoked at their provider, or were: one row each time something is given up.
CREATE TABLE revocations (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    provider TEXT NOT NULL,
    -- Of the integration; empty where a set-up ended before it was known.
    external_id TEXT NOT NULL,
    name TEXT NOT NULL,
    organization_id BIGINT REFERENCES organizations (id) ON DELETE SET NULL,
    -- removed, replaced, orphaned, operator
    reason TEXT NOT NULL,
    -- pending, done, failed
    status TEXT NOT NULL,
    -- All that is needed to revoke it; gone once that is done.
    sealed_given BLOB,
    attempts INTEGER NOT NULL,
    -- Milliseconds since 1970 UTC, like every time here.
    retry_at BIGINT NOT NULL,
    -- Who is at it, until when.
    lease BIGINT,
    leased_until BIGINT,
    -- What the provider answered last.
    answer TEXT,
    -- Of the set-up whose tokens these are while it is under way: gone when it ends well.
    setup TEXT UNIQUE,
    date_added BIGINT NOT NULL,
    date_ended BIGINT
);
CREATE INDEX revocations_by_retry ON revocations (status, retry_at);
CREATE INDEX revocations_by_provider ON revocations (provider, organization_id);
