-- What a program makes so that its customer can connect an account, without an account at this host. Of the token only its SHA-256 is here,
-- and so of the cookie of the browser that holds the session. `terms` (JSON) is what the program has asked for and never changes;
-- `sealed_data` has the form fields that are filled in beforehand, and the token where the program may ask for it again.
CREATE TABLE connect_sessions (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    token_hash BLOB NOT NULL UNIQUE,
    status TEXT NOT NULL,
    made_by TEXT NOT NULL,
    subject_id TEXT,
    terms TEXT NOT NULL,
    sealed_data BLOB NOT NULL,
    holder_hash BLOB,
    failure TEXT,
    connected_id BIGINT,
    idempotency_hash BLOB,
    request_hash BLOB,
    date_added BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    date_ended BIGINT
);
CREATE INDEX connect_sessions_of_organization ON connect_sessions (organization_id, id);
CREATE UNIQUE INDEX connect_sessions_by_idempotency_key ON connect_sessions (organization_id, idempotency_hash)
    WHERE idempotency_hash IS NOT NULL;
CREATE INDEX connect_sessions_of_holder ON connect_sessions (holder_hash) WHERE holder_hash IS NOT NULL;
-- Most are over.
CREATE INDEX connect_sessions_open ON connect_sessions (expires_at) WHERE status = 'open';
CREATE INDEX connect_sessions_open_of_organization ON connect_sessions (organization_id) WHERE status = 'open';
CREATE INDEX connect_sessions_ended ON connect_sessions (date_ended) WHERE date_ended IS NOT NULL;
INSERT INTO sealed_columns (table_name, column_name) VALUES ('connect_sessions', 'sealed_data');
