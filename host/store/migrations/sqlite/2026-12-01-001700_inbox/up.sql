-- What services have sent, verified, for each organization that has the account. It is kept for a set time, so that programs can have it again.
CREATE TABLE received_events (
    -- Begins with the time, so that the order of ids is that of arrival.
    id BLOB NOT NULL PRIMARY KEY,
    organization_id BIGINT NOT NULL,
    integration_id BIGINT NOT NULL,
    provider TEXT NOT NULL,
    -- The service's id of the delivery, where it sends one.
    delivery_id TEXT,
    -- Method, headers and body.
    sealed_call BLOB NOT NULL,
    -- Bytes of the body.
    size BIGINT NOT NULL,
    -- Milliseconds since 1970 UTC, like every time here.
    received_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    -- When its plugin is to be asked, again or for the first time; NULL once that is done, or where there is no plugin.
    due_at BIGINT,
    attempts INTEGER NOT NULL,
    FOREIGN KEY (organization_id, integration_id) REFERENCES organization_integrations (organization_id, integration_id) ON DELETE CASCADE
);
CREATE INDEX received_events_of_link ON received_events (organization_id, integration_id, id);
CREATE INDEX received_events_of_organization ON received_events (organization_id, id);
CREATE INDEX received_events_of_provider ON received_events (provider, id);
CREATE INDEX received_events_by_expiry ON received_events (expires_at);
CREATE INDEX received_events_due ON received_events (due_at) WHERE due_at IS NOT NULL;

-- What a service signs the calls of this one webhook with, if it has a secret of its own.
ALTER TABLE webhooks ADD COLUMN sealed_secret BLOB;
-- When a program has made it; NULL for one of a setup.
ALTER TABLE webhooks ADD COLUMN made_at BIGINT;

INSERT INTO sealed_columns (table_name, column_name) VALUES
    ('received_events', 'sealed_call'),
    ('webhooks', 'sealed_secret');
