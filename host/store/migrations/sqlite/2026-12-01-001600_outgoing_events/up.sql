-- The number of the last event of an organization's integration. It goes on where events are no longer kept.
CREATE TABLE event_sequences (
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    integration_id BIGINT NOT NULL,
    last BIGINT NOT NULL,
    PRIMARY KEY (organization_id, integration_id)
) WITHOUT ROWID;

-- What programs are told of. A row is inserted in the transaction of the change itself. `data` (JSON) holds no secret; the body of a
-- `provider.event` is sealed in the table of what services have sent, under `received_id`.
CREATE TABLE outgoing_events (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    integration_id BIGINT,
    sequence BIGINT,
    provider TEXT,
    subject_id TEXT,
    subject_name TEXT,
    tags TEXT,
    data TEXT NOT NULL,
    received_id BLOB,
    date_added BIGINT NOT NULL
);
CREATE INDEX outgoing_events_of_organization ON outgoing_events (organization_id, id);
CREATE INDEX outgoing_events_by_date ON outgoing_events (date_added);

-- Where a program is told. `kinds` and `providers` are lists with a comma around each name; empty: all.
CREATE TABLE endpoints (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    organization_id BIGINT NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
    url TEXT NOT NULL,
    description TEXT NOT NULL,
    kinds TEXT NOT NULL,
    providers TEXT NOT NULL,
    status TEXT NOT NULL,
    reason TEXT,
    sealed_secrets BLOB,
    is_configured BOOLEAN NOT NULL,
    date_added BIGINT NOT NULL,
    failing_since BIGINT,
    resumes_at BIGINT NOT NULL
);
CREATE INDEX endpoints_of_organization ON endpoints (organization_id, id);
CREATE UNIQUE INDEX endpoints_configured ON endpoints (organization_id, url) WHERE is_configured;

-- One event on its way to one endpoint.
CREATE TABLE deliveries (
    endpoint_id BIGINT NOT NULL REFERENCES endpoints (id) ON DELETE CASCADE,
    event_id BIGINT NOT NULL REFERENCES outgoing_events (id) ON DELETE CASCADE,
    status TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    retry_at BIGINT NOT NULL,
    lease BIGINT,
    leased_until BIGINT,
    PRIMARY KEY (endpoint_id, event_id)
) WITHOUT ROWID;
CREATE INDEX deliveries_of_event ON deliveries (event_id);
-- Most are over.
CREATE INDEX deliveries_pending ON deliveries (endpoint_id, retry_at) WHERE status = 'pending';

CREATE TABLE delivery_attempts (
    endpoint_id BIGINT NOT NULL,
    event_id BIGINT NOT NULL,
    number INTEGER NOT NULL,
    date BIGINT NOT NULL,
    duration BIGINT NOT NULL,
    status INTEGER,
    error TEXT,
    PRIMARY KEY (endpoint_id, event_id, number),
    FOREIGN KEY (endpoint_id, event_id) REFERENCES deliveries (endpoint_id, event_id) ON DELETE CASCADE
) WITHOUT ROWID;

INSERT INTO sealed_columns (table_name, column_name) VALUES ('endpoints', 'sealed_secrets');
